-- What would make the fence unsafe, one row each; no row means that it stands. Read-only, no parameters.
-- Run it with the Worker's own DATABASE_URL: npm run db:check, and GET /ready.
-- "login" problems concern the role that connects, all others the database whoever connects.
with
tables as (
  select c.oid, c.oid::regclass::text as name, n.nspname = 'public' as is_public, c.relkind, c.relrowsecurity, c.relforcerowsecurity, c.reloptions
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
   where n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
),
worker as (select oid from pg_roles where rolname = 'app_user'),
-- What app_user can touch, by any privilege on the whole or on a column.
reachable as (
  select t.* from tables t, worker w
   where t.is_public or has_table_privilege(w.oid, t.oid, 'SELECT,INSERT,UPDATE,DELETE')
      or has_any_column_privilege(w.oid, t.oid, 'SELECT,INSERT,UPDATE,REFERENCES')
),
-- Policies of app_user, as text; a wrapped question to the context is taken out of "bare".
asked as (
  select t.name, p.polname, p.polpermissive, p.polcmd, e.text,
         regexp_replace(e.text, '\( SELECT app\.\w+\([^()]*\) AS \w+\)', '', 'g') as bare
    from pg_policy p join tables t on t.oid = p.polrelid, worker,
         lateral (values (pg_get_expr(p.polqual, p.polrelid)), (pg_get_expr(p.polwithcheck, p.polrelid))) e (text)
   where worker.oid = any (p.polroles) and e.text is not null and e.text <> 'false'
),
trusted as (select oid, rolname from pg_roles where rolname in ('app_user', 'app_definer', 'app_platform')),
platform as (select oid from pg_roles where rolname = 'app_platform'),
-- Run with app_platform's rights, and the others with app_definer's. A function on neither list fails the check.
platform_definers (signature) as (values
  ('app.platform_users(text,boolean,text,integer)'), ('app.platform_user(uuid)'), ('app.platform_user_organizations(uuid)'),
  ('app.suspend_user(uuid,text)'), ('app.unsuspend_user(uuid)'),
  ('app.platform_organizations(text,boolean,text,integer)'), ('app.platform_organization(uuid)'), ('app.platform_organization_owners(uuid)'),
  ('app.suspend_organization(uuid,text)'), ('app.unsuspend_organization(uuid)'),
  ('app.impersonate(uuid,uuid,bytea,text,interval)'), ('app.platform_impersonations(uuid,integer)'), ('app.end_impersonation(uuid)'),
  ('app.platform_invoices(uuid,boolean,uuid,integer)'), ('app.pay_invoice(uuid,text)'),
  ('app.platform_plans(text,uuid,integer)'), ('app.create_plan(jsonb)'), ('app.update_plan(uuid,jsonb)'), ('app.archive_plan(uuid)'),
  ('app.correct_usage(uuid,jsonb,text,jsonb)')
),
allowed_definers (signature) as (values
  ('app.admit(bytea,uuid,text,boolean,boolean,boolean,text,text,text)'), ('app.admit_key(bytea,uuid,text,boolean,boolean,text,text,text)'), ('app.admit_nobody(text,text)'), ('app.admit_platform_admin(bytea,boolean,text,text)'), ('app.user_id()'), ('app.member_id()'), ('app.session_id()'), ('app.org_id(text)'), ('app.platform_admin_id()'),
  ('app.sign_up(uuid,text,text,integer,text,text,uuid,bytea)'), ('app.password_parameters(text)'),
  ('app.take_sign_in_attempt(bytea,bytea,bytea)'),
  ('app.begin_totp(bytea)'), ('app.verify_totp(bytea,uuid,bytea,bigint,bytea,interval,interval)'),
  ('app.use_recovery_code(bytea,bytea,bytea,interval,interval,text,text,uuid,bytea)'),
  ('app.enroll_totp(uuid,bytea,bytea)'), ('app.begin_totp_activation(bytea)'),
  ('app.activate_totp(bytea,uuid,bytea,bigint,bytea[],text,text,uuid,bytea)'),
  ('app.remove_totp(text,text,uuid,bytea)'), ('app.replace_recovery_codes(bytea[])'),
  ('app.sign_in(text,text,uuid,bytea,interval,text,text,integer,text,text,interval,bytea,bytea,bytea,uuid,bytea)'),
  ('app.refresh_session(bytea,integer,interval)'), ('app.claim_idempotency_key(bytea,text,bytea)'),
  ('app.keep_response(bytea,text,json)'), ('app.create_organization(uuid,text,text[])'),
  ('app.sign_up_unseen(uuid,text,text,integer,text,text,uuid,bytea)'), ('app.resend_verification(uuid,bytea)'),
  ('app.verify_email(bytea)'), ('app.request_email_change(text,uuid,bytea,uuid,bytea)'),
  ('app.confirm_email_change(bytea,uuid,bytea)'), ('app.due_messages(integer,uuid[])'), ('app.claim_messages(uuid[],bytea[])'), ('app.settle_message(uuid,bytea,text,boolean)'),
  ('app.forgot_password(text,uuid,bytea)'), ('app.reset_password(bytea,integer,text,text,text,uuid,bytea)'),
  ('app.request_email_sign_in(text,uuid,bytea,bytea)'),
  ('app.sign_in_by_link(bytea,uuid,bytea,interval,interval,text,text,uuid,bytea)'),
  ('app.sign_in_by_code(text,bytea[],uuid,bytea,interval,interval,text,text,bytea,bytea,bytea,uuid,bytea)'),
  ('app.begin_reauthentication(bytea)'), ('app.reauthenticate(bytea,text,integer,text,text)'),
  ('app.change_password(bytea,text,integer,text,text,text,uuid,bytea)'),
  ('app.public_plans()'), ('app.entitlements()'), ('app.usage()'), ('app.record_usage(jsonb,jsonb)'), ('app.check_usage(text,text)'), ('app.reserve_usage(uuid,text,text,interval)'),
  ('app.commit_usage(uuid,text,text)'), ('app.release_usage(uuid,text)'),
  ('app.usage_windows(text,timestamp with time zone,timestamp with time zone,text,jsonb,text)'), ('app.subscription()'), ('app.start_subscription(uuid,uuid,text)'), ('app.cancel_subscription()'), ('app.change_subscription(uuid)'),
  ('app.resume_subscription()'), ('app.advance_subscriptions(integer)'),
  ('app.keep_stripe_customer(bytea,text)'), ('app.keep_stripe_checkout(bytea,integer,text,text,timestamp with time zone)'),
  ('app.stripe_customer()'), ('app.refresh_subscription()'), ('app.claim_stripe_event(bytea,text,text,text)'),
  ('app.fail_stripe_event(bytea,text)'), ('app.due_stripe_customers(bytea,integer)'), ('app.hasten_stripe_customers(bytea,text[])'),
  ('app.apply_stripe_state(bytea,text,bigint,jsonb,text)'), ('app.check_idempotency_key(bytea,text,bytea)'),
  ('app.delete_organization()'), ('app.my_deleted_organizations(uuid,integer)'), ('app.my_organization_with_slug(text)'), ('app.export_organization(text)'), ('app.restore_organization(uuid)'),
  ('app.my_organizations(uuid,integer)'), ('app.member_profiles(uuid[])'), ('app.search_members(text,bytea,uuid,integer)'),
  ('app.create_team(uuid,text)'), ('app.set_team_member(uuid,uuid,text)'), ('app.remove_team_member(uuid,uuid)'),
  ('app.my_team_memberships(integer)'),
  ('app.set_member_roles(uuid,text[])'), ('app.remove_member(uuid)'), ('app.leave_organization()'),
  ('app.create_role(uuid,text,text,text[])'), ('app.update_role(uuid,text,text[])'), ('app.delete_role(uuid,text)'), ('app.my_permissions(uuid)'),
  ('app.create_invitations(jsonb)'), ('app.resend_invitation(uuid,uuid,bytea)'), ('app.revoke_invitation(uuid)'),
  ('app.find_invitation(bytea)'), ('app.my_invitations(uuid,integer)'), ('app.my_sent_invitations(integer)'), ('app.accept_invitation(bytea)'),
  ('app.accept_my_invitation(uuid)'), ('app.decline_invitation(bytea)'), ('app.decline_my_invitation(uuid)'),
  ('app.sign_up_invited(bytea,uuid,text,text,integer,text,text)'),
  ('app.create_share_link(uuid,text[],text[],integer,integer,bytea)'), ('app.revoke_share_link(uuid)'), ('app.find_share_link(bytea)'),
  ('app.accept_share_link(bytea)'), ('app.my_share_links(integer)'),
  ('app.create_api_key(uuid,text,text[],boolean,integer,integer,text,bytea)'), ('app.update_api_key(uuid,jsonb)'),
  ('app.rotate_api_key(uuid,text,interval,bytea)'), ('app.my_api_keys(integer)'),
  ('app.offer_ownership(uuid,uuid,uuid,bytea)'), ('app.ownership_transfer()'), ('app.withdraw_ownership()'), ('app.decline_ownership()'),
  ('app.accept_ownership(uuid,bytea)'), ('app.my_ownership_transfers(integer)'),
  ('app.create_domain(uuid,text,text)'), ('app.update_domain(uuid,text,text[])'), ('app.verify_organization_domain(bytea,uuid)'),
  ('app.my_suggested_organizations()'), ('app.join_suggested_organization(uuid)'),
  ('app.create_webhook_endpoint(uuid,text,text,text[],bytea)'), ('app.rotate_webhook_secret(uuid,bytea,interval)'),
  ('app.replay_webhook(uuid,uuid)'), ('app.recover_webhooks(uuid,timestamp with time zone)'),
  ('app.claim_webhooks(bytea,integer,uuid)'), ('app.settle_webhook(bytea,uuid,uuid,integer,integer,text,integer,integer)'),
  ('app.purge_expired()'),
  ('app.verified_connection(text,uuid)'), ('app.verify_domain(bytea,uuid)'),
  ('app.spend_state(bytea)'), ('app.unlink_identity(uuid)'),
  ('app.link_identity(bytea,text,uuid,text,text,uuid,uuid,bytea)'),
  ('app.sign_in_with_provider(bytea,text,uuid,text,text,boolean,text,uuid,uuid,uuid,bytea,interval,interval,text,text,uuid,bytea,uuid,bytea)'),
  ('app.begin_passkey_registration()'),
  ('app.add_passkey(bytea,bytea,uuid,text,bytea,bytea,bigint,text,boolean,bytea[],text,text,uuid,bytea)'),
  ('app.remove_passkey(uuid,text,text,uuid,bytea)'), ('app.begin_passkey_sign_in(bytea,bytea,bytea)'),
  ('app.sign_in_with_passkey(bytea,bytea,bigint,bigint,boolean,bytea,uuid,bytea,interval,interval,text,text,uuid,bytea)'),
  ('app.claimant_passkeys()'), ('app.begin_passkey_factor(bytea,bytea)'),
  ('app.complete_sign_in_with_passkey(bytea,bytea,bigint,bigint,boolean,bytea,interval,interval)'),
  ('app.delete_account(uuid,bytea)'), ('app.my_memberships(integer)'), ('app.my_one_time_tokens(integer)'), ('app.my_messages(integer)')
)
select 'login is not app_user' as problem, session_user::text as object where session_user <> 'app_user'
union all
select 'login could bypass row security', r.rolname from pg_roles r
 where r.rolname = session_user and (r.rolsuper or r.rolbypassrls)
