import { sql } from "drizzle-orm";
import type { TenantDatabase } from "../db/index.ts";
import { isoInstant } from "../db/json.ts";
import { AppError } from "../errors.ts";
import { type Page, type PageInput, readCursor, toPage } from "./paging.ts";

/** By what way somebody became a member. */
export const joiningWays = ["creation", "sso", "invitation", "share_link", "domain"] as const;

export interface Member {
  userId: string;
  email: string;
  name: string;
  /** In alphabetical order; their permissions are joined. */
  roles: string[];
  joinedBy: (typeof joiningWays)[number];
  /** Whose invitation or share link it was; null for none, and where their account is gone. */
  invitedBy: string | null;
  joinedAt: string;
}

/**
 * Members of the organization, `page` of them, by their ids. The page is taken first, under the fence; roles, and
 * names and addresses, which belong to people and not to the organization, are then asked for by key.
 */
const membersOf = ({ organizationId }: TenantDatabase, page: ReturnType<typeof sql>) => sql`
  with page as materialized (
    select user_id, joined_by, invited_by, created_at from memberships where organization_id = ${organizationId}::uuid and ${page}
  ), ids as materialized (select array_agg(user_id) as ids from page)
  select json_build_object('userId', page.user_id, 'email', profile.email, 'name', profile.name, 'roles', held.roles,
           'joinedBy', page.joined_by, 'invitedBy', page.invited_by, 'joinedAt', ${isoInstant(sql`page.created_at`)}) as body
    from page join app.member_profiles((select ids from ids)) profile using (user_id)
         join (select user_id, json_agg(role order by role) as roles from membership_roles
                where organization_id = ${organizationId}::uuid and user_id = any ((select ids from ids)::uuid[])
                group by user_id) held using (user_id)
   order by page.user_id`;

export async function listMembers(database: TenantDatabase, { limit, cursor }: PageInput): Promise<Page<Member>> {
  const after = readCursor(cursor);
  const page = sql`user_id > coalesce(${after}::uuid, '00000000-0000-0000-0000-000000000000')
    order by user_id limit ${limit + 1}::int`;
  const [result] = await database.run((queries) => [queries.execute<{ body: Member }>(membersOf(database, page))]);
  const rows = result.rows.map((row) => row.body);
  return toPage(rows, limit, (member) => member.userId);
}

const isMember = (userId: string) => sql`user_id = ${userId}::uuid`;

/** @throws AppError `not_found` for nobody's id, and for that of somebody who is no member. */
export async function readMember(database: TenantDatabase, userId: string): Promise<Member> {
  const [result] = await database.run((queries) => [
    queries.execute<{ body: Member }>(membersOf(database, isMember(userId))),
  ]);
  const member = result.rows[0]?.body;
  if (!member) throw new AppError("not_found");
  return member;
}

/**
 * Gives a member these roles in place of those before.
 *
 * @param roles One at least.
 * @throws AppError `not_found`; `unknown_role`; `role_above_own` where the roles of before or these may do more than the caller;
 *   `last_owner` where nobody else owns the organization.
 */
export async function setMemberRoles(database: TenantDatabase, userId: string, roles: string[]): Promise<Member> {
  const [, result] = await database.run((queries) => [
    queries.execute(sql`select app.set_member_roles(${userId}::uuid, ${sql.param(roles)}::text[])`),
    queries.execute<{ body: Member }>(membersOf(database, isMember(userId))),
  ]);
  const member = result.rows[0]?.body;
  if (!member) throw new AppError("not_found");
  return member;
}

/** @throws AppError `not_found`, `role_above_own`, `last_owner` as above. */
export async function removeMember(database: TenantDatabase, userId: string): Promise<void> {
  await database.run((queries) => [queries.execute(sql`select app.remove_member(${userId}::uuid)`)]);
}

/** The caller is a member no more. @throws AppError `last_owner`. */
export async function leaveOrganization(database: TenantDatabase): Promise<void> {
  await database.run((queries) => [queries.execute(sql`select app.leave_organization()`)]);
}
