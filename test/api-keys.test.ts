import { describe, expect, it } from "vitest";
import { grantablePermissions } from "../src/permissions.ts";
import { makeStale } from "./support/accounts.ts";
import { expireKey, giveApiKey, newKeyHost } from "./support/api-keys.ts";
import { asOwner } from "./support/database.ts";
import { purge } from "./support/deletions.ts";
import { expectProblem } from "./support/problems.ts";
import { openService, signUpPerson } from "./support/service.ts";

const service = openService();

const hex = (bytes: ArrayBufferLike) =>
  Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, "0")).join("");
const sha256 = (bytes: BufferSource) => crypto.subtle.digest("SHA-256", bytes);

describe("POST /v1/organizations/{organizationId}/api-keys", () => {
  it("makes a key that is told once, and whose hash alone is kept", async () => {
    const host = await newKeyHost();
    const { status, body } = await host.create(host.owner, {
      name: "  Import  ",
      scopes: ["teams:write", "members:read"],
      rateLimitPerMinute: 60,
      expiresInDays: 30,
    });
    expect(status).toBe(201);
    const { key, ...told } = body;
    expect(told).toEqual({
      id: expect.any(String),
      name: "Import",
      userId: host.owner.id,
      createdBy: host.owner.id,
      scopes: ["members:read", "organization:read", "teams:write"],
      hint: key.slice(-4),
      rateLimitPerMinute: 60,
      createdAt: expect.any(String),
      updatedAt: told.createdAt,
      rotatedAt: null,
      previousExpiresAt: null,
      expiresAt: expect.any(String),
      lastUsedAt: null,
    });
    expect(Date.parse(told.expiresAt) - Date.parse(told.createdAt)).toBe(30 * 86_400_000);
    expect((await host.listKeys(host.owner)).body.data).toEqual([told]);
    expect((await host.readKey(host.owner, told.id)).body).toEqual(told);
    const once = await sha256(new TextEncoder().encode(key));
    const [[row] = []] = await asOwner(["select api_keys::text as kept from api_keys where id = $1", [told.id]]);
    expect(row?.["kept"]).toContain(hex(await sha256(once)));
    for (const secret of [key, key.slice(9, -7), hex(once)]) expect(row?.["kept"]).not.toContain(secret);
  });

  it("makes keys that scanners of secrets can tell: prefix, environment, randomness, CRC-32", async () => {
    const host = await newKeyHost();
    const [one, other] = [await host.make(), await host.make()];
    expect(one.token).toMatch(/^sbl_test_[0-9A-Za-z]{43}_[0-9A-Za-z]{6}$/);
    expect(one.token.slice(0, 52)).not.toBe(other.token.slice(0, 52));
    const [text, checksum] = [one.token.slice(0, 52), one.token.slice(53)];
    const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    const told = Array.from(checksum).reduce((value, digit) => value * 62 + digits.indexOf(digit), 0);
    // Postgres has the same CRC-32 since version 18.
    const [[row] = []] = await asOwner([
      "select crc32($1::bytea)::text as crc",
      [`\\x${hex(new TextEncoder().encode(text).buffer)}`],
    ]);
    expect(String(told)).toBe(row?.["crc"]);
  });

  it("makes one for 90 days with no limit of its own, unless it is told otherwise; or one for good", async () => {
    const host = await newKeyHost();
    const { body } = await host.create(host.owner);
    expect(body).toMatchObject({ rateLimitPerMinute: null, userId: host.owner.id });
    expect(Date.parse(body.expiresAt) - Date.parse(body.createdAt)).toBe(90 * 86_400_000);
    expect((await host.create(host.owner, { expiresInDays: null })).body.expiresAt).toBe(null);
  });

  it.each([
    { name: "" },
    { name: "x".repeat(101) },
    { scopes: [] },
    { scopes: ["members:read", "members:read"] },
    { scopes: ["organization:own"] },
    { scopes: ["members:everything"] },
    { scopes: "members:read" },
    { owner: "nobody" },
    { rateLimitPerMinute: 0 },
    { rateLimitPerMinute: 100_001 },
    { expiresInDays: 0 },
    { expiresInDays: 366 },
    { userId: "019ab0de-8f6c-7cc4-9e6f-6f2b7f0f1a02" },
    { key: "mine" },
  ])("refuses %o with 400", async (body) => {
    const host = await newKeyHost();
    expectProblem(await host.create(host.owner, body), "invalid_request");
  });

  it("gives no scope that the caller has not, and every one that they have", async () => {
    const host = await newKeyHost();
    const admin = await host.join("admin");
    expectProblem(await host.create(admin, { scopes: ["organization:delete"] }), "role_above_own");
    expectProblem(await host.create(admin, { scopes: ["members:read", "sso:write"] }), "role_above_own");
    expect((await host.create(admin, { scopes: ["members:write"] })).status).toBe(201);
    expect((await host.create(host.owner, { scopes: grantablePermissions })).body.scopes).toEqual(
      grantablePermissions.toSorted(),
    );
  });

  it("makes one of the organization's own for an owner alone", async () => {
    const host = await newKeyHost();
    const admin = await host.join("admin");
    expectProblem(await host.create(admin, { owner: "organization" }), "forbidden");
    const { status, body } = await host.create(host.owner, { owner: "organization" });
    expect([status, body.userId, body.createdBy]).toEqual([201, null, host.owner.id]);
  });

  it("takes a person who proved who they are within 10 minutes, and no key, whatever its scopes", async () => {
    const host = await newKeyHost();
    const { id, token } = await host.make({ scopes: grantablePermissions });
    expectProblem(await host.create({ token }), "session_required");
    expectProblem(await host.rotate({ token }, id), "session_required");
    expectProblem(await host.change({ token }, id, { name: "Mine" }), "session_required");
    await makeStale(host.owner);
    expectProblem(await host.create(host.owner), "reauthentication_required");
    expectProblem(await host.rotate(host.owner, id), "reauthentication_required");
  });

  it("is nobody's without a session, whoever the body says that it is for", async () => {
    const host = await newKeyHost();
    const { id } = await host.make();
    const own = openService();
    const body = {
      name: "Mine",
      scopes: ["members:read"],
      userId: host.owner.id,
      organizationId: host.id,
      role: "owner",
    };
    for (const [method, path] of [
      ["POST", host.at],
      ["PATCH", `${host.at}/${id}`],
      ["POST", `${host.at}/${id}/rotate`],
      ["DELETE", `${host.at}/${id}`],
    ] as const) {
      expectProblem(await own.call(method, path, { body }), "unauthenticated");
    }
    expect(await own.databaseRequests()).toEqual([]);
    expect((await host.listKeys(host.owner)).body.data).toHaveLength(1);
  });

  it("makes 100 for an organization at most, also when many are asked for at once", async () => {
    const host = await newKeyHost();
    for (let n = 0; n < 97; n++) await giveApiKey(host.id, host.owner.id, ["organization:read"]);
    const answers = await Promise.all(Array.from({ length: 10 }, () => host.create(host.owner)));
    const statuses = answers.map(({ status }) => status).toSorted((a, b) => a - b);
    expect(statuses).toEqual([201, 201, 201, 409, 409, 409, 409, 409, 409, 409]);
    expectProblem(await host.create(host.owner), "api_key_limit");
  });
});

