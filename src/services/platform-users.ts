import { type SQL, sql } from "drizzle-orm";
import type { PlatformDatabase } from "../db/index.ts";
import { isoInstant } from "../db/json.ts";
import { AppError } from "../errors.ts";
import { type Page, type PageInput, readTermCursor, toTermPage } from "./paging.ts";

/** An account, as the platform's administrators see it. */
export interface PlatformUser {
  id: string;
  email: string;
  emailVerified: boolean;
  name: string;
  createdAt: string;
  /** Null where it is not. */
  suspendedAt: string | null;
  /** Null of one that was suspended in the database itself. */
  suspensionReason: string | null;
}

export type WholePlatformUser = PlatformUser & {
  /** The first 100, newest first. */
  organizations: { id: string; slug: string; name: string; roles: string[] }[];
};

/** Of what `column` begins with, in the platform's lists. */
export interface PlatformFilter {
  startingWith: string;
  /** Whether the suspended ones alone are asked for. */
  suspended: boolean;
}

/** `column` of a list's rows, as a cursor holds it. */
export const termOf = (column: SQL): SQL<string> => sql`encode(convert_to(${column}, 'UTF8'), 'hex')`;

/** The arguments of a list's function. @throws AppError `invalid_request` for a cursor of another list. */
export function listArguments({ startingWith, suspended, limit, cursor }: PageInput & PlatformFilter): SQL {
  const { term } = readTermCursor(cursor);
  // With the collation of the columns: convert_from answers with that of its encoding's name, which no index has.
  const after = sql`convert_from(decode(${term}, 'hex'), 'UTF8') collate "default"`;
  return sql`${startingWith}, ${suspended}::boolean, ${after}, ${limit + 1}::int`;
}

/** Of `app_private.platform_user`, under the alias `u`. */
const userJson = sql`json_build_object('id', u.id, 'email', u.email, 'emailVerified', u.email_verified, 'name', u.name,
  'createdAt', ${isoInstant(sql`u.created_at`)}, 'suspendedAt', ${isoInstant(sql`u.suspended_at`)},
  'suspensionReason', u.suspension_reason)`;

const readOne = (userId: string) => sql`select ${userJson} as body from app.platform_user(${userId}::uuid) u`;

/** All accounts in the order of their addresses. */
export async function listPlatformUsers(
  database: PlatformDatabase,
  input: PageInput & PlatformFilter,
): Promise<Page<PlatformUser>> {
  const [result] = await database.run((queries) => [
    queries.execute<{ term: string; body: PlatformUser }>(
      sql`select ${termOf(sql`u.email`)} as term, ${userJson} as body from app.platform_users(${listArguments(input)}) u`,
    ),
  ]);
  const { data, nextCursor } = toTermPage(result.rows, input.limit, ({ term, body }) => ({ term, id: body.id }));
  return { data: data.map(({ body }) => body), nextCursor };
}

/** @throws AppError `not_found`. */
export async function readPlatformUser(database: PlatformDatabase, userId: string): Promise<WholePlatformUser> {
  const [user, organizations] = await database.run((queries) => [
    queries.execute<{ body: PlatformUser }>(readOne(userId)),
    queries.execute<WholePlatformUser["organizations"][number] & Record<string, unknown>>(
      sql`select o.id, o.slug, o.name, o.roles from app.platform_user_organizations(${userId}::uuid) o`,
    ),
  ]);
  return { ...bodyOf(user), organizations: organizations.rows };
}

/**
 * Ends the person's sessions, and lets none begin. One that is suspended stays so as it is.
 *
 * @throws AppError `not_found`; `platform_admin` for an administrator.
 */
export async function suspendUser(database: PlatformDatabase, userId: string, reason: string): Promise<PlatformUser> {
  const [, user] = await database.run((queries) => [
    queries.execute(sql`select app.suspend_user(${userId}::uuid, ${reason})`),
    queries.execute<{ body: PlatformUser }>(readOne(userId)),
  ]);
  return bodyOf(user);
}

/** Takes it back. @throws AppError `not_found`. */
export async function unsuspendUser(database: PlatformDatabase, userId: string): Promise<PlatformUser> {
  const [, user] = await database.run((queries) => [
    queries.execute(sql`select app.unsuspend_user(${userId}::uuid)`),
    queries.execute<{ body: PlatformUser }>(readOne(userId)),
  ]);
  return bodyOf(user);
}

/** Of the one row of an answer. */
export function bodyOf<T>({ rows: [row] }: { rows: { body: T }[] }): T {
  if (!row) throw new AppError("not_found");
  return row.body;
}
