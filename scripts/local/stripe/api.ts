import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { Stripe } from "stripe";

import { readBody } from "../http.ts";
import type { Account } from "./account.ts";
import type { AccountState } from "./account-state.ts";
import type { Accounts } from "./accounts.ts";
import type { ApiControl, ApiFault, RecordedRequest } from "./api-control.ts";
import { checkoutSessionOperations } from "./api/checkout-sessions.ts";
import { couponOperations } from "./api/coupons.ts";
import { customerOperations } from "./api/customers.ts";
import { eventOperations } from "./api/events.ts";
import { invoiceOperations } from "./api/invoices.ts";
import { paymentMethodOperations } from "./api/payment-methods.ts";
import { portalSessionOperations } from "./api/portal-sessions.ts";
import { priceOperations } from "./api/prices.ts";
import { subscriptionScheduleOperations } from "./api/subscription-schedules.ts";
import { subscriptionOperations } from "./api/subscriptions.ts";
import { testClockOperations } from "./api/test-clocks.ts";
import { invalidRequest, StripeError } from "./errors.ts";
import { expand } from "./expansion.ts";
import { decodeForm, type FormTree } from "./form.ts";
import type { Answer, IdempotencyKeys } from "./idempotency.ts";

export interface ApiOptions {
  accounts: Accounts;
  idempotencyKeys: IdempotencyKeys;
  control: ApiControl | undefined;
}

interface ApiRequest {
  method: string;
  path: string;
  form: string;
  key: string;
  idempotencyKey: string | undefined;
  requestId: string;
}

const operations = [
  ...customerOperations,
  ...priceOperations,
  ...couponOperations,
  ...checkoutSessionOperations,
  ...paymentMethodOperations,
  ...portalSessionOperations,
  ...subscriptionOperations,
  ...subscriptionScheduleOperations,
  ...invoiceOperations,
  ...eventOperations,
  ...testClockOperations,
];
const maxBytes = 1024 * 1024;

/** @throws StripeError for what is refused before there is an operation */
export async function answerApi(
  request: IncomingMessage,
  response: ServerResponse,
  target: { path: string; query: URLSearchParams; requestId: string },
  options: ApiOptions,
): Promise<void> {
  const body = await readBody(request, maxBytes);
  if (body === undefined) throw new StripeError(413, `The body has more than ${maxBytes} bytes.`);
  const call: ApiRequest = {
    method: request.method ?? "GET",
    path: target.path,
    form: [target.query.toString(), body].filter(Boolean).join("&"),
    key: readKey(request.headers),
    // Other methods are idempotent as they are, and Stripe takes no notice of the header there.
    idempotencyKey: request.method === "POST" ? request.headers["idempotency-key"]?.toString() : undefined,
    requestId: target.requestId,
  };
  const { requestId, method, path, idempotencyKey = null } = call;
  const record: RecordedRequest = { method, path, idempotencyKey, requestId, status: 0 };
  options.control?.record(call.key, record);
  requireVersion(request.headers);
  const fault = options.control?.takeFault(call.key, method, path);
  const answer = await answerOnce(call, response, fault, options);
  if (!answer || response.destroyed) return;
  record.status = answer.status;
  response.writeHead(answer.status, { "content-type": "application/json" }).end(answer.body);
}

/** Does it unless that was done before under the same key. Nothing when the connection is gone. */
async function answerOnce(
  call: ApiRequest,
  response: ServerResponse,
  fault: ApiFault | undefined,
  options: ApiOptions,
): Promise<Answer | undefined> {
  const { idempotencyKey } = call;
  if (idempotencyKey === undefined) return suffer(response, fault, () => perform(call, options.accounts));
  response.setHeader("idempotency-key", idempotencyKey);
  const fingerprint = `${call.method} ${call.path} ${call.form}`;
  const earlier = options.idempotencyKeys.claim(call.key, idempotencyKey, fingerprint);
  if (earlier) {
    response.setHeader("idempotent-replayed", "true");
    return earlier;
  }
  let done: Answer | undefined;
  try {
    return await suffer(response, fault, () => (done = perform(call, options.accounts)));
  } finally {
    // What is refused for its parameters was never begun, and can be sent again in another form.
    options.idempotencyKeys.settle(call.key, idempotencyKey, done && done.status !== 400 ? done : undefined);
  }
}

