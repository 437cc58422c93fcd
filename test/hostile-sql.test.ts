import { describe, expect, it } from "vitest";
import { admitStatement } from "./support/admission.ts";
import { asWorker } from "./support/database.ts";
import { failureOf, inject, mine, type Statement, theirs } from "./support/injection.ts";

/** What else SQL can try that an attacker has got into a statement. */
const failure = (...statements: Statement[]) => failureOf(inject(...statements));

/** Expects nothing in these values that names the other tenant. */
function expectNothingOfTheirs(shown: unknown): void {
  const text = JSON.stringify(shown);
  for (const value of [...theirs.values, theirs.owner.email, theirs.slug]) expect(text).not.toContain(value);
}

describe("An injected statement is refused", () => {
  it.each([
    "create temp table organizations (id uuid)",
    "create table public.organizations2 (id uuid)",
    "create schema mallory",
    "create view public.v as select 1",
    "create materialized view public.v as select 1",
    "create function pg_temp.leak(text) returns boolean language plpgsql as 'begin raise notice ''%'', $1; return true; end'",
    "create function public.leak(text) returns boolean language plpgsql cost 0.0001 as 'begin raise notice ''%'', $1; return true; end'",
    "create function app.user_id() returns uuid language sql as 'select null::uuid'",
    "create or replace function app.org_id(text default null) returns uuid language sql as 'select null::uuid'",
    "create operator public.= (leftarg = uuid, rightarg = uuid, function = uuid_eq)",
    "create type public.t as (a int)",
    "create sequence public.s",
    "create extension pg_trgm",
    "create extension dblink",
    "create trigger t before update on organizations for each row execute function app_private.touch_updated_at()",
    "create policy p on organizations to app_user using (true)",
    'alter policy "Members read their organization" on organizations using (true)',
    "create rule r as on select to organizations do instead select 1",
    "alter table organizations disable row level security",
    "alter table organizations no force row level security",
    "alter function app.org_id(text) security invoker",
    "alter function app.org_id(text) owner to app_user",
    "grant select on users to public",
    "drop table idempotency_keys",
    "truncate memberships",
    "create statistics public.s on id, name from organizations",
    "create event trigger e on ddl_command_start execute function app_private.touch_updated_at()",
    "create publication p for table organizations",
    "create server s foreign data wrapper postgres_fdw",
    "copy organizations (id) to '/tmp/organizations'",
    "copy organizations (id) to program 'cat'",
    "select pg_read_file('PG_VERSION')",
    "select pg_ls_dir('.')",
    "select lo_import('/etc/hostname')",
    "insert into membership_roles (organization_id, user_id, role) select organization_id, user_id, 'owner' from memberships",
    "update membership_roles set role = 'owner'",
    "update sessions set expires_at = 'infinity'",
    "update users set email = 'mallory@example.com'",
    "select password_verifier from users",
    "select ctid, xmin from organizations",
    "select scope from idempotency_keys",
    "delete from users",
    "select rolpassword from pg_authid",
    "select * from pg_statistic",
    "select * from pg_largeobject",
    "select * from pg_hba_file_rules",
  ])("%s", async (text) => {
    // 42710, 42704 and 58P01: there is not even the wrapper or the extension.
    expect((await failure([text]))?.code, text).toMatch(/^(42501|42704|0A000|58P01)$/);
  });

  it("as two statements in one text", async () => {
    for (const text of ["select 1; reset role", "select 1; select 2", "commit; select 1"]) {
      expect((await failure([text]))?.code).toBe("42601");
    }
  });

  it("when it ends its transaction, or writes in a reading one", async () => {
    expect((await failure(["do $$ begin commit; end $$"]))?.code).toBe("2D000");
    const reading: Statement[] = [["set transaction read only"], admitStatement(mine.admission)];
    for (const [text, code] of [
      ["set transaction read write", "25001"],
      ["select set_config('transaction_read_only', 'off', true)", "25001"],
      ["update users set name = 'x'", "25006"],
      ["alter role app_user password 'x'", "25006"],
      ["alter role app_user set search_path = 'x'", "25006"],
      ["select lo_create(0)", "25006"],
    ]) {
      await expect(asWorker(...reading, [String(text)], ["rollback"]), text).rejects.toMatchObject({ code });
    }
  });

  it("as a copy stream", async () => {
    for (const text of ["copy organizations (id) to stdout", "copy (select id from users) to stdout"]) {
      const error = await failure([text]);
      expect(error).toBeDefined();
      expectNothingOfTheirs(`${error?.message} ${error?.detail}`);
    }
  });
});

