import { sql } from "drizzle-orm";
import { v7 as uuidv7 } from "uuid";
import type { PlatformDatabase } from "../db/index.ts";
import { isoInstant } from "../db/json.ts";
import type { Settings } from "../env.ts";
import { type Page, type PageInput, readCursor, toPage } from "./paging.ts";
import { hashHandle, issueAccessToken, newHandle } from "./tokens.ts";

/** A session in which an administrator acts, or acted, as somebody else. */
export interface Impersonation {
  id: string;
  userId: string;
  impersonatorId: string;
  reason: string;
  createdAt: string;
  expiresAt: string;
  /** When it was ended before that; null where it was not. */
  endedAt: string | null;
}

export interface StartedImpersonation {
  id: string;
  userId: string;
  accessToken: string;
  tokenType: "Bearer";
  /** Seconds until the access token expires, and the session with it. */
  expiresIn: number;
  expiresAt: string;
}

/** Newest first, until 30 days after their end. */
export async function listImpersonations(
  database: PlatformDatabase,
  { limit, cursor }: PageInput,
): Promise<Page<Impersonation>> {
  const [result] = await database.run((queries) => [
    queries.execute<{ body: Impersonation }>(
      sql`select json_build_object('id', i.id, 'userId', i.user_id, 'impersonatorId', i.impersonator_id, 'reason', i.reason,
                 'createdAt', ${isoInstant(sql`i.created_at`)}, 'expiresAt', ${isoInstant(sql`i.expires_at`)},
                 'endedAt', ${isoInstant(sql`i.revoked_at`)}) as body
            from app.platform_impersonations(${readCursor(cursor)}::uuid, ${limit + 1}::int) i`,
    ),
  ]);
  const rows = result.rows.map(({ body }) => body);
  return toPage(rows, limit, ({ id }) => id);
}

/**
 * Begins a session of somebody, for the administrator: with one access token, which says so, and none to refresh it.
 *
 * @param input `minutes`: 1 to 60.
 * @throws AppError `not_found`; `platform_admin` for an administrator; `user_suspended`.
 */
export async function impersonate(
  database: PlatformDatabase,
  settings: Settings,
  { userId, reason, minutes }: { userId: string; reason: string; minutes: number },
): Promise<StartedImpersonation> {
  const id = uuidv7();
  const handle = newHandle();
  const handleHash = await hashHandle(handle);
  const expiresIn = minutes * 60;
  const [result] = await database.run((queries) => [
    queries.execute<{ expires_at: string }>(
      sql`select ${isoInstant(
        sql`app.impersonate(${userId}::uuid, ${id}::uuid, ${handleHash}::bytea, ${reason}, make_interval(secs => ${expiresIn}::int))`,
      )} as expires_at`,
    ),
  ]);
  const accessToken = await issueAccessToken(settings, { userId, handle, impersonatorId: database.adminId }, expiresIn);
  return { id, userId, accessToken, tokenType: "Bearer", expiresIn, expiresAt: result.rows[0]?.expires_at ?? "" };
}

/** Its next request is refused. One that has ended stays so. @throws AppError `not_found`. */
export async function endImpersonation(database: PlatformDatabase, id: string): Promise<void> {
  await database.run((queries) => [queries.execute(sql`select app.end_impersonation(${id}::uuid)`)]);
}
