import { and, eq, sql } from "drizzle-orm";
import { v7 as uuidv7 } from "uuid";
import type { PersonDatabase, TenantDatabase } from "../db/index.ts";
import { isoInstant } from "../db/json.ts";
import { membershipRoles, organizations } from "../db/schema.ts";
import { AppError } from "../errors.ts";
import { type Page, type PageInput, readCursor, toPage } from "./paging.ts";

export interface Organization {
  id: string;
  name: string;
  slug: string;
  /** Whether members reach it only in sessions with a second factor. */
  mfaRequired: boolean;
  /** The caller's own, in alphabetical order. */
  roles: string[];
  createdAt: string;
  updatedAt: string;
}

/** Of a row `o` with the caller's roles in it. */
export const organizationJson = sql`json_build_object('id', o.id, 'name', o.name, 'slug', o.slug, 'mfaRequired', o.mfa_required, 'roles', o.roles,
  'createdAt', ${isoInstant(sql`o.created_at`)}, 'updatedAt', ${isoInstant(sql`o.updated_at`)})`;

/**
 * Creates an organization with the caller as its owner. Without a slug one is made from the name,
 * with a random ending when that is taken.
 *
 * @throws AppError `slug_taken` for a slug that was asked for.
 */
export async function createOrganization(
  database: PersonDatabase,
  input: { name: string; slug?: string | undefined },
): Promise<Organization> {
  const slugs = input.slug ? [input.slug] : proposeSlugs(input.name);
  return database.create<Organization>(
    sql`select ${organizationJson} as body from app.create_organization(${uuidv7()}::uuid, ${input.name}, ${sql.param(slugs)}::text[]) o`,
  );
}

function proposeSlugs(name: string): string[] {
  const words = name
    .normalize("NFKD")
    .replace(/\p{M}/gu, "")
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-");
  const slug = words.slice(0, 50).replace(/^-+|-+$/g, "");
  const ending = crypto.randomUUID().slice(0, 8);
  return slug.length >= 2 ? [slug, `${slug}-${ending}`] : [`organization-${ending}`];
}

/** The organizations the caller is a member of, oldest first. */
export async function listOrganizations(
  database: PersonDatabase,
  { limit, cursor }: PageInput,
): Promise<Page<Organization>> {
  const [result] = await database.run((queries) => [
    queries.execute<{ body: Organization }>(
      sql`select ${organizationJson} as body from app.my_organizations(${readCursor(cursor)}::uuid, ${limit + 1}::int) o`,
    ),
  ]);
  const rows = result.rows.map((row) => row.body);
  return toPage(rows, limit, (organization) => organization.id);
}

/**
 * The organization with this slug, or that had it in the last 90 days and has another now.
 *
 * @throws AppError `not_found` unless the person is a member of it.
 */
export async function findOrganization(database: PersonDatabase, slug: string): Promise<Organization> {
  const [result] = await database.run((queries) => [
    queries.execute<{ body: Organization }>(
      sql`select ${organizationJson} as body from app.my_organization_with_slug(${slug}) o`,
    ),
  ]);
  const organization = result.rows[0]?.body;
  if (!organization) throw new AppError("not_found");
  return organization;
}

const organizationFields = {
  id: organizations.id,
  name: organizations.name,
  slug: organizations.slug,
  mfaRequired: organizations.mfaRequired,
  createdAt: organizations.createdAt,
  updatedAt: organizations.updatedAt,
};

/** None with a key of the organization's own. */
const myRoles = sql<string[]>`(select coalesce(json_agg(role order by role), '[]') from ${membershipRoles} where ${and(
  eq(membershipRoles.organizationId, sql`organizations.id`),
  eq(membershipRoles.userId, sql`(select app.member_id())`),
)})`;

export async function readOrganization(database: TenantDatabase): Promise<Organization> {
  const [[organization]] = await database.run((queries) => [
    queries
      .select({ ...organizationFields, roles: myRoles })
      .from(organizations)
      .where(eq(organizations.id, database.organizationId)),
  ]);
  if (!organization) throw new AppError("not_found");
  return organization;
}

/** @throws AppError `slug_taken`; `mfa_enrollment_required` for `mfaRequired` from a session without a second factor. */
export async function updateOrganization(
  database: TenantDatabase,
  input: { name?: string | undefined; slug?: string | undefined; mfaRequired?: boolean | undefined },
): Promise<Organization> {
  const [[organization]] = await database.run((queries) => [
    queries
      .update(organizations)
      .set(input)
      .where(eq(organizations.id, database.organizationId))
      .returning({ ...organizationFields, roles: myRoles }),
  ]);
  if (!organization) throw new AppError("not_found");
  return organization;
}

/** Deletes the organization, which can be restored for 30 days: see deleted-organizations.ts. */
export async function deleteOrganization(database: TenantDatabase): Promise<void> {
  await database.run((queries) => [queries.execute(sql`select app.delete_organization()`)]);
}
