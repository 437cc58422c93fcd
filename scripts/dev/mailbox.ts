import { randomBytes } from "node:crypto";

import { startMailbox } from "../local/mailbox.ts";
import { findFreePort } from "../local/processes.ts";
import type { MailboxSettings } from "./settings.ts";

export interface DevMailbox {
  /** For browsers. */
  url: string;
  settings: MailboxSettings;
  stop(): Promise<void>;
}

/** Starts the mailbox that stands in for the mail provider, on port 8025 or the next that is free. */
export async function startDevMailbox(options: { apiUrl: string; apiKey: string | undefined }): Promise<DevMailbox> {
  const apiKey = options.apiKey || `re_${randomBytes(24).toString("base64url")}`;
  const mailbox = await startMailbox({ port: await findFreePort(8025), apiUrl: options.apiUrl, apiKey });
  const url = `http://localhost:${mailbox.port}`;
  return {
    url,
    settings: {
      EMAIL_PROVIDER: "resend",
      RESEND_API_URL: mailbox.url,
      RESEND_API_KEY: apiKey,
      EMAIL_FROM: "Demo <demo@example.com>",
      APP_URL: url,
    },
    stop: () => mailbox.close(),
  };
}
