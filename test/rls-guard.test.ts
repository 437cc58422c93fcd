import { describe, expect, it } from "vitest";
import { findProblems } from "./support/guard.ts";

describe("The catalog", () => {
  it("passes the guard as the Worker's role", async () => {
    expect(await findProblems()).toEqual([]);
  });

  it.each([
    ["alter table users no force row level security", "row security is not enabled and forced"],
    ["alter table memberships disable row level security", "row security is not enabled and forced"],
    ["create table forgotten (id uuid)", "table has no floor"],
    [`drop policy "A session is its person's alone" on sessions`, "table has no floor"],
    [`create policy "all" on users to app_user using (true)`, "policy restricts nothing"],
    [`create policy "all" on users using (id is not null)`, "policy restricts nothing"],
    ["grant truncate on organizations to app_user", "dangerous table privilege"],
    ["grant app_definer to app_user", "role is a member of another"],
    ["alter role app_user createrole", "role could rise above the fence"],
    ["alter role app_user bypassrls", "role could rise above the fence"],
    ["create view leak as select * from users; grant select on leak to app_user", "view runs with its owner's rights"],
    [
      "create materialized view leak as select * from users; grant select on leak to app_user",
      "readable past row security",
    ],
    [
      "create function app.leak() returns int language sql security definer set search_path = '' as 'select 1'; grant execute on function app.leak() to app_user",
      "definer function is not on the list",
    ],
    ["alter default privileges grant select on tables to app_user", "default privilege reaches the Worker"],
    ["alter default privileges grant execute on functions to app_user", "default privilege reaches the Worker"],
    ["alter default privileges grant execute on functions to public", "default privilege reaches the Worker"],
    [
      `alter policy "An organization is reached only from within" on organizations using (1 = 1) with check (1 = 1)`,
      "table has no floor",
    ],
    [`create policy "all" on sessions to app_user using (user_id is not null)`, "policy does not ask the context"],
    [
      `create policy "all" on sessions to app_user using (user_id = current_setting('x.user')::uuid)`,
      "policy does not ask the context",
    ],
    [`create policy "slow" on sessions to app_user using (user_id = app.user_id())`, "policy asks once a row"],
    ["create view leak as select * from users; grant delete on leak to app_user", "view runs with its owner's rights"],
    [
      "create schema billing; grant usage on schema billing to app_user; create table billing.notes (id uuid); grant delete on billing.notes to app_user",
      "row security is not enabled and forced",
    ],
    ["grant update on memberships to app_user", "privilege on every column"],
    ["grant select (password_verifier) on users to app_user", "secret column is readable"],
    ["grant update (user_id) on sessions to app_user", "key column can be changed"],
    [
      "create rule sweep as on update to organizations do also delete from idempotency_keys",
      "rule runs with its owner's rights",
    ],
    [
      "grant usage on schema drizzle to app_user; grant insert on drizzle.__drizzle_migrations to app_user",
      "table has no floor",
    ],
    ["alter role app_user set search_path = 'pg_catalog'", "role has a setting of its own"],
    ["alter role app_user reset all", "role lacks a setting"],
    [
      "create role mallory; set local role app_definer; reset role; grant app_definer to mallory",
      "somebody else can become app_definer",
    ],
    [
      "set local role app_definer; create or replace function app.user_id() returns uuid language sql stable parallel restricted security definer set search_path = '' as $$ select current_setting('x.user')::uuid $$; reset role",
      "the fence is not as rls-policies.sql left it",
    ],
    ["grant update, delete on organizations to app_definer", "the fence is not as rls-policies.sql left it"],
    ["grant create on schema public to app_user", "app_user can create in a schema"],
    ["alter function app_private.touch_updated_at() security definer", "definer function has another owner"],
    [
      "set local role app_platform; drop function app.end_impersonation(uuid); set local role app_definer; create function app.end_impersonation(uuid) returns void language sql security definer set search_path = '' as ''; grant execute on function app.end_impersonation(uuid) to app_user; reset role",
      "definer function has another owner",
    ],
    ...[
      "using (true)",
      "using ((select app.platform_admin_id()) is null)",
      "using ((select app.platform_admin_id()) is not null or true)",
      "using (id is not null and (select app.platform_admin_id()) is not null or true)",
    ].map((how): [string, string] => [
      `create policy everybody on users for select to app_platform ${how}`,
      "policy of app_platform does not ask for an administrator",
    ]),
    [
      "create policy everybody on sessions for insert to app_platform with check (impersonator_id = (select app.platform_admin_id()) or true)",
      "policy of app_platform does not ask for an administrator",
    ],
    ["grant select (password_salt) on users to app_platform", "secret column is readable"],
    ["create role mallory; grant app_platform to mallory", "somebody else can become app_platform"],
    [
      "grant create on schema public to app_user; create type mood as enum (); alter type mood owner to app_user",
      "app_user owns an object",
    ],
    ["grant usage on schema app_private to app_user", "app_user can use a private schema"],
    ["grant usage on schema app_private to public", "app_user can use a private schema"],
    [
      "set local role app_definer; grant select on app_private.seal_key to app_user; reset role",
      "the seal's key is readable",
    ],
  ])("fails the guard after: %s", async (sabotage, problem) => {
    expect((await findProblems(sabotage)).map((row) => row.problem)).toContain(problem);
  });
});
