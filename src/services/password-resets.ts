import { sql } from "drizzle-orm";
import { base64url } from "jose";
import type { SystemDatabase } from "../db/index.ts";
import type { Settings } from "../env.ts";
import { hashToken, newMessage } from "./outbox.ts";
import { checkNewPassword, hashPassword } from "./passwords/index.ts";

/** Milliseconds that an answer takes at least, which are more than the database does: no clock tells who has an account. */
const MIN_ANSWER_TIME = 100;

/**
 * Mails a link to the address, when it has an account: five an hour at most, each good for one hour. The
 * caller is not told which.
 *
 * @throws AppError `email_off` where no mail provider is set up.
 */
export async function requestPasswordReset(database: SystemDatabase, settings: Settings, email: string): Promise<void> {
  const { id, key } = await newMessage(settings, database);
  await Promise.all([
    database.run((queries) => [queries.execute(sql`select app.forgot_password(${email}, ${id}::uuid, ${key}::bytea)`)]),
    scheduler.wait(MIN_ANSWER_TIME),
  ]);
}

/**
 * Sets the password of the account that the token was mailed to, and ends all its sessions: whoever holds
 * the mailbox takes the account over from whoever registered it, or got into it.
 *
 * @throws AppError `invalid_token` for one that is unknown, used or expired; `invalid_request` for a password
 *   that is refused, and the token stays good; `email_off`.
 */
export async function resetPassword(
  database: SystemDatabase,
  settings: Settings,
  input: { token: string; password: string; ipAddress: string | null },
): Promise<void> {
  await checkNewPassword(settings, input.password, []);
  const notice = await newMessage(settings, database);
  const key = await hashToken(base64url.decode(input.token));
  const { scheme, salt, hash } = await hashPassword(settings, input.password);
  await database.run((queries) => [
    queries.execute(sql`select app.reset_password(${key}::bytea, ${scheme}::int, ${salt}, ${hash}, ${input.ipAddress}::text,
      ${notice.id}::uuid, ${notice.key}::bytea)`),
  ]);
}
