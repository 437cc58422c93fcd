import { afterEach, describe, expect, it, vi } from "vitest";
import { type MailSettings, sendMail } from "../src/mail/providers.ts";
import { expireAtOnce, mail } from "./support/mails.ts";

afterEach(() => vi.restoreAllMocks());

const cloudflare: MailSettings = {
  EMAIL_PROVIDER: "cloudflare",
  RESEND_API_URL: "https://api.resend.example",
};

describe("Cloudflare", () => {
  type Send = (message: EmailMessage | EmailMessageBuilder) => Promise<EmailSendResult>;
  const bindingThat = (send: Send): SendEmail => ({ send });
  const bindingThatThrows = (error: unknown) => bindingThat(vi.fn<Send>().mockRejectedValue(error));

  it("gets the mail, with the sender's name in its own field", async () => {
    const send = vi.fn<Send>().mockResolvedValue({ messageId: "<1@acme.example>" });
    expect(await sendMail(cloudflare, bindingThat(send), mail)).toEqual({ outcome: "delivered" });
    expect(send.mock.calls).toEqual([
      [
        {
          from: { name: "Acme", email: "mail@acme.example" },
          to: mail.to,
          subject: mail.subject,
          text: mail.text,
          html: mail.html,
          headers: { "X-Entity-Ref-ID": mail.id },
        },
      ],
    ]);
  });

  it.each([
    ["mail@acme.example", "mail@acme.example"],
    ["<mail@acme.example>", "mail@acme.example"],
    ['"Acme, Inc." <mail@acme.example>', { name: "Acme, Inc.", email: "mail@acme.example" }],
  ])("takes the sender %s", async (from, expected) => {
    const send = vi.fn<Send>().mockResolvedValue({ messageId: "<1@acme.example>" });
    await sendMail(cloudflare, bindingThat(send), { ...mail, from });
    expect(send.mock.calls[0]?.[0].from).toEqual(expected);
  });

  const refusals =
    "E_VALIDATION_ERROR E_FIELD_MISSING E_TOO_MANY_RECIPIENTS E_RECIPIENT_NOT_ALLOWED E_RECIPIENT_SUPPRESSED " +
    "E_CONTENT_TOO_LARGE E_HEADER_NOT_ALLOWED E_HEADERS_TOO_MANY";
  const failures =
    "E_SENDER_NOT_VERIFIED E_SENDER_DOMAIN_NOT_AVAILABLE E_DELIVERY_FAILED E_RATE_LIMIT_EXCEEDED " +
    "E_DAILY_LIMIT_EXCEEDED E_INTERNAL_SERVER_ERROR E_SOMETHING_NEW";

  it.each([
    ...refusals.split(" ").map((code) => ["refused", code]),
    ...failures.split(" ").map((code) => ["failed", code]),
  ])("has %s the mail with %s", async (outcome, code) => {
    const error = Object.assign(new Error(`email to ${mail.to} not allowed`), { code });
    const delivery = await sendMail(cloudflare, bindingThatThrows(error), mail);
    expect(delivery).toEqual({ outcome, reason: `cloudflare: ${code}` });
  });

  it.each([
    ["an error without one", new Error(`email to ${mail.to} not allowed`)],
    ["text", `email to ${mail.to} not allowed`],
    ["nothing", undefined],
    ["one that could be anything", { code: `E_ ${mail.to}` }],
    ["a number", { code: 500 }],
  ])("is asked again after %s for a code", async (_, error) => {
    const reason = "cloudflare: an error without a code";
    expect(await sendMail(cloudflare, bindingThatThrows(error), mail)).toEqual({ outcome: "failed", reason });
  });

  it("is asked again after 10 seconds without an answer", async () => {
    expireAtOnce();
    const delivery = await sendMail(
      cloudflare,
      bindingThat(() => new Promise(() => {})),
      mail,
    );
    expect(delivery).toEqual({ outcome: "failed", reason: "cloudflare: no answer in 10 seconds" });
  });

  it("fails without its binding, and names it", async () => {
    const reason = "cloudflare: the send_email binding is missing";
    expect(await sendMail(cloudflare, undefined, mail)).toEqual({ outcome: "failed", reason });
  });
});
