import { sql } from "drizzle-orm";
import { randomBytes } from "../crypto.ts";
import type { PersonDatabase } from "../db/index.ts";
import { hashToken } from "./outbox.ts";

const COUNT = 10;

/** Base32 (RFC 4648 §6): no two of its characters are easily taken for each other. */
const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/** Codes that are shown once, and what the database is sent instead of them. */
export interface RecoveryCodes {
  /** Four groups of four characters: 80 random bits each, more than anybody guesses, whatever the limits are. */
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
  const characters = Array.from(randomBytes(16), (byte) => alphabet.charAt(byte % 32));
  return characters.join("").replaceAll(/.{4}(?=.)/g, "$&-");
}

/** What the database is sent instead of the code (bytea), however it is typed. */
export function hashRecoveryCode(code: string): Promise<string> {
  return hashToken(new TextEncoder().encode(code.replaceAll(/[\s-]/g, "").toUpperCase()));
}

/**
 * Replaces the person's recovery codes.
 *
 * @returns the new ones, which nobody sees again.
 * @throws AppError `second_factor_missing` for whoever has nothing that they could stand in for.
 */
export async function replaceRecoveryCodes(database: PersonDatabase): Promise<string[]> {
  const { codes, keys } = await newRecoveryCodes();
  await database.run((queries) => [
    queries.execute(sql`select app.replace_recovery_codes(${sql.param(keys)}::bytea[])`),
  ]);
  return codes;
}
