import { Client } from "pg";
import { insertMembers } from "../support/members-sql.ts";

/** Ids in the order of their numbers, as UUIDv7 are. */
const id = (kind: string, number: string) =>
  `('01900000-${kind}-7000-8000-' || lpad(to_hex(${number}), 12, '0'))::uuid`;

const user = (number: string) => id("0001", number);
const organization = (number: string) => id("0002", number);
const session = (number: string) => id("0003", number);
const factor = (number: string) => id("0005", number);
const message = (number: string) => id("0004", number);

/** An id that begins with its time, as a UUIDv7 does. */
const eventOf = (number: string) =>
  `(lpad(to_hex((extract(epoch from now() - case when ${number} % 20 = 0 then interval '366 days' else interval '20 days' end) * 1000)::bigint
           - 30000::bigint * ${number}), 12, '0') || '70008000' || lpad(to_hex(${number}), 12, '0'))::uuid`;

/**
 * 1,000 organizations of 1,000 members among 50,000 people, 99,000 more without any, 200,000 sessions, of which
 * every twentieth was not used for long, and 100,000 each of idempotency keys, tokens, mails counted attempts, factors,
 * identities and connections, 200,000 events in either audit trail and on their way to webhooks, 40,000 each of invitations, share links, former slugs, offers of ownership and people who
 * have left.
 * 200,000 events of usage, and what they come to. A tenant's rows do not lie together, as they would not after years of sign-ups.
 */
