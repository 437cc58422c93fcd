import { createExecutionContext, createScheduledController, env, waitOnExecutionContext } from "cloudflare:test";
import { neon } from "@neondatabase/serverless";
import { describe, expect, it, onTestFinished } from "vitest";
import worker from "../src/index.ts";
import { asOwner, ownerUrl } from "./support/database.ts";
import { createOrganization, openService, signUpPerson } from "./support/service.ts";

describe("GET /health", () => {
  it("answers without asking the database", async () => {
    const service = openService();
    const { status, body } = await service.call("GET", "/health");
    expect([status, body]).toEqual([200, { status: "ok" }]);
    expect(await service.databaseRequests()).toEqual([]);
  });
});

describe("GET /ready", () => {
  it("is ready when the database answers and its fence stands", async () => {
    const { status, body } = await openService().call("GET", "/ready");
    expect([status, body]).toEqual([200, { status: "ready", warnings: [] }]);
  });

  it("is ready in production with the Worker's own role", async () => {
    const production = openService({ ENVIRONMENT: "production", BCRYPT_WORK_FACTOR: "10" });
    expect((await production.call("GET", "/ready")).status).toBe(200);
  });

  it("warns of a login above the fence, and refuses it in production", async () => {
    const careless = { DATABASE_URL: ownerUrl() };
    const warned = await openService(careless).call("GET", "/ready");
    expect(warned.status).toBe(200);
    expect(warned.body.warnings.join()).toContain("login could bypass row security (neondb_owner)");
    const production = openService({ ...careless, ENVIRONMENT: "production", BCRYPT_WORK_FACTOR: "10" });
    const refused = await production.call("GET", "/ready");
    expect([refused.status, refused.body.code, refused.headers.get("retry-after")]).toEqual([503, "not_ready", "2"]);
    expect(refused.body.detail).toBe("The fence is not safe. See npm run db:check.");
  });

  it("refuses a database without the fence", async () => {
    const name = `unfenced_${crypto.randomUUID().replaceAll("-", "")}`;
    const owner = neon(ownerUrl());
    await owner.query(`create database ${name}`);
    onTestFinished(async () => {
      await owner.query(`drop database ${name} with (force)`);
    });
    const url = new URL(ownerUrl());
    url.pathname = name;
    const { status, body } = await openService({ DATABASE_URL: url.href }).call("GET", "/ready");
    expect([status, body.code]).toEqual([503, "not_ready"]);
  });

  it("answers 503 with Retry-After when the database does not answer", async () => {
    const service = openService();
    await service.injectFault({ fault: "refuse", times: 10 });
    const { status, headers, body } = await service.call("GET", "/ready");
    expect([status, body.code, headers.get("retry-after")]).toEqual([503, "unavailable", "2"]);
  });
});

describe("The hourly Cron Trigger", () => {
  it("removes expired idempotency keys and long-ended sessions, and nothing else", async () => {
    const service = openService();
    const person = await signUpPerson(service);
    const headers = { "idempotency-key": crypto.randomUUID() };
    await service.call("POST", "/v1/organizations", { token: person.token, headers, body: { name: "Old" } });
    await createOrganization(service, person);
    await service.call("POST", "/v1/auth/sign-in", { body: { email: person.email, password: person.password } });
    const scope = `user:${person.id}`;
    await asOwner(
      ["update idempotency_keys set created_at = now() - interval '25 hours' where scope = $1", [scope]],
      [
        `update sessions set expires_at = now() - interval '31 days'
          where id = (select id from sessions where user_id = $1 order by id limit 1)`,
        [person.id],
      ],
    );

    const context = createExecutionContext();
    await worker.scheduled(createScheduledController({ cron: "17 * * * *" }), env as never);
    await waitOnExecutionContext(context);

    const [keys, sessions, organizations] = await asOwner(
      ["select from idempotency_keys where scope = $1", [scope]],
      ["select from sessions where user_id = $1", [person.id]],
      ["select from memberships where user_id = $1", [person.id]],
    );
    expect([keys?.length, sessions?.length, organizations?.length]).toEqual([0, 1, 2]);
  });
});

describe("The hourly Cron Trigger, after a busy day", () => {
  it("goes on until nothing is left", async () => {
    const scope = `anonymous:${crypto.randomUUID()}`;
    await asOwner([
      `insert into idempotency_keys (scope, key, request_hash, created_at)
       select $1, n::text, '\\x00', now() - interval '25 hours' from generate_series(1, 12000) n`,
      [scope],
    ]);
    await worker.scheduled(createScheduledController({ cron: "17 * * * *" }), env as never);
    const [left] = await asOwner(["select from idempotency_keys where scope = $1", [scope]]);
    expect(left).toHaveLength(0);
  });
});

describe("GET /openapi.json", () => {
  it("is OpenAPI 3.1 with unique, resolvable names", async () => {
    const { status, body } = await openService().call("GET", "/openapi.json");
    expect([status, body.openapi]).toEqual([200, "3.1.0"]);
    const references = [...JSON.stringify(body).matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g)].map(
      ([, name]) => name,
    );
    for (const name of references) expect(body.components.schemas).toHaveProperty(name ?? "");
    expect(body.components.securitySchemes.bearer).toMatchObject({ type: "http", scheme: "bearer" });
  });
});
