import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { openStage, untilRow, valueOf, type Stage } from "./neon-endpoint-support.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
  await stage.post({ query: "create table kept (tag text)" });
});
afterAll(() => stage.close());

let tags = 0;
const newTag = () => `t${tags++}`;
const control = (method: string, path: string, body?: unknown) =>
  fetch(`http://127.0.0.1:${stage.endpoint.port}/control/${path}`, {
    method,
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
const requestsOf = async (tag: string): Promise<any[]> => {
  const response = await control("GET", `requests?tag=${tag}`);
  return ((await response.json()) as { requests: any[] }).requests;
};
const setFault = async (tag: string, fault: string, more: object = {}) => {
  const response = await control("POST", "faults", { tag, fault, ...more });
  expect(response.status).toBe(204);
};
const keep = (tag: string) => ({ query: "insert into kept values ($1)", params: [tag] });
const keptBy = async (tag: string) =>
  valueOf(await stage.post({ query: "select count(*)::int from kept where tag = $1", params: [tag] }));

describe("GET /control/requests", () => {
  it("gives the requests under a tag, in order, with statements and parameters", async () => {
    const tag = newTag();
    await stage.post({ query: "select $1", params: ["x"] }, { tag });
    await stage.post(
      { queries: [{ query: "select 1" }, { query: "select $1", params: [null] }] },
      {
        tag,
        headers: { "neon-batch-read-only": "true", "neon-batch-isolation-level": "Serializable" },
      },
    );
    await stage.post({ query: "select 1/0" }, { tag });
    await stage.post({ query: "select 1" }, { tag: newTag() });
    expect(await requestsOf(tag)).toEqual([
      {
        statements: [{ query: "select $1", params: ["x"] }],
        batch: false,
        readOnly: false,
        isolationLevel: null,
        status: 200,
      },
      {
        statements: [
          { query: "select 1", params: [] },
          { query: "select $1", params: [null] },
        ],
        batch: true,
        readOnly: true,
        isolationLevel: "Serializable",
        status: 200,
      },
      {
        statements: [{ query: "select 1/0", params: [] }],
        batch: false,
        readOnly: false,
        isolationLevel: null,
        status: 400,
      },
    ]);
  });

  it("counts what was refused too", async () => {
    const tag = newTag();
    await stage.post("not JSON", { tag });
    await stage.post({ query: "select 1" }, { tag, password: "wrong" });
    expect((await requestsOf(tag)).map((request) => request.status)).toEqual([400, 400]);
  });

  it("remembers the last 1,000 only", async () => {
    const tag = newTag();
    for (let sent = 0; sent < 1_010; sent += 10) {
      await Promise.all(Array.from({ length: 10 }, () => stage.post(`${sent}`, { tag })));
    }
    await stage.post({ query: "select 'last'" }, { tag });
    const requests = await requestsOf(tag);
    expect(requests).toHaveLength(1_000);
    expect(requests.at(-1).statements[0].query).toBe("select 'last'");
  });

  it("gives none after DELETE, which gives them, nor for a tag that was never used", async () => {
    const tag = newTag();
    await stage.post({ query: "select 1" }, { tag });
    const taken = await control("DELETE", `requests?tag=${tag}`);
    expect(await taken.json()).toMatchObject({ requests: [{ statements: [{ query: "select 1" }] }] });
    expect(await requestsOf(tag)).toEqual([]);
    expect(await requestsOf("never")).toEqual([]);
  });
});

describe("POST /control/faults", () => {
  it.each([
    [{ fault: "refuse" }, "tag"],
    [{ tag: "x", fault: "explode" }, "fault"],
    [{ tag: "x", fault: "delay", milliseconds: -1 }, "milliseconds"],
    [{ tag: "x", fault: "refuse", times: 0 }, "times"],
    [{ tag: "x", fault: "drop-during", statement: "1" }, "statement"],
  ])("refuses %j", async (order, part) => {
    const response = await control("POST", "faults", order);
    expect(response.status).toBe(400);
    expect(((await response.json()) as { message: string }).message).toContain(part);
  });

  it("strikes once, only the tag it was set for, and then no more", async () => {
    const tag = newTag();
    await setFault(tag, "error-500");
    expect((await stage.post(keep(tag), { tag: newTag() })).status).toBe(200);
    expect((await stage.post(keep(tag))).status).toBe(200);
    expect((await stage.post(keep(tag), { tag })).status).toBe(500);
    expect((await stage.post(keep(tag), { tag })).status).toBe(200);
  });

  it("strikes as often as it is told, one fault after the other", async () => {
    const tag = newTag();
    await setFault(tag, "error-500", { times: 2 });
    await setFault(tag, "refuse");
    expect((await stage.post(keep(tag), { tag })).status).toBe(500);
    expect((await stage.post(keep(tag), { tag })).status).toBe(500);
    await expect(stage.post(keep(tag), { tag })).rejects.toThrow("fetch failed");
    expect((await stage.post(keep(tag), { tag })).status).toBe(200);
  });

  it("can be taken back", async () => {
    const tag = newTag();
    await setFault(tag, "refuse", { times: 9 });
    expect((await control("DELETE", `faults?tag=${tag}`)).status).toBe(204);
    expect((await stage.post(keep(tag), { tag })).status).toBe(200);
  });
});

describe("a fault", () => {
  it("refuse: closes the connection, and has read nothing", async () => {
    const tag = newTag();
    await setFault(tag, "refuse");
    await expect(stage.post(keep(tag), { tag })).rejects.toThrow("fetch failed");
    expect(await keptBy(tag)).toBe(0);
    expect(await requestsOf(tag)).toMatchObject([{ statements: [], status: 0 }]);
  });

  it("delay: runs later", async () => {
    const tag = newTag();
    await setFault(tag, "delay", { milliseconds: 120 });
    const start = performance.now();
    expect((await stage.post(keep(tag), { tag })).status).toBe(200);
    expect(performance.now() - start).toBeGreaterThanOrEqual(115);
    expect(await keptBy(tag)).toBe(1);
  });

  it("delay: ends with a client that goes away, which has then run nothing", async () => {
    const tag = newTag();
    await setFault(tag, "delay", { milliseconds: 3_600_000 });
    const abort = new AbortController();
    const gone = stage.post(keep(tag), { tag, signal: abort.signal });
    gone.catch(() => undefined);
    await expect.poll(async () => (await requestsOf(tag))[0]?.statements.length).toBe(1);
    abort.abort();
    await expect(gone).rejects.toThrow("aborted");
    expect(await keptBy(tag)).toBe(0);
    expect((await requestsOf(tag))[0].status).toBe(0);
  });

  it("drop-before: closes the connection, and nothing was run", async () => {
    const tag = newTag();
    await setFault(tag, "drop-before");
    await expect(stage.post(keep(tag), { tag })).rejects.toThrow("fetch failed");
    expect(await keptBy(tag)).toBe(0);
    expect(await requestsOf(tag)).toMatchObject([{ statements: [keep(tag)], status: 0 }]);
  });

  it("drop-after: closes the connection when all is committed", async () => {
    const tag = newTag();
    await setFault(tag, "drop-after", { times: 2 });
    await expect(stage.post(keep(tag), { tag })).rejects.toThrow("fetch failed");
    await expect(stage.post({ queries: [keep(tag)] }, { tag })).rejects.toThrow("fetch failed");
    expect(await keptBy(tag)).toBe(2);
    expect(await requestsOf(tag)).toMatchObject([{ status: 0 }, { status: 0 }]);
  });

  it.each([0, 1, 2, 7])("drop-during: loses Postgres at statement %i, so nothing commits", async (statement) => {
    const tag = newTag();
    await setFault(tag, "drop-during", { statement });
    const answer = await stage.post({ queries: [keep(tag), keep(tag), keep(tag)] }, { tag });
    expect(answer.status).toBe(400);
    expect(answer.json).toMatchObject({ message: "connection closed", code: "", severity: "" });
    expect(await keptBy(tag)).toBe(0);
    await untilRow(
      stage,
      `select 1 where not exists
      (select from pg_stat_activity where state like 'idle in transaction%')`,
    );
  });

  it("drop-during: strikes a single query too", async () => {
    const tag = newTag();
    await setFault(tag, "drop-during");
    const answer = await stage.post(keep(tag), { tag });
    expect(answer.status).toBe(400);
    expect(answer.json.code).toBe("");
    expect(await keptBy(tag)).toBe(0);
  });

  it("error-500: answers as when Postgres cannot be reached, and runs nothing", async () => {
    const tag = newTag();
    await setFault(tag, "error-500");
    const answer = await stage.post(keep(tag), { tag });
    expect(answer.status).toBe(500);
    expect(answer.json).toMatchObject({ message: "Couldn't connect to compute node", code: "" });
    expect(await keptBy(tag)).toBe(0);
  });

  it("truncate: runs, and breaks off in the middle of the body", async () => {
    const tag = newTag();
    await setFault(tag, "truncate");
    const response = await fetch(`http://127.0.0.1:${stage.endpoint.port}/sql`, {
      method: "POST",
      headers: { "neon-connection-string": stage.url({ tag }) },
      body: JSON.stringify(keep(tag)),
    });
    expect(response.status).toBe(200);
    await expect(response.text()).rejects.toThrow("terminated");
    expect(await keptBy(tag)).toBe(1);
  });

  it("not-json: answers with a page of HTML, and runs nothing", async () => {
    const tag = newTag();
    await setFault(tag, "not-json");
    const response = await fetch(`http://127.0.0.1:${stage.endpoint.port}/sql`, {
      method: "POST",
      headers: { "neon-connection-string": stage.url({ tag }) },
      body: JSON.stringify(keep(tag)),
    });
    expect(response.status).toBe(502);
    expect(response.headers.get("content-type")).toBe("text/html");
    expect(await response.text()).toMatch(/^<html>/);
    expect(await keptBy(tag)).toBe(0);
  });
});