const statements = [
  // Superuser only. Foreign keys hold by construction, and checking two million would take a minute.
  "set session_replication_role = replica",
  "set maintenance_work_mem = '512MB'",
  `insert into users (id, email, name, password_scheme, password_salt, password_verifier)
   select ${user("n")}, 'person-' || n || '@filled.example', 'Person ' || n, 1, '$2b$04$' || repeat('a', 22), sha256(n::text::bytea)
     from generate_series(0, 49999) n`,
  `insert into organizations (id, name, slug)
   select ${organization("n")}, 'Organization ' || n, case when n % 100 = 0 then 'large-' || n / 100 else 'small-' || n end
     from generate_series(0, 99999) n`,
  // Of the small ones, 200 can be restored, and 800 are to be purged.
  `update organizations set deleted_at = now() - interval '25 days' - (substr(slug, 7)::int % 1000) * interval '1 hour'
    where slug ~ '^small-\\d+01$'`,
  // Triggers are off here.
  "insert into organization_slugs (slug, organization_id) select slug, id from organizations",
  `insert into organization_slugs (slug, organization_id, replaced_at)
   select 'former-' || n, ${organization("n")}, now() - n * interval '5 minutes' from generate_series(0, 39999) n where n % 100 <> 1`,
  insertMembers(
    `select ${organization("100 * (u % 50 + 50 * o)")}, ${user("u")}, (array['owner', 'admin', 'member', 'viewer'])[1 + (u / 50 + o) % 4]
       from generate_series(0, 49999) u, generate_series(0, 19) o`,
  ),
  // Triggers are off here.
  `insert into member_terms (organization_id, user_id, term)
   select organization_id, user_id, convert_to('person ' || user_id, 'UTF8') from memberships where user_id < ${user("5000")}`,
  `insert into roles (organization_id, id, key, name, permissions)
   select ${organization("100 * (n / 50)")}, gen_random_uuid(), 'role-' || n, 'Role ' || n, '{organization:read}' from generate_series(0, 49999) n`,
  `insert into teams (organization_id, id, name)
   select ${organization("100 * (n % 1000)")}, ${factor("n")}, 'Team ' || n from generate_series(0, 9999) n`,
  `insert into team_memberships (organization_id, team_id, user_id, role)
   select ${organization("100 * (n % 1000)")}, ${factor("n % 10000")}, ${user("(n % 1000) % 50 + 50 * (n / 1000)")}, 'member'
     from generate_series(0, 39999) n`,
  `insert into invitations (organization_id, id, email, roles, key_hash, invited_by, created_at, expires_at)
   select ${organization("100 * (n % 1000)")}, ${factor("n")}, 'invited-' || n || '@filled.example', '{member}', sha256(n::text::bytea), ${user("n % 50000")},
          now() - n * interval '96 seconds', now() + interval '7 days' - n * interval '96 seconds'
     from generate_series(0, 39999) n`,
  `insert into share_links (organization_id, id, roles, key_hash, allowed_domains, max_uses, created_by, created_at, expires_at)
   select ${organization("100 * (n % 1000)")}, ${factor("n")}, '{member}', sha256(n::text::bytea), '{filled.example}', 10, ${user("n % 50000")},
          now() - n * interval '96 seconds', now() + interval '7 days' - n * interval '96 seconds'
     from generate_series(0, 39999) n`,
  `insert into api_keys (organization_id, id, user_id, created_by, name, scopes, hint, key_hash, lifetime_days, created_at, expires_at)
   select ${organization("100 * (n % 1000)")}, ${factor("n")}, case when n % 4 > 0 then ${user("(n % 1000) % 50 + 50 * (n / 1000)")} end, ${user("n % 50000")},
          'Key ' || n, '{members:read,organization:read}', '0000', sha256(n::text::bytea), 30,
          now() - n * interval '96 seconds', now() + interval '7 days' - n * interval '96 seconds'
     from generate_series(0, 39999) n`,
  `insert into ownership_transfers (organization_id, id, from_user_id, to_user_id, created_at, expires_at)
   select ${organization("n")}, ${factor("n")}, ${user("n % 50000")}, ${user("(n + 1) % 50000")},
          now() - n * interval '18 seconds', now() + interval '7 days' - n * interval '18 seconds'
     from generate_series(0, 39999) n where n % 100 <> 0`,
  `insert into organization_domains (organization_id, id, domain, txt_record, verified_at, enrollment, enrollment_set_by)
   select ${organization("100 * (n % 1000)")}, ${factor("n")}, 'filled-' || n || '.example', 'saas-verification=filled', now(), 'auto_join', ${user("n % 50000")}
     from generate_series(0, 9999) n`,
  `insert into domain_bars (organization_id, person_hash)
   select ${organization("100 * (n % 1000)")}, sha256(n::text::bytea) from generate_series(0, 39999) n`,
  `insert into sessions (id, user_id, handle_hash, created_at, idle_expires_at, expires_at, revoked_at, impersonator_id, impersonation_reason)
   select ${session("n")}, ${user("n % 50000")}, sha256(n::text::bytea), now() - interval '40 days',
          now() + interval '6 days' - case when n % 20 = 0 then interval '37 days' else interval '0' end, now() + interval '20 days',
          case when n % 3 = 0 then now() end, case when n % 100 = 50 then ${user("49000")} end, case when n % 100 = 50 then 'Filled' end
     from generate_series(0, 199999) n`,
  // More than there will ever be, so that no plan may read them all.
  `insert into platform_admins (user_id) select ${user("n")} from generate_series(49000, 49999) n`,
  "insert into features (key, kind, name, position) select 'filled-' || n, 'boolean', 'Filled', n from generate_series(0, 39) n",
  `insert into plans (id, key, version, name, description, trial_days, is_default, is_public, position, managed_by, archived_at)
   select ${message("n")}, 'filled-' || n % 1000, n / 1000 + 1, 'Filled', '', 0, false, n < 9500, n, 'platform', case when n < 9500 then now() end
     from generate_series(0, 9999) n`,
  `insert into plan_prices (plan_id, currency, interval, unit_amount, per_seat)
   select ${message("n / 2")}, 'usd', case n % 2 when 0 then 'month' else 'year' end, 1, true from generate_series(0, 19999) n`,
  `insert into plan_features (plan_id, feature_key, kind)
   select ${message("n / 2")}, 'filled-' || n % 40, 'boolean' from generate_series(0, 19999) n`,
  // Of the first half of the organizations a live one too, and of all of them such as have ended.
  `insert into subscriptions (organization_id, id, price_id, provider, status, quantity, anchor_at, period_started_at, period_ends_at, ended_at, due_at)
   select ${organization("n % 20000")}, ${factor("n")}, (select id from plan_prices limit 1), 'manual', case when n < 20000 and n % 100 <> 0 then 'active' else 'canceled' end, 1,
          now(), now(), now() + interval '1 month', case when n < 20000 and n % 100 <> 0 then null else now() end,
          case when n < 20000 and n % 100 <> 0 then now() + n * interval '1 second' end
     from generate_series(0, 39999) n`,
  // The first thousand are due.
  `insert into stripe_customers (organization_id, customer_id, due_at)
   select ${organization("n")}, 'cus_' || n, now() + (n - 1000) * interval '1 second' from generate_series(0, 19999) n`,
  `insert into stripe_events (id, type, status, created_at)
   select 'evt_' || n, 'invoice.paid', 'done', now() - n * interval '1 minute' from generate_series(0, 99999) n`,
  // A tenth of the organizations pay, and have more of them than a page: where most have less, a page is as well sorted.
  `insert into invoices (organization_id, id, subscription_id, number, status, currency, total, lines, period_starts_at, period_ends_at, due_at, paid_at)
   select ${organization("10 * (n % 2000)")}, ${message("n")}, ${factor("10 * (n % 2000)")}, n / 2000 + 1, case when n % 50 = 1 then 'open' else 'paid' end, 'usd', 1200, '[]', now(),
          now() + interval '1 month', now(), case when n % 50 = 1 then null else now() end
     from generate_series(0, 199999) n`,
  `insert into invoices (organization_id, id, subscription_id, number, status, currency, total, lines, period_starts_at, period_ends_at, due_at, paid_at)
   select ${organization("100 * (n % 200)")}, ${message("200000 + n")}, ${factor("100 * (n % 200)")}, n / 200 + 101, 'paid', 'usd', 1200, '[]', now(),
          now() + interval '1 month', now(), now() from generate_series(0, 199999) n`,
  // Of 23 days, of each large organization; and two of each that is to be purged.
  `insert into usage_events (organization_id, source, source_id, meter, occurred_at, value, dimensions, digest)
   select case when n < 200000 then ${organization("100 * (n % 1000)")} else ${organization("100 * (n % 1000) + 1")} end, '/filled', n::text, 'api-requests',
          now() - n * interval '10 seconds', 1, '{}', sha256(n::text::bytea)
     from generate_series(0, 201999) n`,
  `insert into usage_rollups (organization_id, meter, size, started_at, key, dimensions, events, sum, max)
   select ${organization("100 * (n % 1000)")}, 'api-requests', case when n < 180000 then 'quarter' else 'day' end,
          date_trunc('day', now(), 'UTC') - n / 1000 * case when n < 180000 then interval '15 minutes' else interval '1 day' end, sha256(''), '{}', 1, 1, 1
     from generate_series(0, 199999) n`,
  `insert into usage_counters (organization_id, meter, started_at, ends_at, used)
   select ${organization("100 * (n % 1000)")}, 'api-requests', now() - n / 1000 * interval '1 month', now() - (n / 1000 - 1) * interval '1 month', 200
     from generate_series(0, 39999) n`,
  `insert into usage_corrections (organization_id, source, source_id, value, reason)
   select ${organization("100 * (n % 1000)")}, '/filled', n::text, 1, 'Filled' from generate_series(0, 39999) n`,
  // Every other one has expired, for longer than an hour.
  `insert into usage_reservations (organization_id, id, meter, value, expires_at)
   select ${organization("100 * (n % 1000)")}, ${factor("n")}, 'api-requests', 1, now() + case n % 2 when 0 then interval '1 hour' else interval '-2 hours' end
     from generate_series(0, 9999) n`,
  `insert into idempotency_keys (scope, key, request_hash, response, created_at)
   select 'user:' || ${user("n % 50000")}, 'key-' || n, sha256(n::text::bytea), '{}', now() - n * interval '1 second'
     from generate_series(0, 99999) n`,
  `insert into one_time_tokens (id, user_id, purpose, key_hash, created_at, expires_at)
   select ${message("n")}, ${user("n % 50000")}, 'reset_password', sha256(n::text::bytea),
          now() - n * interval '80 ms', now() + interval '1 hour' - n * interval '80 ms'
     from generate_series(0, 99999) n`,
  `insert into outbox (id, key_hash, user_id, recipient, template, data, next_attempt_at, dead_at)
   select ${message("n")}, sha256(n::text::bytea), ${user("n % 50000")}, 'person-' || n || '@filled.example', 'reset_password', '{}',
          now() + n * interval '1 second', case when n % 2 = 0 then now() - n * interval '1 minute' end
     from generate_series(0, 99999) n`,
  `insert into totp_factors (id, user_id, sealed_seed, key_hash, activated_at, last_step)
   select ${message("n")}, ${user("n / 2")}, sha256(n::text::bytea), sha256(n::text::bytea), case when n % 2 = 0 then now() end, case when n % 2 = 0 then 1 end
     from generate_series(0, 79999) n`,
  `insert into recovery_codes (user_id, key_hash)
   select ${user("n / 10")}, sha256(n::text::bytea) from generate_series(0, 399999) n`,
  `insert into passkeys (id, user_id, name, credential_id, public_key, sign_count, transports, backed_up)
   select ${message("n")}, ${user("n")}, 'Passkey', sha256(n::text::bytea), sha256(n::text::bytea), 0, 'usb', false
     from generate_series(0, 39999) n`,
  `insert into throttles (scope, attempts, attempted_at)
   select sha256(n::text::bytea), case when n % 2 = 1 then n % 10 else 0 end, now() - n * interval '40 seconds'
     from generate_series(0, 99999) n`,
  `insert into spent_challenges (key_hash, created_at)
   select sha256(n::text::bytea), now() - n * interval '80 ms' from generate_series(0, 99999) n`,
  `insert into sso_connections (organization_id, id, domain, txt_record, issuer, client_id, sealed_client_secret, domain_verified_at)
   select ${organization("100 * (n % 1000)")}, ${factor("n")}, 'domain-' || n || '.example', 'proof of the domain ' || n, 'https://idp.example', 'client', 'sealed',
          case when n % 2 = 0 then now() end
     from generate_series(0, 99999) n`,
  `insert into identities (id, user_id, provider, connection_id, subject, email)
   select ${factor("n")}, ${user("n % 50000")}, case when n % 2 = 0 then 'google' else 'sso' end, case when n % 2 = 1 then ${factor("n")} end, n::text, null
     from generate_series(0, 99999) n`,
  // Every twentieth is over 365 days old, and 30 seconds older than the one before.
  `insert into audit_events (organization_id, id, action, actor_type, actor_id, subject_type, subject_id)
   select ${organization("100 * (n % 1000)")}, ${eventOf("n")}, 'team.created', 'user', ${user("n % 50000")}, 'team', ${factor("n % 10000")}
     from generate_series(0, 199999) n`,
  `insert into user_audit_events (user_id, id, action, actor_type, actor_id, subject_type, subject_id)
   select ${user("n % 50000")}, ${eventOf("n")}, 'session.refreshed', 'user', ${user("n % 50000")}, 'session', ${session("n % 200000")}
     from generate_series(0, 199999) n`,
  `insert into webhook_endpoints (organization_id, id, url, description, event_types, sealed_secret)
   select ${organization("100 * (n % 1000)")}, ${factor("n")}, 'https://hooks.example/', '', '{organization.purged}', '' from generate_series(0, 999) n`,
  `insert into webhook_messages (organization_id, id, endpoint_id, type, subject_id, payload, status, next_attempt_at, settled_at)
   select ${organization("100 * (n % 1000)")}, ${eventOf("n")}, ${factor("n % 1000")}, 'team.created', ${factor("n % 10000")}, '{}',
          case when n % 20 = 1 then 'pending' else 'delivered' end, case when n % 20 = 1 then now() + interval '1 hour' end, case when n % 20 <> 1 then now() end
     from generate_series(0, 199999) n`,
  "vacuum analyze",
];

/** @param url the superuser's */
export async function fillDatabase(url: string): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    for (const statement of statements) await client.query(statement);
  } finally {
    await client.end();
  }
}
