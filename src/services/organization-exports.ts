import { sql } from "drizzle-orm";
import type { TenantDatabase } from "../db/index.ts";
import { bodyOf } from "../db/json.ts";
import { challengeNameOf } from "./domain-records.ts";

/**
 * All that is kept of the organization, without secrets, as JSON text: 16 MiB at most, which nobody parses on the way.
 *
 * @throws AppError `export_too_large`.
 */
export async function exportOrganization(database: TenantDatabase): Promise<string> {
  const [result] = await database.run((queries) => [
    queries.execute<{ body: string }>(sql`select app.export_organization(${challengeNameOf("")}) as body`),
  ]);
  return bodyOf(result);
}
