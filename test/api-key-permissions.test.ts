import { describe, expect, it } from "vitest";
import { disableUser, makeStale } from "./support/accounts.ts";
import { giveApiKey, newKeyHost } from "./support/api-keys.ts";
import { addMember, asOwner } from "./support/database.ts";
import { deleteAccount } from "./support/deletions.ts";
import { enrolTotp, giveTotp } from "./support/factors.ts";
import { membersOf } from "./support/invitations.ts";
import { expectProblem } from "./support/problems.ts";
import { newEmail, openService, signInPerson } from "./support/service.ts";

const service = openService();

describe("What an API key may do", () => {
  it("is what its person may, from the next request on: never more than they can themselves", async () => {
    const host = await newKeyHost();
    const admin = await host.join("admin");
    const key = await host.make({ scopes: ["members:read", "members:write"] }, admin);
    const viewer = await host.join("viewer");
    const member = `${host.path}/members/${viewer.id}`;
    const change = () => service.call("PATCH", member, { token: key.token, body: { roles: ["viewer"] } });
    const setRoles = (...roles: string[]) =>
      service.call("PATCH", `${host.path}/members/${admin.id}`, { token: host.owner.token, body: { roles } });
    expect((await change()).status).toBe(200);
    expect((await setRoles("member")).status).toBe(200);
    expectProblem(await change(), "forbidden");
    expect((await host.members(key)).status).toBe(200);
    expect((await setRoles("viewer")).status).toBe(200);
    expectProblem(await host.members(key), "forbidden");
    expect((await host.read(key)).status).toBe(200);
    expect((await setRoles("owner")).status).toBe(200);
    expect((await change()).status).toBe(200);
    expectProblem(await service.call("DELETE", host.path, { token: key.token }), "forbidden");
  });

  it("gives nobody more than its own scopes, whatever its person may", async () => {
    const host = await newKeyHost();
    const { token } = await host.make({
      scopes: ["members:read", "members:write", "roles:write", "invitations:write", "domains:write"],
    });
    const viewer = await host.join("viewer");
    const call = (method: string, path: string, body: unknown) =>
      service.call(method, `${host.path}${path}`, { token, body });
    expectProblem(await call("PATCH", `/members/${viewer.id}`, { roles: ["admin"] }), "role_above_own");
    expectProblem(await call("PATCH", `/members/${viewer.id}`, { roles: ["owner"] }), "role_above_own");
    const other = await host.join("admin");
    expectProblem(await call("PATCH", `/members/${other.id}`, { roles: ["viewer"] }), "role_above_own");
    expectProblem(await call("DELETE", `/members/${host.owner.id}`, undefined), "role_above_own");
    expectProblem(
      await call("POST", "/roles", { key: "spy", name: "Spy", permissions: ["sso:read"] }),
      "role_above_own",
    );
    expectProblem(await call("POST", "/share-links", { roles: ["admin"], maxUses: 1 }), "role_above_own");
    const invited = await call("POST", "/invitations", { invitations: [{ email: newEmail(), roles: ["admin"] }] });
    expect(invited.body.results).toMatchObject([{ status: 403, code: "role_above_own" }]);
    expect((await call("PATCH", `/members/${viewer.id}`, { roles: ["member"] })).status).toBe(200);
    expect(await membersOf(host.id)).toHaveLength(3);
  });

  it("ends with the membership of its person, whoever ends it, and does not come back with a new one", async () => {
    const host = await newKeyHost();
    const [removed, left] = [await host.join("admin"), await host.join("admin")];
    const keys = [await host.make({}, removed), await host.make({}, left)];
    expect((await host.removeMember(host.owner, removed.id)).status).toBe(204);
    expect((await service.call("POST", `${host.path}/leave`, { token: left.token })).status).toBe(204);
    for (const key of keys) expectProblem(await host.read(key), "unauthenticated");
    for (const { id } of [removed, left]) await addMember(host.id, id, "admin");
    for (const key of keys) expectProblem(await host.read(key), "unauthenticated");
    expect((await host.listKeys(host.owner)).body.data).toEqual([]);
  });

  it("ends with the account of its person, and waits while that is disabled", async () => {
    const host = await newKeyHost();
    const [disabled, deleted] = [await host.join("admin"), await host.join("admin")];
    const keys = [await host.make({}, disabled), await host.make({}, deleted)];
    await disableUser(disabled.id);
    expect((await deleteAccount(deleted)).status).toBe(204);
    for (const key of keys) expectProblem(await host.read(key), "unauthenticated");
    await asOwner(["update users set suspended_at = null where id = $1", [disabled.id]]);
    expect((await Promise.all(keys.map((key) => host.read(key)))).map(({ status }) => status)).toEqual([200, 401]);
  });

  it("stays with a key of the organization's own when whoever made it leaves, is disabled or is deleted", async () => {
    const host = await newKeyHost();
    const maker = await host.join("owner");
    const key = await host.make({ owner: "organization", scopes: ["members:read", "teams:write"] }, maker);
    expect((await host.members(key)).body.data).toHaveLength(2);
    await disableUser(maker.id);
    expect((await host.members(key)).status).toBe(200);
    await asOwner(["update users set suspended_at = null where id = $1", [maker.id]]);
    expect((await host.removeMember(host.owner, maker.id)).status).toBe(204);
    expect(
      (await service.call("POST", `${host.path}/teams`, { token: key.token, body: { name: "Night" } })).status,
    ).toBe(201);
    expect((await deleteAccount(maker)).status).toBe(204);
    expect((await host.members(key)).body.data).toHaveLength(1);
    expect((await host.read(key)).body.roles).toEqual([]);
    expect((await host.readKey(host.owner, key.id)).body).toMatchObject({ userId: null, createdBy: null });
  });

  it("is nothing that somebody has to answer for, with a key of the organization's own", async () => {
    const host = await newKeyHost();
    const scopes = ["invitations:read", "invitations:write", "domains:read", "domains:write", "members:read"];
    const { token } = await host.make({ owner: "organization", scopes });
    const { id } = await host.inviteSomebody();
    const call = (method: string, path: string, body?: unknown) =>
      service.call(method, `${host.path}${path}`, { token, body });
    expectProblem(
      await call("POST", "/invitations", { invitations: [{ email: newEmail(), roles: ["member"] }] }),
      "person_required",
    );
    expectProblem(await call("POST", `/invitations/${id}/resend`), "person_required");
    expectProblem(await call("POST", "/share-links", { roles: ["member"], maxUses: 1 }), "person_required");
    const { body: domain } = await call("POST", "/domains", { domain: `${crypto.randomUUID()}.example` });
    expectProblem(await call("PATCH", `/domains/${domain.id}`, { enrollment: "suggest" }), "person_required");
    expect((await call("DELETE", `/invitations/${id}`)).status).toBe(204);
    expect((await host.list(host.owner, "?status=pending")).body.data).toEqual([]);
  });

  it("is answered for by its person, with one of theirs", async () => {
    const host = await newKeyHost();
    const { token } = await host.make({ scopes: ["invitations:write", "members:read"] });
    const email = newEmail();
    const { status, body } = await host.inviteAll({ token }, [{ email, roles: ["member"] }]);
    expect([status, body.results[0].invitation.invitedBy]).toEqual([207, host.owner.id]);
    expect((await host.list(host.owner)).body.data).toMatchObject([{ email, invitedBy: host.owner.id }]);
  });

  it("is not what its person does as a lead of a team: that takes teams:write", async () => {
    const host = await newKeyHost();
    const lead = await host.join("admin");
    const { body: team } = await service.call("POST", `${host.path}/teams`, {
      token: host.owner.token,
      body: { name: "Night" },
    });
    const at = (id: string) => `${host.path}/teams/${team.id}/members/${id}`;
    const put = (token: string) => service.call("PUT", at(host.owner.id), { token, body: { role: "member" } });
    expect((await service.call("PUT", at(lead.id), { token: host.owner.token, body: { role: "lead" } })).status).toBe(
      200,
    );
    await service.call("PATCH", `${host.path}/members/${lead.id}`, {
      token: host.owner.token,
      body: { roles: ["member"] },
    });
    const reader = await giveApiKey(host.id, lead.id, ["members:read", "organization:read"]);
    expect((await put(lead.token)).status).toBe(200);
    expectProblem(await put(reader.token), "forbidden");
    expectProblem(await service.call("DELETE", at(lead.id), { token: reader.token }), "forbidden");
    const writer = await host.make({ scopes: ["members:read", "teams:write"] });
    expect((await put(writer.token)).status).toBe(200);
  });

  it("waits for the second factor of its person where the organization asks for one", async () => {
    const host = await newKeyHost();
    await enrolTotp(service, host.owner);
    const admin = await host.join("admin");
    const [with2fa, without, ours] = [
      await host.make(),
      await host.make({}, admin),
      await host.make({ owner: "organization" }),
    ];
    const patched = await service.call("PATCH", host.path, { token: host.owner.token, body: { mfaRequired: true } });
    expect(patched.status).toBe(200);
    expect((await host.read(with2fa)).status).toBe(200);
    expect((await host.read(ours)).status).toBe(200);
    expectProblem(await host.read(without), "mfa_enrollment_required");
    await giveTotp(admin, true);
    expect((await host.read(without)).status).toBe(200);
  });

  it("turns the demand for a second factor neither on nor off", async () => {
    const host = await newKeyHost();
    const { token } = await host.make({ scopes: ["organization:update"] });
    const patch = (body: unknown) => service.call("PATCH", host.path, { token, body });
    expectProblem(await patch({ mfaRequired: true }), "session_required");
    await enrolTotp(service, host.owner);
    const on = await service.call("PATCH", host.path, { token: host.owner.token, body: { mfaRequired: true } });
    expect(on.status).toBe(200);
    expectProblem(await patch({ mfaRequired: false }), "session_required");
    expect((await patch({ name: "Renamed" })).status).toBe(200);
  });

  it("waits for the verified address of its person where the service asks for one", async () => {
    const host = await newKeyHost();
    const strict = openService({ EMAIL_VERIFICATION: "required" });
    const admin = await host.join("admin");
    const [verified, unverified, ours] = [
      await host.make(),
      await host.make({}, admin),
      await host.make({ owner: "organization" }),
    ];
    const read = (token: string) => strict.call("GET", host.path, { token });
    expectProblem(await read(unverified.token), "email_unverified");
    for (const { token } of [verified, ours]) expect((await read(token)).status).toBe(200);
  });

  it("is nothing once the organization is deleted, and all again once it is restored", async () => {
    const host = await newKeyHost();
    const keys = [await host.make(), await host.make({ owner: "organization" })];
    expect((await service.call("DELETE", host.path, { token: host.owner.token })).status).toBe(204);
    for (const key of keys) expectProblem(await host.read(key), "unauthenticated");
    const restore = `/v1/users/me/deleted-organizations/${host.id}/restore`;
    expect((await service.call("POST", restore, { token: host.owner.token })).status).toBe(200);
    for (const key of keys) expect((await host.read(key)).status).toBe(200);
  });

  it("does not depend on the sessions of its person", async () => {
    const host = await newKeyHost();
    const key = await host.make();
    const { token } = await signInPerson(service, host.owner.email);
    expect((await service.call("DELETE", "/v1/auth/sessions", { token })).status).toBe(204);
    await makeStale(host.owner);
    expect((await host.read(key)).status).toBe(200);
  });
});
