import { describe, expect, it } from "vitest";
import { giveApiKey, newKeyHost } from "./support/api-keys.ts";
import { asOwner } from "./support/database.ts";
import { deleteAccount } from "./support/deletions.ts";
import { expectProblem } from "./support/problems.ts";
import { newAddress, openService } from "./support/service.ts";

const service = openService();

describe("An Idempotency-Key beside an API key", () => {
  it("is answered the first answer again, and belongs to its person or to the organization's own key", async () => {
    const host = await newKeyHost();
    const scopes = ["teams:write"];
    const headers = { "idempotency-key": crypto.randomUUID() };
    const create = (token: string, name = "Night") =>
      service.call("POST", `${host.path}/teams`, { token, headers, body: { name } });
    for (const owner of ["member", "organization"]) {
      const { token } = await host.make({ owner, scopes });
      const first = await create(token, `Night ${owner}`);
      expect(first.status).toBe(201);
      const again = await create(token, `Night ${owner}`);
      expect([again.status, again.headers.get("idempotent-replayed")]).toEqual([201, "true"]);
      expect(again.body).toEqual(first.body);
      expectProblem(await create(token, "Another"), "idempotency_key_reused");
    }
    const third = await host.make({ owner: "organization", scopes });
    expect((await create(third.token, "Third")).status).toBe(201);
  });

  it("goes with the account that it answers for", async () => {
    const host = await newKeyHost();
    const admin = await host.join("admin");
    const { token } = await host.make({ scopes: ["teams:write"] }, admin);
    const key = crypto.randomUUID();
    const made = await service.call("POST", `${host.path}/teams`, {
      token,
      headers: { "idempotency-key": key },
      body: { name: "Night" },
    });
    expect(made.status).toBe(201);
    expect((await deleteAccount(admin)).status).toBe(204);
    expect((await asOwner(["select from idempotency_keys where key = $1", [key]]))[0]).toEqual([]);
  });
});

describe("The rate limit of an API key", () => {
  const openLimited = (limit: number) => openService({ RATE_LIMIT_PER_MINUTE: String(limit) });

  it("is its own from its first request on, exact for 50 at once, and its person's goes on beside it", async () => {
    const host = await newKeyHost();
    const { token } = await host.make({ rateLimitPerMinute: 7 });
    const answers = await Promise.all(Array.from({ length: 50 }, () => host.read({ token })));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(7);
    const refused = answers.filter(({ status }) => status === 429);
    expect(refused).toHaveLength(43);
    for (const answer of refused.slice(0, 3)) {
      expectProblem(answer, "rate_limited");
      expect(answer.headers.get("ratelimit-policy")).toBe('"default";q=7;w=60');
      expect(Number(answer.headers.get("retry-after"))).toBeGreaterThan(50);
    }
    expect((await host.read(host.owner)).status).toBe(200);
  });

  it("is never more than that of the service", async () => {
    const host = await newKeyHost();
    const { token } = await host.make({ rateLimitPerMinute: 100 });
    const limited = openLimited(3);
    const statuses: number[] = [];
    for (let n = 0; n < 5; n++) statuses.push((await limited.call("GET", host.path, { token })).status);
    expect(statuses).toEqual([200, 200, 200, 429, 429]);
  });

  it("that is changed counts after the key's next request, and goes over to the next key at a rotation", async () => {
    const host = await newKeyHost();
    const { id, token } = await host.make();
    expect((await host.read({ token })).headers.get("ratelimit-policy")).toBe('"default";q=100000;w=60');
    await host.change(host.owner, id, { rateLimitPerMinute: 4 });
    await host.read({ token });
    expect((await host.read({ token })).headers.get("ratelimit-policy")).toBe('"default";q=4;w=60');
    const { body } = await host.rotate(host.owner, id);
    expect((await host.read({ token: body.key })).headers.get("ratelimit-policy")).toBe('"default";q=4;w=60');
    await host.change(host.owner, id, { rateLimitPerMinute: null });
    await host.read({ token: body.key });
    expect((await host.read({ token: body.key })).headers.get("ratelimit-policy")).toBe('"default";q=100000;w=60');
  });

  it("is that of the caller's network for what nobody has made, so that nobody guesses on and on", async () => {
    const host = await newKeyHost();
    const limited = openLimited(5);
    const headers = { "cf-connecting-ip": newAddress() };
    const statuses: number[] = [];
    for (let n = 0; n < 8; n++) {
      const { id, token } = await giveApiKey(host.id, host.owner.id, ["organization:read"]);
      await asOwner(["delete from api_keys where id = $1", [id]]);
      statuses.push((await limited.call("GET", host.path, { token, headers })).status);
    }
    expect(statuses).toEqual([401, 401, 401, 401, 401, 429, 429, 429]);
  });

  it("is not that of the caller's network once it has proven to be one", async () => {
    const host = await newKeyHost();
    const limited = openLimited(2);
    const headers = { "cf-connecting-ip": newAddress() };
    const statuses: number[] = [];
    for (let n = 0; n < 3; n++) {
      const { token } = await host.make();
      await host.read({ token });
      for (let i = 0; i < 2; i++) statuses.push((await limited.call("GET", host.path, { token, headers })).status);
    }
    // The one before, by the service of another limit, counts for each of them too.
    expect(statuses).toEqual([200, 429, 200, 429, 200, 429]);
  });
});
