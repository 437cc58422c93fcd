import { createHash } from "node:crypto";
import type { Client } from "pg";

import { builtInRoles, permissions } from "../../../src/permissions.ts";
import { insertMembers } from "../../support/members-sql.ts";

export interface Person {
  id: string;
  email: string;
  /** What the Worker would send for the session, as bytea. */
  handle: string;
  sessionId: string;
  /** A mail on its way to them and the token in it have the same id, and the same key, as bytea. */
  messageId: string;
  messageKey: string;
  /** bcrypt's 29 characters of parameters, and the whole hash that signs in. */
  salt: string;
  hash: string;
}
export type People = Record<string, Person>;

/** The same in every run, so that outcomes can be compared: `n` in the last digits. */
export const id = (n: number): string => `019ab0de-0000-7000-8000-${String(n).padStart(12, "0")}`;

/** What the Worker would send for the API key of this name, as bytea. */
export const keyHandle = (name: string): string =>
  `\\x${createHash("sha256").update(`api key of ${name}`).digest("hex")}`;

/** Three, so that a row of the second cannot hide, by a conflict, what is possible in the third. */
export const organizations = { mine: id(1), theirs: id(2), third: id(3) };

const { mine, theirs, third } = organizations;

/** A plan that was made for one customer. */
export const privatePlanId = id(9600);

/** A price of it, and one that anybody can have. */
export const privatePriceId = id(9610);
export const publicPriceId = id(9612);

/** What the Worker of this world brings along with a ticket. */
export const workerKey = Buffer.alloc(32, 0x0a);

/** Who there is, and their roles. */
const memberships: Record<string, Record<string, string>> = {
  ...Object.fromEntries(builtInRoles.map((role) => [role, { [mine]: role }])),
  ...Object.fromEntries(permissions.map((permission) => [`only ${permission}`, { [mine]: `only ${permission}` }])),
  both: { [mine]: "viewer", [theirs]: "owner" },
  bare: { [mine]: "bare" },
  revoked: { [mine]: "owner" },
  expired: { [mine]: "owner" },
  disabled: { [mine]: "owner" },
  founder: { [theirs]: "owner" },
  helper: { [theirs]: "member" },
  outsider: { [third]: "owner" },
  spare: {},
  administrator: {},
};

/** Those whose sessions begin without a second factor. */
const signsInByPasswordAlone = new Set(["owner", "member", "viewer", "spare", "disabled", "administrator"]);

