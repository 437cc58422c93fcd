import { name, scopeOf } from "./commitments-attempts.ts";
import { id, type Person } from "./people.ts";
import { text, type Scene } from "./scene.ts";

const noticeId = id(8003);
const noticeKey = "\\x0d";
export const notice = `'here', 'agent', '${noticeId}', ${text(noticeKey)}`;
export const newId = id(8005);
export const handle = "\\x08";
const completion = `${text(handle)}, '400 days', '2 days'`;

const factorOf = ({ id: userId }: Person) => `(select id from totp_factors where user_id = '${userId}')`;
/** The id itself, which the caller must not be able to read. */
export const factorId = async (scene: Scene, person: Person) =>
  String((await scene.see(`select ${factorOf(person)}`))[0]?.[0]);
export const sealedSeedOf = async (scene: Scene, { id: userId }: Person) =>
  String((await scene.see(`select sealed_seed::text from totp_factors where user_id = '${userId}'`))[0]?.[0]);
export const verify = (factor: string, key: string, step: string | number) =>
  `select id, email, email_verified, name, created_at is not null, updated_at is not null, expires_at = (now() + interval '365 days')::timestamptz(3), noticed, factors
     from app.verify_totp(${text(name)}, '${factor}', ${key}, ${step}, ${completion})`;
export const useCode = (key: string) =>
  `select wait_seconds, (session).id, (session).email, (session).noticed, (session).factors
     from app.use_recovery_code(${text(name)}, ${key}, ${completion}, ${notice})`;
export const begin = `select * from app.begin_totp(${text(name)})`;

export const everything: [table: string, condition?: string][] = [
  ["users"],
  ["sessions"],
  ["totp_factors"],
  ["recovery_codes"],
  ["outbox"],
  ["throttles"],
];
export const allSame = everything.map(() => true);

export const mailed = `select key_hash = sha256(${text(noticeKey)}), user_id, recipient, template, data->>'name', data->>'ipAddress', data->>'userAgent' from outbox where id = '${noticeId}'`;
export const mailTo = ({ id: userId, email }: Person, template: string) => [
  [true, userId, email, template, `Name of ${email}`, "here", "agent"],
];

export const taken = (person: Person) => `select attempts from throttles where scope = ${scopeOf(person)}`;
