import { sql } from "drizzle-orm";
import type { PersonDatabase } from "../db/index.ts";
import { isoInstant } from "../db/json.ts";
import { AppError } from "../errors.ts";
import { type Organization, organizationJson } from "./organizations.ts";
import { type Page, type PageInput, readCursor, toPage } from "./paging.ts";

export interface DeletedOrganization {
  id: string;
  name: string;
  slug: string;
  deletedAt: string;
  /** 30 days later. */
  restorableUntil: string;
}

/** The deleted organizations that the person can restore, those that were created first first. */
export async function listDeletedOrganizations(
  database: PersonDatabase,
  { limit, cursor }: PageInput,
): Promise<Page<DeletedOrganization>> {
  const [result] = await database.run((queries) => [
    queries.execute<{ body: DeletedOrganization }>(
      sql`select json_build_object('id', o.id, 'name', o.name, 'slug', o.slug, 'deletedAt', ${isoInstant(sql`o.deleted_at`)},
                 'restorableUntil', ${isoInstant(sql`o.restorable_until`)}) as body
            from app.my_deleted_organizations(${readCursor(cursor)}::uuid, ${limit + 1}::int) o`,
    ),
  ]);
  const rows = result.rows.map(({ body }) => body);
  return toPage(rows, limit, ({ id }) => id);
}

/**
 * Takes the deletion back; an organization that is not deleted stays as it is.
 *
 * @throws AppError `not_found` unless the person may delete it; `mfa_enrollment_required`.
 */
export async function restoreOrganization(database: PersonDatabase, id: string): Promise<Organization> {
  const [result] = await database.run((queries) => [
    queries.execute<{ body: Organization }>(
      sql`select ${organizationJson} as body from app.restore_organization(${id}::uuid) o`,
    ),
  ]);
  const organization = result.rows[0]?.body;
  if (!organization) throw new AppError("not_found");
  return organization;
}
