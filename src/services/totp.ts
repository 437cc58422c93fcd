import { sql } from "drizzle-orm";
import { v7 as uuidv7 } from "uuid";
import { randomBytes } from "../crypto.ts";
import type { PersonDatabase } from "../db/index.ts";
import type { Settings } from "../env.ts";
import { AppError } from "../errors.ts";
import { seal, unseal } from "../sealing.ts";
import { attemptScope, refuseWhileWaiting } from "./attempts.ts";
import { hashToken, newNotice } from "./outbox.ts";
import { newRecoveryCodes } from "./recovery-codes.ts";
import type { ClientInfo } from "./session-starts.ts";

/** 160 bits, as RFC 4226 §4 recommends. */
const SEED_LENGTH = 20;

/** What every authenticator app can do (RFC 6238 §4), and most of them nothing else. */
const parameters = { algorithm: "SHA1", digits: 6, period: 30 };

/** An app as the database tells of it, after an attempt was taken. */
interface BegunRow extends Record<string, unknown> {
  wait_seconds: number;
  id: string | null;
  sealed_seed: string | null;
}

/** A code that was right, for the database to take. */
interface ProvenCode {
  id: string;
  /** bytea: made from the seed, which the database knows by a hash alone. */
  key: string;
  /** The time step of the code. */
  step: number;
}

const ownerOf = (id: string) => `totp_factors ${id}`;

/** bytea: where attempts at the second factor are counted, whichever it is. */
export const secondFactorScope = (settings: Settings) => attemptScope(settings, "second factor");

async function makeTotp(seed: Uint8Array, names: { issuer?: string; label?: string } = {}) {
  // Loaded where it is needed: few requests do.
  const { Secret, TOTP } = await import("otpauth");
  return new TOTP({ ...parameters, ...names, secret: new Secret({ buffer: seed.slice().buffer }) });
}

/** The time step that the code is of, one before and one after now included (RFC 6238 §5.2). */
async function findStep(seed: Uint8Array, code: string): Promise<number | undefined> {
  const totp = await makeTotp(seed);
  const timestamp = Date.now();
  const delta = totp.validate({ token: code, timestamp, window: 1 });
  return delta === null ? undefined : totp.counter({ timestamp }) + delta;
}

/**
 * Proves a code of the app that the database told of.
 *
 * @throws AppError `too_many_attempts`; `wrong_code`; `encryption_off` where the seed cannot be read.
 */
export async function proveCode(settings: Settings, begun: BegunRow | undefined, code: string): Promise<ProvenCode> {
  refuseWhileWaiting(begun?.wait_seconds ?? 0);
  if (!begun?.id || !begun.sealed_seed) throw new AppError("wrong_code");
  const seed = await unseal(settings, ownerOf(begun.id), begun.sealed_seed);
  const step = await findStep(seed, code);
  if (step === undefined) throw new AppError("wrong_code");
  return { id: begun.id, key: await hashToken(seed), step };
}

/** What an authenticator app reads; shown once. */
export interface TotpEnrollment {
  /** Base32 (RFC 4648 §6). */
  secret: string;
  /** For a QR code, in the Key URI Format. */
  uri: string;
}

/**
 * Begins with a new app, which is asked for once it is activated; until then an older one stays.
 *
 * @throws AppError `encryption_off` where seeds cannot be encrypted.
 */
export async function enrollTotp(database: PersonDatabase, settings: Settings): Promise<TotpEnrollment> {
  const id = uuidv7();
  const seed = randomBytes(SEED_LENGTH);
  const sealed = await seal(settings, ownerOf(id), seed);
  const key = await hashToken(seed);
  const [enrolled] = await database.run((queries) => [
    queries.execute<{ email: string | null }>(
      sql`select app.enroll_totp(${id}::uuid, ${sealed}::bytea, ${key}::bytea) as email`,
    ),
  ]);
  const email = enrolled.rows[0]?.email;
  if (!email) throw new AppError("unauthenticated");
  const totp = await makeTotp(seed, { issuer: issuerOf(settings), label: email });
  return { secret: totp.secret.base32, uri: totp.toString() };
}

/** The name under which apps list the account; a colon would end it. */
function issuerOf({ TOTP_ISSUER: issuer, APP_URL: appUrl, PUBLIC_ORIGIN: origin }: Settings): string {
  return issuer ?? URL.parse(appUrl ?? origin ?? "")?.hostname ?? "localhost";
}

/**
 * Makes the new app the one that is asked for, and counts this session as signed in with it. With the first second
 * factor the other sessions end. Two requests to the database: the first counts the attempt, which must stay counted
 * although the code is wrong, and between them the Worker compares, which alone can read the seed.
 *
 * @returns recovery codes with the first second factor, which nobody sees again; else null.
 * @throws AppError `not_found` without a new app; `wrong_code`; `too_many_attempts`.
 */
export async function activateTotp(
  database: PersonDatabase,
  settings: Settings,
  { code, ipAddress, userAgent }: { code: string } & ClientInfo,
): Promise<string[] | null> {
  const scope = await secondFactorScope(settings);
  const [begun] = await database.run((queries) => [
    queries.execute<BegunRow>(
      sql`select wait_seconds, id, sealed_seed from app.begin_totp_activation(${scope}::bytea)`,
    ),
  ]);
  const row = begun.rows[0];
  refuseWhileWaiting(row?.wait_seconds ?? 0);
  if (!row?.id) throw new AppError("not_found", { detail: "No authenticator app waits for its first code." });
  const { id, key, step } = await proveCode(settings, row, code);
  const recovery = await newRecoveryCodes();
  const notice = await newNotice(settings, database);
  const [activated] = await database.run((queries) => [
    queries.execute<{ are_kept: boolean }>(
      sql`select app.activate_totp(${scope}::bytea, ${id}::uuid, ${key}::bytea, ${step}::bigint, ${sql.param(recovery.keys)}::bytea[],
        ${ipAddress}::text, ${userAgent}::text, ${notice.id}::uuid, ${notice.key}::bytea) as are_kept`,
    ),
  ]);
  return activated.rows[0]?.are_kept ? recovery.codes : null;
}

/**
 * Removes the person's app. With their last second factor the recovery codes go.
 *
 * @throws AppError `not_found` without one that is active.
 */
export async function removeTotp(
  database: PersonDatabase,
  settings: Settings,
  { ipAddress, userAgent }: ClientInfo,
): Promise<void> {
  const notice = await newNotice(settings, database);
  await database.run((queries) => [
    queries.execute(
      sql`select app.remove_totp(${ipAddress}::text, ${userAgent}::text, ${notice.id}::uuid, ${notice.key}::bytea)`,
    ),
  ]);
}
