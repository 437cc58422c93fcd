import { connect } from "node:net";

import { neon, neonConfig, NeonDbError } from "@neondatabase/serverless";
import { eq, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/neon-http";
import { integer, pgTable, text, timestamp } from "drizzle-orm/pg-core";
import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { openStage, untilNotRunning, untilRunning, type Stage } from "./neon-endpoint-support.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
  neonConfig.fetchEndpoint = (_host, port) => `http://127.0.0.1:${port}/sql`;
});
afterAll(() => stage.close());

const requestsOf = async (tag: string): Promise<any[]> => {
  const response = await fetch(`http://127.0.0.1:${stage.endpoint.port}/control/requests?tag=${tag}`);
  return ((await response.json()) as { requests: any[] }).requests;
};

describe("the Neon driver", () => {
  it("gets typed values, and full results where it asks for them", async () => {
    const query = neon(stage.url());
    const when = new Date("2026-01-02T03:04:05.678Z");
    const rows = await query`select ${1}::int as n, ${"x"} as s, extract(epoch from ${when}::timestamptz)::float8 as t,
      ${{ a: [1] }}::jsonb as j, ${[1, 2]}::int[] as l, ${null}::text as nothing, ${true}::bool as b`;
    expect(rows).toEqual([
      { n: 1, s: "x", t: when.getTime() / 1000, j: { a: [1] }, l: [1, 2], nothing: null, b: true },
    ]);
    const full = await neon(stage.url(), { fullResults: true })`select 1 as n`;
    expect(full).toMatchObject({ command: "SELECT", rowCount: 1, rows: [{ n: 1 }] });
  });

  it("sees Postgres's errors with all their fields", async () => {
    const query = neon(stage.url());
    const error: unknown = await query`select 1 / ${0}::int`.catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(NeonDbError);
    expect(error).toMatchObject({ code: "22012", severity: "ERROR", message: "division by zero" });
  });

  it("runs a transaction as one request, with its options", async () => {
    const tag = "transaction";
    const query = neon(stage.url({ tag }));
    const results = await query.transaction(
      [query`select 1 as n`, query`select current_setting('transaction_isolation') as level`],
      { isolationLevel: "RepeatableRead", readOnly: true, deferrable: false },
    );
    expect(results).toEqual([[{ n: 1 }], [{ level: "repeatable read" }]]);
    expect(await requestsOf(tag)).toMatchObject([
      { batch: true, readOnly: true, isolationLevel: "RepeatableRead", status: 200 },
    ]);
  });

  it("sends the tag on, beside the application_name that it adds", async () => {
    const tag = "driver";
    let sent = "";
    const query = neon(stage.url({ tag }));
    neonConfig.fetchFunction = (url: string, init: RequestInit) => {
      sent = new Headers(init.headers).get("neon-connection-string") ?? "";
      return fetch(url, init);
    };
    try {
      await query`select ${"x"}`;
    } finally {
      neonConfig.fetchFunction = undefined;
    }
    expect(sent).toContain(`?tag=${tag}&application_name=`);
    expect(await requestsOf(tag)).toMatchObject([
      { statements: [{ query: "select $1", params: ["x"] }], batch: false },
    ]);
  });

  it("cancels its query when it is aborted", async () => {
    const abort = new AbortController();
    const query = neon(stage.url(), { fetchOptions: { signal: abort.signal } });
    const gone = query`select pg_sleep(300) /* driver abort */`.catch((thrown: unknown) => thrown);
    await untilRunning(stage, "driver abort");
    abort.abort();
    expect(await gone).toMatchObject({ message: expect.stringContaining("aborted") });
    await untilNotRunning(stage, "driver abort");
  });
});

