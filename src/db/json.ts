import { type SQL, sql } from "drizzle-orm";

/** A timestamptz as the API writes it: ISO 8601 UTC with milliseconds. */
export function isoInstant(value: SQL): SQL<string> {
  return sql`to_char(${value} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;
}
