import { expect, vi } from "vitest";
import type { Mail } from "../../src/mail/providers.ts";

/** A mail to hand to a provider. */
export const mail: Mail = {
  id: "019ab0de-8f6c-7cc4-9e6f-6f2b7f0f1a01",
  from: "Acme <mail@acme.example>",
  to: "ada@secret.example",
  subject: "Confirm your e-mail address",
  text: "the text\n",
  html: "<p>the text</p>",
};

/** What every template is filled with. */
export const mailData = {
  name: "Ada Lovelace",
  newEmail: "ada@new.example",
  organization: "Acme",
  inviter: "Ada Lovelace",
  at: "2026-03-06T14:05:09.123Z",
  ipAddress: "203.0.113.7",
  userAgent: "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0",
};

/** The provider's clock has run out by the time that somebody waits. */
export function expireAtOnce(): void {
  vi.spyOn(AbortSignal, "timeout").mockImplementation((milliseconds) => {
    expect(milliseconds).toBe(10_000);
    const controller = new AbortController();
    setTimeout(() => controller.abort(new DOMException("", "TimeoutError")), 20);
    return controller.signal;
  });
}