export async function addPeople(client: Client): Promise<People> {
  const bills: [statement: string, params: unknown[]][] = [];
  for (const [slug, organizationId] of Object.entries(organizations)) {
    await client.query("insert into organizations (id, name, slug) values ($1, 'Organization ' || $2, 'slug-' || $2)", [
      organizationId,
      slug,
    ]);
    await client.query(
      `insert into sso_connections (organization_id, id, domain, txt_record, issuer, client_id, sealed_client_secret)
       values ($1, gen_random_uuid(), $2::text || '.test', 'proof of ' || $2::text || ' for a domain', 'https://' || $2::text || '.test', 'client of ' || $2::text, sha256($2::text::bytea))`,
      [organizationId, slug],
    );
    await client.query(
      `with endpoint as (
         insert into webhook_endpoints (organization_id, id, url, description, event_types, sealed_secret)
         values ($1, gen_random_uuid(), 'https://hooks.' || $2::text || '.test/', 'Endpoint of ' || $2::text, '{organization.purged}', sha256(('webhook of ' || $2::text)::bytea))
         returning organization_id, id)
       insert into webhook_messages (organization_id, endpoint_id, type, subject_id, payload, status, settled_at)
       select organization_id, id, 'team.created', gen_random_uuid(), json_build_object('message of', $2::text), 'dead', now() from endpoint`,
      [organizationId, slug],
    );
    bills.push([
      `with subscription as (
         insert into subscriptions (organization_id, id, price_id, provider, status, quantity, anchor_at, period_started_at, period_ends_at, due_at)
         values ($1, gen_random_uuid(), $3, 'manual', 'active', 1, now(), now(), now() + interval '1 month', now() + interval '1 month')
         returning organization_id, id)
       insert into invoices (organization_id, id, subscription_id, number, status, currency, total, lines, period_starts_at, period_ends_at, due_at, paid_at,
                             payment_reference)
       select organization_id, gen_random_uuid(), id, 1, 'paid', 'xts', 77, json_build_array('line of ' || $2::text), now(), now() + interval '1 month', now(),
              now(), 'Payment of ' || $2::text from subscription`,
      [organizationId, slug, privatePriceId],
    ]);
    bills.push([
      `insert into stripe_customers (organization_id, customer_id, ticket, checkouts, checkout_price_id, checkout_session_id, checkout_url, checkout_expires_at)
       values ($1, 'cus_of_' || $2::text, 7, 7, $3, 'cs_of_' || $2::text, 'https://checkout.' || $2::text || '.test/', now() + interval '1 day')`,
      [organizationId, slug, privatePriceId],
    ]);
    bills.push([
      `with event as (
         insert into usage_events (organization_id, source, source_id, meter, occurred_at, value, dimensions, subject, digest)
         values ($1, 'source of ' || $2::text, 'event of ' || $2::text, 'api-requests', now(), $3, json_build_object('of', 'dimension of ' || $2::text),
                 'subject of ' || $2::text, sha256(('event of ' || $2::text)::bytea))
         returning *), correction as (
         insert into usage_corrections (organization_id, source, source_id, value, reason)
         select organization_id, source, source_id, value + 0.1, 'Correction of ' || $2::text from event), counter as (
         insert into usage_counters (organization_id, meter, started_at, ends_at, used)
         select organization_id, meter, occurred_at, occurred_at + interval '1 day', value + 0.2 from event), rollup as (
         insert into usage_rollups (organization_id, meter, size, started_at, key, dimensions, events, sum, max, last, last_at, last_name)
         select organization_id, meter, 'day', occurred_at, sha256(('rollup of ' || $2::text)::bytea), dimensions, 1, value + 0.3, value + 0.4, value + 0.5,
                occurred_at, 'last of ' || $2::text from event)
       insert into usage_reservations (organization_id, id, meter, value, expires_at)
       -- Of an id that functions are called with.
       select organization_id, organization_id, meter, value + 0.6, now() + interval '1 day' from event`,
      [organizationId, slug, { mine: "101010101", theirs: "202020202", third: "303030303" }[slug]],
    ]);
    await client.query(
      `insert into roles (organization_id, id, key, name, permissions)
       values ($1, gen_random_uuid(), 'role-of-' || $2::text, 'Role of ' || $2::text, '{organization:read}')`,
      [organizationId, slug],
    );
  }
  await client.query("insert into spent_challenges (key_hash) values (sha256('spent'))");
  await client.query("insert into stripe_events (id, type, status) values ('evt_told', 'invoice.paid', 'done')");
  await client.query(
    `insert into plans (id, key, version, name, description, trial_days, is_default, is_public, position, managed_by)
     values ($1, 'of-one-customer', 1, 'Of one customer', '', 0, false, false, 9, 'platform'),
            ($2, 'of-everybody', 1, 'Of everybody', '', 0, false, true, 9, 'platform')`,
    [privatePlanId, id(9611)],
  );
  await client.query(
    `insert into plan_prices (id, plan_id, currency, interval, unit_amount, per_seat)
     values ($1, $2, 'xts', 'month', 77, true), ($3, $4, 'xts', 'year', 78, true)`,
    [privatePriceId, privatePlanId, publicPriceId, id(9611)],
  );
  await client.query(
    "insert into plan_features (plan_id, feature_key, kind) select $1, key, kind from features where kind <> 'metered'",
    [privatePlanId],
  );
  await client.query(
    `insert into plan_features (plan_id, feature_key, kind, "limit", per) values ($1, 'api-requests', 'metered', 999999999, 'year')`,
    [privatePlanId],
  );
  for (const [statement, params] of bills) await client.query(statement, params);
  await client.query("insert into app_private.worker_keys (key_hash) values (sha256($1))", [workerKey]);
  const people: People = {};
  for (const [name, roleIn] of Object.entries(memberships)) {
    const person = makePerson(100 + Object.keys(people).length);
    people[name] = person;
    await addPerson(client, person);
    if (!signsInByPasswordAlone.has(name)) await addPasskey(client, person);
    for (const [organizationId, role] of Object.entries(roleIn)) {
      await client.query(insertMembers("select $1::uuid, $2::uuid, $3::text"), [organizationId, person.id, role]);
    }
  }
  for (const [slug, inviter] of [
    ["mine", "owner"],
    ["theirs", "founder"],
    ["third", "outsider"],
  ] as const) {
    await client.query(
      `insert into invitations (organization_id, id, email, roles, key_hash, invited_by, expires_at)
       values ($1, gen_random_uuid(), 'invited@' || $2::text || '.test', '{viewer}', sha256(('invitation of ' || $2::text)::bytea), $3, now() + interval '1 day')`,
      [organizations[slug], slug, people[inviter]?.id],
    );
    // Everybody is in it, and nobody leads it.
    await client.query(
      `with team as (insert into teams (organization_id, id, name) values ($1, gen_random_uuid(), 'Team of ' || $2::text) returning organization_id, id)
       insert into team_memberships (organization_id, team_id, user_id, role)
       select team.organization_id, team.id, m.user_id, 'member' from team join memberships m using (organization_id)`,
      [organizations[slug], slug],
    );
    await client.query(
      `with domain as (
         insert into organization_domains (organization_id, id, domain, txt_record, enrollment_set_by)
         values ($1, gen_random_uuid(), $2::text || '.test', 'proof of ' || $2::text || ' for its people', $3))
       insert into domain_bars (organization_id, person_hash) values ($1, sha256(('somebody of ' || $2::text)::bytea))`,
      [organizations[slug], slug, people[inviter]?.id],
    );
    await client.query(
      `insert into share_links (organization_id, id, roles, key_hash, allowed_domains, max_uses, created_by, expires_at)
       values ($1, gen_random_uuid(), '{viewer}', sha256(('share link of ' || $2::text)::bytea), array[$2::text || '.test'], 10, $3, now() + interval '1 day')`,
      [organizations[slug], slug, people[inviter]?.id],
    );
    await addApiKey(client, slug, organizations[slug], people[inviter]?.id ?? null);
    await client.query(
      `insert into ownership_transfers (organization_id, id, from_user_id, to_user_id)
       select organization_id, gen_random_uuid(), $2, user_id from memberships
        where organization_id = $1 and user_id <> $2 order by user_id desc limit 1`,
      // Of nobody whose roles are changed in place, which the offer would be in the way of.
      [organizations[slug], people[slug === "mine" ? "revoked" : inviter]?.id],
    );
  }
  await addApiKey(client, "adm", mine, people["admin"]?.id ?? null, "{members:read,members:write,organization:read}");
  await addApiKey(client, "own", mine, null, "{organization:read,teams:write}");
  await addAdministrator(client, people["administrator"]?.id ?? "");
  await makeTimesDistinct(client);
  const endSession = async (who: string, change: string) => client.query(change, [people[who]?.id]);
  await endSession("revoked", "update sessions set revoked_at = now() where user_id = $1 and revoked_at is null");
  await endSession("expired", "update sessions set expires_at = now() - interval '1 second' where user_id = $1");
  await endSession("disabled", "update users set suspended_at = now() where id = $1");
  return people;
}

