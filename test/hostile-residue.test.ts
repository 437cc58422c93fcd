import { describe, expect, it } from "vitest";
import { admitStatement } from "./support/admission.ts";
import { asOwner, asWorker } from "./support/database.ts";
import { failureOf, inject, mine, type Statement, theirs } from "./support/injection.ts";

/**
 * What Postgres lets every role do, and no grant takes away: the README's security model says so, and this
 * says exactly how far it goes. Everything is rolled back, so that tests beside this one see none of it.
 */
const refusal = (...statements: Statement[]) => failureOf(inject(...statements));

describe("Postgres cannot refuse that a statement", () => {
  it("changes its own role's password and settings, in a write", async () => {
    await inject(["alter role app_user password 'taken over'"]);
    const [settings] = await inject(
      ["alter role app_user set statement_timeout = 0"],
      ["select setconfig from pg_db_role_setting where setrole = 'app_user'::regrole and setdatabase = 0"],
    );
    expect(settings?.["setconfig"]).toContain("statement_timeout=0");
    for (const text of [
      "alter role app_user valid until 'yesterday'",
      "alter role app_user connection limit 0",
      "alter role app_user nologin",
      "alter role app_user rename to mallory",
      "alter role app_definer set search_path = 'x'",
      "alter role app_user set session_replication_role = replica",
    ]) {
      expect((await refusal([text]))?.code, text).toMatch(/^(42501|0A000)$/);
    }
  });

  it("lifts its own timeouts", async () => {
    const timeouts = await inject(
      ["select set_config('statement_timeout', '0', true), set_config('lock_timeout', '0', true)"],
      ["select current_setting('statement_timeout') as statement, current_setting('lock_timeout') as lock"],
    );
    expect(timeouts).toEqual([{ statement: "0", lock: "0" }]);
  });

  it("ends other connections of its role, and of no other", async () => {
    const name = `victim-${crypto.randomUUID()}`;
    const sleep: Statement[] = [["select set_config('application_name', $1, false)", [name]], ["select pg_sleep(20)"]];
    const victim = asWorker(...sleep).catch((error: { code?: string }) => error.code);
    const end = "select pg_terminate_backend(pid) as ended from pg_stat_activity where application_name = $1";
    await expect.poll(() => inject([end, [name]]), { timeout: 10_000 }).toEqual([{ ended: true }]);
    expect(await victim).toBe("57P01");
    const server =
      "select pg_terminate_backend(pid) from pg_stat_activity where usename is distinct from 'app_user' and usename is distinct from 'neondb_owner'";
    expect(await refusal([server])).toMatchObject({ code: "42501" });
    const owner = asOwner(["select pg_sleep(3)"]);
    const ofOwner = "select pid from pg_stat_activity where usename = 'neondb_owner' limit 1";
    await expect.poll(() => inject([ofOwner]), { timeout: 3_000 }).toHaveLength(1);
    expect(await refusal([`select pg_terminate_backend(pid) from (${ofOwner}) o`])).toMatchObject({ code: "42501" });
    await owner;
  });

  it("locks tables that it may delete from, and advisory locks; no other table in a way that stops others", async () => {
    const lock = (table: string, mode: string) => refusal([`lock table ${table} in ${mode} mode nowait`]);
    // 55P03: allowed, and somebody beside this test was first.
    expect([undefined, "55P03"]).toContain((await lock("teams", "share row exclusive"))?.code);
    for (const table of ["users", "sessions", "organizations", "memberships", "idempotency_keys"]) {
      expect((await lock(table, "share"))?.code, table).toBe("42501");
      expect((await lock(table, "access exclusive"))?.code, table).toBe("42501");
    }
    expect(await inject(["select pg_try_advisory_xact_lock($1::bigint) as taken", [42]])).toEqual([{ taken: true }]);
  });

  it("keeps a large object that another tenant's injected statement can read", async () => {
    const results = await asWorker(
      admitStatement(mine.admission),
      ["select set_config('kept.object', lo_from_bytea(0, 'left here')::text, true)"],
      admitStatement(theirs.admission),
      ["select convert_from(lo_get(current_setting('kept.object')::oid), 'UTF8') as found"],
      ["rollback"],
    );
    expect(results[3]).toEqual([{ found: "left here" }]);
    expect(await refusal(["select lo_import('/etc/hostname')"])).toMatchObject({ code: "42501" });
    expect(await refusal(["select lo_export(0, '/tmp/x')"])).toMatchObject({ code: "42501" });
  });

  it("sends and awaits notifications", async () => {
    expect(await refusal(["notify somebody, 'something'"], ["listen somebody"], ["unlisten *"])).toBeUndefined();
  });

  it("learns that an address, a slug or an id is taken, and nothing else of its row", async () => {
    const signUp = "select id from app.sign_up($1::uuid, $2, 'x', 1, $3, 'x', null, null)";
    const salt = `$2b$04$${"a".repeat(22)}`;
    const newId = crypto.randomUUID();
    for (const [text, params, constraint] of [
      [signUp, [newId, theirs.owner.email, salt], "users_email_key"],
      [signUp, [theirs.owner.id, "new@hostile.example", salt], "users_pkey"],
      ["update organizations set slug = $1", [theirs.slug], "organizations_slug_key"],
      [
        "select app.create_organization($1::uuid, 'x', array['x-' || $1])",
        [theirs.organizationId],
        "organizations_pkey",
      ],
      ["select app.create_organization($1::uuid, 'x', array[$2])", [newId, theirs.slug], "organizations_slug_key"],
    ] satisfies [string, unknown[], string][]) {
      const error = await refusal([text, params]);
      expect(error).toMatchObject({ code: "23505", constraint });
      // What Postgres adds is what was asked with.
      const known = params.join(" ");
      for (const value of [...theirs.values, theirs.owner.email, theirs.slug].filter((each) => !known.includes(each))) {
        expect(JSON.stringify(error)).not.toContain(value);
      }
    }
    const parameters = "select * from app.password_parameters($1)";
    expect(await inject([parameters, [theirs.owner.email]])).toHaveLength(1);
    expect(await inject([parameters, ["nobody@hostile.example"]])).toEqual([]);
    // A foreign key would tell as well, but nothing that has one can be inserted.
    for (const text of [
      "insert into memberships (organization_id, user_id) select id, $1::uuid from organizations",
      "insert into sessions (id, user_id) values (gen_random_uuid(), $1::uuid)",
    ]) {
      expect(await refusal([text, [theirs.owner.id]])).toMatchObject({ code: "42501" });
    }
  });

  it("learns how many rows a table has", async () => {
    const rows = "select n_tup_ins > 0 as some from pg_stat_user_tables where relname = 'users'";
    expect(await inject([rows])).toEqual([{ some: true }]);
    const plan = await inject(
      [
        "select set_config(name, 'off', true) from unnest(array['enable_indexscan', 'enable_bitmapscan', 'enable_indexonlyscan']) name",
      ],
      ["explain (analyze, format json) select id from organizations"],
    );
    expect(JSON.stringify(plan)).toContain("Rows Removed by Filter");
    for (const value of theirs.values) expect(JSON.stringify(plan)).not.toContain(value);
  });
});