async function suffer(
  response: ServerResponse,
  fault: ApiFault | undefined,
  perform: () => Answer,
): Promise<Answer | undefined> {
  if (!fault) return perform();
  if (fault.delayMs > 0) await sleep(fault.delayMs);
  const answer = fault.afterDoing || (!fault.drop && fault.status === undefined) ? perform() : undefined;
  if (fault.drop) {
    response.destroy();
    return undefined;
  }
  if (fault.status === undefined) return answer;
  const error = new StripeError(fault.status, "A fault that a test has set.", {
    type: fault.status < 500 ? "invalid_request_error" : "api_error",
    ...(fault.status === 429 && { code: "rate_limit" }),
  });
  return { status: fault.status, body: JSON.stringify(error, null, 2) };
}

function perform(call: ApiRequest, accounts: Accounts): Answer {
  const account = accounts.open(call.key);
  try {
    const result = accounts.act(account, () => run(account, call));
    return { status: 200, body: JSON.stringify(result, null, 2) };
  } catch (error) {
    if (!(error instanceof StripeError)) throw error;
    return { status: error.status, body: JSON.stringify(error, null, 2) };
  }
}

function run(account: Account, { method, path, form, requestId, idempotencyKey }: ApiRequest): object {
  const operation = operations.find((other) => other.method === method && other.path.test(path));
  if (!operation) throw new StripeError(404, `Unrecognized request URL (${method}: ${path}).`);
  const tree = decodeForm(form);
  const id = operation.path.exec(path)?.[1] ?? "";
  account.cause = { id: requestId, idempotency_key: idempotencyKey ?? null };
  const paths = readExpand(tree);
  // Whether a path leads anywhere shows only in the answer, and a request that is refused has done nothing.
  const before = paths.length > 0 && method !== "GET" ? structuredClone(account.state) : undefined;
  try {
    return expandOrUndo(account, operation.run({ account, id: decode(id) }, tree), paths, before);
  } finally {
    account.cause = { id: null, idempotency_key: null };
  }
}

function expandOrUndo(account: Account, answer: object, paths: string[], before: AccountState | undefined): object {
  try {
    return expand(account, answer, paths);
  } catch (error) {
    // Those that are on their way stay the objects that whoever sends them has.
    for (const id of before?.deliveries.keys() ?? []) {
      const current = account.state.deliveries.get(id);
      if (current) before?.deliveries.set(id, current);
    }
    Object.assign(account.state, before);
    throw error;
  }
}

/** As it is, where it is no such encoding: then nothing has that id. */
function decode(id: string): string {
  try {
    return decodeURIComponent(id);
  } catch {
    return id;
  }
}

function readExpand({ expand }: FormTree): string[] {
  return typeof expand === "object" ? Object.values(expand).filter((path) => typeof path === "string") : [];
}

/** The secret key, as a bearer token or the user name of basic authentication. */
function readKey({ authorization = "" }: IncomingHttpHeaders): string {
  const [, scheme = "", given = ""] = /^(Bearer|Basic) +(\S+)$/i.exec(authorization) ?? [];
  const key = scheme.toLowerCase() === "basic" ? Buffer.from(given, "base64").toString("utf8").split(":", 1)[0] : given;
  if (!key) {
    throw new StripeError(
      401,
      "You did not provide an API key. You need to provide your API key in the Authorization header.",
    );
  }
  if (/^sk_test_\w{1,200}$/.test(key)) return key;
  throw new StripeError(401, `Invalid API Key provided: ${key.slice(0, 8)}****`);
}

/** Answers have the shape of one version, so whoever asks for another must learn of it. */
function requireVersion(headers: IncomingHttpHeaders): void {
  const version = headers["stripe-version"];
  if (version === undefined || version === Stripe.API_VERSION) return;
  throw invalidRequest(`This model speaks version ${Stripe.API_VERSION} alone, not ${String(version)}.`);
}
