import { afterEach, describe, expect, inject, it, vi } from "vitest";
import { redact } from "../src/middleware/log.ts";
import { createOrganization, openService, signUpPerson } from "./support/service.ts";

afterEach(() => vi.restoreAllMocks());

/** Everything that is written to the console from now on. */
function watchConsole() {
  const spies = (["log", "info", "warn", "error", "debug", "trace"] as const).map((name) =>
    vi.spyOn(console, name).mockImplementation(() => undefined),
  );
  return {
    text: () => spies.flatMap((spy) => spy.mock.calls.flat().map(String)).join("\n"),
    lines: () => spies.flatMap((spy) => spy.mock.calls.map(([line]) => JSON.parse(String(line)))),
  };
}

describe("the log", () => {
  it("has one line of JSON for each request", async () => {
    const service = openService();
    const ada = await signUpPerson(service);
    const { id } = await createOrganization(service, ada);
    const log = watchConsole();
    const headers = { "x-request-id": "the-request" };
    await service.call("GET", `/v1/organizations/${id}?x=1`, { token: ada.token, headers });
    expect(log.lines()).toEqual([
      {
        time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
        level: "info",
        requestId: "the-request",
        method: "GET",
        route: "/v1/organizations/:organizationId",
        status: 200,
        durationMs: expect.any(Number),
        databaseMs: expect.any(Number),
        databaseRequests: 1,
        userId: ada.id,
        organizationId: id,
      },
    ]);
  });

  it("names the route that answered, and none for a path without one", async () => {
    const service = openService();
    const log = watchConsole();
    await service.call("GET", "/health");
    await service.call("GET", "/nowhere");
    const [health, nowhere] = log.lines();
    expect(health).toMatchObject({ route: "/health" });
    expect(nowhere).not.toHaveProperty("route");
  });

  it("names a refusal's code, and no more of it", async () => {
    const service = openService();
    const log = watchConsole();
    await service.call("GET", "/v1/users/me");
    await service.call("GET", "/nowhere");
    await service.call("PUT", "/health");
    const [unauthenticated, nowhere, wrongMethod] = log.lines();
    expect(unauthenticated).toMatchObject({ level: "info", status: 401, error: "unauthenticated" });
    expect(nowhere).toMatchObject({ level: "info", status: 404 });
    expect(wrongMethod).toMatchObject({ level: "info", status: 405 });
    for (const line of log.lines()) expect(line).not.toHaveProperty("stack");
  });

  it("tells of a failure of ours what it was and where", async () => {
    const broken = new URL(inject("databaseUrl"));
    broken.pathname = "/postgres";
    const service = openService({ DATABASE_URL: broken.href });
    const ada = await signUpPerson(openService());
    const log = watchConsole();
    const { status, body } = await service.call("GET", "/v1/users/me", { token: ada.token });
    expect({ status, code: body.code }).toEqual({ status: 500, code: "internal" });
    expect(log.lines()).toEqual([
      expect.objectContaining({
        level: "error",
        status: 500,
        requestId: body.requestId,
        error: "internal",
        message: expect.stringContaining('relation "app.gate" does not exist'),
        stack: expect.stringMatching(/\bat .+:\d+:\d+/),
      }),
    ]);
  });
});

