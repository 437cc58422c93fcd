import { createServer } from "node:http";

import { closeServer, listenOnLoopback } from "./listen.ts";
import { Control } from "./mailbox/control.ts";
import { MessageStore } from "./mailbox/message-store.ts";
import { answerRequest } from "./mailbox/routes.ts";

export interface MailboxOptions {
  /** 0 or absent: any free port. Only 127.0.0.1 is bound. */
  port?: number;
  /** Of the service that the pages behind the mails' links call; without it there are no such pages. */
  apiUrl?: string;
  /** The one key that POST /emails takes; any when absent. */
  apiKey?: string;
  /** Opens /control/…, with which tests read messages, count requests and set faults. */
  control?: boolean;
  /** How many of the newest messages are kept; 500 when absent. */
  maxMessages?: number;
}

export interface Mailbox {
  url: string;
  port: number;
  /** Ends every connection; the messages are gone with it. */
  close(): Promise<void>;
}

/**
 * Starts a local model of Resend's API (https://resend.com/docs/api-reference/emails/send-email):
 * POST /emails answers as Resend does, and shows the mail in a browser instead of sending it.
 * It also has the pages that the mails' links lead to, for as long as there is no frontend.
 *
 * @throws Error when the port cannot be bound
 */
export async function startMailbox(options: MailboxOptions = {}): Promise<Mailbox> {
  const route = {
    store: new MessageStore(options.maxMessages ?? 500),
    control: options.control ? new Control() : undefined,
    apiKey: options.apiKey,
    apiUrl: options.apiUrl && new URL(options.apiUrl).origin,
  };
  const server = createServer((request, response) => void answerRequest(request, response, route));
  const port = await listenOnLoopback(server, options.port);

  return { url: `http://127.0.0.1:${port}`, port, close: () => closeServer(server) };
}