union all
select 'role app_user is missing', 'npm run db:rls' where not exists (select from worker)
union all
select 'role could rise above the fence', r.rolname from pg_roles r join trusted using (oid)
 where r.rolsuper or r.rolbypassrls or r.rolcreaterole or r.rolcreatedb or r.rolreplication
union all
select 'role is a member of another', member.rolname || ' of ' || parent.rolname
  from pg_auth_members m join trusted member on member.oid = m.member join pg_roles parent on parent.oid = m.roleid
union all
select 'app_user owns an object', c.oid::regclass::text from pg_class c join worker on worker.oid = c.relowner
union all
-- Types, schemas and the like: whoever owns a type can drop it, and every column of it.
select 'app_user owns an object', pg_describe_object(d.classid, d.objid, 0) from pg_shdepend d join worker on worker.oid = d.refobjid
 where d.refclassid = 'pg_authid'::regclass and d.deptype = 'o'
   and d.dbid in (0, (select oid from pg_database where datname = current_database()))
   and d.classid not in ('pg_class'::regclass, 'pg_proc'::regclass, 'pg_largeobject'::regclass)
union all
select 'app_user owns a function', p.oid::regprocedure::text from pg_proc p join worker on worker.oid = p.proowner
union all
select 'row security is not enabled and forced', name from tables
 where relkind in ('r', 'p') and not (relrowsecurity and relforcerowsecurity) and oid in (select oid from reachable)
