import { mailed, newId, newKey } from "./mailed-tokens.ts";
import { id, type Person } from "./people.ts";
import { text, type Scene } from "./scene.ts";

export const codeKey = "\\x0c";
export const [network, account, home] = ["a1", "a2", "a3"].map((byte) => `\\x${byte.repeat(32)}`);
export const notice = { id: id(8005), key: "\\x0f" };
export const session = `'${id(8001)}', '\\x08', '1 day', '1 hour', 'here', 'agent'`;
export const ofPeople = "users sessions identities totp_factors recovery_codes passkeys one_time_tokens".split(" ");

export const request = (email: string) =>
  `select app.request_email_sign_in(${text(email)}, ${mailed(newId)}, ${text(codeKey)})`;
export const byLink = (key: string) =>
  `select id, email_verified, noticed, factors from app.sign_in_by_link(${text(key)}, ${session}, '${notice.id}', ${text(notice.key)})`;
export const byCode = (email: string, keys: string[]) =>
  `select wait_seconds, (session).id, (session).email_verified, (session).noticed, (session).factors
     from app.sign_in_by_code(${text(email)}, array[${keys.map(text).join(",")}]::bytea[], ${session},
       ${[network, account, home].map((scope) => text(scope ?? "")).join(", ")}, '${notice.id}', ${text(notice.key)})`;

/** A mail that they got a minute ago; the foreign key's look at the account would lock it as well. */
export const give = (scene: Scene, { id: userId }: Person, { key = newKey, code = codeKey, left = "9 minutes" } = {}) =>
  scene.see(
    `set local session_replication_role = replica;
     insert into one_time_tokens (id, user_id, purpose, key_hash, code_hash, created_at, expires_at)
     values (gen_random_uuid(), '${userId}', 'sign_in', sha256(${text(key)}), sha256(${text(code)}), now() - interval '1 minute', now() + interval '${left}');
     set local session_replication_role = origin`,
  );
export const liveTokens = ({ id: userId }: Person) =>
  `select count(*)::int from one_time_tokens where user_id = '${userId}' and purpose = 'sign_in' and expires_at > now()`;
export const sessionMade = `select user_id, handle_hash = sha256('\\x08'), second_factor from sessions where id = '${id(8001)}'`;
export const attempts = async (scene: Scene) => {
  const [row = []] = await scene.see(
    `select ${[network, account, home].map((scope) => `(select attempts from throttles where scope = ${text(scope ?? "")})`).join(", ")}`,
  );
  return row;
};
export const count = (scene: Scene, scope: string | undefined, made: number) =>
  scene.see(`insert into throttles values (${text(scope ?? "")}, ${made}, date_trunc('milliseconds', now()))`);
