import { sql } from "drizzle-orm";
import { base64url } from "jose";
import type { PersonDatabase } from "../db/index.ts";
import type { Settings } from "../env.ts";
import { AppError } from "../errors.ts";
import { hashToken, newMessage } from "./outbox.ts";
import { selectMe, type User } from "./users.ts";

/**
 * Mails the signed-in person a new token, unless their address is verified: five an hour at most.
 *
 * @throws AppError `rate_limited`, `email_off`.
 */
export async function resendVerification(database: PersonDatabase, settings: Settings): Promise<void> {
  const { id, key } = await newMessage(settings, database);
  await database.run((queries) => [queries.execute(sql`select app.resend_verification(${id}::uuid, ${key}::bytea)`)]);
}

/**
 * Verifies the address of the signed-in person, which the token was mailed to. The session is asked for, since
 * whoever opens the link need not be the one who signed up with their address.
 *
 * @throws AppError `invalid_token` for one that is unknown, used, expired, or somebody else's.
 */
export async function verifyEmail(database: PersonDatabase, token: string): Promise<User> {
  const key = await hashToken(base64url.decode(token));
  const [, [me]] = await database.run((queries) => [
    queries.execute(sql`select app.verify_email(${key}::bytea)`),
    selectMe(queries),
  ]);
  if (!me) throw new AppError("unauthenticated");
  return me;
}

/**
 * Mails a token to the new address, and one to the present address if that is verified: five times an hour at
 * most. The caller is not told whether the new address has an account; its owner is.
 *
 * @throws AppError `invalid_request` for the present address; `rate_limited`, `email_off`.
 */
export async function requestEmailChange(
  database: PersonDatabase,
  settings: Settings,
  newEmail: string,
): Promise<void> {
  const [old, fresh] = [await newMessage(settings, database), await newMessage(settings, database)];
  await database.run((queries) => [
    queries.execute(sql`select app.request_email_change(${newEmail}, ${old.id}::uuid, ${old.key}::bytea,
      ${fresh.id}::uuid, ${fresh.key}::bytea)`),
  ]);
}

/**
 * Confirms one of the two addresses; once none is left to confirm, the address is changed, all mailed tokens of
 * the account end, and a notice goes to the old address.
 *
 * @throws AppError `invalid_token`; `email_taken` when somebody took the address meanwhile; `email_off`.
 */
export async function confirmEmailChange(
  database: PersonDatabase,
  settings: Settings,
  token: string,
): Promise<"pending" | "changed"> {
  const notice = await newMessage(settings, database);
  const key = await hashToken(base64url.decode(token));
  const [confirmed] = await database.run((queries) => [
    queries.execute<{ status: "pending" | "changed" }>(
      sql`select app.confirm_email_change(${key}::bytea, ${notice.id}::uuid, ${notice.key}::bytea) as status`,
    ),
  ]);
  const [row] = confirmed.rows;
  if (!row) throw new Error("app.confirm_email_change returned no row");
  return row.status;
}
