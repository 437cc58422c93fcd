import { describe, expect, it } from "vitest";
import { readMe, refresh, verifyAddress } from "./support/accounts.ts";
import { eventsOf } from "./support/audit-events.ts";
import { asOwner } from "./support/database.ts";
import { appoint, dismiss, makeAdmin, newAdmin } from "./support/platform.ts";
import { expectProblem } from "./support/problems.ts";
import { createOrganization, openService, signUpPerson } from "./support/service.ts";
import { claimsOf } from "./support/tokens.ts";

const service = openService();

const nobody = "019ab0de-8f6c-7cc4-9e6f-000000000000";

/** An administrator who acts as the owner of an organization. */
async function newImpersonation() {
  const { admin, call, impersonate } = await newAdmin();
  const person = await signUpPerson(service);
  await verifyAddress(person);
  const { id: organizationId } = await createOrganization(service, person);
  const { id, token } = await impersonate(person);
  return {
    admin,
    call,
    person,
    organizationId,
    id,
    token,
    as: (method: string, path: string, body?: unknown) =>
      service.call(method, path, { token, ...(body !== undefined && { body }) }),
  };
}

describe("POST /v1/platform/impersonations", () => {
  it("gives a token that says who acts as whom, for the time that was asked for, and none to refresh it", async () => {
    const { admin, call } = await newAdmin();
    const person = await signUpPerson(service);
    const { status, body } = await call("POST", "impersonations", { userId: person.id, reason: "Ticket", minutes: 30 });
    expect([status, body]).toEqual([
      201,
      {
        id: expect.any(String),
        userId: person.id,
        accessToken: expect.any(String),
        tokenType: "Bearer",
        expiresIn: 1800,
        expiresAt: expect.stringMatching(/Z$/),
      },
    ]);
    const claims = claimsOf(body.accessToken);
    expect(claims).toMatchObject({ sub: person.id, act: { sub: admin.id } });
    expect(Number(claims["exp"]) - Number(claims["iat"])).toBe(1800);
    expect(Math.abs(Date.parse(body.expiresAt) - Number(claims["exp"]) * 1000)).toBeLessThan(5_000);
    expect((await readMe(body.accessToken)).body).toMatchObject({ id: person.id });
  });

  it("does what the person may, and every event of it names the administrator", async () => {
    const { admin, person, organizationId, as } = await newImpersonation();
    const changed = await as("PATCH", `/v1/organizations/${organizationId}`, { name: "Renamed" });
    expect(changed.status).toBe(200);
    const by = { actor_type: "user", actor_id: person.id, impersonator_id: admin.id, ip_address: null };
    expect(await eventsOf(changed.headers.get("x-request-id"))).toMatchObject([
      { ...by, action: "organization.updated" },
    ]);
    const renamed = await as("PATCH", "/v1/users/me", { name: "Other" });
    expect(await eventsOf(renamed.headers.get("x-request-id"))).toMatchObject([{ ...by, action: "user.updated" }]);
    const list = await service.call("GET", `/v1/organizations/${organizationId}/audit-events?limit=1`, {
      token: person.token,
    });
    expect(list.body.data).toMatchObject([
      { actor: { type: "user", id: person.id, impersonatorId: admin.id }, ipAddress: null },
    ]);
  });

  it("is told to the person, with its reason, in their trail and in the list of their sessions", async () => {
    const { admin, person, id } = await newImpersonation();
    const trail = await service.call("GET", "/v1/users/me/audit-events?action=impersonation.started", person);
    expect(trail.body.data).toMatchObject([
      {
        actor: { type: "platform_admin", id: admin.id, impersonatorId: null },
        subject: { type: "session", id },
        after: { reason: "Ticket 4711", expiresAt: expect.stringMatching(/Z$/) },
        ipAddress: null,
      },
    ]);
    const sessions = await service.call("GET", "/v1/auth/sessions", person);
    expect(sessions.body.data).toMatchObject([
      { id, impersonatorId: admin.id, ipAddress: null, userAgent: null },
      { current: true, impersonatorId: null },
    ]);
  });

  it("acts as no administrator, nobody suspended, and nobody who is not there", async () => {
    const { admin, call } = await newAdmin();
    const other = await makeAdmin(await signUpPerson(service));
    const start = (userId: string) => call("POST", "impersonations", { userId, reason: "x" });
    for (const { id } of [admin, other]) expectProblem(await start(id), "platform_admin");
    const suspended = await signUpPerson(service);
    await call("POST", `users/${suspended.id}/suspend`, { reason: "x" });
    expectProblem(await start(suspended.id), "user_suspended");
    expectProblem(await start(nobody), "not_found");
  });

  it.each([
    { reason: "x" },
    { userId: "me", reason: "x" },
    { userId: nobody },
    { userId: nobody, reason: " " },
    { userId: nobody, reason: "x", minutes: 0 },
    { userId: nobody, reason: "x", minutes: 61 },
    { userId: nobody, reason: "x", minutes: 1.5 },
    { userId: nobody, reason: "x", impersonatorId: nobody },
  ])("refuses %j", async (body) => {
    const { call } = await newAdmin();
    expectProblem(await call("POST", "impersonations", body), "invalid_request");
  });
});

