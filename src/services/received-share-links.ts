import { sql } from "drizzle-orm";
import { base64url } from "jose";
import type { PersonDatabase, SystemDatabase } from "../db/index.ts";
import { isoInstant } from "../db/json.ts";
import { AppError } from "../errors.ts";
import { type Organization, organizationJson } from "./organizations.ts";
import { hashToken } from "./outbox.ts";

/** What whoever has the link is told before they join. */
export interface ShareLinkPreview {
  organizationName: string;
  roles: string[];
  allowedDomains: string[];
  expiresAt: string;
}

/** What the database is sent instead of a link's token. */
const keyOf = (token: string): Promise<string> => hashToken(base64url.decode(token));

/** @throws AppError `not_found` for one that is unknown, revoked, used up or expired, or whose maker may not invite any more. */
export async function findShareLink(database: SystemDatabase, token: string): Promise<ShareLinkPreview> {
  const key = await keyOf(token);
  const [result] = await database.run((queries) => [
    queries.execute<{ body: ShareLinkPreview }>(
      sql`select json_build_object('organizationName', l.organization_name, 'roles', l.roles, 'allowedDomains', l.allowed_domains,
            'expiresAt', ${isoInstant(sql`l.expires_at`)}) as body from app.find_share_link(${key}::bytea) l`,
    ),
  ]);
  const link = result.rows[0]?.body;
  if (!link) throw new AppError("not_found");
  return link;
}

/**
 * Makes the signed-in person a member, and counts that.
 *
 * @throws AppError `email_unverified`; `not_found` as above; `email_domain_not_allowed`; `already_member`; `member_limit`.
 */
export async function acceptShareLink(database: PersonDatabase, token: string): Promise<Organization> {
  const key = await keyOf(token);
  return database.create<Organization>(
    sql`select ${organizationJson} as body from app.accept_share_link(${key}::bytea) o`,
  );
}
