import { sql } from "drizzle-orm";
import { base64url } from "jose";
import { fromBytea, toBytea } from "../crypto.ts";
import type { PersonDatabase, SystemDatabase } from "../db/index.ts";
import type { Settings } from "../env.ts";
import { AppError } from "../errors.ts";
import { attemptScope, refuseWhileWaiting } from "./attempts.ts";
import { type ChallengeUse, CHALLENGE_LIFETIME, newChallenge, readChallenge } from "./passkey-challenges.ts";
import { type CredentialDescriptor, describeCredentials, type DescriptorRow, userHandleOf } from "./passkeys.ts";
import { type Assertion, challengeOf, relyingPartyOf } from "./relying-party.ts";
import {
  type ClientInfo,
  type MfaRequired,
  newSession,
  type SignedIn,
  signedInColumns,
  type SignedInRow,
} from "./session-starts.ts";
import type { RefreshTokenCarrier } from "./tokens.ts";
import { workerKeys } from "./worker-keys.ts";

/** As `PublicKeyCredential.parseRequestOptionsFromJSON()` takes them. */
export interface AuthenticationOptions {
  challenge: string;
  rpId: string;
  /** Milliseconds. */
  timeout: number;
  /** Empty where the person chooses among those that their authenticators have. */
  allowCredentials: CredentialDescriptor[];
  userVerification: "required";
}

/** What was read of a credential, null where there is none; `public_key` as Postgres writes bytes. */
type CredentialRow = { user_id: string | null; public_key: string | null; sign_count: string | number | null };

interface GivenPasskey {
  credential: Assertion;
  carrier: RefreshTokenCarrier;
}

const signIn: ChallengeUse = { purpose: "sign-in", session: null };
const secondFactorOf = ({ session }: PersonDatabase): ChallengeUse => ({ purpose: "second factor", session });

const makeOptions = async (settings: Settings, use: ChallengeUse, allowCredentials: CredentialDescriptor[]) => ({
  challenge: await newChallenge(settings, use),
  rpId: relyingPartyOf(settings).id,
  timeout: CHALLENGE_LIFETIME * 1000,
  allowCredentials,
  userVerification: "required" as const,
});

/**
 * What a browser needs to ask for any passkey of this service. Asks no database.
 *
 * @throws AppError `passkeys_off`
 */
export function beginPasskeySignIn(settings: Settings): Promise<AuthenticationOptions> {
  return makeOptions(settings, signIn, []);
}

/**
 * Starts a session of whoever the passkey is, which has verified them: both factors in one. Two requests to the
 * database: the first takes the attempt and the challenge for good, and reads what the signature is verified with.
 *
 * @throws AppError `invalid_passkey`, whatever is wrong; `too_many_attempts` from one network; `passkeys_off`.
 */
export async function signInWithPasskey(
  database: SystemDatabase,
  settings: Settings,
  { credential, carrier, ...client }: GivenPasskey & ClientInfo,
): Promise<SignedIn | MfaRequired> {
  const { spent, id } = await readGiven(settings, signIn, credential);
  const scope = await passkeyScope(settings, client.network);
  const [begun] = await database.run((queries) => [
    queries.execute<CredentialRow & { wait_seconds: number }>(
      sql`select wait_seconds, user_id, public_key::text, sign_count
            from app.begin_passkey_sign_in(${scope}::bytea, ${spent}::bytea, ${id}::bytea)`,
    ),
  ]);
  refuseWhileWaiting(begun.rows[0]?.wait_seconds ?? 0);
  const used = await verify(settings, credential, begun.rows[0]);
  const session = await newSession(settings, database);
  const [signedIn] = await database.run((queries) => [
    queries.execute<SignedInRow>(sql`
      select ${signedInColumns}
        from app.sign_in_with_passkey(${used.worker}::bytea, ${id}::bytea, ${used.before}::bigint, ${used.signCount}::bigint,
          ${used.backedUp}::boolean, ${scope}::bytea, ${session.id}::uuid, ${session.handleHash}::bytea,
          ${session.lifetime}, ${session.idle}, ${client.ipAddress}::text, ${client.userAgent}::text,
          ${session.notice.id}::uuid, ${session.notice.key}::bytea) u`),
  ]);
  return session.answer(firstOf(signedIn.rows), carrier);
}

