import { and, desc, eq, gte, lt, type SQL, sql } from "drizzle-orm";
import type { Database, PersonDatabase, QueryBuilder, TenantDatabase } from "../db/index.ts";
import { auditEvents, userAuditEvents } from "../db/schema.ts";
import { type Page, type PageInput, readCursor, toPage } from "./paging.ts";

export const actorTypes = ["user", "api_key", "platform_admin", "anonymous", "system"] as const;

export interface AuditEvent {
  id: string;
  action: string;
  /**
   * `anonymous`: somebody without a session, such as by a mailed token; `system`: nobody who asked for it.
   * `impersonatorId`: the administrator of the platform who acted as the actor.
   */
  actor: { type: (typeof actorTypes)[number]; id: string | null; impersonatorId: string | null };
  subject: { type: string; id: string };
  /** What was changed, as it was; null of what was made. */
  before: Record<string, unknown> | null;
  /** The same as it is since; null of what was deleted. */
  after: Record<string, unknown> | null;
  requestId: string | null;
  ipAddress: string | null;
  createdAt: string;
}

/** All that are given must be met. */
export interface AuditFilter {
  action?: string | undefined;
  actorId?: string | undefined;
  subjectId?: string | undefined;
  /** ISO 8601; an event of this very millisecond is one of them. */
  from?: string | undefined;
  /** ISO 8601; an event of this very millisecond is none of them. */
  to?: string | undefined;
}

/** Of each of the lines of an export. */
export const EXPORT_LIMIT = 1000;

type Trail = typeof auditEvents;
type EventRow = ReturnType<typeof selectEvents>["_"]["result"][number];

const ofOrganization = ({ organizationId }: TenantDatabase): SQL => eq(auditEvents.organizationId, organizationId);

/** The organization's, newest first. */
export async function listAuditEvents(
  database: TenantDatabase,
  { limit, cursor, ...filter }: PageInput & AuditFilter,
): Promise<Page<AuditEvent>> {
  const rows = await readEvents(database, auditEvents, ofOrganization(database), filter, readCursor(cursor), limit + 1);
  return toPage(rows, limit, ({ id }) => id);
}

/** The signed-in person's own, newest first. */
export async function listMyAuditEvents(
  database: PersonDatabase,
  { limit, cursor, ...filter }: PageInput & AuditFilter,
): Promise<Page<AuditEvent>> {
  const mine = eq(userAuditEvents.userId, sql`(select app.user_id())`);
  // The two tables have these columns alike.
  const trail = userAuditEvents as unknown as Trail;
  const rows = await readEvents(database, trail, mine, filter, readCursor(cursor), limit + 1);
  return toPage(rows, limit, ({ id }) => id);
}

/** The organization's as JSON Lines, newest first, after the event with this id. */
export async function exportAuditEvents(
  database: TenantDatabase,
  { limit, startingAfter, ...filter }: AuditFilter & { limit: number; startingAfter?: string | undefined },
): Promise<string> {
  const rows = await readEvents(database, auditEvents, ofOrganization(database), filter, startingAfter ?? null, limit);
  return rows.map((row) => `${JSON.stringify(row)}\n`).join("");
}

async function readEvents(
  database: Database,
  trail: Trail,
  ours: SQL,
  { action, actorId, subjectId, from, to }: AuditFilter,
  before: string | null,
  limit: number,
): Promise<AuditEvent[]> {
  const asked = and(
    ours,
    action === undefined ? undefined : eq(trail.action, action),
    actorId === undefined ? undefined : eq(trail.actorId, actorId),
    subjectId === undefined ? undefined : eq(trail.subjectId, subjectId),
    from === undefined ? undefined : gte(trail.id, firstIdOf(from)),
    to === undefined ? undefined : lt(trail.id, firstIdOf(to)),
    before === null ? undefined : lt(trail.id, before),
  );
  const [rows] = await database.run((queries) => [selectEvents(queries, trail, ours, asked, limit)]);
  return rows.map(toEvent);
}

function selectEvents(queries: QueryBuilder, trail: Trail, ours: SQL, asked: SQL | undefined, limit: number) {
  // The page first, from an index alone: see listInvitations.
  const page = queries.select({ id: trail.id }).from(trail).where(asked).orderBy(desc(trail.id)).limit(limit);
  return queries
    .select({
      id: trail.id,
      action: trail.action,
      actorType: trail.actorType,
      actorId: trail.actorId,
      impersonatorId: trail.impersonatorId,
      subjectType: trail.subjectType,
      subjectId: trail.subjectId,
      before: trail.before,
      after: trail.after,
      requestId: trail.requestId,
      ipAddress: trail.ipAddress,
    })
    .from(trail)
    .where(and(ours, sql`${trail.id} = any (array(${page}))`))
    .orderBy(desc(trail.id));
}

const toEvent = ({ actorType, actorId, impersonatorId, subjectType, subjectId, ...row }: EventRow): AuditEvent => ({
  id: row.id,
  action: row.action,
  // The database knows no other type of actor, and writes objects.
  actor: { type: actorType as AuditEvent["actor"]["type"], id: actorId, impersonatorId },
  subject: { type: subjectType, id: subjectId },
  before: row.before as AuditEvent["before"],
  after: row.after as AuditEvent["after"],
  requestId: row.requestId,
  ipAddress: row.ipAddress,
  createdAt: timeOf(row.id),
});

/** A UUIDv7 begins with its time, in milliseconds (RFC 9562 §5.7). */
const timeOf = (id: string): string => new Date(Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16)).toISOString();

/** The least that an event of this time could have. */
function firstIdOf(instant: string): string {
  const milliseconds = Math.max(0, Date.parse(instant)).toString(16).padStart(12, "0");
  return `${milliseconds.slice(0, 8)}-${milliseconds.slice(8)}-7000-8000-000000000000`;
}
