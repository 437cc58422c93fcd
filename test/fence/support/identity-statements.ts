import { id, type Person, workerKey } from "./people.ts";
import { text, type Scene } from "./scene.ts";
import { admission } from "./world.ts";

export const hex = (bytes: Buffer) => `\\x${bytes.toString("hex")}`;
export const filled = (byte: number) => Buffer.alloc(32, byte);

/** A ticket with these keys, which nobody has handed in. */
export const ticket = (n: number, ...keys: Buffer[]) => hex(Buffer.concat([filled(n), ...keys]));
export const good = ticket(1, workerKey);

export const [userId, identityId, sessionId, noticeId] = [id(9001), id(9002), id(9003), id(9004)];

export interface Claims {
  ticket?: string;
  provider?: string;
  connectionId?: string;
  subject?: string;
  email?: string | null;
  isVerified?: boolean | null;
  isMailed?: boolean;
}

const nullable = (value: string | null | undefined) => (value == null ? "null" : text(value));

/** Somebody new, unless the claims say otherwise. */
export const signIn = ({
  ticket = good,
  provider = "google",
  connectionId,
  subject = "new",
  email = "new@example.test",
  isVerified = true,
  isMailed = true,
}: Claims = {}) =>
  `select (r.signed_in).id, (r.signed_in).email, (r.signed_in).email_verified, (r.signed_in).name, (r.signed_in).factors, r.linked
     from app.sign_in_with_provider(${text(ticket)}, ${text(provider)}, ${nullable(connectionId)}, ${text(subject)}, ${nullable(email)},
       ${isVerified}, 'New', '${userId}', '${identityId}', '${sessionId}', '\\x08', '2 days', '1 day', 'here', 'agent', null, null,
       ${isMailed ? `'${noticeId}', '\\x0d'` : "null, null"}) r`;

export const link = (
  { ticket = good, provider = "google", connectionId, subject = "new", email = "new@example.test" }: Claims = {},
  isMailed = true,
) =>
  `select id, provider, email, last_used_at from app.link_identity(${text(ticket)}, ${text(provider)}, ${nullable(connectionId)}, ${text(subject)},
     ${nullable(email)}, '${identityId}', ${isMailed ? `'${noticeId}', '\\x0d'` : "null, null"})`;

export const subjectOf = (person: Person) => `subject ${person.id}`;
export const identities = `select user_id, provider, connection_id, subject, email, last_used_at = now()::timestamptz(3) from identities where id = '${identityId}'`;
export const message = `select user_id, recipient, template, key_hash = sha256('\\x0d'), data->>'name', data->>'ipAddress', data->>'userAgent'
  from outbox where id = '${noticeId}'`;

export const verify = ({ id: personId }: Person) =>
  `update users set email_verified_at = now() - interval '1 day' where id = '${personId}'`;
export const keys = `select key_hash from app_private.worker_keys order by 1`;

/** All that people sign in with. */
export const everything: [table: string, condition?: string][] = [
  "users",
  "sessions",
  "identities",
  "passkeys",
  "totp_factors",
  "recovery_codes",
  "one_time_tokens",
  "outbox",
  "spent_challenges",
].map((table) => [table]);

export const notOf = ({ id: personId }: Person): [table: string, condition?: string][] => [
  ["users", `id not in ('${personId}', '${userId}')`],
  ...["sessions", "identities", "passkeys", "totp_factors", "recovery_codes", "one_time_tokens", "outbox"].map(
    (table): [string, string] => [table, `user_id not in ('${personId}', '${userId}')`],
  ),
];

export const asSpare = (scene: Scene) => admission(scene.person("spare"));
