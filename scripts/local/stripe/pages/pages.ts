import { readFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import path from "node:path";

import { readBody } from "../../http.ts";
import type { Account } from "../account.ts";
import type { Accounts } from "../accounts.ts";
import { StripeError } from "../errors.ts";
import { showCheckout, useCheckout } from "./checkout-page.ts";
import { showInvoice, useInvoice } from "./invoice-page.ts";
import { renderNotFound, renderStart } from "./page.ts";
import { showPortal, usePortal } from "./portal-page.ts";

export type PageAnswer = { redirect: string } | { status: number; page: string; formTargets?: string[] };

interface PageKind {
  path: RegExp;
  table: "checkoutSessions" | "portalSessions" | "invoices";
  show(account: Account, id: string): PageAnswer;
  use(account: Account, id: string, form: URLSearchParams): PageAnswer;
}

const kinds: PageKind[] = [
  {
    path: /^\/c\/pay\/(\w+)$/,
    table: "checkoutSessions",
    show: (account, id) => showCheckout(account, account.find("checkoutSessions", "checkout.session", id)),
    use: (account, id, form) => useCheckout(account, account.find("checkoutSessions", "checkout.session", id), form),
  },
  {
    path: /^\/p\/session\/(\w+)$/,
    table: "portalSessions",
    show: (account, id) => showPortal(account, account.find("portalSessions", "session", id)),
    use: (account, id, form) => usePortal(account, account.find("portalSessions", "session", id), form),
  },
  {
    path: /^\/i\/(\w+)$/,
    table: "invoices",
    show: (account, id) => showInvoice(account, account.find("invoices", "invoice", id)),
    use: (account, id) => useInvoice(account, account.find("invoices", "invoice", id)),
  },
];
const maxFormBytes = 16 * 1024;
const styleFile = path.join(import.meta.dirname, "../../assets/style.css");

/** @throws StripeError 403 for a form that another site sent, 413 for one that is too large */
export async function answerPage(
  request: IncomingMessage,
  response: ServerResponse,
  target: string,
  accounts: Accounts,
): Promise<void> {
  const form = await readBody(request, maxFormBytes);
  if (form === undefined) throw new StripeError(413, "The form is too large.");
  if (target === "/assets/style.css" && isRead(request)) {
    response.writeHead(200, { "content-type": "text/css; charset=utf-8" }).end(readFileSync(styleFile));
    return;
  }
  if (target === "/" && isRead(request)) return send(response, { status: 200, page: renderStart() });
  const kind = kinds.find((other) => other.path.test(target));
  const id = kind?.path.exec(target)?.[1] ?? "";
  const account = kind && accounts.owner(kind.table, id);
  if (!kind || !account) return send(response, { status: 404, page: renderNotFound() });
  if (isRead(request))
    return send(
      response,
      accounts.act(account, () => kind.show(account, id)),
    );
  requireOwnForm(request);
  send(
    response,
    accounts.act(account, () => kind.use(account, id, new URLSearchParams(form))),
  );
}

function isRead({ method }: IncomingMessage): boolean {
  return method === "GET" || method === "HEAD";
}

/** Browsers say where a form was; whoever is none can do no harm that it could not do anyway. */
function requireOwnForm(request: IncomingMessage): void {
  const site = request.headers["sec-fetch-site"] ?? "same-origin";
  if (request.method === "POST" && site === "same-origin") return;
  throw new StripeError(403, "This server's own pages alone send forms to it.");
}

/** A form's redirect counts as its target, so the pages that lead back have to be named. */
function send(response: ServerResponse, answer: PageAnswer): void {
  if ("redirect" in answer) return void response.writeHead(303, { location: answer.redirect }).end();
  const policy = [
    "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; frame-ancestors 'none'",
    ["form-action 'self'", ...(answer.formTargets ?? [])].join(" "),
  ];
  response.writeHead(answer.status, {
    "content-type": "text/html; charset=utf-8",
    "content-security-policy": policy.join("; "),
  });
  response.end(answer.page);
}
