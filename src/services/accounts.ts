import { desc, eq, sql } from "drizzle-orm";
import type { PersonDatabase } from "../db/index.ts";
import { isoInstant } from "../db/json.ts";
import { identities, passkeys, recoveryCodes, sessions, totpFactors, users } from "../db/schema.ts";
import type { Settings } from "../env.ts";
import { AppError } from "../errors.ts";
import type { ApiKey } from "./api-keys.ts";
import type { Invitation } from "./invitations.ts";
import type { Member } from "./members.ts";
import { type Identity, identityFields } from "./identities.ts";
import { newNotice } from "./outbox.ts";
import type { OwnershipTransfer } from "./ownership-transfers.ts";
import { type Passkey, passkeyFields } from "./passkeys.ts";
import type { ShareLink } from "./share-links.ts";
import type { TeamMember } from "./team-members.ts";
import { isMe, type User, userFields } from "./users.ts";

/** Of each list in an export, the newest: an answer of the database has a limit too. */
export const EXPORT_LIMIT = 10_000;

export interface AccountExport {
  exportedAt: string;
  account: User;
  /** Those that have ended too, while they are kept. */
  sessions: {
    id: string;
    ipAddress: string | null;
    userAgent: string | null;
    createdAt: string;
    authenticatedAt: string;
    secondFactor: "given" | "pending" | null;
    lastUsedAt: string;
    idleExpiresAt: string;
    expiresAt: string;
    revokedAt: string | null;
    /** The administrator of the platform who acted as the person, and why; null in a session of their own. */
    impersonatorId: string | null;
    impersonationReason: string | null;
  }[];
  identities: Identity[];
  passkeys: Passkey[];
  authenticatorApps: { id: string; createdAt: string; activatedAt: string | null }[];
  /** Those that are left; of a code itself nothing is kept. */
  recoveryCodes: { createdAt: string }[];
  memberships: {
    organizationId: string;
    name: string;
    slug: string;
    roles: string[];
    joinedBy: Member["joinedBy"];
    since: string;
  }[];
  teams: { organizationId: string; teamId: string; name: string; role: TeamMember["role"]; since: string }[];
  /** With the status that is stored: `pending` too after their time is over. */
  sentInvitations: (Omit<Invitation, "invitedBy"> & { organizationId: string })[];
  shareLinks: (Omit<ShareLink, "createdBy"> & { organizationId: string })[];
  /** Those that the person made, also for the organization. */
  apiKeys: (Omit<ApiKey, "createdBy" | "userId"> & { organizationId: string; isOrganizations: boolean })[];
  /** Offers that the person made, or that were made to them. */
  ownershipTransfers: (OwnershipTransfer & { organizationId: string })[];
  oneTimeTokens: { purpose: string; email: string | null; createdAt: string; expiresAt: string }[];
  /** Mails that are still to be sent, or that could not be. */
  messages: {
    template: string;
    recipient: string | null;
    data: Record<string, string | null>;
    attempts: number;
    createdAt: string;
  }[];
}

/**
 * Deletes the signed-in person's account, whatever is theirs, and the organizations in which they are alone.
 * Their address is told of it, where a mail provider is set up.
 *
 * @throws AppError `sole_owner`, with the organizations that would have members and no owner.
 */
export async function deleteAccount(database: PersonDatabase, settings: Settings): Promise<void> {
  const { id, key } = await newNotice(settings, database);
  await database.run((queries) => [queries.execute(sql`select app.delete_account(${id}::uuid, ${key}::bytea)`)]);
}

