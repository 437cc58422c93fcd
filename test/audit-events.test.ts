import { describe, expect, it } from "vitest";
import { eventsOf, giveEvents } from "./support/audit-events.ts";
import { giveApiKey, newKeyHost } from "./support/api-keys.ts";
import { ageDeletion, purge } from "./support/deletions.ts";
import { addMember, asOwner } from "./support/database.ts";
import { makeStale, signIn } from "./support/accounts.ts";
import { beginSignIn, enrolTotp, totpCode } from "./support/factors.ts";
import { giveConnection } from "./support/sso.ts";
import { expectProblem } from "./support/problems.ts";
import {
  createOrganization,
  goodPassword,
  openService,
  type Person,
  type Service,
  signInPerson,
  signUpPerson,
} from "./support/service.ts";

const service = openService();

/** A new organization, and its trail. */
async function newTrail() {
  const owner = await signUpPerson(service);
  const { id } = await createOrganization(service, owner);
  const path = `/v1/organizations/${id}`;
  const list = (query = "", { token }: { token: string } = owner) =>
    service.call("GET", `${path}/audit-events${query}`, { token });
  return {
    owner,
    id,
    path,
    list,
    actions: async (query = ""): Promise<string[]> =>
      (await list(query)).body.data.map(({ action }: { action: string }) => action),
    export: (query = "") => service.call("GET", `${path}/audit-events/export${query}`, { token: owner.token }),
    as: (by: { token: string }, method: string, at: string, body?: unknown) =>
      service.call(method, `${path}${at}`, { token: by.token, ...(body !== undefined && { body }) }),
    join: async (...roles: string[]): Promise<Person> => {
      const person = await signUpPerson(service);
      await addMember(id, person.id, ...roles);
      return person;
    },
  };
}

const linesOf = (body: string | undefined) =>
  (body ?? "")
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line));

