import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";

import { openStage, untilNotRunning, untilRow, untilRunning, valueOf, type Stage } from "./neon-endpoint-support.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage.close());

/** Advisory locks belong to a database: those that the superuser holds are in this one. */
const inPostgres = { database: "postgres" };
const waiting = (many: number) =>
  `select 1 from pg_locks where locktype = 'advisory' and not granted having count(*) = ${many}`;

/** The backend that answers; with `lock`, once that advisory lock is free. */
const pid = async ({ lock, ...options }: { lock?: number; database?: string } = {}) => {
  const waited = lock === undefined ? "null" : `pg_advisory_xact_lock_shared(${lock})`;
  const query = `select pid from (select pg_backend_pid() as pid, ${waited} as waited)`;
  return Number(valueOf(await stage.post({ query }, options)));
};

describe("a connection that comes back", () => {
  /** Runs both on one connection, and says what the second one answers. */
  const afterwards = async (before: string, after: string) => {
    const first = await pid();
    expect((await stage.post({ query: before })).status).toBe(200);
    const answer = await stage.post({ query: after });
    expect(await pid()).toBe(first);
    return valueOf(answer);
  };

  it("is the next one to be used, the last one first", async () => {
    await stage.admin.query("select pg_advisory_lock(1), pg_advisory_lock(2)");
    const held = [1, 2].map((key) => pid({ ...inPostgres, lock: key }));
    await untilRow(stage, waiting(2));
    await stage.admin.query("select pg_advisory_unlock(1)");
    const first = await held[0];
    await stage.admin.query("select pg_advisory_unlock(2)");
    const last = await held[1];
    expect(last).not.toBe(first);
    expect([await pid(inPostgres), await pid(inPostgres)]).toEqual([last, last]);
  });

  it("has forgotten settings", async () => {
    const setting = "current_setting('work_mem')";
    const before = valueOf(await stage.post({ query: `select ${setting}` }));
    expect(await afterwards("set work_mem = '65kB'", `select ${setting}`)).toBe(before);
  });

  it("has forgotten the role", async () => {
    await stage.admin.query("create role helper; grant helper to app");
    expect(await afterwards("set role helper", "select current_user")).toBe("app");
    expect(await afterwards("select set_config('role', 'helper', false)", "select current_user")).toBe("app");
  });

  it("has dropped temporary tables", async () => {
    expect(await afterwards("create temp table mine (n int)", "select to_regclass('pg_temp.mine')")).toBeNull();
  });

  it("has let go of advisory locks", async () => {
    const held = "select count(*)::int from pg_locks where locktype = 'advisory'";
    expect(await afterwards("select pg_advisory_lock(42)", held)).toBe(0);
  });

  it("has forgotten prepared statements, cursors, channels and sequence values", async () => {
    expect(
      await afterwards("prepare mine as select 1", "select count(*)::int from pg_prepared_statements where from_sql"),
    ).toBe(0);
    expect(
      await afterwards(
        "declare mine cursor with hold for select 1",
        "select count(*)::int from pg_cursors where name = 'mine'",
      ),
    ).toBe(0);
    expect(await afterwards("listen mine", "select count(*)::int from pg_listening_channels()")).toBe(0);
    await stage.post({ query: "create sequence counter" });
    await stage.post({ query: "select nextval('counter')" });
    expect((await stage.post({ query: "select currval('counter')" })).json.code).toBe("55000");
  });

  it("reads a setting of our own as '' where a fresh one reads NULL", async () => {
    const read = { query: "select current_setting('shop.tenant', true) as tenant" };
    await stage.admin.query("create role reader login password 'pw'");
    const reader = { user: "reader", password: "pw", database: "postgres" };
    expect((await stage.post(read, reader)).json.rows).toEqual([{ tenant: null }]);
    await stage.post({ query: "select set_config('shop.tenant', '7', true)" }, reader);
    expect((await stage.post(read, reader)).json.rows).toEqual([{ tenant: "" }]);
    await stage.post({ query: "select set_config('shop.tenant', '7', false)" }, reader);
    expect((await stage.post(read, reader)).json.rows).toEqual([{ tenant: "" }]);
  });

  it("is never another user's or another database's", async () => {
    const [app, other] = [await pid(), await pid({ database: "postgres" })];
    expect(other).not.toBe(app);
    expect(await pid()).toBe(app);
  });
});

