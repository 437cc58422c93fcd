import { readFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import path from "node:path";

import { answerJson, isForLocalHost, splitTarget } from "../http.ts";
import { answerEmails, type EmailsRouteOptions } from "./emails-route.ts";
import { ResendError } from "./errors.ts";
import { billingPath, landingPaths, renderBilling, renderLanding } from "./landing-pages.ts";
import { renderInbox, renderMessage, renderNotFound, wrapMailHtml } from "./message-pages.ts";

export interface RouteOptions extends EmailsRouteOptions {
  /** An origin. */
  apiUrl: string | undefined;
}

interface Target extends RouteOptions {
  path: string;
  query: URLSearchParams;
}

const assets = new Map([
  ["style.css", { type: "text/css; charset=utf-8", file: "../assets/style.css" }],
  ["inbox.js", { type: "text/javascript; charset=utf-8", file: "assets/inbox.js" }],
  ["landing.js", { type: "text/javascript; charset=utf-8", file: "assets/landing.js" }],
]);
const pagePolicy =
  "default-src 'none'; style-src 'self'; img-src data:; script-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'none'; " +
  "frame-ancestors 'none'; require-trusted-types-for 'script'; connect-src 'self'";
/** A mail's HTML is a stranger's: it runs no script, loads nothing and has no origin. */
const mailSandbox = "allow-top-navigation-by-user-activation allow-popups allow-popups-to-escape-sandbox";
const mailPolicy =
  `sandbox ${mailSandbox}; default-src 'none'; style-src 'unsafe-inline'; img-src data:; ` +
  "base-uri 'none'; form-action 'none'; frame-ancestors 'self'";

/** Answers one HTTP request. Never throws. */
export async function answerRequest(
  request: IncomingMessage,
  response: ServerResponse,
  options: RouteOptions,
): Promise<void> {
  response.setHeader("x-content-type-options", "nosniff");
  response.setHeader("referrer-policy", "no-referrer");
  response.setHeader("cache-control", "no-store");
  const { path, query } = splitTarget(request.url ?? "");
  try {
    if (!isForLocalHost(request)) throw new ResendError(403, "forbidden", "The mailbox answers to localhost only.");
    await route(request, response, { ...options, path, query });
  } catch (error) {
    if (response.headersSent || response.destroyed) return void response.destroy();
    if (error instanceof ResendError) return answerJson(response, error.statusCode, error);
    console.error(error);
    answerJson(response, 500, new ResendError(500, "application_error", "An unexpected error occurred."));
  }
}

async function route(request: IncomingMessage, response: ServerResponse, target: Target): Promise<void> {
  if (await target.control?.handle(request, response, target)) return;
  if (target.path === "/emails") {
    if (request.method === "POST") return answerEmails(request, response, target);
    throw new ResendError(405, "method_not_allowed", "Method is not allowed for the requested path.");
  }
  if (request.method === "GET" || request.method === "HEAD") return answerPage(request, response, target);
  throw new ResendError(404, "not_found", "The requested endpoint does not exist.");
}

function answerPage(request: IncomingMessage, response: ServerResponse, target: Target): void {
  const { path, query, store, apiUrl } = target;
  const asset = assets.get(/^\/assets\/([^/]+)$/.exec(path)?.[1] ?? "");
  const [, id = "", part] = /^\/messages\/([^/]+)(\/html)?$/.exec(path) ?? [];
  const message = store.find(id);
  if (path === "/") {
    response.setHeader("etag", `"${store.version}"`);
    return answerHtml(response, 200, renderInbox(store.list().toReversed(), store.version));
  }
  if (path === "/messages.json") return answerJson(response, 200, { messages: store.list(query.get("to")) });
  if (message && part) return answerHtml(response, 200, wrapMailHtml(message.html), mailPolicy);
  if (message) return answerHtml(response, 200, renderMessage(message, mailSandbox));
  if (asset) return answerAsset(response, asset);
  if (apiUrl && path === billingPath) return answerHtml(response, 200, renderBilling(apiUrl));
  if (apiUrl && landingPaths.has(path)) {
    return answerHtml(response, 200, renderLanding(path, apiUrl), `${pagePolicy} ${apiUrl}`);
  }
  if (request.headers.accept?.includes("text/html")) return answerHtml(response, 404, renderNotFound());
  throw new ResendError(404, "not_found", "The requested endpoint does not exist.");
}

function answerHtml(response: ServerResponse, status: number, page: string, policy = pagePolicy): void {
  response.writeHead(status, { "content-type": "text/html; charset=utf-8", "content-security-policy": policy });
  response.end(page);
}

function answerAsset(response: ServerResponse, { type, file }: { type: string; file: string }): void {
  response.writeHead(200, { "content-type": type });
  response.end(readFileSync(path.join(import.meta.dirname, file)));
}
