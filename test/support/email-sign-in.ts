import { codeOf, lastMailTo, tokenOf } from "./mailbox.ts";
import { type Answer, openService, type Service } from "./service.ts";

const service = openService();

export const askForMail = (email: string, by: Service = service): Promise<Answer> =>
  by.call("POST", "/v1/auth/email-sign-in", { body: { email } });

export const verify = (body: object, headers: Record<string, string> = {}, by: Service = service): Promise<Answer> =>
  by.call("POST", "/v1/auth/email-sign-in/verify", { body, headers });

/** What the mail that somebody asks for brings them. */
export async function receiveMail(email: string, by: Service = service): Promise<{ token: string; code: string }> {
  const asked = await askForMail(email, by);
  if (asked.status !== 202) throw new Error(`email-sign-in: ${asked.status} ${JSON.stringify(asked.body)}`);
  const mail = await lastMailTo(email);
  return { token: tokenOf(mail), code: codeOf(mail) };
}

/** Eight digits, and not these. */
export const otherCode = (code: string): string => String((Number(code) + 1) % 100_000_000).padStart(8, "0");