describe("GET /v1/organizations/{organizationId}/audit-events", () => {
  it("tells who did what to whom, in which request and from where, newest first", async () => {
    const { id, owner, as, list, join } = await newTrail();
    const member = await join("viewer");
    const change = await as(owner, "PATCH", `/members/${member.id}`, { roles: ["member"] });
    const { status, body } = await list("?limit=2");
    expect(status).toBe(200);
    const common = {
      id: expect.stringMatching(/^[\da-f]{8}-[\da-f]{4}-7/),
      actor: { type: "user", id: owner.id, impersonatorId: null },
      subject: { type: "member", id: member.id },
      requestId: change.headers.get("x-request-id"),
      ipAddress: service.address,
      createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
    };
    expect(body.data).toEqual([
      { ...common, action: "member.role_granted", before: null, after: { role: "member" } },
      { ...common, action: "member.role_revoked", before: { role: "viewer" }, after: null },
    ]);
    expect(Math.abs(Date.parse(body.data[0].createdAt) - Date.now())).toBeLessThan(10_000);
    expect((await list()).body.data.at(-1)).toMatchObject({ action: "organization.created", subject: { id } });
  });

  it("tells of what was changed as it was and as it is since, and of nothing else", async () => {
    const { id, owner, as, list } = await newTrail();
    const before = (await service.call("GET", `/v1/organizations/${id}`, { token: owner.token })).body;
    await as(owner, "PATCH", "", { name: "Renamed" });
    expect((await list("?limit=1")).body.data[0]).toMatchObject({
      action: "organization.updated",
      before: { name: before.name },
      after: { name: "Renamed" },
    });
  });

  it("names the API key that did it, and the person who revoked it", async () => {
    const host = await newKeyHost();
    const key = await giveApiKey(host.id, host.owner.id, ["teams:write", "organization:read"]);
    const path = `/v1/organizations/${host.id}`;
    expect(
      (await service.call("POST", `${path}/teams`, { token: key.token, body: { name: "Made by a key" } })).status,
    ).toBe(201);
    expect((await host.revokeKey(host.owner, key.id)).status).toBe(204);
    const { body } = await service.call("GET", `${path}/audit-events?limit=2`, { token: host.owner.token });
    expect(body.data).toMatchObject([
      {
        action: "api_key.revoked",
        actor: { type: "user", id: host.owner.id },
        subject: { type: "api_key", id: key.id },
      },
      { action: "team.created", actor: { type: "api_key", id: key.id }, after: { name: "Made by a key" } },
    ]);
  });

  it("can be read with an API key", async () => {
    const { id, owner, list } = await newTrail();
    const key = await giveApiKey(id, owner.id, ["audit-events:read"]);
    expect((await list("", key)).body.data.length).toBeGreaterThan(0);
    expectProblem(await list("", await giveApiKey(id, owner.id, ["members:read"])), "forbidden");
  });

  it("finds what an actor did, what was done to a subject, and an action, also together", async () => {
    const { id, owner, as, join, list, actions } = await newTrail();
    const admin = await join("admin");
    const { body: team } = await as(admin, "POST", "/teams", { name: "First" });
    await as(owner, "PATCH", `/teams/${team.id}`, { name: "Second" });
    await as(owner, "POST", "/teams", { name: "Other" });
    expect(await actions(`?actorId=${admin.id}`)).toEqual(["team.created"]);
    expect(await actions(`?subjectId=${team.id}`)).toEqual(["team.updated", "team.created"]);
    expect(await actions("?action=team.created")).toEqual(["team.created", "team.created"]);
    expect(await actions(`?action=team.created&actorId=${owner.id}&subjectId=${team.id}`)).toEqual([]);
    expect(await actions(`?action=team.created&subjectId=${id}`)).toEqual([]);
    expect((await list("?action=team.vanished")).body.data).toEqual([]);
  });

  it("finds those of a period: from its first millisecond on, and before its end", async () => {
    const { id, list } = await newTrail();
    const given = await giveEvents(id, 5, "2026-01-01T00:00:00.000Z");
    const idsOf = async (query: string) =>
      (await list(query)).body.data.map(({ id: eventId }: { id: string }) => eventId).toReversed();
    expect(await idsOf("?from=2026-01-01T00:00:00.001Z&to=2026-01-01T00:00:00.003Z")).toEqual(given.slice(1, 3));
    expect(await idsOf("?to=2026-01-01T00:00:00.001Z")).toEqual(given.slice(0, 1));
    expect((await list("?to=2026-01-01T00:00:00.001Z")).body.data[0].createdAt).toBe("2026-01-01T00:00:00.000Z");
    expect(await idsOf("?to=1960-01-01T00:00:00.000Z")).toEqual([]);
  });

  it("goes on by its cursor, through every event once, also with a filter", async () => {
    const { id, list } = await newTrail();
    const given = await giveEvents(id, 45);
    for (const filter of ["", "&action=team.created"]) {
      const seen: string[] = [];
      for (let cursor = ""; ;) {
        const { body } = await list(`?limit=20&to=2026-02-01T00:00:00Z${filter}${cursor}`);
        seen.push(...body.data.map((event: { id: string }) => event.id));
        if (body.nextCursor === null) break;
        cursor = `&cursor=${body.nextCursor}`;
      }
      expect(seen).toEqual(given.toReversed());
    }
  });

  it.each([
    "action=team",
    "action=team.created%27--",
    "actorId=me",
    "subjectId=1",
    "from=yesterday",
    "to=2026-01-01",
    "limit=101",
    "cursor=x",
    "organizationId=019ab0de-8f6c-7cc4-9e6f-6f2b7f0f1a02",
  ])("refuses ?%s with 400", async (query) => {
    const { list } = await newTrail();
    expectProblem(await list(`?${query}`), "invalid_request");
  });

  it("is for those with audit-events:read: a member is refused, an outsider finds nothing", async () => {
    const { join, list } = await newTrail();
    expect((await list("", await join("admin"))).status).toBe(200);
    expectProblem(await list("", await join("member")), "forbidden");
    expectProblem(await list("", await signUpPerson(service)), "not_found");
  });

  it("tells that a client secret was changed, and neither the old nor the new one", async () => {
    const { id, owner, as, list } = await newTrail();
    const connection = await giveConnection(id, { clientSecret: "first-planted-secret" });
    await as(owner, "PATCH", `/sso-connections/${connection.id}`, { clientSecret: "second-planted-secret" });
    const { body } = await list(`?subjectId=${connection.id}`);
    expect(body.data[0]).toMatchObject({
      action: "sso_connection.updated",
      before: { clientSecret: "[redacted]" },
      after: { clientSecret: "[redacted]" },
    });
    expect(body.data[1]).toMatchObject({ action: "sso_connection.created", after: { clientSecret: "[redacted]" } });
    const [rows] = await asOwner(["select e::text as row from audit_events e where organization_id = $1", [id]]);
    expect(JSON.stringify(rows)).not.toContain("planted-secret");
  });

  it("tells of a role that is replaced, of a member who is removed, and of what goes along, once", async () => {
    const { owner, as, join, actions } = await newTrail();
    const member = await join("member");
    const { body: team } = await as(owner, "POST", "/teams", { name: "Team" });
    await as(owner, "PUT", `/teams/${team.id}/members/${member.id}`, { role: "lead" });
    await as(owner, "DELETE", `/members/${member.id}`);
    expect(await actions(`?subjectId=${member.id}`)).toEqual([
      "member.removed",
      "team_member.added",
      "member.role_granted",
      "member.added",
    ]);
    await as(owner, "PUT", `/teams/${team.id}/members/${owner.id}`, { role: "member" });
    await as(owner, "DELETE", `/teams/${team.id}`);
    expect((await actions()).slice(0, 2)).toEqual(["team.deleted", "team_member.added"]);
  });

  it("is there again when the organization is restored, and is kept when it is purged", async () => {
    const { id, owner, path, actions } = await newTrail();
    await service.call("DELETE", path, { token: owner.token });
    await service.call("POST", `/v1/users/me/deleted-organizations/${id}/restore`, { token: owner.token });
    expect((await actions()).slice(0, 2)).toEqual(["organization.restored", "organization.deleted"]);
    await service.call("DELETE", path, { token: owner.token });
    await ageDeletion(id, 31);
    await purge();
    const [rows = []] = await asOwner([
      "select action, actor_type from audit_events where organization_id = $1 order by id desc limit 2",
      [id],
    ]);
    expect(rows).toEqual([
      { action: "organization.purged", actor_type: "system" },
      { action: "organization.deleted", actor_type: "user" },
    ]);
  });

  it("says of what is changed in the database itself that the system did it", async () => {
    const { id, list } = await newTrail();
    await asOwner(["update organizations set member_limit = 5 where id = $1", [id]]);
    expect((await list("?limit=1")).body.data).toMatchObject([
      {
        action: "organization.updated",
        actor: { type: "system", id: null, impersonatorId: null },
        after: { memberLimit: 5 },
        requestId: null,
      },
    ]);
  });
});

