import { describe, expect, it } from "vitest";
import { makeStale, readMe, refresh, signIn, signUpVerified } from "./support/accounts.ts";
import { giveApiKey } from "./support/api-keys.ts";
import { eventsOf } from "./support/audit-events.ts";
import { addMember, asOwner } from "./support/database.ts";
import { giveTotp } from "./support/factors.ts";
import { appoint, dismiss, makeAdmin, newAdmin } from "./support/platform.ts";
import { expectProblem } from "./support/problems.ts";
import { createOrganization, goodPassword, openService, signInPerson, signUpPerson } from "./support/service.ts";

const service = openService();

const nobody = "019ab0de-8f6c-7cc4-9e6f-000000000000";

const list = (token: string, query = "") => service.call("GET", `/v1/platform/users${query}`, { token });

describe("The platform's routes", () => {
  it("do not exist for whoever is no administrator, whatever they have", async () => {
    const ada = await signUpVerified();
    await giveTotp(ada, true);
    await createOrganization(service, ada);
    expectProblem(await list(ada.token), "not_found");
    for (const [method, path, body] of [
      ["POST", `users/${ada.id}/suspend`, { reason: "x" }],
      ["POST", `users/${ada.id}/unsuspend`],
      ["GET", "impersonations"],
      ["POST", "impersonations", { userId: ada.id, reason: "x" }],
    ] as const) {
      const answer = await service.call(method, `/v1/platform/${path}`, { token: ada.token, ...(body && { body }) });
      expectProblem(answer, "not_found");
    }
  });

  it("ask an administrator for a verified address, and for a second factor in this session", async () => {
    const ada = await signUpPerson(service);
    await appoint(ada);
    expectProblem(await list(ada.token), "email_unverified");
    const grace = await signUpVerified();
    await appoint(grace);
    expectProblem(await list(grace.token), "mfa_enrollment_required");
    await giveTotp(grace, true);
    expect((await list(grace.token)).status).toBe(200);
  });

  it("ask for a proof of the last ten minutes for what changes something, and not for reading", async () => {
    const { admin, call } = await newAdmin();
    const ada = await signUpPerson(service);
    await makeStale(admin);
    expect((await call("GET", `users/${ada.id}`)).status).toBe(200);
    expectProblem(await call("POST", `users/${ada.id}/suspend`, { reason: "x" }), "reauthentication_required");
    expectProblem(await call("POST", "impersonations", { userId: ada.id, reason: "x" }), "reauthentication_required");
    expect((await readMe(ada.token)).status).toBe(200);
  });

  it("are closed from the next request on to whoever is dismissed", async () => {
    const { admin, call } = await newAdmin();
    expect((await call("GET", "users")).status).toBe(200);
    await dismiss(admin);
    expectProblem(await call("GET", "users"), "not_found");
  });

  it("take no API key, not even an administrator's", async () => {
    const { admin } = await newAdmin();
    const { id } = await createOrganization(service, admin);
    const key = await giveApiKey(id, admin.id, ["organization:read", "members:read"]);
    expectProblem(await list(key.token), "session_required");
  });

  it("give an administrator nothing in an organization that is not theirs", async () => {
    const { admin } = await newAdmin();
    const owner = await signUpPerson(service);
    const { id } = await createOrganization(service, owner);
    expectProblem(await service.call("GET", `/v1/organizations/${id}`, { token: admin.token }), "not_found");
  });
});

describe("GET /v1/platform/users", () => {
  it("lists accounts in the order of their addresses, a page at a time, by what they begin with", async () => {
    const { call } = await newAdmin();
    const name = crypto.randomUUID();
    const people = [];
    for (const n of [3, 1, 2]) {
      const email = `${name}-${n}@example.com`;
      await service.call("POST", "/v1/auth/sign-up", { body: { email, password: goodPassword, name: `No ${n}` } });
      people.push(email);
    }
    const first = await call("GET", `users?limit=2&email=${name.toUpperCase()}`);
    expect(first.status).toBe(200);
    const second = await call("GET", `users?limit=2&email=${name}&cursor=${first.body.nextCursor}`);
    expect([...first.body.data, ...second.body.data].map(({ email }: { email: string }) => email)).toEqual(
      people.toSorted(),
    );
    expect(second.body.nextCursor).toBeNull();
    expect(first.body.data[0]).toEqual({
      id: expect.any(String),
      email: `${name}-1@example.com`,
      emailVerified: false,
      name: "No 1",
      createdAt: expect.stringMatching(/Z$/),
      suspendedAt: null,
      suspensionReason: null,
    });
    expect((await call("GET", `users?email=${name}%25`)).body.data).toEqual([]);
  });

  it("goes on after an address as long as there can be", async () => {
    const { call } = await newAdmin();
    const name = crypto.randomUUID();
    const labels = ["x", "y", "z"].map((letter) => letter.repeat(63)).join(".");
    for (const n of [1, 2]) {
      const email = `${name}-${n}@${labels.slice(0, 254 - 47)}.example`;
      const body = { email, password: goodPassword, name: `No ${n}` };
      expect((await service.call("POST", "/v1/auth/sign-up", { body })).status).toBe(201);
    }
    const first = await call("GET", `users?limit=1&email=${name}`);
    const second = await call("GET", `users?limit=1&email=${name}&cursor=${first.body.nextCursor}`);
    expect([first, second].map(({ body }) => body.data[0]?.name)).toEqual(["No 1", "No 2"]);
  });

  it("lists the suspended ones alone where it is asked to", async () => {
    const { call } = await newAdmin();
    const ada = await signUpPerson(service);
    const query = `users?suspended=true&email=${ada.email}`;
    expect((await call("GET", query)).body.data).toEqual([]);
    await call("POST", `users/${ada.id}/suspend`, { reason: "Spam" });
    expect((await call("GET", query)).body.data).toMatchObject([{ id: ada.id, suspensionReason: "Spam" }]);
    expect((await call("GET", `users?suspended=false&email=${ada.email}`)).body.data).toHaveLength(1);
  });

  it.each(["cursor=AZqw3o9sfMSeb28rfw8aAQ", "cursor=AZqw3o9sfMSeb28rfw8aAQD_", "suspended=1", "limit=0", "name=Ada"])(
    "refuses ?%s",
    async (query) => {
      const { call } = await newAdmin();
      expectProblem(await call("GET", `users?${query}`), "invalid_request");
    },
  );
});

