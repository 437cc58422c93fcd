import { and, desc, eq, gt, isNull, lt, ne, sql } from "drizzle-orm";
import type { PersonDatabase } from "../db/index.ts";
import { sessions } from "../db/schema.ts";
import { AppError } from "../errors.ts";
import { type Page, type PageInput, readCursor, toPage } from "./paging.ts";

export interface Session {
  id: string;
  /** Whether the request was made in this session. */
  current: boolean;
  ipAddress: string | null;
  userAgent: string | null;
  createdAt: string;
  /** When its tokens were last refreshed. */
  lastUsedAt: string;
  /** When it ends unless its tokens are refreshed. */
  idleExpiresAt: string;
  expiresAt: string;
  /** The administrator of the platform who acts as the person in it; null in one of their own. */
  impersonatorId: string | null;
}

const thisSession = sql`(select app.session_id())`;
const isCurrent = sql<boolean>`${sessions.id} = ${thisSession}`;
const mine = eq(sessions.userId, sql`(select app.user_id())`);
const alive = and(
  isNull(sessions.revokedAt),
  gt(sessions.expiresAt, sql`now()`),
  gt(sessions.idleExpiresAt, sql`now()`),
);
const revoked = { revokedAt: sql`now()` };

/** The signed-in person's live sessions, newest first. */
export async function listSessions(database: PersonDatabase, { limit, cursor }: PageInput): Promise<Page<Session>> {
  const before = readCursor(cursor);
  const [rows] = await database.run((queries) => [
    queries
      .select({
        id: sessions.id,
        current: isCurrent,
        ipAddress: sessions.ipAddress,
        userAgent: sessions.userAgent,
        createdAt: sessions.createdAt,
        lastUsedAt: sessions.refreshedAt,
        idleExpiresAt: sessions.idleExpiresAt,
        expiresAt: sessions.expiresAt,
        impersonatorId: sessions.impersonatorId,
      })
      .from(sessions)
      .where(and(mine, alive, before ? lt(sessions.id, before) : undefined))
      .orderBy(desc(sessions.id))
      .limit(limit + 1),
  ]);
  return toPage(rows, limit, (session) => session.id);
}

/**
 * @returns whether the request was made in it.
 * @throws AppError `not_found` for a session that is not a live one of the caller's.
 */
export async function revokeSession(database: PersonDatabase, sessionId: string): Promise<{ isCurrent: boolean }> {
  const [[ended]] = await database.run((queries) => [
    queries
      .update(sessions)
      .set(revoked)
      .where(and(mine, alive, eq(sessions.id, sessionId)))
      .returning({ isCurrent }),
  ]);
  if (!ended) throw new AppError("not_found");
  return ended;
}

/** Ends the session of the request. */
export async function signOut(database: PersonDatabase): Promise<void> {
  await database.run((queries) => [
    queries
      .update(sessions)
      .set(revoked)
      .where(and(mine, isNull(sessions.revokedAt), eq(sessions.id, thisSession))),
  ]);
}

/** Ends the caller's sessions: all of them, or all but the one of the request. */
export async function revokeSessions(database: PersonDatabase, scope: "others" | "all"): Promise<void> {
  const which = scope === "others" ? ne(sessions.id, thisSession) : undefined;
  await database.run((queries) => [
    queries
      .update(sessions)
      .set(revoked)
      .where(and(mine, isNull(sessions.revokedAt), which)),
  ]);
}
