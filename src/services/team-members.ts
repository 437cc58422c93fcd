import { type SQL, sql } from "drizzle-orm";
import type { TenantDatabase } from "../db/index.ts";
import { isoInstant } from "../db/json.ts";
import { teams } from "../db/schema.ts";
import { AppError } from "../errors.ts";
import { type Page, type PageInput, readCursor, toPage } from "./paging.ts";
import { isTeam } from "./teams.ts";

/** A `lead` says who else is in the team. */
export const teamRoles = ["lead", "member"] as const;

export interface TeamMember {
  userId: string;
  email: string;
  name: string;
  /** In the team. */
  role: (typeof teamRoles)[number];
  addedAt: string;
}

/** Those of the team whom the condition names. Names and addresses, which belong to people, are asked for by key. */
const membersIn = ({ organizationId }: TenantDatabase, teamId: string, condition: SQL) => sql`
  with page as materialized (
    select user_id, role, created_at from team_memberships
     where organization_id = ${organizationId}::uuid and team_id = ${teamId}::uuid and ${condition}
  ), ids as materialized (select array_agg(user_id) as ids from page)
  select json_build_object('userId', page.user_id, 'email', profile.email, 'name', profile.name, 'role', page.role,
           'addedAt', ${isoInstant(sql`page.created_at`)}) as body
    from page join app.member_profiles((select ids from ids)) profile using (user_id)
   order by page.user_id`;

/** By their ids. @throws AppError `not_found` for no team of the organization. */
export async function listTeamMembers(
  database: TenantDatabase,
  teamId: string,
  { limit, cursor }: PageInput,
): Promise<Page<TeamMember>> {
  const after = readCursor(cursor) ?? "00000000-0000-0000-0000-000000000000";
  const page = membersIn(database, teamId, sql`user_id > ${after}::uuid order by user_id limit ${limit + 1}::int`);
  const [[team], result] = await database.run((queries) => [
    queries.select({ id: teams.id }).from(teams).where(isTeam(database, teamId)),
    queries.execute<{ body: TeamMember }>(page),
  ]);
  if (!team) throw new AppError("not_found");
  return toPage(
    result.rows.map(({ body }) => body),
    limit,
    ({ userId }) => userId,
  );
}

/**
 * Lets a member of the organization into a team, or gives them another role in it.
 *
 * @throws AppError `not_found` for no team or no member of the organization; `forbidden` unless the caller has `teams:write`
 *   or leads the team.
 */
export async function setTeamMember(
  database: TenantDatabase,
  teamId: string,
  userId: string,
  role: TeamMember["role"],
): Promise<TeamMember> {
  const [, result] = await database.run((queries) => [
    queries.execute(sql`select app.set_team_member(${teamId}::uuid, ${userId}::uuid, ${role}::text)`),
    queries.execute<{ body: TeamMember }>(membersIn(database, teamId, sql`user_id = ${userId}::uuid`)),
  ]);
  const member = result.rows[0]?.body;
  if (!member) throw new AppError("not_found");
  return member;
}

/** @throws AppError `not_found` for whoever is not in the team; `forbidden` as above, but for the caller's own id. */
export async function removeTeamMember(database: TenantDatabase, teamId: string, userId: string): Promise<void> {
  await database.run((queries) => [
    queries.execute(sql`select app.remove_team_member(${teamId}::uuid, ${userId}::uuid)`),
  ]);
}
