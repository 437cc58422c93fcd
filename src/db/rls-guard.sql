-- What would make the fence unsafe, one row each; no row means that it stands. Read-only, no parameters.
-- Run it with the Worker's own DATABASE_URL: npm run db:check, and GET /ready.
-- "login" problems concern the role that connects, all others the database whoever connects.
with
tables as (
  select c.oid, c.oid::regclass::text as name, n.nspname = 'public' as is_public, c.relkind, c.relrowsecurity, c.relforcerowsecurity, c.reloptions
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
   where n.nspname !~ '^pg_' and n.nspname <> 'information_schema' and n.nspname <> 'drizzle'
),
worker as (select oid from pg_roles where rolname = 'app_user'),
trusted as (select oid, rolname from pg_roles where rolname in ('app_user', 'app_definer')),
-- Callable by the Worker and run with app_definer's rights. A function not on this list fails the check.
allowed_definers (signature) as (values
  ('app.admit(bytea,uuid,text)'), ('app.user_id()'), ('app.session_id()'), ('app.org_id(text)'),
  ('app.sign_up(uuid,text,text,integer,text,text)'), ('app.password_parameters(text)'),
  ('app.sign_in(text,text,uuid,bytea,interval,text,text,integer,text,text)'),
  ('app.refresh_session(bytea,integer)'), ('app.claim_idempotency_key(bytea,text,bytea)'),
  ('app.keep_response(bytea,text,json)'), ('app.create_organization(uuid,text,text[])'),
  ('app.my_organizations(uuid,integer)'), ('app.member_profiles(uuid[])'), ('app.purge_expired()')
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
select 'app_user owns a function', p.oid::regprocedure::text from pg_proc p join worker on worker.oid = p.proowner
union all
select 'row security is not enabled and forced', name from tables
 where relkind in ('r', 'p') and not (relrowsecurity and relforcerowsecurity)
   and (is_public or has_any_column_privilege((select oid from worker), oid, 'SELECT,INSERT,UPDATE,REFERENCES'))
union all
select 'table has no floor', t.name from tables t
 where t.relkind in ('r', 'p') and t.is_public
   and not exists (select from pg_policy p, worker where p.polrelid = t.oid and not p.polpermissive and p.polcmd = '*'
                      and worker.oid = any (p.polroles) and p.polqual is not null and p.polwithcheck is not null
                      and pg_get_expr(p.polqual, p.polrelid) <> 'true' and pg_get_expr(p.polwithcheck, p.polrelid) <> 'true')
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
 where t.relkind = 'v' and has_any_column_privilege(worker.oid, t.oid, 'SELECT,INSERT,UPDATE')
   and not coalesce((select option_value::boolean from pg_options_to_table(t.reloptions) where option_name = 'security_invoker'), false)
union all
select 'definer function is not on the list', p.oid::regprocedure::text
  from pg_proc p join pg_namespace n on n.oid = p.pronamespace, worker
 where p.prosecdef and n.nspname not in ('pg_catalog', 'information_schema')
   and has_schema_privilege(worker.oid, n.oid, 'USAGE') and has_function_privilege(worker.oid, p.oid, 'EXECUTE')
   and p.oid::regprocedure::text not in (select signature from allowed_definers)
union all
select 'definer function has an open search_path', p.oid::regprocedure::text
  from pg_proc p join pg_namespace n on n.oid = p.pronamespace
 where p.prosecdef and n.nspname not in ('pg_catalog', 'information_schema')
   and not coalesce('search_path=""' = any (p.proconfig), false)
union all
select 'definer function is not app_definer''s', p.oid::regprocedure::text || ': ' || pg_get_userbyid(p.proowner)
  from pg_proc p join pg_namespace n on n.oid = p.pronamespace, worker
 where p.prosecdef and n.nspname not in ('pg_catalog', 'information_schema')
   and has_function_privilege(worker.oid, p.oid, 'EXECUTE') and pg_get_userbyid(p.proowner) <> 'app_definer'
union all
select 'function claims to be leakproof', p.oid::regprocedure::text
  from pg_proc p join pg_namespace n on n.oid = p.pronamespace
 where p.proleakproof and n.nspname not in ('pg_catalog', 'information_schema')
union all
select 'app_user can create in a schema', n.nspname from pg_namespace n, worker
 where n.nspname !~ '^pg_(toast|temp)' and has_schema_privilege(worker.oid, n.oid, 'CREATE')
union all
select 'app_user has a database privilege', privilege from unnest(array['CREATE', 'TEMP']) privilege, worker
 where has_database_privilege(worker.oid, current_database(), privilege)
union all
select 'default privilege reaches the Worker', pg_get_userbyid(d.defaclrole) || ' in ' || coalesce(d.defaclnamespace::regnamespace::text, 'every schema')
  from pg_default_acl d, aclexplode(d.defaclacl) a, worker
 where d.defaclobjtype in ('r', 'S') and a.grantee in (worker.oid, 0)
union all
select 'the seal''s key is readable', 'app_private.seal_key' from tables t, worker
 where t.name = 'app_private.seal_key' and has_any_column_privilege(worker.oid, t.oid, 'SELECT,INSERT,UPDATE')
order by 1, 2
