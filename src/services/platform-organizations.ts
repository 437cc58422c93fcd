import { sql } from "drizzle-orm";
import type { PlatformDatabase } from "../db/index.ts";
import { bodyOf, isoInstant } from "../db/json.ts";
import type { Page, PageInput } from "./paging.ts";
import {
  changePlatform,
  listPlatform,
  type PlatformFilter,
  type PlatformKind,
  readOne,
  type Suspendable,
} from "./platform.ts";

/** An organization, as the platform's administrators see it. */
export interface PlatformOrganization extends Suspendable {
  slug: string;
  /** Null of one that is not; it is purged 30 days later. */
  deletedAt: string | null;
}

export type WholePlatformOrganization = PlatformOrganization & {
  /** The first 100, by their ids. */
  owners: { id: string; email: string; name: string }[];
};

const organizations: PlatformKind = {
  list: sql`app.platform_organizations`,
  one: sql`app.platform_organization`,
  term: sql`it.slug`,
  members: sql`'slug', it.slug, 'deletedAt', ${isoInstant(sql`it.deleted_at`)}`,
};

/** All organizations in the order of their slugs, deleted ones too until they are purged. */
export const listPlatformOrganizations = (
  database: PlatformDatabase,
  input: PageInput & PlatformFilter,
): Promise<Page<PlatformOrganization>> => listPlatform(database, organizations, input);

/** @throws AppError `not_found`. */
export async function readPlatformOrganization(
  database: PlatformDatabase,
  id: string,
): Promise<WholePlatformOrganization> {
  const [organization, owners] = await database.run((queries) => [
    queries.execute<{ body: PlatformOrganization }>(readOne(organizations, id)),
    queries.execute<WholePlatformOrganization["owners"][number] & Record<string, unknown>>(
      sql`select u.id, u.email, u.name from app.platform_organization_owners(${id}::uuid) u`,
    ),
  ]);
  return { ...bodyOf(organization), owners: owners.rows };
}

/** Lets nobody in. One that is suspended stays so as it is. @throws AppError `not_found`. */
export const suspendOrganization = (
  database: PlatformDatabase,
  id: string,
  reason: string,
): Promise<PlatformOrganization> =>
  changePlatform(database, organizations, id, sql`select app.suspend_organization(${id}::uuid, ${reason})`);

/** Takes it back. @throws AppError `not_found`. */
export const unsuspendOrganization = (database: PlatformDatabase, id: string): Promise<PlatformOrganization> =>
  changePlatform(database, organizations, id, sql`select app.unsuspend_organization(${id}::uuid)`);
