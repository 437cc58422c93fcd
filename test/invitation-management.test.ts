import { describe, expect, it } from "vitest";
import { signUpVerified } from "./support/accounts.ts";
import { addMember, asOwner } from "./support/database.ts";
import { accept, expireInvitation, lookUp, membersOf, newHost, signUpInvited } from "./support/invitations.ts";
import { lastMailTo, mailsTo, tokenOf } from "./support/mailbox.ts";
import { expectProblem } from "./support/problems.ts";
import { openService, signUpPerson } from "./support/service.ts";

const service = openService();

describe("GET /v1/organizations/{organizationId}/invitations", () => {
  it("lists them oldest first, by pages and by status, to those with invitations:read", async () => {
    const host = await newHost();
    const [accepted, revoked, expired, pending] = await Promise.all([
      host.inviteSomebody(),
      host.inviteSomebody(),
      host.inviteSomebody(),
      host.inviteSomebody(),
    ]);
    expect((await signUpInvited(accepted.token, accepted.email)).status).toBe(201);
    expect((await host.revoke(host.owner, revoked.id)).status).toBe(204);
    await expireInvitation(expired.id);
    const listed = async (query: string) =>
      (await host.list(host.owner, query)).body.data.map(({ id }: { id: string }) => id);
    const all = [accepted, revoked, expired, pending].map(({ id }) => id).toSorted();
    expect(await listed("")).toEqual(all);
    expect(await listed("?status=accepted")).toEqual([accepted.id]);
    expect(await listed("?status=revoked")).toEqual([revoked.id]);
    expect(await listed("?status=expired")).toEqual([expired.id]);
    expect(await listed("?status=pending")).toEqual([pending.id]);
    const first = (await host.list(host.owner, "?limit=3")).body;
    const rest = (await host.list(host.owner, `?limit=3&cursor=${first.nextCursor}`)).body;
    expect([...first.data, ...rest.data].map(({ id }) => id)).toEqual(all);
    expect(rest.nextCursor).toBeNull();
    const member = await signUpPerson(service);
    await addMember(host.id, member.id, "member");
    expectProblem(await host.list(member), "forbidden");
    expectProblem(await host.list(await signUpPerson(service)), "not_found");
    expectProblem(await host.list(host.owner, "?status=gone"), "invalid_request");
  });
});

describe("POST …/invitations/{invitationId}/resend", () => {
  it("mails a new token for 7 more days; the old one is dead, and the caller answers for it", async () => {
    const host = await newHost();
    const admin = await signUpVerified();
    await addMember(host.id, admin.id, "admin");
    const { id, email, token: old } = await host.inviteSomebody(["viewer"]);
    await expireInvitation(id);
    expectProblem(await lookUp(old), "invalid_token");
    const answer = await host.resend(admin, id);
    expect(answer.status).toBe(200);
    expect(answer.body).toMatchObject({ id, email, roles: ["viewer"], status: "pending", invitedBy: admin.id });
    const token = tokenOf(await lastMailTo(email));
    expect(token).not.toBe(old);
    expectProblem(await lookUp(old), "invalid_token");
    expectProblem(await signUpInvited(old, email), "invalid_token");
    expect((await signUpInvited(token, email)).status).toBe(201);
    expectProblem(await host.resend(admin, id), "invitation_ended");
  });

  it("is refused for roles above the caller's, roles that are gone, members, and nobody's id", async () => {
    const host = await newHost();
    const admin = await signUpVerified();
    await addMember(host.id, admin.id, "admin");
    const owner = await host.inviteSomebody(["owner"]);
    expectProblem(await host.resend(admin, owner.id), "role_above_own");
    expectProblem(await host.resend(admin, crypto.randomUUID()), "not_found");
    const other = await newHost();
    const { id: foreign } = await other.inviteSomebody();
    expectProblem(await host.resend(host.owner, foreign), "not_found");

    const { body: role } = await service.call("POST", `${host.path}/roles`, {
      token: host.owner.token,
      body: { key: "desk", name: "Desk", permissions: ["members:read"] },
    });
    const desk = await host.inviteSomebody(["desk"]);
    await expireInvitation(desk.id);
    const deleted = await service.call("DELETE", `${host.path}/roles/${role.id}`, { token: host.owner.token });
    expect(deleted.status).toBe(204);
    expectProblem(await host.resend(host.owner, desk.id), "unknown_role");

    const member = await signUpPerson(service);
    const { id } = await host.inviteSomebody(["member"], host.owner, member.email);
    await addMember(host.id, member.id, "viewer");
    expectProblem(await host.resend(host.owner, id), "already_member");
  });

  it("mails ten an hour to one address", async () => {
    const host = await newHost();
    const { id, email } = await host.inviteSomebody();
    for (let n = 0; n < 9; n++) expect((await host.resend(host.owner, id)).status).toBe(200);
    const refused = await host.resend(host.owner, id);
    expectProblem(refused, "rate_limited");
    expect(refused.headers.get("retry-after")).toBe("3600");
    expect(await mailsTo(email)).toHaveLength(10);
    expect((await lookUp(tokenOf(await lastMailTo(email)))).status).toBe(200);
  });
});

describe("DELETE …/invitations/{invitationId}", () => {
  it("kills the link, once", async () => {
    const host = await newHost();
    const { id, email, token } = await host.inviteSomebody();
    expect((await host.revoke(host.owner, id)).status).toBe(204);
    expectProblem(await lookUp(token), "invalid_token");
    expectProblem(await signUpInvited(token, email), "invalid_token");
    const grace = await signUpPerson(service);
    await asOwner(["update users set email = $2 where id = $1", [grace.id, email]]);
    expectProblem(await accept(grace, token), "invalid_token");
    expectProblem(await host.revoke(host.owner, id), "invitation_ended");
    expectProblem(await host.resend(host.owner, id), "invitation_ended");
    expect((await membersOf(host.id)).length).toBe(1);
    // It is not in the way of another one.
    expect(await host.invite(host.owner, email)).toMatchObject({ status: 201 });
  });

  it("is refused to whoever could not give its roles, to members, and to strangers", async () => {
    const host = await newHost();
    const [admin, member, stranger] = [await signUpVerified(), await signUpVerified(), await newHost()];
    await addMember(host.id, admin.id, "admin");
    await addMember(host.id, member.id, "member");
    const { id } = await host.inviteSomebody(["owner"]);
    expectProblem(await host.revoke(admin, id), "role_above_own");
    expectProblem(await host.revoke(member, id), "forbidden");
    expectProblem(await host.revoke(stranger.owner, id), "not_found");
    expectProblem(await stranger.revoke(stranger.owner, id), "not_found");
    expect((await host.list(host.owner, "?status=pending")).body.data).toHaveLength(1);
  });
});

describe("A role that people are invited with", () => {
  it("is not deleted without a replacement, which they are invited with then", async () => {
    const host = await newHost();
    const { body: role } = await service.call("POST", `${host.path}/roles`, {
      token: host.owner.token,
      body: { key: "desk", name: "Desk", permissions: ["members:read"] },
    });
    const { token } = await host.inviteSomebody(["desk", "viewer"]);
    const remove = (query = "") =>
      service.call("DELETE", `${host.path}/roles/${role.id}${query}`, { token: host.owner.token });
    expectProblem(await remove(), "role_in_use");
    expect((await remove("?replacement=member")).status).toBe(204);
    expect((await lookUp(token)).body.roles).toEqual(["member", "viewer"]);
  });
});