describe("what is secret or says who somebody is", () => {
  /** Values that no line of the log may hold. */
  async function plantCanaries() {
    const service = openService({ CORS_ORIGINS: "https://canary.example.com" });
    const ada = await signUpPerson(service, "Canary Lovelace");
    const { id } = await createOrganization(service, ada, "Canary Holdings");
    const headers = {
      "cf-connecting-ip": `2001:db8:ca4a:${Math.floor(Math.random() * 0x10000).toString(16)}::beef`,
      "x-forwarded-for": "203.0.113.77",
      "user-agent": "canary-agent/1.0",
      "idempotency-key": `canary-${crypto.randomUUID()}`,
      cookie: "session=canary-cookie; __Host-refresh=canary-refresh",
      origin: "https://canary.example.com",
      referer: "https://app.example.com/canary-referer",
    };
    const { email, password, token, refreshToken } = ada;
    const databasePassword = new URL(inject("databaseUrl")).password;
    const own = [email, password, token, refreshToken, token.split(".")[2] ?? "", databasePassword, "Canary", "canary"];
    return { service, ada, id, headers, own: [...own, "2001:db8:ca4a", "203.0.113.77"] };
  }

  function expectNone(text: string, canaries: string[]): void {
    expect(text).not.toBe("");
    for (const canary of canaries) expect(text.includes(canary), canary).toBe(false);
  }

  it("is in no line of requests that succeed", async () => {
    const { service, ada, id, headers, own } = await plantCanaries();
    const log = watchConsole();
    const call = (method: string, path: string, body?: unknown) =>
      service.call(method, path, { token: ada.token, headers, ...(body !== undefined && { body }) });
    const { email, password, refreshToken } = ada;
    const inBrowser = await call("POST", "/v1/auth/sign-in", { email, password, refreshTokenIn: "cookie" });
    const cookie = /^[^;]+/.exec(inBrowser.headers.get("set-cookie") ?? "")?.[0] ?? "";
    const answers = [
      inBrowser,
      await service.call("POST", "/v1/auth/refresh", { headers: { ...headers, cookie } }),
      await call("POST", "/v1/auth/sign-up?secret=canary", { email: `new-${email}`, password, name: "Canary" }),
      await call("POST", "/v1/auth/sign-in", { email, password }),
      await call("POST", "/v1/auth/refresh", { refreshToken }),
      await call("PATCH", "/v1/users/me", { name: "Canary Byron" }),
      await call("POST", "/v1/organizations", { name: "Canary & Sons" }),
      await call("GET", `/v1/organizations/${id}/members`),
      await call("GET", "/v1/auth/sessions"),
      await call("POST", "/v1/auth/sign-out"),
    ];
    expect(answers.filter(({ status }) => status >= 300)).toEqual([]);
    expect(log.lines()).toHaveLength(answers.length);
    expectNone(log.text(), [...own, cookie.slice("__Host-refresh=".length)]);
  });

  it("is in no line of requests that are refused", async () => {
    const { service, ada, headers, own } = await plantCanaries();
    const log = watchConsole();
    const call = (method: string, path: string, body?: unknown, token = ada.token) =>
      service.call(method, path, { token, headers, ...(body !== undefined && { body }) });
    const { email, password, refreshToken } = ada;
    const answers = [
      await call("POST", "/v1/auth/sign-up", { email, password, name: "Canary" }),
      await call("POST", "/v1/auth/sign-in", { email, password: `${password}!` }),
      await call("POST", "/v1/auth/sign-up", { email, password, name: "Canary", canary: "canary" }),
      await call("POST", "/v1/auth/refresh", { refreshToken: `${refreshToken}x` }),
      await call("GET", "/v1/users/me", undefined, `${ada.token}x`),
      await call("GET", `/v1/nowhere/${ada.token}?token=${ada.token}`),
      await call("GET", `/v1/organizations/${email}`),
      await call("DELETE", `/v1/organizations/${encodeURIComponent(password)}`),
      await call("GET", "/v1/organizations?cursor=canary&limit=canary"),
      await service.call("POST", "/v1/auth/sign-in", { rawBody: `{"password":"${password}`, headers }),
    ];
    expect(answers.map(({ status }) => status)).toEqual([409, 401, 400, 401, 401, 404, 400, 400, 400, 415]);
    expect(log.lines()).toHaveLength(answers.length);
    expectNone(log.text(), own);
  });

  it("is in no line of requests that fail, whatever the database says", async () => {
    const { ada, id, headers, own } = await plantCanaries();
    const elsewhere = new URL(inject("databaseUrl"));
    elsewhere.pathname = "/postgres";
    const locked = new URL(inject("databaseUrl"));
    locked.password = "canary-database-password";
    // Without mails, whose sending would write lines of its own.
    const mailless = { EMAIL_PROVIDER: undefined };
    const services = [elsewhere, locked].map(({ href }) => openService({ ...mailless, DATABASE_URL: href }));
    for (const fault of ["refuse", "drop-during", "error-500", "truncate", "not-json"] as const) {
      const faulty = openService(mailless);
      await faulty.injectFault({ fault, times: 20 });
      services.push(faulty);
    }
    const log = watchConsole();
    const { email, password, token } = ada;
    const calls = [
      ["POST", "/v1/auth/sign-up?secret=canary", { email: `new-${email}`, password, name: "Canary" }],
      ["POST", "/v1/auth/sign-in", { email, password }],
      ["POST", "/v1/organizations", { name: "Canary & Sons", slug: "canary" }],
      ["PATCH", `/v1/organizations/${id}`, { name: "Canary & Daughters" }],
    ] as const;
    for (const service of services) {
      for (const [method, path, body] of calls) {
        expect((await service.call(method, path, { token, headers, body })).status).toBeGreaterThanOrEqual(500);
      }
    }
    expect(log.lines()).toHaveLength(services.length * calls.length);
    for (const line of log.lines()) expect(line).toMatchObject({ level: "error", message: expect.any(String) });
    expectNone(log.text(), own);
  });

  it("is in no line of a failure whose text quotes it", async () => {
    const { ada, headers, own } = await plantCanaries();
    const quoted = [ada.email, ada.token, ada.refreshToken, headers["cf-connecting-ip"], headers["x-forwarded-for"]];
    const failing = { idFromName: () => "", get: () => ({ check: () => Promise.reject(new Error(quoted.join(" "))) }) };
    // A binding is no string as settings are, and travels in the same object.
    const service = openService({ RATE_LIMITER: failing as unknown as string });
    const log = watchConsole();
    const { email, password } = ada;
    const { status } = await service.call("POST", "/v1/auth/sign-in", { body: { email, password }, headers });
    expect(status).toBe(503);
    expect(log.text()).toContain("rate limiter failed");
    expectNone(log.text(), own);
  });
});

