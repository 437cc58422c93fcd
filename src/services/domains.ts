import { and, desc, eq, lt, type SQL, sql } from "drizzle-orm";
import { v7 as uuidv7 } from "uuid";
import { toBytea } from "../crypto.ts";
import type { TenantDatabase } from "../db/index.ts";
import { isoInstant } from "../db/json.ts";
import { organizationDomains } from "../db/schema.ts";
import type { Settings } from "../env.ts";
import { AppError } from "../errors.ts";
import { canonicalDomain } from "./domain-names.ts";
import { challengeNameOf, newTxtRecord, requireTxtRecord, type TxtRecord } from "./domain-records.ts";
import { type Page, type PageInput, readCursor, toPage } from "./paging.ts";
import { workerKeys } from "./worker-keys.ts";

/** What becomes of those with a verified address of the domain: nothing, they may join, or they do when it is verified. */
export const enrollments = ["none", "suggest", "auto_join"] as const;

type Enrollment = (typeof enrollments)[number];

export interface Domain {
  id: string;
  domain: string;
  /** The DNS record that proves whose the domain is. */
  txtRecord: TxtRecord;
  verifiedAt: string | null;
  enrollment: Enrollment;
  /** Of those who join by it; in alphabetical order. */
  roles: string[];
  /** Who set the enrollment last, and answers for its roles. */
  enrollmentSetBy: string | null;
  createdAt: string;
  updatedAt: string;
}

const domainJson = sql`json_build_object('id', d.id, 'domain', d.domain,
  'txtRecord', json_build_object('name', ${challengeNameOf("")}::text || d.domain, 'value', d.txt_record),
  'verifiedAt', ${isoInstant(sql`d.verified_at`)}, 'enrollment', d.enrollment, 'roles', d.roles, 'enrollmentSetBy', d.enrollment_set_by,
  'createdAt', ${isoInstant(sql`d.created_at`)}, 'updatedAt', ${isoInstant(sql`d.updated_at`)})`;

const fields = {
  id: organizationDomains.id,
  domain: organizationDomains.domain,
  txtRecord: organizationDomains.txtRecord,
  verifiedAt: organizationDomains.verifiedAt,
  enrollment: sql<Enrollment>`${organizationDomains.enrollment}`,
  roles: organizationDomains.roles,
  enrollmentSetBy: organizationDomains.enrollmentSetBy,
  createdAt: organizationDomains.createdAt,
  updatedAt: organizationDomains.updatedAt,
};

interface Row extends Omit<Domain, "txtRecord"> {
  txtRecord: string;
}

const toDomain = ({ txtRecord, ...row }: Row): Domain => ({
  ...row,
  txtRecord: { name: challengeNameOf(row.domain), value: txtRecord },
});

const one = (database: TenantDatabase, domainId: string) =>
  and(eq(organizationDomains.organizationId, database.organizationId), eq(organizationDomains.id, domainId));

/**
 * Adds a domain, of which nobody joins before it is verified.
 *
 * @throws AppError `invalid_request` for none of a company's own; `domain_taken` when the organization has it; `domain_limit`.
 */
export async function createDomain(database: TenantDatabase, domain: string): Promise<Domain> {
  const canonical = canonicalDomain(domain);
  return database.create<Domain>(
    sql`select ${domainJson} as body from app.create_domain(${uuidv7()}::uuid, ${canonical}, ${newTxtRecord()}) d`,
  );
}

/** The organization's, newest first. */
export async function listDomains(database: TenantDatabase, { limit, cursor }: PageInput): Promise<Page<Domain>> {
  const before = readCursor(cursor);
  const ours = eq(organizationDomains.organizationId, database.organizationId);
  const [rows] = await database.run((queries) => {
    // The page first, from an index alone: Postgres would else read and sort all of an organization's.
    const page = queries
      .select({ id: organizationDomains.id })
      .from(organizationDomains)
      .where(and(ours, before ? lt(organizationDomains.id, before) : undefined))
      .orderBy(desc(organizationDomains.id))
      .limit(limit + 1);
    const isOnPage = sql`${organizationDomains.id} = any (array(${page}))`;
    return [
      queries.select(fields).from(organizationDomains).where(and(ours, isOnPage)).orderBy(desc(organizationDomains.id)),
    ];
  });
  const { data, nextCursor } = toPage(rows, limit, ({ id }) => id);
  return { data: data.map(toDomain), nextCursor };
}

/** @throws AppError `not_found`. */
export async function readDomain(database: TenantDatabase, domainId: string): Promise<Domain> {
  const [[row]] = await database.run((queries) => [
    queries.select(fields).from(organizationDomains).where(one(database, domainId)),
  ]);
  if (!row) throw new AppError("not_found");
  return toDomain(row);
}

/** Runs a statement that changes it, and reads it in the same request. */
async function changeDomain(database: TenantDatabase, domainId: string, change: SQL): Promise<Domain> {
  const [, [row]] = await database.run((queries) => [
    queries.execute(change),
    queries.select(fields).from(organizationDomains).where(one(database, domainId)),
  ]);
  if (!row) throw new AppError("not_found");
  return toDomain(row);
}

/**
 * The caller answers for its roles from now on.
 *
 * @throws AppError `not_found`; `role_above_own`, `unknown_role`, `owner_role_refused`.
 */
export async function updateDomain(
  database: TenantDatabase,
  domainId: string,
  {
    enrollment = null,
    roles = null,
  }: { enrollment?: Enrollment | null | undefined; roles?: string[] | null | undefined },
): Promise<Domain> {
  const change = sql`select app.update_domain(${domainId}::uuid, ${enrollment}::text, ${sql.param(roles)}::text[])`;
  return changeDomain(database, domainId, change);
}

/** Who has joined by it stays a member. @throws AppError `not_found`. */
export async function deleteDomain(database: TenantDatabase, domainId: string): Promise<void> {
  const [result] = await database.run((queries) => [
    queries.delete(organizationDomains).where(one(database, domainId)),
  ]);
  if (result.rowCount === 0) throw new AppError("not_found");
}

/**
 * Looks for its TXT record. Asks the database twice, since the DNS is asked in between; of one that is verified already
 * nothing is asked, and it stays verified when the record goes.
 *
 * @throws AppError `domain_unverified` without the record; `domain_taken` when another organization has verified it;
 *   `not_found`; `unavailable`.
 */
export async function verifyOwnDomain(database: TenantDatabase, settings: Settings, domainId: string): Promise<Domain> {
  const known = await readDomain(database, domainId);
  if (known.verifiedAt) return known;
  await requireTxtRecord(settings, known.txtRecord);
  const keys = toBytea(await workerKeys(settings));
  return changeDomain(
    database,
    domainId,
    sql`select app.verify_organization_domain(${keys}::bytea, ${domainId}::uuid)`,
  );
}