/**
 * What a browser needs to ask for a passkey of the session's person; good in this session.
 *
 * @throws AppError `passkeys_off`
 */
export async function beginPasskeyFactor(database: PersonDatabase, settings: Settings): Promise<AuthenticationOptions> {
  relyingPartyOf(settings);
  const [found] = await database.run((queries) => [
    queries.execute<{ passkeys: DescriptorRow[] }>(sql`select app.claimant_passkeys() as passkeys`),
  ]);
  return makeOptions(settings, secondFactorOf(database), describeCredentials(found.rows[0]?.passkeys ?? []));
}

/**
 * Completes the session, which waits for its second factor. Two requests to the database, as above.
 *
 * @throws AppError `invalid_passkey`, whatever is wrong; `unauthenticated` for a session that does not wait; `passkeys_off`.
 */
export async function givePasskey(
  database: PersonDatabase,
  settings: Settings,
  { credential, carrier }: GivenPasskey,
): Promise<SignedIn | MfaRequired> {
  const { spent, id } = await readGiven(settings, secondFactorOf(database), credential);
  const [begun] = await database.run((queries) => [
    queries.execute<CredentialRow>(
      sql`select user_id, public_key::text, sign_count from app.begin_passkey_factor(${spent}::bytea, ${id}::bytea)`,
    ),
  ]);
  const used = await verify(settings, credential, begun.rows[0]);
  const session = await newSession(settings, database);
  const [completed] = await database.run((queries) => [
    queries.execute<SignedInRow>(sql`
      select ${signedInColumns}
        from app.complete_sign_in_with_passkey(${used.worker}::bytea, ${id}::bytea, ${used.before}::bigint, ${used.signCount}::bigint,
          ${used.backedUp}::boolean, ${session.handleHash}::bytea, ${session.lifetime}, ${session.idle}) u`),
  ]);
  return session.answer(firstOf(completed.rows), carrier);
}

/** @param network null for what came from nowhere. */
export const passkeyScope = (settings: Settings, network: string | null): Promise<string> =>
  attemptScope(settings, `passkeys\n${network ?? "unknown"}`);

/** The challenge and the credential's id, as bytea; nothing is asked of the database for what is not ours. */
async function readGiven(settings: Settings, use: ChallengeUse, credential: Assertion) {
  relyingPartyOf(settings);
  const spent = await readChallenge(settings, use, challengeOf(credential));
  if (!spent) throw new AppError("invalid_passkey");
  return { spent, id: toBytea(base64url.decode(credential.id)) };
}

async function verify(settings: Settings, credential: Assertion, row: CredentialRow | undefined) {
  const { user_id: userId, public_key: publicKey, sign_count: signCount } = row ?? {};
  if (!userId || !publicKey) throw new AppError("invalid_passkey");
  const { userHandle } = credential.response;
  if (userHandle && userHandle !== userHandleOf(userId)) throw new AppError("invalid_passkey");
  const { verifyAssertion } = await import("./webauthn.ts");
  const before = Number(signCount);
  const known = { userId, publicKey: fromBytea(publicKey), signCount: before };
  const used = await verifyAssertion(relyingPartyOf(settings), challengeOf(credential), credential, known);
  if (!used) throw new AppError("invalid_passkey");
  return { ...used, before, worker: toBytea(await workerKeys(settings)) };
}

function firstOf(rows: SignedInRow[]): SignedInRow {
  const row = rows[0];
  if (!row) throw new Error("the database has answered no session");
  return row;
}
