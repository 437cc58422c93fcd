import type { Client } from "pg";

/** Every statement past the grants, so that policies alone decide. */
const grantEverything = "grant select, insert, update, delete on all tables in schema public to app_user";

const openPermissive = `do $$ declare item record; begin
  for item in select c.oid::regclass as name from pg_class c
               where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
  loop execute format('create policy "Open to all" on %s to app_user using (true) with check (true)', item.name); end loop;
end $$`;

const dropFloors = `do $$ declare item record; begin
  for item in select polname, polrelid::regclass as name from pg_policy
               where not polpermissive and polrelid in (select oid from pg_class where relnamespace = 'public'::regnamespace)
  loop execute format('drop policy %I on %s', item.polname, item.name); end loop;
end $$`;

/** What is taken away from the fence before a run; the rest must hold without it. */
export const layers = {
  "policies without the grants": [grantEverything],
  "floors alone": [grantEverything, openPermissive],
  "permissive policies alone": [grantEverything, dropFloors],
  nothing: [grantEverything, openPermissive, dropFloors],
} satisfies Record<string, string[]>;

export async function applyLayer(client: Client, layer: keyof typeof layers): Promise<void> {
  for (const statement of layers[layer]) await client.query(statement);
}
