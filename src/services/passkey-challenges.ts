import { base64url } from "jose";
import { hmac, randomBytes, sha256, toBytea } from "../crypto.ts";
import { secretsOf, type Settings } from "../env.ts";

/** Seconds that a browser and its person have for a ceremony. */
export const CHALLENGE_LIFETIME = 300;

const RANDOM_LENGTH = 32;
const MAC_LENGTH = 32;

/** What a challenge is good for: `session` is what it is bound to, and names nobody where nobody is signed in. */
export type ChallengeUse =
  | { purpose: "registration" | "second factor"; session: string }
  | { purpose: "sign-in"; session: null };

/**
 * A challenge that no table holds: random bytes, when it expires, and an HMAC of both with what it is for, by which
 * it is known again.
 */
export async function newChallenge(settings: Settings, use: ChallengeUse): Promise<string> {
  const content = new Uint8Array(RANDOM_LENGTH + 8);
  content.set(randomBytes(RANDOM_LENGTH));
  new DataView(content.buffer).setFloat64(RANDOM_LENGTH, Date.now() + CHALLENGE_LIFETIME * 1000);
  const mac = await authenticate(settings.JWT_SECRET, use, content);
  return base64url.encode(new Uint8Array([...content, ...mac]));
}

/** bytea: what the database knows a challenge by once it is spent. Undefined for one that is not ours, for another use, or expired. */
export async function readChallenge(
  settings: Settings,
  use: ChallengeUse,
  challenge: string,
): Promise<string | undefined> {
  if (!/^[\w-]{96}$/.test(challenge)) return undefined;
  const bytes = base64url.decode(challenge);
  const content = bytes.slice(0, -MAC_LENGTH);
  const given = bytes.slice(-MAC_LENGTH);
  const macs = await Promise.all(secretsOf(settings).map((secret) => authenticate(secret, use, content)));
  if (!macs.some((mac) => crypto.subtle.timingSafeEqual(mac, given))) return undefined;
  const expiresAt = new DataView(content.buffer).getFloat64(RANDOM_LENGTH);
  return expiresAt > Date.now() ? toBytea(await sha256(content)) : undefined;
}

function authenticate(secret: string, { purpose, session }: ChallengeUse, content: Uint8Array): Promise<Uint8Array> {
  return hmac(secret, "passkey challenge", `${purpose}\n${session ?? ""}\n${base64url.encode(content)}`);
}
