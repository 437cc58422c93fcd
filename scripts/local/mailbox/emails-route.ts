import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

import { answerJson } from "../http.ts";
import type { Control, Fault } from "./control.ts";
import { ResendError } from "./errors.ts";
import { readObject } from "./http.ts";
import type { MessageStore } from "./message-store.ts";
import { readEmail, readRecipients } from "./message.ts";

export interface EmailsRouteOptions {
  store: MessageStore;
  control: Control | undefined;
  apiKey: string | undefined;
}

const maxBytes = 1024 * 1024;
const faultNames: Record<number, string> = {
  401: "missing_api_key",
  403: "invalid_api_key",
  409: "concurrent_idempotent_requests",
  422: "validation_error",
  429: "rate_limit_exceeded",
};

/** @throws ResendError for what Resend would refuse */
export async function answerEmails(
  request: IncomingMessage,
  response: ServerResponse,
  { store, control, apiKey }: EmailsRouteOptions,
): Promise<void> {
  const payload = await readObject(request, maxBytes);
  const recipients = readRecipients(payload);
  control?.count(recipients);
  authenticate(request.headers, apiKey);
  const key = readIdempotencyKey(request.headers);
  const email = readEmail(payload);

  const fault = control?.takeFault(recipients);
  const storedBefore = fault?.afterStoring ? store.add(email, key) : undefined;
  if (fault && !(await suffer(response, fault))) return;
  answerJson(response, 200, { id: storedBefore ?? store.add(email, key) });
}

function authenticate(headers: IncomingHttpHeaders, apiKey: string | undefined): void {
  // Fetch in Workers sends none by itself, so whoever forgets it shall learn of it here.
  if (!headers["user-agent"]) throw new ResendError(403, "forbidden", "error code: 1010 (there is no User-Agent)");
  const given = /^Bearer +(\S+)$/i.exec(headers.authorization ?? "")?.[1];
  if (!given) throw new ResendError(401, "missing_api_key", "Missing API key in the authorization header.");
  if (apiKey !== undefined && !timingSafeEqual(hash(given), hash(apiKey))) {
    throw new ResendError(403, "invalid_api_key", "API key is invalid.");
  }
}

function hash(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

function readIdempotencyKey(headers: IncomingHttpHeaders): string | undefined {
  const key = headers["idempotency-key"];
  if (key === undefined) return undefined;
  if (typeof key === "string" && key.length >= 1 && key.length <= 256) return key;
  throw new ResendError(400, "invalid_idempotency_key", "The key must be between 1-256 chars.");
}

/** Whether the request goes on as if nothing had been. */
async function suffer(response: ServerResponse, { delayMs, status, hang }: Fault): Promise<boolean> {
  const gone = new AbortController();
  response.once("close", () => gone.abort());
  // Rejects when the client goes, which is what a fault may be there to bring about.
  await sleep(delayMs, undefined, { signal: gone.signal }).catch(() => undefined);
  if (hang || gone.signal.aborted || response.destroyed) return false;
  if (status === undefined) return true;
  const error = new ResendError(status, faultNames[status] ?? "internal_server_error", "A fault that a test has set.");
  answerJson(response, status, error, status === 429 ? { "retry-after": "1" } : {});
  return false;
}