describe("GET /v1/organizations/{organizationId}/api-keys", () => {
  it("lists everybody's, newest first, a page at a time", async () => {
    const host = await newKeyHost();
    const admin = await host.join("admin");
    const made = [await host.make(), await host.make({ owner: "organization" }), await host.make({}, admin)];
    const first = await host.listKeys(admin, "?limit=2");
    expect(first.body.data.map(({ id }: { id: string }) => id)).toEqual([made[2]?.id, made[1]?.id]);
    const second = await host.listKeys(admin, `?limit=2&cursor=${first.body.nextCursor}`);
    expect(second.body).toMatchObject({ data: [{ id: made[0]?.id }], nextCursor: null });
    expect(JSON.stringify([first.body, second.body])).not.toContain("sbl_test_");
  });

  it("has one until 30 days after it has expired, and the clean-up takes it then", async () => {
    const host = await newKeyHost();
    const [old, young] = [await host.make(), await host.make()];
    await asOwner(["update api_keys set expires_at = now() - interval '30 days 1 second' where id = $1", [old.id]]);
    await asOwner(["update api_keys set expires_at = now() - interval '29 days' where id = $1", [young.id]]);
    await purge();
    expectProblem(await host.readKey(host.owner, old.id), "not_found");
    expect((await host.readKey(host.owner, young.id)).status).toBe(200);
  });
});

