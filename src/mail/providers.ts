import { readText } from "../response-text.ts";
import type { MailContent } from "./templates.ts";

export interface Mail extends MailContent {
  /** Stable over retries: the provider's idempotency key. */
  id: string;
  from: string;
  to: string;
}

/** `refused`: the provider will never take this mail; `failed`: try again later. */
export type Delivery = { outcome: "delivered" } | { outcome: "failed" | "refused"; reason: string };

export interface MailSettings {
  EMAIL_PROVIDER: "resend" | "cloudflare";
  RESEND_API_KEY?: string | undefined;
  RESEND_API_URL: string;
}

const timeoutSeconds = 10;
const maxErrorBytes = 16_384;

/**
 * Hands one mail to the provider. Never throws. A reason has a status and the provider's name for the error,
 * and neither address nor text nor key: it is meant for the log and for the outbox's row.
 */
export async function sendMail(settings: MailSettings, binding: SendEmail | undefined, mail: Mail): Promise<Delivery> {
  const signal = AbortSignal.timeout(timeoutSeconds * 1000);
  const expiry = new Promise<Delivery>((resolve) => {
    const reason = `${settings.EMAIL_PROVIDER}: no answer in ${timeoutSeconds} seconds`;
    signal.addEventListener("abort", () => resolve({ outcome: "failed", reason }));
  });
  const delivery =
    settings.EMAIL_PROVIDER === "resend" ? sendWithResend(settings, mail, signal) : sendWithCloudflare(binding, mail);
  return Promise.race([delivery, expiry]);
}

/** Statuses of Resend that blame the mail itself. Others blame the key, the setting, the moment or the sender. */
const refusals = new Set([400, 409, 413, 422, 451]);

/** Errors with such a status that pass all the same: a try still under way, and a setting that is mended. */
const passingErrors = new Set(["concurrent_idempotent_requests", "invalid_from_address"]);

/** https://resend.com/docs/api-reference/errors */
async function sendWithResend(settings: MailSettings, mail: Mail, signal: AbortSignal): Promise<Delivery> {
  const { RESEND_API_KEY: key, RESEND_API_URL: url } = settings;
  if (!key) return { outcome: "failed", reason: "resend: RESEND_API_KEY is not set" };
  const { id, from, to, subject, text, html } = mail;
  try {
    const response = await fetch(`${url.replace(/\/+$/, "")}/emails`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${key}`,
        "content-type": "application/json",
        "idempotency-key": id,
        // workerd sends none by itself, and Resend answers 403 without one.
        "user-agent": "saas-backend-layer",
      },
      body: JSON.stringify({ from, to: [to], subject, text, html, headers: { "X-Entity-Ref-ID": id } }),
      // A redirect would carry the key to where it does not belong.
      redirect: "manual",
      signal,
    });
    if (response.ok) {
      await discard(response.body);
      return { outcome: "delivered" };
    }
    const name = await readErrorName(response);
    const isRefusal = refusals.has(response.status) && !passingErrors.has(name);
    return { outcome: isRefusal ? "refused" : "failed", reason: `resend: ${response.status} ${name}`.trimEnd() };
  } catch {
    // The error's text is not ours: it may hold a header's value, which is the key.
    return { outcome: "failed", reason: "resend: no connection" };
  }
}

/** The answer counts, and what becomes of its body does not. */
async function discard(body: ReadableStream | null): Promise<void> {
  await body?.cancel().catch(() => undefined);
}

/** The `name` of Resend's error body; empty where there is none, or one that could be anything else. */
async function readErrorName(response: Response): Promise<string> {
  try {
    const body: unknown = JSON.parse(await readText(response, maxErrorBytes));
    const name = typeof body === "object" && body !== null && "name" in body ? body.name : undefined;
    return typeof name === "string" && /^[a-z_]{1,60}$/i.test(name) ? name : "";
  } catch {
    return "";
  }
}

/**
 * Error codes of Cloudflare that blame the mail itself, the whole family E_HEADER… beside them. Limits, outages
 * and E_DELIVERY_FAILED pass; an unverified sender is mended by the operator. An unknown code gets another try.
 */
const refusalCodes = new Set([
  "E_VALIDATION_ERROR",
  "E_FIELD_MISSING",
  "E_TOO_MANY_RECIPIENTS",
  "E_RECIPIENT_NOT_ALLOWED",
  "E_RECIPIENT_SUPPRESSED",
  "E_CONTENT_TOO_LARGE",
]);

/**
 * https://developers.cloudflare.com/email-service/api/send-emails/workers-api/
 * It knows no idempotency key: a retry after an answer that was lost sends the mail twice.
 */
async function sendWithCloudflare(binding: SendEmail | undefined, mail: Mail): Promise<Delivery> {
  if (!binding) return { outcome: "failed", reason: "cloudflare: the send_email binding is missing" };
  const { id, to, subject, text, html } = mail;
  try {
    const headers = { "X-Entity-Ref-ID": id };
    await binding.send({ from: parseSender(mail.from), to, subject, text, html, headers });
    return { outcome: "delivered" };
  } catch (error) {
    const code = readErrorCode(error);
    const isRefusal = refusalCodes.has(code) || code.startsWith("E_HEADER");
    return { outcome: isRefusal ? "refused" : "failed", reason: `cloudflare: ${code}` };
  }
}

/** "Acme <mail@acme.example>" in the two fields that the binding has for it; the address alone stays as it is. */
function parseSender(from: string): string | EmailAddress {
  const [, name, email] = /^\s*"?([^"<>]*?)"?\s*<([^<>]+)>\s*$/.exec(from) ?? [];
  return name && email ? { name, email } : (email ?? from);
}

function readErrorCode(error: unknown): string {
  const code = typeof error === "object" && error !== null && "code" in error ? error.code : undefined;
  return typeof code === "string" && /^E_[A-Z_]{1,60}$/.test(code) ? code : "an error without a code";
}