union all
select 'table has no floor', t.name from reachable t
 where t.relkind in ('r', 'p')
   and not exists (select from pg_policy p, worker where p.polrelid = t.oid and not p.polpermissive and p.polcmd = '*'
                      and worker.oid = any (p.polroles) and p.polqual is not null and p.polwithcheck is not null
                      and pg_get_expr(p.polqual, p.polrelid) = pg_get_expr(p.polwithcheck, p.polrelid)
                      and pg_get_expr(p.polqual, p.polrelid) ~ '^(\((organization_id|user_id|id) = \( SELECT app\.(org_id|user_id)\(\) AS \3\)\)|false)$')
union all
select 'table has no policy of its own', t.name from tables t
 where t.relkind in ('r', 'p') and t.is_public
   and not exists (select from pg_policy p where p.polrelid = t.oid and p.polpermissive)
union all
select 'policy restricts nothing', t.name || ': ' || p.polname from pg_policy p join tables t on t.oid = p.polrelid, worker
 where (worker.oid = any (p.polroles) or 0 = any (p.polroles))
   and (0 = any (p.polroles)
     or (p.polcmd <> 'a' and coalesce(pg_get_expr(p.polqual, p.polrelid), 'true') = 'true')
     or (p.polcmd in ('a', '*') and coalesce(pg_get_expr(p.polwithcheck, p.polrelid), pg_get_expr(p.polqual, p.polrelid), 'true') = 'true')
     or pg_get_expr(p.polwithcheck, p.polrelid) = 'true')
