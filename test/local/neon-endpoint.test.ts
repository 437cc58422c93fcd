import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { openStage, valueOf, type Stage } from "./neon-endpoint-support.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage({ control: false });
});
afterAll(() => stage.close());

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

describe("the paths", () => {
  it("answers OPTIONS /sql with the CORS headers", async () => {
    const response = await fetch(`http://127.0.0.1:${stage.endpoint.port}/sql`, {
      method: "OPTIONS",
    });
    expect(response.status).toBe(200);
    expect(response.headers.get("allow")).toBe("OPTIONS, POST");
    expect(response.headers.get("access-control-allow-origin")).toBe("*");
    expect(response.headers.get("access-control-allow-headers")).toContain("Neon-Batch-Read-Only");
    expect(response.headers.get("access-control-max-age")).toBe("86400");
    expect(response.headers.get("neon-request-id")).toMatch(uuid);
  });

  it.each([
    ["GET", "/sql"],
    ["PUT", "/sql"],
    ["POST", "/sql/"],
    ["POST", "/"],
    ["POST", "//"],
    ["GET", "/control/requests?tag=x"],
    ["DELETE", "/control/requests?tag=x"],
    ["POST", "/control/faults"],
  ])("refuses %s %s with a JSON string", async (method, path) => {
    const response = await fetch(`http://127.0.0.1:${stage.endpoint.port}${path}`, { method });
    expect(response.status).toBe(400);
    expect(response.headers.get("content-type")).toBe("application/json");
    expect(await response.json()).toBe("query is not supported");
  });

  it("takes any Content-Type, and ignores a query string", async () => {
    const response = await fetch(`http://127.0.0.1:${stage.endpoint.port}/sql?x=1`, {
      method: "POST",
      headers: { "neon-connection-string": stage.url(), "content-type": "image/png" },
      body: JSON.stringify({ query: "select 1" }),
    });
    expect(response.status).toBe(200);
  });

  it("gives every answer its headers and a request id of its own", async () => {
    const answers = [
      await stage.post({ query: "select 1" }),
      await stage.post({ query: "select nothing" }),
      await stage.post("not JSON"),
    ];
    expect(answers.map((answer) => answer.status)).toEqual([200, 400, 400]);
    for (const { headers } of answers) {
      expect(headers.get("content-type")).toBe("application/json");
      expect(headers.get("access-control-allow-origin")).toBe("*");
      expect(headers.get("neon-request-id")).toMatch(uuid);
    }
    expect(new Set(answers.map(({ headers }) => headers.get("neon-request-id"))).size).toBe(3);
  });
});

