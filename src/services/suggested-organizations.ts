import { sql } from "drizzle-orm";
import type { PersonDatabase } from "../db/index.ts";
import { type Organization, organizationJson } from "./organizations.ts";

export interface SuggestedOrganization {
  id: string;
  name: string;
  /** That of the person's address. */
  domain: string;
  /** What they would have. */
  roles: string[];
}

/** What the signed-in person may join by their verified address: of one domain, one at most. @throws AppError `email_unverified`. */
export async function listSuggestedOrganizations(database: PersonDatabase): Promise<{ data: SuggestedOrganization[] }> {
  const [result] = await database.run((queries) => [
    queries.execute<{ body: SuggestedOrganization }>(
      sql`select json_build_object('id', s.id, 'name', s.name, 'domain', s.domain, 'roles', s.roles) as body
            from app.my_suggested_organizations() s`,
    ),
  ]);
  return { data: result.rows.map(({ body }) => body) };
}

/** @throws AppError `email_unverified`; `not_found`; `already_member`; `member_limit`. */
export async function joinSuggestedOrganization(database: PersonDatabase, id: string): Promise<Organization> {
  return database.create<Organization>(
    sql`select ${organizationJson} as body from app.join_suggested_organization(${id}::uuid) o`,
  );
}