describe("GET /v1/platform/users/{userId}", () => {
  it("tells of an account, and where the person is a member", async () => {
    const { call } = await newAdmin();
    const ada = await signUpPerson(service);
    const own = await createOrganization(service, ada, "Own");
    const other = await createOrganization(service, await signUpPerson(service), "Other");
    await addMember(other.id, ada.id, "viewer", "member");
    const { status, body } = await call("GET", `users/${ada.id}`);
    expect(status).toBe(200);
    expect(body).toMatchObject({ id: ada.id, email: ada.email, emailVerified: false, suspendedAt: null });
    expect(body.organizations).toEqual([
      { id: other.id, slug: other.slug, name: "Other", roles: ["member", "viewer"] },
      { id: own.id, slug: own.slug, name: "Own", roles: ["owner"] },
    ]);
    expectProblem(await call("GET", `users/${nobody}`), "not_found");
  });
});

describe("POST /v1/platform/users/{userId}/suspend", () => {
  it("ends sessions at once, and lets none begin, until it is taken back", async () => {
    const { call } = await newAdmin();
    const ada = await signUpPerson(service);
    const { status, body } = await call("POST", `users/${ada.id}/suspend`, { reason: "Spam" });
    expect([status, body]).toMatchObject([200, { id: ada.id, suspensionReason: "Spam" }]);
    expect(Math.abs(Date.parse(body.suspendedAt) - Date.now())).toBeLessThan(10_000);
    expectProblem(await readMe(ada.token), "unauthenticated");
    expectProblem(await refresh(ada.refreshToken), "unauthenticated");
    expectProblem(await signIn(ada.email, ada.password), "invalid_credentials");
    const back = await call("POST", `users/${ada.id}/unsuspend`);
    expect([back.status, back.body]).toMatchObject([200, { suspendedAt: null, suspensionReason: null }]);
    expectProblem(await readMe(ada.token), "unauthenticated");
    expect((await readMe((await signInPerson(service, ada.email)).token)).status).toBe(200);
  });

  it("refuses the person's own API keys meanwhile", async () => {
    const { call } = await newAdmin();
    const ada = await signUpPerson(service);
    const { id } = await createOrganization(service, ada);
    const key = await giveApiKey(id, ada.id, ["organization:read"]);
    const read = () => service.call("GET", `/v1/organizations/${id}`, { token: key.token });
    await call("POST", `users/${ada.id}/suspend`, { reason: "Spam" });
    expectProblem(await read(), "unauthenticated");
    await call("POST", `users/${ada.id}/unsuspend`);
    expect((await read()).status).toBe(200);
  });

  it("leaves one that stands, with its reason, and is told of in the person's trail once", async () => {
    const { admin, call } = await newAdmin();
    const ada = await signUpPerson(service);
    const first = await call("POST", `users/${ada.id}/suspend`, { reason: "First" });
    const again = await call("POST", `users/${ada.id}/suspend`, { reason: "Second" });
    expect(again.body).toEqual(first.body);
    const by = { actor_type: "platform_admin", actor_id: admin.id, impersonator_id: null, ip_address: null };
    const told = await eventsOf(first.headers.get("x-request-id"));
    expect(told).toMatchObject([
      { ...by, user_id: ada.id, action: "user.suspended", before: null, after: null },
      { ...by, user_id: ada.id, action: "session.revoked" },
    ]);
    expect(await eventsOf(again.headers.get("x-request-id"))).toEqual([]);
    const back = await call("POST", `users/${ada.id}/unsuspend`);
    expect(await eventsOf(back.headers.get("x-request-id"))).toMatchObject([{ ...by, action: "user.unsuspended" }]);
    const twice = await call("POST", `users/${ada.id}/unsuspend`);
    expect([twice.status, await eventsOf(twice.headers.get("x-request-id"))]).toEqual([200, []]);
  });

  it("suspends no administrator, oneself neither, and nobody who is not there", async () => {
    const { admin, call } = await newAdmin();
    const other = await makeAdmin(await signUpPerson(service));
    for (const { id } of [admin, other]) {
      expectProblem(await call("POST", `users/${id}/suspend`, { reason: "x" }), "platform_admin");
    }
    expect((await readMe(other.token)).status).toBe(200);
    expectProblem(await call("POST", `users/${nobody}/suspend`, { reason: "x" }), "not_found");
    expectProblem(await call("POST", `users/${nobody}/unsuspend`), "not_found");
  });

  it.each([{}, { reason: "" }, { reason: "  " }, { reason: "x".repeat(501) }, { reason: "x", until: null }])(
    "refuses %j",
    async (body) => {
      const { call } = await newAdmin();
      const ada = await signUpPerson(service);
      expectProblem(await call("POST", `users/${ada.id}/suspend`, body), "invalid_request");
      const [rows] = await asOwner(["select suspended_at from users where id = $1", [ada.id]]);
      expect(rows).toEqual([{ suspended_at: null }]);
    },
  );
});
