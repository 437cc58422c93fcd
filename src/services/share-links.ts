import { and, asc, eq, gt, sql } from "drizzle-orm";
import { base64url } from "jose";
import { v7 as uuidv7 } from "uuid";
import { randomBytes } from "../crypto.ts";
import type { TenantDatabase } from "../db/index.ts";
import { isoInstant } from "../db/json.ts";
import { shareLinks } from "../db/schema.ts";
import { hashToken } from "./outbox.ts";
import { type Page, type PageInput, readCursor, toPage } from "./paging.ts";

export interface ShareLink {
  id: string;
  /** In alphabetical order. */
  roles: string[];
  /** Of whose e-mail addresses it is, in lower case; of all where there are none. */
  allowedDomains: string[];
  maxUses: number;
  uses: number;
  /** Who answers for its roles; null when their account is gone. */
  createdBy: string | null;
  createdAt: string;
  expiresAt: string;
}

export interface ShareLinkInput {
  roles: string[];
  allowedDomains: string[];
  maxUses: number;
  expiresInDays: number;
}

/**
 * Makes a link by which people join, with a token of 256 random bits that is told here alone.
 *
 * @throws AppError `role_above_own`; `unknown_role`; `owner_role_refused`; `share_link_limit`.
 */
export async function createShareLink(
  database: TenantDatabase,
  { roles, allowedDomains, maxUses, expiresInDays }: ShareLinkInput,
): Promise<ShareLink & { token: string }> {
  const token = randomBytes(32);
  const link = sql`${uuidv7()}::uuid, ${sql.param(roles)}::text[], ${sql.param(allowedDomains)}::text[], ${maxUses}::int, ${expiresInDays}::int, ${await hashToken(token)}::bytea`;
  const created = await database.create<ShareLink>(
    sql`select json_build_object('id', l.id, 'roles', l.roles, 'allowedDomains', l.allowed_domains, 'maxUses', l.max_uses,
          'uses', l.uses, 'createdBy', l.created_by, 'createdAt', ${isoInstant(sql`l.created_at`)},
          'expiresAt', ${isoInstant(sql`l.expires_at`)}) as body
        from app.create_share_link(${link}) l`,
  );
  return { ...created, token: base64url.encode(token) };
}

const fields = {
  id: shareLinks.id,
  roles: shareLinks.roles,
  allowedDomains: shareLinks.allowedDomains,
  maxUses: shareLinks.maxUses,
  uses: shareLinks.uses,
  createdBy: shareLinks.createdBy,
  createdAt: shareLinks.createdAt,
  expiresAt: shareLinks.expiresAt,
};

/** Oldest first. Those that are used up are there until 30 days after they would have expired. */
export async function listShareLinks(database: TenantDatabase, { limit, cursor }: PageInput): Promise<Page<ShareLink>> {
  const after = readCursor(cursor);
  const ours = eq(shareLinks.organizationId, database.organizationId);
  const [rows] = await database.run((queries) => {
    // The page first, from its index alone: see listInvitations.
    const page = queries
      .select({ id: shareLinks.id })
      .from(shareLinks)
      .where(and(ours, after ? gt(shareLinks.id, after) : undefined))
      .orderBy(asc(shareLinks.id))
      .limit(limit + 1);
    const isOnPage = sql`${shareLinks.id} = any (array(${page}))`;
    return [queries.select(fields).from(shareLinks).where(and(ours, isOnPage)).orderBy(asc(shareLinks.id))];
  });
  return toPage(rows, limit, ({ id }) => id);
}

/** @throws AppError `not_found`; `role_above_own`. */
export async function revokeShareLink(database: TenantDatabase, shareLinkId: string): Promise<void> {
  await database.run((queries) => [queries.execute(sql`select app.revoke_share_link(${shareLinkId}::uuid)`)]);
}
