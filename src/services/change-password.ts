import { sql } from "drizzle-orm";
import type { PersonDatabase } from "../db/index.ts";
import type { Settings } from "../env.ts";
import { newNotice } from "./outbox.ts";
import { checkNewPassword, hashPassword, refuseOwnWords, refusePassword } from "./passwords/index.ts";
import { provePassword } from "./reauthentication.ts";

const path = "body.newPassword";

/**
 * Replaces the signed-in person's password, and ends their other sessions; this one counts as freshly
 * authenticated. Two requests to the database: see `provePassword`.
 *
 * The new password must be another: whoever knows the old one would keep the account, while its person
 * believes to have shut them out.
 *
 * @throws AppError `invalid_request` for a new password that is refused, `wrong_password`, `too_many_attempts`.
 */
export async function changePassword(
  database: PersonDatabase,
  settings: Settings,
  input: { currentPassword: string; newPassword: string; ipAddress: string | null },
): Promise<void> {
  const { currentPassword, newPassword, ipAddress } = input;
  if (newPassword.normalize("NFKC") === currentPassword.normalize("NFKC"))
    throw refusePassword(path, "is the current one");
  await checkNewPassword(settings, newPassword, [], path);
  const notice = await newNotice(settings, database);
  await provePassword(database, settings, currentPassword, async ({ scope, hash, account }) => {
    refuseOwnWords(newPassword, [account.email, account.name], path);
    const next = await hashPassword(settings, newPassword);
    const [compared] = await database.run((queries) => [
      queries.execute<{ done: boolean }>(
        sql`select app.change_password(${scope}::bytea, ${hash}, ${next.scheme}::int, ${next.salt}, ${next.hash}, ${ipAddress}::text,
          ${notice.id}::uuid, ${notice.key}::bytea) as done`,
      ),
    ]);
    return compared.rows[0]?.done === true;
  });
}
