import { env } from "cloudflare:test";
import type { Settings } from "../../src/env.ts";
import { toNetwork } from "../../src/middleware/client-address.ts";
import { attemptScope } from "../../src/services/attempts.ts";
import { passkeyScope } from "../../src/services/passkey-sign-ins.ts";
import { scopesOf } from "../../src/services/sign-in-attempts.ts";
import { asOwner } from "./database.ts";

/** To sign in with an e-mail address, from an address or from nowhere; or to give one's password while signed in. */
export type Attempts = { email: string; address: string | null } | { userId: string };

type Counter = "network" | "account" | "home" | "person" | "passkeys";

// The secret is all that is read of it; it is a string beside the bindings, which alone are declared.
const settings = { JWT_SECRET: (env as unknown as { JWT_SECRET: string }).JWT_SECRET } as Settings;

async function scopesFor(attempts: Attempts): Promise<Partial<Record<Counter, string | null>>> {
  if ("email" in attempts) {
    const { email, address } = attempts;
    const network = address && toNetwork(address);
    return { ...(await scopesOf(settings, email, network)), passkeys: await passkeyScope(settings, network) };
  }
  const scope = await attemptScope(settings, "reauthentication");
  const statement = "select sha256($1::bytea || uuid_send($2::uuid))::text as person";
  const [rows] = await asOwner([statement, [scope, attempts.userId]]);
  return { person: rows?.[0]?.["person"] };
}

/** How many attempts each counter holds, of those that are there. */
export async function countAttempts(attempts: Attempts): Promise<Partial<Record<Counter, number>>> {
  const counters = Object.entries(await scopesFor(attempts));
  const [rows = []] = await asOwner([
    "select scope::text, attempts from throttles where scope = any ($1::bytea[])",
    [counters.map(([, scope]) => scope)],
  ]);
  const found = (scope: string | null) => rows.find((row) => row["scope"] === scope);
  return Object.fromEntries(
    counters.filter(([, scope]) => found(scope)).map(([name, scope]) => [name, found(scope)?.["attempts"]]),
  );
}

/** As if the last attempt was that many seconds ago, or will be. */
export async function setLastAttempt(attempts: Attempts, secondsAgo: number): Promise<void> {
  await change(attempts, "attempted_at = clock_timestamp() - make_interval(secs => $2::int)", secondsAgo);
}

/** As if so many had been made, where any were. */
export async function setAttempts(attempts: Attempts, count: number): Promise<void> {
  await change(attempts, "attempts = $2", count);
}

/** As if nobody had tried. */
export async function forgetAttempts(attempts: Attempts): Promise<void> {
  await asOwner(["delete from throttles where scope = any ($1::bytea[])", [Object.values(await scopesFor(attempts))]]);
}

async function change(attempts: Attempts, assignment: string, value: number): Promise<void> {
  const scopes = Object.values(await scopesFor(attempts));
  await asOwner([`update throttles set ${assignment} where scope = any ($1::bytea[])`, [scopes, value]]);
}