describe("An impersonation", () => {
  it("ends on time", async () => {
    const { id, token } = await newImpersonation();
    expect((await readMe(token)).status).toBe(200);
    await asOwner(["update sessions set expires_at = now() where id = $1", [id]]);
    expectProblem(await readMe(token), "unauthenticated");
  });

  it("lasts no longer than an hour, whatever the database is asked for", async () => {
    const { id } = await newImpersonation();
    const [rows] = await asOwner([
      "select expires_at <= created_at + interval '1 hour' and idle_expires_at = expires_at as bounded from sessions where id = $1",
      [id],
    ]);
    expect(rows).toEqual([{ bounded: true }]);
  });

  it("ends when an administrator ends it, and when whoever acts signs out", async () => {
    const { call, id, token } = await newImpersonation();
    expect((await call("DELETE", `impersonations/${id}`)).status).toBe(204);
    expectProblem(await readMe(token), "unauthenticated");
    expect((await call("DELETE", `impersonations/${id}`)).status).toBe(204);
    expectProblem(await call("DELETE", `impersonations/${nobody}`), "not_found");
    const other = await newImpersonation();
    expect((await other.as("POST", "/v1/auth/sign-out")).status).toBe(204);
    expectProblem(await readMe(other.token), "unauthenticated");
    expect((await readMe(other.person.token)).status).toBe(200);
  });

  it("ends when the person is suspended, when they end it, and when the administrator is none any more", async () => {
    const first = await newImpersonation();
    await first.call("POST", `users/${first.person.id}/suspend`, { reason: "x" });
    expectProblem(await readMe(first.token), "unauthenticated");
    const second = await newImpersonation();
    expect((await service.call("DELETE", `/v1/auth/sessions/${second.id}`, second.person)).status).toBe(204);
    expectProblem(await readMe(second.token), "unauthenticated");
    const third = await newImpersonation();
    await dismiss(third.admin);
    expectProblem(await readMe(third.token), "unauthenticated");
  });

  it("ends no session that is the person's own through the platform's list", async () => {
    const { call, person } = await newImpersonation();
    const [[own] = []] = await asOwner([
      "select id from sessions where user_id = $1 and impersonator_id is null",
      [person.id],
    ]);
    expectProblem(await call("DELETE", `impersonations/${own?.["id"]}`), "not_found");
    expect((await readMe(person.token)).status).toBe(200);
  });

  it("cannot be nested: whoever acts as somebody administers nothing, even where that one is appointed meanwhile", async () => {
    const { person, as } = await newImpersonation();
    const start = () => as("POST", "/v1/platform/impersonations", { userId: person.id, reason: "x" });
    expectProblem(await start(), "not_found");
    await appoint(person);
    for (const answer of [await start(), await as("GET", "/v1/platform/users")]) {
      expectProblem(answer, "impersonation_refused");
    }
  });

  it("is listed for administrators, the newest first, with its reason and its end", async () => {
    const { admin, call, person, id } = await newImpersonation();
    await newImpersonation();
    const find = async () => {
      // Other tests' come between: the list is of the whole platform.
      let cursor = "";
      for (;;) {
        const { status, body } = await call("GET", `impersonations?limit=100${cursor}`);
        expect(status).toBe(200);
        const found = body.data.find((one: { id: string }) => one.id === id);
        if (found || !body.nextCursor) return found;
        cursor = `&cursor=${body.nextCursor}`;
      }
    };
    expect(await find()).toEqual({
      id,
      userId: person.id,
      impersonatorId: admin.id,
      reason: "Ticket 4711",
      createdAt: expect.any(String),
      expiresAt: expect.any(String),
      endedAt: null,
    });
    await call("DELETE", `impersonations/${id}`);
    expect((await find())?.endedAt).toEqual(expect.any(String));
    const page = await call("GET", "impersonations?limit=1");
    const next = await call("GET", `impersonations?limit=1&cursor=${page.body.nextCursor ?? ""}`);
    expect(page.body.data[0].id > next.body.data[0].id).toBe(true);
  });

  it("cannot be refreshed: its handle is good for no refresh token", async () => {
    const { token, person } = await newImpersonation();
    expectProblem(await refresh(token), "unauthenticated");
    expect((await refresh(person.refreshToken)).status).toBe(200);
  });
});