describe("GET /v1/organizations/{organizationId}/audit-events/export", () => {
  it("is the list as JSON Lines, as an attachment, in one database request", async () => {
    const own = openService();
    const { path, owner, list, export: exportTrail } = await newTrail();
    const answer = await exportTrail();
    expect(answer.headers.get("content-type")).toBe("application/jsonl");
    expect(answer.headers.get("content-disposition")).toBe('attachment; filename="audit-events.jsonl"');
    expect(linesOf(answer.body)).toEqual((await list("?limit=100")).body.data);
    await own.call("GET", `${path}/audit-events/export`, { token: owner.token });
    expect(await own.databaseRequests()).toHaveLength(1);
  });

  it("gives every event of a period once, part by part", async () => {
    const { id, export: exportTrail } = await newTrail();
    const given = await giveEvents(id, 2500);
    const seen: string[] = [];
    for (let after = ""; ;) {
      const lines = linesOf((await exportTrail(`?to=2026-02-01T00:00:00Z${after}`)).body);
      seen.push(...lines.map((event) => event.id));
      if (lines.length < 1000) break;
      after = `&startingAfter=${lines.at(-1).id}`;
    }
    expect(seen).toEqual(given.toReversed());
  });

  it("is empty where nothing is found, and refuses what is no limit", async () => {
    const { export: exportTrail } = await newTrail();
    expect(await exportTrail("?action=team.created")).toMatchObject({ status: 200, body: "" });
    expect(linesOf((await exportTrail("?limit=1")).body)).toHaveLength(1);
    for (const query of ["limit=1001", "limit=0", "startingAfter=last", "cursor=AZqw3o9sfMSeb28rfw8aAQ"]) {
      expectProblem(await exportTrail(`?${query}`), "invalid_request");
    }
  });
});

