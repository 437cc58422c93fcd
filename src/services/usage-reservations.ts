import { sql } from "drizzle-orm";
import { v7 as uuidv7 } from "uuid";
import type { TenantDatabase } from "../db/index.ts";
import { bodyOf } from "../db/json.ts";
import type { Usage } from "./usage.ts";

/** Room that is kept for what is about to be used. */
export interface UsageReservation {
  id: string;
  meter: string;
  /** A decimal number. */
  value: string;
  createdAt: string;
  /** When the room is anybody's again. */
  expiresAt: string;
  /** How much of the meter was used and is reserved, with this. */
  usage: Usage;
}

/**
 * Keeps room for so much of a meter that sums, where the limit has it: nobody else uses that until it is committed, released, or
 * expires.
 *
 * @param value a decimal number above 0.
 * @param seconds until it expires.
 * @throws AppError `not_found`; `entitlement_required`; `value_refused`; `quota_exceeded`; `reservation_limit`.
 */
export const reserveUsage = (
  database: TenantDatabase,
  meter: string,
  { value, expiresInSeconds: seconds }: { value: string; expiresInSeconds: number },
): Promise<UsageReservation> =>
  database.create(
    sql`select app.reserve_usage(${uuidv7()}::uuid, ${meter}, ${value}, ${seconds} * interval '1 second') as body`,
  );

/**
 * Records what was used of it, and gives back the rest. Again it does nothing, and answers the same.
 *
 * @param value no more than is reserved; all of it, where it is missing.
 * @returns how much of the meter was used then.
 * @throws AppError `not_found`; `reservation_expired`; `value_refused`.
 */
export async function commitUsage(
  database: TenantDatabase,
  meter: string,
  id: string,
  value: string | null,
): Promise<Usage> {
  const [answer] = await database.run((queries) => [
    queries.execute<{ body: Usage }>(sql`select app.commit_usage(${id}::uuid, ${meter}, ${value}) as body`),
  ]);
  return bodyOf(answer);
}

/** Gives all of it back. @throws AppError `not_found`. */
export async function releaseUsage(database: TenantDatabase, meter: string, id: string): Promise<void> {
  await database.run((queries) => [queries.execute(sql`select app.release_usage(${id}::uuid, ${meter})`)]);
}
