import { isRecord } from "../http.ts";
import { ResendError } from "./errors.ts";

/** A mail as it was handed over. */
export interface Email {
  from: string;
  to: string[];
  subject: string;
  text: string;
  html: string;
  headers: Record<string, string>;
}

export interface Message extends Email {
  id: string;
  idempotencyKey: string | null;
  /** ISO 8601, UTC. */
  receivedAt: string;
}

const maxRecipients = 50;

/** @throws ResendError 422, in Resend's own words where they are known */
export function readEmail(payload: Record<string, unknown>): Email {
  const { from, to, subject, text, html, headers = {} } = payload;
  const recipients = typeof to === "string" ? [to] : to;
  const [missing] = Object.entries({ from, to, subject }).find(([, value]) => value === undefined) ?? [];
  if (missing) throw new ResendError(422, "missing_required_field", `Missing \`${missing}\` field.`);
  if (!isStringArray(recipients) || recipients.length === 0 || !recipients.every(isMailbox)) throw invalidAddress("to");
  if (recipients.length > maxRecipients) throw invalid("to", `can have ${maxRecipients} addresses at most`);
  if (typeof from !== "string" || !isMailbox(from)) throw invalidAddress("from");
  if (typeof subject !== "string") throw invalid("subject", "must be a string");
  if (/[\r\n]/.test(subject)) throw invalid("subject", "must have no line breaks");
  const bodies = [readText("text", text), readText("html", html)] as const;
  if (!bodies[0] && !bodies[1]) {
    throw new ResendError(422, "validation_error", "Missing `html` or `text` field.");
  }
  return { from, to: recipients, subject, text: bodies[0], html: bodies[1], headers: readHeaders(headers) };
}

/** The addresses a payload is for, as they are compared; none of one that is no mail. */
export function readRecipients({ to }: Record<string, unknown>): string[] {
  const recipients = typeof to === "string" ? [to] : to;
  return isStringArray(recipients) ? recipients.map(bareAddress) : [];
}

/** `Ada <Ada@example.com>` → `ada@example.com` */
export function bareAddress(mailbox: string): string {
  return (/<([^<>]*)>\s*$/.exec(mailbox)?.[1] ?? mailbox).trim().toLowerCase();
}

function readText(name: string, value: unknown): string {
  if (value === undefined || value === null) return "";
  if (typeof value !== "string") throw invalid(name, "must be a string");
  return value;
}

function readHeaders(value: unknown): Record<string, string> {
  const fits = ([name, text]: [string, unknown]): boolean =>
    /^[\x21-\x39\x3b-\x7e]+$/.test(name) && typeof text === "string" && !/[\r\n]/.test(text);
  if (!isRecord(value) || !Object.entries(value).every(fits)) {
    throw invalid("headers", "must be names with strings of one line");
  }
  // What has just been checked.
  return value as Record<string, string>;
}

/** `email@example.com` or `Name <email@example.com>`, on one line. */
function isMailbox(text: string): boolean {
  return /^([^<>\r\n]*<[^\s<>@]+@[^\s<>@]+\.[^\s<>@]+>|[^\s<>@]+@[^\s<>@]+\.[^\s<>@]+)$/.test(text);
}

function isStringArray(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === "string");
}

function invalidAddress(field: string): ResendError {
  return invalid(
    field,
    "The email address needs to follow the `email@example.com` or `Name <email@example.com>` format",
  );
}

function invalid(field: string, reason: string): ResendError {
  return new ResendError(422, "validation_error", `Invalid \`${field}\` field. ${reason}.`);
}