describe("GET /v1/users/me/audit-events", () => {
  const mine = async ({ token }: { token: string }, query = "") =>
    (await service.call("GET", `/v1/users/me/audit-events${query}`, { token })).body.data;

  it("tells of sign-ins: by what, from where, and of those that failed", async () => {
    const ada = await signUpPerson(service);
    const elsewhere = openService();
    const signInFrom = (from: Service, password: string) =>
      from.call("POST", "/v1/auth/sign-in", { body: { email: ada.email, password } });
    expect((await signInFrom(elsewhere, "not the password at all")).status).toBe(401);
    expect((await signInFrom(service, goodPassword)).status).toBe(200);
    const [succeeded, failed] = await mine(ada);
    expect(succeeded).toMatchObject({
      action: "session.created",
      actor: { type: "user", id: ada.id, impersonatorId: null },
      after: { method: "password", secondFactor: null },
      ipAddress: service.address,
    });
    expect(failed).toMatchObject({
      action: "sign_in.failed",
      actor: { type: "anonymous", id: null, impersonatorId: null },
      subject: { type: "user", id: ada.id },
      after: { method: "password" },
      ipAddress: elsewhere.address,
    });
  });

  it("has no event of an address without an account, and answers for both alike", async () => {
    const unknown = await signIn(`${crypto.randomUUID()}@example.com`, goodPassword);
    expectProblem(unknown, "invalid_credentials");
    expect(await eventsOf(unknown.headers.get("x-request-id"))).toEqual([]);
  });

  it("tells that the name, the address or the password was changed, and none of them", async () => {
    const ada = await signUpPerson(service);
    await service.call("PATCH", "/v1/users/me", { token: ada.token, body: { name: "Ada King" } });
    const changed = await service.call("POST", "/v1/auth/change-password", {
      token: ada.token,
      body: { currentPassword: goodPassword, newPassword: "another harbour at dusk" },
    });
    expect(changed.status).toBeLessThan(300);
    const events = await mine(ada);
    expect(events.map(({ action }: { action: string }) => action)).toEqual(
      expect.arrayContaining(["user.password_changed", "user.updated", "session.created", "user.created"]),
    );
    expect(events.find(({ action }: { action: string }) => action === "user.updated")).toMatchObject({
      before: { name: "[redacted]" },
      after: { name: "[redacted]" },
    });
    expect(JSON.stringify(events)).not.toMatch(/Ada King|harbour|@example/);
  });

  it("tells of an authenticator app once, and not at each sign-in with it", async () => {
    const ada = await signUpPerson(service);
    const { seed } = await enrolTotp(service, ada);
    const verified = await service.call("POST", "/v1/auth/mfa/verify", {
      token: await beginSignIn(service, ada),
      body: { code: await totpCode(seed) },
    });
    expect(verified.status).toBe(200);
    const actions = (await mine({ token: verified.body.accessToken })).map(({ action }: { action: string }) => action);
    expect(actions.filter((action: string) => action === "totp.activated")).toHaveLength(1);
    expect(actions).toContain("session.completed");
  });

  it("tells of a refresh token that came again, and says not that the person did it", async () => {
    const ada = await signUpPerson(service);
    const refresh = (refreshToken: string) => service.call("POST", "/v1/auth/refresh", { body: { refreshToken } });
    const { body: second } = await refresh(ada.refreshToken);
    expect((await refresh(second.refreshToken)).status).toBe(200);
    expectProblem(await refresh(ada.refreshToken), "refresh_token_reused");
    const { token } = await signInPerson(service, ada.email);
    expect((await mine({ token }, "?action=session.token_reused"))[0]).toMatchObject({
      actor: { type: "anonymous", id: null, impersonatorId: null },
    });
  });

  it("is filtered and paged as the organizations' are", async () => {
    const ada = await signUpPerson(service);
    await signInPerson(service, ada.email);
    expect(await mine(ada, "?action=session.created&limit=1")).toHaveLength(1);
    expect((await mine(ada, "?action=user.created")).map(({ action }: { action: string }) => action)).toEqual([
      "user.created",
    ]);
    const { body } = await service.call("GET", "/v1/users/me/audit-events?limit=1", { token: ada.token });
    expect(body.nextCursor).not.toBeNull();
    expect((await mine(ada, `?limit=1&cursor=${body.nextCursor}`))[0].id).not.toBe(body.data[0].id);
  });

  it("is nobody else's, and is read without having signed in lately", async () => {
    const [ada, grace] = [await signUpPerson(service), await signUpPerson(service)];
    await makeStale(ada);
    const ids = (await mine(ada)).map(({ subject }: { subject: { id: string } }) => subject.id);
    expect(ids).toContain(ada.id);
    expect(ids).not.toContain(grace.id);
    expect(await mine(grace, `?subjectId=${ada.id}`)).toEqual([]);
  });
});

describe("The clean-up", () => {
  it("deletes events after 365 days, and none before", async () => {
    const { id, list } = await newTrail();
    const day = 86_400_000;
    const at = (days: number) => new Date(Date.now() - days * day).toISOString();
    const [old] = await giveEvents(id, 1, at(366));
    const [young] = await giveEvents(id, 1, at(364));
    await purge();
    const ids = (await list("?limit=100")).body.data.map((event: { id: string }) => event.id);
    expect([ids.includes(old), ids.includes(young)]).toEqual([false, true]);
  });
});
