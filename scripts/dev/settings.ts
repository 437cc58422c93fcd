import { rmSync, writeFileSync } from "node:fs";
import path from "node:path";

import { localDirectory } from "../local/paths.ts";
import type { State } from "./state.ts";

/** The settings with which the Worker sends its mail to the local mailbox. */
export interface MailboxSettings {
  EMAIL_PROVIDER: string;
  RESEND_API_URL: string;
  RESEND_API_KEY: string;
  EMAIL_FROM: string;
  /** The mailbox's own origin, whose pages call the API as a frontend's would. */
  APP_URL: string;
}

/** The settings with which the Worker collects money from the local model of Stripe. */
export interface StripeSettings {
  BILLING_PROVIDER: string;
  STRIPE_SECRET_KEY: string;
  STRIPE_WEBHOOK_SECRET: string;
  STRIPE_API_URL: string;
  STRIPE_PROMOTION_CODES: string;
}

/** The Worker's settings in development, where `.dev.vars` does not say otherwise. */
export function makeSettings(
  state: State,
  devVars: Record<string, string>,
  databaseUrl: string,
  mailbox?: MailboxSettings,
  publicOrigin?: string,
  stripe?: StripeSettings,
): Record<string, string> {
  const origins = [devVars["CORS_ORIGINS"], mailbox?.APP_URL].filter(Boolean);
  return {
    JWT_SECRET: state.jwtSecret,
    ENCRYPTION_KEY: state.encryptionKey,
    BCRYPT_WORK_FACTOR: "10",
    SESSION_EXPIRATION: "30d/7d",
    RATE_LIMIT_PER_MINUTE: "300",
    ENVIRONMENT: "development",
    ...(publicOrigin && { PUBLIC_ORIGIN: publicOrigin }),
    ...mailbox,
    ...stripe,
    ...devVars,
    ...(origins.length > 0 && { CORS_ORIGINS: origins.join(",") }),
    DATABASE_URL: databaseUrl,
  };
}

/**
 * Writes settings as a file for `wrangler dev --env-file`, which then does not read `.dev.vars`.
 * A file, because every user of the machine can read a process's arguments.
 */
export function writeEnvFile(settings: Record<string, string>): string {
  const file = path.join(localDirectory, "worker.env");
  // Made anew, since the mode of a file that is there already would stay as it is.
  rmSync(file, { force: true });
  const lines = Object.entries(settings).map(([name, value]) => `${name}=${quote(value)}\n`);
  writeFileSync(file, lines.join(""), { mode: 0o600 });
  return file;
}

// Wrangler replaces $NAME in values, and reads \n as a line break between double quotes only.
function quote(value: string): string {
  const mark = ["'", "`", '"'].find((candidate) => !value.includes(candidate));
  if (!mark) throw new Error("A value in .dev.vars holds all three kinds of quotation marks.");
  return mark + value.replaceAll("$", "\\$") + mark;
}
