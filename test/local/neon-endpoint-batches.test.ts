import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";

import { startNeonEndpoint } from "../../scripts/local/neon-endpoint.ts";
import { openStage, valueOf, type Stage } from "./neon-endpoint-support.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage.close());

let table: string;
let tables = 0;
beforeEach(async () => {
  table = `lines_${tables++}`;
  await stage.post({ query: `create table ${table} (n int primary key)` });
});

const insert = (n: number) => ({ query: `insert into ${table} values ($1)`, params: [n] });
const count = async () => Number(valueOf(await stage.post({ query: `select count(*) from ${table}` })));

describe("a batch", () => {
  it("answers with one result for each statement, in order", async () => {
    const answer = await stage.post({
      queries: [insert(1), { query: `select n from ${table}`, arrayMode: true }, insert(2)],
    });
    expect(answer.status).toBe(200);
    expect(answer.json.results).toMatchObject([
      { command: "INSERT", rowCount: 1, fields: [], rows: [], rowAsArray: false },
      { command: "SELECT", rowCount: 1, rows: [[1]], rowAsArray: true },
      { command: "INSERT", rowCount: 1 },
    ]);
    expect(await count()).toBe(2);
  });

  it("is one transaction", async () => {
    const query = "select pg_current_xact_id()::text as id";
    const answer = await stage.post({ queries: [{ query }, { query }] });
    const [first, second] = answer.json.results;
    expect(first.rows).toEqual(second.rows);
  });

  it("sends a statement only when the one before it has been answered", async () => {
    const answer = await stage.post({
      queries: [
        { query: "select pg_sleep(0)" },
        { query: "select query_start = xact_start as first from pg_stat_activity where pid = pg_backend_pid()" },
      ],
    });
    expect(answer.json.results[1].rows).toEqual([{ first: false }]);
  });

  it("may be empty", async () => {
    const answer = await stage.post({ queries: [] });
    expect(answer.status).toBe(200);
    expect(answer.text).toBe('{"results":[]}');
  });

  it("keeps nothing when a statement fails, and answers with the error object alone", async () => {
    const answer = await stage.post({ queries: [insert(1), insert(1), insert(2)] });
    expect(answer.status).toBe(400);
    expect(answer.json).toMatchObject({ code: "23505", constraint: `${table}_pkey` });
    expect(Object.keys(answer.json)).toHaveLength(17);
    expect(await count()).toBe(0);
  });

  it("runs nothing after a statement that fails", async () => {
    await stage.post({ query: `create sequence ${table}_seq` });
    const next = { query: `select nextval('${table}_seq')` };
    await stage.post({ queries: [next, { query: "select 1/0" }, next] });
    expect(valueOf(await stage.post(next))).toBe("2");
  });

  it("fails in the same way where COMMIT does", async () => {
    await stage.post({
      query: `alter table ${table} add parent int references ${table} deferrable initially deferred`,
    });
    const orphan = { query: `insert into ${table} values (1, 99)` };
    const answer = await stage.post({ queries: [orphan, { query: "select 1" }] });
    expect(answer.status).toBe(400);
    expect(answer.json).toMatchObject({ code: "23503", table });
    expect(answer.json.results).toBeUndefined();
    expect(await count()).toBe(0);
  });

  it("leaves a connection behind that the next request can use", async () => {
    const pid = { query: "select pg_backend_pid()" };
    const before = valueOf(await stage.post(pid));
    await stage.post({ queries: [insert(1), { query: "select 1/0" }] });
    expect(valueOf(await stage.post(pid))).toBe(before);
  });
});

