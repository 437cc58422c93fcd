import { hmac } from "../crypto.ts";
import { secretsOf, type Settings } from "../env.ts";

/**
 * What shows the database that the Worker itself says something that only the Worker can verify: a key derived from
 * its secret, and while that is being replaced, one of the secret before as well. 32 or 64 bytes.
 */
export async function workerKeys(settings: Settings): Promise<Uint8Array> {
  const keys = await Promise.all(secretsOf(settings).map((secret) => hmac(secret, "worker key", "")));
  return Uint8Array.from(keys.flatMap((key) => [...key]));
}
