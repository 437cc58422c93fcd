import { sql } from "drizzle-orm";
import type { SystemDatabase } from "../db/index.ts";
import type { Settings } from "../env.ts";
import { attemptScope, refuseWhileWaiting } from "./attempts.ts";
import type { PasswordParameters } from "./passwords/index.ts";

/** Counters, as bytea: what the database counts by. */
export interface AttemptScopes {
  /** What one subscriber holds. All requests that came from nowhere share one. */
  network: string;
  /** The account, or what would be one: an unknown address is counted like any other. */
  account: string;
  /** Of the account at this network, once it has signed in from there; null for what came from nowhere. */
  home: string | null;
}

/** @param network null for what came from nowhere. */
export async function scopesOf(settings: Settings, email: string, network: string | null): Promise<AttemptScopes> {
  return {
    network: await attemptScope(settings, `network\n${network ?? "unknown"}`),
    account: await attemptScope(settings, `account\n${email}`),
    home: network && (await attemptScope(settings, `home\n${email}\n${network}`)),
  };
}

/**
 * Takes an attempt to sign in, before any work is done for it, and reads the account's parameters in the same
 * request. 5 attempts are free for an account and 20 for a network; the next ones wait.
 *
 * @returns the counters that a success is to settle, `account` being the one that it was counted by
 * @throws AppError `too_many_attempts` with Retry-After, and nothing is counted.
 */
export async function takeAttempt(
  database: SystemDatabase,
  settings: Settings,
  { email, network }: { email: string; network: string | null },
): Promise<{ scopes: AttemptScopes; parameters: PasswordParameters | undefined }> {
  const scopes = await scopesOf(settings, email, network);
  const [found, attempt] = await database.run((queries) => [
    queries.execute<PasswordParameters & Record<string, unknown>>(selectParameters(email)),
    // Last, since it locks the counters until the transaction ends.
    queries.execute<{ account: string; wait_seconds: number }>(
      sql`select account_scope::text as account, wait_seconds
            from app.take_sign_in_attempt(${scopes.network}::bytea, ${scopes.account}::bytea, ${scopes.home}::bytea)`,
    ),
  ]);
  const taken = attempt.rows[0];
  if (!taken) throw new Error("app.take_sign_in_attempt returned no row");
  refuseWhileWaiting(taken.wait_seconds);
  return { scopes: { ...scopes, account: taken.account }, parameters: found.rows[0] };
}

/** The parameters alone, for an attempt that was taken already. */
export async function readParameters(database: SystemDatabase, email: string): Promise<PasswordParameters | undefined> {
  const [found] = await database.run((queries) => [
    queries.execute<PasswordParameters & Record<string, unknown>>(selectParameters(email)),
  ]);
  return found.rows[0];
}

const selectParameters = (email: string) => sql`select scheme, salt from app.password_parameters(${email})`;
