import { randomBytes, sha256, toBytea } from "../crypto.ts";

const COUNT = 10;

/** RFC 4648 §6. */
const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/** Codes that are shown once, and what the database is sent instead of them. */
export interface RecoveryCodes {
  /** `XXXX-XXXX-XXXX-XXXX`: 80 random bits each. */
  codes: string[];
  /** bytea, in the order of the codes. */
  keys: string[];
}

export async function newRecoveryCodes(): Promise<RecoveryCodes> {
  const codes = Array.from({ length: COUNT }, newRecoveryCode);
  return { codes, keys: await Promise.all(codes.map(hashRecoveryCode)) };
}

function newRecoveryCode(): string {
  // Of each byte five bits count, which is all that a character says.
  const characters = Array.from(randomBytes(16), (byte) => alphabet[byte & 31]);
  return characters.join("").replaceAll(/.{4}(?=.)/g, "$&-");
}

/** However it is typed: hyphens and spaces are left out, and small letters are as good. */
export async function hashRecoveryCode(code: string): Promise<string> {
  return toBytea(await sha256(new TextEncoder().encode(code.replaceAll(/[\s-]/g, "").toUpperCase())));
}