function makePerson(n: number): Person {
  const salt = `$2b$04$${String(n).padStart(22, "s")}`;
  const secret = (name: string) => `\\x${createHash("sha256").update(`${name} ${n}`).digest("hex")}`;
  return {
    id: id(n),
    email: `person-${n}@example.test`,
    handle: secret("handle"),
    sessionId: id(1000 + n),
    messageId: id(3000 + n),
    messageKey: secret("token"),
    salt,
    hash: salt + String(n).padStart(31, "h"),
  };
}

/** A person, their session, one that is revoked, the answer to a request of theirs, counted attempts, and a mail with a token. */
async function addPerson(client: Client, person: Person): Promise<void> {
  await client.query(
    `insert into users (id, email, name, password_scheme, password_salt, password_verifier)
     values ($1, $2, 'Name of ' || $2, 1, $3, sha256(convert_to($4, 'UTF8')))`,
    [person.id, person.email, person.salt, person.hash],
  );
  await client.query(
    `insert into sessions (id, user_id, handle_hash, ip_address, user_agent, idle_expires_at, expires_at, revoked_at)
     select id, $1, hash, 'address ' || id, 'agent ' || id, now() + interval '1 day', now() + interval '2 days', revoked_at
       from (values ($2::uuid, sha256($3::bytea), null), (gen_random_uuid(), sha256($2::text::bytea), now())) s (id, hash, revoked_at)`,
    [person.id, person.sessionId, person.handle],
  );
  await client.query(
    `insert into idempotency_keys (scope, key, request_hash, response)
     values ('user:' || $1, 'key of ' || $1, sha256($1::text::bytea), json_build_object('answer to', $1::text))`,
    [person.id],
  );
  await client.query("insert into throttles (scope, attempts) values (sha256($1::text::bytea), 1)", [person.id]);
  await client.query(
    `with app as (
       insert into totp_factors (id, user_id, sealed_seed, key_hash, last_step) values (gen_random_uuid(), $1::uuid, sha256(('seed ' || $1::text)::bytea), sha256(('seed key ' || $1::text)::bytea), 1)),
     code as (insert into recovery_codes (user_id, key_hash) values ($1::uuid, sha256(('code ' || $1::text)::bytea)))
     insert into identities (id, user_id, provider, subject, email)
     values (gen_random_uuid(), $1::uuid, 'google', 'subject ' || $1::text, 'identity of ' || $2::text)`,
    [person.id, person.email],
  );
  await client.query(
    `with token as (
       insert into one_time_tokens (id, user_id, purpose, key_hash, expires_at)
       values ($1, $2, 'reset_password', sha256($3::bytea), now() + interval '1 hour') returning *)
     insert into outbox (id, key_hash, user_id, recipient, template, data)
     select id, key_hash, user_id, $4::text, purpose, json_build_object('name', 'Data of ' || $4::text) from token`,
    [person.messageId, person.id, person.messageKey, person.email],
  );
}