union all
select 'dangerous table privilege', t.name || ': ' || privilege
  from tables t, unnest(array['TRUNCATE', 'REFERENCES', 'TRIGGER', 'MAINTAIN']) privilege, worker
 where t.relkind in ('r', 'p', 'v', 'm', 'f') and has_table_privilege(worker.oid, t.oid, privilege)
union all
select 'readable past row security', t.name from tables t, worker
 where t.relkind in ('m', 'f') and has_any_column_privilege(worker.oid, t.oid, 'SELECT')
union all
select 'view runs with its owner''s rights', t.name from tables t, worker
 where t.relkind = 'v' and t.oid in (select oid from reachable) and (has_table_privilege(worker.oid, t.oid, 'DELETE') or has_any_column_privilege(worker.oid, t.oid, 'SELECT,INSERT,UPDATE'))
   and not coalesce((select option_value::boolean from pg_options_to_table(t.reloptions) where option_name = 'security_invoker'), false)
union all
select 'definer function is not on the list', p.oid::regprocedure::text
  from pg_proc p join pg_namespace n on n.oid = p.pronamespace, worker
 where p.prosecdef and n.nspname not in ('pg_catalog', 'information_schema')
   and has_schema_privilege(worker.oid, n.oid, 'USAGE') and has_function_privilege(worker.oid, p.oid, 'EXECUTE')
   and p.oid::regprocedure::text not in (select signature from allowed_definers union all select signature from platform_definers)
