import { sql } from "drizzle-orm";
import { base64url } from "jose";
import type { Database, PersonDatabase, SystemDatabase } from "../db/index.ts";
import { isoInstant } from "../db/json.ts";
import { AppError } from "../errors.ts";
import { type Organization, organizationJson } from "./organizations.ts";
import { hashToken } from "./outbox.ts";
import { type Page, type PageInput, readCursor, toPage } from "./paging.ts";

/** What whom it is for is told before they answer. */
export interface InvitationPreview {
  email: string;
  organizationName: string;
  inviterName: string;
  roles: string[];
  expiresAt: string;
}

export interface ReceivedInvitation extends Omit<InvitationPreview, "email"> {
  id: string;
}

/** What the database is sent instead of the token of an invitation's mail. */
export const keyOfInvitation = (token: string): Promise<string> => hashToken(base64url.decode(token));

const previewParts = sql`'organizationName', i.organization_name, 'inviterName', i.inviter_name, 'roles', i.roles,
  'expiresAt', ${isoInstant(sql`i.expires_at`)}`;

/** @throws AppError `invalid_token` for one that is unknown, answered, revoked or expired, or whose sender may not invite any more. */
export async function findInvitation(database: SystemDatabase, token: string): Promise<InvitationPreview> {
  const key = await keyOfInvitation(token);
  const [result] = await database.run((queries) => [
    queries.execute<{ body: InvitationPreview }>(
      sql`select json_build_object('email', i.email, ${previewParts}) as body from app.find_invitation(${key}::bytea) i`,
    ),
  ]);
  const invitation = result.rows[0]?.body;
  if (!invitation) throw new AppError("invalid_token");
  return invitation;
}

/** Those that are open for the signed-in person's address, oldest first. @throws AppError `email_unverified`. */
export async function listReceivedInvitations(
  database: PersonDatabase,
  { limit, cursor }: PageInput,
): Promise<Page<ReceivedInvitation>> {
  const [result] = await database.run((queries) => [
    queries.execute<{ body: ReceivedInvitation }>(
      sql`select json_build_object('id', i.id, ${previewParts}) as body
            from app.my_invitations(${readCursor(cursor)}::uuid, ${limit + 1}::int) i`,
    ),
  ]);
  const rows = result.rows.map((row) => row.body);
  return toPage(rows, limit, (invitation) => invitation.id);
}

/**
 * Makes the signed-in person a member. The token was mailed to the address, so it verifies that too.
 *
 * @throws AppError `invalid_token`; `invitation_email_mismatch`; `already_member`; `member_limit`.
 */
export async function acceptInvitation(database: PersonDatabase, token: string): Promise<Organization> {
  const key = await keyOfInvitation(token);
  return database.create<Organization>(
    sql`select ${organizationJson} as body from app.accept_invitation(${key}::bytea) o`,
  );
}

/** @throws AppError `not_found`; `email_unverified`; `already_member`; `member_limit`. */
export async function acceptReceivedInvitation(database: PersonDatabase, invitationId: string): Promise<Organization> {
  return database.create<Organization>(
    sql`select ${organizationJson} as body from app.accept_my_invitation(${invitationId}::uuid) o`,
  );
}

/** @throws AppError `invalid_token`. */
export async function declineInvitation(database: Database, token: string): Promise<void> {
  const key = await keyOfInvitation(token);
  await database.run((queries) => [queries.execute(sql`select app.decline_invitation(${key}::bytea)`)]);
}

/** @throws AppError `not_found`; `email_unverified`. */
export async function declineReceivedInvitation(database: PersonDatabase, invitationId: string): Promise<void> {
  await database.run((queries) => [queries.execute(sql`select app.decline_my_invitation(${invitationId}::uuid)`)]);
}