describe("drizzle", () => {
  const orders = pgTable("orders", {
    id: integer().primaryKey(),
    note: text(),
    at: timestamp({ withTimezone: true, mode: "date" }),
  });

  it("runs a batch as one request in one transaction, with mapped results", async () => {
    const tag = "drizzle";
    const db = drizzle(neon(stage.url({ tag })));
    await neon(stage.url())`create table orders (id int primary key, note text, at timestamptz)`;
    const at = new Date("2026-01-02T03:04:05.000Z");
    const [inserted, found, raw] = await db.batch([
      db.insert(orders).values({ id: 1, note: "first", at }).returning({ id: orders.id }),
      db.select().from(orders).where(eq(orders.id, 1)),
      db.execute(sql`select count(*)::int as n from orders`),
    ]);
    expect(inserted).toEqual([{ id: 1 }]);
    expect(found).toEqual([{ id: 1, note: "first", at }]);
    expect(raw).toMatchObject({ rows: [{ n: 1 }], rowCount: 1, command: "SELECT" });
    const requests = await requestsOf(tag);
    expect(requests).toHaveLength(1);
    expect(requests[0]).toMatchObject({ batch: true, status: 200 });
    expect(requests[0].statements).toHaveLength(3);

    const failure: unknown = await db
      .batch([db.insert(orders).values({ id: 2 }), db.insert(orders).values({ id: 1 })])
      .catch((thrown: unknown) => thrown);
    expect(failure).toMatchObject({ code: "23505", constraint: "orders_pkey" });
    const single: unknown = await db
      .insert(orders)
      .values({ id: 1 })
      .catch((thrown: unknown) => thrown);
    expect(single).toMatchObject({ cause: { code: "23505" } });
    expect(await db.$count(orders)).toBe(1);
  });
});

describe("the Postgres protocol on the same port", () => {
  it("is what a pg client gets, with the same connection string", async () => {
    const client = new Client({ connectionString: stage.url() });
    await client.connect();
    const many = await client.query("select n, repeat('x', 100) from generate_series(1, 20000) n");
    expect(many.rows).toHaveLength(20_000);
    const answer = await stage.post({ query: "select current_database() as db" });
    expect((await client.query("select current_database() as db")).rows).toEqual(answer.json.rows);
    await client.end();
  });

  it("refuses a wrong password as Postgres does", async () => {
    const client = new Client({ connectionString: stage.url({ password: "wrong" }) });
    await expect(client.connect()).rejects.toMatchObject({ code: "28P01" });
  });

  it("lets Postgres itself answer that it has no TLS", async () => {
    const client = new Client({ connectionString: stage.url(), ssl: true });
    await expect(client.connect()).rejects.toThrow("The server does not support SSL connections");
  });

  it("lets a client cancel its query", async () => {
    const client = new Client({ connectionString: stage.url() });
    await client.connect();
    const { rows } = await client.query<{ pid: number }>("select pg_backend_pid() as pid");
    const failed = client.query("select pg_sleep(300) /* wire */").catch((thrown: unknown) => thrown);
    expect(await untilRunning(stage, "wire")).toBe(rows[0]?.pid);
    // Neither is in pg's types; both are what a cancel request is made of.
    const { processID, secretKey } = client as unknown as Record<string, number>;
    const request = Buffer.alloc(16);
    [16, 80_877_102, processID ?? 0, secretKey ?? 0].forEach((part, index) => {
      request.writeInt32BE(part, index * 4);
    });
    const socket = connect(stage.endpoint.port, "127.0.0.1");
    socket.end(request);
    expect(await failed).toMatchObject({ code: "57014" });
    await client.end();
  });

  it("leaves HTTP alone that arrives byte by byte, and two requests on one connection", async () => {
    const body = JSON.stringify({ query: "select 1 as n" });
    const request =
      `POST /sql HTTP/1.1\r\nHost: localhost\r\nNeon-Connection-String: ${stage.url()}\r\n` +
      `Content-Length: ${body.length}\r\n\r\n${body}`;
    const socket = connect({ port: stage.endpoint.port, host: "127.0.0.1", noDelay: true });
    let received = "";
    socket.on("data", (chunk) => (received += chunk.toString()));
    for (const character of request) {
      await new Promise((resolve) => socket.write(character, resolve));
    }
    await expect.poll(() => received).toContain('"rows":[{"n":1}]');
    socket.write(request);
    await expect.poll(() => received.split('"rows":[{"n":1}]')).toHaveLength(3);
    expect(received).toMatch(/keep-alive: timeout=(1[2-9]\d|[2-9]\d\d)/i);
    socket.destroy();
  });

  it("outlives connections that say nothing, break off, or speak nonsense", async () => {
    for (const bytes of ["", "\0", "\0\0\0\x08\0\0\0\0", "\x16\x03\x01nonsense", "GET"]) {
      const socket = connect(stage.endpoint.port, "127.0.0.1");
      const closed = new Promise((resolve) => socket.once("close", resolve));
      socket.on("error", () => undefined);
      socket.resume();
      socket.end(bytes);
      await closed;
    }
    expect((await stage.post({ query: "select 1" })).status).toBe(200);
  });
});