union all
select 'definer function has an open search_path', p.oid::regprocedure::text
  from pg_proc p join pg_namespace n on n.oid = p.pronamespace
 where p.prosecdef and n.nspname not in ('pg_catalog', 'information_schema')
   and not coalesce('search_path=""' = any (p.proconfig), false)
union all
select 'definer function has another owner', p.oid::regprocedure::text || ': ' || pg_get_userbyid(p.proowner)
  from pg_proc p join pg_namespace n on n.oid = p.pronamespace
 where p.prosecdef and n.nspname not in ('pg_catalog', 'information_schema')
   -- A trigger's function runs for whoever changes a row.
   and (exists (select from (table worker union all table platform) caller where has_function_privilege(caller.oid, p.oid, 'EXECUTE'))
        or p.prorettype = 'trigger'::regtype)
   and pg_get_userbyid(p.proowner) <> case when p.oid::regprocedure::text in (select signature from platform_definers) then 'app_platform' else 'app_definer' end
union all
-- Its policies are all that holds the platform's functions.
select 'policy of app_platform does not ask for an administrator', t.name || ': ' || p.polname
  from pg_policy p join tables t on t.oid = p.polrelid, platform,
       lateral (values (pg_get_expr(p.polqual, p.polrelid)), (pg_get_expr(p.polwithcheck, p.polrelid))) e (text)
 where platform.oid = any (p.polroles) and e.text is not null
   and e.text !~ '^(\(\( SELECT app\.platform_admin_id\(\) AS platform_admin_id\) IS NOT NULL\)$|\(\(\( SELECT app\.platform_admin_id\(\) AS platform_admin_id\) IS NOT NULL\) AND |\(\(impersonator_id = \( SELECT app\.platform_admin_id\(\) AS platform_admin_id\)\) AND )'
union all
select 'function claims to be leakproof', p.oid::regprocedure::text
  from pg_proc p join pg_namespace n on n.oid = p.pronamespace
 where p.proleakproof and n.nspname not in ('pg_catalog', 'information_schema')
union all
select 'app_user can create in a schema', n.nspname from pg_namespace n, worker
 where n.nspname !~ '^pg_(toast|temp)' and has_schema_privilege(worker.oid, n.oid, 'CREATE')
union all
select 'app_user can use a private schema', n.nspname from pg_namespace n, worker
 where n.nspname = 'app_private' and has_schema_privilege(worker.oid, n.oid, 'USAGE')
union all
select 'app_user has a database privilege', privilege from unnest(array['CREATE', 'TEMP']) privilege, worker
 where has_database_privilege(worker.oid, current_database(), privilege)
union all
select distinct 'default privilege reaches the Worker', pg_get_userbyid(d.defaclrole) || ' in ' || coalesce(nullif(d.defaclnamespace, 0)::regnamespace::text, 'every schema')
  from pg_default_acl d, aclexplode(d.defaclacl) a, worker
 where d.defaclobjtype in ('r', 'S', 'f', 'n', 'L') and a.grantee in (worker.oid, 0)
union all
-- Postgres lets everybody call a new function, until that default is revoked.
select 'default privilege reaches the Worker', r.rolname || ' in every schema' from pg_roles r
 where (r.rolname in ('app_definer', 'app_platform') or r.oid = (select relowner from pg_class where oid = to_regclass('public.users')))
   and not exists (select from pg_default_acl d where d.defaclrole = r.oid and d.defaclnamespace = 0 and d.defaclobjtype = 'f')
union all
select 'the seal''s key is readable', t.name from tables t, worker
 where t.name in ('app_private.seal_key', 'app_private.worker_keys') and has_any_column_privilege(worker.oid, t.oid, 'SELECT,INSERT,UPDATE')
