import { and, asc, eq, gt, sql } from "drizzle-orm";
import { v7 as uuidv7 } from "uuid";
import type { TenantDatabase } from "../db/index.ts";
import { isoInstant } from "../db/json.ts";
import { teamMemberships, teams } from "../db/schema.ts";
import { AppError } from "../errors.ts";
import { type Page, type PageInput, readCursor, toPage } from "./paging.ts";

/** A group of an organization's members. */
export interface Team {
  id: string;
  name: string;
  createdAt: string;
  updatedAt: string;
}

const fields = { id: teams.id, name: teams.name, createdAt: teams.createdAt, updatedAt: teams.updatedAt };

export const isTeam = ({ organizationId }: TenantDatabase, teamId: string) =>
  and(eq(teams.organizationId, organizationId), eq(teams.id, teamId));

/**
 * Makes a team, in which nobody is.
 *
 * @throws AppError `team_name_taken`, in whatever case; `team_limit` for the 1,001st; `entitlement_required` for more than
 *   the plan has.
 */
export async function createTeam(database: TenantDatabase, name: string): Promise<Team> {
  return database.create<Team>(
    sql`select json_build_object('id', t.id, 'name', t.name, 'createdAt', ${isoInstant(sql`t.created_at`)},
          'updatedAt', ${isoInstant(sql`t.updated_at`)}) as body from app.create_team(${uuidv7()}::uuid, ${name}) t`,
  );
}

/** Oldest first; of one member where `userId` is given, who without `members:read` is the caller. */
export async function listTeams(
  database: TenantDatabase,
  { limit, cursor, userId }: PageInput & { userId?: string | undefined },
): Promise<Page<Team>> {
  const after = readCursor(cursor);
  const ours = eq(teams.organizationId, database.organizationId);
  const [rows] = await database.run((queries) => {
    // The page first, from an index alone.
    const { id, organizationId } = userId ? { ...teamMemberships, id: teamMemberships.teamId } : teams;
    const page = queries
      .select({ id })
      .from(userId ? teamMemberships : teams)
      .where(
        and(
          eq(organizationId, database.organizationId),
          userId ? eq(teamMemberships.userId, userId) : undefined,
          after ? gt(id, after) : undefined,
        ),
      )
      .orderBy(asc(id))
      .limit(limit + 1);
    const isOnPage = sql`${teams.id} = any (array(${page}))`;
    return [queries.select(fields).from(teams).where(and(ours, isOnPage)).orderBy(asc(teams.id))];
  });
  return toPage(rows, limit, ({ id }) => id);
}

/** @throws AppError `not_found`. */
export async function readTeam(database: TenantDatabase, teamId: string): Promise<Team> {
  const [[team]] = await database.run((queries) => [
    queries.select(fields).from(teams).where(isTeam(database, teamId)),
  ]);
  if (!team) throw new AppError("not_found");
  return team;
}

/** @throws AppError `not_found`; `team_name_taken`. */
export async function updateTeam(database: TenantDatabase, teamId: string, name: string): Promise<Team> {
  const [[team]] = await database.run((queries) => [
    queries.update(teams).set({ name }).where(isTeam(database, teamId)).returning(fields),
  ]);
  if (!team) throw new AppError("not_found");
  return team;
}

/** Who was in it stays a member of the organization. @throws AppError `not_found`. */
export async function deleteTeam(database: TenantDatabase, teamId: string): Promise<void> {
  const [result] = await database.run((queries) => [queries.delete(teams).where(isTeam(database, teamId))]);
  if (result.rowCount === 0) throw new AppError("not_found");
}
