import { sql } from "drizzle-orm";
import type { SystemDatabase } from "../db/index.ts";

/** Removes expired idempotency keys and sessions that ended 30 days ago; returns the number of rows. */
export async function purgeExpired(database: SystemDatabase): Promise<number> {
  const [result] = await database.run((queries) => [
    queries.execute<{ rows: string }>(sql`select app.purge_expired() as rows`),
  ]);
  return Number(result.rows[0]?.rows ?? 0);
}