describe("PATCH /v1/organizations/{organizationId}/api-keys/{apiKeyId}", () => {
  it("changes its name, scopes and limit, each alone, and nothing else", async () => {
    const host = await newKeyHost();
    const { id, token } = await host.make({ rateLimitPerMinute: 50 });
    const { body: before } = await host.readKey(host.owner, id);
    const renamed = await host.change(host.owner, id, { name: "Hourly" });
    expect(renamed.body).toEqual({ ...before, name: "Hourly", updatedAt: expect.any(String) });
    expect((await host.change(host.owner, id, { rateLimitPerMinute: null })).body.rateLimitPerMinute).toBe(null);
    expect((await host.members({ token })).status).toBe(200);
    const narrowed = await host.change(host.owner, id, { scopes: ["organization:read"] });
    expect(narrowed.body).toMatchObject({ name: "Hourly", rateLimitPerMinute: null, scopes: ["organization:read"] });
    expectProblem(await host.members({ token }), "forbidden");
    expectProblem(await host.change(host.owner, id, {}), "invalid_request");
  });

  it("is for the caller's own; an owner changes and rotates those of the organization too, and nobody another's", async () => {
    const host = await newKeyHost();
    const admin = await host.join("admin");
    const [theirs, mine, ours] = [
      await host.make({}, admin),
      await host.make(),
      await host.make({ owner: "organization" }),
    ];
    for (const [by, id] of [
      [host.owner, theirs.id],
      [admin, mine.id],
      [admin, ours.id],
    ] as const) {
      expectProblem(await host.change(by, id, { name: "Taken" }), "forbidden");
      expectProblem(await host.rotate(by, id), "forbidden");
    }
    expect((await host.change(host.owner, ours.id, { name: "Ours" })).status).toBe(200);
    expect((await host.rotate(host.owner, ours.id)).status).toBe(200);
    expect((await host.change(admin, theirs.id, { name: "Theirs" })).status).toBe(200);
  });

  it("gives no scope that the caller has not, nor rotates a key that has one", async () => {
    const host = await newKeyHost();
    const admin = await host.join("admin");
    const { id } = await host.make({ scopes: ["members:write"] }, admin);
    expectProblem(await host.change(admin, id, { scopes: ["organization:export"] }), "role_above_own");
    const keeper = await host.join("viewer");
    const { body: role } = await service.call("POST", `${host.path}/roles`, {
      token: host.owner.token,
      body: { key: "keeper", name: "Keeper", permissions: ["api-keys:read", "api-keys:write"] },
    });
    expect(role.key).toBe("keeper");
    await asOwner([
      "insert into membership_roles (organization_id, user_id, role) values ($1, $2, 'keeper')",
      [host.id, keeper.id],
    ]);
    const wide = await giveApiKey(host.id, keeper.id, ["members:write", "organization:read"]);
    expectProblem(await host.rotate(keeper, wide.id), "role_above_own");
    expect((await host.change(keeper, wide.id, { scopes: ["api-keys:read"] })).status).toBe(200);
    expect((await host.rotate(keeper, wide.id)).status).toBe(200);
  });
});

describe("POST /v1/organizations/{organizationId}/api-keys/{apiKeyId}/rotate", () => {
  it("keeps the old key until the overlap ends, and no longer", async () => {
    const host = await newKeyHost();
    const old = await host.make();
    const { status, body } = await host.rotate(host.owner, old.id, { overlapSeconds: 3600 });
    expect(status).toBe(200);
    expect(body).toMatchObject({ id: old.id, hint: body.key.slice(-4) });
    expect(Date.parse(body.previousExpiresAt) - Date.parse(body.rotatedAt)).toBe(3_600_000);
    for (const token of [old.token, body.key]) expect((await host.members({ token })).status).toBe(200);
    await asOwner(["update api_keys set previous_expires_at = now() where id = $1", [old.id]]);
    expectProblem(await host.members(old), "unauthenticated");
    expect((await host.members({ token: body.key })).status).toBe(200);
  });

  it("ends the old one at once unless told otherwise, and one that was to go already with the next rotation", async () => {
    const host = await newKeyHost();
    const first = await host.make();
    const { body: second } = await host.rotate(host.owner, first.id, { overlapSeconds: 604_800 });
    const { body: third } = await host.rotate(host.owner, first.id);
    for (const token of [first.token, second.key]) expectProblem(await host.members({ token }), "unauthenticated");
    expect((await host.members({ token: third.key })).status).toBe(200);
    expectProblem(await host.rotate(host.owner, first.id, { overlapSeconds: 604_801 }), "invalid_request");
  });

  it("gives it as many days again, also when they are over; the old one gets none", async () => {
    const host = await newKeyHost();
    const old = await host.make({ expiresInDays: 10 });
    await expireKey(old.id);
    expectProblem(await host.members(old), "unauthenticated");
    const { body } = await host.rotate(host.owner, old.id, { overlapSeconds: 3600 });
    expect(Date.parse(body.expiresAt) - Date.parse(body.rotatedAt)).toBe(10 * 86_400_000);
    expectProblem(await host.members(old), "unauthenticated");
    expect((await host.members({ token: body.key })).status).toBe(200);
  });

  it("leaves one key that is good, whichever of ten at once is the last", async () => {
    const host = await newKeyHost();
    const { id } = await host.make();
    const answers = await Promise.all(Array.from({ length: 10 }, () => host.rotate(host.owner, id)));
    const good = [];
    for (const { status, body } of answers) {
      expect(status).toBe(200);
      if ((await host.members({ token: body.key })).status === 200) good.push(body.hint);
    }
    expect(good).toEqual([(await host.readKey(host.owner, id)).body.hint]);
  });
});

