import { escapeIdentifier, type Client } from "pg";

import type { Mutant } from "./mutants-policies.ts";

interface Grant {
  object: string;
  /** "select (id, name)", "delete". */
  privilege: string;
  role: string;
}

/** Each privilege of app_user that is wider than it was, and each that it or app_definer has, taken away. */
export async function makeGrantMutants(client: Client): Promise<Mutant[]> {
  return [...(await widen(client)), ...(await narrow(client)), ...(await changeRoles(client))];
}

async function widen(client: Client): Promise<Mutant[]> {
  const { rows: tables } = await client.query<{ name: string; schema: string; privilege: string }>(`
    select format('%I.%I', n.nspname, c.relname) as name, n.nspname as schema, p as privilege
      from pg_class c join pg_namespace n on n.oid = c.relnamespace,
           unnest(array['ALL', 'SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER', 'MAINTAIN']) p
     where c.relkind in ('r', 'p', 'v', 'm') and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
       and (p = 'ALL' or not has_table_privilege('app_user', c.oid, p)) order by 1, 3`);
  const { rows: columns } = await client.query<{ name: string; privilege: string; column: string }>(`
    select format('%I.%I', n.nspname, c.relname) as name, p as privilege, a.attname as column
      from pg_class c join pg_namespace n on n.oid = c.relnamespace join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped,
           unnest(array['SELECT', 'INSERT', 'UPDATE']) p
     where c.relkind in ('r', 'p') and n.nspname = 'public' and not has_column_privilege('app_user', c.oid, a.attnum, p) order by 1, 2, a.attnum`);
  return [
    ...tables.map(({ name, schema, privilege }): Mutant => ({
      name: `${name}: grant ${privilege}`,
      statements: [
        `grant ${privilege} on ${name} to app_user`,
        // Without the schema the grant would be worth nothing.
        ...(schema === "public" ? [] : [`grant usage on schema ${escapeIdentifier(schema)} to app_user`]),
      ],
      objects: [name],
    })),
    ...columns.map(({ name, privilege, column }): Mutant => ({
      name: `${name}: grant ${privilege} (${column})`,
      statements: [`grant ${privilege} (${escapeIdentifier(column)}) on ${name} to app_user`],
      objects: [name],
    })),
  ];
}

async function narrow(client: Client): Promise<Mutant[]> {
  const { rows } = await client.query<Grant>(`
    select format('%I.%I', n.nspname, c.relname) as object, a.privilege_type as privilege, a.grantee::regrole::text as role
      from pg_class c join pg_namespace n on n.oid = c.relnamespace, aclexplode(c.relacl) a where a.grantee::regrole::text in ('app_user', 'app_definer') and c.relowner <> a.grantee
    union all
    select format('%I.%I', n.nspname, c.relname), format('%s (%I)', a.privilege_type, t.attname), a.grantee::regrole::text
      from pg_class c join pg_namespace n on n.oid = c.relnamespace join pg_attribute t on t.attrelid = c.oid, aclexplode(t.attacl) a
     where a.grantee::regrole::text in ('app_user', 'app_definer')
    union all
    select 'function ' || p.oid::regprocedure, a.privilege_type, a.grantee::regrole::text from pg_proc p, aclexplode(p.proacl) a
     where a.grantee = 'app_user'::regrole
    union all
    select 'schema ' || quote_ident(n.nspname), a.privilege_type, a.grantee::regrole::text from pg_namespace n, aclexplode(n.nspacl) a
     where a.grantee::regrole::text in ('app_user', 'app_definer') and n.nspowner <> a.grantee
    order by 1, 2, 3`);
  return rows.map(({ object, privilege, role }) => ({
    name: `${object}: revoke ${privilege} from ${role}`,
    statements: [`revoke ${privilege} on ${object} from ${role}`],
    objects: role === "app_user" && !/^(function|schema) /.test(object) ? [object] : null,
  }));
}

/** Functions, schemas, and what the roles are. */
async function changeRoles(client: Client): Promise<Mutant[]> {
  const { rows: functions } = await client.query<{ signature: string; definer: boolean; callable: boolean }>(`
    select p.oid::regprocedure::text as signature, p.prosecdef as definer, has_function_privilege('app_user', p.oid, 'EXECUTE') as callable
      from pg_proc p where p.pronamespace in ('app'::regnamespace, 'app_private'::regnamespace) order by 1`);
  const mutants: Mutant[] = [];
  const add = (name: string, ...statements: string[]) => mutants.push({ name, statements, objects: null });
  for (const { signature, definer, callable } of functions) {
    const alter = `alter function ${signature}`;
    if (definer) add(`${signature}: security invoker`, `${alter} security invoker`);
    if (definer) add(`${signature}: its search_path left open`, `${alter} reset search_path`);
    if (definer) add(`${signature}: owned by a superuser`, `${alter} owner to postgres`);
    if (!callable) {
      add(
        `${signature}: callable`,
        `grant execute on function ${signature} to app_user`,
        "grant usage on schema app_private to app_user",
      );
    }
    add(`${signature}: leakproof`, `${alter} leakproof`);
  }
  for (const attribute of ["bypassrls", "superuser", "createrole", "createdb", "replication"]) {
    add(`app_user: ${attribute}`, `alter role app_user ${attribute}`);
    add(`app_definer: ${attribute}`, `alter role app_definer ${attribute}`);
  }
  for (const role of ["app_definer", "pg_read_all_data", "pg_write_all_data"]) {
    add(`app_user: member of ${role}`, `grant ${role} to app_user`);
  }
  for (const schema of ["public", "app", "app_private"]) {
    add(`schema ${schema}: create`, `grant create on schema ${schema} to app_user`);
  }
  add(
    "database: create",
    "do $$ begin execute format('grant create on database %I to app_user', current_database()); end $$",
  );
  add(
    "database: temporary tables",
    "do $$ begin execute format('grant temporary on database %I to public', current_database()); end $$",
  );
  for (const kind of ["tables", "functions", "sequences"]) {
    add(
      `default privileges: ${kind}`,
      `alter default privileges for role neondb_owner grant all on ${kind} to app_user`,
    );
  }
  return mutants;
}
