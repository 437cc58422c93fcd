import { text, type Scene } from "./scene.ts";
import { id, type Person } from "./people.ts";
import { admission } from "./world.ts";

export const next = "next@example.test";
export const [newId, newKey, oldId, oldKey] = [id(8003), "\\x0d", id(8004), "\\x0e"];
export const mailed = (messageId: string | null, key = newKey) =>
  `${messageId === null ? "null" : `'${messageId}'`}, ${messageId === null ? "null" : text(key)}`;

export const asOwner = (scene: Scene) => admission(scene.person("owner"));

/** A token as a mail would give it: `key` is SHA-256 of what is in the mail. */
export interface Token {
  purpose: string;
  key?: string;
  email?: string | null;
  age?: string;
  left?: string;
}

/** Past the foreign key's look at the account, which would lock it as well. */
export const addTokens = (scene: Scene, { id: userId }: Person, tokens: Token[]) =>
  scene.see(
    `set local session_replication_role = replica;
     insert into one_time_tokens (id, user_id, purpose, email, key_hash, created_at, expires_at) values
     ${tokens
       .map(
         ({ purpose, key, email = next, age = "1 minute", left = "1 minute" }) =>
           `(gen_random_uuid(), '${userId}', ${text(purpose)}, ${text(purpose === "reset_password" ? null : email)},
             ${key ? `sha256(${text(key)}::bytea)` : "sha256(gen_random_uuid()::text::bytea)"}, now() - interval '${age}', now() + interval '${left}')`,
       )
       .join(", ")};
     set local session_replication_role = origin`,
  );
export const several = (count: number, token: Token): Token[] => Array.from({ length: count }, () => token);

export const verified = (scene: Scene, person: Person, age = "1 day") =>
  scene.see(`update users set email_verified_at = now() - interval '${age}' where id = '${person.id}'`);

export const tokensOf = ({ id: userId }: Person) =>
  `select purpose, count(*)::int from one_time_tokens where user_id = '${userId}' and expires_at > now() group by 1 order by 1`;
export const tokenMade = (tokenId: string, key: string) =>
  `select user_id, purpose, email, key_hash = sha256(${text(key)}), extract(epoch from expires_at - now()::timestamptz(3))::int / 3600
     from one_time_tokens where id = '${tokenId}'`;
export const messageMade = (messageId: string, key: string) =>
  `select user_id, recipient, template, key_hash = sha256(${text(key)}), data::text from outbox where id = '${messageId}'`;
export const made = async (scene: Scene, tokenId = newId, key = newKey) => [
  await scene.see(tokenMade(tokenId, key)),
  await scene.see(messageMade(tokenId, key)),
];
export const addressOf = ({ id: userId }: Person) =>
  `select email, email_verified_at = now()::timestamptz(3) from users where id = '${userId}'`;

export const owner = "person-100@example.test";
export const nameOf = (email: string, newEmail?: string) =>
  `{"name" : "Name of ${email}"${newEmail ? `, "newEmail" : "${newEmail}"` : ""}}`;
export const everything: [table: string, condition?: string][] = [
  ["users"],
  ["sessions"],
  ["one_time_tokens"],
  ["outbox"],
];
export const notOf = ({ id: userId }: Person): [table: string, condition?: string][] => [
  ["users", `id <> '${userId}'`],
  ["sessions"],
  ["one_time_tokens", `user_id <> '${userId}'`],
  ["outbox", `user_id <> '${userId}'`],
];
/** Neither a token nor a message: what `made` finds then. */
export const nothing = [[], []];
