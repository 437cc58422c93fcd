import { asOwner } from "./database.ts";

/** Gives somebody a token as the mail of POST /v1/auth/forgot-password would, which mails go to nobody else. */
export async function giveResetToken(userId: string): Promise<string> {
  const bytes = crypto.getRandomValues(new Uint8Array(32));
  await asOwner([
    `insert into one_time_tokens (id, user_id, purpose, key_hash, expires_at)
     values (gen_random_uuid(), $1, 'reset_password', sha256(sha256($2::bytea)), now() + interval '1 hour')`,
    [userId, `\\x${Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")}`],
  ]);
  return btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");
}