describe("DELETE /v1/organizations/{organizationId}/api-keys/{apiKeyId}", () => {
  it("revokes anybody's at once, with what is left of the one before", async () => {
    const host = await newKeyHost();
    const admin = await host.join("admin");
    const old = await host.make();
    const { body } = await host.rotate(host.owner, old.id, { overlapSeconds: 3600 });
    expect((await host.revokeKey(admin, old.id)).status).toBe(204);
    for (const token of [old.token, body.key]) expectProblem(await host.members({ token }), "unauthenticated");
    expectProblem(await host.readKey(admin, old.id), "not_found");
    expectProblem(await host.revokeKey(admin, old.id), "not_found");
  });

  it("can be done with a key that has the scope, also to itself", async () => {
    const host = await newKeyHost();
    const [narrow, wide] = [
      await host.make({ scopes: ["api-keys:read"] }),
      await host.make({ scopes: ["api-keys:write"] }),
    ];
    expectProblem(await host.revokeKey(narrow, wide.id), "forbidden");
    expect((await host.revokeKey(wide, narrow.id)).status).toBe(204);
    expect((await host.revokeKey(wide, wide.id)).status).toBe(204);
    expectProblem(await host.members(wide), "unauthenticated");
  });

  it("is not undone by a request with it that was under way: disabled during its use is not enabled again", async () => {
    const host = await newKeyHost();
    const made = await host.make();
    const requests = Array.from({ length: 20 }, () => host.members(made));
    expect((await host.revokeKey(host.owner, made.id)).status).toBe(204);
    for (const { status } of await Promise.all(requests)) expect([200, 401]).toContain(status);
    expectProblem(await host.members(made), "unauthenticated");
    expect((await asOwner(["select from api_keys where id = $1", [made.id]]))[0]).toEqual([]);
  });
});

describe("An API key of another organization", () => {
  it("cannot be written for a member here, not even by the owner of the tables", async () => {
    const [host, other] = [await newKeyHost(), await newKeyHost()];
    await expect(giveApiKey(host.id, other.owner.id, ["organization:read"])).rejects.toMatchObject({ code: "23503" });
    await expect(giveApiKey(crypto.randomUUID(), null, ["organization:read"])).rejects.toMatchObject({ code: "23503" });
  });

  it("is not found by anybody's id or key, rather than forbidden", async () => {
    const [host, other] = [await newKeyHost(), await newKeyHost()];
    const { id } = await host.make();
    const foreign = await other.make({ scopes: grantablePermissions });
    for (const by of [other.owner, foreign, await signUpPerson(service)]) {
      expectProblem(await host.readKey(by, id), "not_found");
      expectProblem(await host.listKeys(by), "not_found");
      expectProblem(await host.revokeKey(by, id), "not_found");
      expectProblem(await host.read(by), "not_found");
    }
    for (const by of [other.owner, foreign]) {
      expectProblem(await service.call("GET", `${other.at}/${id}`, { token: by.token }), "not_found");
      expectProblem(await service.call("DELETE", `${other.at}/${id}`, { token: by.token }), "not_found");
    }
    expectProblem(
      await service.call("PATCH", `${other.at}/${id}`, { token: other.owner.token, body: { name: "Mine" } }),
      "not_found",
    );
    expectProblem(await service.call("POST", `${other.at}/${id}/rotate`, { token: other.owner.token }), "not_found");
    expect((await host.readKey(host.owner, id)).status).toBe(200);
  });
});
