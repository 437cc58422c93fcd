-- The fence: roles, grants, functions and policies. One transaction, safe to run again at any time, also
-- under traffic. What it does not define is gone afterwards: policies and grants on relations of public,
-- functions of app and app_private, app_user's own settings.
-- Run it as the role that owns the tables, after every migration: npm run db:rls

begin;

set local client_min_messages = warning;
set local lock_timeout = '10s';
select pg_advisory_xact_lock(hashtextextended('rls-policies', 0));

-- The gate, which every transaction of the Worker reads first: this waits for those under way, and lets none
-- begin until it has ended.
create schema if not exists app;
create table if not exists app.gate ();
lock table app.gate in access exclusive mode;

-- ── Roles ────────────────────────────────────────────────────────────────────────────────────────

do $$
begin
  if not exists (select from pg_roles where rolname = 'app_user') then
    create role app_user nologin noinherit nobypassrls nocreatedb nocreaterole noreplication;
  end if;
  if not exists (select from pg_roles where rolname = 'app_definer') then
    create role app_definer nologin noinherit nobypassrls nocreatedb nocreaterole noreplication;
  end if;
  if not exists (select from pg_roles where rolname = 'app_platform') then
    create role app_platform nologin noinherit nobypassrls nocreatedb nocreaterole noreplication;
  end if;
  -- app_user too, so that a Worker given the owner's URL by mistake can still step down to it.
  execute format('grant app_user, app_definer, app_platform to %I with inherit false, set true', current_user);
  execute format('revoke all on database %I from public', current_database());
  execute format('grant connect on database %I to app_user', current_database());
end
$$;

-- A role may always change its own settings, so whatever a hostile statement left is taken back.
alter role app_user reset all;
do $$ begin execute format('alter role app_user in database %I reset all', current_database()); end $$;
alter role app_user set statement_timeout = '5s';
alter role app_user set lock_timeout = '3s';
alter role app_user set idle_in_transaction_session_timeout = '10s';

create schema if not exists app_private;

revoke all on schema public, app, app_private from public, app_user, app_definer, app_platform;
grant usage on schema public, app to app_user;
grant usage on schema public to app_definer, app_platform;
grant usage, create on schema app, app_private to app_definer;
grant usage, create on schema app to app_platform;
grant usage on schema app_private to app_platform;

alter default privileges revoke execute on functions from public;
set local role app_definer;
alter default privileges revoke execute on functions from public;
set local role app_platform;
alter default privileges revoke execute on functions from public;
reset role;

revoke all on app.gate from public, app_user, app_definer, app_platform;
grant select on app.gate to app_user;
alter table app.gate enable row level security, force row level security;
drop policy if exists "The gate is only to be passed" on app.gate;
create policy "The gate is only to be passed" on app.gate as restrictive to app_user using (false) with check (false);

-- ── A clean slate ────────────────────────────────────────────────────────────────────────────────

do $$
declare
  item record;
begin
  for item in
    select c.oid::regclass as name from pg_class c
     where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v', 'm', 'f', 'S')
  loop
    execute format('revoke all on %s from public, app_user, app_definer, app_platform', item.name);
  end loop;
  for item in
    select c.oid::regclass as name from pg_class c
     where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') order by c.oid
  loop
    execute format('alter table %s enable row level security, force row level security', item.name);
  end loop;
  for item in select tablename, policyname from pg_policies where schemaname = 'public' loop
    execute format('drop policy %I on public.%I', item.policyname, item.tablename);
  end loop;
  for item in
    select p.oid, pg_get_userbyid(p.proowner) as owner from pg_proc p
     where p.pronamespace in ('app'::regnamespace, 'app_private'::regnamespace)
  loop
    -- An earlier one has taken it along.
    continue when not exists (select from pg_proc where oid = item.oid);
    execute format('set local role %I', item.owner);
    execute format('drop function %s cascade', item.oid::regprocedure);
    reset role;
  end loop;
end
$$;

-- As drizzle/0006_roles.sql made it, and drizzle-kit push does not: an organization takes its roles and its members
-- along in no certain order.
alter table membership_roles alter constraint membership_roles_custom_role_fkey deferrable initially deferred;

-- An organization that the statistics do not know would be taken for one without events, and any index that begins with it for as
-- good as the right one. Without statistics each is taken for one of 200.
alter table usage_events alter column organization_id set statistics 0;
alter table usage_rollups alter column organization_id set statistics 0;

-- ── What the definer role may see and do for its functions, and nothing more ─────────────────────

grant select, insert, delete on users to app_definer;
grant update (email, email_verified_at, password_scheme, password_salt, password_verifier) on users to app_definer;
grant select, insert, delete on sessions to app_definer;
grant update (refresh_generation, refreshed_at, revoked_at) on sessions to app_definer;
grant select, insert, delete on organizations, memberships, membership_roles, roles to app_definer;
grant update (name, permissions) on roles to app_definer;
grant select, insert, delete on member_terms to app_definer;
grant select, insert on teams to app_definer;
grant select, insert, delete on team_memberships to app_definer;
grant update (role) on team_memberships to app_definer;
-- To lock a row, which the policy below lets them do and no more.
grant update (updated_at) on teams to app_definer;
-- To lock a row, which the policy below lets them do and no more.
grant update (created_at) on memberships to app_definer;
grant select, insert, delete on invitations to app_definer;
grant update (roles, status, key_hash, invited_by, sent_at, expires_at, ended_at) on invitations to app_definer;
grant select, insert, delete on share_links to app_definer;
grant update (uses) on share_links to app_definer;
grant select, insert, delete on ownership_transfers to app_definer;
-- To lock a row, as the clean-up does.
grant update (expires_at) on ownership_transfers to app_definer;
grant select, insert on organization_domains, domain_bars to app_definer;
grant update (verified_at, enrollment, roles, enrollment_set_by) on organization_domains to app_definer;
grant update (deleted_at) on organizations to app_definer;
grant select, insert, delete on organization_slugs to app_definer;
grant update (organization_id, replaced_at) on organization_slugs to app_definer;
grant select, insert, delete on idempotency_keys, one_time_tokens, outbox, throttles to app_definer;
grant select, insert, delete on totp_factors, recovery_codes, passkeys, identities, spent_challenges to app_definer;
grant select on sso_connections to app_definer;
grant select, insert, delete on api_keys to app_definer;
grant update (name, hint, scopes, rate_limit, key_hash, previous_key_hash, previous_expires_at, rotated_at, expires_at, last_used_at)
  on api_keys to app_definer;
grant update (domain_verified_at) on sso_connections to app_definer;
grant update (email, last_used_at) on identities to app_definer;
grant update (second_factor, handle_hash, expires_at) on sessions to app_definer;
grant update (last_step, activated_at) on totp_factors to app_definer;
grant update (sign_count, backed_up, last_used_at) on passkeys to app_definer;
grant update (attempts, next_attempt_at, last_error, dead_at) on outbox to app_definer;
-- Postgres asks for it of whoever locks a row, as the clean-up does.
grant update (expires_at) on one_time_tokens to app_definer;
grant update (created_at) on spent_challenges to app_definer;
grant update (request_hash, response, created_at) on idempotency_keys to app_definer;
grant update (authenticated_at) on sessions to app_definer;
grant update (idle_expires_at) on sessions to app_definer;
grant update (attempts, attempted_at) on throttles to app_definer;
grant select, insert, delete on audit_events, user_audit_events to app_definer;
-- Written by whoever has the database, in this role: npm run db:admins.
grant select, insert, delete on platform_admins to app_definer;
-- Written by npm run db:plans, in this role too.
grant select, insert, delete on features to app_definer;
grant update (kind, name, position, archived_at, unit, aggregation, dimensions, reset) on features to app_definer;
grant select, insert on plans, plan_prices, plan_features to app_definer;
grant update (name, description, is_default, is_public, position, managed_by, archived_at) on plans to app_definer;
grant select, insert on subscriptions, invoices to app_definer;
grant update (price_id, scheduled_price_id, status, quantity, anchor_at, period_started_at, period_ends_at, grace_ends_at, cancel_at_period_end,
  canceled_at, ended_at, due_at, trial_ends_at) on subscriptions to app_definer;
grant update (status, total, lines, provider_number, url, due_at, paid_at) on invoices to app_definer;
grant select, insert, delete on stripe_customers to app_definer;
grant update (customer_id, ticket, applied_ticket, checkouts, checkout_price_id, checkout_session_id, checkout_url, checkout_expires_at, due_at,
  looks) on stripe_customers to app_definer;
grant select, insert, delete on stripe_events to app_definer;
grant update (status, attempts, leased_until) on stripe_events to app_definer;
grant select, insert, delete on usage_events to app_definer;
grant update (corrected_value, is_void) on usage_events to app_definer;
grant select, insert on usage_counters, usage_corrections to app_definer;
grant select, insert, delete on usage_rollups to app_definer;
grant select, insert, delete on usage_reservations to app_definer;
grant update (expires_at) on usage_reservations to app_definer;
grant update (events, sum, max, last, last_at, last_name) on usage_rollups to app_definer;
grant update (used) on usage_counters to app_definer;
grant select, insert on webhook_endpoints to app_definer;
grant update (sealed_secret, previous_sealed_secret, previous_expires_at, failing_since, disabled_at, disabled_reason) on webhook_endpoints to app_definer;
grant select, insert, delete on webhook_messages to app_definer;
grant update (status, attempts, next_attempt_at, leased_until, settled_at, log) on webhook_messages to app_definer;

create policy "Definer functions read users" on users for select to app_definer using (true);
create policy "Definer functions create users" on users for insert to app_definer with check (true);
create policy "Definer functions change addresses and passwords" on users for update to app_definer using (true);
create policy "Definer functions delete users" on users for delete to app_definer using (true);
create policy "Definer functions manage sessions" on sessions for all to app_definer using (true) with check (true);
create policy "Definer functions read organizations" on organizations for select to app_definer using (true);
create policy "Definer functions create organizations" on organizations for insert to app_definer with check (true);
create policy "Definer functions lock, delete and restore organizations" on organizations for update to app_definer using (true);
create policy "Definer functions purge organizations" on organizations for delete to app_definer using (true);
create policy "Definer functions say whose a slug is" on organization_slugs for all to app_definer using (true) with check (true);
create policy "Definer functions read memberships" on memberships for select to app_definer using (true);
create policy "Definer functions create memberships" on memberships for insert to app_definer with check (true);
create policy "Definer functions end memberships" on memberships for delete to app_definer using (true);
create policy "Definer functions lock memberships" on memberships for update to app_definer using (true) with check (false);
create policy "Definer functions manage what members are found by" on member_terms for all to app_definer using (true) with check (true);
create policy "Definer functions read teams" on teams for select to app_definer using (true);
create policy "Definer functions make teams" on teams for insert to app_definer with check (true);
create policy "Definer functions lock teams" on teams for update to app_definer using (true) with check (false);
create policy "Definer functions say who is in a team" on team_memberships for all to app_definer using (true) with check (true);
create policy "Definer functions read members' roles" on membership_roles for select to app_definer using (true);
create policy "Definer functions give members roles" on membership_roles for insert to app_definer with check (true);
create policy "Definer functions take members' roles" on membership_roles for delete to app_definer using (true);
create policy "Definer functions manage roles" on roles for all to app_definer using (true) with check (true);
create policy "Definer functions manage invitations" on invitations for all to app_definer using (true) with check (true);
create policy "Definer functions manage share links" on share_links for all to app_definer using (true) with check (true);
create policy "Definer functions manage ownership transfers" on ownership_transfers for all to app_definer using (true) with check (true);
create policy "Definer functions read domains" on organization_domains for select to app_definer using (true);
create policy "Definer functions add domains" on organization_domains for insert to app_definer with check (true);
create policy "Definer functions change domains" on organization_domains for update to app_definer using (true);
create policy "Definer functions know who is barred" on domain_bars for select to app_definer using (true);
create policy "Definer functions bar people" on domain_bars for insert to app_definer with check (true);
create policy "Definer functions manage one-time tokens" on one_time_tokens for all to app_definer using (true) with check (true);
create policy "Definer functions manage the outbox" on outbox for all to app_definer using (true) with check (true);
create policy "Definer functions count attempts" on throttles for all to app_definer using (true) with check (true);
create policy "Definer functions manage authenticator apps" on totp_factors for all to app_definer using (true) with check (true);
create policy "Definer functions manage recovery codes" on recovery_codes for all to app_definer using (true) with check (true);
create policy "Definer functions manage passkeys" on passkeys for all to app_definer using (true) with check (true);
create policy "Definer functions manage identities" on identities for all to app_definer using (true) with check (true);
create policy "Definer functions manage API keys" on api_keys for all to app_definer using (true) with check (true);
create policy "Definer functions read connections" on sso_connections for select to app_definer using (true);
create policy "Definer functions lock and verify connections" on sso_connections for update to app_definer using (true);
create policy "Definer functions spend challenges" on spent_challenges for all to app_definer using (true) with check (true);
create policy "Definer functions read webhook endpoints" on webhook_endpoints for select to app_definer using (true);
create policy "Definer functions add webhook endpoints" on webhook_endpoints for insert to app_definer with check (true);
create policy "Definer functions lock, rotate and disable webhook endpoints" on webhook_endpoints for update to app_definer using (true);
create policy "Definer functions manage webhook messages" on webhook_messages for all to app_definer using (true) with check (true);
create policy "Definer functions look for audit events" on audit_events for select to app_definer using (true);
create policy "Definer functions write audit events" on audit_events for insert to app_definer with check (true);
create policy "Definer functions look for events of accounts" on user_audit_events for select to app_definer using (true);
create policy "Definer functions write events of accounts" on user_audit_events for insert to app_definer with check (true);
create policy "Definer functions know who administers the platform" on platform_admins for all to app_definer using (true) with check (true);
create policy "Definer functions know what plans are made of" on features for all to app_definer using (true) with check (true);
create policy "Definer functions read plans" on plans for select to app_definer using (true);
create policy "Whoever has the database adds plans" on plans for insert to app_definer with check (true);
create policy "Whoever has the database shows and archives plans" on plans for update to app_definer using (true);
create policy "Definer functions read prices" on plan_prices for select to app_definer using (true);
create policy "A plan has its prices from the first" on plan_prices for insert to app_definer
  with check (exists (select from plans p where p.id = plan_prices.plan_id and p.created_at = now()::timestamptz(3)));
create policy "Definer functions read what plans have" on plan_features for select to app_definer using (true);
create policy "A plan has its features from the first" on plan_features for insert to app_definer
  with check (exists (select from plans p where p.id = plan_features.plan_id and p.created_at = now()::timestamptz(3)));
create policy "Definer functions read subscriptions" on subscriptions for select to app_definer using (true);
create policy "Definer functions begin subscriptions" on subscriptions for insert to app_definer with check (true);
create policy "Definer functions change subscriptions" on subscriptions for update to app_definer using (true);
create policy "Definer functions read invoices" on invoices for select to app_definer using (true);
create policy "Definer functions write invoices" on invoices for insert to app_definer with check (true);
create policy "Definer functions void invoices, and keep a provider's" on invoices for update to app_definer
  using (true) with check (status = 'void' or provider_id is not null);
create policy "Definer functions read whom Stripe collects from" on stripe_customers for select to app_definer using (true);
create policy "Definer functions note whom Stripe collects from" on stripe_customers for insert to app_definer with check (true);
create policy "Definer functions follow Stripe's customers" on stripe_customers for update to app_definer using (true);
create policy "Definer functions forget whom no organization has" on stripe_customers for delete to app_definer using (organization_id is null);
create policy "Definer functions manage what Stripe tells" on stripe_events for all to app_definer using (true) with check (true);
create policy "Definer functions read what was used" on usage_events for select to app_definer using (true);
create policy "Definer functions record what was used" on usage_events for insert to app_definer with check (true);
create policy "Definer functions correct what counts" on usage_events for update to app_definer using (true);
create policy "Definer functions note corrections" on usage_corrections for insert to app_definer with check (true);
create policy "Definer functions read corrections" on usage_corrections for select to app_definer using (true);
create policy "Definer functions read what usage comes to" on usage_rollups for select to app_definer using (true);
create policy "Definer functions begin what usage comes to" on usage_rollups for insert to app_definer with check (true);
create policy "Definer functions add to what usage comes to" on usage_rollups for update to app_definer using (true);
create policy "Definer functions manage what is reserved" on usage_reservations for all to app_definer using (true) with check (true);
create policy "What was used goes with its organization" on usage_events for delete to app_definer
  using (exists (select from organizations o where o.id = usage_events.organization_id and o.deleted_at < now() - interval '30 days'));
create policy "What usage comes to goes with its organization" on usage_rollups for delete to app_definer
  using (exists (select from organizations o where o.id = usage_rollups.organization_id and o.deleted_at < now() - interval '30 days'));
create policy "Definer functions read how much was used" on usage_counters for select to app_definer using (true);
create policy "Definer functions begin to count" on usage_counters for insert to app_definer with check (true);
create policy "Definer functions count" on usage_counters for update to app_definer using (true);
create policy "Definer functions manage idempotency keys" on idempotency_keys for all to app_definer using (true) with check (true);

-- ── The sealed context ───────────────────────────────────────────────────────────────────────────
-- set_config is open to everyone, so a setting alone proves nothing. app.context carries
-- user|session|organization|permissions|pending|key|request|address|impersonator|platform; app.seal is its HMAC, bound to
-- backend and transaction.

set local role app_definer;

drop type if exists app_private.stripe_subscription, app_private.stripe_invoice, app_private.signed_in, app_private.event, app_private.platform_user, app_private.platform_organization,
  app_private.sold_price, app_private.usage_item;

create table if not exists app_private.seal_key (
  only_row boolean primary key default true check (only_row),
  inner_key bytea not null check (length(inner_key) = 64),
  outer_key bytea not null check (length(outer_key) = 64)
);
insert into app_private.seal_key (inner_key, outer_key)
select k[1] || k[2], k[3] || k[4]
  from (select array_agg(sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()))) k
          from generate_series(1, 4)) random
on conflict do nothing;

-- Built-in roles, as src/permissions.ts has them; npm run fix writes them here. Looked up once a request, by app.admit.
create function app_private.role_permissions(p_role text) returns text[]
language sql immutable set search_path = ''
return case p_role
  when 'owner' then array['organization:read', 'organization:update', 'organization:delete', 'organization:export', 'organization:own', 'members:read', 'members:write', 'invitations:read', 'invitations:write', 'domains:read', 'domains:write', 'roles:write', 'teams:write', 'api-keys:read', 'api-keys:write', 'audit-events:read', 'webhooks:read', 'webhooks:write', 'billing:read', 'billing:write', 'usage:read', 'usage:write', 'sso:read', 'sso:write']
  when 'admin' then array['organization:read', 'organization:update', 'members:read', 'members:write', 'invitations:read', 'invitations:write', 'domains:read', 'roles:write', 'teams:write', 'api-keys:read', 'api-keys:write', 'audit-events:read', 'webhooks:read', 'webhooks:write', 'billing:read', 'usage:read', 'usage:write', 'sso:read']
  when 'member' then array['organization:read', 'members:read']
  when 'viewer' then array['organization:read']
end;

/* The permissions of several roles of an organization together, each once; none for none. What the product has no
   longer, or gives to no owner, is nobody's. */
create function app_private.permissions_of(p_organization_id uuid, p_roles text[]) returns text[]
language sql stable set search_path = '' as $$
  select array(
    select distinct permission
      from (select pg_catalog.unnest(app_private.role_permissions(role)) from pg_catalog.unnest(p_roles) role
             union all
            select pg_catalog.unnest(r.permissions) from public.roles r
             where r.organization_id = p_organization_id and r.key = any (p_roles)) held (permission)
     where permission = any (app_private.role_permissions('owner'))
     order by permission)
$$;

/* A member's roles; none for whoever is no member. */
create function app_private.roles_of(p_organization_id uuid, p_user_id uuid) returns text[]
language sql stable set search_path = '' as $$
  select array(select r.role from public.membership_roles r
                where r.organization_id = p_organization_id and r.user_id = p_user_id order by r.role)
$$;

-- HMAC (RFC 2104) with two independent 64-byte keys in place of the padded ones.
create function app_private.seal(p_context text) returns text
language sql stable parallel restricted set search_path = ''
return (
  select pg_catalog.encode(pg_catalog.sha256(outer_key || pg_catalog.sha256(inner_key || pg_catalog.convert_to(
           p_context || '|' || pg_catalog.pg_backend_pid() || '|' || extract(epoch from pg_catalog.now()), 'UTF8'))), 'hex')
    from app_private.seal_key
);

-- Parts: 1 user, or '' with a key of the organization's own; 2 session, or '' with a key; 3 organization or '';
-- 4 permissions joined by commas; 5 'pending' before the second factor; 6 API key or ''; 7 the request's id; 8 the client's
-- address; 9 who acts as the user, or ''; 10 'platform' of an administrator at work. Of nobody 7 and 8 alone. Null before
-- anybody was admitted.
create function app_private.sealed_context() returns text[]
language plpgsql stable parallel restricted set search_path = '' as $$
declare
  v_context text := nullif(pg_catalog.current_setting('app.context', true), '');
begin
  if v_context is not null and pg_catalog.current_setting('app.seal', true) is distinct from app_private.seal(v_context) then
    raise exception 'the context does not match its seal' using errcode = 'AP499';
  end if;
  return pg_catalog.string_to_array(v_context, '|');
end
$$;

/* The context of a session or of a key: AP400 without. */
create function app_private.context() returns text[]
language plpgsql stable parallel restricted set search_path = '' as $$
declare
  v_context text[] := app_private.sealed_context();
begin
  if (v_context[2] <> '' or v_context[6] <> '') is not true then
    raise exception 'no context: app.admit has not run in this transaction' using errcode = 'AP400';
  end if;
  return v_context;
end
$$;

/* p_context is of the first six parts. */
create function app_private.set_context(
  p_context text, p_request_id text, p_ip_address text, p_impersonator_id uuid default null, p_is_platform boolean default false
) returns void
language sql volatile set search_path = '' as $$
  select pg_catalog.set_config('app.context', whole.context, true),
         pg_catalog.set_config('app.seal', app_private.seal(whole.context), true)
    from (select p_context || '|' || pg_catalog.left(pg_catalog.translate(coalesce(p_request_id, ''), '|', ''), 255)
                           || '|' || pg_catalog.left(pg_catalog.translate(coalesce(p_ip_address, ''), '|', ''), 45)
                           || '|' || coalesce(p_impersonator_id::text, '')
                           || '|' || case when p_is_platform then 'platform' else '' end) whole (context)
$$;

/* The first statement of every batch that comes with no session and no key: it says for the audit trail which request it is
   of, and lets nobody in. */
create function app.admit_nobody(p_request_id text, p_ip_address text) returns void
language sql volatile security definer set search_path = '' as $$
  select app_private.set_context('|||||', p_request_id, p_ip_address)
$$;

/* Whether somebody is to be told of what changes in an organization. */
create function app_private.has_webhooks(p_organization_id uuid) returns boolean
language sql stable set search_path = ''
return exists (select from public.webhook_endpoints e where e.organization_id = p_organization_id and e.disabled_at is null);

/* The first statement of every batch that comes with an access token. p_handle is SHA-256 of the session's handle.
   AP401 unknown, expired or revoked session, suspended user, or one that whoever acts as somebody began before they were
   suspended, or no administrator any more; APMFA before its second factor, unless p_pending lets it in for that; with
   p_verified APVER for an address that is not verified; with p_fresh APIMP for whoever acts as somebody, and APFRS when the
   person authenticated over 10 minutes ago; AP404 not a member; APSUS a suspended organization; APENR where the
   organization asks for a second factor that the session has not; AP403 no role of theirs has p_permission; APENT the
   organization's plan does not have p_feature. The audit trail names p_request_id and p_ip_address. Returns whether the
   organization has webhooks. */
create function app.admit(
  p_handle bytea, p_organization_id uuid default null, p_permission text default null,
  p_verified boolean default false, p_fresh boolean default false, p_pending boolean default false,
  p_request_id text default null, p_ip_address text default null, p_feature text default null
) returns boolean
language plpgsql security definer set search_path = '' as $$
declare
  v_user_id uuid;
  v_session_id uuid;
  v_is_member boolean;
  v_is_verified boolean;
  v_is_fresh boolean;
  v_second_factor text;
  v_is_mfa_required boolean;
  v_is_suspended boolean;
  v_impersonator_id uuid;
  v_roles text[];
  v_permissions text[] := '{}';
  v_context text;
begin
  select s.user_id, s.id, o.id is not null, u.email_verified_at is not null, s.authenticated_at > pg_catalog.now() - interval '10 minutes',
         s.second_factor, o.mfa_required, o.suspended_at is not null, s.impersonator_id,
         -- Here, and not in a statement after this one, which would see what was committed in between.
         array(select r.role from public.membership_roles r
                where r.organization_id = m.organization_id and r.user_id = m.user_id)
    into v_user_id, v_session_id, v_is_member, v_is_verified, v_is_fresh, v_second_factor, v_is_mfa_required, v_is_suspended,
         v_impersonator_id, v_roles
    from public.sessions s
    join public.users u on u.id = s.user_id
    left join public.memberships m on m.user_id = s.user_id and m.organization_id = p_organization_id
    left join public.organizations o on o.id = m.organization_id and o.deleted_at is null
   where s.handle_hash = pg_catalog.sha256(p_handle)
     and s.revoked_at is null
     and s.expires_at > pg_catalog.now()
     and s.idle_expires_at > pg_catalog.now()
     and u.suspended_at is null
     and (s.impersonator_id is null
          or exists (select from public.platform_admins a join public.users i on i.id = a.user_id
                      where a.user_id = s.impersonator_id and i.suspended_at is null));
  if v_user_id is null then
    raise exception 'no such session' using errcode = 'AP401';
  end if;
  if v_second_factor = 'pending' and (not p_pending or p_organization_id is not null) then
    raise exception 'the second factor is still to be given' using errcode = 'APMFA';
  end if;
  if p_verified and not v_is_verified then
    raise exception 'the address is not verified' using errcode = 'APVER';
  end if;
  if p_fresh and v_impersonator_id is not null then
    raise exception 'for the person alone' using errcode = 'APIMP';
  end if;
  if p_fresh and not v_is_fresh then
    raise exception 'the person proved who they are too long ago' using errcode = 'APFRS';
  end if;
  if p_organization_id is not null then
    if not v_is_member then
      raise exception 'not a member' using errcode = 'AP404';
    end if;
    if v_is_suspended then
      raise exception 'the organization is suspended' using errcode = 'APSUS';
    end if;
    if v_is_mfa_required and v_second_factor is distinct from 'given' then
      raise exception 'the organization asks for a second factor' using errcode = 'APENR';
    end if;
    v_permissions := app_private.permissions_of(p_organization_id, v_roles);
    if (p_permission = any (v_permissions)) is not true then
      raise exception 'no role has %', p_permission using errcode = 'AP403';
    end if;
    if p_feature is not null then
      perform app_private.require_entitlement(p_organization_id, p_feature);
    end if;
  end if;
  perform app_private.set_context(v_user_id || '|' || v_session_id || '|' || coalesce(p_organization_id::text, '') || '|'
            || pg_catalog.array_to_string(v_permissions, ',') || '|'
            || case when v_second_factor = 'pending' then 'pending' else '' end || '|', p_request_id, p_ip_address,
            v_impersonator_id);
  return app_private.has_webhooks(p_organization_id);
end
$$;

/* The first statement of every batch for the platform's administrators. As app.admit, and then: AP404 for whoever is none;
   APIMP for whoever acts as one; APVER; APENR for a session without a second factor; with p_fresh APFRS. */
create function app.admit_platform_admin(
  p_handle bytea, p_fresh boolean, p_request_id text default null, p_ip_address text default null
) returns void
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_context text[];
  v_found record;
begin
  perform app.admit(p_handle);
  v_context := app_private.session_context();
  select s.impersonator_id, s.second_factor, s.authenticated_at > pg_catalog.now() - interval '10 minutes' as is_fresh,
         u.email_verified_at is not null as is_verified
    into v_found
    from public.sessions s
    join public.platform_admins a on a.user_id = s.user_id
    join public.users u on u.id = s.user_id
   where s.id = v_context[2]::uuid;
  if not found then
    raise exception 'no administrator' using errcode = 'AP404';
  end if;
  if v_found.impersonator_id is not null then
    raise exception 'for the person alone' using errcode = 'APIMP';
  end if;
  if not v_found.is_verified then
    raise exception 'the address is not verified' using errcode = 'APVER';
  end if;
  if v_found.second_factor is distinct from 'given' then
    raise exception 'the platform asks for a second factor' using errcode = 'APENR';
  end if;
  if p_fresh and not v_found.is_fresh then
    raise exception 'the person proved who they are too long ago' using errcode = 'APFRS';
  end if;
  perform app_private.set_context(v_context[1] || '|' || v_context[2] || '||||', p_request_id, p_ip_address, null, true);
end
$$;

/* What a key may do now: its scopes, as far as its person may do the same, or an owner with one of the organization's own. */
create function app_private.permissions_of_key(p_key public.api_keys) returns text[]
language sql stable set search_path = '' as $$
  select array(
    select scope from pg_catalog.unnest(p_key.scopes) scope
     where scope = any (case when p_key.user_id is null then app_private.role_permissions('owner')
                             else app_private.permissions_of(p_key.organization_id,
                                    app_private.roles_of(p_key.organization_id, p_key.user_id)) end)
     order by scope)
$$;

/* The first statement of every batch that comes with an API key; p_handle is SHA-256 of it. The rest of the transaction
   only reads when p_reads says so. AP401 for a key that is unknown, expired or rotated away, whose person is suspended, or
   whose organization is deleted; AP404 outside of its organization; APSUS in a suspended one; with p_verified APVER for a person whose address is
   not verified; APENR for one without a second factor where the organization asks for it; AP403 without p_permission; APENT
   where the organization's plan does not have p_feature. Returns {id, rateLimitPerMinute, hasWebhooks}. */
create function app.admit_key(
  p_handle bytea, p_organization_id uuid, p_permission text, p_verified boolean default false, p_reads boolean default true,
  p_request_id text default null, p_ip_address text default null, p_feature text default null
) returns json
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_found record;
  v_key public.api_keys;
begin
  select k as key, u.email_verified_at is not null as is_verified, o.mfa_required, o.suspended_at is not null as is_suspended,
         -- Here, and not in a statement after this one, which would see what was committed in between.
         app_private.permissions_of_key(k) as permissions
    into v_found
    from public.api_keys k
    join public.organizations o on o.id = k.organization_id and o.deleted_at is null
    left join public.users u on u.id = k.user_id
   where (k.key_hash = pg_catalog.sha256(p_handle)
          or k.previous_key_hash = pg_catalog.sha256(p_handle) and k.previous_expires_at > pg_catalog.now())
     and (k.expires_at > pg_catalog.now()) is not false
     and u.suspended_at is null;
  v_key := v_found.key;
  if v_key.id is null then
    raise exception 'no such key' using errcode = 'AP401';
  end if;
  if p_organization_id is distinct from v_key.organization_id then
    raise exception 'not its organization' using errcode = 'AP404';
  end if;
  if v_found.is_suspended then
    raise exception 'the organization is suspended' using errcode = 'APSUS';
  end if;
  if v_key.user_id is not null then
    if p_verified and not v_found.is_verified then
      raise exception 'the address is not verified' using errcode = 'APVER';
    end if;
    if v_found.mfa_required and app_private.factors(v_key.user_id) is null then
      raise exception 'the organization asks for a second factor' using errcode = 'APENR';
    end if;
  end if;
  if (p_permission = any (v_found.permissions)) is not true then
    raise exception 'the key is not for %', p_permission using errcode = 'AP403';
  end if;
  if p_feature is not null then
    perform app_private.require_entitlement(p_organization_id, p_feature);
  end if;
  -- Once a minute, and without waiting for another request that does the same.
  update public.api_keys k set last_used_at = pg_catalog.now()
   where k.organization_id = v_key.organization_id
     and k.id = (select due.id from public.api_keys due
                  where due.organization_id = v_key.organization_id and due.id = v_key.id
                    and (due.last_used_at > pg_catalog.now() - interval '1 minute') is not true
                    for no key update skip locked);
  perform app_private.set_context(coalesce(v_key.user_id::text, '') || '||' || v_key.organization_id || '|'
            || pg_catalog.array_to_string(v_found.permissions, ',') || '||' || v_key.id, p_request_id, p_ip_address);
  if p_reads then
    perform pg_catalog.set_config('transaction_read_only', 'on', true);
  end if;
  return pg_catalog.json_build_object('id', v_key.id, 'rateLimitPerMinute', v_key.rate_limit,
                                      'hasWebhooks', app_private.has_webhooks(v_key.organization_id));
end
$$;

/* The context of a session: APSES with an API key, which is good for no account and no factor. */
create function app_private.session_context() returns text[]
language plpgsql stable parallel restricted set search_path = '' as $$
declare
  v_context text[] := app_private.context();
begin
  if v_context[2] = '' then
    raise exception 'an API key is no session' using errcode = 'APSES';
  end if;
  return v_context;
end
$$;

-- These four are what policies ask. Each verifies the seal; wrap each in (select …), so that it
-- runs once a statement instead of once a row.
create function app.user_id() returns uuid
language plpgsql stable parallel restricted security definer set search_path = '' as $$
declare
  v_context text[] := app_private.session_context();
begin
  if v_context[5] <> '' then
    raise exception 'the second factor is still to be given' using errcode = 'APMFA';
  end if;
  return v_context[1]::uuid;
end
$$;

/* The member who acts in the request's organization, by a session or by a key of theirs; null with one of the
   organization's own. */
create function app.member_id() returns uuid
language plpgsql stable parallel restricted security definer set search_path = '' as $$
declare
  v_context text[] := app_private.context();
begin
  if v_context[5] <> '' then
    raise exception 'the second factor is still to be given' using errcode = 'APMFA';
  end if;
  return nullif(v_context[1], '')::uuid;
end
$$;

/* The same where somebody has to answer for it: APPER with a key of the organization's own. */
create function app_private.answering_member_id() returns uuid
language plpgsql stable set search_path = '' as $$
declare
  v_user_id uuid := app.member_id();
begin
  if v_user_id is null then
    raise exception 'a key of nobody''s' using errcode = 'APPER';
  end if;
  return v_user_id;
end
$$;

/* Whether a session or a key was let in. */
create function app_private.is_admitted() returns boolean
language sql stable parallel restricted set search_path = ''
return (
  select (context[2] <> '' or context[6] <> '') is true from (select app_private.sealed_context()) sealed (context)
);

/* Null with a session. */
create function app_private.api_key_id() returns uuid
language sql stable parallel restricted set search_path = ''
return nullif((app_private.context())[6], '')::uuid;

/* The same, null with any key: for what somebody may do by who they are, whatever a key of theirs is for. */
create function app_private.in_person() returns uuid
language sql stable set search_path = ''
return case when app_private.api_key_id() is null then app.member_id() end;

/* The administrator who acts as the person of the session. */
create function app_private.impersonator_id() returns uuid
language sql stable parallel restricted set search_path = ''
return nullif((app_private.sealed_context())[9], '')::uuid;

/* The administrator of the platform whose request it is; null in any other. */
create function app.platform_admin_id() returns uuid
language plpgsql stable parallel restricted security definer set search_path = '' as $$
declare
  v_context text[] := app_private.session_context();
begin
  return case when v_context[10] = 'platform' then v_context[1]::uuid end;
end
$$;

/* The person of a session that may still wait for its second factor: for what proves who they are, and nothing else. APIMP
   for whoever acts as them. */
create function app_private.claimant_id() returns uuid
language plpgsql stable parallel restricted set search_path = '' as $$
begin
  if app_private.impersonator_id() is not null then
    raise exception 'for the person alone' using errcode = 'APIMP';
  end if;
  return (app_private.session_context())[1]::uuid;
end
$$;

create function app.session_id() returns uuid
language sql stable parallel restricted security definer set search_path = ''
return (app_private.session_context())[2]::uuid;

/* The organization of the request; null outside of one, or when p_permission is asked for and not held. */
create function app.org_id(p_permission text default null) returns uuid
language plpgsql stable parallel restricted security definer set search_path = '' as $$
declare
  v_context text[] := app_private.context();
begin
  if p_permission is not null and (p_permission = any (pg_catalog.string_to_array(v_context[4], ','))) is not true then
    return null;
  end if;
  return nullif(v_context[3], '')::uuid;
end
$$;

/* The same where there must be one: AP403 for whoever was let in without p_permission. */
create function app_private.organization_with(p_permission text) returns uuid
language plpgsql stable parallel restricted set search_path = '' as $$
declare
  v_id uuid := app.org_id(p_permission);
begin
  if v_id is null then
    raise exception 'not let in with %', p_permission using errcode = 'AP403';
  end if;
  return v_id;
end
$$;

-- ── The audit trail ──────────────────────────────────────────────────────────────────────────────
-- Written by triggers, in the transaction of what they tell of, and by the functions that know more than their rows say.
-- Who did it is what the context was sealed with: no statement says it, and none that clears the context goes untold.

/* How long events are kept, after the organization and the account too. */
create function app_private.audit_retention() returns interval
language sql immutable set search_path = ''
return interval '365 days';

/* The first that an event of this time could have. */
create function app_private.first_event_id(p_at timestamptz) returns uuid
language sql stable set search_path = ''
return (pg_catalog.lpad(pg_catalog.to_hex(greatest(0, extract(epoch from p_at) * 1000)::bigint), 12, '0') || '70008000000000000000')::uuid;

/* An event of an organization's trail, or else of a person's. actor_id is who does what takes no session. */
create type app_private.event as (
  organization_id uuid, user_id uuid, action text, subject_type text, subject_id uuid, before jsonb, after jsonb, actor_id uuid
);

/* Writes events down, in their order: all of organizations, or all of people. By indexes, of however many organizations. */
create function app_private.record_events(p_events app_private.event[]) returns void
language plpgsql volatile set search_path = '' set enable_seqscan = off as $$
declare
  v_context text[] := app_private.sealed_context();
  v_key_id uuid := nullif(v_context[6], '');
  v_actor_id uuid := coalesce(v_key_id, nullif(v_context[1], '')::uuid);
  -- The clean-up, and whoever has the database itself, come with no request.
  v_nobody text := case when coalesce(v_context[7], '') = '' then 'system' else 'anonymous' end;
  v_somebody text := case when v_key_id is not null then 'api_key' when v_context[10] = 'platform' then 'platform_admin' else 'user' end;
  v_request_id text := nullif(v_context[7], '');
  v_impersonator_id uuid := nullif(v_context[9], '');
  -- The platform's own people leave none.
  v_ip_address text := case when v_context[9] || v_context[10] = '' then nullif(v_context[8], '') end;
  v_written public.audit_events[];
begin
  -- Who acts in one organization is nobody whom another is told of; and who is nobody leaves no address with one.
  if v_context[3] <> '' and p_events[1].organization_id::text <> v_context[3] then
    v_actor_id := null;
    v_impersonator_id := null;
    v_somebody := 'user';
    v_nobody := 'system';
    v_request_id := null;
    v_ip_address := null;
  elsif p_events[1].organization_id is not null and v_actor_id is null and p_events[1].actor_id is null then
    v_ip_address := null;
  end if;
  if p_events[1].organization_id is null then
    insert into public.user_audit_events
      (user_id, action, actor_type, actor_id, impersonator_id, subject_type, subject_id, before, after, request_id, ip_address)
    select e.user_id, e.action, case when coalesce(v_actor_id, e.actor_id) is not null then v_somebody else v_nobody end,
           coalesce(v_actor_id, e.actor_id), v_impersonator_id, e.subject_type, e.subject_id, e.before, e.after, v_request_id, v_ip_address
      from pg_catalog.unnest(p_events) e;
    return;
  end if;
  with written as (
    insert into public.audit_events as w
      (organization_id, action, actor_type, actor_id, impersonator_id, subject_type, subject_id, before, after, request_id, ip_address)
    select e.organization_id, e.action, case when coalesce(v_actor_id, e.actor_id) is not null then v_somebody else v_nobody end,
           coalesce(v_actor_id, e.actor_id), v_impersonator_id, e.subject_type, e.subject_id, e.before, e.after, v_request_id, v_ip_address
      from pg_catalog.unnest(p_events) e
    returning w
  )
  select pg_catalog.array_agg(w) into v_written from written;
  if exists (select from public.webhook_endpoints e where e.disabled_at is null
                and e.organization_id = any (array(select distinct w.organization_id from pg_catalog.unnest(v_written) w))) then
    perform app_private.queue_webhooks(v_written);
  end if;
end
$$;

/* The same of one. */
create function app_private.record_event(
  p_organization_id uuid, p_user_id uuid, p_action text, p_subject_type text, p_subject_id uuid,
  p_before jsonb default null, p_after jsonb default null, p_actor_id uuid default null
) returns void
language sql volatile set search_path = '' as $$
  select app_private.record_events(array[row(
    p_organization_id, p_user_id, p_action, p_subject_type, p_subject_id, p_before, p_after, p_actor_id)::app_private.event])
$$;

/* Somebody did not sign in as this person, by that method. */
create function app_private.record_failure(p_user_id uuid, p_method text) returns void
language sql volatile set search_path = '' as $$
  select app_private.record_event(null, p_user_id, 'sign_in.failed', 'user', p_user_id, null,
                                  pg_catalog.jsonb_build_object('method', p_method))
$$;

/* What a changed row is told as; null for a change that is nobody's business. Like the two below, whose names are bound as
   well, without a search_path of its own: it is inlined, and asked for each of many rows. */
create function app_private.audited_action(p_subject text, p_operation text, p_old jsonb, p_new jsonb) returns text
language sql immutable
return case
  when p_subject = 'session' then case
    when p_operation <> 'UPDATE' then null
    when p_old ->> 'revoked_at' is null and p_new ->> 'revoked_at' is not null then 'session.revoked'
    when p_old ->> 'second_factor' = 'pending' and p_new ->> 'second_factor' = 'given' then 'session.completed'
    when p_old -> 'refresh_generation' <> p_new -> 'refresh_generation' then 'session.refreshed'
    when p_old -> 'authenticated_at' <> p_new -> 'authenticated_at' then 'session.reauthenticated' end
  when p_subject = 'one_time_token' then case when p_operation = 'INSERT' then case p_new ->> 'purpose'
    when 'reset_password' then 'password_reset.requested'
    when 'verify_email' then 'email_verification.requested'
    when 'change_email_new' then 'email_change.requested'
    when 'sign_in' then 'email_sign_in.requested' end end
  when p_operation = 'INSERT' then case
    when p_subject in ('member', 'team_member', 'passkey', 'platform_admin') then p_subject || '.added'
    when p_subject = 'member_role' then 'member.role_granted'
    when p_subject = 'ownership_transfer' then 'ownership_transfer.offered'
    when p_subject = 'identity' then 'identity.linked'
    when p_subject = 'totp' then 'totp.enrolled'
    else p_subject || '.created' end
  when p_operation = 'DELETE' then case
    when p_subject in ('member', 'team_member', 'passkey', 'totp', 'platform_admin') then p_subject || '.removed'
    when p_subject in ('api_key', 'share_link') then p_subject || '.revoked'
    when p_subject = 'member_role' then 'member.role_revoked'
    when p_subject = 'ownership_transfer' then 'ownership_transfer.ended'
    when p_subject = 'identity' then 'identity.unlinked'
    when p_subject = 'organization' then 'organization.purged'
    else p_subject || '.deleted' end
  else case
    when p_subject = 'organization' and (p_old ->> 'deleted_at' is null) <> (p_new ->> 'deleted_at' is null)
      then case when p_new ->> 'deleted_at' is null then 'organization.restored' else 'organization.deleted' end
    when p_subject = 'invitation' and p_old ->> 'status' <> p_new ->> 'status' then 'invitation.' || (p_new ->> 'status')
    when p_subject = 'invitation' and p_old ->> 'sent_at' <> p_new ->> 'sent_at' then 'invitation.resent'
    when p_subject = 'invoice' and p_old ->> 'status' <> p_new ->> 'status'
      then case p_new ->> 'status' when 'void' then 'invoice.voided' else 'invoice.' || (p_new ->> 'status') end
    when p_subject = 'api_key' and p_old ->> 'key_hash' <> p_new ->> 'key_hash' then 'api_key.rotated'
    when p_subject = 'domain' and p_old ->> 'verified_at' is null and p_new ->> 'verified_at' is not null then 'domain.verified'
    when p_subject = 'sso_connection' and p_old ->> 'domain_verified_at' is null and p_new ->> 'domain_verified_at' is not null
      then 'sso_connection.verified'
    when p_subject = 'user' and p_old ->> 'email' <> p_new ->> 'email' then 'user.email_changed'
    when p_subject = 'user' and p_old ->> 'email_verified_at' is null and p_new ->> 'email_verified_at' is not null
      then 'user.email_verified'
    when p_subject in ('organization', 'user') and (p_old ->> 'suspended_at' is null) <> (p_new ->> 'suspended_at' is null)
      then p_subject || case when p_new ->> 'suspended_at' is null then '.unsuspended' else '.suspended' end
    when p_subject = 'totp' then case when p_old ->> 'activated_at' is null and p_new ->> 'activated_at' is not null then 'totp.activated' end
    else p_subject || '.updated' end
end;

/* As the API writes it: ISO 8601 UTC with milliseconds. Without a search_path of its own, so that it is inlined. */
create function app_private.iso_instant(p_instant timestamptz) returns text
language sql stable
return pg_catalog.to_char(p_instant at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"');

/* Of a row, what is told of it: p_columns gives each the name that the API has for it, after a '!' where its value is not told.
   Beside p_other, which it was or became, only what differs. */
create function app_private.told(p_row jsonb, p_other jsonb, p_columns jsonb) returns jsonb
language sql stable
return (
  select pg_catalog.jsonb_object_agg(pg_catalog.ltrim(told.name, '!'), case
           when told.name ^@ '!' then '"[redacted]"'
           -- Nothing that a route writes is: all of an event must fit into an answer of the database.
           when pg_catalog.length(p_row ->> told.column_name) > 8000 then '"[too long]"'
           when told.column_name like '%\_at' then pg_catalog.to_jsonb(app_private.iso_instant((p_row ->> told.column_name)::timestamptz))
           else p_row -> told.column_name end)
    from pg_catalog.jsonb_each_text(p_columns) told (column_name, name)
   where case when p_other is null then p_row ->> told.column_name is not null
              else p_row -> told.column_name <> p_other -> told.column_name end
);

/* Of deleted rows those that were deleted for themselves: of the others, what took them along is told of. */
create function app_private.gone_by_themselves(p_subject text, p_rows jsonb[]) returns jsonb[]
language plpgsql stable set search_path = '' as $$
declare
  v_organization_ids uuid[];
  v_team_ids uuid[];
begin
  if p_subject in ('organization', 'user') then
    return p_rows;
  end if;
  if not p_rows[1] ? 'organization_id' then
    return array(select r from pg_catalog.unnest(p_rows) r
                  where (r ->> 'connection_id' is null or (r ->> 'connection_id')::uuid = any (array(
                    select c.id from public.sso_connections c
                     where c.id = any (array(select distinct (g ->> 'connection_id')::uuid from pg_catalog.unnest(p_rows) g)))))
                    and (r ->> 'user_id')::uuid = any (array(
                    select u.id from public.users u
                     where u.id = any (array(select distinct (g ->> 'user_id')::uuid from pg_catalog.unnest(p_rows) g)))));
  end if;
  -- Each that they were of once, however many there are.
  v_organization_ids := array(
    select o.id from public.organizations o
     where o.id = any (array(select distinct (r ->> 'organization_id')::uuid from pg_catalog.unnest(p_rows) r))
       and (o.deleted_at > pg_catalog.now() - interval '30 days') is not false);
  v_team_ids := case when p_subject = 'team_member' then array(
    select t.id from public.teams t
     where t.organization_id = any (v_organization_ids)
       and t.id = any (array(select distinct (r ->> 'team_id')::uuid from pg_catalog.unnest(p_rows) r))) end;
  return array(
    select r from pg_catalog.unnest(p_rows) r
     where case
       when ((r ->> 'organization_id')::uuid = any (v_organization_ids)) is not true then false
       when p_subject = 'team_member' and ((r ->> 'team_id')::uuid = any (v_team_ids)) is not true then false
       when p_subject in ('member_role', 'team_member') then
         exists (select from public.memberships m where m.organization_id = (r ->> 'organization_id')::uuid
                    and m.user_id = (r ->> 'user_id')::uuid)
       else true end);
end
$$;

/* What is told of a row that is there, or was there, alone: p_old, p_new or both. */
create function app_private.event_of(
  p_subject text, p_columns jsonb, p_operation text, p_old jsonb, p_new jsonb, p_has_session boolean
) returns app_private.event
language sql stable
return (
  select row(
    told.organization_id, told.user_id, app_private.audited_action(p_subject, p_operation, p_old, p_new),
    case p_subject when 'member_role' then 'member' when 'one_time_token' then 'user' else p_subject end,
    case when p_subject in ('member', 'member_role', 'team_member', 'one_time_token', 'platform_admin') then told.user_id else told.id end,
    case when p_old is not null then app_private.told(p_old, p_new, p_columns) end,
    case when p_new is not null then app_private.told(p_new, p_old, p_columns) end,
    -- Without a session, whoever comes in has proven who they are; but a mail is asked for by whoever knows the address.
    case when not p_has_session and p_subject <> 'one_time_token'
              and (told.organization_id is null or p_subject in ('member', 'member_role', 'team_member')) then told.user_id end
  )::app_private.event
    from (select (case p_subject when 'organization' then r.row ->> 'id' else r.row ->> 'organization_id' end)::uuid,
                 (case p_subject when 'user' then r.row ->> 'id' else r.row ->> 'user_id' end)::uuid, (r.row ->> 'id')::uuid
            from (select coalesce(p_new, p_old)) r (row)) told (organization_id, user_id, id)
);

/* Whether the Worker has changed something without a session or a key. By its own statements it cannot: AP400, so that one
   that has cleared the context hides nothing. */
create function app_private.is_without_session(p_is_direct boolean) returns boolean
language plpgsql stable set search_path = '' as $$
begin
  if p_is_direct then
    perform app_private.context();
  end if;
  return not app_private.is_admitted() and 'app_user' in (session_user, pg_catalog.current_setting('role'));
end
$$;

/* Tells of rows that a statement has added or deleted. Arguments: what they are, their columns as above, and whether a
   statement of app_user has done it, or a function or a cascade. */
create function app_private.audit_rows() returns trigger
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_is_without_session boolean := app_private.is_without_session(tg_argv[2] = 'direct');
  v_one jsonb := (select pg_catalog.to_jsonb(c) from changed c limit 1);
  v_rows jsonb[];
  v_events app_private.event[];
begin
  -- Not what has expired, by the clean-up.
  if v_one is null or tg_op = 'DELETE' and v_is_without_session and v_one ? 'organization_id' then
    return null;
  end if;
  v_rows := array(select pg_catalog.to_jsonb(c) from changed c);
  if tg_op = 'DELETE' then
    v_rows := app_private.gone_by_themselves(tg_argv[0], v_rows);
  end if;
  v_events := array(
    select e from pg_catalog.unnest(v_rows) r,
           app_private.event_of(tg_argv[0], tg_argv[1]::jsonb, tg_op, case tg_op when 'DELETE' then r end,
                                case tg_op when 'INSERT' then r end, not v_is_without_session) e
     where e.action is not null);
  if v_events <> '{}' then
    perform app_private.record_events(v_events);
  end if;
  return null;
end
$$;

/* Tells of a row that was changed. Arguments as above. */
create function app_private.audit_change() returns trigger
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_event app_private.event := app_private.event_of(
    tg_argv[0], tg_argv[1]::jsonb, 'UPDATE', pg_catalog.to_jsonb(old), pg_catalog.to_jsonb(new),
    not app_private.is_without_session(tg_argv[2] = 'direct'));
begin
  if v_event.action is not null and (v_event.after is not null or v_event.action <> tg_argv[0] || '.updated') then
    perform app_private.record_events(array[v_event]);
  end if;
  return null;
end
$$;

/* Else whoever comes to have an id that was another's would read what was theirs. */
create function app_private.refuse_known_id() returns trigger
language plpgsql volatile security definer set search_path = '' as $$
begin
  if exists (select from public.audit_events e where e.organization_id = new.id)
     or exists (select from public.user_audit_events e where e.user_id = new.id) then
    raise unique_violation using message = 'there was one with this id', constraint = tg_table_name || '_pkey';
  end if;
  return new;
end
$$;

-- ── Counted attempts ─────────────────────────────────────────────────────────────────────────────
-- The Worker names the counters by a secret of its own: whoever can only run SQL neither finds, nor forgets, nor
-- uses up anybody's. An attempt is taken in a transaction before the password is looked at, so that it stays counted.

/* What must pass after an attempt, when p_more were taken past the free ones: 2, 4, 8 … seconds. */
create function app_private.attempt_delay(p_more int) returns interval
language sql immutable set search_path = ''
return least(interval '2 seconds' * 2 ^ least(p_more, 9), interval '15 minutes');

/* Takes an attempt and returns 0; or the seconds until the next, and takes none. p_free of them come at once. One
   is forgotten for every 15 minutes, and past the free ones only for every 15 without an attempt. */
create function app_private.take_attempt(p_scope bytea, p_free int) returns int
language plpgsql volatile set search_path = '' as $$
begin
  insert into public.throttles as t (scope, attempts) values (p_scope, 1)
  on conflict (scope) do update set (attempts, attempted_at) = (
    select kept + 1,
           -- Else attempts that never pause, as a busy network's, would never be forgotten.
           case when kept > 0 and kept + 1 < p_free then t.attempted_at + interval '15 minutes' * quarters
                else pg_catalog.now() end
      from pg_catalog.trunc(extract(epoch from pg_catalog.now() - t.attempted_at) / 900) quarters,
           greatest(0, t.attempts - quarters) kept)
   where t.attempts < p_free
      or t.attempted_at + app_private.attempt_delay(t.attempts - p_free) <= pg_catalog.now();
  if found then
    return 0;
  end if;
  return (select pg_catalog.ceil(extract(epoch from
                   t.attempted_at + app_private.attempt_delay(t.attempts - p_free) - pg_catalog.now()))
            from public.throttles t where t.scope = p_scope);
end
$$;

-- ── Before sign-in ───────────────────────────────────────────────────────────────────────────────
-- A hostile query can guess here, and learns no more than the sign-in form tells: no hash leaves the database,
-- and a session starts only for the whole bcrypt hash, or goes on only for the handle of a live one.

/* Creates an account, and mails a token to its address when p_message_id is given. 23505 on users_email_key. */
create function app.sign_up(
  p_id uuid, p_email text, p_name text, p_scheme int, p_salt text, p_hash text, p_message_id uuid, p_key bytea
) returns table (id uuid, email text, email_verified boolean, name text, created_at timestamptz, updated_at timestamptz)
language plpgsql volatile security definer set search_path = '' as $$
#variable_conflict use_column
declare
  v_user public.users;
begin
  insert into public.users as u (id, email, name, password_scheme, password_salt, password_verifier)
  values (p_id, p_email, p_name, p_scheme, p_salt, pg_catalog.sha256(pg_catalog.convert_to(p_hash, 'UTF8')))
  returning u.* into v_user;
  perform app_private.mail_token(v_user, 'verify_email', 'verify_email', p_email, p_message_id, p_key);
  return query select v_user.id, v_user.email, false, v_user.name, v_user.created_at, v_user.updated_at;
end
$$;

/* Creates an account when the address has none, and mails a token to it. When it has one, its owner is mailed
   a link to a new password instead. The caller is not told which. */
create function app.sign_up_unseen(
  p_id uuid, p_email text, p_name text, p_scheme int, p_salt text, p_hash text, p_message_id uuid, p_key bytea
) returns void
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_user public.users;
begin
  insert into public.users as u (id, email, name, password_scheme, password_salt, password_verifier)
  values (p_id, p_email, p_name, p_scheme, p_salt, pg_catalog.sha256(pg_catalog.convert_to(p_hash, 'UTF8')))
  on conflict (email) do nothing returning u.* into v_user;
  if v_user.id is not null then
    perform app_private.mail_token(v_user, 'verify_email', 'verify_email', p_email, p_message_id, p_key);
  else
    perform app_private.mail_token_unseen(p_email, 'reset_password', 'account_exists', p_message_id, p_key);
  end if;
end
$$;

create function app.password_parameters(p_email text) returns table (scheme int, salt text)
language sql stable security definer set search_path = '' as $$
  select u.password_scheme, u.password_salt from public.users u where u.email = p_email and u.password_salt is not null
$$;

/* Takes an attempt to sign in, for the client's network and for the account. Where p_home_scope is there, as
   since a success from this network, it is counted for that instead of the account, so that strangers do not
   delay it. Returns which of the two it was, and 0; or the seconds to wait, and then neither is counted. */
create function app.take_sign_in_attempt(p_network_scope bytea, p_account_scope bytea, p_home_scope bytea)
returns table (account_scope bytea, wait_seconds int)
language plpgsql volatile security definer set search_path = '' as $$
begin
  account_scope := case when exists (select from public.throttles t where t.scope = p_home_scope)
                        then p_home_scope else p_account_scope end;
  begin
    -- Always in this order, so that no two wait for each other.
    wait_seconds := app_private.take_attempt(p_network_scope, 20);
    if wait_seconds = 0 then
      wait_seconds := app_private.take_attempt(account_scope, 5);
      if wait_seconds > 0 then
        raise exception 'refused' using errcode = 'APTRY';
      end if;
    end if;
  exception when sqlstate 'APTRY' then
    null; -- What the network gave is taken back with all else of this block, but its variables.
  end;
  return next;
end
$$;

/* After a success: forgets p_account_scope, gives p_network_scope its attempt back, and begins p_home_scope. */
create function app_private.settle_sign_in_attempt(p_network_scope bytea, p_account_scope bytea, p_home_scope bytea)
returns void
language plpgsql volatile set search_path = '' as $$
begin
  update public.throttles t set attempts = t.attempts - 1 where t.scope = p_network_scope and t.attempts > 0;
  delete from public.throttles t where t.scope = p_network_scope and t.attempts = 0;
  delete from public.throttles t where t.scope = p_account_scope;
  insert into public.throttles (scope, attempts) select p_home_scope, 0 where p_home_scope is not null
  on conflict (scope) do update set attempts = 0, attempted_at = pg_catalog.now();
end
$$;

/* What every way of signing in returns. `factors` are those that the person can still give, and null when the session
   is complete; `noticed` whether a mail about a new device was queued. */
create type app_private.signed_in as (
  id uuid, email text, email_verified boolean, name text, created_at timestamptz, updated_at timestamptz,
  expires_at timestamptz, noticed boolean, factors text[]
);

/* What somebody can give for a second factor; null for whoever has none. Recovery codes alone are none. */
create function app_private.factors(p_user_id uuid) returns text[]
language sql stable set search_path = '' as $$
  select nullif(pg_catalog.array_agg(factor order by factor), '{recovery_code}')
    from (select 'totp' as factor from public.totp_factors f where f.user_id = p_user_id and f.activated_at is not null
          union all
          (select 'passkey' from public.passkeys p where p.user_id = p_user_id limit 1)
          union all
          (select 'recovery_code' from public.recovery_codes c where c.user_id = p_user_id limit 1)) known
$$;

/* Starts a session of somebody whose row the caller has locked. It ends after p_lifetime, or after p_idle without a
   refresh; one that waits for a second factor, which p_factors_given did not bring along, after 10 minutes. p_method is
   what the person has shown: 'password', 'email_link', 'email_code', 'passkey', or the provider.
   Where there are earlier sessions, and none with this user agent in any version, it mails p_notice_… and says so. */
create function app_private.start_session(
  p_user public.users, p_session_id uuid, p_handle bytea, p_lifetime interval, p_idle interval, p_ip_address text,
  p_user_agent text, p_notice_id uuid, p_notice_key bytea, p_method text, p_factors_given boolean default false
) returns setof app_private.signed_in
language plpgsql volatile set search_path = '' as $$
declare
  v_lifetime interval := least(p_lifetime, interval '365 days');
  v_factors text[] := app_private.factors(p_user.id);
  v_second_factor text := case when p_factors_given then 'given' when v_factors is not null then 'pending' end;
  v_expires_at timestamptz;
  v_noticed boolean;
begin
  if v_second_factor = 'pending' then
    v_lifetime := interval '10 minutes';
  else
    v_factors := null;
  end if;
  -- Null where nobody has signed in before, which is no news. Bounded: of more than 50 sessions it looks at the
  -- newest that live, and at some others.
  select pg_catalog.bool_and(pg_catalog.regexp_replace(known.user_agent, '[0-9._]+', '', 'g')
           is distinct from pg_catalog.regexp_replace(p_user_agent, '[0-9._]+', '', 'g'))
    into v_noticed
    from ((select s.user_agent from public.sessions s
            where s.user_id = p_user.id and s.revoked_at is null order by s.id desc limit 50)
          union all
          (select s.user_agent from public.sessions s where s.user_id = p_user.id limit 50)) known
   where p_notice_id is not null;
  if v_noticed then
    perform app_private.queue_message(p_notice_id, p_notice_key, p_user.id, p_user.email, 'new_device',
                                      app_private.occasion(p_user.name, p_ip_address, p_user_agent));
  end if;
  -- 100 live ones at most: whoever knows the password could else begin so many that none of the statements which
  -- end them all is done in time. 10 that wait for a second factor: those push out no other.
  update public.sessions s set revoked_at = pg_catalog.now()
   where s.id = any (array(select o.id from public.sessions o
                            where o.user_id = p_user.id and o.revoked_at is null
                              and (o.second_factor is not distinct from 'pending') = (v_second_factor is not distinct from 'pending')
                            order by o.id desc offset case when v_second_factor = 'pending' then 9 else 99 end limit 100));
  insert into public.sessions (id, user_id, handle_hash, ip_address, user_agent, second_factor, idle_expires_at, expires_at)
  values (p_session_id, p_user.id, pg_catalog.sha256(p_handle), p_ip_address, p_user_agent, v_second_factor,
          pg_catalog.now() + least(p_idle, v_lifetime), pg_catalog.now() + v_lifetime)
  returning expires_at into v_expires_at;
  perform app_private.record_event(null, p_user.id, 'session.created', 'session', p_session_id, null,
            pg_catalog.jsonb_build_object('method', p_method, 'secondFactor', v_second_factor), p_user.id);
  return query select p_user.id, p_user.email, p_user.email_verified_at is not null, p_user.name, p_user.created_at,
                      p_user.updated_at, v_expires_at, coalesce(v_noticed, false), v_factors;
end
$$;

/* Starts a session when p_hash is the account's bcrypt hash, and replaces that hash by p_new_… when given.
   Returns the account and the session, of nulls for a wrong hash, an unknown address or a disabled account: no error, so
   that the failure is told of; no row when p_hash was made with parameters that another sign-in has replaced since.
   A success forgets p_account_scope, gives p_network_scope its attempt back, and begins p_home_scope. */
create function app.sign_in(
  p_email text, p_hash text, p_session_id uuid, p_handle bytea, p_lifetime interval, p_ip_address text, p_user_agent text,
  p_new_scheme int default null, p_new_salt text default null, p_new_hash text default null, p_idle interval default null,
  p_network_scope bytea default null, p_account_scope bytea default null, p_home_scope bytea default null,
  p_notice_id uuid default null, p_notice_key bytea default null
) returns setof app_private.signed_in
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_user public.users;
begin
  select * into v_user from public.users u
   where u.email = p_email
     and u.password_verifier = pg_catalog.sha256(pg_catalog.convert_to(p_hash, 'UTF8'))
     and u.suspended_at is null
     -- Else a password that is replaced at this moment could still start a session, after all were revoked.
     for no key update;
  if v_user.id is null then
    -- A bcrypt hash of 60 characters begins with its 29 of parameters.
    if exists (select from public.users u
                where u.email = p_email and pg_catalog.length(p_hash) = 60
                  and u.password_salt <> pg_catalog.left(p_hash, 29)) then
      return;
    end if;
    perform app_private.record_failure(u.id, 'password') from public.users u where u.email = p_email;
    if not found then
      -- Else an address without an account would be told by the time that a commit takes. It goes within the hour.
      insert into public.spent_challenges (key_hash) values (pg_catalog.sha256(pg_catalog.uuid_send(pg_catalog.gen_random_uuid())));
    end if;
    return query select (null::app_private.signed_in).*;
    return;
  end if;
  if p_new_hash is not null then
    update public.users u
       set password_scheme = p_new_scheme, password_salt = p_new_salt,
           password_verifier = pg_catalog.sha256(pg_catalog.convert_to(p_new_hash, 'UTF8'))
     where u.id = v_user.id and u.password_verifier = v_user.password_verifier;
  end if;
  perform app_private.settle_sign_in_attempt(p_network_scope, p_account_scope, p_home_scope);
  return query select * from app_private.start_session(v_user, p_session_id, p_handle, p_lifetime, p_idle, p_ip_address,
                                                       p_user_agent, p_notice_id, p_notice_key, 'password');
end
$$;

/* Rotates a session's refresh token (RFC 9700 §4.14.2). The generation before the current one is answered
   with the same successor for 10 seconds; any older one revokes the session and returns outcome 'reused',
   not an error, so that the revocation commits. A rotation gives the session another p_idle, within its
   lifetime. AP401 for a session that is not alive. */
create function app.refresh_session(p_handle bytea, p_generation int, p_idle interval default null)
returns table (outcome text, generation int, user_id uuid, session_id uuid, expires_at timestamptz)
language plpgsql volatile security definer set search_path = '' as $$
#variable_conflict use_column
declare
  v_session public.sessions;
begin
  select s.* into v_session from public.sessions s
    join public.users u on u.id = s.user_id
   where s.handle_hash = pg_catalog.sha256(p_handle)
     and s.revoked_at is null
     and s.expires_at > pg_catalog.now()
     and s.idle_expires_at > pg_catalog.now()
     and s.second_factor is distinct from 'pending'
     and s.impersonator_id is null
     and u.suspended_at is null
     for update of s;
  if v_session.id is null then
    raise exception 'no such session' using errcode = 'AP401';
  end if;
  if p_generation = v_session.refresh_generation then
    update public.sessions s
       set refresh_generation = s.refresh_generation + 1, refreshed_at = pg_catalog.clock_timestamp(),
           idle_expires_at = least(pg_catalog.now() + p_idle, s.expires_at)
     where s.id = v_session.id;
    return query select 'rotated', p_generation + 1, v_session.user_id, v_session.id, v_session.expires_at;
  elsif p_generation = v_session.refresh_generation - 1
    and v_session.refreshed_at > pg_catalog.clock_timestamp() - interval '10 seconds' then
    return query select 'repeated', v_session.refresh_generation, v_session.user_id, v_session.id, v_session.expires_at;
  else
    perform app_private.record_event(null, v_session.user_id, 'session.token_reused', 'session', v_session.id);
    update public.sessions s set revoked_at = pg_catalog.now() where s.id = v_session.id;
    return query select 'reused', v_session.refresh_generation, v_session.user_id, v_session.id, v_session.expires_at;
  end if;
end
$$;

-- ── The second factor ────────────────────────────────────────────────────────────────────────────
-- Whoever has one gives it at every sign-in. Until then the context of their session is good for these functions
-- alone: app.user_id() refuses it, and so do all policies.

/* The person of the session, locked as app.sign_in locks them: no session starts while their factors change. */
create function app_private.lock_claimant() returns public.users
language sql volatile set search_path = '' as $$
  select u from public.users u where u.id = app_private.claimant_id() for no key update
$$;

/* Completes the session of the request, under a new handle (ASVS 7.2.4): what was good before the second factor is
   good for nothing. AP401 when it is complete already, or was ended meanwhile. */
create function app_private.complete_session(p_user public.users, p_handle bytea, p_lifetime interval, p_idle interval)
returns setof app_private.signed_in
language plpgsql volatile set search_path = '' as $$
declare
  v_lifetime interval := least(p_lifetime, interval '365 days');
  v_expires_at timestamptz;
begin
  update public.sessions s
     set second_factor = 'given', handle_hash = pg_catalog.sha256(p_handle), authenticated_at = pg_catalog.now(),
         expires_at = pg_catalog.now() + v_lifetime, idle_expires_at = pg_catalog.now() + least(p_idle, v_lifetime)
   where s.id = app.session_id() and s.second_factor = 'pending' and s.revoked_at is null
  returning s.expires_at into v_expires_at;
  if v_expires_at is null then
    raise exception 'no such session' using errcode = 'AP401';
  end if;
  return query select p_user.id, p_user.email, p_user.email_verified_at is not null, p_user.name, p_user.created_at,
                      p_user.updated_at, v_expires_at, false, null::text[];
end
$$;

/* For whoever has just got a factor, in the session of the request: it counts as given there, and with the first one
   the person's other sessions end, and p_recovery_keys are kept. Returns whether they were. */
create function app_private.take_up_factor(p_user_id uuid, p_recovery_keys bytea[]) returns boolean
language plpgsql volatile set search_path = '' as $$
begin
  update public.sessions s set second_factor = 'given' where s.id = app.session_id();
  update public.sessions s set revoked_at = pg_catalog.now()
   where s.user_id = p_user_id and s.revoked_at is null and s.second_factor is distinct from 'given';
  if exists (select from public.recovery_codes c where c.user_id = p_user_id) then
    return false;
  end if;
  perform app_private.replace_recovery_codes(p_user_id, p_recovery_keys);
  return true;
end
$$;

create function app_private.replace_recovery_codes(p_user_id uuid, p_keys bytea[]) returns void
language sql volatile set search_path = '' as $$
  delete from public.recovery_codes c where c.user_id = p_user_id;
  insert into public.recovery_codes (user_id, key_hash) select p_user_id, pg_catalog.sha256(key) from unnest(p_keys) given (key);
  select app_private.record_event(null, p_user_id, 'recovery_codes.replaced', 'user', p_user_id);
$$;

/* For whoever has just given a factor up: with the last one their recovery codes go, and no session has it any more. */
create function app_private.give_up_factor(p_user_id uuid) returns void
language plpgsql volatile set search_path = '' as $$
begin
  if exists (select from public.totp_factors f where f.user_id = p_user_id and f.activated_at is not null)
     or exists (select from public.passkeys p where p.user_id = p_user_id) then
    return;
  end if;
  delete from public.recovery_codes c where c.user_id = p_user_id;
  update public.sessions s set revoked_at = pg_catalog.now()
   where s.user_id = p_user_id and s.second_factor = 'pending' and s.revoked_at is null;
  update public.sessions s set second_factor = null where s.user_id = p_user_id and s.revoked_at is null;
end
$$;

/* Takes a challenge, once: false when it was taken before. The Worker signs challenges, and takes none that has
   expired; none is written down before its answer comes. */
create function app_private.spend_challenge(p_key bytea) returns boolean
language plpgsql volatile set search_path = '' as $$
begin
  insert into public.spent_challenges (key_hash) values (pg_catalog.sha256(p_key)) on conflict do nothing;
  return found;
end
$$;

-- ── Signing in with a provider ───────────────────────────────────────────────────────────────────
-- What a provider says of somebody is verified by the Worker, in a ticket that is good once. So that no injected
-- statement says it, a ticket brings a key of the Worker's own, derived from its secret: it is known here by its hash,
-- which the first ticket after a run of this file brings. With a secret that is being replaced both keys come.

drop table if exists app_private.worker_keys;
create table app_private.worker_keys (key_hash bytea primary key);

/* Takes one or two keys of 32 bytes, the current one first. One that comes beside a known one is known from then on;
   one that comes alone is the only one. APWRK where none is known. */
create function app_private.prove_worker(p_keys bytea) returns void
language plpgsql volatile set search_path = '' as $$
declare
  v_current bytea := pg_catalog.sha256(pg_catalog.substr(p_keys, 1, 32));
  v_previous bytea := pg_catalog.sha256(pg_catalog.substr(p_keys, 33, 32));
begin
  if pg_catalog.length(p_keys) not in (32, 64)
     or exists (select from app_private.worker_keys)
        and not exists (select from app_private.worker_keys k where k.key_hash in (v_current, v_previous)) then
    raise exception 'not a key of the Worker''s' using errcode = 'APWRK';
  end if;
  insert into app_private.worker_keys (key_hash) values (v_current) on conflict do nothing;
  if pg_catalog.length(p_keys) = 32 then
    delete from app_private.worker_keys k where k.key_hash <> v_current;
  end if;
end
$$;

/* Takes a ticket once: 32 bytes of its own, and keys as above. APOTK for a ticket that was used; APWRK as above. */
create function app_private.take_ticket(p_ticket bytea) returns void
language plpgsql volatile set search_path = '' as $$
begin
  perform app_private.prove_worker(pg_catalog.substr(p_ticket, 33));
  if not app_private.spend_challenge(pg_catalog.substr(p_ticket, 1, 32)) then
    raise exception 'the ticket was used' using errcode = 'APOTK';
  end if;
end
$$;

/* Takes the state of a flow that comes back from its provider, once: false when it came before. */
create function app.spend_state(p_state bytea) returns boolean
language sql volatile security definer set search_path = '' as $$
  select app_private.spend_challenge(p_state)
$$;

/* At most one. Two queries, since only either of them is found in the index. */
create function app_private.find_identity(p_provider text, p_connection_id uuid, p_subject text) returns setof public.identities
language sql stable set search_path = '' as $$
  select i.* from public.identities i
   where p_connection_id is null and i.provider = p_provider and i.connection_id is null and i.subject = p_subject
  union all
  select i.* from public.identities i
   where i.provider = p_provider and i.connection_id = p_connection_id and i.subject = p_subject
$$;

/* For whoever has proven that the address of a never verified account is theirs, which has no second factor: it becomes
   theirs, and whatever lets anybody else in, who may have registered it before them, ends. */
create function app_private.hand_over_account(p_user_id uuid) returns public.users
language plpgsql volatile set search_path = '' as $$
declare
  v_user public.users;
begin
  update public.users u
     set password_scheme = null, password_salt = null, password_verifier = null, email_verified_at = pg_catalog.now()
   where u.id = p_user_id returning u.* into v_user;
  update public.sessions s set revoked_at = pg_catalog.now() where s.user_id = p_user_id and s.revoked_at is null;
  update public.one_time_tokens t set expires_at = t.created_at
   where t.user_id = p_user_id and t.expires_at > pg_catalog.now();
  delete from public.identities i where i.user_id = p_user_id;
  delete from public.totp_factors f where f.user_id = p_user_id;
  delete from public.recovery_codes c where c.user_id = p_user_id;
  perform app_private.record_event(null, p_user_id, 'user.handed_over', 'user', p_user_id, p_actor_id => p_user_id);
  return v_user;
end
$$;

/* The connection of a domain that is verified, or with this id. */
create function app.verified_connection(p_domain text, p_id uuid)
returns table (id uuid, issuer text, client_id text, sealed_client_secret bytea)
language sql stable security definer set search_path = '' as $$
  select c.id, c.issuer, c.client_id, c.sealed_client_secret
    from (select * from public.sso_connections named where named.domain = p_domain and p_id is null
          union all
          select * from public.sso_connections named where named.id = p_id) c
    join public.organizations o on o.id = c.organization_id
   where c.domain_verified_at is not null and o.deleted_at is null
$$;

/* The organization of a connection, both of which then last until the end of the transaction. APSSO when its domain is
   not verified, or one of them is gone; APDOM unless the account's address and what the provider says are of its domain. */
create function app_private.hold_connection(p_connection_id uuid, p_account_email text, p_email text) returns uuid
language plpgsql volatile set search_path = '' as $$
declare
  v_organization_id uuid;
  v_domain text;
begin
  select c.organization_id into v_organization_id from public.sso_connections c where c.id = p_connection_id;
  -- In the order in which all lock them: see "Deleting an account".
  perform from public.organizations o where o.id = v_organization_id and o.deleted_at is null for key share;
  if found then
    select c.domain into v_domain from public.sso_connections c
     where c.id = p_connection_id and c.domain_verified_at is not null for key share;
  end if;
  if v_domain is null then
    raise exception 'no such connection' using errcode = 'APSSO';
  end if;
  if pg_catalog.split_part(p_email, '@', -1) is distinct from v_domain
     or pg_catalog.split_part(p_account_email, '@', -1) is distinct from v_domain then
    raise exception 'the address is not of the domain' using errcode = 'APDOM';
  end if;
  return v_organization_id;
end
$$;

/* Takes the Worker's word that the domain has the connection's record, which no injected statement gives. What a deleted
   organization has verified is in nobody's way: it would have to verify it again. AP404 unless
   the connection is of the request's organization; APWRK without a known key. */
create function app.verify_domain(p_worker_keys bytea, p_connection_id uuid) returns void
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_organization_id uuid := app.org_id('sso:write');
  v_domain text;
begin
  perform app_private.prove_worker(p_worker_keys);
  select c.domain into v_domain from public.sso_connections c
   where c.id = p_connection_id and c.organization_id = v_organization_id;
  if v_domain is null then
    raise exception 'no such connection' using errcode = 'AP404';
  end if;
  update public.sso_connections c set domain_verified_at = null from public.organizations o
   where c.domain = v_domain and c.domain_verified_at is not null and o.id = c.organization_id and o.deleted_at is not null;
  update public.sso_connections c set domain_verified_at = coalesce(c.domain_verified_at, pg_catalog.now())
   where c.id = p_connection_id and c.organization_id = v_organization_id;
end
$$;

/* Signs in who has the identity; without one, who has the address, which must be verified by the provider: an account
   is made for it, or linked and told by mail, or handed over where it never verified the address (APVER where it has a
   second factor). Returns the session, and whether that mail was queued. APOTK and APWRK as above; APEVR for no
   verified address; APCRD for a disabled account; APSSO and APDOM of a connection, whose organization the person then
   is a member of; 40001 when the identity or the account came or went meanwhile, and the batch is sent again. */
create function app.sign_in_with_provider(
  p_ticket bytea, p_provider text, p_connection_id uuid, p_subject text, p_email text, p_email_verified boolean, p_name text,
  p_user_id uuid, p_identity_id uuid, p_session_id uuid, p_handle bytea, p_lifetime interval, p_idle interval,
  p_ip_address text, p_user_agent text, p_notice_id uuid, p_notice_key bytea, p_linked_id uuid, p_linked_key bytea
) returns table (signed_in app_private.signed_in, linked boolean)
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_identity public.identities;
  v_user public.users;
  v_organization_id uuid;
begin
  perform app_private.take_ticket(p_ticket);
  linked := false;
  select * into v_identity from app_private.find_identity(p_provider, p_connection_id, p_subject);
  if v_identity.id is not null then
    select * into v_user from public.users u where u.id = v_identity.user_id for no key update;
    if p_connection_id is not null then
      v_organization_id := app_private.hold_connection(p_connection_id, v_user.email, p_email);
    end if;
    update public.identities i set last_used_at = pg_catalog.now(), email = coalesce(p_email, i.email)
     where i.id = v_identity.id;
    if not found then
      raise exception 'the identity was unlinked meanwhile' using errcode = '40001';
    end if;
  else
    if p_email is null or p_email_verified is not true then
      raise exception 'no verified address' using errcode = 'APEVR';
    end if;
    insert into public.users (id, email, name, email_verified_at) values (p_user_id, p_email, p_name, pg_catalog.now())
    on conflict (email) do nothing;
    select * into v_user from public.users u where u.email = p_email for no key update;
    if not found then
      raise exception 'the account went meanwhile' using errcode = '40001';
    end if;
    if p_connection_id is not null then
      v_organization_id := app_private.hold_connection(p_connection_id, p_email, p_email);
    end if;
    if v_user.email_verified_at is null then
      -- A mailbox stands in for no second factor, and an identity must not be linked to what may be a stranger's.
      if app_private.factors(v_user.id) is not null then
        raise exception 'the account has a second factor and no verified address' using errcode = 'APVER';
      end if;
      v_user := app_private.hand_over_account(v_user.id);
    end if;
    insert into public.identities (id, user_id, provider, connection_id, subject, email, last_used_at)
    values (p_identity_id, v_user.id, p_provider, p_connection_id, p_subject, p_email, pg_catalog.now())
    on conflict do nothing;
    if not found then
      raise exception 'the identity came meanwhile' using errcode = '40001';
    end if;
    if v_user.id <> p_user_id and p_linked_id is not null then
      perform app_private.queue_message(p_linked_id, p_linked_key, v_user.id, v_user.email, 'identity_linked',
                                        app_private.occasion(v_user.name, p_ip_address, p_user_agent));
      linked := true;
    end if;
  end if;
  if v_user.suspended_at is not null then
    raise exception 'the account is disabled' using errcode = 'APCRD';
  end if;
  if v_organization_id is not null then
    perform app_private.add_member(v_organization_id, v_user.id, '{member}', 'sso');
  end if;
  for signed_in in select * from app_private.start_session(v_user, p_session_id, p_handle, p_lifetime, p_idle, p_ip_address,
                                                           p_user_agent, p_notice_id, p_notice_key, p_provider)
  loop
    return next;
  end loop;
end
$$;

/* Links an identity to the signed-in person, whatever its address, and tells them by mail; one that is theirs already
   stays as it is. APOTK and APWRK as above; APIDT for somebody else's identity; APSSO and APDOM as above. */
create function app.link_identity(
  p_ticket bytea, p_provider text, p_connection_id uuid, p_subject text, p_email text, p_identity_id uuid,
  p_notice_id uuid, p_notice_key bytea
) returns table (id uuid, provider text, email text, created_at timestamptz, last_used_at timestamptz)
language plpgsql volatile security definer set search_path = '' as $$
#variable_conflict use_column
declare
  v_user public.users := app_private.lock_me();
begin
  perform app_private.take_ticket(p_ticket);
  if p_connection_id is not null then
    perform app_private.hold_connection(p_connection_id, v_user.email, p_email);
  end if;
  insert into public.identities as i (id, user_id, provider, connection_id, subject, email)
  values (p_identity_id, v_user.id, p_provider, p_connection_id, p_subject, p_email)
  on conflict do nothing;
  if found then
    perform app_private.queue_message(p_notice_id, p_notice_key, v_user.id, v_user.email, 'identity_linked',
                                      app_private.occasion(v_user.name, null));
  end if;
  return query select i.id, i.provider, i.email, i.created_at, i.last_used_at
                 from app_private.find_identity(p_provider, p_connection_id, p_subject) i where i.user_id = v_user.id;
  if not found then
    raise exception 'the identity is somebody else''s' using errcode = 'APIDT';
  end if;
end
$$;

/* AP404 for an identity that is not the caller's; APLST while they have no password, passkey or other identity. */
create function app.unlink_identity(p_identity_id uuid) returns void
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_user public.users := app_private.lock_me();
begin
  delete from public.identities i where i.id = p_identity_id and i.user_id = v_user.id;
  if not found then
    raise exception 'no such identity' using errcode = 'AP404';
  end if;
  if v_user.password_verifier is null
     and not exists (select from public.passkeys p where p.user_id = v_user.id)
     and not exists (select from public.identities i where i.user_id = v_user.id) then
    raise exception 'nothing else is left to sign in with' using errcode = 'APLST';
  end if;
end
$$;

-- ── The outbox ───────────────────────────────────────────────────────────────────────────────────
-- Mails are written in the transaction of their cause. To claim or settle one takes its key, which the Worker
-- derives from the id by a secret of its own: whoever can only run SQL sees no address, and stops no mail.

/* Where mails are counted: to an address, which may be that of somebody without an account, or of one kind, or cause. */
create function app_private.mail_scope(p_counted text) returns bytea
language sql stable set search_path = ''
return (
  select pg_catalog.sha256(outer_key || pg_catalog.sha256(inner_key || pg_catalog.convert_to('mail|' || p_counted, 'UTF8')))
    from app_private.seal_key
);

/* Whether another mail may be sent: p_limit an hour of those that are counted together. */
create function app_private.take_mail(p_counted text, p_limit int) returns boolean
language plpgsql volatile set search_path = '' as $$
begin
  insert into public.throttles as t (scope, attempts) values (app_private.mail_scope(p_counted), 1)
  on conflict (scope) do update
     set attempts = case when t.attempted_at > pg_catalog.now() - interval '1 hour' then t.attempts + 1 else 1 end,
         attempted_at = case when t.attempted_at > pg_catalog.now() - interval '1 hour' then t.attempted_at else pg_catalog.now() end
   where t.attempts < p_limit or t.attempted_at <= pg_catalog.now() - interval '1 hour';
  return found;
end
$$;

/* What a notice says of the device that was the cause. */
create function app_private.occasion(p_name text, p_ip_address text, p_user_agent text default null) returns json
language sql stable set search_path = ''
return pg_catalog.json_build_object('name', p_name, 'ipAddress', p_ip_address, 'userAgent', p_user_agent,
  'at', app_private.iso_instant(pg_catalog.now()));

/* Queues a mail; p_key is SHA-256 of its token. Without an id nothing is queued: no provider is set up. Nor is an
   eleventh within an hour to an address that is not verified, and may be a stranger's. */
create function app_private.queue_message(
  p_id uuid, p_key bytea, p_user_id uuid, p_recipient text, p_template text, p_data json
) returns void language plpgsql volatile set search_path = '' as $$
begin
  if p_id is null
     or p_recipient is not null
        and not exists (select from public.users u where u.email = p_recipient and u.email_verified_at is not null)
        and not app_private.take_mail(p_recipient, 10) then
    return;
  end if;
  insert into public.outbox (id, key_hash, user_id, recipient, template, data)
  values (p_id, pg_catalog.sha256(p_key), p_user_id, p_recipient, p_template, p_data);
end
$$;

/* Ends tokens of somebody. Ended is what expired when it was made: it stays for the hour in which it is counted, and
   a transaction that began before this one does not take it either. */
create function app_private.end_tokens(p_user_id uuid, p_purposes text[]) returns void
language sql volatile set search_path = '' as $$
  update public.one_time_tokens t set expires_at = t.created_at
   where t.user_id = p_user_id and t.purpose = any (p_purposes) and t.expires_at > pg_catalog.now()
$$;

/* Mails somebody a token for p_purpose, five an hour at most of each. Without an id none is made. One to sign in with
   has a code that does the same, and ends those before it: there is never more than one code to guess. */
create function app_private.mail_token(
  p_user public.users, p_purpose text, p_template text, p_email text, p_id uuid, p_key bytea, p_code_key bytea default null
) returns boolean language plpgsql volatile set search_path = '' as $$
begin
  if p_id is null
     or (select count(*) from public.one_time_tokens t
          where t.user_id = p_user.id and t.purpose = p_purpose and t.created_at > pg_catalog.now() - interval '1 hour') >= 5 then
    return false;
  end if;
  if p_purpose = 'sign_in' then
    perform app_private.end_tokens(p_user.id, '{sign_in}');
  end if;
  insert into public.one_time_tokens (id, user_id, purpose, email, key_hash, code_hash, expires_at)
  values (p_id, p_user.id, p_purpose, case when p_purpose not in ('reset_password', 'sign_in') then p_email end,
          pg_catalog.sha256(p_key), pg_catalog.sha256(p_code_key),
          pg_catalog.now() + case p_purpose when 'verify_email' then interval '24 hours'
                                            when 'sign_in' then interval '10 minutes' else interval '1 hour' end);
  case p_purpose
    -- No name: whoever reads the new address may be a stranger to the person.
    when 'change_email_new' then
      perform app_private.queue_message(p_id, p_key, p_user.id, p_email, p_template, '{}');
    when 'change_email_old' then
      perform app_private.queue_message(p_id, p_key, p_user.id, p_user.email, p_template,
        pg_catalog.json_build_object('name', p_user.name, 'newEmail', p_email));
    else
      perform app_private.queue_message(p_id, p_key, p_user.id, p_user.email, p_template,
        pg_catalog.json_build_object('name', p_user.name));
  end case;
  return true;
end
$$;

/* But for some: those that no key of the caller's fits would else be due before all others, forever. */
create function app.due_messages(p_limit int, p_but uuid[] default '{}') returns table (id uuid)
language sql stable security definer set search_path = '' as $$
  select o.id from public.outbox o
   where o.dead_at is null and o.next_attempt_at <= pg_catalog.now() and o.id <> all (p_but)
   order by o.next_attempt_at limit p_limit
$$;

/* Those of the messages that are due, for this caller alone for one minute. */
create function app.claim_messages(p_ids uuid[], p_keys bytea[])
returns table (id uuid, recipient text, template text, data json, attempts int)
language sql volatile security definer set search_path = '' as $$
  update public.outbox o set attempts = o.attempts + 1, next_attempt_at = pg_catalog.now() + interval '1 minute'
    from unnest(p_ids, p_keys) asked (id, key)
   where o.id = asked.id and o.key_hash = pg_catalog.sha256(asked.key)
     and o.dead_at is null and o.next_attempt_at <= pg_catalog.now()
  returning o.id, o.recipient, o.template, o.data, o.attempts
$$;

/* Forgets a message that was sent; with p_error it is due again, after twice as long each time, or dead:
   when p_final says so, and after 20 attempts, which is three days. Returns whether it is dead. */
create function app.settle_message(p_id uuid, p_key bytea, p_error text default null, p_final boolean default false)
returns boolean language plpgsql volatile security definer set search_path = '' as $$
declare
  v_dead boolean := false;
begin
  if p_error is null then
    delete from public.outbox o where o.id = p_id and o.key_hash = pg_catalog.sha256(p_key);
  else
    update public.outbox o
       set last_error = pg_catalog.left(p_error, 200),
           next_attempt_at = pg_catalog.now() + least(interval '30 seconds' * 2 ^ least(o.attempts, 10), interval '6 hours'),
           dead_at = case when p_final or o.attempts >= 20 then pg_catalog.now() end
     where o.id = p_id and o.key_hash = pg_catalog.sha256(p_key)
    returning o.dead_at is not null into v_dead;
  end if;
  return coalesce(v_dead, false);
end
$$;

-- ── Forgotten passwords ──────────────────────────────────────────────────────────────────────────

/* Mails a token to an address that has an account, five times an hour at most. For any other a message to
   nobody is queued, so that both take the same time. */
create function app_private.mail_token_unseen(
  p_email text, p_purpose text, p_template text, p_message_id uuid, p_key bytea, p_code_key bytea default null
) returns void
language plpgsql volatile set search_path = '' as $$
declare
  v_user public.users;
begin
  -- The account's lock makes requests for one address wait for each other: those for no account wait as well.
  perform pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended(p_email, 4));
  select * into v_user from public.users u where u.email = p_email and u.suspended_at is null for no key update;
  if v_user.id is null
     or not app_private.mail_token(v_user, p_purpose, p_template, p_email, p_message_id, p_key, p_code_key) then
    perform app_private.queue_message(p_message_id, p_key, null, null, p_template, '{}');
  end if;
end
$$;

create function app.forgot_password(p_email text, p_message_id uuid, p_key bytea) returns void
language sql volatile security definer set search_path = '' as $$
  select app_private.mail_token_unseen(p_email, 'reset_password', 'reset_password', p_message_id, p_key)
$$;

/* Replaces the password of the account that p_key's mail was for, once: its sessions and its other tokens
   end, whoever began them. APTOK for a token that is unknown, used or expired. */
create function app.reset_password(
  p_key bytea, p_scheme int, p_salt text, p_hash text, p_ip_address text, p_notice_id uuid default null, p_notice_key bytea default null
) returns void
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_user_id uuid := (select t.user_id from public.one_time_tokens t
                      where t.key_hash = pg_catalog.sha256(p_key) and t.purpose = 'reset_password');
  v_user public.users;
begin
  -- In the order in which all lock them: see "Deleting an account".
  perform from public.users u where u.id = v_user_id for no key update;
  update public.one_time_tokens t set expires_at = t.created_at
   where t.key_hash = pg_catalog.sha256(p_key) and t.user_id = v_user_id and t.expires_at > pg_catalog.now();
  if not found then
    raise exception 'no such token' using errcode = 'APTOK';
  end if;
  -- Of an account that nobody had proven to be theirs: whoever registered it could still sign in with them.
  delete from public.identities i using public.users u
   where u.id = v_user_id and i.user_id = u.id and u.email_verified_at is null;
  update public.users u
     set password_scheme = p_scheme, password_salt = p_salt,
         password_verifier = pg_catalog.sha256(pg_catalog.convert_to(p_hash, 'UTF8')),
         -- The token was mailed to it.
         email_verified_at = coalesce(u.email_verified_at, pg_catalog.now())
   where u.id = v_user_id returning u.* into v_user;
  perform app_private.record_event(null, v_user_id, 'user.password_reset', 'user', v_user_id, p_actor_id => v_user_id);
  update public.sessions s set revoked_at = pg_catalog.now() where s.user_id = v_user_id and s.revoked_at is null;
  perform app_private.end_tokens(v_user_id, '{reset_password,verify_email,change_email_old,change_email_new,sign_in}');
  perform app_private.queue_message(p_notice_id, p_notice_key, v_user_id, v_user.email, 'password_changed',
    app_private.occasion(v_user.name, p_ip_address));
end
$$;

-- ── Sign-in by mail ──────────────────────────────────────────────────────────────────────────────
-- A link, or a code to type in: two forms of one token, which is good for ten minutes and one session.

create function app.request_email_sign_in(p_email text, p_message_id uuid, p_key bytea, p_code_key bytea) returns void
language sql volatile security definer set search_path = '' as $$
  select app_private.mail_token_unseen(p_email, 'sign_in', 'sign_in', p_message_id, p_key, p_code_key)
$$;

/* Starts a session of somebody whose row and whose token the caller has taken. Where nobody had ever proved that the
   address is theirs, whoever registered it is put out with all that they could sign in with. Not where a second
   factor is set up: the mail stands in for none, and until it is given the address is not proved either. */
create function app_private.start_mailed_session(
  p_user public.users, p_session_id uuid, p_handle bytea, p_lifetime interval, p_idle interval, p_ip_address text,
  p_user_agent text, p_notice_id uuid, p_notice_key bytea, p_method text
) returns setof app_private.signed_in
language plpgsql volatile set search_path = '' as $$
declare
  v_user public.users := p_user;
begin
  perform app_private.end_tokens(v_user.id, '{sign_in}');
  if v_user.email_verified_at is null and app_private.factors(v_user.id) is null then
    v_user := app_private.hand_over_account(v_user.id);
  end if;
  return query select * from app_private.start_session(v_user, p_session_id, p_handle, p_lifetime, p_idle, p_ip_address,
                                                       p_user_agent, p_notice_id, p_notice_key, p_method);
end
$$;

/* Signs in whom p_key's mail was for, once. APTOK for a token that is unknown, used or expired, or of a disabled account. */
create function app.sign_in_by_link(
  p_key bytea, p_session_id uuid, p_handle bytea, p_lifetime interval, p_idle interval, p_ip_address text,
  p_user_agent text, p_notice_id uuid default null, p_notice_key bytea default null
) returns setof app_private.signed_in
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_user public.users;
begin
  -- In the order in which all lock them: see "Deleting an account".
  select * into v_user from public.users u
   where u.id = (select t.user_id from public.one_time_tokens t
                  where t.key_hash = pg_catalog.sha256(p_key) and t.purpose = 'sign_in')
     and u.suspended_at is null
     for no key update;
  update public.one_time_tokens t set expires_at = t.created_at
   where t.key_hash = pg_catalog.sha256(p_key) and t.user_id = v_user.id and t.expires_at > pg_catalog.now();
  if not found then
    raise exception 'no such token' using errcode = 'APTOK';
  end if;
  return query select * from app_private.start_mailed_session(v_user, p_session_id, p_handle, p_lifetime, p_idle, p_ip_address,
                                                              p_user_agent, p_notice_id, p_notice_key, 'email_link');
end
$$;

/* Signs in whom the code was mailed to, once; p_code_keys are what it may be under the Worker's secrets. Counts the
   attempt as app.take_sign_in_attempt does, and settles it as app.sign_in. One row: the seconds to wait, and then
   the code was not looked at; or the session, null for a wrong code, an unknown address or a disabled account. No
   error, so that the attempt stays counted. */
create function app.sign_in_by_code(
  p_email text, p_code_keys bytea[], p_session_id uuid, p_handle bytea, p_lifetime interval, p_idle interval,
  p_ip_address text, p_user_agent text, p_network_scope bytea, p_account_scope bytea, p_home_scope bytea,
  p_notice_id uuid default null, p_notice_key bytea default null
) returns table (wait_seconds int, session app_private.signed_in)
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_user public.users;
  v_account_scope bytea;
begin
  -- The person before the counters, as app.sign_in locks them.
  select * into v_user from public.users u where u.email = p_email and u.suspended_at is null for no key update;
  select a.account_scope, a.wait_seconds into v_account_scope, wait_seconds
    from app.take_sign_in_attempt(p_network_scope, p_account_scope, p_home_scope) a;
  if wait_seconds = 0 then
    update public.one_time_tokens t set expires_at = t.created_at
     where t.user_id = v_user.id and t.purpose = 'sign_in' and t.expires_at > pg_catalog.now()
       and t.code_hash = any (array(select pg_catalog.sha256(key) from pg_catalog.unnest(p_code_keys) given (key)));
    if found then
      perform app_private.settle_sign_in_attempt(p_network_scope, v_account_scope, p_home_scope);
      select s.* into session
        from app_private.start_mailed_session(v_user, p_session_id, p_handle, p_lifetime, p_idle, p_ip_address,
                                              p_user_agent, p_notice_id, p_notice_key, 'email_code') s;
    elsif v_user.id is not null then
      perform app_private.record_failure(v_user.id, 'email_code');
    end if;
  end if;
  return next;
end
$$;

-- ── The person's address ─────────────────────────────────────────────────────────────────────────
-- A link alone changes nothing here: it takes the account's own session as well. Else whoever opens a link in
-- their mailbox would lend their address to an account that somebody else has made.

/* The caller's account, locked until the end of the transaction. */
create function app_private.lock_me() returns public.users
language sql volatile set search_path = '' as $$
  select u from public.users u where u.id = app.user_id() for update
$$;

/* Mails the caller a new token, unless the address is verified. APLIM for a sixth within the hour. */
create function app.resend_verification(p_message_id uuid, p_key bytea) returns void
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_user public.users := app_private.lock_me();
begin
  if v_user.email_verified_at is null
     and not app_private.mail_token(v_user, 'verify_email', 'verify_email', v_user.email, p_message_id, p_key) then
    raise exception 'five mails an hour' using errcode = 'APLIM';
  end if;
end
$$;

create function app_private.confirm_address(p_user_id uuid) returns void
language sql volatile set search_path = '' as $$
  update public.users u set email_verified_at = coalesce(u.email_verified_at, pg_catalog.now()) where u.id = p_user_id;
  -- A change that was asked for before would not ask this address.
  select app_private.end_tokens(p_user_id, '{verify_email,change_email_old,change_email_new}');
$$;

/* APTOK for a token that is unknown, used, expired, somebody else's or for another address. */
create function app.verify_email(p_key bytea) returns void
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_user public.users := app_private.lock_me();
begin
  update public.one_time_tokens t set expires_at = t.created_at
   where t.key_hash = pg_catalog.sha256(p_key) and t.purpose = 'verify_email' and t.user_id = v_user.id
     and t.email = v_user.email and t.expires_at > pg_catalog.now();
  if not found then
    raise exception 'no such token' using errcode = 'APTOK';
  end if;
  perform app_private.confirm_address(v_user.id);
end
$$;

/* Mails a token to the new address, and one to the old if that is verified; those of an earlier request end.
   Of an address that is taken the caller is not told, but its owner. 22023 when it is the caller's own; APLIM
   for a sixth within the hour. */
create function app.request_email_change(
  p_email text, p_old_id uuid, p_old_key bytea, p_new_id uuid, p_new_key bytea
) returns void
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_user public.users := app_private.lock_me();
  v_is_taken boolean := exists (select from public.users u where u.email = p_email);
begin
  if p_email = v_user.email then
    raise exception 'the address is the account''s own' using errcode = '22023';
  end if;
  perform app_private.end_tokens(v_user.id, '{change_email_old,change_email_new}');
  -- Both or none: without its own token, the old address would not be asked.
  if not app_private.mail_token(v_user, 'change_email_new', case when v_is_taken then 'change_email_taken' else 'change_email_new' end,
                                p_email, p_new_id, p_new_key)
     or v_user.email_verified_at is not null
        and not app_private.mail_token(v_user, 'change_email_old', 'change_email_old', p_email, p_old_id, p_old_key) then
    raise exception 'five mails an hour' using errcode = 'APLIM';
  end if;
end
$$;

/* Returns 'pending' while the other address is still to confirm, else the address is changed, and every token
   of the account ends. APTOK as above; 23505 on users_email_key when the address was taken meanwhile. */
create function app.confirm_email_change(p_key bytea, p_notice_id uuid, p_notice_key bytea) returns text
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_user public.users := app_private.lock_me();
  v_email text;
begin
  update public.one_time_tokens t set expires_at = t.created_at
   where t.key_hash = pg_catalog.sha256(p_key) and t.purpose in ('change_email_old', 'change_email_new')
     and t.user_id = v_user.id and t.expires_at > pg_catalog.now()
  returning t.email into v_email;
  if v_email is null then
    raise exception 'no such token' using errcode = 'APTOK';
  end if;
  if exists (select from public.one_time_tokens t
              where t.user_id = v_user.id and t.purpose in ('change_email_old', 'change_email_new')
                and t.expires_at > pg_catalog.now()) then
    return 'pending';
  end if;
  update public.users u set email = v_email, email_verified_at = pg_catalog.now() where u.id = v_user.id;
  perform app_private.end_tokens(v_user.id, '{reset_password,verify_email,change_email_old,change_email_new,sign_in}');
  perform app_private.queue_message(p_notice_id, p_notice_key, v_user.id, v_user.email, 'email_changed',
    pg_catalog.json_build_object('name', v_user.name, 'newEmail', v_email));
  return 'changed';
end
$$;

-- ── The password, given again ────────────────────────────────────────────────────────────────────
-- Each of these needs the whole bcrypt hash, as sign-in does: an injected statement neither makes a session
-- fresh nor changes a password without knowing it. Attempts are taken in a transaction before, which commits.

/* The person's part of a scope that the Worker names: nobody counts attempts for somebody else. */
create function app_private.own_scope(p_scope bytea) returns bytea
language sql stable set search_path = ''
return pg_catalog.sha256(p_scope || pg_catalog.uuid_send(app_private.claimant_id()));

/* Takes an attempt of the signed-in person's to give their password, and tells what to hash it with. */
create function app.begin_reauthentication(p_scope bytea)
returns table (wait_seconds int, scheme int, salt text, email text, name text)
language sql volatile security definer set search_path = '' as $$
  select app_private.take_attempt(app_private.own_scope(p_scope), 5), u.password_scheme, u.password_salt, u.email, u.name
    from public.users u where u.id = app.user_id()
$$;

/* The signed-in person, when p_hash is the bcrypt hash of their password, and forgets their attempts; null when it
   was made with parameters that were replaced since they were read; APPWD when it is wrong. */
create function app_private.prove_password(p_scope bytea, p_hash text) returns uuid
language plpgsql volatile set search_path = '' as $$
declare
  -- First: whoever acts as the person does not learn whether it was theirs.
  v_scope bytea := app_private.own_scope(p_scope);
  v_user public.users;
begin
  -- Locked, as app.sign_in does: one that waits here for a change finds another password.
  select * into v_user from public.users u where u.id = app.user_id() for no key update;
  if v_user.password_verifier is distinct from pg_catalog.sha256(pg_catalog.convert_to(p_hash, 'UTF8')) then
    if pg_catalog.length(p_hash) = 60 and v_user.password_salt <> pg_catalog.left(p_hash, 29) then
      return null;
    end if;
    raise exception 'wrong password' using errcode = 'APPWD';
  end if;
  delete from public.throttles t where t.scope = v_scope;
  return v_user.id;
end
$$;

/* Counts the session as freshly authenticated, and replaces the hash by p_new_… when given. False, and nothing is
   done, when the parameters of p_hash were replaced since they were read; APPWD when it is wrong. */
create function app.reauthenticate(
  p_scope bytea, p_hash text, p_new_scheme int default null, p_new_salt text default null, p_new_hash text default null
) returns boolean
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_user_id uuid := app_private.prove_password(p_scope, p_hash);
begin
  if v_user_id is null then
    return false;
  end if;
  if p_new_hash is not null then
    update public.users u
       set password_scheme = p_new_scheme, password_salt = p_new_salt,
           password_verifier = pg_catalog.sha256(pg_catalog.convert_to(p_new_hash, 'UTF8'))
     where u.id = v_user_id;
  end if;
  update public.sessions s set authenticated_at = pg_catalog.now() where s.id = app.session_id();
  return true;
end
$$;

/* Replaces the signed-in person's password: their other sessions end, and so do links to a new password, to another
   address or to a session, whoever asked for them. False and APPWD as above. */
create function app.change_password(
  p_scope bytea, p_hash text, p_scheme int, p_salt text, p_new_hash text, p_ip_address text,
  p_notice_id uuid default null, p_notice_key bytea default null
) returns boolean
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_user_id uuid := app_private.prove_password(p_scope, p_hash);
  v_session_id uuid := app.session_id();
  v_user public.users;
begin
  if v_user_id is null then
    return false;
  end if;
  update public.users u
     set password_scheme = p_scheme, password_salt = p_salt,
         password_verifier = pg_catalog.sha256(pg_catalog.convert_to(p_new_hash, 'UTF8'))
   where u.id = v_user_id returning u.* into v_user;
  perform app_private.record_event(null, v_user_id, 'user.password_changed', 'user', v_user_id);
  update public.sessions s set revoked_at = pg_catalog.now()
   where s.user_id = v_user_id and s.id <> v_session_id and s.revoked_at is null;
  update public.sessions s set authenticated_at = pg_catalog.now() where s.id = v_session_id;
  perform app_private.end_tokens(v_user_id, '{reset_password,change_email_old,change_email_new,sign_in}');
  perform app_private.queue_message(p_notice_id, p_notice_key, v_user_id, v_user.email, 'password_changed',
    app_private.occasion(v_user.name, p_ip_address));
  return true;
end
$$;

-- ── Authenticator apps and recovery codes ───────────────────────────────────────────────────────
-- Only the Worker can compare a code with its app's seed. Afterwards it shows a key that it makes from the seed: an
-- injected statement, which sees the sealed seed at best, neither activates an app nor completes a session.

/* The person of a session that waits for its second factor; APCMP for one that is complete. */
create function app_private.pending_id() returns uuid
language plpgsql stable set search_path = '' as $$
begin
  if (app_private.context())[5] = '' then
    raise exception 'the session is complete' using errcode = 'APCMP';
  end if;
  return app_private.claimant_id();
end
$$;

/* Takes an attempt at the second factor, and tells of the active app, if there is one. APCMP as above. */
create function app.begin_totp(p_scope bytea) returns table (wait_seconds int, id uuid, sealed_seed text)
language sql volatile security definer set search_path = '' as $$
  select app_private.take_attempt(app_private.own_scope(p_scope), 5), f.id, '\x' || pg_catalog.encode(f.sealed_seed, 'hex')
    from (select app_private.pending_id() as user_id) me
    left join public.totp_factors f on f.user_id = me.user_id and f.activated_at is not null
$$;

/* Completes the session with a code of this time step: APCOD for one at or before the last one that was taken, for a
   key that is not the active app's, and for an app that is not active any more. */
create function app.verify_totp(
  p_scope bytea, p_id uuid, p_key bytea, p_step bigint, p_handle bytea, p_lifetime interval, p_idle interval
) returns setof app_private.signed_in
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_user public.users := app_private.lock_claimant();
begin
  update public.totp_factors f set last_step = p_step
   where f.user_id = v_user.id and f.id = p_id and f.activated_at is not null
     and f.key_hash = pg_catalog.sha256(p_key) and f.last_step < p_step;
  if not found then
    raise exception 'wrong code' using errcode = 'APCOD';
  end if;
  delete from public.throttles t where t.scope = app_private.own_scope(p_scope);
  return query select * from app_private.complete_session(v_user, p_handle, p_lifetime, p_idle);
end
$$;

/* Takes an attempt at the second factor, and with a recovery code uses it up, completes the session and mails a
   notice; without one there is no session. APCMP as above. */
create function app.use_recovery_code(
  p_scope bytea, p_key bytea, p_handle bytea, p_lifetime interval, p_idle interval, p_ip_address text, p_user_agent text,
  p_notice_id uuid, p_notice_key bytea
) returns table (wait_seconds int, session app_private.signed_in)
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_pending_id uuid := app_private.pending_id();
  v_user public.users := app_private.lock_claimant();
begin
  wait_seconds := app_private.take_attempt(app_private.own_scope(p_scope), 5);
  if wait_seconds = 0 then
    delete from public.recovery_codes c where c.user_id = v_pending_id and c.key_hash = pg_catalog.sha256(p_key);
    if found then
      delete from public.throttles t where t.scope = app_private.own_scope(p_scope);
      perform app_private.record_event(null, v_user.id, 'recovery_code.used', 'user', v_user.id);
      perform app_private.queue_message(p_notice_id, p_notice_key, v_user.id, v_user.email, 'recovery_code_used',
                                        app_private.occasion(v_user.name, p_ip_address, p_user_agent));
      session := (select s from app_private.complete_session(v_user, p_handle, p_lifetime, p_idle) s);
    else
      perform app_private.record_failure(v_user.id, 'recovery_code');
    end if;
  end if;
  return next;
end
$$;

/* Begins with a new app, in place of one that was not activated. Returns the person's address, for the app to show. */
create function app.enroll_totp(p_id uuid, p_sealed_seed bytea, p_key bytea) returns text
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_user public.users := app_private.lock_me();
begin
  delete from public.totp_factors f where f.user_id = v_user.id and f.activated_at is null;
  insert into public.totp_factors (id, user_id, sealed_seed, key_hash)
  select p_id, v_user.id, p_sealed_seed, pg_catalog.sha256(p_key) where v_user.id is not null;
  return v_user.email;
end
$$;

/* Takes an attempt at the code of the new app, and tells of it, if there is one. */
create function app.begin_totp_activation(p_scope bytea) returns table (wait_seconds int, id uuid, sealed_seed text)
language sql volatile security definer set search_path = '' as $$
  select app_private.take_attempt(app_private.own_scope(p_scope), 5), f.id, '\x' || pg_catalog.encode(f.sealed_seed, 'hex')
    from (select app.user_id() as user_id) me
    left join public.totp_factors f on f.user_id = me.user_id and f.activated_at is null
$$;

/* Makes the new app the person's app, and mails a notice. Returns whether p_recovery_keys are kept, as with the first
   factor. APCOD for a key that is not the new app's. */
create function app.activate_totp(
  p_scope bytea, p_id uuid, p_key bytea, p_step bigint, p_recovery_keys bytea[], p_ip_address text, p_user_agent text,
  p_notice_id uuid, p_notice_key bytea
) returns boolean
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_user public.users := app_private.lock_me();
begin
  delete from public.totp_factors f where f.user_id = v_user.id and f.activated_at is not null;
  update public.totp_factors f set activated_at = pg_catalog.now(), last_step = p_step
   where f.user_id = v_user.id and f.id = p_id and f.key_hash = pg_catalog.sha256(p_key);
  if not found then
    raise exception 'wrong code' using errcode = 'APCOD';
  end if;
  delete from public.throttles t where t.scope = app_private.own_scope(p_scope);
  perform app_private.queue_message(p_notice_id, p_notice_key, v_user.id, v_user.email, 'mfa_enabled',
                                    app_private.occasion(v_user.name, p_ip_address, p_user_agent));
  return app_private.take_up_factor(v_user.id, p_recovery_keys);
end
$$;

/* Removes the person's app, and one that was not activated, and mails a notice. AP404 without one that is active. */
create function app.remove_totp(p_ip_address text, p_user_agent text, p_notice_id uuid, p_notice_key bytea) returns void
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_user public.users := app_private.lock_me();
begin
  delete from public.totp_factors f where f.user_id = v_user.id and f.activated_at is not null;
  if not found then
    raise exception 'no active app' using errcode = 'AP404';
  end if;
  delete from public.totp_factors f where f.user_id = v_user.id;
  perform app_private.give_up_factor(v_user.id);
  perform app_private.queue_message(p_notice_id, p_notice_key, v_user.id, v_user.email, 'mfa_disabled',
                                    app_private.occasion(v_user.name, p_ip_address, p_user_agent));
end
$$;

/* Replaces the person's recovery codes. APNOF without a second factor that they could stand in for. */
create function app.replace_recovery_codes(p_keys bytea[]) returns void
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_user public.users := app_private.lock_me();
begin
  if app_private.factors(v_user.id) is null then
    raise exception 'no second factor' using errcode = 'APNOF';
  end if;
  perform app_private.replace_recovery_codes(v_user.id, p_keys);
end
$$;

-- ── Idempotency keys ─────────────────────────────────────────────────────────────────────────────

create function app_private.idempotency_scope(p_anonymous_scope bytea) returns text
language sql stable set search_path = ''
return case when p_anonymous_scope is null then coalesce('user:' || app.member_id(), 'key:' || app_private.api_key_id())
            else 'anonymous:' || pg_catalog.encode(p_anonymous_scope, 'hex') end;

/* Somebody whose account nobody deletes until this transaction ends; AP401 when it is gone. */
create function app_private.hold_account(p_user_id uuid default app.user_id()) returns uuid
language plpgsql volatile set search_path = '' as $$
begin
  perform from public.users u where u.id = p_user_id for key share;
  if not found then
    raise exception 'the account was deleted' using errcode = 'AP401';
  end if;
  return p_user_id;
end
$$;

/* APREP for a key that was used for the same request, with the first answer in DETAIL; APKEY for one of another. */
create function app_private.refuse_known_key(p_kept public.idempotency_keys, p_request_hash bytea) returns void
language plpgsql stable set search_path = '' as $$
begin
  if p_kept.request_hash is distinct from p_request_hash then
    raise exception 'the idempotency key was used for another request' using errcode = 'APKEY';
  end if;
  raise exception 'the idempotency key was used for this request' using errcode = 'APREP', 
    detail = coalesce(p_kept.response::text, 'null');
end
$$;

/* Takes the key for this transaction, waiting for a request in flight that holds it. APREP and APKEY as above. */
create function app.claim_idempotency_key(p_anonymous_scope bytea, p_key text, p_request_hash bytea) returns void
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_scope text := app_private.idempotency_scope(p_anonymous_scope);
  v_kept public.idempotency_keys;
begin
  if p_anonymous_scope is null and app.member_id() is not null then
    -- Else a key could outlive the account that it answers for.
    perform app_private.hold_account(app.member_id());
  end if;
  insert into public.idempotency_keys as k (scope, key, request_hash) values (v_scope, p_key, p_request_hash)
  on conflict (scope, key) do update
     set request_hash = excluded.request_hash, response = null, created_at = pg_catalog.now()
   where k.created_at < pg_catalog.now() - interval '24 hours';
  if found then
    return;
  end if;
  select * into v_kept from public.idempotency_keys k where k.scope = v_scope and k.key = p_key;
  perform app_private.refuse_known_key(v_kept, p_request_hash);
end
$$;

/* As claim_idempotency_key refuses, and takes nothing: before what is only claimed for once it is done. */
create function app.check_idempotency_key(p_anonymous_scope bytea, p_key text, p_request_hash bytea) returns void
language plpgsql stable security definer set search_path = '' as $$
declare
  v_kept public.idempotency_keys;
begin
  select * into v_kept from public.idempotency_keys k
   where k.scope = app_private.idempotency_scope(p_anonymous_scope) and k.key = p_key and k.created_at >= pg_catalog.now() - interval '24 hours';
  if found then
    perform app_private.refuse_known_key(v_kept, p_request_hash);
  end if;
end
$$;

/* Keeps the answer of the request that claimed the key in this transaction, and returns it. */
create function app.keep_response(p_anonymous_scope bytea, p_key text, p_response json) returns json
language sql volatile security definer set search_path = '' as $$
  update public.idempotency_keys k set response = p_response
   where k.scope = app_private.idempotency_scope(p_anonymous_scope) and k.key = p_key and k.response is null
  returning response
$$;

-- ── Across organizations, for the signed-in person ───────────────────────────────────────────────

/* Creates an organization with the caller as its owner, under the first free slug of p_slugs;
   23505 on organizations_slug_key when none is free. */
create function app.create_organization(p_id uuid, p_name text, p_slugs text[])
returns table (id uuid, name text, slug text, mfa_required boolean, roles text[], created_at timestamptz, updated_at timestamptz)
language plpgsql volatile security definer set search_path = '' as $$
#variable_conflict use_column
declare
  v_user_id uuid := app_private.hold_account();
  v_organization public.organizations;
  v_slug text;
  v_constraint text;
begin
  foreach v_slug in array p_slugs loop
    begin
      insert into public.organizations as o (id, name, slug) values (p_id, p_name, v_slug) returning o.* into v_organization;
      exit;
    exception when unique_violation then
      get stacked diagnostics v_constraint = constraint_name;
      if v_constraint <> 'organizations_slug_key' then
        raise;
      end if;
      -- An organization has it, or had it not long ago: the next one.
    end;
  end loop;
  if v_organization.id is null then
    raise unique_violation using message = 'no slug is free', constraint = 'organizations_slug_key';
  end if;
  perform app_private.add_member(p_id, v_user_id, '{owner}', 'creation');
  return query select v_organization.id, v_organization.name, v_organization.slug, v_organization.mfa_required,
                      array['owner'], v_organization.created_at, v_organization.updated_at;
end
$$;

create function app.my_organizations(p_after uuid, p_limit int)
returns table (id uuid, name text, slug text, mfa_required boolean, roles text[], created_at timestamptz, updated_at timestamptz)
language plpgsql stable parallel restricted security definer set search_path = '' as $$
#variable_conflict use_column
declare
  v_user_id uuid := app.user_id();
begin
  -- The page first, from its index alone: a later page must not walk those before it.
  return query
    with page as materialized (
      select m.user_id, o.id, o.name, o.slug, o.mfa_required, o.created_at, o.updated_at
        from public.memberships m join public.organizations o on o.id = m.organization_id
       where m.user_id = v_user_id and o.deleted_at is null
         and m.organization_id > coalesce(p_after, '00000000-0000-0000-0000-000000000000')
       order by m.organization_id limit p_limit
    )
    select page.id, page.name, page.slug, page.mfa_required,
           array(select r.role from public.membership_roles r
                  where r.organization_id = page.id and r.user_id = page.user_id order by r.role), page.created_at, page.updated_at
      from page order by page.id;
end
$$;

/* The organization with this slug, or that had it in the last 90 days, to its members. */
create function app.my_organization_with_slug(p_slug text)
returns table (id uuid, name text, slug text, mfa_required boolean, roles text[], created_at timestamptz, updated_at timestamptz)
language plpgsql stable parallel restricted security definer set search_path = '' as $$
#variable_conflict use_column
declare
  v_user_id uuid := app.user_id();
begin
  return query
    select o.id, o.name, o.slug, o.mfa_required, app_private.roles_of(m.organization_id, m.user_id), o.created_at, o.updated_at
      from public.organization_slugs s
      join public.memberships m on m.organization_id = s.organization_id and m.user_id = v_user_id
      join public.organizations o on o.id = s.organization_id
     where s.slug = p_slug and (s.replaced_at > pg_catalog.now() - interval '90 days') is not false and o.deleted_at is null;
end
$$;

/* As app_definer, whoever names an organization: a slug that another one had leads there for 90 days. */
create function app_private.keep_slug() returns trigger
language plpgsql volatile security definer set search_path = '' as $$
begin
  if tg_op = 'UPDATE' then
    update public.organization_slugs s set replaced_at = pg_catalog.now() where s.slug = old.slug;
    delete from public.organization_slugs s
     where s.slug = any (array(select former.slug from public.organization_slugs former
                                where former.organization_id = new.id
                                order by former.replaced_at desc, former.slug offset 10));
  end if;
  insert into public.organization_slugs as s (slug, organization_id) values (new.slug, new.id)
  on conflict (slug) do update set organization_id = excluded.organization_id, replaced_at = null
    where s.organization_id = excluded.organization_id or s.replaced_at < pg_catalog.now() - interval '90 days';
  if not found then
    raise unique_violation using message = 'another organization had the slug', constraint = 'organizations_slug_key';
  end if;
  return null;
end
$$;

/* Deletes the request's organization: from now on nobody is let in, and nothing of it is good outside of it. What it
   holds is kept for 30 days, and then purged. */
create function app.delete_organization() returns void
language plpgsql volatile security definer set search_path = '' as $$
begin
  perform app_private.hold_organization('organization:delete');
  update public.organizations o set deleted_at = pg_catalog.now() where o.id = app.org_id();
  -- Before it is charged again.
  update public.stripe_customers c set due_at = pg_catalog.now() where c.organization_id = app.org_id() and c.customer_id is not null;
end
$$;

/* The deleted ones that the signed-in person can restore. */
create function app.my_deleted_organizations(p_after uuid, p_limit int)
returns table (id uuid, name text, slug text, deleted_at timestamptz, restorable_until timestamptz)
language plpgsql stable parallel restricted security definer set search_path = '' as $$
#variable_conflict use_column
declare
  v_user_id uuid := app.user_id();
begin
  -- In the order of the page before what the person may do is asked, which is asked of those on it alone.
  return query
    select found.id, found.name, found.slug, found.deleted_at, found.deleted_at + interval '30 days'
      from (select m.organization_id as id, m.user_id, o.name, o.slug, o.deleted_at
              from public.memberships m join public.organizations o on o.id = m.organization_id
             where m.user_id = v_user_id and m.organization_id > coalesce(p_after, '00000000-0000-0000-0000-000000000000')
               and o.deleted_at > pg_catalog.now() - interval '30 days'
             order by m.organization_id offset 0) found
     where 'organization:delete' = any (app_private.permissions_of(found.id, app_private.roles_of(found.id, found.user_id)))
     order by found.id limit p_limit;
end
$$;

/* Takes the deletion of an organization back; one that is not deleted stays as it is. AP404 unless the signed-in person
   may delete it; APENR where it asks for a second factor, and their session has none. */
create function app.restore_organization(p_id uuid)
returns table (id uuid, name text, slug text, mfa_required boolean, roles text[], created_at timestamptz, updated_at timestamptz)
language plpgsql volatile security definer set search_path = '' as $$
#variable_conflict use_column
declare
  v_user_id uuid := app_private.hold_account();
  v_organization public.organizations;
  v_roles text[];
begin
  select o.* into v_organization from public.organizations o
   where o.id = p_id and (o.deleted_at > pg_catalog.now() - interval '30 days') is not false
     and exists (select from public.memberships m where m.organization_id = o.id and m.user_id = v_user_id)
     for no key update;
  v_roles := app_private.roles_of(v_organization.id, v_user_id);
  if ('organization:delete' = any (app_private.permissions_of(v_organization.id, v_roles))) is not true then
    raise exception 'no such organization' using errcode = 'AP404';
  end if;
  if v_organization.mfa_required
     and not exists (select from public.sessions s where s.id = app.session_id() and s.second_factor = 'given') then
    raise exception 'the organization asks for a second factor' using errcode = 'APENR';
  end if;
  if v_organization.deleted_at is not null then
    update public.organizations o set deleted_at = null where o.id = p_id returning o.* into v_organization;
  end if;
  return query select v_organization.id, v_organization.name, v_organization.slug, v_organization.mfa_required, v_roles,
                      v_organization.created_at, v_organization.updated_at;
end
$$;

/* Runs as its caller: what may be added is the policies' to say. */
create function app.create_sso_connection(
  p_organization_id uuid, p_id uuid, p_domain text, p_txt_record text, p_issuer text, p_client_id text, p_sealed_client_secret bytea
) returns table (id uuid, domain text, txt_record text, domain_verified_at timestamptz, issuer text, client_id text,
                 created_at timestamptz, updated_at timestamptz)
language sql volatile set search_path = '' as $$
  insert into public.sso_connections as c (organization_id, id, domain, txt_record, issuer, client_id, sealed_client_secret)
  values (p_organization_id, p_id, p_domain, p_txt_record, p_issuer, p_client_id, p_sealed_client_secret)
  returning c.id, c.domain, c.txt_record, c.domain_verified_at, c.issuer, c.client_id, c.created_at, c.updated_at
$$;

/* Names and addresses of people of the request's organization; nobody without members:read. */
create function app.member_profiles(p_user_ids uuid[]) returns table (user_id uuid, email text, name text)
language sql stable parallel restricted security definer set search_path = '' as $$
  select u.id, u.email, u.name
    from public.users u join public.memberships m on m.user_id = u.id
   where m.organization_id = (select app.org_id('members:read')) and m.user_id = any (p_user_ids)
$$;

-- ── The search for members ───────────────────────────────────────────────────────────────────────

/* A text without case, accents and doubled spaces, and no longer than what is searched for. */
create function app_private.fold(p_text text) returns text
language sql immutable strict parallel safe set search_path = ''
return pg_catalog.left(pg_catalog.regexp_replace(pg_catalog.regexp_replace(pg_catalog.lower(
         pg_catalog.normalize(p_text, 'NFKD') collate pg_catalog."unicode"), U&'[\0300-\036f]', '', 'g'), '\s+', ' ', 'g'), 100);

/* What somebody is found by: their address, its domain, and their name from each of its first ten words on. */
create function app_private.terms_of(p_email text, p_name text) returns setof bytea
language sql immutable strict parallel safe set search_path = ''
begin atomic
  select pg_catalog.convert_to(folded.term, 'UTF8')
    from (select app_private.fold(p_email)
           union select app_private.fold('@' || pg_catalog.split_part(p_email, '@', -1))
           union (select app_private.fold(pg_catalog.substr(p_name, word.start))
                    from pg_catalog.generate_series(1, pg_catalog.length(p_name)) word (start)
                   where pg_catalog.substr(' ' || p_name, word.start, 2) collate pg_catalog."unicode" ~ '^[[:space:][:punct:]][^[:space:][:punct:]]'
                   order by word.start limit 10)) folded (term)
   where folded.term <> '';
end;

/* Enters new members. Their rows are locked, or a name that changes meanwhile would stay as it was. */
create function app_private.index_members() returns trigger
language plpgsql volatile security definer set search_path = '' as $$
begin
  perform from public.users u where u.id in (select a.user_id from added a) order by u.id for share;
  insert into public.member_terms (organization_id, user_id, term)
  select a.organization_id, u.id, term
    from added a join public.users u on u.id = a.user_id, app_private.terms_of(u.email, u.name) term;
  return null;
end
$$;

/* Enters a person's new name and address, wherever they are a member. Memberships are locked first, in the order in which
   whoever ends one takes its terms. */
create function app_private.index_person() returns trigger
language plpgsql volatile security definer set search_path = '' as $$
begin
  perform from public.memberships m where m.user_id = new.id order by m.organization_id for key share;
  delete from public.member_terms t using public.memberships m
   where m.user_id = new.id and t.organization_id = m.organization_id and t.user_id = m.user_id;
  insert into public.member_terms (organization_id, user_id, term)
  select m.organization_id, m.user_id, term
    from public.memberships m, app_private.terms_of(new.email, new.name) term where m.user_id = new.id;
  return null;
end
$$;

/* Members of the request's organization with a term that starts with the search, by the first such term, after that of
   the page before; nobody without members:read. */
create function app.search_members(p_search text, p_after_term bytea, p_after_user_id uuid, p_limit int)
returns table (term bytea, user_id uuid)
language plpgsql stable parallel restricted security definer set search_path = '' as $$
#variable_conflict use_column
declare
  v_organization_id uuid := app.org_id('members:read');
  v_from bytea := pg_catalog.convert_to(app_private.fold(p_search), 'UTF8');
  v_is_first boolean := p_after_term < v_from;
begin
  if v_from = '' then
    return;
  end if;
  return query
    select t.term, t.user_id from public.member_terms t
     where t.organization_id = v_organization_id
       -- One bound and not two: the index begins at that of the row, and would walk from there to the other.
       and (t.term, t.user_id) > (case when v_is_first then v_from else p_after_term end,
                                  case when v_is_first then '00000000-0000-0000-0000-000000000000' else p_after_user_id end)
       -- No byte of UTF-8 is ff.
       and t.term < v_from || '\xff'
       -- Asked of each row of the page; as an anti-join it could be of all there are.
       and t.term = (select e.term from public.member_terms e
                      where e.organization_id = t.organization_id and e.user_id = t.user_id and e.term >= v_from
                      order by e.term limit 1)
     order by t.term, t.user_id limit p_limit;
end
$$;

-- ── Members ──────────────────────────────────────────────────────────────────────────────────────
-- Changes of an organization's members come one after another: each locks the organization, and looks again at what
-- its caller may do, since their roles can have changed while it waited.

/* Whether nobody but this person owns the organization. */
create function app_private.nobody_else_owns(p_organization_id uuid, p_user_id uuid) returns boolean
language sql stable set search_path = '' as $$
  select not exists (select from public.membership_roles r
                      where r.organization_id = p_organization_id and r.role = 'owner' and r.user_id <> p_user_id)
$$;

/* By what an organization knows an account again, and whoever has its address: keyed, so that nobody else does. */
create function app_private.bar_hashes(p_organization_id uuid, p_user public.users) returns bytea[]
language sql stable set search_path = ''
return array[app_private.mail_scope('barred|' || p_organization_id || '|' || p_user.id),
             app_private.mail_scope('barred|' || p_organization_id || '|' || p_user.email)];

/* Makes somebody a member with these roles. False for whoever is one already, and stays what they are; APMBL where the
   organization has as many as it, or its plan, may have. */
create function app_private.add_member(
  p_organization_id uuid, p_user_id uuid, p_roles text[], p_joined_by text, p_invited_by uuid default null
) returns boolean
language plpgsql volatile set search_path = '' as $$
declare
  v_member_limit numeric;
begin
  if exists (select from public.memberships m where m.organization_id = p_organization_id and m.user_id = p_user_id) then
    return false;
  end if;
  -- Else two who come at once could both find the last place free.
  select o.member_limit into v_member_limit from public.organizations o where o.id = p_organization_id for no key update;
  if p_joined_by <> 'creation' then
    v_member_limit := least(v_member_limit, app_private.entitled_limit(p_organization_id, 'members'));
  end if;
  if (select pg_catalog.count(*) from public.memberships m
       where m.organization_id = p_organization_id and v_member_limit is not null) >= v_member_limit then
    raise exception 'as many members as there may be' using errcode = 'APMBL';
  end if;
  insert into public.memberships (organization_id, user_id, joined_by, invited_by)
  values (p_organization_id, p_user_id, p_joined_by, p_invited_by) on conflict do nothing;
  if not found then
    return false;
  end if;
  insert into public.membership_roles (organization_id, user_id, role)
  select distinct p_organization_id, p_user_id, role from pg_catalog.unnest(p_roles) role;
  return true;
end
$$;

/* What whoever acts in an organization may do now; nothing once they are no member, or their key is gone. */
create function app_private.acting_permissions(p_organization_id uuid) returns text[]
language sql stable set search_path = '' as $$
  select case when app_private.api_key_id() is null
    then app_private.permissions_of(p_organization_id, app_private.roles_of(p_organization_id, app.member_id()))
    else coalesce((select app_private.permissions_of_key(k) from public.api_keys k
                    where k.organization_id = p_organization_id and k.id = app_private.api_key_id()
                      and (k.expires_at > pg_catalog.now()) is not false), '{}') end
$$;

/* Locks the request's organization, and the caller's present permissions in it: AP404 when it was deleted meanwhile, or
   they are no member any more, AP403 when they lack p_permission now. */
create function app_private.hold_organization(p_permission text) returns text[]
language plpgsql volatile set search_path = '' as $$
declare
  v_organization_id uuid := app.org_id();
  v_permissions text[];
begin
  perform from public.organizations o where o.id = v_organization_id and o.deleted_at is null for no key update;
  if not found then
    raise exception 'the organization was deleted' using errcode = 'AP404';
  end if;
  v_permissions := app_private.acting_permissions(v_organization_id);
  if pg_catalog.cardinality(v_permissions) = 0 then
    raise exception 'not a member' using errcode = 'AP404';
  end if;
  if (p_permission = any (v_permissions)) is not true then
    raise exception 'no role has %', p_permission using errcode = 'AP403';
  end if;
  return v_permissions;
end
$$;

/* A member's roles in the request's organization: AP404 for nobody, APABV where they may do more
   than p_permissions. */
create function app_private.roles_below(p_user_id uuid, p_permissions text[]) returns text[]
language plpgsql stable set search_path = '' as $$
declare
  v_roles text[] := app_private.roles_of(app.org_id(), p_user_id);
begin
  if pg_catalog.cardinality(v_roles) = 0 then
    raise exception 'no such member' using errcode = 'AP404';
  end if;
  if not app_private.permissions_of(app.org_id(), v_roles) <@ p_permissions then
    raise exception 'the member may do more than the caller' using errcode = 'APABV';
  end if;
  return v_roles;
end
$$;

/* Why whoever has p_permissions gives nobody these roles: 'APROL' unless each is one of the organization's, and one at
   least is named; 'APABV' where they may do more; null where nothing is against it. */
create function app_private.roles_refusal(p_organization_id uuid, p_roles text[], p_permissions text[]) returns text
language sql stable set search_path = '' as $$
  select case
    when coalesce(pg_catalog.cardinality(p_roles), 0) = 0
      or exists (select from pg_catalog.unnest(p_roles) role
                  where app_private.role_permissions(role) is null
                    and not exists (select from public.roles r where r.organization_id = p_organization_id and r.key = role))
      then 'APROL'
    when not app_private.permissions_of(p_organization_id, p_roles) <@ p_permissions then 'APABV'
  end
$$;

/* Raises it. */
create function app_private.check_roles(p_organization_id uuid, p_roles text[], p_permissions text[]) returns void
language plpgsql stable set search_path = '' as $$
declare
  v_refusal text := app_private.roles_refusal(p_organization_id, p_roles, p_permissions);
begin
  if v_refusal is not null then
    raise exception 'the roles are not theirs to give' using errcode = v_refusal;
  end if;
end
$$;

/* Each once, in alphabetical order: as roles are kept. */
create function app_private.role_set(p_roles text[]) returns text[]
language sql immutable set search_path = ''
return array(select distinct role from pg_catalog.unnest(p_roles) role order by role);

/* Those that people come in with by themselves, as they are kept: roles that are the caller's to give, as above. APOWR for
   the owner's, which nobody is given without having agreed. */
create function app_private.joining_roles(p_organization_id uuid, p_roles text[], p_permissions text[]) returns text[]
language plpgsql stable set search_path = '' as $$
begin
  perform app_private.check_roles(p_organization_id, p_roles, p_permissions);
  if 'owner' = any (p_roles) then
    raise exception 'nobody becomes an owner so' using errcode = 'APOWR';
  end if;
  return app_private.role_set(p_roles);
end
$$;

/* Gives a member these roles in place of those before. AP404 for nobody's id, APROL for an unknown role or none, APABV
   where the old or the new ones may do more than the caller, APLOW where no owner would be left. */
create function app.set_member_roles(p_user_id uuid, p_roles text[]) returns void
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_organization_id uuid := app.org_id();
  v_mine text[] := app_private.hold_organization('members:write');
  v_before text[] := app_private.roles_below(p_user_id, v_mine);
begin
  perform app_private.check_roles(v_organization_id, p_roles, v_mine);
  if 'owner' <> all (p_roles) and app_private.nobody_else_owns(v_organization_id, p_user_id) then
    raise exception 'the only owner' using errcode = 'APLOW';
  end if;
  delete from public.membership_roles r
   where r.organization_id = v_organization_id and r.user_id = p_user_id and r.role <> all (p_roles);
  insert into public.membership_roles (organization_id, user_id, role)
  select distinct v_organization_id, p_user_id, role from pg_catalog.unnest(p_roles) role
   where role <> all (v_before);
end
$$;

/* Ends it, and bars the person from coming back by a domain. APLOW for the only owner. */
create function app_private.end_membership(p_user_id uuid) returns void
language plpgsql volatile set search_path = '' as $$
declare
  v_organization_id uuid := app.org_id();
begin
  if app_private.nobody_else_owns(v_organization_id, p_user_id) then
    raise exception 'the only owner' using errcode = 'APLOW';
  end if;
  insert into public.domain_bars (organization_id, person_hash)
  select v_organization_id, pg_catalog.unnest(app_private.bar_hashes(v_organization_id, u)) from public.users u where u.id = p_user_id
  on conflict do nothing;
  delete from public.memberships m where m.organization_id = v_organization_id and m.user_id = p_user_id;
end
$$;

/* Takes a member out. AP404, APABV and APLOW as above. */
create function app.remove_member(p_user_id uuid) returns void
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_mine text[] := app_private.hold_organization('members:write');
begin
  perform app_private.roles_below(p_user_id, v_mine);
  perform app_private.end_membership(p_user_id);
end
$$;

/* Takes the caller out. APLOW for the only owner. */
create function app.leave_organization() returns void
language plpgsql volatile security definer set search_path = '' as $$
begin
  perform app_private.hold_organization('organization:read');
  perform app_private.end_membership(app.user_id());
end
$$;

-- ── Roles of an organization's own ───────────────────────────────────────────────────────────────

/* These permissions, each once, and organization:read, which every role has: 22023 unless they are the product's, and
   one at least; APABV unless all are the caller's. organization:own is no role's but the owner's. */
create function app_private.check_permissions(p_permissions text[], p_mine text[]) returns text[]
language plpgsql stable set search_path = '' as $$
begin
  if coalesce(pg_catalog.cardinality(p_permissions), 0) = 0
     or (p_permissions <@ pg_catalog.array_remove(app_private.role_permissions('owner'), 'organization:own')) is not true then
    raise exception 'no such permission' using errcode = '22023';
  end if;
  if not p_permissions <@ p_mine then
    raise exception 'more than the caller may do' using errcode = 'APABV';
  end if;
  return array(select distinct permission from pg_catalog.unnest(p_permissions || 'organization:read'::text) permission
                order by permission);
end
$$;

/* AP404 for no role of the request's organization, APABV for one that may do more than p_mine. */
create function app_private.role_below(p_id uuid, p_mine text[]) returns public.roles
language plpgsql stable set search_path = '' as $$
declare
  v_role public.roles;
begin
  select * into v_role from public.roles r where r.organization_id = app.org_id() and r.id = p_id;
  if v_role.id is null then
    raise exception 'no such role' using errcode = 'AP404';
  end if;
  if not app_private.permissions_of(v_role.organization_id, array[v_role.key]) <@ p_mine then
    raise exception 'the role may do more than the caller' using errcode = 'APABV';
  end if;
  return v_role;
end
$$;

/* Makes a role. 22023 and APABV as above; APRLM for the 101st; a key that is taken, or built in, is a unique violation. */
create function app.create_role(p_id uuid, p_key text, p_name text, p_permissions text[])
returns table (id uuid, key text, name text, permissions text[], created_at timestamptz, updated_at timestamptz)
language plpgsql volatile security definer set search_path = '' as $$
#variable_conflict use_column
declare
  v_organization_id uuid := app.org_id();
  v_mine text[] := app_private.hold_organization('roles:write');
  v_permissions text[] := app_private.check_permissions(p_permissions, v_mine);
begin
  if (select pg_catalog.count(*) from public.roles r where r.organization_id = v_organization_id) >= 100 then
    raise exception 'as many roles as there can be' using errcode = 'APRLM';
  end if;
  if app_private.role_permissions(p_key) is not null then
    raise unique_violation using message = 'the key is built in', constraint = 'roles_organization_id_key_pk';
  end if;
  return query
    insert into public.roles as r (organization_id, id, key, name, permissions)
    values (v_organization_id, p_id, p_key, p_name, v_permissions)
    returning r.id, r.key, r.name, r.permissions, r.created_at, r.updated_at;
end
$$;

/* Changes what is not null. AP404, 22023 and APABV as above, for what the role may do before and after. */
create function app.update_role(p_id uuid, p_name text, p_permissions text[]) returns void
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_mine text[] := app_private.hold_organization('roles:write');
  v_role public.roles := app_private.role_below(p_id, v_mine);
begin
  update public.roles r
     set name = coalesce(p_name, r.name),
         permissions = case when p_permissions is null then r.permissions
                            else app_private.check_permissions(p_permissions, v_mine) end
   where r.organization_id = v_role.organization_id and r.id = v_role.id;
end
$$;

/* Deletes a role; its members get the replacement instead. AP404 and APABV as above; APROL for an unknown replacement,
   APABV for one above the caller, APUSE without one for a role that members have, or are invited with. */
create function app.delete_role(p_id uuid, p_replacement text) returns void
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_mine text[] := app_private.hold_organization('roles:write');
  v_role public.roles := app_private.role_below(p_id, v_mine);
begin
  if p_replacement is not null then
    perform app_private.check_roles(v_role.organization_id, pg_catalog.array_remove(array[p_replacement], v_role.key), v_mine);
    insert into public.membership_roles (organization_id, user_id, role)
    select r.organization_id, r.user_id, p_replacement from public.membership_roles r
     where r.organization_id = v_role.organization_id and r.role = v_role.key
    on conflict do nothing;
    delete from public.membership_roles r where r.organization_id = v_role.organization_id and r.role = v_role.key;
    update public.invitations i
       set roles = app_private.role_set(pg_catalog.array_replace(i.roles, v_role.key, p_replacement))
     where i.organization_id = v_role.organization_id and i.status = 'pending' and v_role.key = any (i.roles);
  elsif exists (select from public.membership_roles r
                 where r.organization_id = v_role.organization_id and r.role = v_role.key)
     or exists (select from public.invitations i
                 where i.organization_id = v_role.organization_id and i.status = 'pending'
                   and i.expires_at > pg_catalog.now() and v_role.key = any (i.roles)) then
    raise exception 'members have the role' using errcode = 'APUSE';
  end if;
  delete from public.roles r where r.organization_id = v_role.organization_id and r.id = v_role.id;
end
$$;

/* The signed-in person's roles and permissions in an organization. AP404 for who is no member. */
create function app.my_permissions(p_organization_id uuid) returns table (roles text[], permissions text[])
language plpgsql stable parallel restricted security definer set search_path = '' as $$
#variable_conflict use_column
declare
  v_roles text[] := app_private.roles_of(p_organization_id, app.user_id());
begin
  if pg_catalog.cardinality(v_roles) = 0
     or exists (select from public.organizations o where o.id = p_organization_id and o.deleted_at is not null) then
    raise exception 'not a member' using errcode = 'AP404';
  end if;
  return query select v_roles, app_private.permissions_of(p_organization_id, v_roles);
end
$$;

-- ── Teams ────────────────────────────────────────────────────────────────────────────────────────
-- Named and deleted under the fence. Who is in one is for those with teams:write to say, and for its leads.

/* Whether this person, who has p_permissions in the organization, says who is in its team. */
create function app_private.may_fill_team(p_organization_id uuid, p_team_id uuid, p_user_id uuid, p_permissions text[]) returns boolean
language sql stable set search_path = '' as $$
  select 'teams:write' = any (p_permissions)
      or exists (select from public.team_memberships t
                  where t.organization_id = p_organization_id and t.team_id = p_team_id and t.user_id = p_user_id and t.role = 'lead')
$$;

/* Makes a team, in which nobody is. APTML for the 1,001st, APENT for more than the plan has; a unique violation for a name
   that one has, in whatever case. */
create function app.create_team(p_id uuid, p_name text)
returns table (id uuid, name text, created_at timestamptz, updated_at timestamptz)
language plpgsql volatile security definer set search_path = '' as $$
#variable_conflict use_column
declare
  v_organization_id uuid := app.org_id();
  v_count bigint;
  v_limit numeric;
begin
  perform app_private.hold_organization('teams:write');
  v_count := (select pg_catalog.count(*) from public.teams t where t.organization_id = v_organization_id);
  if v_count >= 1000 then
    raise exception 'as many teams as there can be' using errcode = 'APTML';
  end if;
  v_limit := app_private.entitled_limit(v_organization_id, 'teams');
  if v_count >= v_limit then
    perform app_private.refuse_plan('teams', v_limit);
  end if;
  return query
    insert into public.teams as t (organization_id, id, name) values (v_organization_id, p_id, p_name)
    returning t.id, t.name, t.created_at, t.updated_at;
end
$$;

/* Holds a team of the request's organization for a change of who is in it, by those who say so, and by the person
   themselves where p_self is theirs: AP404 for none, AP403 for all others. */
create function app_private.hold_team(p_permission text, p_id uuid, p_self uuid default null) returns void
language plpgsql volatile set search_path = '' as $$
declare
  v_mine text[] := app_private.hold_organization(p_permission);
begin
  -- Else it could be deleted in between.
  perform from public.teams t where t.organization_id = app.org_id() and t.id = p_id for key share;
  if not found then
    raise exception 'no such team' using errcode = 'AP404';
  end if;
  if (p_self = app_private.in_person()) is not true
     and not app_private.may_fill_team(app.org_id(), p_id, app_private.in_person(), v_mine) then
    raise exception 'not theirs to fill' using errcode = 'AP403';
  end if;
end
$$;

/* Lets a member into a team, or gives them another role in it. AP404 and AP403 as above; AP404 for whoever is no member. */
create function app.set_team_member(p_team_id uuid, p_user_id uuid, p_role text) returns void
language plpgsql volatile security definer set search_path = '' as $$
begin
  perform app_private.hold_team('members:read', p_team_id);
  insert into public.team_memberships as t (organization_id, team_id, user_id, role)
  select m.organization_id, p_team_id, m.user_id, p_role from public.memberships m
   where m.organization_id = app.org_id() and m.user_id = p_user_id
  on conflict (organization_id, team_id, user_id) do update set role = excluded.role;
  if not found then
    raise exception 'no such member' using errcode = 'AP404';
  end if;
end
$$;

/* Takes somebody out of a team, who may be the caller. AP404 and AP403 as above; AP404 for whoever is not in it. */
create function app.remove_team_member(p_team_id uuid, p_user_id uuid) returns void
language plpgsql volatile security definer set search_path = '' as $$
begin
  perform app_private.hold_team('organization:read', p_team_id, p_user_id);
  delete from public.team_memberships t
   where t.organization_id = app.org_id() and t.team_id = p_team_id and t.user_id = p_user_id;
  if not found then
    raise exception 'not in the team' using errcode = 'AP404';
  end if;
end
$$;

-- ── Invitations ──────────────────────────────────────────────────────────────────────────────────
-- An invitation is for whoever proves to have its address: by the token that was mailed to it and is shown to nobody
-- else, or by an account whose address is verified. It is good while whoever sent it last may still give its roles.

/* Whether the mail of an invitation may be sent: 500 an hour by one person, 10 to one address, whoever asks. */
create function app_private.take_invitation_mail(p_email text) returns boolean
language sql volatile set search_path = '' as $$
  select app_private.take_mail('inviter|' || app.member_id(), 500) and app_private.take_mail('invitation|' || p_email, 10)
$$;

/* Why whoever has p_permissions, in the request's organization, lets nobody into these teams: 'APTEA' unless each is one of
   its teams, 'APABV' unless all are theirs to fill; null where nothing is against it. */
create function app_private.teams_refusal(p_team_ids uuid[], p_permissions text[]) returns text
language sql stable set search_path = '' as $$
  select case
    when exists (select from pg_catalog.unnest(p_team_ids) given (team_id)
                  where not exists (select from public.teams t where t.organization_id = app.org_id() and t.id = given.team_id)) then 'APTEA'
    when exists (select from pg_catalog.unnest(p_team_ids) given (team_id)
                  where not app_private.may_fill_team(app.org_id(), given.team_id, app_private.in_person(), p_permissions)) then 'APABV'
  end
$$;

/* Queues the mail. Of nobody's account: it goes out even when the sender's is deleted. */
create function app_private.mail_invitation(p_organization_id uuid, p_email text, p_message_id uuid, p_key bytea) returns void
language sql volatile set search_path = '' as $$
  insert into public.outbox (id, key_hash, recipient, template, data)
  select p_message_id, pg_catalog.sha256(p_key), p_email, 'invitation',
         pg_catalog.json_build_object('organization', o.name, 'inviter', u.name)
    from public.organizations o, public.users u where o.id = p_organization_id and u.id = app.member_id()
$$;

/* Whether somebody with this address is a member. */
create function app_private.has_member(p_organization_id uuid, p_email text) returns boolean
language sql stable set search_path = '' as $$
  select exists (select from public.users u join public.memberships m on m.user_id = u.id
                  where u.email = p_email and m.organization_id = p_organization_id)
$$;

/* Whether this person, who is not disabled, has p_permission in an organization, and may still give these roles of it. */
create function app_private.may_give(p_user_id uuid, p_organization_id uuid, p_permission text, p_roles text[]) returns boolean
language sql stable set search_path = '' as $$
  select p_permission = any (giver.permissions)
         and app_private.roles_refusal(p_organization_id, p_roles, giver.permissions) is null
         and exists (select from public.users u where u.id = p_user_id and u.suspended_at is null)
         and exists (select from public.organizations o where o.id = p_organization_id and o.deleted_at is null)
    from (select app_private.permissions_of(p_organization_id,
            app_private.roles_of(p_organization_id, p_user_id))) giver (permissions)
$$;

/* Whether an invitation can be accepted now, as far as it is not for the person to show. */
create function app_private.is_open(p_invitation public.invitations) returns boolean
language sql stable set search_path = '' as $$
  select p_invitation.status = 'pending' and p_invitation.expires_at > pg_catalog.now()
         and app_private.may_give(p_invitation.invited_by, p_invitation.organization_id, 'invitations:write', p_invitation.roles)
$$;

/* Invites people, each with roles, and mails them a token that is good for 7 days. p_invitations is an array of
   {id, email, roles, team_ids, message_id, key}; key is SHA-256 of the token, as hexadecimal bytea. Returns one row for
   each, in no certain order: the invitation, or why there is none: APMEM a member already, APPND invited already, APROL,
   APTEA and APABV as above, APIVL for the 1,001st that is pending, APLIM for too many mails. */
create function app.create_invitations(p_invitations jsonb)
returns table (ordinal bigint, refusal text, id uuid, email text, roles text[], team_ids uuid[], invited_by uuid, created_at timestamptz,
               sent_at timestamptz, expires_at timestamptz)
language plpgsql volatile security definer set search_path = '' as $$
#variable_conflict use_column
declare
  v_organization_id uuid := app.org_id();
  v_user_id uuid := app_private.answering_member_id();
  v_mine text[] := app_private.hold_organization('invitations:write');
  v_asked record;
  v_pending bigint := (select pg_catalog.count(*) from public.invitations i
                        where i.organization_id = v_organization_id and i.status = 'pending' and i.expires_at > pg_catalog.now());
begin
  -- By address, so that no two wait for each other at the addresses' counters.
  for v_asked in
    select given.ordinal, asked.* from pg_catalog.jsonb_array_elements(p_invitations) with ordinality given (item, ordinal),
           pg_catalog.jsonb_to_record(given.item) asked (id uuid, email text, roles text[], team_ids uuid[], message_id uuid, key bytea)
     order by asked.email, given.ordinal
  loop
    update public.invitations i set status = 'expired', ended_at = i.expires_at
     where i.organization_id = v_organization_id and i.email = v_asked.email and i.status = 'pending'
       and i.expires_at <= pg_catalog.now();
    ordinal := v_asked.ordinal;
    email := v_asked.email;
    refusal := case
      when app_private.has_member(v_organization_id, v_asked.email) then 'APMEM'
      when exists (select from public.invitations i
                    where i.organization_id = v_organization_id and i.email = v_asked.email and i.status = 'pending') then 'APPND'
      else coalesce(app_private.roles_refusal(v_organization_id, v_asked.roles, v_mine),
                    app_private.teams_refusal(v_asked.team_ids, v_mine))
    end;
    if refusal is null and v_pending >= 1000 then
      refusal := 'APIVL';
    elsif refusal is null and not app_private.take_invitation_mail(v_asked.email) then
      refusal := 'APLIM';
    end if;
    if refusal is null then
      v_pending := v_pending + 1;
      insert into public.invitations as i (organization_id, id, email, roles, team_ids, key_hash, invited_by, expires_at)
      values (v_organization_id, v_asked.id, v_asked.email, app_private.role_set(v_asked.roles), coalesce(v_asked.team_ids, '{}'),
              pg_catalog.sha256(v_asked.key), v_user_id, pg_catalog.now() + interval '7 days')
      returning i.id, i.roles, i.team_ids, i.invited_by, i.created_at, i.sent_at, i.expires_at
           into id, roles, team_ids, invited_by, created_at, sent_at, expires_at;
      perform app_private.mail_invitation(v_organization_id, v_asked.email, v_asked.message_id, v_asked.key);
    end if;
    return next;
  end loop;
end
$$;

/* A pending invitation of the request's organization, locked; it may have expired. AP404 for none, APEND for one that
   was answered or taken back, APABV for one whose roles may do more than p_mine. */
create function app_private.invitation_below(p_id uuid, p_mine text[]) returns public.invitations
language plpgsql volatile set search_path = '' as $$
declare
  v_invitation public.invitations;
begin
  select * into v_invitation from public.invitations i
   where i.organization_id = app.org_id() and i.id = p_id for no key update;
  if v_invitation.id is null then
    raise exception 'no such invitation' using errcode = 'AP404';
  end if;
  if v_invitation.status <> 'pending' then
    raise exception 'the invitation has ended' using errcode = 'APEND';
  end if;
  if not app_private.permissions_of(v_invitation.organization_id, v_invitation.roles) <@ p_mine then
    raise exception 'the roles may do more than the caller' using errcode = 'APABV';
  end if;
  return v_invitation;
end
$$;

/* Mails a new token for 7 days in place of the one before; the caller answers for the roles from now on. AP404, APEND
   and APABV as above; APROL when a role is gone; APMEM for whoever has become a member; APLIM for too many mails. */
create function app.resend_invitation(p_id uuid, p_message_id uuid, p_key bytea) returns void
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_user_id uuid := app_private.answering_member_id();
  v_mine text[] := app_private.hold_organization('invitations:write');
  v_invitation public.invitations := app_private.invitation_below(p_id, v_mine);
begin
  perform app_private.check_roles(v_invitation.organization_id, v_invitation.roles, v_mine);
  if app_private.has_member(v_invitation.organization_id, v_invitation.email) then
    raise exception 'a member already' using errcode = 'APMEM';
  end if;
  if not app_private.take_invitation_mail(v_invitation.email) then
    raise exception 'too many mails' using errcode = 'APLIM';
  end if;
  update public.invitations i
     set key_hash = pg_catalog.sha256(p_key), invited_by = v_user_id, sent_at = pg_catalog.now(),
         expires_at = pg_catalog.now() + interval '7 days'
   where i.organization_id = v_invitation.organization_id and i.id = v_invitation.id;
  perform app_private.mail_invitation(v_invitation.organization_id, v_invitation.email, p_message_id, p_key);
end
$$;

create function app_private.end_invitation(p_invitation public.invitations, p_status text) returns void
language sql volatile set search_path = '' as $$
  update public.invitations i set status = p_status, ended_at = pg_catalog.now()
   where i.organization_id = p_invitation.organization_id and i.id = p_invitation.id
$$;

/* Takes an invitation back. AP404, APEND and APABV as above. */
create function app.revoke_invitation(p_id uuid) returns void
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_mine text[] := app_private.hold_organization('invitations:write');
begin
  perform app_private.end_invitation(app_private.invitation_below(p_id, v_mine), 'revoked');
end
$$;

/* What whoever has the token may know before they answer. APTOK unless the invitation is open. */
create function app.find_invitation(p_key bytea)
returns table (email text, organization_name text, inviter_name text, roles text[], expires_at timestamptz)
language plpgsql stable parallel restricted security definer set search_path = '' as $$
#variable_conflict use_column
begin
  return query
    select i.email, o.name, u.name, i.roles, i.expires_at
      from public.invitations i join public.organizations o on o.id = i.organization_id join public.users u on u.id = i.invited_by
     where i.key_hash = pg_catalog.sha256(p_key) and app_private.is_open(i);
  if not found then
    raise exception 'no such invitation' using errcode = 'APTOK';
  end if;
end
$$;

/* The same of all that are open for the signed-in person's address, oldest first. APVER before that is verified. */
create function app.my_invitations(p_after uuid, p_limit int)
returns table (id uuid, organization_name text, inviter_name text, roles text[], expires_at timestamptz)
language plpgsql stable parallel restricted security definer set search_path = '' as $$
#variable_conflict use_column
declare
  v_email text := (select u.email from public.users u where u.id = app.user_id() and u.email_verified_at is not null);
begin
  if v_email is null then
    raise exception 'the address is not verified' using errcode = 'APVER';
  end if;
  return query
    select i.id, o.name, u.name, i.roles, i.expires_at
      from public.invitations i join public.organizations o on o.id = i.organization_id join public.users u on u.id = i.invited_by
     where i.email = v_email and i.status = 'pending'
       and i.id > coalesce(p_after, '00000000-0000-0000-0000-000000000000') and app_private.is_open(i)
     order by i.id limit p_limit;
end
$$;

/* Holds the organization of an invitation, and the invitation, which is open and has this token, or is for this address
   and has this id; else null. */
create function app_private.hold_invitation(p_key bytea, p_email text default null, p_id uuid default null)
returns public.invitations
language plpgsql volatile set search_path = '' as $$
declare
  v_found public.invitations;
  v_held public.invitations;
begin
  select * into v_found from public.invitations i where i.key_hash = pg_catalog.sha256(p_key)
  union all
  select * from public.invitations i where i.email = p_email and i.id = p_id and i.status = 'pending';
  perform from public.organizations o where o.id = v_found.organization_id for no key update;
  -- Looked at again, since it may have been sent anew, answered or taken back while we waited.
  select * into v_held from public.invitations i
   where i.organization_id = v_found.organization_id and i.id = v_found.id and i.key_hash = v_found.key_hash
     for no key update;
  if app_private.is_open(v_held) is true then
    return v_held;
  end if;
  return null;
end
$$;

/* Makes somebody, whom the caller has locked, a member by an open invitation that the caller holds, and lets them into its
   teams that are there still, and still the sender's to fill. APEML unless it is for their address; APMEM for a member;
   APMBL as above. */
create function app_private.join_by_invitation(p_user public.users, p_invitation public.invitations)
returns table (id uuid, name text, slug text, mfa_required boolean, roles text[], created_at timestamptz, updated_at timestamptz)
language plpgsql volatile set search_path = '' as $$
#variable_conflict use_column
begin
  if p_user.email is distinct from p_invitation.email then
    raise exception 'for another address' using errcode = 'APEML';
  end if;
  if not app_private.add_member(p_invitation.organization_id, p_user.id, p_invitation.roles, 'invitation', p_invitation.invited_by) then
    raise exception 'a member already' using errcode = 'APMEM';
  end if;
  insert into public.team_memberships (organization_id, team_id, user_id, role)
  select t.organization_id, t.id, p_user.id, 'member' from public.teams t
   where t.organization_id = p_invitation.organization_id and t.id = any (p_invitation.team_ids)
     and app_private.may_fill_team(t.organization_id, t.id, p_invitation.invited_by,
           app_private.permissions_of(t.organization_id, app_private.roles_of(t.organization_id, p_invitation.invited_by)))
     -- Else one that is deleted in between would be in the way.
     for key share;
  perform app_private.end_invitation(p_invitation, 'accepted');
  return query select o.id, o.name, o.slug, o.mfa_required, p_invitation.roles, o.created_at, o.updated_at
                 from public.organizations o where o.id = p_invitation.organization_id;
end
$$;

/* Makes the signed-in person a member by the token, which verifies their address too: it was mailed to it. APTOK unless
   the invitation is open; APEML, APMEM and APMBL as above. */
create function app.accept_invitation(p_key bytea)
returns table (id uuid, name text, slug text, mfa_required boolean, roles text[], created_at timestamptz, updated_at timestamptz)
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_user public.users := app_private.lock_me();
  v_invitation public.invitations := app_private.hold_invitation(p_key);
begin
  if v_invitation.id is null then
    raise exception 'no such invitation' using errcode = 'APTOK';
  end if;
  return query select * from app_private.join_by_invitation(v_user, v_invitation);
  if v_user.email_verified_at is null then
    perform app_private.confirm_address(v_user.id);
  end if;
end
$$;

/* The signed-in person, locked, and the invitation with this id, held. APVER before their address is verified; AP404
   unless it is for it, and open. */
create function app_private.hold_my_invitation(p_user public.users, p_id uuid) returns public.invitations
language plpgsql volatile set search_path = '' as $$
declare
  v_invitation public.invitations;
begin
  if p_user.email_verified_at is null then
    raise exception 'the address is not verified' using errcode = 'APVER';
  end if;
  v_invitation := app_private.hold_invitation(null, p_user.email, p_id);
  if v_invitation.id is null then
    raise exception 'no such invitation' using errcode = 'AP404';
  end if;
  return v_invitation;
end
$$;

create function app.accept_my_invitation(p_id uuid)
returns table (id uuid, name text, slug text, mfa_required boolean, roles text[], created_at timestamptz, updated_at timestamptz)
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_user public.users := app_private.lock_me();
  v_invitation public.invitations := app_private.hold_my_invitation(v_user, p_id);
begin
  return query select * from app_private.join_by_invitation(v_user, v_invitation);
end
$$;

/* Turns an invitation down, with no session: by the token alone. APTOK unless it is open. */
create function app.decline_invitation(p_key bytea) returns void
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_invitation public.invitations := app_private.hold_invitation(p_key);
begin
  if v_invitation.id is null then
    raise exception 'no such invitation' using errcode = 'APTOK';
  end if;
  perform app_private.end_invitation(v_invitation, 'declined');
end
$$;

create function app.decline_my_invitation(p_id uuid) returns void
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_user public.users := app_private.lock_me();
begin
  perform app_private.end_invitation(app_private.hold_my_invitation(v_user, p_id), 'declined');
end
$$;

/* Creates an account, of a verified address, that is a member at once: the token was mailed to the address. APTOK unless
   the invitation is open, APEML unless it is for this address; 23505 on users_email_key; APMBL as above. */
create function app.sign_up_invited(
  p_invitation_key bytea, p_id uuid, p_email text, p_name text, p_scheme int, p_salt text, p_hash text
) returns table (id uuid, email text, email_verified boolean, name text, created_at timestamptz, updated_at timestamptz)
language plpgsql volatile security definer set search_path = '' as $$
#variable_conflict use_column
declare
  v_user public.users;
  v_invitation public.invitations;
begin
  -- The account before the organization, in the order in which all lock them; but none is told to be taken in vain.
  if not exists (select from public.invitations i where i.key_hash = pg_catalog.sha256(p_invitation_key) and app_private.is_open(i)) then
    raise exception 'no such invitation' using errcode = 'APTOK';
  end if;
  if not exists (select from public.invitations i where i.key_hash = pg_catalog.sha256(p_invitation_key) and i.email = p_email) then
    raise exception 'for another address' using errcode = 'APEML';
  end if;
  insert into public.users as u (id, email, name, password_scheme, password_salt, password_verifier)
  values (p_id, p_email, p_name, p_scheme, p_salt, pg_catalog.sha256(pg_catalog.convert_to(p_hash, 'UTF8')))
  returning u.* into v_user;
  v_invitation := app_private.hold_invitation(p_invitation_key);
  if v_invitation.id is null then
    raise exception 'no such invitation' using errcode = 'APTOK';
  end if;
  perform app_private.join_by_invitation(v_user, v_invitation);
  -- Only now: whoever has a verified address can be a member by its domain, and the invitation comes first.
  perform app_private.confirm_address(v_user.id);
  return query select v_user.id, v_user.email, true, v_user.name, v_user.created_at, v_user.updated_at;
end
$$;

-- ── Ownership transfers ──────────────────────────────────────────────────────────────────────────
-- Nobody becomes the owner of what they did not agree to own, and whoever offers stays the owner until the other agrees.

/* Queues a mail about the ownership of the request's organization; false, and none, for an eleventh within the hour.
   Of nobody's account: to name one locks it, and accounts are locked before organizations. */
create function app_private.mail_about_ownership(p_user_id uuid, p_template text, p_message_id uuid, p_key bytea) returns boolean
language plpgsql volatile set search_path = '' as $$
begin
  if p_message_id is not null and not app_private.take_mail('ownership|' || app.org_id() || '|' || p_user_id, 10) then
    return false;
  end if;
  perform app_private.queue_message(p_message_id, p_key, null, u.email, p_template,
            pg_catalog.json_build_object('name', u.name, 'organization', o.name, 'inviter', me.name))
     from public.users u, public.users me, public.organizations o
    where u.id = p_user_id and me.id = app.user_id() and o.id = app.org_id();
  return true;
end
$$;

/* The open offer of the request's organization: none once it has expired, or whoever made it is disabled. */
create function app_private.open_transfer() returns setof public.ownership_transfers
language sql stable set search_path = '' as $$
  select t.* from public.ownership_transfers t join public.users u on u.id = t.from_user_id
   where t.organization_id = app.org_id() and t.expires_at > pg_catalog.now() and u.suspended_at is null
$$;

/* Offers the caller's ownership to another member. AP404 for nobody, APAOW for an owner, APOTP while another
   offer is open, APLIM for the eleventh mail to them within the hour. */
create function app.offer_ownership(p_id uuid, p_user_id uuid, p_message_id uuid, p_key bytea)
returns table (id uuid, from_user_id uuid, to_user_id uuid, created_at timestamptz, expires_at timestamptz)
language plpgsql volatile security definer set search_path = '' as $$
#variable_conflict use_column
declare
  v_organization_id uuid := app.org_id();
  v_roles text[];
begin
  perform app_private.hold_organization('organization:own');
  v_roles := app_private.roles_of(v_organization_id, p_user_id);
  if pg_catalog.cardinality(v_roles) = 0 then
    raise exception 'no such member' using errcode = 'AP404';
  end if;
  if 'owner' = any (v_roles) then
    raise exception 'an owner already' using errcode = 'APAOW';
  end if;
  if exists (select from app_private.open_transfer()) then
    raise exception 'another offer is open' using errcode = 'APOTP';
  end if;
  delete from public.ownership_transfers t where t.organization_id = v_organization_id;
  if not app_private.mail_about_ownership(p_user_id, 'ownership_offered', p_message_id, p_key) then
    raise exception 'too many mails' using errcode = 'APLIM';
  end if;
  return query
    insert into public.ownership_transfers as t (organization_id, id, from_user_id, to_user_id)
    values (v_organization_id, p_id, app.user_id(), p_user_id)
    returning t.id, t.from_user_id, t.to_user_id, t.created_at, t.expires_at;
end
$$;

/* The open offer, for those with organization:own and for whom it is for. */
create function app.ownership_transfer()
returns table (id uuid, from_user_id uuid, to_user_id uuid, created_at timestamptz, expires_at timestamptz)
language sql stable parallel restricted security definer set search_path = '' as $$
  select t.id, t.from_user_id, t.to_user_id, t.created_at, t.expires_at from app_private.open_transfer() t
   where app.org_id('organization:own') is not null or t.to_user_id = app.member_id()
$$;

/* Withdraws the open offer, whichever owner made it. AP404 where there is none. */
create function app.withdraw_ownership() returns void
language plpgsql volatile security definer set search_path = '' as $$
begin
  perform app_private.hold_organization('organization:own');
  delete from public.ownership_transfers t
   where t.organization_id = app.org_id() and t.id = (select o.id from app_private.open_transfer() o);
  if not found then
    raise exception 'no open offer' using errcode = 'AP404';
  end if;
end
$$;

/* Locks the request's organization, and its open offer to the caller: AP404 where there is none. */
create function app_private.hold_offer() returns public.ownership_transfers
language plpgsql volatile set search_path = '' as $$
declare
  v_transfer public.ownership_transfers;
begin
  perform app_private.hold_organization('organization:read');
  select t.* into v_transfer from app_private.open_transfer() t where t.to_user_id = app.user_id();
  if v_transfer.id is null then
    raise exception 'no open offer' using errcode = 'AP404';
  end if;
  return v_transfer;
end
$$;

/* Declines the offer to the caller. AP404 as above. */
create function app.decline_ownership() returns void
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_transfer public.ownership_transfers := app_private.hold_offer();
begin
  delete from public.ownership_transfers t where t.organization_id = v_transfer.organization_id;
end
$$;

/* Makes the caller an owner, who may do everything and needs no other role, and whoever offered it an admin beside
   their other roles. AP404 as above. */
create function app.accept_ownership(p_message_id uuid, p_key bytea) returns void
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_transfer public.ownership_transfers := app_private.hold_offer();
begin
  perform app_private.mail_about_ownership(v_transfer.from_user_id, 'ownership_accepted', p_message_id, p_key);
  insert into public.membership_roles (organization_id, user_id, role)
  values (v_transfer.organization_id, v_transfer.to_user_id, 'owner'), (v_transfer.organization_id, v_transfer.from_user_id, 'admin')
  on conflict do nothing;
  -- With the ownership before, the offer goes.
  delete from public.membership_roles r
   where r.organization_id = v_transfer.organization_id
     and (r.user_id = v_transfer.from_user_id and r.role = 'owner' or r.user_id = v_transfer.to_user_id and r.role <> 'owner');
end
$$;

-- ── API keys ─────────────────────────────────────────────────────────────────────────────────────
-- A key is a member's, and goes with their membership; or the organization's own, made by an owner. Only a person makes,
-- changes and rotates keys, so that none outlives what it was made with.

/* Makes a key for p_days days, or for good; p_key is SHA-256 of it. 22023 for no such scopes, APABV for more than the
   caller may do, AP403 for one of the organization's own by no owner, APAKL for the 101st. */
create function app.create_api_key(
  p_id uuid, p_name text, p_scopes text[], p_is_own boolean, p_rate_limit int, p_days int, p_hint text, p_key bytea
) returns void
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_user_id uuid := app.user_id();
  v_organization_id uuid := app.org_id();
  v_mine text[] := app_private.hold_organization('api-keys:write');
begin
  if p_is_own and 'organization:own' <> all (v_mine) then
    raise exception 'no owner' using errcode = 'AP403';
  end if;
  if (select pg_catalog.count(*) from public.api_keys k where k.organization_id = v_organization_id) >= 100 then
    raise exception 'as many keys as there can be' using errcode = 'APAKL';
  end if;
  insert into public.api_keys (organization_id, id, user_id, created_by, name, scopes, rate_limit, lifetime_days, hint, key_hash, expires_at)
  values (v_organization_id, p_id, case when not p_is_own then v_user_id end, v_user_id, p_name,
          app_private.check_permissions(p_scopes, v_mine), p_rate_limit, p_days, p_hint, pg_catalog.sha256(p_key),
          pg_catalog.now() + p_days * interval '1 day');
end
$$;

/* A key of the request's organization, which the caller holds, that they may change: one of theirs, or as an owner one of the
   organization's own. AP404 for none, AP403 for another's. */
create function app_private.hold_api_key(p_id uuid, p_mine text[]) returns public.api_keys
language plpgsql volatile set search_path = '' as $$
declare
  v_key public.api_keys;
begin
  select * into v_key from public.api_keys k where k.organization_id = app.org_id() and k.id = p_id;
  if v_key.id is null then
    raise exception 'no such key' using errcode = 'AP404';
  end if;
  if (v_key.user_id = app.user_id() or v_key.user_id is null and 'organization:own' = any (p_mine)) is not true then
    raise exception 'not theirs to change' using errcode = 'AP403';
  end if;
  return v_key;
end
$$;

/* Changes what p_changes has of {name, scopes, rateLimitPerMinute}. AP404, AP403, 22023 and APABV as above. */
create function app.update_api_key(p_id uuid, p_changes jsonb) returns void
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_mine text[] := app_private.hold_organization('api-keys:write');
  v_key public.api_keys := app_private.hold_api_key(p_id, v_mine);
begin
  update public.api_keys k
     set name = coalesce(p_changes ->> 'name', k.name),
         scopes = case when p_changes ? 'scopes'
           then app_private.check_permissions(array(select pg_catalog.jsonb_array_elements_text(p_changes -> 'scopes')), v_mine)
           else k.scopes end,
         rate_limit = case when p_changes ? 'rateLimitPerMinute' then (p_changes ->> 'rateLimitPerMinute')::int else k.rate_limit end
   where k.organization_id = v_key.organization_id and k.id = v_key.id;
end
$$;

/* Gives a key another secret for as long as it was made for; the one before is good for p_overlap longer, and no longer
   than it was. AP404 and AP403 as above; APABV when it is for more than the caller may do by now. */
create function app.rotate_api_key(p_id uuid, p_hint text, p_overlap interval, p_key bytea) returns void
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_mine text[] := app_private.hold_organization('api-keys:write');
  v_key public.api_keys := app_private.hold_api_key(p_id, v_mine);
begin
  if not v_key.scopes <@ v_mine then
    raise exception 'more than the caller may do' using errcode = 'APABV';
  end if;
  update public.api_keys k
     set key_hash = pg_catalog.sha256(p_key), hint = p_hint, rotated_at = pg_catalog.now(), previous_key_hash = k.key_hash,
         previous_expires_at = least(pg_catalog.now() + p_overlap, k.expires_at),
         expires_at = pg_catalog.now() + k.lifetime_days * interval '1 day'
   where k.organization_id = v_key.organization_id and k.id = v_key.id;
end
$$;

-- ── Webhooks ─────────────────────────────────────────────────────────────────────────────────────
-- What the audit trail tells of an organization, its endpoints are told too (standardwebhooks.com). The Worker delivers, after
-- the commit; to take messages, or to say what became of them, takes its own key, as with a provider's ticket.
-- Of one subject an endpoint gets one message after another. Who queues one holds the endpoint FOR KEY SHARE, and who settles
-- one FOR UPDATE: so either sees whether the other's is still in the way.

/* Queues events for each of their organization's endpoints that asks for their types, in their order. */
create function app_private.queue_webhooks(p_events public.audit_events[]) returns void
language plpgsql volatile set search_path = '' set enable_seqscan = off as $$
declare
  v_organization_ids uuid[] := array(select distinct e.organization_id from pg_catalog.unnest(p_events) e);
begin
  perform from public.webhook_endpoints w where w.organization_id = any (v_organization_ids) and w.disabled_at is null
    order by w.organization_id, w.id for key share;
  insert into public.webhook_messages (organization_id, endpoint_id, type, subject_id, payload, next_attempt_at)
  select w.organization_id, w.id, told.action, told.subject_id, told.payload,
         case when pg_catalog.row_number() over (partition by w.organization_id, w.id, told.subject_id order by told.id) = 1
               and not app_private.is_in_the_way(w.organization_id, w.id, told.subject_id) then pg_catalog.now() end
    from (select e.id, e.organization_id, e.action, e.subject_id,
                 pg_catalog.json_build_object(
                   'type', e.action,
                   'timestamp', app_private.iso_instant(pg_catalog.uuid_extract_timestamp(e.id)),
                   'data', pg_catalog.json_build_object(
                     'id', e.id, 'organizationId', e.organization_id,
                     'actor', pg_catalog.json_build_object('type', e.actor_type, 'id', e.actor_id, 'impersonatorId', e.impersonator_id),
                     'subject', pg_catalog.json_build_object('type', e.subject_type, 'id', e.subject_id),
                     'before', e.before, 'after', e.after, 'requestId', e.request_id)) as payload
            from pg_catalog.unnest(p_events) e) told
    join public.webhook_endpoints w on w.organization_id = told.organization_id and w.disabled_at is null
         and (w.event_types = '{}' or told.action = any (w.event_types))
   order by told.id;
end
$$;

/* Whether a message of this subject is still to be delivered. */
create function app_private.is_in_the_way(p_organization_id uuid, p_endpoint_id uuid, p_subject_id uuid) returns boolean
language sql stable set search_path = '' as $$
  select exists (select from public.webhook_messages m
                  where m.organization_id = p_organization_id and m.endpoint_id = p_endpoint_id
                    and m.subject_id = p_subject_id and m.status = 'pending')
$$;

/* Makes an endpoint. APWHL for the 21st. */
create function app.create_webhook_endpoint(p_id uuid, p_url text, p_description text, p_event_types text[], p_sealed_secret bytea)
returns void
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_organization_id uuid := app.org_id();
begin
  perform app_private.hold_organization('webhooks:write');
  if (select pg_catalog.count(*) from public.webhook_endpoints e where e.organization_id = v_organization_id) >= 20 then
    raise exception 'as many endpoints as there can be' using errcode = 'APWHL';
  end if;
  insert into public.webhook_endpoints (organization_id, id, url, description, event_types, sealed_secret)
  values (v_organization_id, p_id, p_url, p_description, p_event_types, p_sealed_secret);
end
$$;

/* Gives an endpoint of the request's organization another secret; the one before signs beside it for p_overlap. AP404. */
create function app.rotate_webhook_secret(p_id uuid, p_sealed_secret bytea, p_overlap interval) returns void
language plpgsql volatile security definer set search_path = '' as $$
begin
  update public.webhook_endpoints e
     set sealed_secret = p_sealed_secret, previous_sealed_secret = e.sealed_secret, previous_expires_at = pg_catalog.now() + p_overlap
   where e.organization_id = app.org_id('webhooks:write') and e.id = p_id;
  if not found then
    raise exception 'no such endpoint' using errcode = 'AP404';
  end if;
end
$$;

/* What is still to be delivered to endpoints that are disabled is dead: 2,000 messages at most, the oldest first. Returns how
   many. All of them at once could be more than there is time for. */
create function app_private.bury_webhooks(p_organization_id uuid default null, p_endpoint_id uuid default null) returns int
-- Planned each time: a plan of when next to nothing was there reads the table once for each that is buried.
language plpgsql volatile set search_path = '' set plan_cache_mode = force_custom_plan as $$
declare
  v_count int;
begin
  update public.webhook_messages m
     set status = 'dead', settled_at = pg_catalog.now(), next_attempt_at = null, leased_until = null
    from (select pending.organization_id, pending.id
            from (select w.organization_id, w.id from public.webhook_endpoints w
                   where w.organization_id = p_organization_id and w.id = p_endpoint_id
                      or p_endpoint_id is null and w.disabled_at is not null) w,
                 lateral (select p.organization_id, p.id from public.webhook_messages p
                           where p.organization_id = w.organization_id and p.endpoint_id = w.id and p.status = 'pending'
                           order by p.id limit 2000) pending
           limit 2000) due
   -- Not by its status: the index of what is pending, which may have been next to nothing when Postgres last counted, would be
   -- read whole for each of them.
   where m.organization_id = due.organization_id and m.id = due.id and m.settled_at is null;
  get diagnostics v_count = row_count;
  return v_count;
end
$$;

/* An endpoint that is disabled waits for whoever is queueing something for it, so that all of that is dead. One that is enabled
   begins anew, and gets what was not dead yet. */
create function app_private.switch_webhooks() returns trigger
-- As above.
language plpgsql volatile security definer set search_path = '' set plan_cache_mode = force_custom_plan as $$
begin
  perform from public.webhook_endpoints w where w.organization_id = new.organization_id and w.id = new.id for update;
  if new.disabled_at is null then
    new.disabled_reason := null;
    update public.webhook_messages m set next_attempt_at = pg_catalog.now()
      from (select distinct on (p.subject_id) p.id from public.webhook_messages p
             where p.organization_id = new.organization_id and p.endpoint_id = new.id and p.status = 'pending'
             order by p.subject_id, p.id) oldest
     where m.organization_id = new.organization_id and m.id = oldest.id and m.next_attempt_at is null and m.settled_at is null;
  else
    perform app_private.bury_webhooks(new.organization_id, new.id);
  end if;
  return new;
end
$$;

/* Holds an endpoint of the request's organization whose messages are sent again: AP404 for none, APWHD for a disabled one. */
create function app_private.hold_webhook_endpoint(p_id uuid) returns void
language plpgsql volatile set search_path = '' as $$
declare
  v_disabled_at timestamptz;
begin
  select e.disabled_at into v_disabled_at from public.webhook_endpoints e
   where e.organization_id = app.org_id('webhooks:write') and e.id = p_id for update;
  if not found then
    raise exception 'no such endpoint' using errcode = 'AP404';
  end if;
  if v_disabled_at is not null then
    raise exception 'the endpoint is disabled' using errcode = 'APWHD';
  end if;
end
$$;

/* Sends a settled message again, at once. AP404 and APWHD as above; APWHP for one that is still to be delivered. */
create function app.replay_webhook(p_endpoint_id uuid, p_id uuid) returns void
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_status text;
begin
  perform app_private.hold_webhook_endpoint(p_endpoint_id);
  select m.status into v_status from public.webhook_messages m
   where m.organization_id = app.org_id() and m.endpoint_id = p_endpoint_id and m.id = p_id;
  if v_status is null then
    raise exception 'no such message' using errcode = 'AP404';
  end if;
  if v_status = 'pending' then
    raise exception 'still to be delivered' using errcode = 'APWHP';
  end if;
  update public.webhook_messages m
     set status = 'pending', attempts = 0, settled_at = null, next_attempt_at = pg_catalog.now()
   where m.organization_id = app.org_id() and m.id = p_id;
  perform app_private.record_event(app.org_id(), null, 'webhook_message.replayed', 'webhook_message', p_id);
end
$$;

/* Sends what is dead since then again, in its order: 5,000 messages at most, the oldest first. Returns how many. AP404 and
   APWHD as above. */
create function app.recover_webhooks(p_endpoint_id uuid, p_since timestamptz) returns int
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_count int;
begin
  perform app_private.hold_webhook_endpoint(p_endpoint_id);
  with chosen as materialized (
    select m.organization_id, m.id, pg_catalog.row_number() over (partition by m.subject_id order by m.id) as place
      from (select * from public.webhook_messages dead
             where dead.organization_id = app.org_id() and dead.endpoint_id = p_endpoint_id and dead.status = 'dead'
               and dead.id >= app_private.first_event_id(p_since)
             order by dead.id limit 5000) m
  )
  update public.webhook_messages m
     set status = 'pending', attempts = 0, settled_at = null,
         next_attempt_at = case when chosen.place = 1
           and not app_private.is_in_the_way(m.organization_id, m.endpoint_id, m.subject_id) then pg_catalog.now() end
    from chosen where m.organization_id = chosen.organization_id and m.id = chosen.id;
  get diagnostics v_count = row_count;
  perform app_private.record_event(app.org_id(), null, 'webhook_endpoint.recovered', 'webhook_endpoint', p_endpoint_id, null,
                                   pg_catalog.jsonb_build_object('messages', v_count));
  return v_count;
end
$$;

/* Messages that are due, for this caller alone for five minutes: the oldest of each endpoint, 10 at most, and of one that does
   not answer one at a time; of an organization 20 at most, and of each the first before the second of any, so that none is in
   another's way. With p_organization_id those of that one alone. APWRK from anybody but the Worker. */
create function app.claim_webhooks(p_worker_keys bytea, p_limit int, p_organization_id uuid default null)
returns table (organization_id uuid, id uuid, endpoint_id uuid, url text, sealed_secret bytea, previous_sealed_secret bytea,
               attempt int, payload json)
language plpgsql volatile security definer set search_path = '' as $$
#variable_conflict use_column
begin
  perform app_private.prove_worker(p_worker_keys);
  if p_organization_id is null then
    perform app_private.bury_webhooks();
  end if;
  return query
    with recursive waiting as (
      -- Each endpoint with something pending, by one step through the index.
      (select m.organization_id, m.endpoint_id from public.webhook_messages m
        where m.status = 'pending' and m.organization_id = coalesce(p_organization_id, m.organization_id)
        order by m.organization_id, m.endpoint_id limit 1)
      union all
      select next.organization_id, next.endpoint_id from waiting,
             lateral (select m.organization_id, m.endpoint_id from public.webhook_messages m
                       where m.status = 'pending' and m.organization_id = coalesce(p_organization_id, m.organization_id)
                         and (m.organization_id, m.endpoint_id) > (waiting.organization_id, waiting.endpoint_id)
                       order by m.organization_id, m.endpoint_id limit 1) next
    ), due as materialized (
      select oldest.*, pg_catalog.row_number() over (partition by oldest.organization_id order by oldest.next_attempt_at, oldest.id) as place
        from waiting
        join public.webhook_endpoints e on e.organization_id = waiting.organization_id and e.id = waiting.endpoint_id and e.disabled_at is null,
             lateral (select m.organization_id, m.id, m.next_attempt_at from public.webhook_messages m
                       where m.organization_id = e.organization_id and m.endpoint_id = e.id and m.status = 'pending'
                         and m.next_attempt_at <= pg_catalog.now() and (m.leased_until > pg_catalog.now()) is not true
                         and (e.failing_since is null or not exists (
                               select from public.webhook_messages leased
                                where leased.organization_id = e.organization_id and leased.endpoint_id = e.id
                                  and leased.status = 'pending' and leased.leased_until > pg_catalog.now()))
                       order by m.next_attempt_at limit case when e.failing_since is null then 10 else 1 end) oldest
    ), chosen as (
      select m.organization_id, m.id from public.webhook_messages m
        join due on due.organization_id = m.organization_id and due.id = m.id
       where due.place <= 20 and m.status = 'pending' and (m.leased_until > pg_catalog.now()) is not true
       order by due.place, m.next_attempt_at limit p_limit for update of m skip locked
    )
    update public.webhook_messages m
       set attempts = m.attempts + 1, leased_until = pg_catalog.now() + interval '5 minutes'
      from chosen, public.webhook_endpoints e
     where m.organization_id = chosen.organization_id and m.id = chosen.id
       and e.organization_id = m.organization_id and e.id = m.endpoint_id
    returning m.organization_id, m.id, m.endpoint_id, e.url, e.sealed_secret,
              case when e.previous_expires_at > pg_catalog.now() then e.previous_sealed_secret end, m.attempts, m.payload;
end
$$;

/* What must pass after so many failed attempts, as Standard Webhooks has it; null after the last, which is after three days. */
create function app_private.webhook_delay(p_attempts int) returns interval
language sql immutable set search_path = ''
return (array['5 seconds', '5 minutes', '30 minutes', '2 hours', '5 hours', '10 hours', '14 hours', '20 hours', '24 hours'])[p_attempts]::interval;

/* Says what became of a message that was claimed, at this attempt: p_status is that of the answer, or null with an error, and
   p_retry_after is in seconds. What is delivered, or dead, lets the next of its subject go; an endpoint that answers again after
   five minutes gets all that waits for a later attempt. One that is gone (410), or has answered nothing for five days, is
   disabled. Nothing is done where it was settled, sent again or claimed anew meanwhile. APWRK from anybody but the Worker. */
create function app.settle_webhook(
  p_worker_keys bytea, p_organization_id uuid, p_id uuid, p_attempt int, p_status int, p_error text, p_duration_ms int, p_retry_after int
) returns void
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_message public.webhook_messages;
  v_endpoint public.webhook_endpoints;
  v_is_delivered boolean := coalesce(p_status between 200 and 299, false);
  v_delay interval;
  v_reason text;
begin
  perform app_private.prove_worker(p_worker_keys);
  select * into v_endpoint from public.webhook_endpoints e
   where e.organization_id = p_organization_id
     and e.id = (select m.endpoint_id from public.webhook_messages m where m.organization_id = p_organization_id and m.id = p_id) for update;
  select * into v_message from public.webhook_messages m
   where m.organization_id = p_organization_id and m.id = p_id and m.status = 'pending' and m.attempts = p_attempt for update;
  if v_message.id is null then
    return;
  end if;
  v_delay := case when not v_is_delivered and p_status is distinct from 410 then app_private.webhook_delay(v_message.attempts) end;
  update public.webhook_messages m
     set status = case when v_is_delivered then 'delivered' when v_delay is null then 'dead' else 'pending' end,
         settled_at = case when v_delay is null then pg_catalog.now() end,
         leased_until = null,
         next_attempt_at = case when v_delay is not null
           then pg_catalog.now() + greatest(v_delay, least(coalesce(p_retry_after, 0), 21600) * interval '1 second') end,
         log = case when pg_catalog.jsonb_array_length(m.log) < 20 then m.log else m.log - 0 end || pg_catalog.jsonb_build_object(
           'attemptedAt', app_private.iso_instant(pg_catalog.now()), 'status', p_status,
           'error', pg_catalog.left(p_error, 200), 'durationMs', p_duration_ms)
   where m.organization_id = p_organization_id and m.id = p_id;
  if v_delay is null then
    update public.webhook_messages m set next_attempt_at = pg_catalog.now()
     where m.organization_id = p_organization_id
       and m.id = (select next.id from public.webhook_messages next
                    where next.organization_id = p_organization_id and next.endpoint_id = v_endpoint.id
                      and next.subject_id = v_message.subject_id and next.status = 'pending'
                    order by next.id limit 1)
       and m.next_attempt_at is null;
  end if;
  if not v_is_delivered then
    v_reason := case when p_status = 410 then 'gone'
                     when v_delay is null and v_endpoint.failing_since < pg_catalog.now() - interval '5 days' then 'failing' end;
    update public.webhook_endpoints e
       set failing_since = coalesce(e.failing_since, pg_catalog.now()), disabled_reason = v_reason,
           disabled_at = case when v_reason is not null then pg_catalog.now() end
     where e.organization_id = p_organization_id and e.id = v_endpoint.id and e.disabled_at is null;
  elsif v_endpoint.failing_since is not null then
    update public.webhook_endpoints e set failing_since = null where e.organization_id = p_organization_id and e.id = v_endpoint.id;
    -- Else one success among failures would use up the attempts of those.
    update public.webhook_messages m set next_attempt_at = pg_catalog.now()
     where m.organization_id = p_organization_id and m.endpoint_id = v_endpoint.id and m.status = 'pending'
       and m.next_attempt_at > pg_catalog.now() and v_endpoint.failing_since < pg_catalog.now() - interval '5 minutes';
  end if;
end
$$;

-- ── Share links ──────────────────────────────────────────────────────────────────────────────────
-- A link is for whoever has it, so its token proves no mailbox: to join takes an account with a verified address. It is
-- good while whoever made it may still give its roles, and it never makes an owner.

/* Whether somebody can join by a link now, as far as it is not for them to show. */
create function app_private.is_usable(p_link public.share_links) returns boolean
language sql stable set search_path = '' as $$
  select p_link.uses < p_link.max_uses and p_link.expires_at > pg_catalog.now()
         and app_private.may_give(p_link.created_by, p_link.organization_id, 'invitations:write', p_link.roles)
$$;

/* Makes a link for p_days days; p_key is SHA-256 of its token. APROL and APABV as above; APOWR for the owner's role;
   APSLL for the 21st that is neither used up nor has expired. */
create function app.create_share_link(p_id uuid, p_roles text[], p_allowed_domains text[], p_max_uses int, p_days int, p_key bytea)
returns table (id uuid, roles text[], allowed_domains text[], max_uses int, uses int, created_by uuid, created_at timestamptz,
               expires_at timestamptz)
language plpgsql volatile security definer set search_path = '' as $$
#variable_conflict use_column
declare
  v_organization_id uuid := app.org_id();
  v_user_id uuid := app_private.answering_member_id();
  v_mine text[] := app_private.hold_organization('invitations:write');
  v_roles text[] := app_private.joining_roles(v_organization_id, p_roles, v_mine);
begin
  if (select pg_catalog.count(*) from public.share_links l
       where l.organization_id = v_organization_id and l.uses < l.max_uses and l.expires_at > pg_catalog.now()) >= 20 then
    raise exception 'as many links as there can be' using errcode = 'APSLL';
  end if;
  return query
    insert into public.share_links as l (organization_id, id, roles, key_hash, allowed_domains, max_uses, created_by, expires_at)
    values (v_organization_id, p_id, v_roles, pg_catalog.sha256(p_key),
            array(select distinct pg_catalog.lower(domain) from pg_catalog.unnest(p_allowed_domains) domain order by 1),
            p_max_uses, v_user_id, pg_catalog.now() + p_days * interval '1 day')
    returning l.id, l.roles, l.allowed_domains, l.max_uses, l.uses, l.created_by, l.created_at, l.expires_at;
end
$$;

/* Deletes a link. AP404 for none of the request's organization; APABV for one whose roles may do more than the caller. */
create function app.revoke_share_link(p_id uuid) returns void
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_mine text[] := app_private.hold_organization('invitations:write');
  v_link public.share_links;
begin
  delete from public.share_links l where l.organization_id = app.org_id() and l.id = p_id returning l.* into v_link;
  if v_link.id is null then
    raise exception 'no such link' using errcode = 'AP404';
  end if;
  if not app_private.permissions_of(v_link.organization_id, v_link.roles) <@ v_mine then
    raise exception 'the roles may do more than the caller' using errcode = 'APABV';
  end if;
end
$$;

/* What whoever has the token may know before they join, and no member's name. AP404 unless the link is good. */
create function app.find_share_link(p_key bytea)
returns table (organization_name text, roles text[], allowed_domains text[], expires_at timestamptz)
language plpgsql stable parallel restricted security definer set search_path = '' as $$
#variable_conflict use_column
begin
  return query
    select o.name, l.roles, l.allowed_domains, l.expires_at
      from public.share_links l join public.organizations o on o.id = l.organization_id
     where l.key_hash = pg_catalog.sha256(p_key) and app_private.is_usable(l);
  if not found then
    raise exception 'no such link' using errcode = 'AP404';
  end if;
end
$$;

/* Makes the signed-in person a member by the token. APVER before their address is verified; AP404 unless the link is
   good; APDNA unless it is for addresses like theirs; APMEM and APMBL as above, and then it is not used. */
create function app.accept_share_link(p_key bytea)
returns table (id uuid, name text, slug text, mfa_required boolean, roles text[], created_at timestamptz, updated_at timestamptz)
language plpgsql volatile security definer set search_path = '' as $$
#variable_conflict use_column
declare
  v_user public.users := app_private.lock_me();
  v_link public.share_links;
begin
  if v_user.email_verified_at is null then
    raise exception 'the address is not verified' using errcode = 'APVER';
  end if;
  perform from public.organizations o
    where o.id = (select l.organization_id from public.share_links l where l.key_hash = pg_catalog.sha256(p_key)) for no key update;
  update public.share_links l set uses = l.uses + 1
   where l.key_hash = pg_catalog.sha256(p_key) and app_private.is_usable(l) returning l.* into v_link;
  if v_link.id is null then
    raise exception 'no such link' using errcode = 'AP404';
  end if;
  if pg_catalog.cardinality(v_link.allowed_domains) > 0
     and (pg_catalog.split_part(v_user.email, '@', -1) = any (v_link.allowed_domains)) is not true then
    raise exception 'for other domains' using errcode = 'APDNA';
  end if;
  if not app_private.add_member(v_link.organization_id, v_user.id, v_link.roles, 'share_link', v_link.created_by) then
    raise exception 'a member already' using errcode = 'APMEM';
  end if;
  return query select o.id, o.name, o.slug, o.mfa_required, v_link.roles, o.created_at, o.updated_at
                 from public.organizations o where o.id = v_link.organization_id;
end
$$;

-- ── Domains ──────────────────────────────────────────────────────────────────────────────────────
-- Whoever has a verified address of a verified domain may join its organization, but for those who were members before.
-- An enrollment is good while whoever set it last could set it now. Of one domain, one organization's is verified.

/* Adds a domain to the request's organization, whose record is still to be seen. APDML for the 21st; a unique violation
   for one that it has. */
create function app.create_domain(p_id uuid, p_domain text, p_txt_record text)
returns table (id uuid, domain text, txt_record text, verified_at timestamptz, enrollment text, roles text[], enrollment_set_by uuid,
               created_at timestamptz, updated_at timestamptz)
language plpgsql volatile security definer set search_path = '' as $$
#variable_conflict use_column
declare
  v_organization_id uuid := app.org_id();
begin
  perform app_private.hold_organization('domains:write');
  if (select pg_catalog.count(*) from public.organization_domains d where d.organization_id = v_organization_id) >= 20 then
    raise exception 'as many domains as there can be' using errcode = 'APDML';
  end if;
  return query
    insert into public.organization_domains as d (organization_id, id, domain, txt_record)
    values (v_organization_id, p_id, p_domain, p_txt_record)
    returning d.id, d.domain, d.txt_record, d.verified_at, d.enrollment, d.roles, d.enrollment_set_by, d.created_at, d.updated_at;
end
$$;

/* Changes what is not null; the caller answers for the roles from now on. AP404 for none of the request's organization;
   APROL, APABV and APOWR as above. */
create function app.update_domain(p_id uuid, p_enrollment text, p_roles text[]) returns void
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_user_id uuid := app_private.answering_member_id();
  v_mine text[] := app_private.hold_organization('domains:write');
  v_domain public.organization_domains;
begin
  select * into v_domain from public.organization_domains d where d.organization_id = app.org_id() and d.id = p_id;
  if v_domain.id is null then
    raise exception 'no such domain' using errcode = 'AP404';
  end if;
  update public.organization_domains d
     set enrollment = coalesce(p_enrollment, d.enrollment), enrollment_set_by = v_user_id,
         roles = app_private.joining_roles(v_domain.organization_id, coalesce(p_roles, v_domain.roles), v_mine)
   where d.organization_id = v_domain.organization_id and d.id = v_domain.id;
end
$$;

/* Takes the Worker's word that the domain has its record, as app.verify_domain does of a connection's. AP404 unless it is
   of the request's organization; APWRK without a known key; a unique violation where another's is verified. */
create function app.verify_organization_domain(p_worker_keys bytea, p_id uuid) returns void
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_organization_id uuid := app.org_id('domains:write');
  v_domain text;
begin
  perform app_private.prove_worker(p_worker_keys);
  select d.domain into v_domain from public.organization_domains d where d.id = p_id and d.organization_id = v_organization_id;
  if v_domain is null then
    raise exception 'no such domain' using errcode = 'AP404';
  end if;
  update public.organization_domains d set verified_at = null from public.organizations o
   where d.domain = v_domain and d.verified_at is not null and o.id = d.organization_id and o.deleted_at is not null;
  update public.organization_domains d set verified_at = coalesce(d.verified_at, pg_catalog.now())
   where d.id = p_id and d.organization_id = v_organization_id;
end
$$;

/* The domain by which somebody may join an organization; none, or one. */
create function app_private.find_enrollment(p_user public.users) returns setof public.organization_domains
language sql stable set search_path = '' as $$
  select d.* from public.organization_domains d
   where p_user.email_verified_at is not null
     and d.domain = pg_catalog.split_part(p_user.email, '@', -1) and d.verified_at is not null and d.enrollment <> 'none'
     and not exists (select from public.domain_bars b
                      where b.organization_id = d.organization_id and b.person_hash = any (app_private.bar_hashes(d.organization_id, p_user)))
     and app_private.may_give(d.enrollment_set_by, d.organization_id, 'domains:write', d.roles)
$$;

/* The same, looked at again with its organization locked. */
create function app_private.hold_enrollment(p_user public.users) returns setof public.organization_domains
language plpgsql volatile set search_path = '' as $$
begin
  perform from public.organizations o
    where o.id = (select e.organization_id from app_private.find_enrollment(p_user) e) for no key update;
  return query select * from app_private.find_enrollment(p_user);
end
$$;

/* Whoever's address has just been verified joins the organization of its domain, if that takes people in, and is not full:
   nothing of that is in the way of what they do. As app_definer, whoever has verified it. */
create function app_private.enroll() returns trigger
language plpgsql volatile security definer set search_path = '' as $$
begin
  perform app_private.add_member(e.organization_id, new.id, e.roles, 'domain')
     from app_private.hold_enrollment(new) e where e.enrollment = 'auto_join';
  return null;
exception when sqlstate 'APMBL' then
  return null;
end
$$;

/* What the signed-in person may join by their address. APVER before that is verified. */
create function app.my_suggested_organizations() returns table (id uuid, name text, domain text, roles text[])
language plpgsql stable parallel restricted security definer set search_path = '' as $$
#variable_conflict use_column
declare
  v_user public.users := (select u from public.users u where u.id = app.user_id());
begin
  if v_user.email_verified_at is null then
    raise exception 'the address is not verified' using errcode = 'APVER';
  end if;
  return query
    select o.id, o.name, e.domain, e.roles from app_private.find_enrollment(v_user) e join public.organizations o on o.id = e.organization_id
     where not exists (select from public.memberships m where m.organization_id = o.id and m.user_id = v_user.id);
end
$$;

/* Joins it. APVER as above; AP404 for any other; APMEM and APMBL as above. */
create function app.join_suggested_organization(p_organization_id uuid)
returns table (id uuid, name text, slug text, mfa_required boolean, roles text[], created_at timestamptz, updated_at timestamptz)
language plpgsql volatile security definer set search_path = '' as $$
#variable_conflict use_column
declare
  v_user public.users := app_private.lock_me();
  v_domain public.organization_domains;
begin
  if v_user.email_verified_at is null then
    raise exception 'the address is not verified' using errcode = 'APVER';
  end if;
  select * into v_domain from app_private.hold_enrollment(v_user) e where e.organization_id = p_organization_id;
  if v_domain.id is null then
    raise exception 'no such organization' using errcode = 'AP404';
  end if;
  if not app_private.add_member(v_domain.organization_id, v_user.id, v_domain.roles, 'domain') then
    raise exception 'a member already' using errcode = 'APMEM';
  end if;
  return query select o.id, o.name, o.slug, o.mfa_required, v_domain.roles, o.created_at, o.updated_at
                 from public.organizations o where o.id = v_domain.organization_id;
end
$$;

-- ── Passkeys ─────────────────────────────────────────────────────────────────────────────────────
-- The Worker verifies signatures, which Postgres cannot. So that no injected statement says that one was right, it
-- brings its own key, as with a provider's ticket. It takes the credential's id as well: at least 16 bytes that an
-- authenticator has drawn, and that these functions tell to the person alone whose it is.

/* What a browser is told of the credentials that somebody has. */
create function app_private.passkey_descriptors(p_user_id uuid) returns json
language sql stable set search_path = ''
return (
  select coalesce(pg_catalog.json_agg(pg_catalog.json_build_object('id', pg_catalog.encode(p.credential_id, 'hex'),
                    'transports', p.transports) order by p.id), '[]')
    from public.passkeys p where p.user_id = p_user_id
);

/* The signed-in person, as an authenticator names them, and the passkeys that they have. */
create function app.begin_passkey_registration()
returns table (user_id uuid, email text, name text, passkeys json)
language sql stable security definer set search_path = '' as $$
  select u.id, u.email, u.name, app_private.passkey_descriptors(u.id) from public.users u where u.id = app.user_id()
$$;

/* Adds a passkey to the signed-in person, and mails them a notice. Returns whether p_recovery_keys were kept: it is
   their first factor. APPSR for a challenge that was spent; APPSL for a 21st; 23505 on passkeys_credential_id_key;
   AP401 when the account is gone; APWRK from anybody but the Worker. */
create function app.add_passkey(
  p_worker_keys bytea, p_challenge bytea, p_id uuid, p_name text, p_credential_id bytea, p_public_key bytea, p_sign_count bigint,
  p_transports text, p_backed_up boolean, p_recovery_keys bytea[], p_ip_address text, p_user_agent text,
  p_notice_id uuid default null, p_notice_key bytea default null
) returns boolean
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_user public.users := app_private.lock_me();
begin
  perform app_private.prove_worker(p_worker_keys);
  if v_user.id is null then
    raise exception 'the account was deleted' using errcode = 'AP401';
  end if;
  if not app_private.spend_challenge(p_challenge) then
    raise exception 'the challenge was spent' using errcode = 'APPSR';
  end if;
  if (select count(*) from public.passkeys p where p.user_id = v_user.id) >= 20 then
    raise exception '20 passkeys' using errcode = 'APPSL';
  end if;
  insert into public.passkeys (id, user_id, name, credential_id, public_key, sign_count, transports, backed_up)
  values (p_id, v_user.id, p_name, p_credential_id, p_public_key, p_sign_count, p_transports, p_backed_up);
  perform app_private.queue_message(p_notice_id, p_notice_key, v_user.id, v_user.email, 'passkey_added',
                                    app_private.occasion(v_user.name, p_ip_address, p_user_agent));
  return app_private.take_up_factor(v_user.id, p_recovery_keys);
end
$$;

/* Removes a passkey of the signed-in person, and mails them a notice. AP404 for any other. */
create function app.remove_passkey(
  p_id uuid, p_ip_address text, p_user_agent text, p_notice_id uuid default null, p_notice_key bytea default null
) returns void
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_user public.users := app_private.lock_me();
begin
  delete from public.passkeys p where p.id = p_id and p.user_id = v_user.id;
  if not found then
    raise exception 'no such passkey' using errcode = 'AP404';
  end if;
  perform app_private.give_up_factor(v_user.id);
  perform app_private.queue_message(p_notice_id, p_notice_key, v_user.id, v_user.email, 'passkey_removed',
                                    app_private.occasion(v_user.name, p_ip_address, p_user_agent));
end
$$;

/* Writes down that a passkey was used. APPSK when it is gone, another's, or was used since p_sign_count was read. */
create function app_private.use_passkey(
  p_user_id uuid, p_credential_id bytea, p_sign_count bigint, p_new_sign_count bigint, p_backed_up boolean
) returns void
language plpgsql volatile set search_path = '' as $$
begin
  update public.passkeys p set sign_count = p_new_sign_count, backed_up = p_backed_up, last_used_at = pg_catalog.now()
   where p.credential_id = p_credential_id and p.user_id = p_user_id and p.sign_count = p_sign_count;
  if not found then
    raise exception 'no such passkey' using errcode = 'APPSK';
  end if;
end
$$;

/* Takes an attempt to sign in with a passkey, spends its challenge, and tells what its signature is verified with.
   The key is null for a challenge that was spent and for an unknown credential; or there are seconds to wait, and
   then nothing is taken. */
create function app.begin_passkey_sign_in(p_scope bytea, p_challenge bytea, p_credential_id bytea)
returns table (wait_seconds int, user_id uuid, public_key bytea, sign_count bigint)
language plpgsql volatile security definer set search_path = '' as $$
#variable_conflict use_column
begin
  wait_seconds := app_private.take_attempt(p_scope, 20);
  if wait_seconds = 0 and app_private.spend_challenge(p_challenge) then
    select p.user_id, p.public_key, p.sign_count into user_id, public_key, sign_count
      from public.passkeys p where p.credential_id = p_credential_id;
  end if;
  return next;
end
$$;

/* Starts a session of whose passkey it is: both factors, since it verifies the person. APPSK as above, and for a
   disabled account; APWRK from anybody but the Worker. A success gives p_scope its attempt back. */
create function app.sign_in_with_passkey(
  p_worker_keys bytea, p_credential_id bytea, p_sign_count bigint, p_new_sign_count bigint, p_backed_up boolean, p_scope bytea,
  p_session_id uuid, p_handle bytea, p_lifetime interval, p_idle interval, p_ip_address text, p_user_agent text,
  p_notice_id uuid default null, p_notice_key bytea default null
) returns setof app_private.signed_in
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_user public.users;
begin
  perform app_private.prove_worker(p_worker_keys);
  select u.* into v_user from public.users u
   where u.id = (select p.user_id from public.passkeys p where p.credential_id = p_credential_id)
     and u.suspended_at is null
     for no key update;
  perform app_private.use_passkey(v_user.id, p_credential_id, p_sign_count, p_new_sign_count, p_backed_up);
  update public.throttles t set attempts = t.attempts - 1 where t.scope = p_scope and t.attempts > 0;
  delete from public.throttles t where t.scope = p_scope and t.attempts = 0;
  return query select * from app_private.start_session(v_user, p_session_id, p_handle, p_lifetime, p_idle, p_ip_address,
                                                       p_user_agent, p_notice_id, p_notice_key, 'passkey', true);
end
$$;

/* The passkeys of the session's person, who may still have to give one of them. */
create function app.claimant_passkeys() returns json
language sql stable security definer set search_path = ''
return app_private.passkey_descriptors(app_private.claimant_id());

/* As app.begin_passkey_sign_in, for the second factor of the session's person: no other's passkey is one. */
create function app.begin_passkey_factor(p_challenge bytea, p_credential_id bytea)
returns table (user_id uuid, public_key bytea, sign_count bigint)
language plpgsql volatile security definer set search_path = '' as $$
#variable_conflict use_column
declare
  v_user_id uuid := app_private.claimant_id();
begin
  if app_private.spend_challenge(p_challenge) then
    return query select p.user_id, p.public_key, p.sign_count from public.passkeys p
                  where p.credential_id = p_credential_id and p.user_id = v_user_id;
  end if;
end
$$;

/* Completes the session of the request, which waits for it. APPSK and APWRK as above; AP401 when it does not wait. */
create function app.complete_sign_in_with_passkey(
  p_worker_keys bytea, p_credential_id bytea, p_sign_count bigint, p_new_sign_count bigint, p_backed_up boolean,
  p_handle bytea, p_lifetime interval, p_idle interval
) returns setof app_private.signed_in
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_user public.users := app_private.lock_claimant();
begin
  perform app_private.prove_worker(p_worker_keys);
  perform app_private.use_passkey(v_user.id, p_credential_id, p_sign_count, p_new_sign_count, p_backed_up);
  return query select * from app_private.complete_session(v_user, p_handle, p_lifetime, p_idle);
end
$$;

-- ── Deleting an account ──────────────────────────────────────────────────────────────────────────
-- Locks are taken in one order: people (hold_account, or FOR UPDATE), organizations by id, then all else.
-- Who adds a member locks the organization FOR NO KEY UPDATE, and so does who takes a role or a membership away, and
-- only then looks at who owns it; whoever deletes it, or an account, locks it FOR UPDATE.

/* Deletes the signed-in person with all that is theirs, and the organizations in which they are alone; mails
   a notice when one is given. APOWN while others would be left without an owner, with their organizations, 20
   at most, in DETAIL; AP401 when the account is gone. */
create function app.delete_account(p_notice_id uuid default null, p_notice_key bytea default null) returns void
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_user_id uuid := app.user_id();
  v_user public.users;
  v_organization_id uuid;
  v_organization public.organizations;
  v_owned json[] := '{}';
begin
  select * into v_user from public.users u where u.id = v_user_id for update;
  if v_user.id is null then
    raise exception 'the account was deleted' using errcode = 'AP401';
  end if;
  foreach v_organization_id in array
    array(select m.organization_id from public.memberships m where m.user_id = v_user_id order by m.organization_id)
  loop
    select * into v_organization from public.organizations o where o.id = v_organization_id for update;
    if not exists (select from public.memberships m
                    where m.organization_id = v_organization_id and m.user_id <> v_user_id) then
      delete from public.organizations o where o.id = v_organization_id;
    elsif v_organization.deleted_at is null
      and exists (select from public.membership_roles r where r.organization_id = v_organization_id and r.role = 'owner')
      and not exists (select from public.membership_roles r
                       where r.organization_id = v_organization_id and r.role = 'owner' and r.user_id <> v_user_id) then
      v_owned := v_owned || pg_catalog.json_build_object(
        'id', v_organization.id, 'name', v_organization.name, 'slug', v_organization.slug);
      exit when pg_catalog.cardinality(v_owned) = 20;
    end if;
  end loop;
  if pg_catalog.cardinality(v_owned) > 0 then
    raise exception 'the only owner of an organization' using errcode = 'APOWN',
      detail = pg_catalog.array_to_json(v_owned)::text;
  end if;
  -- Of nobody's, or it would have gone with the account.
  perform app_private.queue_message(p_notice_id, p_notice_key, null, v_user.email, 'account_deleted',
                                    pg_catalog.json_build_object('name', v_user.name));
  delete from public.memberships m where m.user_id = v_user_id;
  delete from public.idempotency_keys k where k.scope = 'user:' || v_user_id;
  delete from public.users u where u.id = v_user_id;
end
$$;

-- ── All that is kept of the signed-in person, where their own queries do not reach; the newest first ──

create function app.my_memberships(p_limit int)
returns table (organization_id uuid, name text, slug text, roles text[], joined_by text, created_at timestamptz)
language sql stable parallel restricted security definer set search_path = '' as $$
  with page as materialized (
    select m.organization_id, m.user_id, m.joined_by, m.created_at from public.memberships m
     where m.user_id = app.user_id() order by m.organization_id desc limit p_limit
  )
  select page.organization_id, o.name, o.slug,
         array(select r.role from public.membership_roles r
                where r.organization_id = page.organization_id and r.user_id = page.user_id order by r.role), page.joined_by, page.created_at
    from page join public.organizations o on o.id = page.organization_id
   order by page.organization_id desc
$$;

create function app.my_team_memberships(p_limit int)
returns table (organization_id uuid, team_id uuid, name text, role text, created_at timestamptz)
language sql stable parallel restricted security definer set search_path = '' as $$
  with page as materialized (
    select m.organization_id, m.team_id, m.role, m.created_at from public.team_memberships m
     where m.user_id = app.user_id() order by m.team_id desc limit p_limit
  )
  select page.organization_id, page.team_id, t.name, page.role, page.created_at
    from page join public.teams t on t.organization_id = page.organization_id and t.id = page.team_id
   order by page.team_id desc
$$;

create function app.my_sent_invitations(p_limit int)
returns table (id uuid, organization_id uuid, email text, roles text[], team_ids uuid[], status text, created_at timestamptz, sent_at timestamptz,
               expires_at timestamptz, ended_at timestamptz)
language sql stable parallel restricted security definer set search_path = '' as $$
  select i.id, i.organization_id, i.email, i.roles, i.team_ids, i.status, i.created_at, i.sent_at, i.expires_at, i.ended_at
    from public.invitations i where i.invited_by = app.user_id() order by i.id desc limit p_limit
$$;

create function app.my_share_links(p_limit int)
returns table (id uuid, organization_id uuid, roles text[], allowed_domains text[], max_uses int, uses int, created_at timestamptz,
               expires_at timestamptz)
language sql stable parallel restricted security definer set search_path = '' as $$
  select l.id, l.organization_id, l.roles, l.allowed_domains, l.max_uses, l.uses, l.created_at, l.expires_at
    from public.share_links l where l.created_by = app.user_id() order by l.id desc limit p_limit
$$;

create function app.my_api_keys(p_limit int)
returns table (id uuid, organization_id uuid, is_organizations boolean, name text, scopes text[], hint text, rate_limit int,
               created_at timestamptz, updated_at timestamptz, rotated_at timestamptz, previous_expires_at timestamptz,
               expires_at timestamptz, last_used_at timestamptz)
language sql stable parallel restricted security definer set search_path = '' as $$
  select k.id, k.organization_id, k.user_id is null, k.name, k.scopes, k.hint, k.rate_limit, k.created_at, k.updated_at,
         k.rotated_at, k.previous_expires_at, k.expires_at, k.last_used_at
    from public.api_keys k where k.created_by = app.user_id() order by k.id desc limit p_limit
$$;

create function app.my_ownership_transfers(p_limit int)
returns table (id uuid, organization_id uuid, from_user_id uuid, to_user_id uuid, created_at timestamptz, expires_at timestamptz)
language sql stable parallel restricted security definer set search_path = '' as $$
  select t.id, t.organization_id, t.from_user_id, t.to_user_id, t.created_at, t.expires_at
    from public.ownership_transfers t where t.from_user_id = app.user_id() or t.to_user_id = app.user_id()
   order by t.id desc limit p_limit
$$;

create function app.my_one_time_tokens(p_limit int)
returns table (purpose text, email text, created_at timestamptz, expires_at timestamptz)
language sql stable parallel restricted security definer set search_path = '' as $$
  select t.purpose, t.email, t.created_at, t.expires_at from public.one_time_tokens t
   where t.user_id = app.user_id() order by t.created_at desc, t.id desc limit p_limit
$$;

create function app.my_messages(p_limit int)
returns table (template text, recipient text, data json, attempts int, created_at timestamptz)
language sql stable parallel restricted security definer set search_path = '' as $$
  -- By its name, a template would tell of another address that it has an account.
  select case o.template when 'change_email_taken' then 'change_email_new' else o.template end,
         o.recipient, o.data, o.attempts, o.created_at
    from public.outbox o
   where o.user_id = app.user_id() order by o.id desc limit p_limit
$$;

-- ── All that is kept of the request's organization ───────────────────────────────────────────────

/* Of one table at a time, so that none is counted further than it matters. */
create function app_private.count_rows(p_organization_id uuid, p_limit int) returns bigint
language sql stable set search_path = '' as $$
  select (select pg_catalog.count(*) from (select 1 from public.memberships where organization_id = p_organization_id limit p_limit) a)
       + (select pg_catalog.count(*) from (select 1 from public.membership_roles where organization_id = p_organization_id limit p_limit) b)
       + (select pg_catalog.count(*) from (select 1 from public.team_memberships where organization_id = p_organization_id limit p_limit) c)
       + (select pg_catalog.count(*) from (select 1 from public.invitations where organization_id = p_organization_id limit p_limit) d)
       + (select pg_catalog.count(*) from (select 1 from public.share_links where organization_id = p_organization_id limit p_limit) e)
       + (select pg_catalog.count(*) from (select 1 from public.sso_connections where organization_id = p_organization_id limit p_limit) f)
       + (select pg_catalog.count(*) from (select 1 from public.invoices where organization_id = p_organization_id limit p_limit) g)
       + (select pg_catalog.count(*) from (select 1 from public.subscriptions where organization_id = p_organization_id limit p_limit) h)
       + (select pg_catalog.count(*) from (select 1 from public.usage_counters where organization_id = p_organization_id limit p_limit) i)
       + (select pg_catalog.count(*) from (select 1 from public.usage_corrections where organization_id = p_organization_id limit p_limit) j)
$$;

/* One JSON text, as the API writes it, without secrets; lists by their ids. p_challenge stands before the domain in the
   name of its DNS record. AP403 unless the caller was let in with organization:export; APXLG for more than 200,000 rows, or 16 MiB. */
create function app.export_organization(p_challenge text) returns text
language plpgsql stable parallel restricted security definer set search_path = '' as $$
declare
  v_id uuid := app_private.organization_with('organization:export');
  v_export text;
begin
  if app_private.count_rows(v_id, 200001) > 200000 then
    raise exception 'too many rows' using errcode = 'APXLG';
  end if;
  v_export := pg_catalog.json_build_object(
    'exportedAt', app_private.iso_instant(pg_catalog.now()),
    'organization', (
      select pg_catalog.json_build_object(
               'id', o.id, 'name', o.name, 'slug', o.slug, 'mfaRequired', o.mfa_required, 'memberLimit', o.member_limit,
               'createdAt', app_private.iso_instant(o.created_at), 'updatedAt', app_private.iso_instant(o.updated_at))
        from public.organizations o where o.id = v_id),
    'formerSlugs', (
      select coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
               'slug', s.slug, 'replacedAt', app_private.iso_instant(s.replaced_at)) order by s.replaced_at), '[]')
        from public.organization_slugs s where s.organization_id = v_id and s.replaced_at is not null),
    'members', (
      select coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
               'userId', m.user_id, 'email', u.email, 'name', u.name, 'roles', held.roles,
               'joinedBy', m.joined_by, 'invitedBy', m.invited_by, 'joinedAt', app_private.iso_instant(m.created_at)) order by m.user_id), '[]')
        from public.memberships m join public.users u on u.id = m.user_id
        join (select r.user_id, pg_catalog.array_agg(r.role order by r.role) as roles
                from public.membership_roles r where r.organization_id = v_id group by r.user_id) held on held.user_id = m.user_id
       where m.organization_id = v_id),
    'roles', (
      select coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
               'id', r.id, 'key', r.key, 'name', r.name, 'permissions', r.permissions,
               'createdAt', app_private.iso_instant(r.created_at), 'updatedAt', app_private.iso_instant(r.updated_at)) order by r.id), '[]')
        from public.roles r where r.organization_id = v_id),
    'teams', (
      select coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
               'id', t.id, 'name', t.name, 'members', coalesce(people.members, '[]'),
               'createdAt', app_private.iso_instant(t.created_at), 'updatedAt', app_private.iso_instant(t.updated_at)) order by t.id), '[]')
        from public.teams t
        left join (select m.team_id, pg_catalog.json_agg(pg_catalog.json_build_object(
                            'userId', m.user_id, 'role', m.role, 'addedAt', app_private.iso_instant(m.created_at)) order by m.user_id) as members
                     from public.team_memberships m where m.organization_id = v_id group by m.team_id) people on people.team_id = t.id
       where t.organization_id = v_id),
    'invitations', (
      select coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
               'id', i.id, 'email', i.email, 'roles', i.roles, 'teamIds', i.team_ids, 'status', i.status, 'invitedBy', i.invited_by,
               'createdAt', app_private.iso_instant(i.created_at), 'sentAt', app_private.iso_instant(i.sent_at),
               'expiresAt', app_private.iso_instant(i.expires_at), 'endedAt', app_private.iso_instant(i.ended_at)) order by i.id), '[]')
        from public.invitations i where i.organization_id = v_id),
    'shareLinks', (
      select coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
               'id', l.id, 'roles', l.roles, 'allowedDomains', l.allowed_domains, 'maxUses', l.max_uses, 'uses', l.uses,
               'createdBy', l.created_by, 'createdAt', app_private.iso_instant(l.created_at),
               'expiresAt', app_private.iso_instant(l.expires_at)) order by l.id), '[]')
        from public.share_links l where l.organization_id = v_id),
    'apiKeys', (
      select coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
               'id', k.id, 'userId', k.user_id, 'createdBy', k.created_by, 'name', k.name, 'scopes', k.scopes, 'hint', k.hint,
               'rateLimitPerMinute', k.rate_limit, 'createdAt', app_private.iso_instant(k.created_at),
               'updatedAt', app_private.iso_instant(k.updated_at), 'rotatedAt', app_private.iso_instant(k.rotated_at),
               'previousExpiresAt', app_private.iso_instant(k.previous_expires_at), 'expiresAt', app_private.iso_instant(k.expires_at),
               'lastUsedAt', app_private.iso_instant(k.last_used_at)) order by k.id), '[]')
        from public.api_keys k where k.organization_id = v_id),
    'webhookEndpoints', (
      select coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
               'id', w.id, 'url', w.url, 'description', w.description, 'eventTypes', w.event_types, 'enabled', w.disabled_at is null,
               'disabledAt', app_private.iso_instant(w.disabled_at), 'disabledReason', w.disabled_reason,
               'failingSince', app_private.iso_instant(w.failing_since),
               'previousSecretExpiresAt', app_private.iso_instant(w.previous_expires_at),
               'createdAt', app_private.iso_instant(w.created_at), 'updatedAt', app_private.iso_instant(w.updated_at)) order by w.id), '[]')
        from public.webhook_endpoints w where w.organization_id = v_id),
    'ownershipTransfers', (
      select coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
               'id', t.id, 'fromUserId', t.from_user_id, 'toUserId', t.to_user_id,
               'createdAt', app_private.iso_instant(t.created_at), 'expiresAt', app_private.iso_instant(t.expires_at)) order by t.id), '[]')
        from public.ownership_transfers t where t.organization_id = v_id),
    'domains', (
      select coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
               'id', d.id, 'domain', d.domain,
               'txtRecord', pg_catalog.json_build_object('name', p_challenge || d.domain, 'value', d.txt_record),
               'verifiedAt', app_private.iso_instant(d.verified_at), 'enrollment', d.enrollment, 'roles', d.roles,
               'enrollmentSetBy', d.enrollment_set_by, 'createdAt', app_private.iso_instant(d.created_at),
               'updatedAt', app_private.iso_instant(d.updated_at)) order by d.id), '[]')
        from public.organization_domains d where d.organization_id = v_id),
    'subscriptions', (
      select coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
               'id', s.id, 'plan', pg_catalog.json_build_object('id', p.id, 'key', p.key, 'version', p.version, 'name', p.name),
               'priceId', s.price_id, 'scheduledPriceId', s.scheduled_price_id, 'provider', s.provider, 'providerId', s.provider_id, 'status', s.status,
               'quantity', s.quantity, 'trialEndsAt', app_private.iso_instant(s.trial_ends_at), 'anchorAt', app_private.iso_instant(s.anchor_at),
               'currentPeriodStart', app_private.iso_instant(s.period_started_at),
               'currentPeriodEnd', app_private.iso_instant(s.period_ends_at), 'graceEndsAt', app_private.iso_instant(s.grace_ends_at),
               'cancelAtPeriodEnd', s.cancel_at_period_end, 'canceledAt', app_private.iso_instant(s.canceled_at),
               'endedAt', app_private.iso_instant(s.ended_at), 'dueAt', app_private.iso_instant(s.due_at),
               'createdAt', app_private.iso_instant(s.created_at), 'updatedAt', app_private.iso_instant(s.updated_at)) order by s.id), '[]')
        from public.subscriptions s join public.plan_prices i on i.id = s.price_id join public.plans p on p.id = i.plan_id
       where s.organization_id = v_id),
    'invoices', (
      select coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
               'id', n.id, 'subscriptionId', n.subscription_id, 'priceId', n.price_id, 'number', n.number, 'providerId', n.provider_id,
               'providerNumber', n.provider_number, 'url', n.url, 'status', n.status, 'currency', n.currency, 'total', n.total, 'lines', n.lines, 'periodStart', app_private.iso_instant(n.period_starts_at),
               'periodEnd', app_private.iso_instant(n.period_ends_at), 'dueAt', app_private.iso_instant(n.due_at),
               'paidAt', app_private.iso_instant(n.paid_at), 'paymentReference', n.payment_reference,
               'createdAt', app_private.iso_instant(n.created_at), 'updatedAt', app_private.iso_instant(n.updated_at)) order by n.id), '[]')
        from public.invoices n where n.organization_id = v_id),
    'usage', (
      select coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
               'meter', c.meter, 'startedAt', app_private.iso_instant(nullif(c.started_at, '-infinity')),
               'endsAt', app_private.iso_instant(nullif(c.ends_at, 'infinity')), 'used', pg_catalog.trim_scale(c.used)::text) order by c.id), '[]')
        from public.usage_counters c where c.organization_id = v_id),
    'usageCorrections', (
      select coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
               'id', c.id, 'source', c.source, 'eventId', c.source_id, 'value', c.value, 'reason', c.reason,
               'createdAt', app_private.iso_instant(c.created_at)) order by c.id), '[]')
        from public.usage_corrections c where c.organization_id = v_id),
    'ssoConnections', (
      select coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
               'id', c.id, 'domain', c.domain,
               'txtRecord', pg_catalog.json_build_object('name', p_challenge || c.domain, 'value', c.txt_record),
               'domainVerifiedAt', app_private.iso_instant(c.domain_verified_at), 'issuer', c.issuer, 'clientId', c.client_id,
               'createdAt', app_private.iso_instant(c.created_at), 'updatedAt', app_private.iso_instant(c.updated_at)) order by c.id), '[]')
        from public.sso_connections c where c.organization_id = v_id))::text;
  if pg_catalog.octet_length(v_export) > 16777216 then
    raise exception 'too many bytes' using errcode = 'APXLG';
  end if;
  return v_export;
end
$$;

-- ── Whoever acts as somebody else ────────────────────────────────────────────────────────────────
-- They do what the person may, but for what the person is known by: whichever function would change it, or make it.

create function app_private.refuse_impersonator() returns trigger
language plpgsql volatile security definer set search_path = '' as $$
begin
  if app_private.impersonator_id() is not null then
    raise exception 'for the person alone' using errcode = 'APIMP';
  end if;
  return null;
end
$$;

/* The same of sessions, but for the end of their own. */
create function app_private.refuse_impersonator_elsewhere() returns trigger
language plpgsql volatile security definer set search_path = '' as $$
begin
  if app_private.impersonator_id() is not null and new.id <> app.session_id() then
    raise exception 'for the person alone' using errcode = 'APIMP';
  end if;
  return new;
end
$$;

/* Tells the person that somebody begins to act as them. */
create function app_private.record_impersonation(p_user_id uuid, p_session_id uuid, p_reason text, p_expires_at timestamptz) returns void
language sql volatile security definer set search_path = '' as $$
  select app_private.record_event(null, p_user_id, 'impersonation.started', 'session', p_session_id, null,
           pg_catalog.jsonb_build_object('reason', p_reason, 'expiresAt', app_private.iso_instant(p_expires_at)))
$$;

/* Tells of what an administrator does to a plan, in their own trail: it is done to nobody. */
create function app_private.record_plan(p_action text, p_plan_id uuid, p_before jsonb, p_after jsonb) returns void
language sql volatile security definer set search_path = '' as $$
  select app_private.record_event(null, app.platform_admin_id(), p_action, 'plan', p_plan_id, p_before, p_after)
$$;

create type app_private.platform_user as (
  id uuid, email text, email_verified boolean, name text, created_at timestamptz, suspended_at timestamptz, suspension_reason text
);
create type app_private.platform_organization as (
  id uuid, slug text, name text, created_at timestamptz, deleted_at timestamptz, suspended_at timestamptz, suspension_reason text
);

-- ── The clean-up ─────────────────────────────────────────────────────────────────────────────────

/* Deletes rows of a table for which a condition of this file's own is true, as many as p_limit that nobody has locked. By an
   index: a scan would soon meet enough of them, as Postgres thinks, and what is new can all lie before what is old. */
create function app_private.purge(p_table regclass, p_condition text, p_limit int default 5000) returns bigint
language plpgsql volatile set search_path = '' set enable_seqscan = off as $$
declare
  v_count bigint;
begin
  execute pg_catalog.format(
    'delete from %1$s where ctid = any (array(select ctid from %1$s where %2$s limit %3$s for update skip locked))',
    p_table, p_condition, p_limit);
  get diagnostics v_count = row_count;
  return v_count;
end
$$;

/* Deletes events of a trail that were kept for long enough. Not as above: to lock a row takes the right to change it. */
create function app_private.purge_events(p_table regclass) returns bigint
language plpgsql volatile set search_path = '' as $$
declare
  v_count bigint;
begin
  execute pg_catalog.format('delete from %1$s where id = any (array(select id from %1$s where id < $1 order by id limit 5000))', p_table)
    using app_private.first_event_id(pg_catalog.now() - app_private.audit_retention());
  get diagnostics v_count = row_count;
  return v_count;
end
$$;

/* Deletes what organizations that are about to go have of a table of usage, apart from them: one takes all of it along at once. */
create function app_private.purge_usage(p_table regclass) returns bigint
language plpgsql volatile set search_path = '' set enable_seqscan = off as $$
declare
  v_count bigint;
begin
  execute pg_catalog.format('delete from %1$s where ctid = any (array(select ctid from %1$s where organization_id = any (array(
    select id from public.organizations where deleted_at < pg_catalog.now() - interval ''30 days'' limit 50)) limit 5000))', p_table);
  get diagnostics v_count = row_count;
  return v_count;
end
$$;

/* Forgets what has lost its meaning; returns the number of rows, 0 when nothing is left. Bounded, so that it
   never holds locks for long. */
create function app.purge_expired() returns bigint
language sql volatile security definer set search_path = '' as $$
  select app_private.purge('public.idempotency_keys', $c$created_at < pg_catalog.now() - interval '24 hours'$c$)
       + app_private.purge('public.sessions', $c$least(revoked_at, idle_expires_at, expires_at) < pg_catalog.now() - interval '30 days'$c$)
       + app_private.purge('public.one_time_tokens', $c$expires_at < pg_catalog.now() - interval '1 hour'$c$)
       + app_private.purge('public.outbox', $c$dead_at < pg_catalog.now() - interval '30 days'$c$)
       -- Those without an attempt are of people at home, and last longer.
       + app_private.purge('public.throttles', $c$attempts > 0 and attempted_at < pg_catalog.now() - interval '24 hours'$c$)
       + app_private.purge('public.throttles', $c$attempts = 0 and attempted_at < pg_catalog.now() - interval '30 days'$c$)
       + app_private.purge('public.spent_challenges', $c$created_at < pg_catalog.now() - interval '1 hour'$c$)
       -- Longer than Stripe keeps them, and tells again what it has told.
       + app_private.purge('public.stripe_events', $c$created_at < pg_catalog.now() - interval '35 days'$c$)
       + app_private.purge('public.invitations', $c$least(ended_at, expires_at) < pg_catalog.now() - interval '30 days'$c$)
       + app_private.purge('public.share_links', $c$expires_at < pg_catalog.now() - interval '30 days'$c$)
       + app_private.purge('public.api_keys', $c$expires_at < pg_catalog.now() - interval '30 days'$c$)
       + app_private.purge('public.ownership_transfers', $c$expires_at < pg_catalog.now()$c$)
       + app_private.purge('public.usage_reservations', $c$expires_at < pg_catalog.now() - interval '1 hour'$c$)
       + app_private.purge('public.organization_slugs', $c$replaced_at < pg_catalog.now() - interval '90 days'$c$)
       -- Members apart from their organizations: one takes all of it along at once. As an array, and with an OFFSET, so
       -- that no plan reads all memberships.
       + app_private.purge('public.memberships', $c$organization_id = any (array(
           select id from public.organizations where deleted_at < pg_catalog.now() - interval '30 days' limit 50))$c$)
       + app_private.purge('public.webhook_messages', $c$status <> 'pending' and id < $c$ || pg_catalog.quote_literal(
           app_private.first_event_id(pg_catalog.now() - interval '30 days')))
       + app_private.purge_events('public.audit_events') + app_private.purge_events('public.user_audit_events')
       + app_private.purge_usage('public.usage_events') + app_private.purge_usage('public.usage_rollups')
       + app_private.purge('public.organizations', $c$deleted_at < pg_catalog.now() - interval '30 days'
           and not exists (select from public.memberships m where m.organization_id = organizations.id offset 0)
           and not exists (select from public.usage_events e where e.organization_id = organizations.id offset 0)
           and not exists (select from public.usage_rollups r where r.organization_id = organizations.id offset 0)$c$, 50)
$$;

-- ── Plans ────────────────────────────────────────────────────────────────────────────────────────

/* These plans, as the platform's administrators see them. */
create function app_private.plans_json(p_ids uuid[]) returns table (id uuid, plan jsonb)
language sql stable set search_path = '' as $$
  select p.id, pg_catalog.jsonb_build_object(
           'id', p.id, 'key', p.key, 'version', p.version, 'name', p.name, 'description', p.description,
           'trialDays', p.trial_days, 'isDefault', p.is_default, 'prices', coalesce(i.prices, '[]'), 'features', coalesce(a.features, '[]'),
           'isPublic', p.is_public, 'position', p.position, 'managedBy', p.managed_by,
           'createdAt', app_private.iso_instant(p.created_at), 'archivedAt', app_private.iso_instant(p.archived_at))
    from public.plans p
    left join (
      select plan_id, pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
               'id', id, 'currency', currency, 'interval', interval, 'unitAmount', unit_amount, 'perSeat', per_seat)
               order by currency, interval) as prices
        from public.plan_prices where plan_id = any (p_ids) group by plan_id) i on i.plan_id = p.id
    left join (
      select h.plan_id, pg_catalog.jsonb_agg(
               pg_catalog.jsonb_build_object('key', f.key, 'name', f.name, 'kind', f.kind)
               || case f.kind when 'number' then pg_catalog.jsonb_build_object('limit', h.limit)
                    when 'metered' then pg_catalog.jsonb_build_object(
                      'limit', pg_catalog.trim_scale(h.limit)::text, 'per', h.per, 'unit', f.unit)
                    else '{}' end order by f.position, f.key) as features
        from public.plan_features h join public.features f on f.key = h.feature_key
       where h.plan_id = any (p_ids) group by h.plan_id) a on a.plan_id = p.id
   where p.id = any (p_ids)
$$;

/* A new version of what is sold under a key, as plans_json writes it; the one before is no longer sold. The caller holds the
   lock of all plans. */
create function app_private.add_plan(p_plan jsonb, p_managed_by text) returns public.plans
language plpgsql volatile set search_path = '' as $$
declare
  v_key text := p_plan->>'key';
  v_plan public.plans;
begin
  update public.plans p set archived_at = pg_catalog.now() where p.key = v_key and p.archived_at is null;
  insert into public.plans (key, version, name, description, trial_days, is_default, is_public, position, managed_by)
  select v_key, 1 + coalesce(pg_catalog.max(p.version), 0), p_plan->>'name', p_plan->>'description', (p_plan->>'trialDays')::int,
         (p_plan->>'isDefault')::boolean, (p_plan->>'isPublic')::boolean, (p_plan->>'position')::int, p_managed_by
    from public.plans p where p.key = v_key
  returning * into v_plan;
  insert into public.plan_prices (plan_id, currency, interval, unit_amount, per_seat)
  select v_plan.id, i.currency, i.interval, i."unitAmount", i."perSeat"
    from pg_catalog.jsonb_to_recordset(p_plan->'prices') i (currency text, interval text, "unitAmount" bigint, "perSeat" boolean);
  insert into public.plan_features (plan_id, feature_key, kind, "limit", per)
  select v_plan.id, a.key, a.kind, a.limit, a.per
    from pg_catalog.jsonb_to_recordset(p_plan->'features') a (key text, kind text, "limit" numeric, per text);
  return v_plan;
end
$$;

/* One that the caller, an administrator, may change, held until the end of the transaction. AP404 for none, APPLF for one of src/plans.ts. */
create function app_private.hold_plan(p_id uuid) returns jsonb
language plpgsql volatile set search_path = '' as $$
declare
  v_plan jsonb;
begin
  perform pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended('plans', 0));
  select j.plan into v_plan from app_private.plans_json(array[p_id]) j;
  if v_plan is null then
    raise exception 'no such plan' using errcode = 'AP404';
  end if;
  if v_plan ->> 'managedBy' = 'file' then
    raise exception 'the plan is of src/plans.ts' using errcode = 'APPLF';
  end if;
  return v_plan;
end
$$;

/* Those of an object that are not the same in another. */
create function app_private.changed_members(p_object jsonb, p_other jsonb) returns jsonb
language sql immutable set search_path = '' as $$
  select pg_catalog.jsonb_object_agg(m.key, m.value) from pg_catalog.jsonb_each(p_object) m where p_other -> m.key <> m.value
$$;

/* What anybody can have: the plans that are sold to everybody, in the order in which they are shown. */
create function app.public_plans() returns jsonb
language sql stable security definer set search_path = '' as $$
  select coalesce(pg_catalog.jsonb_agg(j.plan - '{isPublic,position,managedBy,createdAt,archivedAt}'::text[]
                    order by (j.plan ->> 'position')::int, j.plan ->> 'key'), '[]')
    from app_private.plans_json(array(select p.id from public.plans p where p.archived_at is null and p.is_public)) j
$$;

-- ── Subscriptions ────────────────────────────────────────────────────────────────────────────────
-- Named and moved as Stripe's are. Changes come one after another: each locks the organization, where a member asks for it,
-- then the subscription, then its invoices. What is had follows from what is written and from the time, and is written nowhere.

/* How long what is past due is had all the same, and how long a first payment is waited for. */
create function app_private.grace_period() returns interval
language sql immutable set search_path = ''
return interval '14 days';

/* The first end of a period after p_after: counted from the anchor, so that Jan 31 and Feb 28 are followed by Mar 31. */
create function app_private.period_after(p_anchor timestamptz, p_interval text, p_after timestamptz) returns timestamptz
language sql immutable set search_path = '' as $$
  with given as (
    select p_anchor at time zone 'UTC' as anchor, p_after at time zone 'UTC' as after, case p_interval when 'year' then 12 else 1 end as months
  )
  select min(g.anchor + pg_catalog.make_interval(months => n * g.months)) at time zone 'UTC'
    from given g,
         pg_catalog.generate_series(0, 1) more,
         lateral (select more + ((extract(year from g.after) - extract(year from g.anchor)) * 12
                                 + extract(month from g.after) - extract(month from g.anchor))::int / g.months) c (n)
   where g.anchor + pg_catalog.make_interval(months => n * g.months) > g.after
$$;

/* The plan whose features an organization has now: that of its subscription, while it is on trial, paid for, or in its grace,
   and the period has not ended for longer than that; else the default one. */
create function app_private.entitled_plan(p_organization_id uuid) returns uuid
language sql stable set search_path = '' as $$
  select coalesce(
    (select i.plan_id from public.subscriptions s join public.plan_prices i on i.id = s.price_id
      where s.organization_id = p_organization_id and s.ended_at is null
        and case
          -- As long as past the period's end as what is past due, should the Cron Trigger not run.
          when s.status in ('trialing', 'active') then case
            when s.cancel_at_period_end then s.period_ends_at > pg_catalog.now()
            else s.period_ends_at > pg_catalog.now() - app_private.grace_period() end
          when s.status = 'past_due' then s.grace_ends_at > pg_catalog.now() end),
    (select p.id from public.plans p where p.is_default and p.archived_at is null))
$$;

/* How many of a feature an organization may have by its plan: null for any, 0 where the plan does not name it. What
   src/plans.ts does not have is limited nowhere. */
create function app_private.entitled_limit(p_organization_id uuid, p_feature text) returns numeric
language sql stable set search_path = '' as $$
  select case when h.plan_id is null then 0 else h.limit end
    from public.features f
    left join public.plan_features h on h.feature_key = f.key and h.plan_id = app_private.entitled_plan(p_organization_id)
   where f.key = p_feature and f.archived_at is null
$$;

/* APENT, with the feature that is missing and the plans for everybody that have more of it than p_limit. */
create function app_private.refuse_plan(p_feature text, p_limit numeric default 0) returns void
language plpgsql stable set search_path = '' as $$
begin
  raise exception 'the plan does not have it' using errcode = 'APENT', detail = (
    select pg_catalog.jsonb_build_object('feature', p_feature, 'plans', coalesce(pg_catalog.jsonb_agg(
             pg_catalog.jsonb_build_object('id', p.id, 'key', p.key, 'name', p.name) order by p.position, p.key), '[]'))
      from (select p.* from public.plans p join public.plan_features h on h.plan_id = p.id and h.feature_key = p_feature
             where p.archived_at is null and p.is_public and (h.limit > p_limit) is not false
             order by p.position, p.key limit 20) p);
end
$$;

/* APENT as above unless an organization's plan has a feature. */
create function app_private.require_entitlement(p_organization_id uuid, p_feature text) returns void
language plpgsql stable set search_path = '' as $$
begin
  if not exists (select from public.plan_features h
                  where h.plan_id = app_private.entitled_plan(p_organization_id) and h.feature_key = p_feature
                    and (h.limit > 0) is not false) then
    perform app_private.refuse_plan(p_feature);
  end if;
end
$$;

/* What a plan is known by, of what plans_json says. */
create function app_private.plan_label(p_plan jsonb) returns jsonb
language sql immutable set search_path = ''
return pg_catalog.jsonb_build_object('id', p_plan -> 'id', 'key', p_plan -> 'key', 'version', p_plan -> 'version', 'name', p_plan -> 'name');

/* In which period a meter counts what is of p_at: of the calendar's month; of all time; else of a month or a year from the anchor on,
   whatever the subscription is paid by, and of the day in UTC. What is of its end is of the next one. */
create function app_private.quota_period(p_anchor timestamptz, p_per text, p_reset text, p_at timestamptz,
  out started_at timestamptz, out ends_at timestamptz)
language plpgsql immutable set search_path = '' as $$
declare
  v_anchor timestamp := p_anchor at time zone 'UTC';
  v_at timestamp := p_at at time zone 'UTC';
  v_months int;
  v_months_since int;
begin
  if p_reset = 'never' then
    started_at := '-infinity';
    ends_at := 'infinity';
  elsif p_reset = 'month' or p_per = 'day' then
    started_at := pg_catalog.date_trunc(p_per, v_at) at time zone 'UTC';
    ends_at := (pg_catalog.date_trunc(p_per, v_at) + ('1 ' || p_per)::interval) at time zone 'UTC';
  else
    v_months := case p_per when 'year' then 12 else 1 end;
    -- Counted from the anchor, so that Jan 31 and Feb 28 are followed by Mar 31.
    v_months_since := (extract(year from v_at) - extract(year from v_anchor)) * 12 + extract(month from v_at) - extract(month from v_anchor);
    v_months_since := pg_catalog.floor(v_months_since::numeric / v_months) * v_months;
    if v_anchor + pg_catalog.make_interval(months => v_months_since) > v_at then
      v_months_since := v_months_since - v_months;
    end if;
    started_at := (v_anchor + pg_catalog.make_interval(months => v_months_since)) at time zone 'UTC';
    ends_at := (v_anchor + pg_catalog.make_interval(months => v_months_since + v_months)) at time zone 'UTC';
  end if;
end
$$;

/* From when on the months and years of an organization's plan are counted: from the beginning of its subscription, or its own. */
create function app_private.quota_anchor(p_organization_id uuid, p_plan_id uuid) returns timestamptz
language sql stable set search_path = '' as $$
  select coalesce(
    (select s.anchor_at from public.subscriptions s join public.plan_prices i on i.id = s.price_id
      where s.organization_id = p_organization_id and s.ended_at is null and i.plan_id = p_plan_id),
    (select o.created_at from public.organizations o where o.id = p_organization_id))
$$;

/* Whether a plan can say that so much of a meter is for so long. */
create function app_private.is_counted_per(p_reset text, p_per text) returns boolean
language sql immutable set search_path = ''
return case p_reset when 'never' then p_per = 'lifetime' when 'month' then p_per = 'month' else p_per <> 'lifetime' end;

/* How many an organization has of what is a number; null of what nothing here counts. */
create function app_private.count_used(p_organization_id uuid, p_feature text) returns bigint
language sql stable set search_path = ''
return case p_feature
  when 'members' then (select pg_catalog.count(*) from public.memberships m where m.organization_id = p_organization_id)
  when 'teams' then (select pg_catalog.count(*) from public.teams t where t.organization_id = p_organization_id) end;

/* What the request's organization has by its plan; how many it uses of what is limited, members for whoever may read them; and when what
   is metered is counted anew: from the beginning of its subscription on, or its own. AP403 without organization:read. */
create function app.entitlements() returns jsonb
language sql stable parallel restricted security definer set search_path = '' as $$
  with entitled as (
    select c.id, c.plan_id, app_private.quota_anchor(c.id, c.plan_id) as anchor_at
      from (select o.id, app_private.entitled_plan(o.id) as plan_id
              from (select app_private.organization_with('organization:read')) o (id) offset 0) c
  )
  select pg_catalog.jsonb_build_object('plan', app_private.plan_label(j.plan), 'data', (
           select coalesce(pg_catalog.jsonb_agg(
                    f.feature || case f.feature ->> 'kind'
                      when 'number' then pg_catalog.jsonb_build_object('used', case
                        -- What is not limited may be many.
                        when f.feature ->> 'limit' is not null
                             -- Others know of themselves alone.
                             and (f.feature ->> 'key' <> 'members' or app.org_id('members:read') is not null)
                          then app_private.count_used(e.id, f.feature ->> 'key') end)
                      when 'metered' then pg_catalog.jsonb_build_object(
                      'resetsAt', app_private.iso_instant((
                        select nullif(q.ends_at, 'infinity') from public.features m,
                               app_private.quota_period(e.anchor_at, f.feature ->> 'per', m.reset, pg_catalog.now()) q
                         where m.key = f.feature ->> 'key')))
                      else '{}' end order by f.place), '[]')
             from pg_catalog.jsonb_array_elements(j.plan -> 'features') with ordinality f (feature, place)))
    from entitled e cross join lateral app_private.plans_json(array[e.plan_id]) j
$$;

/* An organization's live subscription, as the API has it; 'free' where there is none. */
create function app_private.subscription_json(p_organization_id uuid) returns jsonb
language sql stable set search_path = '' as $$
  select pg_catalog.jsonb_build_object(
           'id', s.id, 'status', coalesce(s.status, 'free'), 'plan', app_private.plan_label(j.plan),
           'price', (select i.price from pg_catalog.jsonb_array_elements(j.plan -> 'prices') i (price)
                      where i.price ->> 'id' = s.price_id::text),
           'scheduledPriceId', s.scheduled_price_id,
           'provider', s.provider, 'quantity', s.quantity, 'trialEndsAt', app_private.iso_instant(s.trial_ends_at),
           'currentPeriodStart', app_private.iso_instant(s.period_started_at),
           'currentPeriodEnd', app_private.iso_instant(s.period_ends_at),
           'graceEndsAt', app_private.iso_instant(s.grace_ends_at),
           'cancelAtPeriodEnd', coalesce(s.cancel_at_period_end, false), 'canceledAt', app_private.iso_instant(s.canceled_at),
           'createdAt', app_private.iso_instant(s.created_at),
           'checkoutUrl', (select c.checkout_url from public.stripe_customers c
                            where c.organization_id = p_organization_id and c.checkout_expires_at > pg_catalog.now()),
           'isTrialAvailable', not exists (select from public.subscriptions t
                                            where t.organization_id = p_organization_id and t.trial_ends_at is not null))
    from (select) one
    left join public.subscriptions s on s.organization_id = p_organization_id and s.ended_at is null
    cross join lateral app_private.plans_json(array[coalesce(
      (select i.plan_id from public.plan_prices i where i.id = s.price_id),
      (select p.id from public.plans p where p.is_default and p.archived_at is null))]) j
$$;

/* That of the request's organization. AP403 without billing:read. */
create function app.subscription() returns jsonb
language sql stable parallel restricted security definer set search_path = '' as $$
  select app_private.subscription_json(app_private.organization_with('billing:read'))
$$;

create type app_private.sold_price as (
  id uuid, plan_id uuid, plan_name text, trial_days int, currency text, "interval" text, unit_amount bigint
);

/* What a subscription to a price is counted by now: the organization's members, or once. */
create function app_private.seats(p_organization_id uuid, p_price_id uuid) returns int
language sql stable set search_path = '' as $$
  select case when i.per_seat
              then greatest(1, (select pg_catalog.count(*)::int from public.memberships m where m.organization_id = p_organization_id))
              else 1 end
    from public.plan_prices i where i.id = p_price_id
$$;

/* A line of an invoice. */
create function app_private.invoice_line(p_description text, p_quantity int, p_unit_amount bigint) returns jsonb
language sql immutable set search_path = ''
return pg_catalog.jsonb_build_object('description', p_description, 'quantity', p_quantity, 'unitAmount', p_unit_amount,
                                     'amount', p_quantity * p_unit_amount);

/* Asks for what these lines come to, for the period of a subscription that the caller holds; or for p_price_id, to which it
   moves once that is paid. */
create function app_private.ask_for(p_subscription public.subscriptions, p_currency text, p_lines jsonb, p_price_id uuid default null) returns void
language sql volatile set search_path = '' as $$
  insert into public.invoices
    (organization_id, id, subscription_id, price_id, number, status, currency, total, lines, period_starts_at, period_ends_at, due_at)
  select p_subscription.organization_id, uuidv7(), p_subscription.id, p_price_id,
         1 + coalesce((select pg_catalog.max(n.number) from public.invoices n where n.organization_id = p_subscription.organization_id), 0),
         'open', p_currency, (select pg_catalog.sum((l.line ->> 'amount')::bigint) from pg_catalog.jsonb_array_elements(p_lines) l (line)),
         p_lines, p_subscription.period_started_at, p_subscription.period_ends_at, pg_catalog.now()
$$;

/* Asks for what a subscription costs in its period. The caller holds it. */
create function app_private.add_invoice(p_subscription public.subscriptions) returns void
language sql volatile set search_path = '' as $$
  select app_private.ask_for(p_subscription, i.currency, pg_catalog.jsonb_build_array(
           app_private.invoice_line(p.name, p_subscription.quantity, i.unit_amount)))
    from public.plan_prices i join public.plans p on p.id = i.plan_id
   where i.id = p_subscription.price_id
$$;

/* The price of a plan that is sold to everybody, with what there is to know of the plan: APPRI for any other. */
create function app_private.sold_price(p_id uuid) returns app_private.sold_price
language plpgsql stable set search_path = '' as $$
declare
  v_price app_private.sold_price;
begin
  select i.id, i.plan_id, p.name, p.trial_days, i.currency, i.interval, i.unit_amount into v_price
    from public.plan_prices i join public.plans p on p.id = i.plan_id
   where i.id = p_id and p.archived_at is null and p.is_public;
  if not found then
    raise exception 'not a price that is sold' using errcode = 'APPRI';
  end if;
  return v_price;
end
$$;

/* What the Worker is to ask of Stripe, as the one member of what it then answers instead of a subscription: with the customer, and
   a ticket, with which it says afterwards what Stripe has. */
create function app_private.ask_stripe(p_organization_id uuid, p_request jsonb) returns jsonb
language sql volatile set search_path = '' as $$
  update public.stripe_customers c set ticket = c.ticket + 1 where c.organization_id = p_organization_id
  returning pg_catalog.jsonb_build_object('stripe', p_request || pg_catalog.jsonb_build_object('customerId', c.customer_id, 'ticket', c.ticket))
$$;

/* A price as Stripe is told of it. */
create function app_private.stripe_price(p_price app_private.sold_price) returns jsonb
language sql immutable set search_path = ''
return pg_catalog.jsonb_build_object('id', p_price.id, 'planId', p_price.plan_id, 'planName', p_price.plan_name, 'currency', p_price.currency,
                                     'interval', p_price."interval", 'unitAmount', p_price.unit_amount);

/* Begins a checkout at Stripe, which the caller holds the organization for: what is to be asked, or the one that is open for the
   same price. */
create function app_private.begin_checkout(p_organization_id uuid, p_price app_private.sold_price, p_has_trial boolean) returns jsonb
language plpgsql volatile set search_path = '' as $$
declare
  v_customer public.stripe_customers;
begin
  insert into public.stripe_customers (organization_id) values (p_organization_id) on conflict (organization_id) do nothing;
  select * into v_customer from public.stripe_customers c where c.organization_id = p_organization_id;
  if v_customer.checkout_price_id = p_price.id and v_customer.checkout_expires_at > pg_catalog.now() + interval '5 minutes' then
    return app_private.subscription_json(p_organization_id);
  end if;
  update public.stripe_customers c
     set checkouts = c.checkouts + 1, checkout_price_id = p_price.id, checkout_url = null, checkout_expires_at = null
   where c.organization_id = p_organization_id;
  return app_private.ask_stripe(p_organization_id, pg_catalog.jsonb_build_object(
    'checkout', v_customer.checkouts + 1, 'endedSessionId', v_customer.checkout_session_id,
    'organizationId', p_organization_id,
    'name', (select o.name from public.organizations o where o.id = p_organization_id),
    'email', (select u.email from public.users u where u.id = app.member_id() and u.email_verified_at is not null),
    'price', app_private.stripe_price(p_price), 'quantity', app_private.seats(p_organization_id, p_price.id),
    'trialDays', case when p_has_trial then p_price.trial_days else 0 end));
end
$$;

/* Subscribes the request's organization to a price that is sold to everybody: on trial, where the plan has one and the
   organization never had any, or else from the first payment on; with the provider 'stripe', what is to be asked there. APPRI for
   another price, APSUB where it has a subscription. */
create function app.start_subscription(p_id uuid, p_price_id uuid, p_provider text) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_organization_id uuid := app.org_id();
  v_price app_private.sold_price;
  v_subscription public.subscriptions;
  v_trial_ends_at timestamptz;
begin
  perform app_private.hold_organization('billing:write');
  v_price := app_private.sold_price(p_price_id);
  if exists (select from public.subscriptions s where s.organization_id = v_organization_id and s.ended_at is null) then
    raise exception 'subscribed already' using errcode = 'APSUB';
  end if;
  if v_price.trial_days > 0 and not exists (
       select from public.subscriptions s where s.organization_id = v_organization_id and s.trial_ends_at is not null) then
    v_trial_ends_at := pg_catalog.now() + pg_catalog.make_interval(days => v_price.trial_days);
  end if;
  if p_provider = 'stripe' then
    return app_private.begin_checkout(v_organization_id, v_price, v_trial_ends_at is not null);
  end if;
  insert into public.subscriptions
    (organization_id, id, price_id, provider, status, quantity, trial_ends_at, anchor_at, period_started_at, period_ends_at, due_at)
  values (v_organization_id, p_id, p_price_id, 'manual', case when v_trial_ends_at is null then 'incomplete' else 'trialing' end,
          app_private.seats(v_organization_id, p_price_id), v_trial_ends_at, coalesce(v_trial_ends_at, pg_catalog.now()), pg_catalog.now(),
          coalesce(v_trial_ends_at, app_private.period_after(pg_catalog.now(), v_price.interval, pg_catalog.now())),
          coalesce(v_trial_ends_at, pg_catalog.now() + app_private.grace_period()))
  returning * into v_subscription;
  if v_trial_ends_at is null then
    perform app_private.add_invoice(v_subscription);
  end if;
  return app_private.subscription_json(v_organization_id);
end
$$;

/* The live subscription of the request's organization, held for a change: APNSU where there is none. */
create function app_private.hold_subscription() returns public.subscriptions
language plpgsql volatile set search_path = '' as $$
declare
  v_subscription public.subscriptions;
begin
  perform app_private.hold_organization('billing:write');
  select * into v_subscription from public.subscriptions s
   where s.organization_id = app.org_id() and s.ended_at is null for no key update;
  if not found then
    raise exception 'no subscription' using errcode = 'APNSU';
  end if;
  return v_subscription;
end
$$;

/* Takes back what was to come for a subscription that the caller holds: what is asked for another price. */
create function app_private.void_changes(p_subscription public.subscriptions) returns void
language sql volatile set search_path = '' as $$
  update public.invoices n set status = 'void'
   where n.organization_id = p_subscription.organization_id and n.subscription_id = p_subscription.id and n.status = 'open'
     and n.price_id is not null
$$;

/* Ends a subscription that the caller holds. What is asked for is void then, unless something was ever paid for. */
create function app_private.end_subscription(p_subscription public.subscriptions, p_ended_at timestamptz) returns void
language plpgsql volatile set search_path = '' as $$
begin
  perform app_private.void_changes(p_subscription);
  if not exists (select from public.invoices n where n.organization_id = p_subscription.organization_id
                    and n.subscription_id = p_subscription.id and n.status = 'paid') then
    update public.invoices n set status = 'void'
     where n.organization_id = p_subscription.organization_id and n.subscription_id = p_subscription.id and n.status = 'open';
  end if;
  update public.subscriptions s
     set status = case s.status when 'incomplete' then 'incomplete_expired' else 'canceled' end, ended_at = p_ended_at, due_at = null,
         scheduled_price_id = null,
         canceled_at = coalesce(s.canceled_at, pg_catalog.now())
   where s.organization_id = p_subscription.organization_id and s.id = p_subscription.id;
end
$$;

/* Ends it with the period that is paid for, or at once where none is, whatever was to come then. One that was canceled stays
   so. Of Stripe's, what is to be asked there. APNSU as above. */
create function app.cancel_subscription() returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_subscription public.subscriptions := app_private.hold_subscription();
begin
  if v_subscription.provider = 'stripe' then
    return app_private.ask_stripe(v_subscription.organization_id, pg_catalog.jsonb_build_object(
      'subscriptionId', v_subscription.provider_id, 'atPeriodEnd', v_subscription.status in ('trialing', 'active')));
  end if;
  if v_subscription.status not in ('trialing', 'active') then
    perform app_private.end_subscription(v_subscription, pg_catalog.now());
  elsif not v_subscription.cancel_at_period_end then
    perform app_private.void_changes(v_subscription);
    update public.subscriptions s set cancel_at_period_end = true, canceled_at = pg_catalog.now(), scheduled_price_id = null
     where s.organization_id = v_subscription.organization_id and s.id = v_subscription.id;
  end if;
  return app_private.subscription_json(v_subscription.organization_id);
end
$$;

/* Takes that back, until the period has ended: APNCA afterwards, and of one that was not canceled. Of Stripe's, what is to be asked
   there. APNSU as above. */
create function app.resume_subscription() returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_subscription public.subscriptions := app_private.hold_subscription();
begin
  if not v_subscription.cancel_at_period_end or v_subscription.period_ends_at <= pg_catalog.now() then
    raise exception 'not about to end' using errcode = 'APNCA';
  end if;
  if v_subscription.provider = 'stripe' then
    return app_private.ask_stripe(v_subscription.organization_id,
                                  pg_catalog.jsonb_build_object('subscriptionId', v_subscription.provider_id));
  end if;
  update public.subscriptions s set cancel_at_period_end = false, canceled_at = null
   where s.organization_id = v_subscription.organization_id and s.id = v_subscription.id;
  return app_private.subscription_json(v_subscription.organization_id);
end
$$;

/* APSML, with the feature and how many there may be, where an organization has more than a plan has. */
create function app_private.check_fits(p_organization_id uuid, p_plan_id uuid) returns void
language plpgsql stable set search_path = '' as $$
declare
  v_exceeded jsonb := (
    select pg_catalog.jsonb_build_object('feature', f.key, 'limit', a.limit, 'used', u.used)
      from public.features f
      left join public.plan_features h on h.feature_key = f.key and h.plan_id = p_plan_id
      cross join lateral (select case when h.plan_id is null then 0 else h.limit end) a ("limit")
      -- Counted only where something limits it.
      cross join lateral (select case when a.limit is not null then app_private.count_used(p_organization_id, f.key) end) u (used)
     where f.archived_at is null and u.used > a.limit
     order by f.key limit 1);
begin
  if v_exceeded is not null then
    raise exception 'more than the plan has' using errcode = 'APSML', detail = v_exceeded;
  end if;
end
$$;

/* Moves the live subscription to another price that is sold to everybody. Where that costs more for the rest of the period,
   that is asked for, and it moves once that is paid; see app.pay_invoice. On trial at once, to a plan with a trial. Else
   with the next period. Each takes back what was to come, and so does the present price. Of Stripe's, what is to be asked there,
   and whether with the next period alone; without a price, that it stays. APPRI and APNSU as above, APCUR for another currency, APNAC
   unless it is on trial or paid for and not canceled, APSML as above. */
create function app.change_subscription(p_price_id uuid) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_subscription public.subscriptions := app_private.hold_subscription();
  v_id uuid := v_subscription.organization_id;
  v_quantity int := app_private.seats(v_id, p_price_id);
  v_old record;
  v_new app_private.sold_price;
  v_share numeric := greatest(0, extract(epoch from v_subscription.period_ends_at - pg_catalog.now()))
                     / extract(epoch from v_subscription.period_ends_at - v_subscription.period_started_at);
  v_credit bigint;
  v_charge bigint;
  v_is_later boolean;
begin
  if p_price_id = v_subscription.price_id then
    if v_subscription.provider = 'stripe' then
      return app_private.ask_stripe(v_id, pg_catalog.jsonb_build_object('subscriptionId', v_subscription.provider_id, 'price', null));
    end if;
    perform app_private.void_changes(v_subscription);
    update public.subscriptions s set scheduled_price_id = null where s.organization_id = v_id and s.id = v_subscription.id;
    return app_private.subscription_json(v_id);
  end if;
  if v_subscription.status not in ('trialing', 'active') or v_subscription.cancel_at_period_end then
    raise exception 'not on trial or paid for' using errcode = 'APNAC';
  end if;
  v_new := app_private.sold_price(p_price_id);
  select i.currency, i.interval, i.unit_amount, p.name into v_old
    from public.plan_prices i join public.plans p on p.id = i.plan_id where i.id = v_subscription.price_id;
  if v_new.currency <> v_old.currency then
    raise exception 'another currency' using errcode = 'APCUR';
  end if;
  perform app_private.check_fits(v_id, v_new.plan_id);
  v_credit := pg_catalog.round(v_share * v_old.unit_amount * v_subscription.quantity);
  v_charge := v_new.unit_amount * v_quantity;
  if v_new.interval = v_old.interval then
    v_charge := pg_catalog.round(v_share * v_charge);
  end if;
  v_is_later := case
    when v_subscription.status = 'trialing' then v_new.trial_days = 0
    -- Of a period that is over here, and goes on there, there is nothing left to compare.
    when v_subscription.provider = 'stripe' and v_new.interval = v_old.interval
      then v_new.unit_amount * v_quantity <= v_old.unit_amount * v_subscription.quantity
    else v_charge <= v_credit end;
  if v_subscription.provider = 'stripe' then
    return app_private.ask_stripe(v_id, pg_catalog.jsonb_build_object(
      'subscriptionId', v_subscription.provider_id, 'price', app_private.stripe_price(v_new), 'quantity', v_quantity, 'isLater', v_is_later));
  end if;
  if exists (select from public.invoices n where n.organization_id = v_id and n.subscription_id = v_subscription.id
                and n.status = 'open' and n.price_id = p_price_id) then
    return app_private.subscription_json(v_id);
  end if;
  perform app_private.void_changes(v_subscription);
  if v_subscription.status = 'trialing' and not v_is_later then
    update public.subscriptions s set price_id = p_price_id, scheduled_price_id = null, quantity = v_quantity
     where s.organization_id = v_id and s.id = v_subscription.id;
    return app_private.subscription_json(v_id);
  end if;
  if v_is_later then
    update public.subscriptions s set scheduled_price_id = p_price_id where s.organization_id = v_id and s.id = v_subscription.id;
    return app_private.subscription_json(v_id);
  end if;
  update public.subscriptions s set scheduled_price_id = null where s.organization_id = v_id and s.id = v_subscription.id;
  perform app_private.ask_for(v_subscription, v_new.currency, pg_catalog.jsonb_build_array(
            app_private.invoice_line('Unused time: ' || v_old.name, 1, -v_credit),
            app_private.invoice_line(case when v_new.interval = v_old.interval then 'Remaining time: ' else '' end || v_new.plan_name, 1, v_charge)),
            p_price_id);
  return app_private.subscription_json(v_id);
end
$$;

/* Moves a subscription whose time has come, and which the caller holds. A period begins unpaid, and is had for its grace. */
create function app_private.advance_subscription(p_subscription public.subscriptions) returns void
language plpgsql volatile set search_path = '' as $$
declare
  v_subscription public.subscriptions := p_subscription;
begin
  if v_subscription.status = 'past_due' then
    update public.subscriptions s
       set status = 'unpaid', due_at = least(s.period_ends_at, pg_catalog.now() + interval '30 days')
     where s.organization_id = v_subscription.organization_id and s.id = v_subscription.id;
  elsif v_subscription.status in ('incomplete', 'unpaid') then
    perform app_private.end_subscription(v_subscription, pg_catalog.now());
  elsif v_subscription.cancel_at_period_end
        or exists (select from public.organizations o where o.id = v_subscription.organization_id and o.deleted_at is not null) then
    perform app_private.end_subscription(v_subscription, v_subscription.period_ends_at);
  else
    perform app_private.void_changes(v_subscription);
    update public.subscriptions s
       set status = 'past_due', price_id = i.id, scheduled_price_id = null, quantity = app_private.seats(s.organization_id, i.id),
           anchor_at = c.anchor_at, period_started_at = s.period_ends_at,
           period_ends_at = app_private.period_after(c.anchor_at, i.interval, s.period_ends_at),
           grace_ends_at = pg_catalog.now() + app_private.grace_period(), due_at = pg_catalog.now() + app_private.grace_period()
      from public.plan_prices i,
           -- Of another interval, periods are counted anew.
           lateral (select case when i.interval = (select o.interval from public.plan_prices o where o.id = v_subscription.price_id)
                                then v_subscription.anchor_at else v_subscription.period_ends_at end) c (anchor_at)
     where s.organization_id = v_subscription.organization_id and s.id = v_subscription.id
       and i.id = coalesce(s.scheduled_price_id, s.price_id)
    returning s.* into v_subscription;
    perform app_private.add_invoice(v_subscription);
  end if;
end
$$;

/* Moves subscriptions whose time has come, as many as p_limit that nobody holds; returns how many there were. By the index. */
create function app.advance_subscriptions(p_limit int) returns int
language plpgsql volatile security definer set search_path = '' set enable_seqscan = off as $$
declare
  v_due public.subscriptions[] := array(
    select s from public.subscriptions s where s.due_at <= pg_catalog.now() order by s.due_at limit p_limit for no key update skip locked);
begin
  perform app_private.advance_subscription(s) from pg_catalog.unnest(v_due) s;
  return pg_catalog.cardinality(v_due);
end
$$;

-- ── Usage ────────────────────────────────────────────────────────────────────────────────────────
-- What was used is told in events, each once, and each counter is what the events of its period come to: both are written by one
-- transaction, which holds the meter, so that those at the same time come one after another and see what was counted before.
-- What looks for events is planned each time, not as when there were few.

create type app_private.usage_item as (
  ordinal int, source text, source_id text, meter text, occurred_at timestamptz, value numeric, unique_value text, dimensions jsonb,
  subject text, digest bytea, aggregation text, started_at timestamptz, ends_at timestamptz, "limit" numeric, refusal text
);

/* How long ago what is told may have occurred. */
create function app_private.usage_window() returns interval
language sql immutable set search_path = ''
return interval '35 days';

/* The event that a source calls so, or none. */
create function app_private.event_named(p_organization_id uuid, p_source text, p_source_id text) returns setof public.usage_events
language sql stable set search_path = '' set plan_cache_mode = force_custom_plan as $$
  select e.* from public.usage_events e
   where e.organization_id = p_organization_id and e.source = p_source and e.source_id = p_source_id
$$;

/* The quarter of an hour that an instant is of. */
create function app_private.quarter_of(p_at timestamptz) returns timestamptz
language sql immutable set search_path = ''
return pg_catalog.date_bin('15 minutes', p_at, timestamptz '2000-01-01 00:00:00+00');

/* By what a rollup is told apart from others of the same time. */
create function app_private.rollup_key(p_dimensions jsonb, p_unique_value text) returns bytea
language sql immutable set search_path = ''
return pg_catalog.sha256(pg_catalog.convert_to(pg_catalog.jsonb_build_array(p_dimensions, p_unique_value)::text, 'UTF8'));

/* What the events of a meter come to that occurred from p_started_at until before p_ends_at: of whole days, of whole quarters of an hour
   before and after them, and of the events at the edges. */
create function app_private.usage_between(p_organization_id uuid, p_meter text, p_aggregation text, p_started_at timestamptz, p_ends_at timestamptz)
returns numeric
language sql stable set search_path = '' set plan_cache_mode = force_custom_plan as $$
  with edges as (
    select app_private.quarter_of(p_started_at + interval '15 minutes' - interval '1 millisecond') as first_quarter,
           app_private.quarter_of(p_ends_at) as last_quarter,
           pg_catalog.date_trunc('day', p_started_at + interval '1 day' - interval '1 millisecond', 'UTC') as first_day,
           pg_catalog.date_trunc('day', p_ends_at, 'UTC') as last_day
  ), parts as (
    select 'day' as size, g.first_day as since, g.last_day as until from edges g
     union all select 'quarter', g.first_quarter, least(g.first_day, g.last_quarter) from edges g
     union all select 'quarter', g.last_day, g.last_quarter from edges g where g.first_day <= g.last_day
  ), rest as (
    select p_started_at as since, least(g.first_quarter, p_ends_at) as until from edges g
     union all select g.last_quarter, p_ends_at from edges g where g.first_quarter <= g.last_quarter
  ), used as (
    -- Each part by itself, with an OFFSET, so that no plan reads all of the organization's.
    select u.*
      from parts p
     cross join lateral (
       select r.events, r.sum, r.max, r.unique_value from public.usage_rollups r
        where r.organization_id = p_organization_id and r.meter = p_meter and r.size = p.size
          and r.started_at >= p.since and r.started_at < p.until and r.events > 0 offset 0) u
     union all
    select 1, u.value, u.value, u.unique_value
      from rest p
     cross join lateral (
       select coalesce(e.corrected_value, e.value) as value, e.unique_value from public.usage_events e
        where e.organization_id = p_organization_id and e.meter = p_meter
          and e.occurred_at >= p.since and e.occurred_at < p.until and not e.is_void offset 0) u
  )
  select coalesce(case p_aggregation
    when 'last' then (
      select coalesce(e.corrected_value, e.value) from public.usage_events e
       where e.organization_id = p_organization_id and e.meter = p_meter and e.occurred_at >= p_started_at and e.occurred_at < p_ends_at
         and not e.is_void
       order by e.occurred_at desc, (e.source || ' ' || e.source_id) collate "C" desc limit 1)
    when 'sum' then (select pg_catalog.sum(u.sum) from used u)
    when 'max' then (select pg_catalog.max(u.max) from used u)
    when 'unique' then (select pg_catalog.count(*) from (select distinct u.unique_value from used u) d)
    else (select pg_catalog.sum(u.events) from used u) end, 0)
$$;

/* What is reserved of a meter, in a period, at this moment: whoever has waited for others must not go by when they began. */
create function app_private.usage_reserved(p_organization_id uuid, p_meter text, p_started_at timestamptz, p_ends_at timestamptz) returns numeric
language sql volatile set search_path = '' set plan_cache_mode = force_custom_plan as $$
  select coalesce(pg_catalog.sum(r.value), 0)
    from public.usage_reservations r
   where r.organization_id = p_organization_id and r.meter = p_meter and r.expires_at > pg_catalog.clock_timestamp()
     and r.created_at >= p_started_at and r.created_at < p_ends_at
$$;

/* How much of each of these meters, or of all, an organization has used in the period, in the plan's order. */
create function app_private.usage_json(p_organization_id uuid, p_meters text[] default null) returns jsonb
language sql volatile set search_path = '' as $$
  select coalesce(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
           'meter', m.key, 'name', m.name, 'unit', m.unit, 'aggregation', m.aggregation,
           'used', pg_catalog.trim_scale(m.used)::text, 'reserved', pg_catalog.trim_scale(m.reserved)::text,
           'limit', pg_catalog.trim_scale(m.limit)::text,
           -- Of what is the greatest or the last nothing is left.
           'remaining', case when m.aggregation not in ('max', 'last') and m.limit is not null
                             then pg_catalog.trim_scale(greatest(m.limit - m.used - m.reserved, 0))::text end,
           'per', m.per, 'startedAt', app_private.iso_instant(nullif(m.started_at, '-infinity')),
           'resetsAt', app_private.iso_instant(nullif(m.ends_at, 'infinity'))) order by m.position, m.key), '[]')
    from (select f.key, f.name, f.unit, f.aggregation, f.position, h.limit, h.per, q.started_at, q.ends_at,
                 coalesce((select c.used from public.usage_counters c
                            where c.organization_id = p_organization_id and c.meter = f.key
                              and c.started_at = q.started_at and c.ends_at = q.ends_at),
                          app_private.usage_between(p_organization_id, f.key, f.aggregation, q.started_at, q.ends_at)) as used,
                 app_private.usage_reserved(p_organization_id, f.key, q.started_at, q.ends_at) as reserved
            from (select app_private.entitled_plan(p_organization_id) as id offset 0) p
            cross join lateral (select app_private.quota_anchor(p_organization_id, p.id) as at offset 0) a
            join public.plan_features h on h.plan_id = p.id and h.kind = 'metered'
            join public.features f on f.key = h.feature_key and f.reset is not null and f.archived_at is null
            cross join lateral app_private.quota_period(a.at, h.per, f.reset, pg_catalog.now()) q
           where p_meters is null or f.key = any (p_meters)) m
$$;

/* That of the request's organization. AP403 without usage:read. */
create function app.usage() returns jsonb
language sql volatile parallel restricted security definer set search_path = '' as $$
  select app_private.usage_json(app_private.organization_with('usage:read'))
$$;

/* What is told, as it is to be recorded: with the period in which it counts, and why it cannot be, whatever else was told. */
create function app_private.usage_items(p_organization_id uuid, p_events jsonb) returns app_private.usage_item[]
language sql stable set search_path = '' as $$
  with entitled as (
    select c.plan_id, app_private.quota_anchor(p_organization_id, c.plan_id) as anchor_at
      from (select app_private.entitled_plan(p_organization_id) as plan_id offset 0) c
  ), meters as materialized (
    -- With the present period, which most of what is told is of.
    select f.key, f.aggregation, f.dimensions, f.reset, f.archived_at is null as is_live, h.plan_id, h.limit, h.per, e.anchor_at,
           q.started_at, q.ends_at
      from entitled e
      join public.features f on f.reset is not null
       and f.key = any (array(select t.type from pg_catalog.jsonb_to_recordset(p_events) t (type text)))
      left join public.plan_features h on h.plan_id = e.plan_id and h.feature_key = f.key
      left join lateral app_private.quota_period(e.anchor_at, h.per, f.reset, pg_catalog.now()) q on h.plan_id is not null
  ), told as (
    -- As the column has it.
    select t.*, coalesce(t.time, pg_catalog.now()::timestamptz(3)) as at
      from (select i.ordinal::int as ordinal, e.source, e.id, e.type, e.time::timestamptz(3) as time, e.subject, e.value,
                   coalesce(e.dimensions, '{}') as dimensions
              from pg_catalog.jsonb_array_elements(p_events) with ordinality i (item, ordinal),
                   pg_catalog.jsonb_to_record(i.item) e (source text, id text, type text, "time" timestamptz, subject text, value text, dimensions jsonb)) t
  ), measured as (
    select t.*, f.is_live, f.aggregation, f.dimensions as known_dimensions, f.plan_id, f.limit, q.started_at, q.ends_at,
           case when f.aggregation in ('sum', 'max', 'last') and t.value ~ '^[0-9]{1,21}(\.[0-9]{1,9})?$' then t.value::numeric end as amount
      from told t
      left join meters f on f.key = t.type
      left join lateral (
        select f.started_at, f.ends_at where t.at >= f.started_at and t.at < f.ends_at
         union all
        select p.started_at, p.ends_at from app_private.quota_period(f.anchor_at, f.per, f.reset, t.at) p
         where t.at < f.started_at or t.at >= f.ends_at) q on f.plan_id is not null
  )
  select pg_catalog.array_agg(row(
           m.ordinal, m.source, m.id, m.type, m.at, m.amount, case m.aggregation when 'unique' then m.value end, m.dimensions, m.subject,
           pg_catalog.sha256(pg_catalog.convert_to(pg_catalog.jsonb_build_array(
             m.type, app_private.iso_instant(m.time), m.subject, coalesce(pg_catalog.trim_scale(m.amount)::text, m.value), m.dimensions)::text, 'UTF8')),
           m.aggregation, m.started_at, m.ends_at, m.limit,
           case when m.is_live is not true then 'APMET'
                when m.plan_id is null then 'APENT'
                when case m.aggregation when 'count' then m.value is not null when 'unique' then m.value is null else m.amount is null end
                  then 'APVAL'
                when exists (select from pg_catalog.jsonb_object_keys(m.dimensions) k (name) where k.name <> all (m.known_dimensions)) then 'APDIM'
                when m.at > pg_catalog.now() + interval '5 minutes' then 'APFUT'
                when m.at < pg_catalog.now() - app_private.usage_window() then 'APOLD' end)::app_private.usage_item order by m.ordinal)
    from measured m
$$;

/* Begins each counter that these items count in, with what was told of its period before. The caller holds their meters. */
create function app_private.begin_counters(p_organization_id uuid, p_items app_private.usage_item[]) returns void
language sql volatile set search_path = '' as $$
  insert into public.usage_counters (organization_id, meter, started_at, ends_at, used)
  select p_organization_id, m.meter, m.started_at, m.ends_at,
         app_private.usage_between(p_organization_id, m.meter, m.aggregation, m.started_at, m.ends_at)
    from (select distinct i.meter, i.aggregation, i.started_at, i.ends_at from pg_catalog.unnest(p_items) i where i.refusal is null) m
   where not exists (select from public.usage_counters c
                      where c.organization_id = p_organization_id and c.meter = m.meter
                        and c.started_at = m.started_at and c.ends_at = m.ends_at)
  on conflict (organization_id, meter, started_at, ends_at) do nothing
$$;

/* Of each item the digest under which its name was recorded. */
create function app_private.recorded_digests(p_organization_id uuid, p_items app_private.usage_item[]) returns bytea[]
language sql stable set search_path = '' set plan_cache_mode = force_custom_plan as $$
  select pg_catalog.array_agg(e.digest order by i.ordinal)
    from pg_catalog.unnest(p_items) i
    left join lateral (
      select r.digest from public.usage_events r
       where r.organization_id = p_organization_id and r.source = i.source and r.source_id = i.source_id limit 1) e on true
$$;

/* Of each item whether its period has its value, where the meter counts different ones. */
create function app_private.known_values(p_organization_id uuid, p_items app_private.usage_item[]) returns boolean[]
language sql stable set search_path = '' set plan_cache_mode = force_custom_plan as $$
  select pg_catalog.array_agg(i.refusal is null and exists (
           select from public.usage_events e
            where e.organization_id = p_organization_id and e.meter = i.meter and e.unique_value = i.unique_value
              and e.occurred_at >= i.started_at and e.occurred_at < i.ends_at and not e.is_void offset 0) order by i.ordinal)
    from pg_catalog.unnest(p_items) i
$$;

/* The items, with the outcome of each that was told before ('same', whatever is against it by now), or whose name was used for another
   (APDUP), or for which the limit leaves no room: in their order, and none that counts after the first that does not fit. What has the
   name of one before it goes with that one. The caller holds their meters, and has their counters; p_digests and p_known are what the
   functions above say of them. */
create function app_private.judge_items(p_organization_id uuid, p_items app_private.usage_item[], p_digests bytea[], p_known boolean[])
returns app_private.usage_item[]
language sql volatile set search_path = '' as $$
  with known as (
    select i.*, d.digest as recorded_digest, pg_catalog.first_value(i.digest) over same as first_digest,
           i.refusal is null and d.digest is null and pg_catalog.row_number() over same = 1 as is_new
      from pg_catalog.unnest(p_items) i cross join lateral (select p_digests[i.ordinal]) d (digest)
    window same as (partition by i.refusal is null, i.source, i.source_id order by i.ordinal)
  ), counted as (
    select k.*,
           case when not k.is_new then 0
                when k.aggregation = 'sum' then k.value
                when k.aggregation = 'count' then 1
                when k.aggregation = 'unique' and not p_known[k.ordinal] and pg_catalog.row_number() over (
                       partition by k.is_new, k.meter, k.started_at, k.unique_value order by k.ordinal) = 1 then 1
                else 0 end as increment
      from known k
  ), summed as (
    select n.*, pg_catalog.sum(n.increment) over (partition by n.meter, n.started_at order by n.ordinal) as increments
      from counted n
  ), rooms as materialized (
    select m.meter, m.started_at, m.limit - c.used - app_private.usage_reserved(p_organization_id, m.meter, m.started_at, m.ends_at) as room
      from (select distinct n.meter, n.started_at, n.ends_at, n.limit from counted n where n.is_new and n.limit is not null) m
      join public.usage_counters c on c.organization_id = p_organization_id and c.meter = m.meter
                                  and c.started_at = m.started_at and c.ends_at = m.ends_at
  ), judged as (
    select s.*,
           s.is_new and case
             when s.aggregation in ('max', 'last') then s.value > s.limit
             -- Of what is told more than once, each time as the first time.
             when s.aggregation = 'unique' then pg_catalog.max(s.increment) over alike = 1 and pg_catalog.min(s.increments) over alike > r.room
             else s.increment > 0 and s.increments > r.room end as is_too_much
      from summed s
      left join rooms r on r.meter = s.meter and r.started_at = s.started_at
    window alike as (partition by s.is_new, s.meter, s.started_at, s.unique_value)
  )
  select pg_catalog.array_agg(row(
           j.ordinal, j.source, j.source_id, j.meter, j.occurred_at, j.value, j.unique_value, j.dimensions, j.subject, j.digest,
           j.aggregation, j.started_at, j.ends_at, j.limit, j.outcome)::app_private.usage_item order by j.ordinal)
    from (select g.*,
                 case when g.recorded_digest is not null then case when g.digest = g.recorded_digest then 'same' else 'APDUP' end
                      when g.refusal is not null then g.refusal
                      when pg_catalog.first_value(g.is_too_much) over (partition by g.refusal is null, g.source, g.source_id order by g.ordinal)
                        then 'APQUO'
                      when g.digest <> g.first_digest then 'APDUP'
                      when not g.is_new then 'same' end as outcome
            from judged g) j
$$;

/* Begins the counters of what is told, and judges it. As above. */
create function app_private.judge_usage(p_organization_id uuid, p_items app_private.usage_item[]) returns app_private.usage_item[]
language plpgsql volatile set search_path = '' as $$
declare
  v_known boolean[];
begin
  perform app_private.begin_counters(p_organization_id, p_items);
  if exists (select from pg_catalog.unnest(p_items) i where i.aggregation = 'unique') then
    v_known := app_private.known_values(p_organization_id, p_items);
  end if;
  return app_private.judge_items(p_organization_id, p_items, app_private.recorded_digests(p_organization_id, p_items), v_known);
end
$$;

/* Writes the items that nothing is against, and counts each in whatever period it is of; returns the names of those that it wrote. The
   caller holds their meters. */
create function app_private.write_items(p_organization_id uuid, p_items app_private.usage_item[]) returns text[]
language sql volatile set search_path = '' as $$
  with written as (
    insert into public.usage_events
      (organization_id, source, source_id, meter, occurred_at, value, unique_value, dimensions, subject, digest)
    select p_organization_id, i.source, i.source_id, i.meter, i.occurred_at, i.value, i.unique_value, i.dimensions, i.subject, i.digest
      from pg_catalog.unnest(p_items) i where i.refusal is null
     order by i.source, i.source_id
    on conflict (organization_id, source, source_id) do nothing
    returning source, source_id, meter, occurred_at, value, unique_value, dimensions
  ), rolled as (
    insert into public.usage_rollups as r
      (organization_id, meter, size, started_at, key, dimensions, unique_value, events, sum, max, last, last_at, last_name)
    select p_organization_id, w.meter, b.size, b.started_at, app_private.rollup_key(w.dimensions, w.unique_value), w.dimensions, w.unique_value,
           pg_catalog.count(*), pg_catalog.sum(w.value), pg_catalog.max(w.value),
           (pg_catalog.array_agg(w.value order by w.occurred_at desc, n.name collate "C" desc))[1],
           case when pg_catalog.count(w.value) > 0 then pg_catalog.max(w.occurred_at) end,
           (pg_catalog.array_agg(case when w.value is not null then n.name end order by w.occurred_at desc, n.name collate "C" desc))[1]
      from written w
     -- The quarter as app_private.quarter_of has it, which is not called for each.
     cross join lateral (values ('quarter', pg_catalog.date_bin('15 minutes', w.occurred_at, timestamptz '2000-01-01 00:00:00+00')),
                                ('day', pg_catalog.date_trunc('day', w.occurred_at, 'UTC'))) b (size, started_at)
     cross join lateral (select w.source || ' ' || w.source_id) n (name)
     group by w.meter, b.size, b.started_at, w.dimensions, w.unique_value
    on conflict (organization_id, meter, size, started_at, key) do update
       set events = r.events + excluded.events, sum = coalesce(r.sum + excluded.sum, excluded.sum, r.sum), max = greatest(r.max, excluded.max),
           (last, last_at, last_name) = (
             select t.last, t.last_at, t.last_name
               from (values (r.last, r.last_at, r.last_name), (excluded.last, excluded.last_at, excluded.last_name)) t (last, last_at, last_name)
              order by t.last_at desc nulls last, t.last_name collate "C" desc limit 1)
  ), added as (
    select c.id, f.aggregation, pg_catalog.count(*) as times, pg_catalog.sum(w.value) as total, pg_catalog.max(w.value) as greatest
      from written w
      join public.features f on f.key = w.meter
      join public.usage_counters c on c.organization_id = p_organization_id and c.meter = w.meter
                                  and w.occurred_at >= c.started_at and w.occurred_at < c.ends_at
     group by c.id, f.aggregation
  ), counted as (
    update public.usage_counters c
       set used = case a.aggregation when 'sum' then c.used + a.total when 'max' then greatest(c.used, a.greatest) else c.used + a.times end
      from added a where a.id = c.id and a.aggregation not in ('last', 'unique')
  )
  select array(select w.source || ' ' || w.source_id from written w)
$$;

/* Counts the values that no event of a period had before these, of meters that count different ones; p_written are the names of those that
   were written. The caller holds the meters. */
create function app_private.count_unique(p_organization_id uuid, p_items app_private.usage_item[], p_written text[]) returns void
language sql volatile set search_path = '' set plan_cache_mode = force_custom_plan as $$
  update public.usage_counters c set used = c.used + n.new_values
    from (
      select o.id, pg_catalog.count(distinct i.unique_value) as new_values
        from pg_catalog.unnest(p_items) i
        join public.usage_counters o on o.organization_id = p_organization_id and o.meter = i.meter
                                    and i.occurred_at >= o.started_at and i.occurred_at < o.ends_at
       where i.aggregation = 'unique' and i.refusal is null and i.source || ' ' || i.source_id = any (p_written)
         and not exists (
           select from public.usage_events e
            where e.organization_id = p_organization_id and e.meter = i.meter and e.unique_value = i.unique_value
              and e.occurred_at >= o.started_at and e.occurred_at < o.ends_at and not e.is_void
              and e.source || ' ' || e.source_id <> all (p_written) offset 0)
       group by o.id) n
   where n.id = c.id
$$;

/* Writes anew what the last event of each period is, of meters that take it. The caller holds them. */
create function app_private.count_last(p_organization_id uuid, p_items app_private.usage_item[]) returns void
language sql volatile set search_path = '' as $$
  update public.usage_counters c
     set used = app_private.usage_between(c.organization_id, c.meter, 'last', c.started_at, c.ends_at)
   where c.id = any (array(
     select o.id from pg_catalog.unnest(p_items) i
       join public.usage_counters o on o.organization_id = p_organization_id and o.meter = i.meter
                                   and i.occurred_at >= o.started_at and i.occurred_at < o.ends_at
      where i.aggregation = 'last' and i.refusal is null))
$$;

/* Whether an organization's plan has room for so much more of a meter in this period, as usage_json tells of it; of one that takes the
   greatest or the last, whether that may be it. AP404 for no such meter, APENT where the plan does not have it, APVAL for a value
   that the meter does not take. AP403 without usage:read. */
create function app.check_usage(p_meter text, p_value text) returns jsonb
language plpgsql volatile parallel restricted security definer set search_path = '' set plan_cache_mode = force_custom_plan as $$
declare
  v_organization_id uuid := app_private.organization_with('usage:read');
  v_aggregation text := (select f.aggregation from public.features f where f.key = p_meter and f.archived_at is null);
  v_usage jsonb := app_private.usage_json(v_organization_id, array[p_meter]) -> 0;
  v_limit numeric := (v_usage ->> 'limit')::numeric;
  v_value numeric;
begin
  if v_aggregation is null then
    raise exception 'no such meter' using errcode = 'AP404';
  end if;
  if v_usage is null then
    perform app_private.refuse_plan(p_meter);
  end if;
  if v_aggregation = 'unique' then
    v_value := case when exists (
      select from public.usage_events e
       where e.organization_id = v_organization_id and e.meter = p_meter and e.unique_value = p_value and not e.is_void
         and e.occurred_at >= coalesce((v_usage ->> 'startedAt')::timestamptz, '-infinity')
         and e.occurred_at < coalesce((v_usage ->> 'resetsAt')::timestamptz, 'infinity')) then 0 else 1 end;
  elsif p_value ~ '^[0-9]{1,21}(\.[0-9]{1,9})?$' then
    v_value := p_value::numeric;
  else
    raise exception 'not a value of the meter' using errcode = 'APVAL';
  end if;
  return v_usage || pg_catalog.jsonb_build_object('allowed', coalesce(
    case when v_aggregation in ('max', 'last') then v_value <= v_limit
         else v_value = 0 or (v_usage ->> 'used')::numeric + (v_usage ->> 'reserved')::numeric + v_value <= v_limit end, true));
end
$$;

/* What a meter came to in each window from that of p_from on, or in the last 30, until that which ends with p_to or after it, by the
   calendar of a time zone: of everything, or of what has the same of p_group_by. AP404 for no such meter, APDIM for what it is not told apart by, APWIN for more than 1,000 windows or 10,000
   values. AP403 without usage:read. */
create function app.usage_windows(p_meter text, p_from timestamptz, p_to timestamptz, p_window text, p_group_by jsonb, p_timezone text)
returns jsonb
language plpgsql stable parallel restricted security definer set search_path = '' set plan_cache_mode = force_custom_plan as $$
declare
  v_organization_id uuid := app_private.organization_with('usage:read');
  v_meter public.features := (select f from public.features f where f.key = p_meter and f.reset is not null);
  v_names text[] := array(select pg_catalog.jsonb_array_elements_text(p_group_by));
  v_step interval := ('1 ' || p_window)::interval;
  v_last timestamp := pg_catalog.date_trunc(p_window, (p_to - interval '1 millisecond') at time zone p_timezone);
  v_from timestamptz := coalesce(p_from, (v_last - 29 * v_step) at time zone p_timezone);
  v_first timestamp := pg_catalog.date_trunc(p_window, v_from at time zone p_timezone);
  v_starts timestamptz[];
  v_data jsonb;
begin
  if v_meter.key is null then
    raise exception 'no such meter' using errcode = 'AP404';
  end if;
  if not v_names <@ v_meter.dimensions then
    raise exception 'not a dimension of the meter' using errcode = 'APDIM';
  end if;
  -- Before they are made; a month is taken for 30 days here.
  if p_to - v_from > v_step * 1100 then
    raise exception 'too many windows' using errcode = 'APWIN';
  end if;
  v_starts := case when p_window = 'hour' then array(
      -- Each as long as the others, whatever the clocks are set to.
      select h from pg_catalog.generate_series(pg_catalog.date_trunc('hour', v_from, p_timezone), p_to - interval '1 millisecond', v_step) h)
    else array(
      select d at time zone p_timezone from pg_catalog.generate_series(v_first, v_last, v_step) d) end;
  if pg_catalog.cardinality(v_starts) > 1000 then
    raise exception 'too many windows' using errcode = 'APWIN';
  end if;
  with windows as (
    select s.at as started_at, coalesce(
             pg_catalog.lead(s.at) over (order by s.at),
             case when p_window = 'hour' then s.at + v_step else (s.at at time zone p_timezone + v_step) at time zone p_timezone end) as ends_at
      from pg_catalog.unnest(v_starts) s (at)
  ), told as (
    select w.started_at, w.ends_at, u.dimensions, u.value
      from windows w
      left join lateral (
        select g.dimensions,
               case v_meter.aggregation
                 when 'sum' then pg_catalog.sum(g.sum) when 'count' then pg_catalog.sum(g.events) when 'max' then pg_catalog.max(g.max)
                 -- Of one, since such a meter has no values that are counted once.
                 when 'last' then pg_catalog.max(g.last)
                 else pg_catalog.count(g.unique_value) end as value
          -- By each value that is counted once, without sorting them.
          from (select case when v_names = '{}' then '{}' else (
                         select pg_catalog.jsonb_object_agg(k.name, r.dimensions -> k.name) from pg_catalog.unnest(v_names) k (name)) end as dimensions,
                       r.unique_value, pg_catalog.sum(r.sum) as sum, pg_catalog.sum(r.events) as events, pg_catalog.max(r.max) as max,
                       (pg_catalog.array_agg(r.last order by r.last_at desc, r.last_name collate "C" desc))[1] as last
                  from public.usage_rollups r
                 where r.organization_id = v_organization_id and r.meter = p_meter
                   and r.size = case when p_window <> 'hour' and p_timezone = 'UTC' then 'day' else 'quarter' end
                   and r.started_at >= w.started_at and r.started_at < w.ends_at and r.events > 0
                 group by 1, r.unique_value) g
         group by g.dimensions) u on true
     where u.dimensions is not null or v_names = '{}'
     limit 10001
  )
  select pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
           'startedAt', app_private.iso_instant(t.started_at), 'endsAt', app_private.iso_instant(t.ends_at),
           'dimensions', coalesce(t.dimensions, '{}'),
           'value', pg_catalog.trim_scale(coalesce(t.value, case when v_meter.aggregation in ('sum', 'count', 'unique') then 0 end))::text)
         order by t.started_at, t.dimensions)
    into v_data from told t;
  if pg_catalog.jsonb_array_length(v_data) > 10000 then
    raise exception 'too many values' using errcode = 'APWIN';
  end if;
  return pg_catalog.jsonb_build_object('meter', v_meter.key, 'name', v_meter.name, 'unit', v_meter.unit, 'aggregation', v_meter.aggregation,
                                       'data', coalesce(v_data, '[]'));
end
$$;

/* Counts anew what these events are of: each quarter of an hour in one pass. The caller holds their meters, and has corrected them. */
create function app_private.recount_usage(p_organization_id uuid, p_events public.usage_events[]) returns void
language plpgsql volatile set search_path = '' as $$
begin
  with touched as (
    select distinct e.meter, app_private.quarter_of(e.occurred_at) as started_at, e.dimensions, e.unique_value
      from pg_catalog.unnest(p_events) e
  ), counted as (
    select q.meter, q.started_at, c.*
      from (select distinct t.meter, t.started_at from touched t) q
     cross join lateral (
       select n.dimensions, n.unique_value, pg_catalog.count(*) as events, pg_catalog.sum(n.value) as sum, pg_catalog.max(n.value) as max,
              (pg_catalog.array_agg(n.value order by n.occurred_at desc, n.name collate "C" desc))[1] as last,
              case when pg_catalog.count(n.value) > 0 then pg_catalog.max(n.occurred_at) end as last_at,
              (pg_catalog.array_agg(case when n.value is not null then n.name end order by n.occurred_at desc, n.name collate "C" desc))[1] as last_name
         from (select e.dimensions, e.unique_value, e.occurred_at, e.source || ' ' || e.source_id as name,
                      coalesce(e.corrected_value, e.value) as value
                 from public.usage_events e
                where e.organization_id = p_organization_id and e.meter = q.meter
                  and e.occurred_at >= q.started_at and e.occurred_at < q.started_at + interval '15 minutes' and not e.is_void) n
        group by n.dimensions, n.unique_value) c
  ), found as (
    select o.id, coalesce(c.events, 0) as events, c.sum, c.max, c.last, c.last_at, c.last_name
      from touched t
     cross join lateral (
       select r.id from public.usage_rollups r
        where r.organization_id = p_organization_id and r.meter = t.meter and r.size = 'quarter' and r.started_at = t.started_at
          and r.key = app_private.rollup_key(t.dimensions, t.unique_value) limit 1) o
      left join counted c on c.meter = t.meter and c.started_at = t.started_at and c.dimensions = t.dimensions
                         and c.unique_value is not distinct from t.unique_value
  )
  update public.usage_rollups r
     set events = f.events, sum = f.sum, max = f.max, last = f.last, last_at = f.last_at, last_name = f.last_name
    from found f where f.id = r.id;
  update public.usage_rollups r
     set (events, sum, max, last, last_at, last_name) = (
       select pg_catalog.sum(q.events), pg_catalog.sum(q.sum), pg_catalog.max(q.max),
              (pg_catalog.array_agg(q.last order by q.last_at desc nulls last, q.last_name collate "C" desc))[1], pg_catalog.max(q.last_at),
              (pg_catalog.array_agg(q.last_name order by q.last_at desc nulls last, q.last_name collate "C" desc))[1]
         from public.usage_rollups q
        where q.organization_id = p_organization_id and q.meter = r.meter and q.size = 'quarter' and q.key = r.key
          and q.started_at >= r.started_at and q.started_at < r.started_at + interval '1 day')
   where r.id = any (array(
     select o.id from pg_catalog.unnest(p_events) e
      cross join lateral (select r.id from public.usage_rollups r
                           where r.organization_id = p_organization_id and r.meter = e.meter and r.size = 'day'
                             and r.started_at = pg_catalog.date_trunc('day', e.occurred_at, 'UTC')
                             and r.key = app_private.rollup_key(e.dimensions, e.unique_value) limit 1) o));
  update public.usage_counters c
     set used = app_private.usage_between(c.organization_id, c.meter, (select f.aggregation from public.features f where f.key = c.meter),
                                          c.started_at, c.ends_at)
   where c.id = any (array(
     select o.id from pg_catalog.unnest(p_events) e
       join public.usage_counters o on o.organization_id = p_organization_id and o.meter = e.meter
        and e.occurred_at >= o.started_at and e.occurred_at < o.ends_at));
end
$$;

/* Waits for whoever counts these meters at the moment, in one order, so that no two wait for each other. */
create function app_private.hold_meters(p_organization_id uuid, p_meters text[]) returns void
language plpgsql volatile set search_path = '' as $$
declare
  v_meter text;
begin
  for v_meter in select distinct m.key from pg_catalog.unnest(p_meters) m (key) order by m.key loop
    perform pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended('usage:' || p_organization_id || ':' || v_meter, 0));
  end loop;
end
$$;

/* Lets events count by other values, or no longer: what became of each. For the platform's administrators. AP404 for no such
   organization. */
create function app_private.correct_usage(p_organization_id uuid, p_corrections jsonb, p_reason text, p_refusals jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' set plan_cache_mode = force_custom_plan as $$
declare
  v_asked record;
  v_event public.usage_events;
  v_changed public.usage_events[];
  v_results jsonb := '[]';
  v_held text[];
  v_refusal text;
begin
  if app.platform_admin_id() is null or not exists (select from public.organizations o where o.id = p_organization_id) then
    raise exception 'no such organization' using errcode = 'AP404';
  end if;
  v_held := array(
    select distinct e.meter from pg_catalog.jsonb_to_recordset(p_corrections) c (source text, id text)
     cross join lateral app_private.event_named(p_organization_id, c.source, c.id) e);
  perform app_private.hold_meters(p_organization_id, v_held);
  for v_asked in
    select c.source, c.id, c.value, case when c.value ~ '^[0-9]{1,21}(\.[0-9]{1,9})?$' then c.value::numeric end as amount
      from pg_catalog.jsonb_array_elements(p_corrections) with ordinality i (item, ordinal),
           pg_catalog.jsonb_to_record(i.item) c (source text, id text, value text)
     order by i.ordinal
  loop
    -- Not of a meter that nobody holds, which was told while this waited.
    select e.* into v_event from app_private.event_named(p_organization_id, v_asked.source, v_asked.id) e where e.meter = any (v_held);
    v_refusal := case when not found then 'AP404'
                      when v_asked.value is not null and (v_asked.amount is null or v_event.value is null) then 'APVAL' end;
    if v_refusal is null then
      update public.usage_events e set corrected_value = v_asked.amount, is_void = v_asked.value is null
       where e.organization_id = p_organization_id and e.source = v_asked.source and e.source_id = v_asked.id;
      insert into public.usage_corrections (organization_id, source, source_id, value, reason)
      values (p_organization_id, v_asked.source, v_asked.id, pg_catalog.trim_scale(v_asked.amount)::text, p_reason);
      v_changed := v_changed || v_event;
    end if;
    v_results := v_results || pg_catalog.jsonb_build_array(pg_catalog.jsonb_build_object('source', v_asked.source, 'id', v_asked.id)
      || coalesce(p_refusals -> v_refusal, '{"status": 200}'));
  end loop;
  perform app_private.recount_usage(p_organization_id, v_changed);
  return pg_catalog.jsonb_build_object('results', v_results, 'usage', app_private.usage_json(
    p_organization_id, array(select distinct e.meter from pg_catalog.unnest(v_changed) e)));
end
$$;

/* A reservation of an organization, whose meter the caller holds: AP404 for none. */
create function app_private.find_reservation(p_organization_id uuid, p_id uuid, p_meter text) returns public.usage_reservations
language plpgsql stable set search_path = '' as $$
declare
  v_reservation public.usage_reservations;
begin
  select * into v_reservation from public.usage_reservations r
   where r.organization_id = p_organization_id and r.id = p_id and r.meter = p_meter;
  if not found then
    raise exception 'no such reservation' using errcode = 'AP404';
  end if;
  return v_reservation;
end
$$;

/* Keeps room for so much of a meter that sums: the reservation, and how much was used. AP404 for no such meter, APENT where the plan does
   not have it, APVAL for another value or meter, APQUO where there is no room, APRSL beside 1,000 others. AP403 without usage:write. */
create function app.reserve_usage(p_id uuid, p_meter text, p_value text, p_duration interval) returns jsonb
language plpgsql volatile security definer set search_path = '' set enable_seqscan = off as $$
declare
  v_organization_id uuid := app_private.organization_with('usage:write');
  v_items app_private.usage_item[];
  v_item app_private.usage_item;
begin
  perform app_private.hold_meters(v_organization_id, array[p_meter]);
  v_items := app_private.usage_items(v_organization_id, pg_catalog.jsonb_build_array(pg_catalog.jsonb_build_object(
    'source', '/reservations', 'id', p_id, 'type', p_meter, 'value', p_value)));
  v_item := v_items[1];
  if v_item.refusal = 'APMET' then
    raise exception 'no such meter' using errcode = 'AP404';
  elsif v_item.refusal = 'APENT' then
    perform app_private.refuse_plan(p_meter);
  elsif v_item.refusal is not null or v_item.aggregation <> 'sum' or v_item.value = 0 then
    raise exception 'not to be reserved' using errcode = 'APVAL';
  end if;
  if (select pg_catalog.count(*) from public.usage_reservations r
       where r.organization_id = v_organization_id and r.meter = p_meter and r.expires_at > pg_catalog.clock_timestamp()) >= 1000 then
    raise exception 'too many reservations' using errcode = 'APRSL';
  end if;
  v_items := app_private.judge_usage(v_organization_id, v_items);
  if (v_items[1]).refusal is not null then
    raise exception 'no room' using errcode = 'APQUO', detail = app_private.usage_json(v_organization_id, array[p_meter]) -> 0;
  end if;
  insert into public.usage_reservations (organization_id, id, meter, value, created_at, expires_at)
  values (v_organization_id, p_id, p_meter, v_item.value, v_item.occurred_at, pg_catalog.clock_timestamp() + p_duration);
  return (
    select pg_catalog.jsonb_build_object(
             'id', r.id, 'meter', r.meter, 'value', pg_catalog.trim_scale(r.value)::text, 'createdAt', app_private.iso_instant(r.created_at),
             'expiresAt', app_private.iso_instant(r.expires_at), 'usage', app_private.usage_json(v_organization_id, array[p_meter]) -> 0)
      from public.usage_reservations r where r.organization_id = v_organization_id and r.id = p_id);
end
$$;

/* Records that of a reservation so much was used, or all of it, as of when it was made: how much of the meter was used. Once, and again
   with the same answer. AP404 for none, APENT where the plan has the meter no longer, APRSX for one that has expired, APVAL for more than
   is reserved, APDUP where somebody has used its name. AP403 without usage:write. */
create function app.commit_usage(p_id uuid, p_meter text, p_value text) returns jsonb
language plpgsql volatile security definer set search_path = '' set enable_seqscan = off as $$
declare
  v_organization_id uuid := app_private.organization_with('usage:write');
  v_reservation public.usage_reservations;
  v_usage jsonb;
  v_value numeric := case when p_value ~ '^[0-9]{1,21}(\.[0-9]{1,9})?$' then p_value::numeric end;
begin
  perform app_private.hold_meters(v_organization_id, array[p_meter]);
  if not exists (select from app_private.event_named(v_organization_id, '/reservations', p_id::text) e where e.meter = p_meter) then
    v_reservation := app_private.find_reservation(v_organization_id, p_id, p_meter);
    if v_reservation.expires_at <= pg_catalog.clock_timestamp() then
      raise exception 'the reservation has expired' using errcode = 'APRSX';
    end if;
    if p_value is not null and (v_value <= v_reservation.value) is not true then
      raise exception 'more than is reserved' using errcode = 'APVAL';
    end if;
    delete from public.usage_reservations r where r.organization_id = v_organization_id and r.id = p_id;
    if pg_catalog.cardinality(app_private.write_items(v_organization_id, array[row(
         1, '/reservations', p_id::text, p_meter, v_reservation.created_at, coalesce(v_value, v_reservation.value), null, '{}', null,
         pg_catalog.sha256(''), 'sum', null, null, null, null)::app_private.usage_item])) = 0 then
      raise exception 'its name is taken' using errcode = 'APDUP';
    end if;
  end if;
  v_usage := app_private.usage_json(v_organization_id, array[p_meter]) -> 0;
  if v_usage is null then
    perform app_private.refuse_plan(p_meter);
  end if;
  return v_usage;
end
$$;

/* Gives back what is reserved. AP404 for no such reservation. AP403 without usage:write. */
create function app.release_usage(p_id uuid, p_meter text) returns void
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_organization_id uuid := app_private.organization_with('usage:write');
begin
  perform app_private.hold_meters(v_organization_id, array[p_meter]);
  perform app_private.find_reservation(v_organization_id, p_id, p_meter);
  delete from public.usage_reservations r where r.organization_id = v_organization_id and r.id = p_id;
end
$$;

/* Records what is told, in its order, for the request's organization: what became of each, with what p_refusals says of why it was not
   recorded, and how much has been used of the meters. AP403 without usage:write. */
create function app.record_usage(p_events jsonb, p_refusals jsonb) returns jsonb
-- Whatever there was when a session planned it.
language plpgsql volatile security definer set search_path = '' set enable_seqscan = off as $$
declare
  v_organization_id uuid := app_private.organization_with('usage:write');
  v_items app_private.usage_item[];
  v_written text[];
begin
  -- Each statement from here on sees what was counted before.
  perform app_private.hold_meters(v_organization_id, array(
    select f.key from pg_catalog.jsonb_array_elements(p_events) e (item) join public.features f on f.key = e.item ->> 'type'));
  v_items := app_private.usage_items(v_organization_id, p_events);
  v_items := app_private.judge_usage(v_organization_id, v_items);
  v_written := app_private.write_items(v_organization_id, v_items);
  if exists (select from pg_catalog.unnest(v_items) i where i.aggregation = 'unique') then
    perform app_private.count_unique(v_organization_id, v_items, v_written);
  end if;
  if exists (select from pg_catalog.unnest(v_items) i where i.aggregation = 'last') then
    perform app_private.count_last(v_organization_id, v_items);
  end if;
  if (select pg_catalog.count(*) from pg_catalog.unnest(v_items) i where i.refusal is null) = pg_catalog.cardinality(v_written) then
    v_written := null;
  end if;
  return pg_catalog.jsonb_build_object(
    'results', (
      select pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object('source', i.source, 'id', i.source_id) || case
               when i.refusal = 'same' then '{"status": 200}'
               when i.refusal is not null then p_refusals -> i.refusal
               when v_written is null or i.source || ' ' || i.source_id = any (v_written) then '{"status": 201}'
               -- Used at the same time for an event of another meter, which this one has waited for.
               else p_refusals -> 'APDUP' end order by i.ordinal)
        from pg_catalog.unnest(v_items) i),
    'usage', app_private.usage_json(v_organization_id, array(select distinct i.meter from pg_catalog.unnest(v_items) i)));
end
$$;

-- ── Stripe ───────────────────────────────────────────────────────────────────────────────────────
-- Stripe's events say that something has changed, and are heeded once; what it is, the Worker asks for. It takes a ticket before it
-- asks, and what was asked for with an earlier one than is written comes too late: in whichever order events, answers and retries
-- come, what is written in the end is what Stripe has. All of it is said by the Worker alone, which has the key to Stripe.

create type app_private.stripe_subscription as (
  id text, status text, price_id uuid, scheduled_price_id uuid, quantity int, scheduled_quantity int, trial_ends_at timestamptz, anchor_at timestamptz,
  period_started_at timestamptz, period_ends_at timestamptz, cancel_at_period_end boolean, canceled_at timestamptz, ended_at timestamptz,
  created_at timestamptz
);
create type app_private.stripe_invoice as (
  id text, subscription_id text, number text, url text, status text, currency text, total bigint, lines jsonb, period_starts_at timestamptz,
  period_ends_at timestamptz, due_at timestamptz, paid_at timestamptz, created_at timestamptz
);

/* Keeps the customer that Stripe has made for the request's organization, and returns the one that it has: the first. */
create function app.keep_stripe_customer(p_worker_keys bytea, p_customer_id text) returns text
language plpgsql volatile security definer set search_path = '' as $$
begin
  perform app_private.prove_worker(p_worker_keys);
  perform app_private.hold_organization('billing:write');
  update public.stripe_customers c
     set customer_id = coalesce(c.customer_id, p_customer_id), due_at = coalesce(c.due_at, pg_catalog.now() + interval '1 day')
   where c.organization_id = app.org_id();
  return (select c.customer_id from public.stripe_customers c where c.organization_id = app.org_id());
end
$$;

/* Keeps where the request's organization can pay, and returns its subscription: APCHK where another checkout was begun meanwhile,
   or the organization has a subscription by now. */
create function app.keep_stripe_checkout(p_worker_keys bytea, p_checkout int, p_session_id text, p_url text, p_expires_at timestamptz)
returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
begin
  perform app_private.prove_worker(p_worker_keys);
  perform app_private.hold_organization('billing:write');
  update public.stripe_customers c
     set checkout_session_id = p_session_id, checkout_url = p_url, checkout_expires_at = p_expires_at
   where c.organization_id = app.org_id() and c.checkouts = p_checkout
     and not exists (select from public.subscriptions s where s.organization_id = c.organization_id and s.ended_at is null);
  if not found then
    raise exception 'not the checkout that was begun last' using errcode = 'APCHK';
  end if;
  return app_private.subscription_json(app.org_id());
end
$$;

/* The customer of the request's organization, for whoever may change what it pays for: APNSU where there is none. */
create function app.stripe_customer() returns text
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_customer_id text;
begin
  perform app_private.hold_organization('billing:write');
  select c.customer_id into v_customer_id from public.stripe_customers c where c.organization_id = app.org_id();
  if v_customer_id is null then
    raise exception 'no customer of Stripe''s' using errcode = 'APNSU';
  end if;
  return v_customer_id;
end
$$;

/* The subscription of the request's organization, or that Stripe is to be asked for it, where there is a customer. */
create function app.refresh_subscription() returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
begin
  perform app_private.hold_organization('billing:write');
  if exists (select from public.stripe_customers c where c.organization_id = app.org_id() and c.customer_id is not null) then
    return app_private.ask_stripe(app.org_id(), '{}');
  end if;
  return app_private.subscription_json(app.org_id());
end
$$;

/* Takes an event for a minute. `outcome` is 'claimed', with a ticket; 'processing' while somebody else has it, 'done' once somebody
   had, and 'ignored' of nobody's that is known here. APWRK from anybody but the Worker. */
create function app.claim_stripe_event(p_worker_keys bytea, p_id text, p_type text, p_customer_id text) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_ticket bigint;
begin
  perform app_private.prove_worker(p_worker_keys);
  insert into public.stripe_events as e (id, type, status, leased_until)
  values (p_id, p_type, 'processing', pg_catalog.now() + interval '1 minute')
  on conflict (id) do update set status = 'processing', attempts = e.attempts + 1, leased_until = excluded.leased_until
   where e.status = 'failed' or e.leased_until <= pg_catalog.now();
  if not found then
    return pg_catalog.jsonb_build_object('outcome', (
      select case e.status when 'processing' then 'processing' else 'done' end from public.stripe_events e where e.id = p_id));
  end if;
  update public.stripe_customers c set ticket = c.ticket + 1 where c.customer_id = p_customer_id returning c.ticket into v_ticket;
  if v_ticket is null then
    update public.stripe_events e set status = 'ignored', leased_until = null where e.id = p_id;
  end if;
  return pg_catalog.jsonb_build_object('outcome', case when v_ticket is null then 'ignored' else 'claimed' end, 'ticket', v_ticket);
end
$$;

/* Lets go of an event that nothing came of, for the next time that Stripe tells of it. APWRK as above. */
create function app.fail_stripe_event(p_worker_keys bytea, p_id text) returns void
language plpgsql volatile security definer set search_path = '' as $$
begin
  perform app_private.prove_worker(p_worker_keys);
  update public.stripe_events e set status = 'failed', leased_until = null where e.id = p_id and e.status = 'processing';
end
$$;

/* Tickets for customers that are to be looked at, for this caller alone for five minutes at least; and of such whose organization is deleted, or
   gone, the checkout that nobody is to pay any more. APWRK as above. */
create function app.due_stripe_customers(p_worker_keys bytea, p_limit int)
returns table (customer_id text, ticket bigint, ended_session_id text)
language plpgsql volatile security definer set search_path = '' as $$
begin
  perform app_private.prove_worker(p_worker_keys);
  return query
    update public.stripe_customers c
       set ticket = c.ticket + 1, looks = c.looks + 1,
           -- Twice as long with each look that came to nothing, and hours at most.
           due_at = pg_catalog.now() + interval '5 minutes' * pg_catalog.power(2, least(c.looks, 6))
     where c.id = any (array(
             select d.id from public.stripe_customers d
              where d.due_at <= pg_catalog.now() and d.customer_id is not null order by d.due_at limit p_limit for no key update skip locked))
    returning c.customer_id, c.ticket, case
      when not exists (select from public.organizations o where o.id = c.organization_id and o.deleted_at is null) then c.checkout_session_id end;
end
$$;

/* Has these looked at with the next minute: Stripe could not tell of them. Returns how many are known here. APWRK as above. */
create function app.hasten_stripe_customers(p_worker_keys bytea, p_customer_ids text[]) returns int
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_count int;
begin
  perform app_private.prove_worker(p_worker_keys);
  update public.stripe_customers c set due_at = least(c.due_at, pg_catalog.now()) where c.customer_id = any (p_customer_ids);
  get diagnostics v_count = row_count;
  return v_count;
end
$$;

/* Whether a subscription has ended, as Stripe names what it is. */
create function app_private.is_ended(p_status text) returns boolean
language sql immutable set search_path = ''
return p_status in ('incomplete_expired', 'canceled');

/* Writes the subscriptions that Stripe has of an organization, which the caller holds: those that are known here; what has ended;
   and where none lives, the first that does and is to a price of ours. */
create function app_private.write_stripe_subscriptions(p_organization_id uuid, p_subscriptions app_private.stripe_subscription[]) returns void
language plpgsql volatile set search_path = '' as $$
begin
  update public.subscriptions s
     set status = n.status, price_id = n.price_id, scheduled_price_id = n.scheduled_price_id, quantity = n.quantity,
         trial_ends_at = n.trial_ends_at, anchor_at = n.anchor_at, period_started_at = n.period_started_at, period_ends_at = n.period_ends_at,
         grace_ends_at = n.grace_ends_at, cancel_at_period_end = n.cancel_at_period_end, canceled_at = n.canceled_at, ended_at = n.ended_at
    from public.subscriptions o
    join pg_catalog.unnest(p_subscriptions) g on g.id = o.provider_id
    left join public.plan_prices i on i.id = g.price_id
    left join public.plan_prices l on l.id = g.scheduled_price_id
    cross join lateral (
      select g.status, coalesce(i.id, o.price_id) as price_id,
             case when not app_private.is_ended(g.status) and not g.cancel_at_period_end then l.id end as scheduled_price_id,
             g.quantity, g.trial_ends_at, g.anchor_at, g.period_started_at, g.period_ends_at,
             case when g.status = 'past_due' then coalesce(o.grace_ends_at, pg_catalog.now() + app_private.grace_period()) end as grace_ends_at,
             g.cancel_at_period_end, g.canceled_at,
             case when app_private.is_ended(g.status) then coalesce(o.ended_at, g.ended_at, pg_catalog.now()) end as ended_at) n
   where s.organization_id = p_organization_id and o.organization_id = s.organization_id and o.id = s.id
     and (s.status, s.price_id, s.scheduled_price_id, s.quantity, s.trial_ends_at, s.anchor_at, s.period_started_at, s.period_ends_at,
          s.grace_ends_at, s.cancel_at_period_end, s.canceled_at, s.ended_at) is distinct from
         (n.status, n.price_id, n.scheduled_price_id, n.quantity, n.trial_ends_at, n.anchor_at, n.period_started_at, n.period_ends_at,
          n.grace_ends_at, n.cancel_at_period_end, n.canceled_at, n.ended_at);
  -- What Stripe does not have any more.
  update public.subscriptions s
     set status = case s.status when 'incomplete' then 'incomplete_expired' else 'canceled' end, ended_at = pg_catalog.now(),
         scheduled_price_id = null
   where s.organization_id = p_organization_id and s.provider = 'stripe' and s.ended_at is null
     and not exists (select from pg_catalog.unnest(p_subscriptions) g where g.id = s.provider_id);
  insert into public.subscriptions
    (organization_id, id, price_id, scheduled_price_id, provider, provider_id, status, quantity, trial_ends_at, anchor_at, period_started_at,
     period_ends_at, grace_ends_at, cancel_at_period_end, canceled_at, ended_at)
  select p_organization_id, uuidv7(), i.id, case when not app_private.is_ended(g.status) and not g.cancel_at_period_end then l.id end, 'stripe',
         g.id, g.status, g.quantity, g.trial_ends_at, g.anchor_at, g.period_started_at, g.period_ends_at,
         case when g.status = 'past_due' then pg_catalog.now() + app_private.grace_period() end, g.cancel_at_period_end,
         g.canceled_at, case when app_private.is_ended(g.status) then coalesce(g.ended_at, pg_catalog.now()) end
    from pg_catalog.unnest(p_subscriptions) g
    join public.plan_prices i on i.id = g.price_id
    left join public.plan_prices l on l.id = g.scheduled_price_id
   where not exists (select from public.subscriptions s where s.provider_id = g.id)
     and (app_private.is_ended(g.status) or g.id = (
           select f.id from pg_catalog.unnest(p_subscriptions) f join public.plan_prices h on h.id = f.price_id
            where not app_private.is_ended(f.status)
              and not exists (select from public.subscriptions s where s.organization_id = p_organization_id and s.ended_at is null)
            -- Whatever is paid for before what is not, and then the first.
            order by f.status = 'incomplete', f.created_at, f.id limit 1))
   order by g.created_at, g.id;
  update public.stripe_customers c
     set checkout_price_id = null, checkout_session_id = null, checkout_url = null, checkout_expires_at = null
   where c.organization_id = p_organization_id and c.checkout_price_id is not null
     and exists (select from public.subscriptions s where s.organization_id = p_organization_id and s.ended_at is null);
end
$$;

/* Writes the invoices that Stripe has of the subscriptions that are known here. */
create function app_private.write_stripe_invoices(p_organization_id uuid, p_invoices app_private.stripe_invoice[]) returns void
language plpgsql volatile set search_path = '' as $$
begin
  update public.invoices n
     set status = g.status, total = g.total, lines = g.lines, provider_number = g.number, url = g.url, due_at = g.due_at, paid_at = g.paid_at
    from pg_catalog.unnest(p_invoices) g
   where n.organization_id = p_organization_id and n.provider_id = g.id
     and (n.status, n.total, n.lines, n.provider_number, n.url, n.due_at, n.paid_at) is distinct from
         (g.status, g.total, g.lines, g.number, g.url, g.due_at, g.paid_at);
  insert into public.invoices
    (organization_id, id, subscription_id, number, provider_id, provider_number, url, status, currency, total, lines, period_starts_at,
     period_ends_at, due_at, paid_at)
  select p_organization_id, uuidv7(), s.id,
         coalesce((select pg_catalog.max(n.number) from public.invoices n where n.organization_id = p_organization_id), 0)
           + pg_catalog.row_number() over (order by g.created_at, g.id),
         g.id, g.number, g.url, g.status, g.currency, g.total, g.lines, g.period_starts_at, g.period_ends_at, g.due_at, g.paid_at
    from pg_catalog.unnest(p_invoices) g
    join public.subscriptions s on s.organization_id = p_organization_id and s.provider_id = g.subscription_id
   where not exists (select from public.invoices n where n.provider_id = g.id);
end
$$;

/* What Stripe is to be told, once its subscriptions are written: those to a price of ours beside the one that lives are to be canceled;
   that one is to end with its period, where the organization is deleted, and else to have as many seats as there are members, now and
   with the next period. Null for nothing. */
create function app_private.stripe_todo(p_organization_id uuid, p_subscriptions app_private.stripe_subscription[]) returns jsonb
language sql stable set search_path = '' as $$
  select nullif(pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object(
    -- What has ended is written, and what another provider collects for has no id.
    'cancel', (select pg_catalog.jsonb_agg(g.id order by g.id) from pg_catalog.unnest(p_subscriptions) g join public.plan_prices i on i.id = g.price_id
                where not exists (select from public.subscriptions s where s.provider_id = g.id)),
    'end', (select s.provider_id from public.subscriptions s join public.organizations o on o.id = s.organization_id
             where s.organization_id = p_organization_id and s.ended_at is null and not s.cancel_at_period_end and o.deleted_at is not null),
    'seats', (select pg_catalog.jsonb_build_object('subscriptionId', s.provider_id, 'quantity', m.seats, 'scheduledQuantity', m.scheduled_seats)
                from public.subscriptions s join public.organizations o on o.id = s.organization_id
                join pg_catalog.unnest(p_subscriptions) g on g.id = s.provider_id
                cross join lateral (
                  select app_private.seats(s.organization_id, s.price_id), app_private.seats(s.organization_id, s.scheduled_price_id)
                  -- Counted once.
                  offset 0) m (seats, scheduled_seats)
               where s.organization_id = p_organization_id and s.status in ('trialing', 'active', 'past_due') and o.deleted_at is null
                 and (s.quantity <> m.seats or g.scheduled_quantity <> m.scheduled_seats)))), '{}')
$$;

/* What Stripe is to be told of a customer whose organization is gone: to cancel all that lives. Null for nothing. */
create function app_private.stripe_ending(p_subscriptions app_private.stripe_subscription[]) returns jsonb
language sql immutable set search_path = '' as $$
  select pg_catalog.jsonb_build_object('cancel', pg_catalog.jsonb_agg(g.id order by g.id))
    from pg_catalog.unnest(p_subscriptions) g where not app_private.is_ended(g.status) having pg_catalog.count(*) > 0
$$;

/* Writes what Stripe has of a customer, as it was asked for with a ticket, and settles the event that told of it. Returns whether it
   was in time, the organization's subscription, and what Stripe is to be told. APWRK from anybody but the Worker. */
create function app.apply_stripe_state(p_worker_keys bytea, p_customer_id text, p_ticket bigint, p_state jsonb, p_event_id text default null)
returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_id uuid;
  v_customer public.stripe_customers;
  v_subscriptions app_private.stripe_subscription[] := array(
    select s from pg_catalog.jsonb_populate_recordset(null::app_private.stripe_subscription, p_state -> 'subscriptions') s);
  v_is_in_time boolean;
  v_todo jsonb;
begin
  perform app_private.prove_worker(p_worker_keys);
  v_id := (select c.organization_id from public.stripe_customers c where c.customer_id = p_customer_id);
  -- Before all else, as whoever adds members or subscribes holds it.
  perform from public.organizations o where o.id = v_id for no key update;
  -- Before the customer, as whoever claims an event does.
  update public.stripe_events e set status = 'done', leased_until = null where e.id = p_event_id and e.status = 'processing';
  update public.stripe_customers c
     set applied_ticket = p_ticket, looks = 0, due_at = pg_catalog.now() + interval '1 day',
         checkout_session_id = nullif(c.checkout_session_id, p_state ->> 'endedSessionId')
   where c.customer_id = p_customer_id and c.applied_ticket < p_ticket and p_ticket <= c.ticket
  returning c.* into v_customer;
  v_is_in_time := found;
  if v_is_in_time then
    if v_id is null then
      v_todo := app_private.stripe_ending(v_subscriptions);
    else
      perform app_private.write_stripe_subscriptions(v_id, v_subscriptions);
      perform app_private.write_stripe_invoices(v_id, array(
        select n from pg_catalog.jsonb_populate_recordset(null::app_private.stripe_invoice, p_state -> 'invoices') n));
      v_todo := app_private.stripe_todo(v_id, v_subscriptions);
    end if;
    if v_todo is not null or v_id is null and v_customer.checkout_session_id is not null then
      -- Until Stripe has agreed.
      update public.stripe_customers c set due_at = pg_catalog.now() + interval '5 minutes' where c.id = v_customer.id;
    elsif v_id is null then
      delete from public.stripe_customers c where c.id = v_customer.id;
    elsif (p_state ->> 'isGone')::boolean then
      -- The next checkout makes another one.
      update public.stripe_customers c
         set customer_id = null, due_at = null, checkout_price_id = null, checkout_session_id = null, checkout_url = null, checkout_expires_at = null
       where c.id = v_customer.id;
    end if;
  end if;
  return pg_catalog.jsonb_build_object('isInTime', v_is_in_time, 'todo', v_todo,
                                       'subscription', case when v_id is not null then app_private.subscription_json(v_id) end);
end
$$;

/* As app_definer, whoever deletes an organization: what it pays for is to be canceled, and is nobody's else. */
create function app_private.outlive_organization() returns trigger
language plpgsql volatile security definer set search_path = '' as $$
begin
  if new.customer_id is null then
    delete from public.stripe_customers c where c.id = new.id;
  else
    update public.stripe_customers c set due_at = pg_catalog.now() where c.id = new.id;
  end if;
  return null;
end
$$;

/* As app_definer, whoever adds or removes members: Stripe is to be told of their number. */
create function app_private.follow_seats() returns trigger
language plpgsql volatile security definer set search_path = '' as $$
begin
  update public.stripe_customers c set due_at = pg_catalog.now()
   -- As an array, and with an OFFSET, so that no plan reads all customers or subscriptions.
   where c.organization_id = any (array(select distinct m.organization_id from changed m)) and c.due_at > pg_catalog.now()
     and exists (select from public.subscriptions s join public.plan_prices i on i.id = s.price_id
                  where s.organization_id = c.organization_id and s.provider = 'stripe' and s.ended_at is null and i.per_seat offset 0);
  return null;
end
$$;

/* An invoice, as the platform's administrators see it. Without a search_path of its own, so that it is inlined. */
create function app_private.invoice_json(p_invoice public.invoices) returns jsonb
language sql stable
return pg_catalog.jsonb_build_object(
  'id', p_invoice.id, 'organizationId', p_invoice.organization_id, 'subscriptionId', p_invoice.subscription_id,
  'priceId', p_invoice.price_id, 'number', p_invoice.number, 'providerNumber', p_invoice.provider_number, 'url', p_invoice.url,
  'status', p_invoice.status, 'currency', p_invoice.currency, 'total', p_invoice.total, 'lines', p_invoice.lines,
  'periodStart', app_private.iso_instant(p_invoice.period_starts_at), 'periodEnd', app_private.iso_instant(p_invoice.period_ends_at),
  'dueAt', app_private.iso_instant(p_invoice.due_at), 'paidAt', app_private.iso_instant(p_invoice.paid_at),
  'paymentReference', p_invoice.payment_reference, 'createdAt', app_private.iso_instant(p_invoice.created_at));

grant execute on all functions in schema app to app_user;
-- The owner too: a Worker given its URL by mistake must be able to call app.admit, which fences it.
do $$
begin
  execute format('grant execute on all functions in schema app to %I',
                 (select pg_get_userbyid(nspowner) from pg_namespace where nspname = 'app'));
  -- To make the triggers below of it.
  execute format('grant execute on function app_private.audit_rows(), app_private.audit_change(), app_private.enroll(), app_private.index_members(), app_private.index_person(), app_private.keep_slug(), app_private.refuse_known_id(), app_private.switch_webhooks(), app_private.refuse_impersonator(), app_private.refuse_impersonator_elsewhere(), app_private.follow_seats(), app_private.outlive_organization() to %I',
                 (select pg_get_userbyid(nspowner) from pg_namespace where nspname = 'app'));
end
$$;

grant execute on function app.platform_admin_id(), app_private.record_impersonation(uuid, uuid, text, timestamptz),
  app_private.record_plan(text, uuid, jsonb, jsonb), app_private.plans_json(uuid[]), app_private.add_plan(jsonb, text),
  app_private.hold_plan(uuid), app_private.changed_members(jsonb, jsonb), app_private.iso_instant(timestamptz),
  app_private.invoice_json(public.invoices), app_private.period_after(timestamptz, text, timestamptz), app_private.seats(uuid, uuid),
  app_private.is_counted_per(text, text), app_private.correct_usage(uuid, jsonb, text, jsonb) to app_platform;

reset role;

-- ── Platform administration ──────────────────────────────────────────────────────────────────────
-- Functions of a role of their own, which row security holds too: its policies show a row to nobody but an administrator
-- whom app.admit_platform_admin has let in, whoever calls a function, and whatever is wrong with it.

grant select on platform_admins to app_platform;
grant select (id, email, email_verified_at, name, created_at, suspended_at, suspension_reason), update (suspended_at, suspension_reason)
  on users to app_platform;
grant select (id, slug, name, created_at, deleted_at, suspended_at, suspension_reason), update (suspended_at, suspension_reason)
  on organizations to app_platform;
grant select (organization_id, user_id) on memberships to app_platform;
grant select (organization_id, user_id, role) on membership_roles to app_platform;
grant select (id, user_id, created_at, expires_at, revoked_at, impersonator_id, impersonation_reason), update (revoked_at) on sessions to app_platform;
grant insert (id, user_id, handle_hash, second_factor, idle_expires_at, expires_at, impersonator_id, impersonation_reason)
  on sessions to app_platform;
grant select on features to app_platform;
grant select, insert on plans, plan_prices, plan_features to app_platform;
grant update (name, description, is_public, position, archived_at) on plans to app_platform;

grant select, update (price_id, quantity, status, anchor_at, period_started_at, period_ends_at, grace_ends_at, due_at) on subscriptions to app_platform;
grant select, update (status, paid_at, payment_reference, period_starts_at, period_ends_at) on invoices to app_platform;

create policy "Administrators know each other" on platform_admins for select to app_platform
  using ((select app.platform_admin_id()) is not null);
create policy "Administrators read accounts" on users for select to app_platform
  using ((select app.platform_admin_id()) is not null);
create policy "Administrators suspend accounts, and none of their own" on users for update to app_platform
  using ((select app.platform_admin_id()) is not null and not exists (select from platform_admins a where a.user_id = users.id));
create policy "Administrators read organizations" on organizations for select to app_platform
  using ((select app.platform_admin_id()) is not null);
create policy "Administrators suspend organizations" on organizations for update to app_platform
  using ((select app.platform_admin_id()) is not null);
create policy "Administrators see who is in which organization" on memberships for select to app_platform
  using ((select app.platform_admin_id()) is not null);
create policy "Administrators see members' roles" on membership_roles for select to app_platform
  using ((select app.platform_admin_id()) is not null);
create policy "Administrators see sessions" on sessions for select to app_platform
  using ((select app.platform_admin_id()) is not null);
create policy "Administrators act as people other than themselves" on sessions for insert to app_platform
  with check (impersonator_id = (select app.platform_admin_id())
              and not exists (select from platform_admins a where a.user_id = sessions.user_id));
create policy "Administrators end sessions" on sessions for update to app_platform
  using ((select app.platform_admin_id()) is not null) with check ((select app.platform_admin_id()) is not null and revoked_at is not null);
create policy "Administrators know what plans are made of" on features for select to app_platform
  using ((select app.platform_admin_id()) is not null);
create policy "Administrators read plans" on plans for select to app_platform
  using ((select app.platform_admin_id()) is not null);
create policy "Administrators add plans of their own" on plans for insert to app_platform
  with check ((select app.platform_admin_id()) is not null and managed_by = 'platform' and not is_default);
create policy "Administrators show and archive plans of their own" on plans for update to app_platform
  using ((select app.platform_admin_id()) is not null and managed_by = 'platform');
create policy "Administrators read prices" on plan_prices for select to app_platform
  using ((select app.platform_admin_id()) is not null);
create policy "Administrators price plans of their own from the first" on plan_prices for insert to app_platform
  with check ((select app.platform_admin_id()) is not null and exists (
    select from plans p where p.id = plan_prices.plan_id and p.managed_by = 'platform' and p.created_at = now()::timestamptz(3)));
create policy "Administrators read what plans have" on plan_features for select to app_platform
  using ((select app.platform_admin_id()) is not null);
create policy "Administrators read subscriptions" on subscriptions for select to app_platform
  using ((select app.platform_admin_id()) is not null);
create policy "Administrators move what is paid for" on subscriptions for update to app_platform
  using ((select app.platform_admin_id()) is not null) with check ((select app.platform_admin_id()) is not null and status = 'active');
create policy "Administrators read invoices" on invoices for select to app_platform
  using ((select app.platform_admin_id()) is not null);
create policy "Administrators note what was paid" on invoices for update to app_platform
  using ((select app.platform_admin_id()) is not null) with check ((select app.platform_admin_id()) is not null and status = 'paid');
create policy "Administrators say from the first what plans of their own have" on plan_features for insert to app_platform
  with check ((select app.platform_admin_id()) is not null and exists (
    select from plans p where p.id = plan_features.plan_id and p.managed_by = 'platform' and p.created_at = now()::timestamptz(3)));

set local role app_platform;

/* Accounts in the order of their addresses, after p_after: those that begin with p_email, or of them the suspended ones. */
create function app.platform_users(p_email text, p_suspended boolean, p_after text, p_limit int)
returns setof app_private.platform_user
-- Planned for what is asked, so that the suspended ones are found by their own index.
language plpgsql stable security definer set search_path = '' set plan_cache_mode = force_custom_plan as $$
begin
  return query
    select u.id, u.email, u.email_verified_at is not null, u.name, u.created_at, u.suspended_at, u.suspension_reason
      from public.users u
     where (not p_suspended or u.suspended_at is not null)
       and u.email operator(pg_catalog.~>~) p_after
       and u.email operator(pg_catalog.~>=~) p_email and u.email operator(pg_catalog.~<~) (p_email || pg_catalog.chr(1114111))
     order by u.email using operator(pg_catalog.~<~) limit p_limit;
end
$$;

/* AP404 for none. */
create function app.platform_user(p_id uuid) returns app_private.platform_user
language plpgsql stable security definer set search_path = '' as $$
declare
  v_user app_private.platform_user;
begin
  select u.id, u.email, u.email_verified_at is not null, u.name, u.created_at, u.suspended_at, u.suspension_reason into v_user
    from public.users u where u.id = p_id;
  if v_user.id is null then
    raise exception 'no such account' using errcode = 'AP404';
  end if;
  return v_user;
end
$$;

/* Where somebody is a member, and with which roles: the first 100, the newest first. */
create function app.platform_user_organizations(p_user_id uuid) returns table (id uuid, slug text, name text, roles text[])
language sql stable security definer set search_path = '' as $$
  select o.id, o.slug, o.name,
         array(select r.role from public.membership_roles r where r.organization_id = o.id and r.user_id = p_user_id order by r.role)
    from public.organizations o
   where o.id = any (array(select m.organization_id from public.memberships m where m.user_id = p_user_id
                            order by m.organization_id desc limit 100))
   order by o.id desc
$$;

/* Ends somebody's sessions, and lets none begin, until it is taken back; what stands already stays, with its reason. AP404 for
   nobody, APADM for an administrator. */
create function app.suspend_user(p_id uuid, p_reason text) returns void
language plpgsql volatile security definer set search_path = '' as $$
begin
  perform app.platform_user(p_id);
  update public.users u
     set suspension_reason = case when u.suspended_at is null then p_reason else u.suspension_reason end,
         suspended_at = coalesce(u.suspended_at, pg_catalog.now())
   where u.id = p_id;
  if not found then
    raise exception 'an administrator' using errcode = 'APADM';
  end if;
  update public.sessions s set revoked_at = pg_catalog.now() where s.user_id = p_id and s.revoked_at is null;
end
$$;

/* AP404 for nobody. */
create function app.unsuspend_user(p_id uuid) returns void
language plpgsql volatile security definer set search_path = '' as $$
begin
  perform app.platform_user(p_id);
  update public.users u set suspended_at = null, suspension_reason = null where u.id = p_id;
end
$$;

/* Organizations in the order of their slugs, as accounts above: deleted ones too, until they are purged. */
create function app.platform_organizations(p_slug text, p_suspended boolean, p_after text, p_limit int)
returns setof app_private.platform_organization
-- Planned for what is asked, so that the suspended ones are found by their own index.
language plpgsql stable security definer set search_path = '' set plan_cache_mode = force_custom_plan as $$
begin
  return query
    select o.id, o.slug, o.name, o.created_at, o.deleted_at, o.suspended_at, o.suspension_reason
      from public.organizations o
     where (not p_suspended or o.suspended_at is not null)
       and o.slug operator(pg_catalog.~>~) p_after
       and o.slug operator(pg_catalog.~>=~) p_slug and o.slug operator(pg_catalog.~<~) (p_slug || pg_catalog.chr(1114111))
     order by o.slug using operator(pg_catalog.~<~) limit p_limit;
end
$$;

/* AP404 for none. */
create function app.platform_organization(p_id uuid) returns app_private.platform_organization
language plpgsql stable security definer set search_path = '' as $$
declare
  v_organization app_private.platform_organization;
begin
  select o.id, o.slug, o.name, o.created_at, o.deleted_at, o.suspended_at, o.suspension_reason into v_organization
    from public.organizations o where o.id = p_id;
  if v_organization.id is null then
    raise exception 'no such organization' using errcode = 'AP404';
  end if;
  return v_organization;
end
$$;

/* The first 100 owners of an organization. */
create function app.platform_organization_owners(p_organization_id uuid) returns table (id uuid, email text, name text)
language sql stable security definer set search_path = '' as $$
  select u.id, u.email, u.name
    from public.users u
   where u.id = any (array(select r.user_id from public.membership_roles r
                            where r.organization_id = p_organization_id and r.role = 'owner' order by r.user_id limit 100))
   order by u.id
$$;

/* Lets nobody into an organization until it is taken back. As app.suspend_user. */
create function app.suspend_organization(p_id uuid, p_reason text) returns void
language plpgsql volatile security definer set search_path = '' as $$
begin
  perform app.platform_organization(p_id);
  update public.organizations o set suspended_at = pg_catalog.now(), suspension_reason = p_reason
   where o.id = p_id and o.suspended_at is null;
end
$$;

/* AP404 for none. */
create function app.unsuspend_organization(p_id uuid) returns void
language plpgsql volatile security definer set search_path = '' as $$
begin
  perform app.platform_organization(p_id);
  update public.organizations o set suspended_at = null, suspension_reason = null where o.id = p_id and o.suspended_at is not null;
end
$$;

/* Begins a session in which the administrator acts as somebody, for an hour at most; returns when it ends. AP404 for nobody,
   APADM for an administrator, APUSU for whoever is suspended. */
create function app.impersonate(p_user_id uuid, p_session_id uuid, p_handle bytea, p_reason text, p_lifetime interval) returns timestamptz
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_expires_at timestamptz := pg_catalog.now() + least(p_lifetime, interval '1 hour');
  v_suspended_at timestamptz;
begin
  perform app.platform_user(p_user_id);
  -- Held, as a sign-in holds it: one that waits here for a suspension finds it.
  select u.suspended_at into v_suspended_at from public.users u where u.id = p_user_id for no key update;
  if not found then
    raise exception 'an administrator' using errcode = 'APADM';
  end if;
  if v_suspended_at is not null then
    raise exception 'the account is suspended' using errcode = 'APUSU';
  end if;
  insert into public.sessions (id, user_id, handle_hash, second_factor, idle_expires_at, expires_at, impersonator_id, impersonation_reason)
  values (p_session_id, p_user_id, pg_catalog.sha256(p_handle), 'given', v_expires_at, v_expires_at, app.platform_admin_id(), p_reason);
  perform app_private.record_impersonation(p_user_id, p_session_id, p_reason, v_expires_at);
  return v_expires_at;
end
$$;

/* Sessions in which somebody acts, or acted, as somebody else, until 30 days after their end: the newest first, before p_before. */
create function app.platform_impersonations(p_before uuid, p_limit int)
returns table (id uuid, user_id uuid, impersonator_id uuid, reason text, created_at timestamptz, expires_at timestamptz, revoked_at timestamptz)
language sql stable security definer set search_path = '' as $$
  select s.id, s.user_id, s.impersonator_id, s.impersonation_reason, s.created_at, s.expires_at, s.revoked_at
    from public.sessions s
   where s.impersonator_id is not null and s.id < coalesce(p_before, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
   order by s.id desc limit p_limit
$$;

/* AP404 for none. */
create function app.end_impersonation(p_id uuid) returns void
language plpgsql volatile security definer set search_path = '' as $$
begin
  update public.sessions s set revoked_at = coalesce(s.revoked_at, pg_catalog.now()) where s.id = p_id and s.impersonator_id is not null;
  if not found then
    raise exception 'no such impersonation' using errcode = 'AP404';
  end if;
end
$$;

/* All versions of all plans, or of one, the newest first, before p_before. */
create function app.platform_plans(p_key text, p_before uuid, p_limit int) returns table (id uuid, plan jsonb)
-- Planned for what is asked, so that those of a key are found by its index.
language plpgsql stable security definer set search_path = '' set plan_cache_mode = force_custom_plan as $$
begin
  return query
    select j.id, j.plan
      from app_private.plans_json(array(
             select p.id from public.plans p
              where (p_key is null or p.key = p_key) and p.id < coalesce(p_before, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
              order by p.id desc limit p_limit)) j
     order by j.id desc;
end
$$;

/* Adds a plan, or another version of it, as app_private.plans_json writes it, and returns it so. AP404 for nobody at work,
   APPLF where one of src/plans.ts is sold under its key, APFEA for a feature that src/plans.ts does not have, or has
   in another kind, or for other periods. */
create function app.create_plan(p_plan jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_id uuid;
  v_plan jsonb;
  v_replaced_id uuid;
begin
  if app.platform_admin_id() is null then
    raise exception 'for administrators alone' using errcode = 'AP404';
  end if;
  perform pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended('plans', 0));
  if exists (select from public.plans p where p.key = p_plan ->> 'key' and p.archived_at is null and p.managed_by = 'file') then
    raise exception 'the plan is of src/plans.ts' using errcode = 'APPLF';
  end if;
  if exists (select from pg_catalog.jsonb_to_recordset(p_plan -> 'features') a (key text, kind text, per text)
              where not exists (select from public.features f where f.key = a.key and f.kind = a.kind and f.archived_at is null
                                   and app_private.is_counted_per(f.reset, a.per) is not false)) then
    raise exception 'no such feature' using errcode = 'APFEA';
  end if;
  select p.id into v_replaced_id from public.plans p where p.key = p_plan ->> 'key' and p.archived_at is null;
  select a.id into v_id from app_private.add_plan(p_plan || '{"isDefault": false}', 'platform') a;
  select j.plan into v_plan from app_private.plans_json(array[v_id]) j;
  if v_replaced_id is not null then
    perform app_private.record_plan('plan.archived', v_replaced_id, null, null);
  end if;
  perform app_private.record_plan('plan.created', v_id, null, v_plan - '{id,isDefault,managedBy,createdAt,archivedAt}'::text[]);
  return v_plan;
end
$$;

/* Shows a plan otherwise: p_changes has its name, description, isPublic and position, or some of them. As app_private.hold_plan. */
create function app.update_plan(p_id uuid, p_changes jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_before jsonb := app_private.hold_plan(p_id);
  v_after jsonb;
begin
  update public.plans p
     set name = coalesce(p_changes ->> 'name', p.name), description = coalesce(p_changes ->> 'description', p.description),
         is_public = coalesce((p_changes ->> 'isPublic')::boolean, p.is_public),
         position = coalesce((p_changes ->> 'position')::int, p.position)
   where p.id = p_id;
  select j.plan into v_after from app_private.plans_json(array[p_id]) j;
  if v_after <> v_before then
    perform app_private.record_plan('plan.updated', p_id, app_private.changed_members(v_before, v_after), app_private.changed_members(v_after, v_before));
  end if;
  return v_after;
end
$$;

/* Lets events of an organization's usage count by other values, or no longer, with what p_refusals says of those that cannot: what became
   of each, and what was used of their meters. AP404 for no such organization. */
create function app.correct_usage(p_organization_id uuid, p_corrections jsonb, p_reason text, p_refusals jsonb) returns jsonb
language sql volatile security definer set search_path = '' as $$
  select app_private.correct_usage(p_organization_id, p_corrections, p_reason, p_refusals)
$$;

/* Sells a plan no longer; who has it keeps it. One that is archived stays so. As app_private.hold_plan. */
create function app.archive_plan(p_id uuid) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
begin
  perform app_private.hold_plan(p_id);
  update public.plans p set archived_at = pg_catalog.now() where p.id = p_id and p.archived_at is null;
  if found then
    perform app_private.record_plan('plan.archived', p_id, null, null);
  end if;
  return (select j.plan from app_private.plans_json(array[p_id]) j);
end
$$;

/* Invoices of all organizations, or of one, the newest first, before p_before; with p_is_open those alone that are to be paid. */
create function app.platform_invoices(p_organization_id uuid, p_is_open boolean, p_before uuid, p_limit int)
returns table (id uuid, invoice jsonb)
-- Planned for what is asked: each of the filters has an index of its own.
language plpgsql stable security definer set search_path = '' set plan_cache_mode = force_custom_plan as $$
begin
  return query
    select n.id, app_private.invoice_json(n)
      from public.invoices n
     where (p_organization_id is null or n.organization_id = p_organization_id) and (not p_is_open or n.status = 'open')
       and n.id < coalesce(p_before, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
     order by n.id desc limit p_limit;
end
$$;

/* Notes that an invoice was paid, and returns it. What it was for begins with its first payment, and goes on once nothing is
   open; to another price it moves now, and begins a period where that is of another interval. AP404 for none, APINV for one
   that is not open, or that a provider collects. */
create function app.pay_invoice(p_id uuid, p_reference text) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_subscription public.subscriptions;
  v_invoice public.invoices;
begin
  -- In the order of all who hold both.
  select s.* into v_subscription from public.subscriptions s
   where (s.organization_id, s.id) = (select n.organization_id, n.subscription_id from public.invoices n where n.id = p_id)
     for no key update;
  if not found then
    raise exception 'no such invoice' using errcode = 'AP404';
  end if;
  update public.invoices n set status = 'paid', paid_at = pg_catalog.now(), payment_reference = p_reference
   where n.id = p_id and n.status = 'open' and n.provider_id is null
  returning n.* into v_invoice;
  if not found then
    raise exception 'not to be paid' using errcode = 'APINV';
  end if;
  if v_invoice.price_id is not null then
    update public.subscriptions s
       set price_id = v_invoice.price_id, quantity = app_private.seats(s.organization_id, v_invoice.price_id)
     where s.organization_id = v_subscription.organization_id and s.id = v_subscription.id;
  end if;
  if v_subscription.status = 'incomplete'
     or (select i.interval from public.plan_prices i where i.id = v_invoice.price_id)
        <> (select i.interval from public.plan_prices i where i.id = v_subscription.price_id) then
    update public.subscriptions s
       set status = 'active', anchor_at = pg_catalog.now(), period_started_at = pg_catalog.now(), due_at = e.ends_at, period_ends_at = e.ends_at
      from public.plan_prices i, lateral app_private.period_after(pg_catalog.now(), i.interval, pg_catalog.now()) e (ends_at)
     where s.organization_id = v_subscription.organization_id and s.id = v_subscription.id and i.id = s.price_id
    returning s.* into v_subscription;
    update public.invoices n set period_starts_at = v_subscription.period_started_at, period_ends_at = v_subscription.period_ends_at
     where n.id = p_id
    returning n.* into v_invoice;
  elsif v_subscription.status in ('past_due', 'unpaid') and not exists (
          select from public.invoices n where n.organization_id = v_subscription.organization_id
                    and n.subscription_id = v_subscription.id and n.status = 'open') then
    update public.subscriptions s set status = 'active', grace_ends_at = null, due_at = s.period_ends_at
     where s.organization_id = v_subscription.organization_id and s.id = v_subscription.id;
  end if;
  return app_private.invoice_json(v_invoice);
end
$$;

grant execute on function
  app.platform_invoices(uuid, boolean, uuid, int), app.pay_invoice(uuid, text), app.correct_usage(uuid, jsonb, text, jsonb),
  app.platform_plans(text, uuid, int), app.create_plan(jsonb), app.update_plan(uuid, jsonb), app.archive_plan(uuid),
  app.platform_users(text, boolean, text, int), app.platform_user(uuid), app.platform_user_organizations(uuid),
  app.suspend_user(uuid, text), app.unsuspend_user(uuid),
  app.platform_organizations(text, boolean, text, int), app.platform_organization(uuid), app.platform_organization_owners(uuid),
  app.suspend_organization(uuid, text), app.unsuspend_organization(uuid),
  app.impersonate(uuid, uuid, bytea, text, interval), app.platform_impersonations(uuid, int), app.end_impersonation(uuid)
  to app_user;

reset role;

-- ── Triggers ─────────────────────────────────────────────────────────────────────────────────────

-- What people are known by, and what lets in without them.
do $$
declare
  guarded record;
begin
  for guarded in select * from (values
    ('users', 'update of email, email_verified_at, password_scheme, password_salt, password_verifier or delete'),
    ('sessions', 'insert or delete'),
    ('one_time_tokens', 'insert or update or delete'),
    ('totp_factors', 'insert or update or delete'),
    ('recovery_codes', 'insert or update or delete'),
    ('passkeys', 'insert or update or delete'),
    ('identities', 'insert or update or delete'),
    ('api_keys', 'insert or update'),
    ('sso_connections', 'insert or update of issuer, client_id, sealed_client_secret or delete'),
    ('ownership_transfers', 'insert'),
    ('webhook_endpoints', 'insert or update of sealed_secret, previous_sealed_secret')
  ) as known (table_name, operations)
  loop
    execute format('create trigger refuse_impersonator before %s on %I for each statement execute function app_private.refuse_impersonator()',
      guarded.operations, guarded.table_name);
  end loop;
end
$$;
-- Not where they go with their member.
create trigger refuse_impersonator_to_revoke before delete on api_keys for each statement when (current_user = 'app_user')
  execute function app_private.refuse_impersonator();
create trigger refuse_impersonator_elsewhere before update on sessions for each row execute function app_private.refuse_impersonator_elsewhere();

-- Else whoever asks for it would lock themselves out, and could not take it back. APSES with a key, either way.
create function app_private.check_mfa_required() returns trigger
language plpgsql set search_path = '' as $$
declare
  v_session_id uuid := app.session_id();
begin
  if not exists (select from public.sessions s where s.id = v_session_id and s.second_factor = 'given') then
    raise exception 'the session has no second factor' using errcode = 'APENR';
  end if;
  return new;
end
$$;
create trigger check_mfa_required before update of mfa_required on organizations
  for each row when (new.mfa_required <> old.mfa_required) execute function app_private.check_mfa_required();

-- In the transaction in which the address is verified, by whatever way. Organizations can then be locked in another order
-- than that of their ids, by whoever joins two at once: Postgres finds the deadlock, and the Worker sends the batch again.
create trigger enroll_new after insert on users
  for each row when (new.email_verified_at is not null) execute function app_private.enroll();
create trigger enroll_verified after update of email, email_verified_at on users
  for each row when (new.email_verified_at is not null and (old.email_verified_at is null or new.email <> old.email))
  execute function app_private.enroll();

create trigger keep_new_slug after insert on organizations for each row execute function app_private.keep_slug();
create trigger keep_changed_slug after update of slug on organizations
  for each row when (new.slug <> old.slug) execute function app_private.keep_slug();

create trigger index_members after insert on memberships referencing new table as added
  for each statement execute function app_private.index_members();
create trigger follow_joined after insert on memberships referencing new table as changed
  for each statement execute function app_private.follow_seats();
create trigger follow_left after delete on memberships referencing old table as changed
  for each statement execute function app_private.follow_seats();
create trigger outlive_organization after update of organization_id on stripe_customers
  for each row when (new.organization_id is null) execute function app_private.outlive_organization();
create trigger index_person after update of email, name on users
  for each row when (new.email <> old.email or new.name <> old.name) execute function app_private.index_person();

-- Once: organizations of before their slugs were kept, and members of before there was a search.
set local role app_definer;
insert into organization_slugs (slug, organization_id)
select o.slug, o.id from organizations o where not exists (select from organization_slugs);
insert into member_terms (organization_id, user_id, term)
select m.organization_id, u.id, term
  from memberships m join users u on u.id = m.user_id, app_private.terms_of(u.email, u.name) term
 where not exists (select from member_terms);
reset role;

-- What is told of each table's rows: its columns by the names that the API has for them, after a '!' where it is told only
-- that they were changed. Each twice, since a trigger's function does not see by whose statement it is run.
do $$
declare
  audited record;
  how text;
  condition text;
  arguments text;
begin
  for audited in select * from (values
    ('organizations', 'organization', '{"name":"name","slug":"slug","mfa_required":"mfaRequired","member_limit":"memberLimit"}', 'insert, update, delete'),
    ('memberships', 'member', '{"joined_by":"joinedBy"}', 'insert, update, delete'),
    ('membership_roles', 'member_role', '{"role":"role"}', 'insert, update, delete'),
    ('roles', 'role', '{"key":"key","name":"name","permissions":"permissions"}', 'insert, update, delete'),
    ('teams', 'team', '{"name":"name"}', 'insert, update, delete'),
    ('team_memberships', 'team_member', '{"team_id":"teamId","role":"role"}', 'insert, update, delete'),
    ('invitations', 'invitation', '{"email":"email","roles":"roles","team_ids":"teamIds","status":"status","expires_at":"expiresAt"}', 'insert, update, delete'),
    ('share_links', 'share_link', '{"roles":"roles","allowed_domains":"allowedDomains","max_uses":"maxUses","expires_at":"expiresAt"}', 'insert, update, delete'),
    ('api_keys', 'api_key', '{"name":"name","user_id":"userId","scopes":"scopes","hint":"hint","rate_limit":"rateLimitPerMinute","expires_at":"expiresAt","previous_expires_at":"previousExpiresAt"}', 'insert, update, delete'),
    ('usage_corrections', 'usage_correction', '{"source":"source","source_id":"id","value":"value","reason":"reason"}', 'insert'),
    ('ownership_transfers', 'ownership_transfer', '{"from_user_id":"fromUserId","to_user_id":"toUserId","expires_at":"expiresAt"}', 'insert, update, delete'),
    ('organization_domains', 'domain', '{"domain":"domain","verified_at":"verifiedAt","enrollment":"enrollment","roles":"roles"}', 'insert, update, delete'),
    ('subscriptions', 'subscription', '{"price_id":"priceId","scheduled_price_id":"scheduledPriceId","provider":"provider","status":"status","quantity":"quantity","trial_ends_at":"trialEndsAt","period_started_at":"currentPeriodStart","period_ends_at":"currentPeriodEnd","grace_ends_at":"graceEndsAt","cancel_at_period_end":"cancelAtPeriodEnd","ended_at":"endedAt"}', 'insert, update, delete'),
    ('invoices', 'invoice', '{"subscription_id":"subscriptionId","price_id":"priceId","number":"number","status":"status","currency":"currency","total":"total","due_at":"dueAt","paid_at":"paidAt","payment_reference":"paymentReference"}', 'insert, update, delete'),
    ('sso_connections', 'sso_connection', '{"domain":"domain","domain_verified_at":"domainVerifiedAt","issuer":"issuer","client_id":"clientId","sealed_client_secret":"!clientSecret"}', 'insert, update, delete'),
    ('webhook_endpoints', 'webhook_endpoint', '{"url":"!url","description":"description","event_types":"eventTypes","disabled_at":"disabledAt","disabled_reason":"disabledReason","sealed_secret":"!secret"}', 'insert, update, delete'),
    ('users', 'user', '{"name":"!name","email":"!email"}', 'insert, update, delete'),
    ('platform_admins', 'platform_admin', '{}', 'insert, delete'),
    ('sessions', 'session', '{"second_factor":"secondFactor"}', 'update'),
    ('one_time_tokens', 'one_time_token', '{}', 'insert'),
    ('totp_factors', 'totp', '{}', 'insert, update, delete'),
    ('passkeys', 'passkey', '{"name":"!name"}', 'insert, update, delete'),
    ('identities', 'identity', '{"provider":"provider"}', 'insert, update, delete')
  ) as known (table_name, subject, columns, operations)
  loop
    foreach how in array array['direct', 'indirect'] loop
      condition := format('current_user %s %L', case how when 'direct' then '=' else '<>' end, 'app_user');
      arguments := format('%L, %L, %L', audited.subject, audited.columns, how);
      if audited.operations ~ 'insert' then
        execute format('create trigger %I after insert on %I referencing new table as changed for each statement when (%s) execute function app_private.audit_rows(%s)',
          'audit_insert_' || how, audited.table_name, condition, arguments);
      end if;
      if audited.operations ~ 'update' then
        execute format('create trigger %I after update on %I for each row when (%s) execute function app_private.audit_change(%s)',
          'audit_update_' || how, audited.table_name, condition, arguments);
      end if;
      if audited.operations ~ 'delete' then
        execute format('create trigger %I after delete on %I referencing old table as changed for each statement when (%s) execute function app_private.audit_rows(%s)',
          'audit_delete_' || how, audited.table_name, condition, arguments);
      end if;
    end loop;
  end loop;
end
$$;

create trigger switch_webhooks before update of disabled_at on webhook_endpoints
  for each row when ((new.disabled_at is null) <> (old.disabled_at is null)) execute function app_private.switch_webhooks();

create trigger refuse_known_id before insert on organizations for each row execute function app_private.refuse_known_id();
create trigger refuse_known_id before insert on users for each row execute function app_private.refuse_known_id();

-- For everyone, the owner too.
create function app_private.keep_events() returns trigger
language plpgsql set search_path = '' as $$
begin
  if tg_op = 'DELETE' and old.id < app_private.first_event_id(pg_catalog.now() - app_private.audit_retention()) then
    return old;
  end if;
  raise exception 'the audit trail is not changed' using errcode = '42501';
end
$$;
create trigger keep_events before update or delete on audit_events for each row execute function app_private.keep_events();
create trigger keep_events before update or delete on user_audit_events for each row execute function app_private.keep_events();
create trigger keep_all_events before truncate on audit_events for each statement execute function app_private.keep_events();
create trigger keep_all_events before truncate on user_audit_events for each statement execute function app_private.keep_events();
grant execute on function app_private.keep_events() to app_definer;

create function app_private.touch_updated_at() returns trigger
language plpgsql set search_path = '' as $$
begin
  new.updated_at := pg_catalog.now();
  return new;
end
$$;

-- Not for a password that is hashed anew at sign-in: nothing that anybody sees has changed.
create trigger touch_updated_at before update of name, email on users for each row execute function app_private.touch_updated_at();
create trigger touch_updated_at before update on sso_connections for each row execute function app_private.touch_updated_at();
create trigger touch_updated_at before update of url, description, event_types, sealed_secret, disabled_at on webhook_endpoints
  for each row execute function app_private.touch_updated_at();
create trigger touch_updated_at before update on organization_domains for each row execute function app_private.touch_updated_at();
create trigger touch_updated_at before update of name, scopes, rate_limit on api_keys for each row execute function app_private.touch_updated_at();
create trigger touch_updated_at before update on roles for each row execute function app_private.touch_updated_at();
create trigger touch_updated_at before update on stripe_customers for each row execute function app_private.touch_updated_at();
create trigger touch_updated_at before update on subscriptions for each row execute function app_private.touch_updated_at();
create trigger touch_updated_at before update on invoices for each row execute function app_private.touch_updated_at();
create trigger touch_updated_at before update on teams for each row execute function app_private.touch_updated_at();
create trigger touch_updated_at before update on organizations for each row execute function app_private.touch_updated_at();

-- ── users: a person's own row ────────────────────────────────────────────────────────────────────

grant select (id, email, email_verified_at, name, created_at, updated_at) on users to app_user;
grant update (name) on users to app_user;

create policy "A user row is its person's alone" on users as restrictive to app_user
  using (id = (select app.user_id())) with check (id = (select app.user_id()));
create policy "People read their own account" on users for select to app_user
  using (id = (select app.user_id()));
create policy "People update their own account" on users for update to app_user
  using (id = (select app.user_id()));

-- ── sessions: a person's own; revoked once, revoked for good ─────────────────────────────────────

grant select (id, user_id, ip_address, user_agent, created_at, authenticated_at, refreshed_at, second_factor, idle_expires_at, expires_at, revoked_at, impersonator_id, impersonation_reason)
  on sessions to app_user;
grant update (revoked_at) on sessions to app_user;

create policy "A session is its person's alone" on sessions as restrictive to app_user
  using (user_id = (select app.user_id())) with check (user_id = (select app.user_id()));
create policy "People read their own sessions" on sessions for select to app_user
  using (user_id = (select app.user_id()));
create policy "People revoke their own live sessions" on sessions for update to app_user
  using (user_id = (select app.user_id()) and revoked_at is null)
  with check (user_id = (select app.user_id()) and revoked_at is not null);

-- ── Second factors, identities: a person's own; changed through functions only, but for names ────

grant select (user_id, id, created_at, activated_at) on totp_factors to app_user;
grant select (user_id, created_at) on recovery_codes to app_user;
grant select (user_id, id, name, backed_up, created_at, last_used_at), update (name) on passkeys to app_user;
grant select (user_id, id, provider, email, created_at, last_used_at) on identities to app_user;

create policy "An authenticator app is its person's alone" on totp_factors as restrictive to app_user
  using (user_id = (select app.user_id())) with check (user_id = (select app.user_id()));
create policy "People see their own authenticator app" on totp_factors for select to app_user
  using (user_id = (select app.user_id()));
create policy "Recovery codes are their person's alone" on recovery_codes as restrictive to app_user
  using (user_id = (select app.user_id())) with check (user_id = (select app.user_id()));
create policy "People count their own recovery codes" on recovery_codes for select to app_user
  using (user_id = (select app.user_id()));
create policy "A passkey is its person's alone" on passkeys as restrictive to app_user
  using (user_id = (select app.user_id())) with check (user_id = (select app.user_id()));
create policy "People read their own passkeys" on passkeys for select to app_user
  using (user_id = (select app.user_id()));
create policy "People rename their own passkeys" on passkeys for update to app_user
  using (user_id = (select app.user_id()));
create policy "An identity is its person's alone" on identities as restrictive to app_user
  using (user_id = (select app.user_id())) with check (user_id = (select app.user_id()));
create policy "People read their own identities" on identities for select to app_user
  using (user_id = (select app.user_id()));

-- ── organizations ────────────────────────────────────────────────────────────────────────────────

grant select (id, name, slug, mfa_required, created_at, updated_at), update (name, slug, mfa_required) on organizations to app_user;

create policy "An organization is reached only from within" on organizations as restrictive to app_user
  using (id = (select app.org_id())) with check (id = (select app.org_id()));
create policy "Members read their organization" on organizations for select to app_user
  using (id = (select app.org_id('organization:read')));
-- The second half is for whoever waits for the row while it is deleted.
create policy "Those with organization:update update it" on organizations for update to app_user
  using (id = (select app.org_id('organization:update')) and deleted_at is null);

-- ── memberships ──────────────────────────────────────────────────────────────────────────────────

grant select (organization_id, user_id, joined_by, invited_by, created_at) on memberships to app_user;
grant select (organization_id, user_id, role) on membership_roles to app_user;

create policy "A membership is its organization's alone" on memberships as restrictive to app_user
  using (organization_id = (select app.org_id())) with check (organization_id = (select app.org_id()));
-- One policy and not two: policies are joined by OR, and an OR costs the index its order.
create policy "Those with members:read read the members, others their own membership" on memberships for select to app_user
  using (organization_id = (select app.org_id())
         and ((select app.org_id('members:read')) is not null or user_id = (select app.member_id())));

create policy "A member's role is its organization's alone" on membership_roles as restrictive to app_user
  using (organization_id = (select app.org_id())) with check (organization_id = (select app.org_id()));
create policy "Those with members:read read the members' roles, others their own" on membership_roles for select to app_user
  using (organization_id = (select app.org_id())
         and ((select app.org_id('members:read')) is not null or user_id = (select app.member_id())));

-- ── member_terms: the search's alone ─────────────────────────────────────────────────────────────

create policy "What members are found by is its organization's alone" on member_terms as restrictive to app_user
  using (organization_id = (select app.org_id())) with check (organization_id = (select app.org_id()));

-- ── roles ────────────────────────────────────────────────────────────────────────────────────────

grant select (organization_id, id, key, name, permissions, created_at, updated_at) on roles to app_user;

create policy "A role is its organization's alone" on roles as restrictive to app_user
  using (organization_id = (select app.org_id())) with check (organization_id = (select app.org_id()));
create policy "Members read the roles of their organization" on roles for select to app_user
  using (organization_id = (select app.org_id('organization:read')));

-- ── teams: named and deleted under the fence; who is in them is changed through functions only ───────

grant select (organization_id, id, name, created_at, updated_at), update (name), delete on teams to app_user;
grant select (organization_id, team_id, user_id, role, created_at) on team_memberships to app_user;

create policy "A team is its organization's alone" on teams as restrictive to app_user
  using (organization_id = (select app.org_id())) with check (organization_id = (select app.org_id()));
create policy "Members read the teams of their organization" on teams for select to app_user
  using (organization_id = (select app.org_id('organization:read')));
create policy "Those with teams:write name teams" on teams for update to app_user
  using (organization_id = (select app.org_id('teams:write')));
create policy "Those with teams:write delete teams" on teams for delete to app_user
  using (organization_id = (select app.org_id('teams:write')));

create policy "Who is in a team is its organization's alone" on team_memberships as restrictive to app_user
  using (organization_id = (select app.org_id())) with check (organization_id = (select app.org_id()));
create policy "Those with members:read read who is in the teams, others where they are" on team_memberships for select to app_user
  using (organization_id = (select app.org_id())
         and ((select app.org_id('members:read')) is not null or user_id = (select app.member_id())));

-- ── invitations: read under the fence, changed through functions only ────────────────────────────

grant select (organization_id, id, email, roles, team_ids, status, invited_by, created_at, sent_at, expires_at, ended_at) on invitations to app_user;

create policy "An invitation is its organization's alone" on invitations as restrictive to app_user
  using (organization_id = (select app.org_id())) with check (organization_id = (select app.org_id()));
create policy "Those with invitations:read read the invitations" on invitations for select to app_user
  using (organization_id = (select app.org_id('invitations:read')));

-- ── share_links: as invitations ──────────────────────────────────────────────────────────────────

grant select (organization_id, id, roles, allowed_domains, max_uses, uses, created_by, created_at, expires_at) on share_links to app_user;

create policy "A share link is its organization's alone" on share_links as restrictive to app_user
  using (organization_id = (select app.org_id())) with check (organization_id = (select app.org_id()));
create policy "Those with invitations:read read the share links" on share_links for select to app_user
  using (organization_id = (select app.org_id('invitations:read')));

-- ── api_keys: read and revoked under the fence, made and changed through functions only ──────────

grant select (organization_id, id, user_id, created_by, name, scopes, hint, rate_limit, created_at, updated_at, rotated_at,
              previous_expires_at, expires_at, last_used_at), delete on api_keys to app_user;

create policy "An API key is its organization's alone" on api_keys as restrictive to app_user
  using (organization_id = (select app.org_id())) with check (organization_id = (select app.org_id()));
create policy "Those with api-keys:read or api-keys:write read the API keys" on api_keys for select to app_user
  using (organization_id = coalesce((select app.org_id('api-keys:read')), (select app.org_id('api-keys:write'))));
create policy "Those with api-keys:write revoke API keys" on api_keys for delete to app_user
  using (organization_id = (select app.org_id('api-keys:write')));

-- ── organization_domains: read and deleted under the fence, changed through functions only ──────

grant select (organization_id, id, domain, txt_record, verified_at, enrollment, roles, enrollment_set_by, created_at, updated_at), delete
  on organization_domains to app_user;

create policy "A domain is its organization's alone" on organization_domains as restrictive to app_user
  using (organization_id = (select app.org_id())) with check (organization_id = (select app.org_id()));
-- What is changed is answered too, also to whoever may change it alone.
create policy "Those with domains:read or domains:write read the domains" on organization_domains for select to app_user
  using (organization_id = coalesce((select app.org_id('domains:read')), (select app.org_id('domains:write'))));
create policy "Those with domains:write delete domains" on organization_domains for delete to app_user
  using (organization_id = (select app.org_id('domains:write')));

-- ── sso_connections ──────────────────────────────────────────────────────────────────────────────

grant select (organization_id, id, domain, txt_record, domain_verified_at, issuer, client_id, created_at, updated_at), delete
  on sso_connections to app_user;
grant insert (organization_id, id, domain, txt_record, issuer, client_id, sealed_client_secret),
  update (issuer, client_id, sealed_client_secret) on sso_connections to app_user;

create policy "A connection is its organization's alone" on sso_connections as restrictive to app_user
  using (organization_id = (select app.org_id())) with check (organization_id = (select app.org_id()));
create policy "Those with sso:read read the connections" on sso_connections for select to app_user
  using (organization_id = (select app.org_id('sso:read')));
create policy "Those with sso:write add connections" on sso_connections for insert to app_user
  with check (organization_id = (select app.org_id('sso:write')));
create policy "Those with sso:write update connections" on sso_connections for update to app_user
  using (organization_id = (select app.org_id('sso:write')));
create policy "Those with sso:write delete connections" on sso_connections for delete to app_user
  using (organization_id = (select app.org_id('sso:write')));

-- ── Webhooks: endpoints read, changed and deleted under the fence, messages read ─────────────────────

grant select (organization_id, id, url, description, event_types, previous_expires_at, created_at, updated_at, failing_since, disabled_at,
              disabled_reason), update (url, description, event_types, disabled_at), delete on webhook_endpoints to app_user;
grant select (organization_id, id, endpoint_id, type, subject_id, payload, status, attempts, next_attempt_at, settled_at, log)
  on webhook_messages to app_user;

create policy "A webhook endpoint is its organization's alone" on webhook_endpoints as restrictive to app_user
  using (organization_id = (select app.org_id())) with check (organization_id = (select app.org_id()));
-- What is changed is answered too, also to whoever may change it alone.
create policy "Those with webhooks:read or webhooks:write read the endpoints" on webhook_endpoints for select to app_user
  using (organization_id = coalesce((select app.org_id('webhooks:read')), (select app.org_id('webhooks:write'))));
create policy "Those with webhooks:write change endpoints" on webhook_endpoints for update to app_user
  using (organization_id = (select app.org_id('webhooks:write')));
create policy "Those with webhooks:write delete endpoints" on webhook_endpoints for delete to app_user
  using (organization_id = (select app.org_id('webhooks:write')));
create policy "A webhook message is its organization's alone" on webhook_messages as restrictive to app_user
  using (organization_id = (select app.org_id())) with check (organization_id = (select app.org_id()));
create policy "Those with webhooks:read read the messages" on webhook_messages for select to app_user
  using (organization_id = (select app.org_id('webhooks:read')));

-- ── invoices: read under the fence, written through functions only ───────────────────────────────

grant select on invoices to app_user;

create policy "An invoice is its organization's alone" on invoices as restrictive to app_user
  using (organization_id = (select app.org_id())) with check (organization_id = (select app.org_id()));
create policy "Those with billing:read read the invoices" on invoices for select to app_user
  using (organization_id = (select app.org_id('billing:read')));

-- ── The audit trail: read under the fence, written by the database, and changed by nobody ──────────

grant select on audit_events, user_audit_events to app_user;

create policy "An audit event is its organization's alone" on audit_events as restrictive to app_user
  using (organization_id = (select app.org_id())) with check (organization_id = (select app.org_id()));
create policy "Those with audit-events:read read the audit trail" on audit_events for select to app_user
  using (organization_id = (select app.org_id('audit-events:read')));
create policy "An account's event is its person's alone" on user_audit_events as restrictive to app_user
  using (user_id = (select app.user_id())) with check (user_id = (select app.user_id()));
create policy "People read the events of their own account" on user_audit_events for select to app_user
  using (user_id = (select app.user_id()));
create policy "Audit events go after their time" on audit_events for delete to app_definer
  using (id < (select app_private.first_event_id(now() - app_private.audit_retention())));
create policy "Events of accounts go after their time" on user_audit_events for delete to app_definer
  using (id < (select app_private.first_event_id(now() - app_private.audit_retention())));

-- ── idempotency_keys: reached through the two functions above only ───────────────────────────────

create policy "Idempotency keys are out of every query's reach" on idempotency_keys as restrictive to app_user
  using (false) with check (false);

-- ── Tokens, factors, the outbox, counters: reached through functions only ───────────────────────

create policy "Slugs are out of every query's reach" on organization_slugs as restrictive to app_user
  using (false) with check (false);
create policy "Ownership transfers are out of every query's reach" on ownership_transfers as restrictive to app_user
  using (false) with check (false);
create policy "One-time tokens are out of every query's reach" on one_time_tokens as restrictive to app_user
  using (false) with check (false);
create policy "The outbox is out of every query's reach" on outbox as restrictive to app_user
  using (false) with check (false);
create policy "Spent challenges are out of every query's reach" on spent_challenges as restrictive to app_user
  using (false) with check (false);
create policy "Who is kept out is out of every query's reach" on domain_bars as restrictive to app_user
  using (false) with check (false);
create policy "What plans are made of is out of every query's reach" on features as restrictive to app_user
  using (false) with check (false);
create policy "Plans are out of every query's reach" on plans as restrictive to app_user using (false) with check (false);
create policy "Prices are out of every query's reach" on plan_prices as restrictive to app_user using (false) with check (false);
create policy "What plans have is out of every query's reach" on plan_features as restrictive to app_user
  using (false) with check (false);
create policy "Subscriptions are out of every query's reach" on subscriptions as restrictive to app_user
  using (false) with check (false);
create policy "Whom Stripe collects from is out of every query's reach" on stripe_customers as restrictive to app_user
  using (false) with check (false);
create policy "What Stripe tells is out of every query's reach" on stripe_events as restrictive to app_user
  using (false) with check (false);
create policy "What was used is out of every query's reach" on usage_events as restrictive to app_user
  using (false) with check (false);
create policy "What usage comes to is out of every query's reach" on usage_rollups as restrictive to app_user
  using (false) with check (false);
create policy "Corrections of usage are out of every query's reach" on usage_corrections as restrictive to app_user
  using (false) with check (false);
create policy "What is reserved is out of every query's reach" on usage_reservations as restrictive to app_user
  using (false) with check (false);
create policy "How much was used is out of every query's reach" on usage_counters as restrictive to app_user
  using (false) with check (false);
create policy "Who administers the platform is out of every query's reach" on platform_admins as restrictive to app_user
  using (false) with check (false);
create policy "Counted attempts are out of every query's reach" on throttles as restrictive to app_user
  using (false) with check (false);

-- ── The fence's fingerprint, by which rls-guard.sql knows whether anything was changed afterwards ─────

do $$
begin
  execute format('comment on schema app_private is %L', (
    select md5(string_agg(part, E'\n' order by part)) from (
      select pg_get_functiondef(p.oid) || coalesce(p.proacl::text, '') as part from pg_proc p
       where p.pronamespace in ('app'::regnamespace, 'app_private'::regnamespace)
      union all
      select concat_ws('|', c.relname, p.polname, p.polcmd, p.polpermissive, p.polroles::regrole[],
                       pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid))
        from pg_policy p join pg_class c on c.oid = p.polrelid where c.relnamespace = 'public'::regnamespace
      union all
      select concat_ws('|', c.relname, a.attname, c.relacl::text, a.attacl::text)
        from pg_class c join pg_attribute a on a.attrelid = c.oid
       where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and a.attnum > 0 and not a.attisdropped
    ) parts));
end
$$;

commit;
