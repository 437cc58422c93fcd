import { sql } from "drizzle-orm";
import { v7 as uuidv7 } from "uuid";
import type { SystemDatabase } from "../db/index.ts";
import { isoInstant } from "../db/json.ts";
import type { Settings } from "../env.ts";
import { AppError } from "../errors.ts";
import {
  checkNewPassword,
  decoyParameters,
  hashPassword,
  isOutdated,
  type PasswordParameters,
  rehashPassword,
} from "./passwords/index.ts";
import { newNotice } from "./outbox.ts";
import { keyOfInvitation } from "./received-invitations.ts";
import {
  type ClientInfo,
  issueTokens,
  type MfaRequired,
  newSession,
  type SignedIn,
  signedInColumns,
  type SignedInRow,
  type TokenSet,
} from "./session-starts.ts";
import { type AttemptScopes, readParameters, takeAttempt } from "./sign-in-attempts.ts";
import { hashHandle, type RefreshTokenCarrier, verifyRefreshToken } from "./tokens.ts";
import type { User } from "./users.ts";

/** A refresh token, and where it came from. */
export interface PresentedToken {
  refreshToken: string;
  carrier: RefreshTokenCarrier;
}

const userJson = sql`json_build_object('id', u.id, 'email', u.email, 'emailVerified', u.email_verified, 'name', u.name,
  'createdAt', ${isoInstant(sql`u.created_at`)}, 'updatedAt', ${isoInstant(sql`u.updated_at`)})`;

/** The answer for every address, where addresses must be verified. */
export interface SignUpAccepted {
  status: "verification_sent";
}

/**
 * Creates an account and mails a token to its address. Where `EMAIL_VERIFICATION` is required, the answer does
 * not tell whether the address has an account: its owner gets another mail then.
 *
 * With an invitation's token the account has its address verified, and is a member at once.
 *
 * @throws AppError `invalid_request` for a password that is refused; `email_taken` where verification is optional, and
 *   with an invitation; then also `invalid_token`, `invitation_email_mismatch`, `member_limit`.
 */
export async function signUp(
  database: SystemDatabase,
  settings: Settings,
  input: { email: string; password: string; name: string; invitationToken?: string | undefined },
): Promise<{ status: 201; body: User } | { status: 202; body: SignUpAccepted }> {
  await checkNewPassword(settings, input.password, [input.email, input.name]);
  const { scheme, salt, hash } = await hashPassword(settings, input.password);
  if (input.invitationToken !== undefined) {
    const key = await keyOfInvitation(input.invitationToken);
    const invited = sql`${key}::bytea, ${uuidv7()}::uuid, ${input.email}, ${input.name}, ${scheme}::int, ${salt}, ${hash}`;
    const body = await database.create<User>(sql`select ${userJson} as body from app.sign_up_invited(${invited}) u`);
    return { status: 201, body };
  }
  const message = await newNotice(settings, database);
  const account = sql`${uuidv7()}::uuid, ${input.email}, ${input.name}, ${scheme}::int, ${salt}, ${hash}, ${message.id}::uuid, ${message.key}::bytea`;
  if (settings.EMAIL_VERIFICATION === "required") {
    const accepted = sql`select json_build_object('status', 'verification_sent') as body from app.sign_up_unseen(${account})`;
    return { status: 202, body: await database.create<SignUpAccepted>(accepted, 202) };
  }
  return {
    status: 201,
    body: await database.create<User>(sql`select ${userJson} as body from app.sign_up(${account}) u`),
  };
}

/**
 * Starts a session, which waits for the second factor of whoever has one. Two requests to the database, since bcrypt runs between them: its parameters are
 * read, and the hash it gives is compared by the database, which never shows the one it keeps.
 *
 * @throws AppError `too_many_attempts`; `invalid_credentials`, after the same work for a known and an unknown
 *   address, save while an account still waits to be hashed anew at its next sign-in.
 */
export async function signIn(
  database: SystemDatabase,
  settings: Settings,
  input: { email: string; password: string; carrier: RefreshTokenCarrier } & ClientInfo,
): Promise<SignedIn | MfaRequired> {
  const { scopes, parameters } = await takeAttempt(database, settings, input);
  for (let round = 1; round <= 3; round++) {
    const known = round === 1 ? parameters : await readParameters(database, input.email);
    const signedIn = await trySignIn(database, settings, input, known, scopes);
    if (signedIn) return signedIn;
  }
  throw new AppError("unavailable", { headers: { "retry-after": "2" } });
}

/** Undefined when another sign-in renewed the hash between the two requests, so its parameters must be read again. */
async function trySignIn(
  database: SystemDatabase,
  settings: Settings,
  input: { email: string; password: string; carrier: RefreshTokenCarrier } & ClientInfo,
  known: PasswordParameters | undefined,
  scopes: AttemptScopes,
): Promise<SignedIn | MfaRequired | undefined> {
  const parameters = known ?? (await decoyParameters(settings, input.email));
  const hash = await rehashPassword(settings, parameters, input.password);
  const renewed = known && isOutdated(settings, known) ? await hashPassword(settings, input.password) : undefined;

  const session = await newSession(settings, database);
  const [signedIn] = await database.run((queries) => [
    queries.execute<SignedInRow & { refused: boolean }>(sql`
      select ${signedInColumns}, u.id is null as refused
        from app.sign_in(${input.email}, ${hash}, ${session.id}::uuid, ${session.handleHash}::bytea,
          ${session.lifetime}, ${input.ipAddress}::text, ${input.userAgent}::text,
          ${renewed?.scheme ?? null}::int, ${renewed?.salt ?? null}::text, ${renewed?.hash ?? null}::text,
          ${session.idle}, ${scopes.network}::bytea, ${scopes.account}::bytea,
          ${scopes.home}::bytea, ${session.notice.id}::uuid, ${session.notice.key}::bytea) u`),
  ]);
  const row = signedIn.rows[0];
  if (row?.refused) throw new AppError("invalid_credentials");
  return row && session.answer(row, input.carrier);
}

/**
 * Exchanges a refresh token for new tokens; the one before the current stays good for 10 seconds.
 *
 * @throws AppError `unauthenticated`; `refresh_token_reused` for an older one, and the session is revoked.
 */
export async function refreshSession(
  database: SystemDatabase,
  settings: Settings,
  { refreshToken, carrier }: PresentedToken,
): Promise<TokenSet> {
  const { generation, ...subject } = await verifyRefreshToken(settings, refreshToken, carrier);
  const handleHash = await hashHandle(subject.handle);
  const [refreshed] = await database.run((queries) => [
    queries.execute<{ outcome: "rotated" | "repeated" | "reused"; generation: number; expires_at: string }>(
      sql`select outcome, generation, ${isoInstant(sql`expires_at`)} as expires_at from app.refresh_session(${handleHash}::bytea, ${generation}::int,
        make_interval(secs => ${settings.SESSION_EXPIRATION.idle}::int))`,
    ),
  ]);
  const row = refreshed.rows[0];
  if (!row) throw new Error("app.refresh_session returned no row");
  if (row.outcome === "reused") throw new AppError("refresh_token_reused");
  return issueTokens(settings, subject, row.generation, row.expires_at, carrier);
}
