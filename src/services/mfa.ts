import { count, eq, isNotNull, and, sql } from "drizzle-orm";
import type { PersonDatabase } from "../db/index.ts";
import { passkeys, recoveryCodes, totpFactors } from "../db/schema.ts";
import type { Settings } from "../env.ts";
import { AppError } from "../errors.ts";
import { refuseWhileWaiting } from "./attempts.ts";
import { newNotice } from "./outbox.ts";
import { hashRecoveryCode } from "./recovery-codes.ts";
import { type ClientInfo, issueTokens, type SignedIn, signedInColumns, type SignedInRow } from "./session-starts.ts";
import { hashHandle, newHandle, type RefreshTokenCarrier } from "./tokens.ts";
import { proveCode, secondFactorScope } from "./totp.ts";

export interface MfaStatus {
  totp: { activatedAt: string } | null;
  passkeys: number;
  recoveryCodesLeft: number;
}

const me = sql`(select app.user_id())`;

export async function readMfaStatus(database: PersonDatabase): Promise<MfaStatus> {
  const [[totp], [keys], [codes]] = await database.run((queries) => [
    queries
      .select({ activatedAt: totpFactors.activatedAt })
      .from(totpFactors)
      .where(and(eq(totpFactors.userId, me), isNotNull(totpFactors.activatedAt))),
    queries.select({ count: count() }).from(passkeys).where(eq(passkeys.userId, me)),
    queries.select({ count: count() }).from(recoveryCodes).where(eq(recoveryCodes.userId, me)),
  ]);
  return {
    totp: totp?.activatedAt ? { activatedAt: totp.activatedAt } : null,
    passkeys: keys?.count ?? 0,
    recoveryCodesLeft: codes?.count ?? 0,
  };
}

/** A code of the person's app, or one of their recovery codes. */
export type SecondFactorProof = { code: string } | { recoveryCode: string };

/**
 * Completes a session that waits for its second factor. A code takes two requests to the database: the first counts
 * the attempt, which must stay counted although the code is wrong, and between them the Worker compares, which alone
 * can read the seed. A recovery code takes one.
 *
 * @throws AppError `wrong_code`; `too_many_attempts` after five wrong ones, each time for longer, 15 minutes at most;
 *   `mfa_not_required` for a session that is complete.
 */
export async function verifySecondFactor(
  database: PersonDatabase,
  settings: Settings,
  input: { proof: SecondFactorProof; carrier: RefreshTokenCarrier } & ClientInfo,
): Promise<SignedIn> {
  const handle = newHandle();
  const completion = await completionOf(settings, handle);
  const { proof } = input;
  const row =
    "code" in proof
      ? await useCode(database, settings, completion, proof.code)
      : await useRecoveryCode(database, settings, completion, { ...input, recoveryCode: proof.recoveryCode });
  if (!row) throw new AppError("wrong_code");
  const { user, expires_at: expiresAt } = row;
  return { ...(await issueTokens(settings, { userId: user.id, handle }, 1, expiresAt, input.carrier)), user };
}

/** The arguments that a session is completed with. */
async function completionOf({ SESSION_EXPIRATION: { absolute, idle } }: Settings, handle: string) {
  return sql`${await hashHandle(handle)}::bytea, make_interval(secs => ${absolute}::int), make_interval(secs => ${idle}::int)`;
}

type Completion = Awaited<ReturnType<typeof completionOf>>;

async function useCode(
  database: PersonDatabase,
  settings: Settings,
  completion: Completion,
  code: string,
): Promise<SignedInRow | undefined> {
  const scope = await secondFactorScope(settings);
  const [begun] = await database.run((queries) => [
    queries.execute<{ wait_seconds: number; id: string | null; sealed_seed: string | null }>(
      sql`select wait_seconds, id, sealed_seed from app.begin_totp(${scope}::bytea)`,
    ),
  ]);
  const { id, key, step } = await proveCode(settings, begun.rows[0], code);
  const [completed] = await database.run((queries) => [
    queries.execute<SignedInRow>(sql`
      select ${signedInColumns}
        from app.verify_totp(${scope}::bytea, ${id}::uuid, ${key}::bytea, ${step}::bigint, ${completion}) u`),
  ]);
  return completed.rows[0];
}

async function useRecoveryCode(
  database: PersonDatabase,
  settings: Settings,
  completion: Completion,
  { recoveryCode, ipAddress, userAgent }: { recoveryCode: string } & ClientInfo,
): Promise<SignedInRow | undefined> {
  const scope = await secondFactorScope(settings);
  const key = await hashRecoveryCode(recoveryCode);
  // Sent only when it was queued, which a wrong code does not do.
  const messages: string[] = [];
  const notice = await newNotice(settings, { ...database, messages });
  const [used] = await database.run((queries) => [
    queries.execute<SignedInRow & { wait_seconds: number; is_used: boolean }>(sql`
      select used.wait_seconds, u.id is not null as is_used, ${signedInColumns}
        from app.use_recovery_code(${scope}::bytea, ${key}::bytea, ${completion}, ${ipAddress}::text, ${userAgent}::text,
          ${notice.id}::uuid, ${notice.key}::bytea) used, lateral (select (used.session).*) u`),
  ]);
  const row = used.rows[0];
  refuseWhileWaiting(row?.wait_seconds ?? 0);
  if (!row?.is_used) return undefined;
  database.messages.push(...messages);
  return row;
}
