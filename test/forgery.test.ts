import { describe, expect, it } from "vitest";
import { admitStatement } from "./support/admission.ts";
import { asWorker } from "./support/database.ts";
import { failureOf, inject, injectForGood, mine, type Statement, theirs } from "./support/injection.ts";

/** What would be another context, or another role, in SQL that an attacker has got into a statement. */
const refusal = async (...statements: Statement[]) => (await failureOf(injectForGood(...statements)))?.code;

const everything = `select id::text as v from organizations union all select id::text from users union all select id::text from sessions
  union all select user_id::text from memberships union all select organization_id::text from memberships`;

/** Expects that the statements after which everything is read show rows of one's own, and no other. */
async function expectOwnRows(...statements: Statement[]): Promise<void> {
  const values = (await injectForGood(...statements, [everything])).map(({ v }) => v);
  expect(values).toContain(mine.owner.id);
  expect(values.filter((value) => !mine.values.includes(value))).toEqual([]);
}

describe("The context", () => {
  // In a predicate, as an injection would have it.
  const overwrite = "select id from organizations where set_config($1, $2, true) is not null";

  it.each<[string, () => string, string]>([
    ["another user", () => mine.context.replace(mine.owner.id, theirs.owner.id), "AP499"],
    ["another organization", () => mine.context.replace(mine.organizationId, theirs.organizationId), "AP499"],
    ["another permission", () => `${mine.context},everything:do`, "AP499"],
    ["no organization", () => mine.context.replace(mine.organizationId, ""), "AP499"],
    ["nothing", () => "", "AP400"],
    ["fewer parts", () => mine.owner.id, "AP499"],
  ])("cannot be overwritten with %s", async (_, context, code) => {
    expect(await refusal([overwrite, ["app.context", context()]], [everything])).toBe(code);
    expect(await refusal(["select set_config('app.context', $1, false)", [context()]], [everything])).toBe(code);
  });

  it.each(["", "00", "f".repeat(64)])("does not take %j for its seal", async (seal) => {
    expect(await refusal([overwrite, ["app.seal", seal]], [everything])).toBe("AP499");
  });

  it("is refused from an earlier transaction, on the same connection too", async () => {
    const keep =
      "select pg_backend_pid() as pid, current_setting('app.context') as context, current_setting('app.seal') as seal";
    const replay =
      "select set_config('app.context', $1, true), set_config('app.seal', $2, true), pg_backend_pid() as pid";
    const [kept] = await injectForGood([keep]);
    await expect(asWorker([replay, [kept?.["context"], kept?.["seal"]]], [everything])).rejects.toMatchObject({
      code: "AP499",
    });
    // In one batch the connection is the same for certain.
    const both: Statement[] = [[keep], ["commit"], ["begin"], ["select pg_backend_pid() as pid"]];
    const results = await asWorker(admitStatement(mine.admission), ...both);
    expect(results.at(-1)?.[0]?.["pid"]).toBe(results[1]?.[0]?.["pid"]);
    const chained = asWorker(
      admitStatement(mine.admission),
      [
        "select set_config('kept.context', current_setting('app.context'), false), set_config('kept.seal', current_setting('app.seal'), false)",
      ],
      ["commit"],
      ["begin"],
      [
        "select set_config('app.context', current_setting('kept.context'), true), set_config('app.seal', current_setting('kept.seal'), true)",
      ],
      [everything],
    );
    await expect(chained).rejects.toMatchObject({ code: "AP499" });
  });

  it("does not outlive its transaction, nor a rollback to before it", async () => {
    await expect(asWorker(admitStatement(mine.admission), ["commit"], [everything])).rejects.toMatchObject({
      code: "AP400",
    });
    await expect(
      asWorker(["savepoint a"], admitStatement(mine.admission), ["rollback to a"], [everything]),
    ).rejects.toMatchObject({ code: "AP400" });
  });

  it("cannot be sealed: key and function are out of reach", async () => {
    for (const text of [
      "select * from app_private.seal_key",
      "select app_private.seal('x')",
      "select app_private.context()",
      "select pg_get_functiondef('app_private.seal(text)'::regprocedure) from app_private.seal_key",
      "update app_private.seal_key set inner_key = outer_key",
    ])
      expect(await refusal([text]), text).toBe("42501");
  });

  it("is had again by one's own handle only", async () => {
    const guess = "select app.admit(decode(repeat('00', 32), 'hex'), $1::uuid, 'organization:read')";
    expect(await refusal([guess, [theirs.organizationId]])).toBe("AP401");
    const again = "select app.admit($1::bytea, $2::uuid, $3)";
    expect(await refusal([again, [mine.admission.handle, theirs.organizationId, "organization:read"]])).toBe("AP404");
    const hash = `select app.admit(handle_hash, $1::uuid, 'organization:read') from sessions`;
    expect(await refusal([hash, [mine.organizationId]])).toBe("42501");
    await expectOwnRows([again, [mine.admission.handle, mine.organizationId, "organization:read"]]);
  });

  it("cannot be had by signing in as somebody: the database compares the hash itself", async () => {
    const signIn = "select * from app.sign_in($1, $2, gen_random_uuid(), sha256('x'), interval '1 day', null, null)";
    const [parameters] = await injectForGood(["select * from app.password_parameters($1)", [theirs.owner.email]]);
    expect(Object.keys(parameters ?? {})).toEqual(["scheme", "salt"]);
    for (const hash of ["", parameters?.["salt"], theirs.owner.password]) {
      expect(await injectForGood([signIn, [theirs.owner.email, hash]])).toMatchObject([{ id: null, expires_at: null }]);
    }
    expect(await refusal(["select * from app.refresh_session(sha256('x'), 1)"])).toBe("AP401");
  });
});

describe("The role", () => {
  it.each([
    "reset role",
    "set role none",
    "set role app_user",
    "select set_config('role', 'none', true)",
    "select set_config('role', 'app_user', false)",
    "set session authorization default",
    "reset session authorization",
    "set session authorization app_user",
    "reset all",
    "select set_config('row_security', 'on', true)",
    "set local search_path = pg_temp, app, public",
    "set local search_path = pg_catalog, public",
    "select set_config('session_replication_role', current_setting('session_replication_role'), true) where false",
  ])("does not rise by: %s", async (text) => {
    const [role] = await inject([text], ["select current_user as current, session_user as login"]);
    expect(role).toEqual({ current: "app_user", login: "app_user" });
    // What has taken the context away as well is no way in either.
    await expectOwnRows([text]).catch((error: { code?: string }) => expect(error.code).toMatch(/^AP4/));
  });

  it.each([
    "set role app_definer",
    "set local role neondb_owner",
    "select set_config('role', 'app_definer', true)",
    "select set_config('role', 'postgres', false)",
    "set session authorization neondb_owner",
    "select set_config('session_authorization', 'postgres', true)",
    "set session_replication_role = replica",
    "set local log_statement = 'all'",
    "load 'auto_explain'",
    "alter role app_user bypassrls",
    "alter role app_user superuser",
    "alter role app_user createrole",
    "alter role neondb_owner password 'x'",
    "grant app_definer to app_user",
    "create role mallory",
    "alter system set log_statement = 'all'",
    "alter database app set row_security = off",
  ])("may not: %s", async (text) => {
    expect(await refusal([text])).toMatch(/^(42501|25001)$/);
  });

  it("gets an error and no row with row_security off", async () => {
    for (const text of ["set local row_security = off", "select set_config('row_security', 'off', true)"]) {
      expect(await refusal([text], ["select * from organizations"])).toBe("42501");
    }
  });
});
