import { sql } from "drizzle-orm";
import { hmac, toBytea } from "../crypto.ts";
import type { SystemDatabase } from "../db/index.ts";
import type { Settings } from "../env.ts";
import { AppError } from "../errors.ts";
import type { PasswordParameters } from "./passwords/index.ts";

/** Counters, as bytea: what the database counts by. */
export interface AttemptScopes {
  /** What one subscriber holds. All requests that came from nowhere share one. */
  network: string;
  /** The account, or what would be one: an unknown address is counted like any other. */
  account: string;
  /** Of the account at a network that it has signed in from before. */
  home: string;
}

/** Names that only the holder of the secret can make, so that injected SQL neither counts for others nor forgets. */
export async function scopesOf(settings: Settings, email: string, network: string | null): Promise<AttemptScopes> {
  const scope = async (name: string) => toBytea(await hmac(settings.JWT_SECRET, "throttle", name));
  const where = network ?? "unknown";
  const [ofNetwork, account, home] = await Promise.all([
    scope(`network\n${where}`),
    scope(`account\n${email}`),
    scope(`home\n${email}\n${where}`),
  ]);
  return { network: ofNetwork, account, home };
}

/** What a success is to forget: the counters that the attempt was counted by. */
export type CountedScopes = Pick<AttemptScopes, "network" | "account">;

/**
 * Takes an attempt to sign in, before any work is done for it, and reads the account's parameters in the same
 * request. 5 attempts are free for an account and 20 for a network; the next ones wait.
 *
 * @throws AppError `too_many_attempts` with Retry-After, and nothing is counted.
 */
export async function takeAttempt(
  database: SystemDatabase,
  settings: Settings,
  { email, network }: { email: string; network: string | null },
): Promise<{ scopes: CountedScopes; parameters: PasswordParameters | undefined }> {
  const scopes = await scopesOf(settings, email, network);
  const [found, attempt] = await database.run((queries) => [
    queries.execute<PasswordParameters & Record<string, unknown>>(selectParameters(email)),
    // Last, since it locks the counters until the transaction ends.
    queries.execute<{ account: string; seconds: number }>(
      sql`select account_scope::text as account, seconds from app.take_sign_in_attempt(${email}, ${network}::text,
        ${scopes.network}::bytea, ${scopes.account}::bytea, ${scopes.home}::bytea)`,
    ),
  ]);
  const taken = attempt.rows[0];
  if (!taken) throw new Error("app.take_sign_in_attempt returned no row");
  const { account, seconds } = taken;
  if (seconds > 0) throw new AppError("too_many_attempts", { headers: { "retry-after": String(seconds) } });
  return { scopes: { network: scopes.network, account }, parameters: found.rows[0] };
}

/** The parameters alone, for an attempt that was taken already. */
export async function readParameters(database: SystemDatabase, email: string): Promise<PasswordParameters | undefined> {
  const [found] = await database.run((queries) => [
    queries.execute<PasswordParameters & Record<string, unknown>>(selectParameters(email)),
  ]);
  return found.rows[0];
}

const selectParameters = (email: string) => sql`select scheme, salt from app.password_parameters(${email})`;
