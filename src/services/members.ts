import { sql } from "drizzle-orm";
import type { TenantDatabase } from "../db/index.ts";
import { isoInstant } from "../db/json.ts";
import type { Role } from "../permissions.ts";
import { type Page, type PageInput, readCursor, toPage } from "./paging.ts";

export interface Member {
  userId: string;
  email: string;
  name: string;
  role: Role;
  joinedAt: string;
}

/**
 * The organization's members. The page is taken first, under the fence; names and addresses, which
 * belong to people and not to the organization, are then asked for by key.
 */
export async function listMembers(database: TenantDatabase, { limit, cursor }: PageInput): Promise<Page<Member>> {
  const after = readCursor(cursor);
  const [result] = await database.run((queries) => [
    queries.execute<{ body: Member }>(sql`
      with page as materialized (
        select user_id, role, created_at from memberships
         where organization_id = ${database.organizationId}::uuid and user_id > coalesce(${after}::uuid, '00000000-0000-0000-0000-000000000000')
         order by user_id limit ${limit + 1}::int
      )
      select json_build_object('userId', page.user_id, 'email', profile.email, 'name', profile.name,
               'role', page.role, 'joinedAt', ${isoInstant(sql`page.created_at`)}) as body
        from page join app.member_profiles((select array_agg(user_id) from page)) profile using (user_id)
       order by page.user_id`),
  ]);
  const rows = result.rows.map((row) => row.body);
  return toPage(rows, limit, (member) => member.userId);
}
