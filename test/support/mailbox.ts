import { inject } from "vitest";

export interface Mail {
  id: string;
  idempotencyKey: string | null;
  from: string;
  to: string[];
  subject: string;
  text: string;
  html: string;
  headers: Record<string, string>;
  receivedAt: string;
}

interface MailFault {
  /** Whose mail; that of all, when absent. */
  to?: string;
  /** An error to answer. */
  status?: number;
  /** Waits before anything else. */
  delayMs?: number;
  /** Never answers. */
  hang?: boolean;
  /** Keeps the mail all the same, as when only the answer gets lost. */
  afterStoring?: boolean;
  times?: number;
}

const control = (path: string, init?: RequestInit) => fetch(`${inject("mailboxUrl")}/control/${path}`, init);

/** Everything that was mailed to an address, oldest first. */
export async function mailsTo(email: string): Promise<Mail[]> {
  const response = await control(`messages?to=${encodeURIComponent(email)}`);
  return (await response.json<{ messages: Mail[] }>()).messages;
}

/** @throws Error when nothing was mailed to the address */
export async function lastMailTo(email: string): Promise<Mail> {
  const mail = (await mailsTo(email)).at(-1);
  if (!mail) throw new Error(`no mail to ${email}`);
  return mail;
}

/** How often somebody tried to mail to an address, also in vain. */
export async function mailAttemptsTo(email: string): Promise<number> {
  const response = await control(`requests?to=${encodeURIComponent(email)}`);
  return (await response.json<{ count: number }>()).count;
}

/** The token in the fragment of a mail's link, where no server's log gets to see it. */
export function tokenOf(mail: Mail): string {
  const token = /#token=([^\s&"'<>]+)/.exec(mail.text)?.[1];
  if (!token) throw new Error(`no token in “${mail.subject}”: ${mail.text}`);
  return decodeURIComponent(token);
}

/** The code in a mail that has one. */
export function codeOf(mail: Mail): string {
  const code = /\bcode [^:]*:\s(\d{8})\b/.exec(mail.text)?.[1];
  if (!code) throw new Error(`no code in “${mail.subject}”: ${mail.text}`);
  return code;
}

/** Makes the next attempts to mail fail; once, where `times` does not say more. */
export async function failMail(fault: MailFault): Promise<void> {
  const response = await control("faults", { method: "POST", body: JSON.stringify(fault) });
  if (response.status !== 204) throw new Error(`the mailbox refused the fault: ${await response.text()}`);
}
