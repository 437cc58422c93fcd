import { describe, expect, it } from "vitest";
import { expireKey, newKeyHost } from "./support/api-keys.ts";
import { asOwner } from "./support/database.ts";
import { expectProblem } from "./support/problems.ts";
import { openService, signUpPerson } from "./support/service.ts";

const service = openService();

describe("An API key", () => {
  it("is answered what its person is, where its scopes allow it, in one request to the database", async () => {
    const host = await newKeyHost();
    const key = await host.make();
    const own = openService();
    for (const path of [host.path, `${host.path}/members`, `${host.path}/members/${host.owner.id}`]) {
      const answer = await own.call("GET", path, { token: key.token });
      expect(answer.status).toBe(200);
      expect(answer.body).toEqual((await service.call("GET", path, { token: host.owner.token })).body);
    }
    const requests = await own.databaseRequests();
    expect(requests).toHaveLength(3);
    for (const { statements } of requests) expect(statements[0]?.query).toContain("app.admit_key(");
    expectProblem(await host.listKeys(key), "forbidden");
    expectProblem(await service.call("PATCH", host.path, { token: key.token, body: { name: "Mine" } }), "forbidden");
  });

  it.each([
    ["mistyped", (key: string) => `${key.slice(0, 20)}${key[20] === "a" ? "b" : "a"}${key.slice(21)}`],
    ["of another environment", (key: string) => key.replace("_test_", "_live_")],
    ["with another checksum", (key: string) => `${key.slice(0, -6)}000000`],
    ["cut short", (key: string) => key.slice(0, -1)],
    ["with more behind it", (key: string) => `${key}0`],
    ["in capitals", (key: string) => key.toUpperCase()],
    ["that is a prefix alone", () => "sbl_"],
    ["of another shape", () => `sbl_test_${"-".repeat(43)}_000000`],
  ])("%s is refused with 401, and asks no database", async (_, spoil) => {
    const host = await newKeyHost();
    const { token } = await host.make();
    const own = openService();
    const answer = await own.call("GET", host.path, { token: spoil(token) });
    expectProblem(answer, "unauthenticated");
    expect(answer.headers.get("www-authenticate")).toBe("Bearer");
    expect(await own.databaseRequests()).toEqual([]);
  });

  it("that nobody has made, that has expired or was revoked is refused with 401", async () => {
    const host = await newKeyHost();
    const [made, gone, over] = [await host.make(), await host.make(), await host.make()];
    await host.revokeKey(host.owner, gone.id);
    await expireKey(over.id);
    const stranger = await newKeyHost();
    const unknown = await stranger.make();
    await asOwner(["delete from api_keys where id = $1", [unknown.id]]);
    for (const { token } of [gone, over, unknown]) expectProblem(await host.read({ token }), "unauthenticated");
    expect((await host.read(made)).status).toBe(200);
  });

  it("is a bearer token, and nothing else: not by another scheme, in a query, or beside another", async () => {
    const host = await newKeyHost();
    const { token } = await host.make();
    for (const authorization of [`Basic ${token}`, token, `Bearer ${token} ${token}`, `Bearer  ${token}`]) {
      expectProblem(await service.call("GET", host.path, { headers: { authorization } }), "unauthenticated");
    }
    expectProblem(await service.call("GET", `${host.path}?access_token=${token}`), "unauthenticated");
    expect((await service.call("GET", host.path, { headers: { authorization: `bearer ${token}` } })).status).toBe(200);
  });

  it("is in no log line", async () => {
    const host = await newKeyHost();
    const { token } = await host.make();
    const lines: string[] = [];
    const { log } = console;
    console.log = (line: string) => void lines.push(line);
    try {
      await host.read({ token });
      await service.call("GET", `/v1/organizations/${token}`, { token });
    } finally {
      console.log = log;
    }
    expect(lines.length).toBeGreaterThanOrEqual(2);
    expect(lines.join()).toContain('"apiKeyId":"');
    expect(lines.join()).not.toContain(token.slice(9, 30));
  });

  it("says when it was used last, to the minute, also by requests at once that only read", async () => {
    const host = await newKeyHost();
    const { id, token } = await host.make();
    const lastUse = async () => (await host.readKey(host.owner, id)).body.lastUsedAt;
    expect(await lastUse()).toBe(null);
    for (const { status } of await Promise.all(Array.from({ length: 20 }, () => host.read({ token }))))
      expect(status).toBe(200);
    const first = await lastUse();
    expect(Date.parse(first)).toBeGreaterThan(Date.now() - 60_000);
    await host.read({ token });
    expect(await lastUse()).toBe(first);
    await asOwner(["update api_keys set last_used_at = now() - interval '61 seconds' where id = $1", [id]]);
    await host.read({ token });
    expect(Date.parse(await lastUse())).toBeGreaterThanOrEqual(Date.parse(first));
    expectProblem(await host.listKeys({ token }), "forbidden");
  });
});

describe("An API key on what is no organization's", () => {
  it("is refused for another's, and for one that never was, alike", async () => {
    const [host, other] = [await newKeyHost(), await signUpPerson(service)];
    const { token } = await host.make();
    const { body } = await service.call("POST", "/v1/organizations", { token: other.token, body: { name: "Other" } });
    const [real, none] = [
      await service.call("GET", `/v1/organizations/${body.id}`, { token }),
      await service.call("GET", `/v1/organizations/${crypto.randomUUID()}`, { token }),
    ];
    for (const answer of [real, none]) expectProblem(answer, "not_found");
    expect({ ...real.body, requestId: "" }).toEqual({ ...none.body, requestId: "" });
  });
});
