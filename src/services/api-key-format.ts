import { randomBytes, sha256, toBytea } from "../crypto.ts";
import type { Settings } from "../env.ts";
import { AppError } from "../errors.ts";

/** What all of our keys begin with, so that scanners of secrets can tell whose they are. */
const PREFIX = "sbl";

const ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/** Digits of 32 bytes in base 62, and of the checksum. */
const RANDOM_LENGTH = 43;
const CHECKSUM_LENGTH = 6;

const environments: Record<Settings["ENVIRONMENT"], string> = { production: "live", test: "test", development: "dev" };

const shape = new RegExp(`^${PREFIX}_([a-z]+)_([0-9A-Za-z]{${RANDOM_LENGTH}})_([0-9A-Za-z]{${CHECKSUM_LENGTH}})$`);

function toBase62(value: bigint, length: number): string {
  let digits = "";
  for (let rest = value; digits.length < length; rest /= 62n) digits = ALPHABET[Number(rest % 62n)] + digits;
  return digits;
}

/** CRC-32 (ISO 3309, as zlib has it) of ASCII text. */
function crc32(text: string): number {
  let crc = ~0;
  for (const character of text) {
    crc ^= character.charCodeAt(0);
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}

const checksumOf = (text: string) => toBase62(BigInt(crc32(text)), CHECKSUM_LENGTH);

export interface NewApiKey {
  /** `sbl_live_…`: 256 random bits in base 62, and a checksum of all before it. */
  key: string;
  /** Its end, which is kept to tell it by. */
  hint: string;
  /** What the database is sent instead. */
  hash: string;
}

/** A key for this environment alone: `live`, `test` or `dev`. */
export async function newApiKey({ ENVIRONMENT }: Settings): Promise<NewApiKey> {
  const random = randomBytes(32).reduce((value, byte) => value * 256n + BigInt(byte), 0n);
  const text = `${PREFIX}_${environments[ENVIRONMENT]}_${toBase62(random, RANDOM_LENGTH)}`;
  const key = `${text}_${checksumOf(text)}`;
  return { key, hint: key.slice(-4), hash: await hash(key) };
}

/** Whether a bearer token says that it is one, which nobody has looked at yet. */
export const isApiKey = (token: string): boolean => token.startsWith(`${PREFIX}_`);

/** @throws AppError `unauthenticated` for what is mistyped, or of another environment: no database is asked for those. */
export async function hashApiKey({ ENVIRONMENT }: Settings, token: string): Promise<string> {
  const [, environment, random, checksum] = shape.exec(token) ?? [];
  if (environment !== environments[ENVIRONMENT] || checksum !== checksumOf(`${PREFIX}_${environment}_${random}`)) {
    throw new AppError("unauthenticated");
  }
  return hash(token);
}

const hash = async (key: string) => toBytea(await sha256(new TextEncoder().encode(key)));