/** Everything that is kept of the signed-in person, without secrets: the newest 10,000 of each kind. */
export async function exportAccount(database: PersonDatabase): Promise<AccountExport> {
  const [
    [found],
    mySessions,
    myIdentities,
    myPasskeys,
    apps,
    codes,
    memberships,
    teamMemberships,
    sent,
    links,
    keys,
    transfers,
    oneTimeTokens,
    messages,
  ] = await database.run((queries) => [
    queries
      .select({ ...userFields, exportedAt: isoInstant(sql`now()`) })
      .from(users)
      .where(isMe),
    queries
      .select({
        id: sessions.id,
        ipAddress: sessions.ipAddress,
        userAgent: sessions.userAgent,
        createdAt: sessions.createdAt,
        authenticatedAt: sessions.authenticatedAt,
        secondFactor: sql<"given" | "pending" | null>`${sessions.secondFactor}`,
        lastUsedAt: sessions.refreshedAt,
        idleExpiresAt: sessions.idleExpiresAt,
        expiresAt: sessions.expiresAt,
        revokedAt: sessions.revokedAt,
        impersonatorId: sessions.impersonatorId,
        impersonationReason: sessions.impersonationReason,
      })
      .from(sessions)
      .where(eq(sessions.userId, sql`(select app.user_id())`))
      .orderBy(desc(sessions.id))
      .limit(EXPORT_LIMIT),
    queries
      .select(identityFields)
      .from(identities)
      .where(eq(identities.userId, sql`(select app.user_id())`))
      .orderBy(desc(identities.id))
      .limit(EXPORT_LIMIT),
    queries
      .select(passkeyFields)
      .from(passkeys)
      .where(eq(passkeys.userId, sql`(select app.user_id())`))
      .orderBy(desc(passkeys.id))
      .limit(EXPORT_LIMIT),
    queries
      .select({ id: totpFactors.id, createdAt: totpFactors.createdAt, activatedAt: totpFactors.activatedAt })
      .from(totpFactors)
      .where(eq(totpFactors.userId, sql`(select app.user_id())`)),
    queries
      .select({ createdAt: recoveryCodes.createdAt })
      .from(recoveryCodes)
      .where(eq(recoveryCodes.userId, sql`(select app.user_id())`)),
    queries.execute<{ body: AccountExport["memberships"][number] }>(
      sql`select json_build_object('organizationId', m.organization_id, 'name', m.name, 'slug', m.slug, 'roles', m.roles, 'joinedBy', m.joined_by,
            'since', ${isoInstant(sql`m.created_at`)}) as body from app.my_memberships(${EXPORT_LIMIT}::int) m`,
    ),
    queries.execute<{ body: AccountExport["teams"][number] }>(
      sql`select json_build_object('organizationId', m.organization_id, 'teamId', m.team_id, 'name', m.name, 'role', m.role,
            'since', ${isoInstant(sql`m.created_at`)}) as body from app.my_team_memberships(${EXPORT_LIMIT}::int) m`,
    ),
    queries.execute<{ body: AccountExport["sentInvitations"][number] }>(
      sql`select json_build_object('id', i.id, 'organizationId', i.organization_id, 'email', i.email, 'roles', i.roles, 'teamIds', i.team_ids,
            'status', i.status, 'createdAt', ${isoInstant(sql`i.created_at`)}, 'sentAt', ${isoInstant(sql`i.sent_at`)}, 'expiresAt', ${isoInstant(sql`i.expires_at`)},
            'endedAt', ${isoInstant(sql`i.ended_at`)}) as body from app.my_sent_invitations(${EXPORT_LIMIT}::int) i`,
    ),
    queries.execute<{ body: AccountExport["shareLinks"][number] }>(
      sql`select json_build_object('id', l.id, 'organizationId', l.organization_id, 'roles', l.roles, 'allowedDomains', l.allowed_domains,
            'maxUses', l.max_uses, 'uses', l.uses, 'createdAt', ${isoInstant(sql`l.created_at`)}, 'expiresAt', ${isoInstant(sql`l.expires_at`)})
            as body from app.my_share_links(${EXPORT_LIMIT}::int) l`,
    ),
    queries.execute<{ body: AccountExport["apiKeys"][number] }>(
      sql`select json_build_object('id', k.id, 'organizationId', k.organization_id, 'isOrganizations', k.is_organizations, 'name', k.name,
            'scopes', k.scopes, 'hint', k.hint, 'rateLimitPerMinute', k.rate_limit, 'createdAt', ${isoInstant(sql`k.created_at`)},
            'updatedAt', ${isoInstant(sql`k.updated_at`)}, 'rotatedAt', ${isoInstant(sql`k.rotated_at`)},
            'previousExpiresAt', ${isoInstant(sql`k.previous_expires_at`)}, 'expiresAt', ${isoInstant(sql`k.expires_at`)},
            'lastUsedAt', ${isoInstant(sql`k.last_used_at`)}) as body from app.my_api_keys(${EXPORT_LIMIT}::int) k`,
    ),
    queries.execute<{ body: AccountExport["ownershipTransfers"][number] }>(
      sql`select json_build_object('id', t.id, 'organizationId', t.organization_id, 'fromUserId', t.from_user_id, 'toUserId', t.to_user_id,
            'createdAt', ${isoInstant(sql`t.created_at`)}, 'expiresAt', ${isoInstant(sql`t.expires_at`)})
            as body from app.my_ownership_transfers(${EXPORT_LIMIT}::int) t`,
    ),
    queries.execute<{ body: AccountExport["oneTimeTokens"][number] }>(
      sql`select json_build_object('purpose', t.purpose, 'email', t.email, 'createdAt', ${isoInstant(sql`t.created_at`)},
            'expiresAt', ${isoInstant(sql`t.expires_at`)}) as body from app.my_one_time_tokens(${EXPORT_LIMIT}::int) t`,
    ),
    queries.execute<{ body: AccountExport["messages"][number] }>(
      sql`select json_build_object('template', o.template, 'recipient', o.recipient, 'data', o.data, 'attempts', o.attempts,
            'createdAt', ${isoInstant(sql`o.created_at`)}) as body from app.my_messages(${EXPORT_LIMIT}::int) o`,
    ),
  ]);
  if (!found) throw new AppError("unauthenticated");
  const { exportedAt, ...account } = found;
  const bodies = <T>({ rows }: { rows: { body: T }[] }) => rows.map(({ body }) => body);
  return {
    exportedAt,
    account,
    sessions: mySessions,
    identities: myIdentities,
    passkeys: myPasskeys,
    authenticatorApps: apps,
    recoveryCodes: codes,
    memberships: bodies(memberships),
    teams: bodies(teamMemberships),
    sentInvitations: bodies(sent),
    shareLinks: bodies(links),
    apiKeys: bodies(keys),
    ownershipTransfers: bodies(transfers),
    oneTimeTokens: bodies(oneTimeTokens),
    messages: bodies(messages),
  };
}
