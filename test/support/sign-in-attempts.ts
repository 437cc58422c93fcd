import { env } from "cloudflare:test";
import { toNetwork } from "../../src/middleware/client-address.ts";
import type { Settings } from "../../src/env.ts";
import { type AttemptScopes, scopesOf } from "../../src/services/sign-in-attempts.ts";
import { asOwner } from "./database.ts";

/** Whose attempts: those for an e-mail address, made from an address or from nowhere. */
export interface Attempts {
  email: string;
  address: string | null;
}

// The secret is all that is read of it.
const settings = { JWT_SECRET: (env as unknown as { JWT_SECRET: string }).JWT_SECRET } as Settings;

const scopesFor = ({ email, address }: Attempts) => scopesOf(settings, email, address && toNetwork(address));

/** How many attempts each counter holds; undefined for one that is not there. */
export async function countAttempts(attempts: Attempts): Promise<Record<keyof AttemptScopes, number | undefined>> {
  const { network, account, home } = await scopesFor(attempts);
  const [rows = []] = await asOwner([
    "select scope::text, attempts from throttles where scope = any ($1::bytea[])",
    [[network, account, home]],
  ]);
  const count = (scope: string | null) =>
    rows.find((row) => row["scope"] === scope)?.["attempts"] as number | undefined;
  return { network: count(network), account: count(account), home: count(home) };
}

/** As if the last attempt was that many seconds ago. */
export async function passSeconds(attempts: Attempts, seconds: number): Promise<void> {
  await asOwner([
    "update throttles set attempted_at = clock_timestamp() - make_interval(secs => $2::int) where scope = any ($1::bytea[])",
    [Object.values(await scopesFor(attempts)), seconds],
  ]);
}

/** As if so many had been made, where any were. */
export async function setAttempts(attempts: Attempts, count: number): Promise<void> {
  await asOwner([
    "update throttles set attempts = $2 where scope = any ($1::bytea[])",
    [Object.values(await scopesFor(attempts)), count],
  ]);
}

/** As if nobody had tried. */
export async function forgetAttempts(attempts: Attempts): Promise<void> {
  await asOwner(["delete from throttles where scope = any ($1::bytea[])", [Object.values(await scopesFor(attempts))]]);
}
