import { type SQL, sql } from "drizzle-orm";
import { v7 as uuidv7 } from "uuid";
import type { Database } from "../db/index.ts";
import { isoInstant } from "../db/json.ts";
import type { Settings } from "../env.ts";
import { newNotice } from "./outbox.ts";
import {
  ACCESS_TOKEN_LIFETIME,
  hashHandle,
  issueAccessToken,
  issueMfaToken,
  issueRefreshToken,
  MFA_TOKEN_LIFETIME,
  newHandle,
  type RefreshTokenCarrier,
  type TokenSubject,
} from "./tokens.ts";
import type { User } from "./users.ts";

export interface TokenSet {
  accessToken: string;
  tokenType: "Bearer";
  /** Seconds until the access token expires. */
  expiresIn: number;
  refreshToken: string;
  /** When the session ends, whatever is refreshed. */
  sessionExpiresAt: string;
}

export type SecondFactor = "passkey" | "recovery_code" | "totp";

/** Instead of tokens, for whoever has a second factor and has not given it. */
export interface MfaRequired {
  status: "mfa_required";
  /** Good for the routes that take the second factor. */
  mfaToken: string;
  tokenType: "Bearer";
  /** Seconds until it expires, and the session with it. */
  expiresIn: number;
  factors: SecondFactor[];
}

export type SignedIn = TokenSet & { user: User };

/** Who asks for a session: what the session list shows of a device, and the network that its attempts are counted for. */
export interface ClientInfo {
  ipAddress: string | null;
  network: string | null;
  userAgent: string | null;
}

/** A row of `app_private.signed_in`, as `NewSession.columns` selects it. */
export interface SignedInRow extends Record<string, unknown> {
  user: User;
  expires_at: string;
  noticed: boolean;
  factors: SecondFactor[] | null;
}

/** Of `app_private.signed_in`, under the alias `u`. */
export const signedInColumns = sql`json_build_object('id', u.id, 'email', u.email, 'emailVerified', u.email_verified,
  'name', u.name, 'createdAt', ${isoInstant(sql`u.created_at`)}, 'updatedAt', ${isoInstant(sql`u.updated_at`)}) as "user",
  ${isoInstant(sql`u.expires_at`)} as expires_at, u.noticed, u.factors`;

/** A session that this request's transaction may start, whichever way the person proves who they are. */
export interface NewSession {
  id: string;
  /** bytea. */
  handleHash: string;
  lifetime: SQL;
  idle: SQL;
  notice: { id: string | null; key: string | null };
  /** What the client gets for the row that the database answered. */
  answer(row: SignedInRow, carrier: RefreshTokenCarrier): Promise<SignedIn | MfaRequired>;
}

/**
 * Makes the parts of a session that the database must not: its id, its handle, and the notice to the person when the
 * device is a new one.
 */
export async function newSession(settings: Settings, database: Database): Promise<NewSession> {
  const handle = newHandle();
  // Sent only when it was queued, which is seldom: looking for it is another request to the database.
  const messages: string[] = [];
  const notice = await newNotice(settings, { ...database, messages });
  return {
    id: uuidv7(),
    handleHash: await hashHandle(handle),
    lifetime: sql`make_interval(secs => ${settings.SESSION_EXPIRATION.absolute}::int)`,
    idle: sql`make_interval(secs => ${settings.SESSION_EXPIRATION.idle}::int)`,
    notice,
    async answer({ user, expires_at: sessionExpiresAt, noticed, factors }, carrier) {
      if (noticed) database.messages.push(...messages);
      const subject = { userId: user.id, handle };
      if (factors === null) return { ...(await issueTokens(settings, subject, 1, sessionExpiresAt, carrier)), user };
      const mfaToken = await issueMfaToken(settings, subject);
      return { status: "mfa_required", mfaToken, tokenType: "Bearer", expiresIn: MFA_TOKEN_LIFETIME, factors };
    },
  };
}

export async function issueTokens(
  settings: Settings,
  subject: TokenSubject,
  generation: number,
  sessionExpiresAt: string,
  carrier: RefreshTokenCarrier,
): Promise<TokenSet> {
  const [accessToken, refreshToken] = await Promise.all([
    issueAccessToken(settings, subject),
    issueRefreshToken(settings, subject, generation, new Date(sessionExpiresAt), carrier),
  ]);
  return { accessToken, tokenType: "Bearer", expiresIn: ACCESS_TOKEN_LIFETIME, refreshToken, sessionExpiresAt };
}