describe("a connection that does not come back", () => {
  it("is one whose single query failed", async () => {
    const first = await pid();
    await stage.post({ query: "select 1/0" });
    expect(await pid()).not.toBe(first);
    await untilRow(
      stage,
      `select 1 where not exists
      (select from pg_stat_activity where pid = ${first})`,
    );
  });

  it("is one that is still in a transaction", async () => {
    const first = await pid();
    expect((await stage.post({ query: "begin" })).json.command).toBe("BEGIN");
    expect(await pid()).not.toBe(first);
    await untilRow(
      stage,
      `select 1 where not exists
      (select from pg_stat_activity where state = 'idle in transaction')`,
    );
  });

  it("is one that Postgres has ended while it was idle", async () => {
    const first = await pid();
    await stage.admin.query("select pg_terminate_backend($1)", [first]);
    await vi.waitFor(async () => expect(await pid()).not.toBe(first), { timeout: 10_000 });
  });
});

describe("many requests at once", () => {
  it.each([50, 150])("all run, each with its own result: %i", async (many) => {
    await stage.admin.query("select pg_advisory_lock(3)");
    const query = "select $1::int as n, pg_advisory_xact_lock_shared(3)";
    const sent = Array.from({ length: many }, (_, n) => stage.post({ query, params: [n] }, inPostgres));
    await untilRow(stage, waiting(many));
    await stage.admin.query("select pg_advisory_unlock(3)");
    const answers = await Promise.all(sent);
    expect(answers.map((answer) => answer.json.rows[0].n)).toEqual(answers.map((_, n) => n));
    // What is beyond the pool was opened for the moment, and ends.
    await untilRow(
      stage,
      `select 1 from pg_stat_activity where usename = 'app' and datname = 'postgres' having count(*) = 20`,
    );
    expect((await stage.post({ query: "select 1" }, inPostgres)).status).toBe(200);
  });
});

describe("a client that goes away", () => {
  it("has its query cancelled", async () => {
    const abort = new AbortController();
    const gone = stage.post({ query: "select pg_sleep(300) /* left alone */" }, { signal: abort.signal });
    await untilRunning(stage, "left alone");
    abort.abort();
    await expect(gone).rejects.toThrow("aborted");
    await untilNotRunning(stage, "left alone");
    expect((await stage.post({ query: "select 1" })).status).toBe(200);
  });

  it("has its batch rolled back", async () => {
    await stage.post({ query: "create table left_behind (n int)" });
    const abort = new AbortController();
    const gone = stage.post(
      {
        queries: [
          { query: "insert into left_behind values (1)" },
          { query: "select pg_sleep(300) /* half way */" },
          { query: "insert into left_behind values (2)" },
        ],
      },
      { signal: abort.signal },
    );
    await untilRunning(stage, "half way");
    abort.abort();
    await expect(gone).rejects.toThrow("aborted");
    await untilNotRunning(stage, "half way");
    const { json } = await stage.post({ query: "select count(*)::int as n from left_behind" });
    expect(json.rows).toEqual([{ n: 0 }]);
  });

  it("leaves other clients' queries alone", async () => {
    const abort = new AbortController();
    await stage.admin.query("select pg_advisory_lock(4)");
    const stays = stage.post({ query: "select pg_advisory_xact_lock(4)" }, inPostgres);
    await untilRow(stage, waiting(1));
    const goes = stage.post({ query: "select pg_sleep(300) /* goes */" }, { signal: abort.signal });
    await untilRunning(stage, "goes");
    abort.abort();
    await expect(goes).rejects.toThrow("aborted");
    await untilNotRunning(stage, "goes");
    await stage.admin.query("select pg_advisory_unlock(4)");
    expect((await stays).status).toBe(200);
  });
});

describe("a backend that is ended while it works", () => {
  it("gives 400 with Postgres's reason", async () => {
    const answer = stage.post({ query: "select pg_sleep(300) /* doomed */" });
    await stage.admin.query("select pg_terminate_backend($1)", [await untilRunning(stage, "doomed")]);
    expect((await answer).status).toBe(400);
    expect((await answer).json).toMatchObject({ code: "57P01", severity: "FATAL" });
    expect((await stage.post({ query: "select 1" })).status).toBe(200);
  });

  it("gives the same for a batch, and nothing is kept", async () => {
    await stage.post({ query: "create table half_done (n int)" });
    const answer = stage.post({
      queries: [{ query: "insert into half_done values (1)" }, { query: "select pg_sleep(300) /* doomed batch */" }],
    });
    await stage.admin.query("select pg_terminate_backend($1)", [await untilRunning(stage, "doomed batch")]);
    expect((await answer).status).toBe(400);
    expect((await answer).json).toMatchObject({ code: "57P01" });
    const { json } = await stage.post({ query: "select count(*)::int as n from half_done" });
    expect(json.rows).toEqual([{ n: 0 }]);
  });
});
