import { sql } from "drizzle-orm";
import type { SystemDatabase } from "../db/index.ts";

/** Each takes up to 5,000 rows of a table, so an hour keeps up with 250,000. */
const MAX_PASSES = 50;

/** Removes what has expired: see app.purge_expired. Returns the number of rows. */
export async function purgeExpired(database: SystemDatabase): Promise<number> {
  let total = 0;
  for (let pass = 0; pass < MAX_PASSES; pass++) {
    const [result] = await database.run((queries) => [
      queries.execute<{ rows: string }>(sql`select app.purge_expired() as rows`),
    ]);
    const rows = Number(result.rows[0]?.rows ?? 0);
    total += rows;
    if (rows === 0) break;
  }
  return total;
}
