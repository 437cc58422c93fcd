import { type SQL, sql } from "drizzle-orm";
import { AppError } from "../errors.ts";

/** A timestamptz as the API writes it: ISO 8601 UTC with milliseconds. */
export function isoInstant(value: SQL): SQL<string> {
  return sql`to_char(${value} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;
}

/** The `body` of an answer's one row. @throws AppError `not_found` where there is none. */
export function bodyOf<T>({ rows: [row] }: { rows: { body: T }[] }): T {
  if (!row) throw new AppError("not_found");
  return row.body;
}
