import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";

import { localDirectory } from "../local/paths.ts";

/** What is generated once for a clone and kept. */
export interface State {
  jwtSecret: string;
  encryptionKey: string;
  demoPassword: string;
  /** Of the account at the local model of Stripe. */
  stripeSecretKey: string;
  stripeWebhookSecret: string;
}

/** Reads the kept secrets, making them at the first time. Only their owner can read the file. */
export function loadState(): State {
  const file = path.join(localDirectory, "secrets.json");
  const kept = existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as Partial<State>) : {};
  const state = {
    jwtSecret: randomBytes(48).toString("base64url"),
    encryptionKey: randomBytes(48).toString("base64url"),
    demoPassword: `demo-${randomBytes(9).toString("base64url")}`,
    stripeSecretKey: `sk_test_${randomBytes(16).toString("hex")}`,
    stripeWebhookSecret: `whsec_${randomBytes(24).toString("hex")}`,
    // Last: what a clone was given before is not made anew for what it lacks.
    ...kept,
  };
  mkdirSync(localDirectory, { recursive: true });
  writeFileSync(file, `${JSON.stringify(state, null, 2)}\n`, { mode: 0o600 });
  return state;
}
