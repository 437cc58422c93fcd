import { env } from "cloudflare:test";
import { hmac, toBytea } from "../../src/crypto.ts";
import { asOwner } from "./database.ts";

/** Where somebody's wrong passwords are counted. */
const own = "scope = sha256($1::bytea || uuid_send($2::uuid))";

async function paramsOf(userId: string): Promise<unknown[]> {
  // Settings are strings beside the bindings, which alone are declared.
  const secret = (env as unknown as { JWT_SECRET: string }).JWT_SECRET;
  return [toBytea(await hmac(secret, "throttle", "reauthentication")), userId];
}

/** How many attempts of a person are counted. */
export async function countAttempts(userId: string): Promise<number> {
  const [rows] = await asOwner([`select attempts from throttles where ${own}`, await paramsOf(userId)]);
  return rows?.[0]?.["attempts"] ?? 0;
}

/** Lets so many seconds pass since the last attempt, for the count alone. */
export async function passSeconds(userId: string, seconds: number): Promise<void> {
  const params = [...(await paramsOf(userId)), seconds];
  await asOwner([`update throttles set attempted_at = attempted_at - $3 * interval '1 second' where ${own}`, params]);
}

export async function forgetAttempts(userId: string): Promise<void> {
  await asOwner([`delete from throttles where ${own}`, await paramsOf(userId)]);
}
