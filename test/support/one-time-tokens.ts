import { toBase64url, toBytea } from "./bytes.ts";
import { asOwner } from "./database.ts";

export type TokenPurpose = "reset_password" | "verify_email" | "change_email_old" | "change_email_new" | "sign_in";

/** A token of each kind that an operation takes on its own. */
export type MailedTokens = Record<"reset_password" | "verify_email" | "change_email_new" | "sign_in", string> & {
  invitation?: string;
  shareLink?: string;
};

/** Gives somebody a token as a mail would, which mails go to nobody else. Without `email` it is for their own. */
export async function giveToken(userId: string, purpose: TokenPurpose, email?: string): Promise<string> {
  const bytes = crypto.getRandomValues(new Uint8Array(32));
  await asOwner([
    `insert into one_time_tokens (id, user_id, purpose, email, key_hash, code_hash, expires_at)
     select gen_random_uuid(), id, $2, case when $2 not in ('reset_password', 'sign_in') then coalesce($4, email) end,
            sha256(sha256($3::bytea)), case when $2 = 'sign_in' then sha256(sha256('code of ' || $3::bytea)) end,
            now() + interval '1 hour' from users where id = $1`,
    [userId, purpose, toBytea(bytes), email ?? null],
  ]);
  return toBase64url(bytes);
}

export const giveResetToken = (userId: string): Promise<string> => giveToken(userId, "reset_password");

/** One of each, that for a new address to an address which nobody has. */
export async function giveMailedTokens(userId: string): Promise<MailedTokens> {
  return {
    reset_password: await giveResetToken(userId),
    verify_email: await giveToken(userId, "verify_email"),
    sign_in: await giveToken(userId, "sign_in"),
    change_email_new: await giveToken(userId, "change_email_new", `${crypto.randomUUID()}@example.com`),
  };
}

/** Those of somebody to whom nothing was mailed. */
export const noMailedTokens = (): MailedTokens => ({
  reset_password: crypto.randomUUID(),
  verify_email: crypto.randomUUID(),
  sign_in: crypto.randomUUID(),
  change_email_new: crypto.randomUUID(),
});
