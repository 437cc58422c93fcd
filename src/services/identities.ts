import { and, desc, eq, lt, sql } from "drizzle-orm";
import { v7 as uuidv7 } from "uuid";
import type { PersonDatabase, SystemDatabase } from "../db/index.ts";
import { isoInstant } from "../db/json.ts";
import { identities } from "../db/schema.ts";
import type { Settings } from "../env.ts";
import { openTicket, type Ticket } from "./oauth/tickets.ts";
import { newNotice } from "./outbox.ts";
import { type Page, type PageInput, readCursor, toPage } from "./paging.ts";
import {
  type ClientInfo,
  type MfaRequired,
  newSession,
  type SignedIn,
  signedInColumns,
  type SignedInRow,
} from "./session-starts.ts";
import type { RefreshTokenCarrier } from "./tokens.ts";

/** Somebody's account at a provider, which signs them in here. */
export interface Identity {
  id: string;
  provider: Ticket["provider"];
  /** As the provider had it when it was last used. */
  email: string | null;
  createdAt: string;
  lastUsedAt: string | null;
}

/** What comes out of a flow: the ticket, and the frontend's proof that it began that flow. */
export interface FlowProof {
  code: string;
  codeVerifier: string;
}

const ticketArguments = ({ key, provider, connectionId, subject, email }: Ticket) =>
  sql`${key}::bytea, ${provider}, ${connectionId}::uuid, ${subject}, ${email}::text`;

/** A name for who has told their provider none. */
const localPartOf = ({ email }: Ticket): string => email?.split("@")[0] ?? "";

/**
 * Signs somebody in with what a provider has said of them: with the identity, or with the verified address, whose
 * account is made if there is none. One that has the address without having verified it is handed over: see
 * `app.sign_in_with_provider`.
 *
 * @throws AppError `invalid_oauth_code`; `provider_email_unverified`; `invalid_credentials` for a disabled account.
 */
export async function signInWithProvider(
  database: SystemDatabase,
  settings: Settings,
  input: FlowProof & { carrier: RefreshTokenCarrier } & ClientInfo,
): Promise<SignedIn | MfaRequired> {
  const ticket = await openTicket(settings, input);
  const session = await newSession(settings, database);
  // Sent only when it was queued, as that about a new device.
  const messages: string[] = [];
  const notice = await newNotice(settings, { ...database, messages });
  const [signedIn] = await database.run((queries) => [
    queries.execute<SignedInRow & { linked: boolean }>(sql`
      select ${signedInColumns}, r.linked
        from app.sign_in_with_provider(${ticketArguments(ticket)}, ${ticket.emailVerified}::boolean, ${ticket.name ?? localPartOf(ticket)},
          ${uuidv7()}::uuid, ${uuidv7()}::uuid, ${session.id}::uuid, ${session.handleHash}::bytea, ${session.lifetime},
          ${session.idle}, ${input.ipAddress}::text, ${input.userAgent}::text, ${session.notice.id}::uuid,
          ${session.notice.key}::bytea, ${notice.id}::uuid, ${notice.key}::bytea) r,
          lateral (select (r.signed_in).*) u`),
  ]);
  const row = signedIn.rows[0];
  if (!row) throw new Error("app.sign_in_with_provider returned no row");
  if (row.linked) database.messages.push(...messages);
  return session.answer(row, input.carrier);
}

const mine = eq(identities.userId, sql`(select app.user_id())`);

/** The signed-in person's, newest first. */
export async function listIdentities(database: PersonDatabase, { limit, cursor }: PageInput): Promise<Page<Identity>> {
  const before = readCursor(cursor);
  const [rows] = await database.run((queries) => [
    queries
      .select(identityFields)
      .from(identities)
      .where(and(mine, before ? lt(identities.id, before) : undefined))
      .orderBy(desc(identities.id))
      .limit(limit + 1),
  ]);
  return toPage(rows, limit, ({ id }) => id);
}

export const identityFields = {
  id: identities.id,
  // Of those that a CHECK lets in.
  provider: sql<Identity["provider"]>`${identities.provider}`,
  email: identities.email,
  createdAt: identities.createdAt,
  lastUsedAt: identities.lastUsedAt,
};

/**
 * Links what a provider has said of somebody to the signed-in person, whatever its address, and tells them by mail.
 *
 * @throws AppError `invalid_oauth_code`; `identity_taken` for one that is somebody else's.
 */
export async function linkIdentity(database: PersonDatabase, settings: Settings, proof: FlowProof): Promise<Identity> {
  const ticket = await openTicket(settings, proof);
  const notice = await newNotice(settings, database);
  const [linked] = await database.run((queries) => [
    queries.execute<Identity & Record<string, unknown>>(sql`
      select i.id, i.provider, i.email, ${isoInstant(sql`i.created_at`)} as "createdAt",
             ${isoInstant(sql`i.last_used_at`)} as "lastUsedAt"
        from app.link_identity(${ticketArguments(ticket)}, ${uuidv7()}::uuid, ${notice.id}::uuid, ${notice.key}::bytea) i`),
  ]);
  const identity = linked.rows[0];
  if (!identity) throw new Error("app.link_identity returned no row");
  return identity;
}

/**
 * @throws AppError `not_found`; `last_sign_in_method` where there is no password, passkey or other identity.
 */
export async function unlinkIdentity(database: PersonDatabase, identityId: string): Promise<void> {
  await database.run((queries) => [queries.execute(sql`select app.unlink_identity(${identityId}::uuid)`)]);
}
