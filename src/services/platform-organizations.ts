import { sql } from "drizzle-orm";
import type { PlatformDatabase } from "../db/index.ts";
import { isoInstant } from "../db/json.ts";
import { type Page, type PageInput, toTermPage } from "./paging.ts";
import { bodyOf, listArguments, type PlatformFilter, termOf } from "./platform-users.ts";

/** An organization, as the platform's administrators see it. */
export interface PlatformOrganization {
  id: string;
  slug: string;
  name: string;
  createdAt: string;
  /** Null of one that is not; it is purged 30 days later. */
  deletedAt: string | null;
  /** Null where it is not. */
  suspendedAt: string | null;
  /** Null of one that was suspended in the database itself. */
  suspensionReason: string | null;
}

export type WholePlatformOrganization = PlatformOrganization & {
  /** The first 100, by their ids. */
  owners: { id: string; email: string; name: string }[];
};

/** Of `app_private.platform_organization`, under the alias `o`. */
const organizationJson = sql`json_build_object('id', o.id, 'slug', o.slug, 'name', o.name,
  'createdAt', ${isoInstant(sql`o.created_at`)}, 'deletedAt', ${isoInstant(sql`o.deleted_at`)},
  'suspendedAt', ${isoInstant(sql`o.suspended_at`)}, 'suspensionReason', o.suspension_reason)`;

const readOne = (id: string) => sql`select ${organizationJson} as body from app.platform_organization(${id}::uuid) o`;

/** All organizations in the order of their slugs, deleted ones too until they are purged. */
export async function listPlatformOrganizations(
  database: PlatformDatabase,
  input: PageInput & PlatformFilter,
): Promise<Page<PlatformOrganization>> {
  const [result] = await database.run((queries) => [
    queries.execute<{ term: string; body: PlatformOrganization }>(
      sql`select ${termOf(sql`o.slug`)} as term, ${organizationJson} as body
            from app.platform_organizations(${listArguments(input)}) o`,
    ),
  ]);
  const { data, nextCursor } = toTermPage(result.rows, input.limit, ({ term, body }) => ({ term, id: body.id }));
  return { data: data.map(({ body }) => body), nextCursor };
}

/** @throws AppError `not_found`. */
export async function readPlatformOrganization(
  database: PlatformDatabase,
  id: string,
): Promise<WholePlatformOrganization> {
  const [organization, owners] = await database.run((queries) => [
    queries.execute<{ body: PlatformOrganization }>(readOne(id)),
    queries.execute<WholePlatformOrganization["owners"][number] & Record<string, unknown>>(
      sql`select u.id, u.email, u.name from app.platform_organization_owners(${id}::uuid) u`,
    ),
  ]);
  return { ...bodyOf(organization), owners: owners.rows };
}

/** Lets nobody in. One that is suspended stays so as it is. @throws AppError `not_found`. */
export async function suspendOrganization(
  database: PlatformDatabase,
  id: string,
  reason: string,
): Promise<PlatformOrganization> {
  const [, organization] = await database.run((queries) => [
    queries.execute(sql`select app.suspend_organization(${id}::uuid, ${reason})`),
    queries.execute<{ body: PlatformOrganization }>(readOne(id)),
  ]);
  return bodyOf(organization);
}

/** Takes it back. @throws AppError `not_found`. */
export async function unsuspendOrganization(database: PlatformDatabase, id: string): Promise<PlatformOrganization> {
  const [, organization] = await database.run((queries) => [
    queries.execute(sql`select app.unsuspend_organization(${id}::uuid)`),
    queries.execute<{ body: PlatformOrganization }>(readOne(id)),
  ]);
  return bodyOf(organization);
}