describe("the connection string", () => {
  const refusal = async (connectionString: string | undefined, extra = {}) => {
    const response = await fetch(`http://127.0.0.1:${stage.endpoint.port}/sql`, {
      method: "POST",
      headers: {
        ...(connectionString !== undefined && { "neon-connection-string": connectionString }),
        ...extra,
      },
      body: JSON.stringify({ query: "select 1" }),
    });
    return { status: response.status, ...((await response.json()) as Record<string, unknown>) };
  };

  it.each([
    ["is missing", undefined, "invalid header: neon-connection-string"],
    ["is no URL", "shop", "invalid connection string: relative URL without a base"],
    ["has no host", "postgresql://app:pw@/shop", "invalid connection string: empty host"],
    ["has another scheme", "mysql://app:pw@localhost/shop", "incorrect scheme"],
    ["has no database", "postgresql://app:pw@localhost", "missing database name"],
    ["has no user", "postgresql://localhost/shop", "missing username"],
    ["has no password", "postgresql://app@localhost/shop", "missing authentication credentials: required password"],
    ["has an IPv4 host", "postgresql://app:pw@127.0.0.1/shop", "missing hostname"],
    ["has an IPv6 host", "postgresql://app:pw@[::1]/shop", "missing hostname"],
  ])("is refused with 400 when it %s", async (_, connectionString, message) => {
    expect(await refusal(connectionString)).toMatchObject({ status: 400, message, code: "" });
  });

  it("stands alone: an Authorization header is refused", async () => {
    expect(await refusal(stage.url(), { authorization: "Bearer x" })).toMatchObject({
      status: 400,
      message: "missing authentication credentials: required password",
    });
  });

  it("is where user, password and database come from, percent-encoded", async () => {
    const answer = await stage.post({ query: "select current_user || '@' || current_database()" });
    expect(valueOf(answer)).toBe("app@shop");
  });

  it("is checked by Postgres: a wrong password is refused, also after a right one", async () => {
    await stage.post({ query: "select 1" });
    const answer = await stage.post({ query: "select 1" }, { password: "wrong" });
    expect(answer.status).toBe(400);
    expect(answer.json).toMatchObject({
      message: "password authentication failed for user 'app'",
      code: "",
      severity: "",
    });
  });

  it("tells nobody which users there are", async () => {
    const answer = await stage.post({ query: "select 1" }, { user: "nobody" });
    expect(answer.status).toBe(400);
    expect(answer.json.message).toBe("password authentication failed for user 'nobody'");
  });

  it("gives 400 and Postgres's own error for an unknown database", async () => {
    const answer = await stage.post({ query: "select 1" }, { database: "attic" });
    expect(answer.status).toBe(400);
    expect(answer.json).toMatchObject({
      message: 'database "attic" does not exist',
      code: "3D000",
      severity: "FATAL",
    });
  });

  it("takes a changed password at once", async () => {
    await stage.admin.query("create role mover login password 'old'");
    const mover = { user: "mover", database: "postgres" };
    expect((await stage.post({ query: "select 1" }, { ...mover, password: "old" })).status).toBe(200);
    await stage.admin.query("alter role mover password 'new'");
    expect((await stage.post({ query: "select 1" }, { ...mover, password: "new" })).status).toBe(200);
    expect((await stage.post({ query: "select 1" }, { ...mover, password: "old" })).status).toBe(400);
  });

  it("forwards neither options nor application_name", async () => {
    const query = "select current_setting('application_name') || current_setting('work_mem')";
    const plain = valueOf(await stage.post({ query }));
    const response = await fetch(`http://127.0.0.1:${stage.endpoint.port}/sql`, {
      method: "POST",
      headers: {
        "neon-connection-string": `${stage.url()}?application_name=x&options=-c%20work_mem%3D64kB`,
      },
      body: JSON.stringify({ query }),
    });
    const { rows } = (await response.json()) as { rows: Record<string, string>[] };
    expect(Object.values(rows[0] ?? {})).toEqual([plain]);
  });
});

describe("the body", () => {
  it.each([
    ["null for params", { query: "select 1", params: null }],
    ["an object for params", { query: "select 1", params: {} }],
    ["no query", { params: [] }],
    ["a number for the query", { query: 1 }],
    ["a string for arrayMode", { query: "select 1", arrayMode: "true" }],
    ["a batch of something else", { queries: ["select 1"] }],
    ["null for params in a batch", { queries: [{ query: "select 1", params: null }] }],
    ["a list", [{ query: "select 1" }]],
    ["text", '"select 1"'],
  ])("is refused with 400 when it has %s", async (_, body) => {
    const answer = await stage.post(body);
    expect(answer.status).toBe(400);
    expect(answer.json.message).toBe(
      "could not parse the HTTP request body: data did not match any variant of untagged enum Payload",
    );
    expect(answer.json.code).toBe("");
  });

  it("is refused with 400 when it is not JSON", async () => {
    const answer = await stage.post("{");
    expect(answer.status).toBe(400);
    expect(answer.json.message).toMatch(/^could not parse the HTTP request body: /);
  });

  it("may leave out params, and hold more than is asked for", async () => {
    expect((await stage.post({ query: "select 1", arrayMode: null, more: 1 })).status).toBe(200);
  });
});
