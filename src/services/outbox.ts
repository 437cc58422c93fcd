import { sql } from "drizzle-orm";
import { base64url } from "jose";
import { v7 as uuidv7 } from "uuid";
import { hmac, sha256, toBytea } from "../crypto.ts";
import type { Database, SystemDatabase } from "../db/index.ts";
import { secretsOf, type Settings } from "../env.ts";
import { AppError } from "../errors.ts";
import type { Delivery } from "../mail/providers.ts";
import type { MailTemplate } from "../mail/templates.ts";

/** Messages that one pass takes; a pass is three requests to the database, and as many to the provider. */
export const PASS_SIZE = 40;

/** So a minute's run sends 1,000 at most. */
const MAX_PASSES = 25;

export interface Message {
  id: string;
  /** bytea: what the database knows the hash of. */
  key: string;
}

interface ClaimedMessage {
  id: string;
  recipient: string | null;
  template: string;
  data: Record<string, string | null>;
  attempts: number;
}

/** A message's token: 256 bits that no table holds, since they can be made again from the id at every attempt. */
async function tokenOf(secret: string, id: string): Promise<Uint8Array> {
  return hmac(secret, "message", id);
}

/** Eight digits to type in place of the token. No table holds them either. */
export async function codeOf(secret: string, id: string): Promise<string> {
  const { buffer } = await hmac(secret, "message code", base64url.encode(await tokenOf(secret, id)));
  return String(new DataView(buffer).getBigUint64(0) % 100_000_000n).padStart(8, "0");
}

/**
 * What the database is sent instead of a code: by the secret, since whoever has a copy of a hash tries all codes in
 * no time.
 */
export async function hashCode(secret: string, email: string, code: string): Promise<string> {
  return toBytea(await hmac(secret, "message code key", `${email}\n${code}`));
}

/** What the database is sent instead of a token. */
export async function hashToken(token: Uint8Array): Promise<string> {
  return toBytea(await sha256(token));
}

/**
 * A message for this request's transaction to queue, which is sent after the answer.
 *
 * @throws AppError `email_off` where no provider is set up.
 */
export async function newMessage(settings: Settings, database: Database): Promise<Message> {
  if (!settings.EMAIL_PROVIDER) {
    throw new AppError("email_off", { detail: "E-mail is not set up here: the setting EMAIL_PROVIDER is missing." });
  }
  const id = uuidv7();
  database.messages.push(id);
  return { id, key: await hashToken(await tokenOf(settings.JWT_SECRET, id)) };
}

/** The same for a notice, which is not queued where no provider is set up. */
export async function newNotice(settings: Settings, database: Database): Promise<Message | { id: null; key: null }> {
  return settings.EMAIL_PROVIDER ? newMessage(settings, database) : { id: null, key: null };
}

/** Sends those of the messages that were committed and that nobody else is sending. Each at least once: see README. */
export async function sendMessages(
  database: SystemDatabase,
  settings: Settings,
  binding: SendEmail | undefined,
  ids: readonly string[],
): Promise<void> {
  const claims = await Promise.all(
    secretsOf(settings).map(async (secret) => ({ secret, keys: await keysOf(secret, ids) })),
  );
  // One batch: a message is given to the secret that it was queued under, and to no other.
  const results = await database.run((queries) =>
    claims.map(({ keys }) =>
      queries.execute<ClaimedMessage & Record<string, unknown>>(
        sql`select id, recipient, template, data, attempts from app.claim_messages(${sql.param([...keys.keys()])}::uuid[], ${sql.param([...keys.values()])}::bytea[])`,
      ),
    ),
  );
  const claimed = claims.flatMap(({ secret, keys }, index) =>
    (results[index]?.rows ?? []).map((message) => ({ message, secret, key: keys.get(message.id) })),
  );
  if (claimed.length === 0) return;
  const deliveries = await Promise.all(
    claimed.map(async ({ message, secret, key }) => {
      return { message, key, delivery: await deliver(settings, secret, binding, message) };
    }),
  );
  const settled = await database.run((queries) =>
    deliveries.map(({ message, key, delivery }) => {
      const reason = delivery.outcome === "delivered" ? null : delivery.reason;
      const isFinal = delivery.outcome === "refused";
      return queries.execute<{ dead: boolean }>(
        sql`select app.settle_message(${message.id}::uuid, ${key}::bytea, ${reason}::text, ${isFinal}::boolean) as dead`,
      );
    }),
  );
  for (const [index, { message, delivery }] of deliveries.entries()) {
    if (delivery.outcome === "delivered") continue;
    const dead = settled[index]?.rows[0]?.dead === true;
    const { id, template, attempts } = message;
    const entry = { level: dead ? "error" : "warn", message: "mail not sent", id, template, attempts, dead };
    console.error(JSON.stringify({ ...entry, reason: delivery.reason }));
  }
}

/** The messages' keys under one of the secrets, by id. */
async function keysOf(secret: string, ids: readonly string[]): Promise<Map<string, string>> {
  const keys = new Map<string, string>();
  for (const id of ids) keys.set(id, await hashToken(await tokenOf(secret, id)));
  return keys;
}

async function deliver(
  settings: Settings,
  secret: string,
  binding: SendEmail | undefined,
  { id, recipient, template, data }: ClaimedMessage,
): Promise<Delivery> {
  const { EMAIL_PROVIDER: provider, EMAIL_FROM: from, APP_URL: appUrl } = settings;
  if (!provider || !from || !appUrl) return { outcome: "failed", reason: "EMAIL_PROVIDER is not set" };
  // Queued for an address without an account, so that asking takes the same time for every address.
  if (recipient === null) return { outcome: "delivered" };
  // After the answer, and so not at start.
  const [{ sendMail }, { mailTemplates, renderMail }] = await Promise.all([
    import("../mail/providers.ts"),
    import("../mail/templates.ts"),
  ]);
  const isTemplate = (name: string): name is MailTemplate => Object.hasOwn(mailTemplates, name);
  if (!isTemplate(template)) return { outcome: "refused", reason: "the template is not known" };
  const token = base64url.encode(await tokenOf(secret, id));
  const content = renderMail(template, { appUrl, token, code: await codeOf(secret, id), data });
  return sendMail({ ...settings, EMAIL_PROVIDER: provider }, binding, { id, from, to: recipient, ...content });
}

/** What a provider that was down, or a Worker that died, has left behind. */
export async function sendDueMessages(
  database: SystemDatabase,
  settings: Settings,
  binding: SendEmail | undefined,
): Promise<void> {
  const tried: string[] = [];
  for (let pass = 0; pass < MAX_PASSES; pass++) {
    const [due] = await database.run((queries) => [
      queries.execute<{ id: string }>(
        sql`select id from app.due_messages(${PASS_SIZE}::int, ${sql.param(tried)}::uuid[])`,
      ),
    ]);
    const ids = due.rows.map(({ id }) => id);
    tried.push(...ids);
    if (ids.length > 0) await sendMessages(database, settings, binding, ids);
    if (ids.length < PASS_SIZE) return;
  }
}