/** A key, the one before it that is good still, and both again as the database keeps them. */
async function addApiKey(
  client: Client,
  name: string,
  organizationId: string,
  userId: string | null,
  scopes = "{organization:read}",
): Promise<void> {
  await client.query(
    `insert into api_keys (organization_id, id, user_id, created_by, name, scopes, rate_limit, lifetime_days, hint, key_hash, previous_key_hash,
                           previous_expires_at, rotated_at, expires_at, last_used_at)
     values ($1, gen_random_uuid(), $2, $2, 'Key of ' || $3::text, $4, 10, 30, left($3::text, 3) || '0', sha256($5::bytea), sha256(convert_to('before ' || $3::text, 'UTF8')),
             now() + interval '1 day', now(), now() + interval '2 days', now())`,
    [organizationId, userId, name, scopes, keyHandle(name)],
  );
}

/** A public key, which is a second factor as well. */
async function addPasskey(client: Client, { id, email }: Person): Promise<void> {
  await client.query(
    `insert into passkeys (id, user_id, name, credential_id, public_key, sign_count, transports, backed_up, last_used_at)
     values (gen_random_uuid(), $1::uuid, 'Passkey of ' || $2::text, sha256(('credential ' || $1::text)::bytea), sha256(('public key ' || $1::text)::bytea), 1, 'usb', false, now())`,
    [id, email],
  );
}

/** Of the platform. */
async function addAdministrator(client: Client, userId: string): Promise<void> {
  await client.query("insert into platform_admins (user_id) values ($1)", [userId]);
  await client.query("update users set email_verified_at = now() where id = $1", [userId]);
  await client.query("update sessions set second_factor = 'given' where user_id = $1 and revoked_at is null", [userId]);
}

/** A value that stands in one row only tells which row was shown. */
async function makeTimesDistinct(client: Client): Promise<void> {
  const { rows } = await client.query<{ statement: string }>(
    `select format('update %s t set %I = t.%I - n * interval ''1.001 minute'' from (select ctid, row_number() over () as n from %1$s) o where o.ctid = t.ctid',
                   a.attrelid::regclass, a.attname, a.attname) as statement
       from pg_attribute a join pg_class c on c.oid = a.attrelid
      where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and a.atttypid = 'timestamptz'::regtype and not a.attisdropped`,
  );
  // Without the triggers, which keep the time of an update.
  await client.query("set session_replication_role = replica");
  for (const { statement } of rows) await client.query(statement);
  await client.query("reset session_replication_role");
}
