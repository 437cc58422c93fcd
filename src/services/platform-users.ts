import { sql } from "drizzle-orm";
import type { PlatformDatabase } from "../db/index.ts";
import { bodyOf } from "../db/json.ts";
import type { Page, PageInput } from "./paging.ts";
import {
  changePlatform,
  listPlatform,
  type PlatformFilter,
  type PlatformKind,
  readOne,
  type Suspendable,
} from "./platform.ts";

/** An account, as the platform's administrators see it. */
export interface PlatformUser extends Suspendable {
  email: string;
  emailVerified: boolean;
}

export type WholePlatformUser = PlatformUser & {
  /** The first 100, newest first. */
  organizations: { id: string; slug: string; name: string; roles: string[] }[];
};

const users: PlatformKind = {
  list: sql`app.platform_users`,
  one: sql`app.platform_user`,
  term: sql`it.email`,
  members: sql`'email', it.email, 'emailVerified', it.email_verified`,
};

/** All accounts in the order of their addresses. */
export const listPlatformUsers = (
  database: PlatformDatabase,
  input: PageInput & PlatformFilter,
): Promise<Page<PlatformUser>> => listPlatform(database, users, input);

/** @throws AppError `not_found`. */
export async function readPlatformUser(database: PlatformDatabase, userId: string): Promise<WholePlatformUser> {
  const [user, organizations] = await database.run((queries) => [
    queries.execute<{ body: PlatformUser }>(readOne(users, userId)),
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
export const suspendUser = (database: PlatformDatabase, userId: string, reason: string): Promise<PlatformUser> =>
  changePlatform(database, users, userId, sql`select app.suspend_user(${userId}::uuid, ${reason})`);

/** Takes it back. @throws AppError `not_found`. */
export const unsuspendUser = (database: PlatformDatabase, userId: string): Promise<PlatformUser> =>
  changePlatform(database, users, userId, sql`select app.unsuspend_user(${userId}::uuid)`);
