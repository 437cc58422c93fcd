import { type SQL, sql } from "drizzle-orm";
import type { TenantDatabase } from "../db/index.ts";
import { isoInstant } from "../db/json.ts";
import { AppError } from "../errors.ts";
import { type Page, type PageInput, readCursor, readTermCursor, toTermPage } from "./paging.ts";

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

const membership = sql`user_id, joined_by, invited_by, created_at`;

/**
 * The members in `page`. That is taken first, under the fence; roles, and names and addresses, which belong to people
 * and not to the organization, are then asked for by key.
 *
 * @param page Selects `membership`, and the `term` by which each was found.
 */
const membersIn = ({ organizationId }: TenantDatabase, page: SQL) => sql`
  with page as materialized (${page}), ids as materialized (select array_agg(user_id) as ids from page)
  select encode(page.term, 'hex') as term,
         json_build_object('userId', page.user_id, 'email', profile.email, 'name', profile.name, 'roles', held.roles,
           'joinedBy', page.joined_by, 'invitedBy', page.invited_by, 'joinedAt', ${isoInstant(sql`page.created_at`)}) as body
    from page join app.member_profiles((select ids from ids)) profile using (user_id)
         join (select user_id, json_agg(role order by role) as roles from membership_roles
                where organization_id = ${organizationId}::uuid and user_id = any ((select ids from ids)::uuid[])
                group by user_id) held using (user_id)
   order by page.term, page.user_id`;

/** Members whom the condition names, by their ids. */
const membersOf = (database: TenantDatabase, condition: SQL) =>
  membersIn(
    database,
    sql`select ${membership}, ''::bytea as term from memberships
         where organization_id = ${database.organizationId}::uuid and ${condition}`,
  );

function membersAfter(database: TenantDatabase, { limit, cursor }: PageInput): SQL {
  const after = readCursor(cursor) ?? "00000000-0000-0000-0000-000000000000";
  return membersOf(database, sql`user_id > ${after}::uuid order by user_id limit ${limit + 1}::int`);
}

function membersFoundAfter(database: TenantDatabase, search: string, { limit, cursor }: PageInput): SQL {
  const { term, id } = readTermCursor(cursor);
  return membersIn(
    database,
    sql`select ${membership}, term
          from app.search_members(${search}, decode(${term}, 'hex'), ${id}::uuid, ${limit + 1}::int) join memberships using (user_id)
         where organization_id = ${database.organizationId}::uuid`,
  );
}

/**
 * A page of the members by their ids, or of those whom `search` finds, by what it finds them by: the start of their
 * address, of a word of their name, or with an @ of the address's domain; without regard to case and accents.
 *
 * @throws AppError `invalid_request` for a cursor of another list.
 */
export async function listMembers(
  database: TenantDatabase,
  { search, ...page }: PageInput & { search?: string | undefined },
): Promise<Page<Member>> {
  const members = search === undefined ? membersAfter(database, page) : membersFoundAfter(database, search, page);
  const [result] = await database.run((queries) => [queries.execute<{ term: string; body: Member }>(members)]);
  const { data, nextCursor } = toTermPage(result.rows, page.limit, ({ term, body }) => ({ term, id: body.userId }));
  return { data: data.map((row) => row.body), nextCursor };
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