describe("the batch headers", () => {
  const mode = {
    query: `select current_setting('transaction_isolation') as level,
      current_setting('transaction_read_only') as "readOnly",
      current_setting('transaction_deferrable') as "deferrable"`,
  };

  it.each([
    ["ReadUncommitted", "read uncommitted"],
    ["ReadCommitted", "read committed"],
    ["RepeatableRead", "repeatable read"],
    ["Serializable", "serializable"],
  ])("set the isolation level %s, and are echoed", async (header, level) => {
    const headers = { "neon-batch-isolation-level": header };
    const answer = await stage.post({ queries: [mode] }, { headers });
    expect(answer.json.results[0].rows).toEqual([{ level, readOnly: "off", deferrable: "off" }]);
    expect(answer.headers.get("neon-batch-isolation-level")).toBe(header);
    expect(answer.headers.get("neon-batch-read-only")).toBeNull();
    expect(answer.headers.get("neon-batch-deferrable")).toBeNull();
  });

  it("set read only and deferrable, and are echoed", async () => {
    const headers = {
      "neon-batch-isolation-level": "Serializable",
      "neon-batch-read-only": "true",
      "neon-batch-deferrable": "true",
    };
    const answer = await stage.post({ queries: [mode] }, { headers });
    expect(answer.json.results[0].rows).toEqual([{ level: "serializable", readOnly: "on", deferrable: "on" }]);
    expect(answer.headers.get("neon-batch-read-only")).toBe("true");
    expect(answer.headers.get("neon-batch-deferrable")).toBe("true");
    const write = await stage.post({ queries: [insert(1)] }, { headers });
    expect(write.json).toMatchObject({ code: "25006" });
    expect(write.headers.get("neon-batch-read-only")).toBeNull();
  });

  it.each(["True", "1", "false"])("take %j as no", async (value) => {
    const headers = { "neon-batch-read-only": value, "neon-batch-deferrable": value };
    const answer = await stage.post({ queries: [mode] }, { headers });
    expect(answer.json.results[0].rows).toMatchObject([{ readOnly: "off", deferrable: "off" }]);
    expect(answer.headers.get("neon-batch-read-only")).toBeNull();
  });

  it("have no effect on a single query, and are not echoed", async () => {
    const headers = { "neon-batch-isolation-level": "Serializable", "neon-batch-read-only": "true" };
    const answer = await stage.post(mode, { headers });
    expect(answer.json.rows).toMatchObject([{ level: "read committed", readOnly: "off" }]);
    expect(answer.headers.get("neon-batch-isolation-level")).toBeNull();
    expect(answer.headers.get("neon-batch-read-only")).toBeNull();
  });

  it.each(["serializable", "Chaos", ""])("refuse the level %j, even on a single query", async (level) => {
    const headers = { "neon-batch-isolation-level": level };
    for (const body of [{ query: "select 1" }, { queries: [] }]) {
      const answer = await stage.post(body, { headers });
      expect(answer.status).toBe(400);
      expect(answer.json).toMatchObject({ message: "invalid isolation level", code: "" });
    }
  });
});

describe("the size limits", () => {
  const returning = (n: number) => ({
    query: `insert into ${table} values ($1) returning repeat('x', 5000)`,
    params: [n],
  });
  const small = async () =>
    startNeonEndpoint({
      postgres: { host: "127.0.0.1", port: stage.postgres.port },
      maxRequestBytes: 2_000,
      maxResponseBytes: 3_000,
    });

  it("refuse a larger request with 413, and run nothing", async () => {
    const endpoint = await small();
    const answer = await stage.post({ ...insert(1), more: "x".repeat(3_000) }, { endpoint });
    expect(answer.status).toBe(413);
    expect(answer.json).toMatchObject({
      message: "request is too large (max is 2000 bytes)",
      code: "",
    });
    expect(await count()).toBe(0);
    await endpoint.close();
  });

  it("refuse it too when the request does not say how large it is", async () => {
    const endpoint = await small();
    const response = await fetch(`http://127.0.0.1:${endpoint.port}/sql`, {
      method: "POST",
      headers: { "neon-connection-string": stage.url() },
      body: new Blob(["x".repeat(100_000)]).stream(),
      duplex: "half",
    } as RequestInit);
    expect(response.status).toBe(413);
    await endpoint.close();
  });

  it("answer 507 to a larger result, when a single write has been committed", async () => {
    const endpoint = await small();
    const answer = await stage.post(returning(1), { endpoint });
    expect(answer.status).toBe(507);
    expect(answer.json).toMatchObject({
      message: "response is too large (max is 3000 bytes)",
      code: "",
    });
    expect(await count()).toBe(1);
    await endpoint.close();
  });

  it("answer 507 to a larger result of a batch, which is rolled back", async () => {
    const endpoint = await small();
    const answer = await stage.post({ queries: [insert(1), returning(2)] }, { endpoint });
    expect(answer.status).toBe(507);
    expect(await count()).toBe(0);
    await endpoint.close();
  });

  it("count the results of a batch together", async () => {
    const endpoint = await small();
    const half = { query: "select repeat('x', 2000)" };
    expect((await stage.post(half, { endpoint })).status).toBe(200);
    expect((await stage.post({ queries: [half, half] }, { endpoint })).status).toBe(507);
    await endpoint.close();
  });

  it("are 10 MiB each by default", async () => {
    const nearly = "x".repeat(9 * 1024 * 1024);
    const echo = await stage.post({ query: "select $1::text", params: [nearly] });
    expect(echo.status).toBe(200);
    const request = await stage.post({ query: "select 1", params: [nearly + nearly] });
    expect(request.status).toBe(413);
    const result = await stage.post({ query: `select repeat('x', ${11 * 1024 * 1024})` });
    expect(result.status).toBe(507);
  });
});
