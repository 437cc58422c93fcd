import { sql } from "drizzle-orm";
import { base64url } from "jose";
import type { SystemDatabase } from "../db/index.ts";
import { secretsOf, type Settings } from "../env.ts";
import { AppError } from "../errors.ts";
import { refuseWhileWaiting } from "./attempts.ts";
import { codeOf, hashCode, hashToken, newMessage } from "./outbox.ts";
import {
  type ClientInfo,
  type MfaRequired,
  newSession,
  type SignedIn,
  signedInColumns,
  type SignedInRow,
} from "./session-starts.ts";
import { scopesOf } from "./sign-in-attempts.ts";
import type { RefreshTokenCarrier } from "./tokens.ts";

/** Milliseconds that an answer takes at least, which are more than the database does: no clock tells who has an account. */
const MIN_ANSWER_TIME = 100;

/**
 * Mails a link and a code to the address, when it has an account: five an hour at most, of which the newest is good,
 * for ten minutes. The caller is not told which.
 *
 * @throws AppError `email_off` where no mail provider is set up.
 */
export async function requestEmailSignIn(database: SystemDatabase, settings: Settings, email: string): Promise<void> {
  const { id, key } = await newMessage(settings, database);
  const codeKey = await hashCode(settings.JWT_SECRET, email, await codeOf(settings.JWT_SECRET, id));
  await Promise.all([
    database.run((queries) => [
      queries.execute(sql`select app.request_email_sign_in(${email}, ${id}::uuid, ${key}::bytea, ${codeKey}::bytea)`),
    ]),
    scheduler.wait(MIN_ANSWER_TIME),
  ]);
}

/** What a mail brought: the token of its link, or its code, which is good with the address that it went to. */
export type MailedProof = { token: string } | { email: string; code: string };

/**
 * Starts a session, which waits for the second factor of whoever has one. It proves the address: where nobody had
 * done so, the account's password, sessions and identities end, which may be a stranger's who registered it.
 *
 * @throws AppError `invalid_token`; `invalid_code`, the same for a wrong one and an unknown address;
 *   `too_many_attempts` for codes, which are counted as passwords are.
 */
export async function signInByEmail(
  database: SystemDatabase,
  settings: Settings,
  { proof, ...client }: { proof: MailedProof; carrier: RefreshTokenCarrier } & ClientInfo,
): Promise<SignedIn | MfaRequired> {
  if ("token" in proof) return signInByLink(database, settings, { ...client, token: proof.token });
  const [signedIn] = await Promise.all([
    signInByCode(database, settings, { ...client, ...proof }),
    scheduler.wait(MIN_ANSWER_TIME),
  ]);
  if (!signedIn) throw new AppError("invalid_code");
  return signedIn;
}

async function signInByLink(
  database: SystemDatabase,
  settings: Settings,
  { token, carrier, ...client }: { token: string; carrier: RefreshTokenCarrier } & ClientInfo,
): Promise<SignedIn | MfaRequired> {
  const key = await hashToken(base64url.decode(token));
  const session = await newSession(settings, database);
  const [signedIn] = await database.run((queries) => [
    queries.execute<SignedInRow>(sql`
      select ${signedInColumns}
        from app.sign_in_by_link(${key}::bytea, ${session.id}::uuid, ${session.handleHash}::bytea, ${session.lifetime},
          ${session.idle}, ${client.ipAddress}::text, ${client.userAgent}::text, ${session.notice.id}::uuid,
          ${session.notice.key}::bytea) u`),
  ]);
  const row = signedIn.rows[0];
  if (!row) throw new Error("app.sign_in_by_link returned no row");
  return session.answer(row, carrier);
}

/** Undefined for a wrong code, which has been counted. */
async function signInByCode(
  database: SystemDatabase,
  settings: Settings,
  { email, code, carrier, ...client }: { email: string; code: string; carrier: RefreshTokenCarrier } & ClientInfo,
): Promise<SignedIn | MfaRequired | undefined> {
  const codeKeys = await Promise.all(secretsOf(settings).map((secret) => hashCode(secret, email, code)));
  const scopes = await scopesOf(settings, email, client.network);
  const session = await newSession(settings, database);
  const [attempted] = await database.run((queries) => [
    queries.execute<SignedInRow & { wait_seconds: number; is_right: boolean }>(sql`
      select a.wait_seconds, u.id is not null as is_right, ${signedInColumns}
        from app.sign_in_by_code(${email}, ${sql.param(codeKeys)}::bytea[], ${session.id}::uuid,
          ${session.handleHash}::bytea, ${session.lifetime}, ${session.idle}, ${client.ipAddress}::text,
          ${client.userAgent}::text, ${scopes.network}::bytea, ${scopes.account}::bytea, ${scopes.home}::bytea,
          ${session.notice.id}::uuid, ${session.notice.key}::bytea) a,
        lateral (select (a.session).*) u`),
  ]);
  const row = attempted.rows[0];
  if (!row) throw new Error("app.sign_in_by_code returned no row");
  refuseWhileWaiting(row.wait_seconds);
  return row.is_right ? session.answer(row, carrier) : undefined;
}