union all
select 'the fence is not as rls-policies.sql left it', 'npm run db:rls' from (
  select md5(string_agg(part, E'\n' order by part)) as now from (
    select pg_get_functiondef(p.oid) || coalesce(p.proacl::text, '') as part from pg_proc p join pg_namespace n on n.oid = p.pronamespace
     where n.nspname in ('app', 'app_private')
    union all
    select concat_ws('|', c.relname, p.polname, p.polcmd, p.polpermissive, p.polroles::regrole[],
                     pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid))
      from pg_policy p join pg_class c on c.oid = p.polrelid join pg_namespace n on n.oid = c.relnamespace where n.nspname = 'public'
    union all
    select concat_ws('|', c.relname, a.attname, c.relacl::text, a.attacl::text)
      from pg_class c join pg_attribute a on a.attrelid = c.oid join pg_namespace n on n.oid = c.relnamespace
     where n.nspname = 'public' and c.relkind in ('r', 'p') and a.attnum > 0 and not a.attisdropped
  ) parts) fingerprint
 where now is distinct from obj_description((select oid from pg_namespace where nspname = 'app_private'), 'pg_namespace')
union all
select 'policy does not ask the context', name || ': ' || polname from asked where text !~ '\( SELECT app\.(org_id|user_id|session_id)\('
union all
select 'policy asks once a row', name || ': ' || polname from asked where bare ~ '\mapp\.'
union all
select 'privilege on every column', t.name || ': ' || privilege from tables t, unnest(array['INSERT', 'UPDATE']) privilege, worker
 where t.relkind in ('r', 'p') and has_table_privilege(worker.oid, t.oid, privilege)
union all
select 'secret column is readable', t.name || '.' || a.attname from tables t join pg_attribute a on a.attrelid = t.oid, (table worker union all table platform) reader
 where t.relkind in ('r', 'p') and a.attnum > 0 and not a.attisdropped and a.attname ~ '(password|secret|salt|hash|verifier|token|seed)'
   and has_column_privilege(reader.oid, t.oid, a.attnum, 'SELECT')
union all
select 'key column can be changed', t.name || '.' || a.attname from tables t join pg_attribute a on a.attrelid = t.oid, worker
 where t.relkind in ('r', 'p') and a.attnum > 0 and not a.attisdropped and (a.attname in ('id', 'organization_id', 'user_id', 'expires_at') or t.name in ('organizations', 'users') and a.attname = 'suspended_at')
   and has_column_privilege(worker.oid, t.oid, a.attnum, 'UPDATE')
union all
select 'rule runs with its owner''s rights', t.name || ': ' || r.rulename from pg_rewrite r join tables t on t.oid = r.ev_class where r.rulename <> '_RETURN'
union all
select 'role has a setting of its own', setting from pg_db_role_setting s join worker on worker.oid = s.setrole, unnest(s.setconfig) setting
 where setting not in ('statement_timeout=5s', 'lock_timeout=3s', 'idle_in_transaction_session_timeout=10s')
union all
select 'role lacks a setting', wanted from unnest(array['statement_timeout=5s', 'lock_timeout=3s', 'idle_in_transaction_session_timeout=10s']) wanted, worker
 where not exists (select from pg_db_role_setting s where s.setrole = worker.oid and s.setdatabase = 0 and wanted = any (s.setconfig))
union all
select 'app_user owns a large object', l.oid::text from pg_largeobject_metadata l join worker on worker.oid = l.lomowner
union all
select 'somebody else can become ' || role.rolname, pg_get_userbyid(m.member)
  from pg_auth_members m join pg_roles role on role.oid = m.roleid and role.rolname in ('app_definer', 'app_platform')
 where m.member <> (select relowner from pg_class where oid = to_regclass('public.users'))
   and not (select rolsuper from pg_roles where oid = m.member)
order by 1, 2
