import { createServer } from "node:net";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { startNeonEndpoint } from "../../scripts/local/neon-endpoint.ts";
import { openStage, type Stage } from "./neon-endpoint-support.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage.close());

describe("an error", () => {
  const fields = [
    ..."message code detail hint position internalPosition internalQuery severity".split(" "),
    ..."where table column schema dataType constraint file line routine".split(" "),
  ].toSorted();

  it("has every field, as a string or null", async () => {
    await stage.post({ query: "create table keys (k int constraint keys_pk primary key)" });
    await stage.post({ query: "insert into keys values (1)" });
    const answer = await stage.post({ query: "insert into keys values (1)" });
    expect(answer.status).toBe(400);
    expect(Object.keys(answer.json).toSorted()).toEqual(fields);
    expect(answer.json).toMatchObject({
      message: 'duplicate key value violates unique constraint "keys_pk"',
      code: "23505",
      severity: "ERROR",
      detail: "Key (k)=(1) already exists.",
      hint: null,
      position: null,
      schema: "public",
      table: "keys",
      column: null,
      constraint: "keys_pk",
      file: "nbtinsert.c",
      routine: "_bt_check_unique",
    });
    expect(answer.json.line).toMatch(/^\d+$/);
  });

  it("says where in the statement it is", async () => {
    const answer = await stage.post({ query: "select nmae from pg_class" });
    expect(answer.json).toMatchObject({ code: "42703", position: "8" });
  });

  it("says where in a function's own statement it is", async () => {
    const body = "do $$ begin execute 'select nope'; end $$";
    const answer = await stage.post({ query: body });
    expect(answer.json).toMatchObject({
      code: "42703",
      position: null,
      internalPosition: "8",
      internalQuery: "select nope",
    });
    expect(answer.json.where).toContain("PL/pgSQL function inline_code_block");
  });

  it("has all fields too where Postgres had no part in it", async () => {
    const answer = await stage.post("{}");
    expect(Object.keys(answer.json).toSorted()).toEqual(fields);
    expect(answer.json).toMatchObject({ code: "", severity: "", detail: null, line: null });
  });
});

describe("failures to connect", () => {
  it("gives 500 and Postgres's own error when it has no connection left", async () => {
    await stage.admin.query("create role crowd login password 'pw' connection limit 0");
    const answer = await stage.post({ query: "select 1" }, { user: "crowd", password: "pw", database: "postgres" });
    expect(answer.status).toBe(500);
    expect(answer.json).toMatchObject({
      message: 'too many connections for role "crowd"',
      code: "53300",
      severity: "FATAL",
    });
  });

  it("gives 500 when Postgres cannot be reached", async () => {
    const probe = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => probe.once("listening", resolve));
    const { port } = probe.address() as { port: number };
    await new Promise((resolve) => probe.close(resolve));
    const endpoint = await startNeonEndpoint({ postgres: { host: "127.0.0.1", port } });
    const answer = await stage.post({ query: "select 1" }, { endpoint });
    await endpoint.close();
    expect(answer.status).toBe(500);
    expect(answer.json).toMatchObject({ message: "Couldn't connect to compute node", code: "" });
  });
});
