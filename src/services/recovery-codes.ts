import { sql } from "drizzle-orm";
import { randomBytes } from "../crypto.ts";
import type { PersonDatabase } from "../db/index.ts";
import { hashToken } from "./outbox.ts";

const COUNT = 10;

/** Base32 (RFC 4648 §6): no two of its characters are easily taken for each other. */
const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/** 16 characters of 5 bits each in groups of four; more than anybody guesses, whatever the limits are. */
function newRecoveryCode(): string {
  const characters = Array.from(randomBytes(16), (byte) => alphabet.charAt(byte % 32));
  return (characters.join("").match(/.{4}/g) ?? []).join("-");
}

export const newRecoveryCodes = (): string[] => Array.from({ length: COUNT }, newRecoveryCode);

/** What the database is sent instead of the code (bytea), however the code is written. */
export function hashRecoveryCode(code: string): Promise<string> {
  return hashToken(new TextEncoder().encode(code.replaceAll("-", "").toUpperCase()));
}

/**
 * Replaces the person's recovery codes.
 *
 * @returns the new ones, which nobody sees again.
 * @throws AppError `second_factor_missing` for whoever has nothing that they could stand in for.
 */
export async function replaceRecoveryCodes(database: PersonDatabase): Promise<string[]> {
  const codes = newRecoveryCodes();
  const keys = await Promise.all(codes.map(hashRecoveryCode));
  await database.run((queries) => [
    queries.execute(sql`select app.replace_recovery_codes(${sql.param(keys)}::bytea[])`),
  ]);
  return codes;
}
