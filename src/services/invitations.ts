import { and, asc, eq, gt, lte, type SQL, sql } from "drizzle-orm";
import { v7 as uuidv7 } from "uuid";
import type { TenantDatabase } from "../db/index.ts";
import { isoInstant } from "../db/json.ts";
import { invitations } from "../db/schema.ts";
import type { Settings } from "../env.ts";
import { AppError, type ErrorCode } from "../errors.ts";
import { newMessage } from "./outbox.ts";
import { type Page, type PageInput, readCursor, toPage } from "./paging.ts";
import { type Refusal, refusalsJson } from "./refusals.ts";

/** `expired` is what was not answered in 7 days. */
export const invitationStatuses = ["pending", "accepted", "declined", "revoked", "expired"] as const;

export type InvitationStatus = (typeof invitationStatuses)[number];

export interface Invitation {
  id: string;
  email: string;
  /** In alphabetical order. */
  roles: string[];
  /** Those that the person comes into, of those that are there by then, and still the sender's to fill. */
  teamIds: string[];
  status: InvitationStatus;
  /** Who sent it last, and answers for its roles; null when their account is gone. */
  invitedBy: string | null;
  createdAt: string;
  sentAt: string;
  expiresAt: string;
  /** When it was answered or revoked. */
  endedAt: string | null;
}

/** Why there is no invitation for an address, by what the database says. */
const refusals = {
  APMEM: "already_member",
  APPND: "invitation_pending",
  APROL: "unknown_role",
  APTEA: "unknown_team",
  APABV: "role_above_own",
  APIVL: "invitation_limit",
  APLIM: "rate_limited",
} as const satisfies Record<string, ErrorCode>;

export const refusalCodes = Object.values(refusals);

/** What became of one address: the invitation, or why there is none. */
export type InvitationResult =
  | { email: string; status: 201; invitation: Invitation }
  | ({ email: string } & Refusal<(typeof refusals)[keyof typeof refusals]>);

/**
 * Invites people and mails each a token that is good for 7 days. One that cannot be invited is in the way of no other.
 *
 * @param input 1 to 100.
 * @returns one result for each, in their order.
 * @throws AppError `email_off`.
 */
export async function createInvitations(
  database: TenantDatabase,
  settings: Settings,
  input: { email: string; roles: string[]; teamIds: string[] }[],
): Promise<{ results: InvitationResult[] }> {
  const asked = await Promise.all(
    input.map(async ({ email, roles, teamIds }) => {
      const message = await newMessage(settings, database);
      return { id: uuidv7(), email, roles, team_ids: teamIds, message_id: message.id, key: message.key };
    }),
  );
  const invitation = sql`jsonb_build_object('id', c.id, 'email', c.email, 'roles', c.roles, 'teamIds', c.team_ids,
    'status', 'pending', 'invitedBy', c.invited_by, 'createdAt', ${isoInstant(sql`c.created_at`)}, 'sentAt', ${isoInstant(sql`c.sent_at`)},
    'expiresAt', ${isoInstant(sql`c.expires_at`)}, 'endedAt', null)`;
  return database.create<{ results: InvitationResult[] }>(
    sql`select json_build_object('results', json_agg(jsonb_build_object('email', c.email)
          || case when c.refusal is null then jsonb_build_object('status', 201, 'invitation', ${invitation})
                  else ${refusalsJson(refusals)}::jsonb -> c.refusal end order by c.ordinal)) as body
        from app.create_invitations(${JSON.stringify(asked)}::jsonb) c`,
    207,
  );
}

const isPast = lte(invitations.expiresAt, sql`now()`);

/** One that has expired is `pending` in its row until its address is invited again. */
const status = sql<InvitationStatus>`case when ${invitations.status} = 'pending' and ${isPast} then 'expired' else ${invitations.status} end`;

const fields = {
  id: invitations.id,
  email: invitations.email,
  roles: invitations.roles,
  teamIds: invitations.teamIds,
  status,
  invitedBy: invitations.invitedBy,
  createdAt: invitations.createdAt,
  sentAt: invitations.sentAt,
  expiresAt: invitations.expiresAt,
  endedAt: invitations.endedAt,
};

/** Whether it has this status; the column itself is asked as well, for the index. */
function hasStatus(asked: InvitationStatus): SQL | undefined {
  if (asked === "expired") return and(sql`${invitations.status} in ('pending', 'expired')`, eq(status, asked));
  return and(eq(invitations.status, asked), eq(status, asked));
}

/** Oldest first. Those that have ended are there for another 30 days. */
export async function listInvitations(
  database: TenantDatabase,
  { limit, cursor, status: asked }: PageInput & { status?: InvitationStatus | undefined },
): Promise<Page<Invitation>> {
  const after = readCursor(cursor);
  const ours = eq(invitations.organizationId, database.organizationId);
  const [rows] = await database.run((queries) => {
    // The page first, from an index alone: Postgres would else read and sort all of a large organization's.
    const page = queries
      .select({ id: invitations.id })
      .from(invitations)
      .where(and(ours, asked && hasStatus(asked), after ? gt(invitations.id, after) : undefined))
      .orderBy(asc(invitations.id))
      .limit(limit + 1);
    const isOnPage = sql`${invitations.id} = any (array(${page}))`;
    return [queries.select(fields).from(invitations).where(and(ours, isOnPage)).orderBy(asc(invitations.id))];
  });
  return toPage(rows, limit, ({ id }) => id);
}

/**
 * Mails a new token in place of the one before, good for another 7 days.
 *
 * @throws AppError `not_found`; `invitation_ended`; `role_above_own`, `unknown_role` for its roles as they are now;
 *   `already_member`; `rate_limited`; `email_off`.
 */
export async function resendInvitation(
  database: TenantDatabase,
  settings: Settings,
  invitationId: string,
): Promise<Invitation> {
  const { id, key } = await newMessage(settings, database);
  const [, [invitation]] = await database.run((queries) => [
    queries.execute(sql`select app.resend_invitation(${invitationId}::uuid, ${id}::uuid, ${key}::bytea)`),
    queries
      .select(fields)
      .from(invitations)
      .where(and(eq(invitations.organizationId, database.organizationId), eq(invitations.id, invitationId))),
  ]);
  if (!invitation) throw new AppError("not_found");
  return invitation;
}

/** @throws AppError `not_found`; `invitation_ended`; `role_above_own`. */
export async function revokeInvitation(database: TenantDatabase, invitationId: string): Promise<void> {
  await database.run((queries) => [queries.execute(sql`select app.revoke_invitation(${invitationId}::uuid)`)]);
}
