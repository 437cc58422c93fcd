import { expect } from "vitest";

import { startMailbox, type Mailbox, type MailboxOptions } from "../../scripts/local/mailbox.ts";

export const apiKey = "re_the-right-one";

export interface Answer {
  status: number;
  headers: Headers;
  // The tests assert on the shape, which is theirs to know.
  body: any;
}

/** A mailbox with control, and what tests ask of it. */
export interface Stage extends Mailbox {
  send(payload: unknown, headers?: Record<string, string>, signal?: AbortSignal): Promise<Answer>;
  control(method: string, path: string, body?: unknown): Promise<Answer>;
  setFault(fault: object): Promise<void>;
  messagesTo(address: string): Promise<any[]>;
  attemptsTo(address: string): Promise<number>;
}

export async function openStage(options: MailboxOptions = {}): Promise<Stage> {
  const mailbox = await startMailbox({ apiKey, control: true, ...options });
  const call = async (path: string, init: RequestInit): Promise<Answer> => {
    const response = await fetch(mailbox.url + path, init);
    const { status, headers } = response;
    return { status, headers, body: status === 204 ? undefined : await response.json() };
  };
  const control: Stage["control"] = (method, path, body) =>
    call(`/control/${path}`, { method, ...(body !== undefined && { body: JSON.stringify(body) }) });
  return {
    ...mailbox,
    send: (payload, headers, signal) =>
      call("/emails", {
        method: "POST",
        headers: { authorization: `Bearer ${apiKey}`, "content-type": "application/json", ...headers },
        body: typeof payload === "string" ? payload : JSON.stringify(payload),
        signal: signal ?? null,
      }),
    control,
    setFault: async (fault) => expect((await control("POST", "faults", fault)).status).toBe(204),
    messagesTo: async (address) => (await control("GET", `messages?to=${encodeURIComponent(address)}`)).body.messages,
    attemptsTo: async (address) => (await control("GET", `requests?to=${encodeURIComponent(address)}`)).body.count,
  };
}

let addresses = 0;
export const newAddress = () => `person-${addresses++}@example.com`;

export const mailTo = (to: unknown, more: object = {}) => ({
  from: "Demo <demo@example.com>",
  to,
  subject: "Hello",
  text: "Hello there",
  ...more,
});