describe("redact", () => {
  const jwt = "eyJhbGciOiJIUzI1NiIsInR5cCI6ImF0K2p3dCJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl";
  const hash = "$2b$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy";

  it.each([
    ["postgresql://app_user:pa55word@ep-x.neon.tech/db?sslmode=require", "pa55word"],
    ["postgresql://app_user:pa55@word@ep-x.neon.tech/db", "word"],
    ["at https://user:p%40ss@host/x", "p%40ss"],
    [`Bearer ${jwt}, then`, "eyJ"],
    [`the hash ${hash}.`, "N9qo8u"],
    ["Key (email)=(ada.o+x@mail.example.com) already exists.", "ada.o+x"],
    ['invalid "ada@example.com": <grace@example.com>', "example.com"],
    ["mailto:ada@example.com;ada", "@example"],
    ["connect 203.0.113.7:5432", "203.0"],
    ["from 2001:db8:1:2:3:4:5:6.", "2001"],
    ["from 2001:DB8::1, which", "DB8"],
    ["from fe80::", "fe80"],
    ["by ::ffff:203.0.113.7", "203.0"],
    ["by ::ffff:cb00:7107", "cb00"],
    ["handle 3q2-7wAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "7wAAA"],
    [`bytea \\x${"ab".repeat(32)}`, "abab"],
  ])("takes what is secret out of %s", (text, secret) => {
    expect(redact(text)).not.toContain(secret);
    expect(redact(text)).toMatch(/\[(credentials|token|hash|e-mail|address|secret)\]/);
  });

  it("leaves what is around a secret", () => {
    expect(redact(`Key (email)=(ada@example.com) of 2001:db8::1, refused, Bearer ${jwt} (${hash})`)).toBe(
      "Key (email)=([e-mail]) of [address], refused, Bearer [token] ([hash])",
    );
  });

  it.each([
    'duplicate key value violates unique constraint "users_email_key"',
    "    at send (/app/node_modules/@neondatabase/serverless/index.mjs:12:34)",
    "    at async file:///app/node_modules/@hono/zod-openapi/dist/index.mjs:133:100",
    "TimeoutError: The operation was aborted due to timeout at 12:30:45",
    "organization 019ab0de-8f6c-7cc4-9e6f-6f2b7f0f1a04, version 1.2.3",
    "select $1::bytea, '{}'::date, std::string, app::admit, a :: b",
    "",
  ])("leaves alone: %s", (text) => expect(redact(text)).toBe(text));
});