describe("An injected statement sees its own rows only, by", () => {
  const uuids = (column: string, table: string) => `select ${column}::text as v from ${table}`;

  it.each([
    "select query_to_xml('select id, name, slug from organizations', true, false, '')::text as v",
    "select query_to_xml('select user_id from memberships', true, false, '')::text as v",
    "select string_agg(word, ' ') as v from ts_stat('select array_to_tsvector(array[id::text]) from organizations')",
    "select id::text as v from organizations tablesample system (100)",
    "select id::text as v from organizations for key share",
    "update organizations set name = name returning concat(old.id, new.id) as v",
    "merge into organizations o using (select id from users) u on true when matched then update set name = o.name returning o.id::text as v",
    "with changed as (update users set name = 'x' returning id) select id::text as v from changed union all select id::text from users",
    "with recursive r as (select id from organizations union select r.id from r) select id::text as v from r",
    "update sessions s set revoked_at = now() from users u returning s.user_id::text as v",
    "with gone as (delete from teams returning id) select id::text as v from gone union all select id::text from organizations",
    "select coalesce(max(id::text) over (), '') as v from users",
    uuids("id", "only sessions"),
    uuids("user_id", "memberships"),
  ])("%s", async (text) => {
    const rows = await inject([text]);
    expect(JSON.stringify(rows)).toMatch(new RegExp(mine.values.join("|")));
    expectNothingOfTheirs(rows);
  });

  it("an error's text: predicates run on own rows before they can complain", async () => {
    for (const text of [
      "select (name || slug || id)::int from organizations",
      "select xmlparse(document id::text || slug) from organizations",
      "select id::text::int from users order by id desc",
      "do $$ declare seen text; begin select string_agg(id::text || slug, ' ') into seen from organizations; raise exception '%', seen; end $$",
    ]) {
      const error = await failure([text]);
      expect(`${error?.message} ${error?.detail}`).toMatch(new RegExp([mine.owner.id, mine.organizationId].join("|")));
      expectNothingOfTheirs(`${error?.message} ${error?.detail}`);
    }
    // Would divide by zero on the other tenant's row.
    const trap = "select 1 / (case when id = $1 then 0 else 1 end) as fine from organizations";
    expect(await inject([trap, [theirs.organizationId]])).toEqual([{ fine: 1 }]);
    expect((await failure([trap, [mine.organizationId]]))?.code).toBe("22012");
  });

  it("a handler that swallows the refusal", async () => {
    const forge = `do $$ begin perform set_config('app.context', replace(current_setting('app.context'), '${mine.organizationId}', '${theirs.organizationId}'), true);
      perform id from organizations; exception when others then null; end $$`;
    expect(await inject([forge], ["select id from organizations"])).toEqual([{ id: mine.organizationId }]);
  });

  it("a prepared statement or a cursor that outlives its transaction", async () => {
    const rows = await asWorker(
      admitStatement(mine.admission),
      ["prepare kept as select id from organizations"],
      ["execute kept"],
      ["declare held cursor with hold for select id from organizations"],
      ["commit"],
      ["begin"],
      admitStatement(theirs.admission),
      ["execute kept"],
      ["fetch all held"],
      ["deallocate kept"],
      ["close held"],
    );
    expect(rows[2]).toEqual([{ id: mine.organizationId }]);
    expect(rows[7]).toEqual([{ id: theirs.organizationId }]);
    expect(rows[8]).toEqual([{ id: mine.organizationId }]);
  });

  it("a plan that was made before the context changed", async () => {
    const rows = await asWorker(
      ["set plan_cache_mode = force_generic_plan"],
      admitStatement(mine.admission),
      ["prepare kept as select id from organizations where id is not null"],
      ["execute kept"],
      admitStatement(theirs.admission),
      ["execute kept"],
      ["rollback"],
    );
    expect([rows[3], rows[5]]).toEqual([[{ id: mine.organizationId }], [{ id: theirs.organizationId }]]);
  });

  it("statistics: none of a fenced table, and no value in what others run", async () => {
    expect(await inject(["select * from pg_stats where schemaname = 'public'"])).toEqual([]);
    expect(await inject(["select * from pg_stats_ext"])).toEqual([]);
    expectNothingOfTheirs(await inject(["select * from pg_stat_activity"]));
    expectNothingOfTheirs(await inject(["select * from pg_locks"]));
    expectNothingOfTheirs(await inject(["select * from pg_prepared_statements"]));
  });
});
