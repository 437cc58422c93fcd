import { describe, expect, it } from "vitest";
import { addMember, asOwner } from "./support/database.ts";
import { accept, expireInvitation, newHost, signUpInvited } from "./support/invitations.ts";
import { lastMailTo, tokenOf } from "./support/mailbox.ts";
import { expectProblem } from "./support/problems.ts";
import { newEmail, openService, type Person } from "./support/service.ts";
import { signUpVerified } from "./support/accounts.ts";

const service = openService();

type Caller = Pick<Person, "token">;

/** A host with teams, into which people can be invited. */
async function newTeamHost() {
  const host = await newHost();
  const call = (method: string, path: string, by: Caller, body?: unknown) =>
    service.call(method, `${host.path}/teams${path}`, { token: by.token, ...(body !== undefined && { body }) });
  return {
    ...host,
    async team(): Promise<string> {
      return (await call("POST", "", host.owner, { name: crypto.randomUUID() })).body.id;
    },
    put: (teamId: string, who: { id: string }, role: string) =>
      call("PUT", `/${teamId}/members/${who.id}`, host.owner, { role }),
    drop: (teamId: string) => call("DELETE", `/${teamId}`, host.owner),
    /** The one result of an invitation into these teams, and the token of its mail where it has one. */
    async inviteInto(teamIds: unknown, by: Caller = host.owner) {
      const email = newEmail();
      const { status, body } = await host.inviteAll(by, [{ email, roles: ["member"], teamIds }]);
      if (status !== 207) return { status, body, email, token: "" };
      const [result] = body.results;
      return { status, body: result, email, token: result.status === 201 ? tokenOf(await lastMailTo(email)) : "" };
    },
    /** A member with these roles. */
    async member(...roles: string[]): Promise<Person> {
      const person = await signUpVerified();
      await addMember(host.id, person.id, ...roles);
      return person;
    },
    async rolesIn(teamId: string): Promise<string[]> {
      const { body } = await call("GET", `/${teamId}/members`, host.owner);
      return body.data.map(({ email, role }: { email: string; role: string }) => `${email} ${role}`);
    },
  };
}

describe("An invitation into teams", () => {
  it("brings whoever accepts it into them, as a plain member of each", async () => {
    const host = await newTeamHost();
    const [one, two, none] = [await host.team(), await host.team(), await host.team()];
    const { body, email, token } = await host.inviteInto([one, two]);
    expect(body.invitation.teamIds).toEqual([one, two]);
    expect((await host.list(host.owner)).body.data[0].teamIds).toEqual([one, two]);
    expect((await signUpInvited(token, email)).status).toBe(201);
    for (const id of [one, two]) expect(await host.rolesIn(id)).toEqual([`${email} member`]);
    expect(await host.rolesIn(none)).toEqual([]);
  });

  it("is into none where it does not say so", async () => {
    const host = await newTeamHost();
    const id = await host.team();
    const { email, token } = await host.inviteSomebody();
    expect((await host.list(host.owner)).body.data[0].teamIds).toEqual([]);
    await signUpInvited(token, email);
    expect(await host.rolesIn(id)).toEqual([]);
  });

  it("into a team of another organization is refused as one into a team that nobody has, and is in the way of no other", async () => {
    const [host, other] = [await newTeamHost(), await newTeamHost()];
    const [own, foreign] = [await host.team(), await other.team()];
    for (const id of [foreign, crypto.randomUUID()])
      expect((await host.inviteInto([own, id])).body).toMatchObject({ status: 409, code: "unknown_team" });
    const { body } = await host.inviteAll(host.owner, [
      { email: newEmail(), roles: ["member"], teamIds: [foreign] },
      { email: newEmail(), roles: ["member"], teamIds: [own] },
    ]);
    expect(body.results.map(({ status }: { status: number }) => status)).toEqual([409, 201]);
  });

  it("into a team of another organization, had it been written, is into none of theirs when it is accepted", async () => {
    const [host, other] = [await newTeamHost(), await newTeamHost()];
    const [own, foreign] = [await host.team(), await other.team()];
    const { body, email, token } = await host.inviteInto([own]);
    await asOwner([
      "update invitations set team_ids = team_ids || $2::uuid where id = $1",
      [body.invitation.id, foreign],
    ]);
    expect((await signUpInvited(token, email)).status).toBe(201);
    expect([await host.rolesIn(own), await other.rolesIn(foreign)]).toEqual([[`${email} member`], []]);
  });

  it("takes whoever may fill them all: with invitations:write alone, those that one leads", async () => {
    const host = await newTeamHost();
    const [led, other] = [await host.team(), await host.team()];
    const roles = `${host.path}/roles`;
    const permissions = ["invitations:write", "members:read"];
    await service.call("POST", roles, { ...host.owner, body: { key: "desk", name: "Desk", permissions } });
    const desk = await host.member("desk", "member");
    await host.put(led, desk, "lead");
    await host.put(other, desk, "member");
    expect((await host.inviteInto([led], desk)).body.status).toBe(201);
    expect((await host.inviteInto([led, other], desk)).body).toMatchObject({ status: 403, code: "role_above_own" });
  });

  it("is into those that are there by then", async () => {
    const host = await newTeamHost();
    const [one, gone] = [await host.team(), await host.team()];
    const { email, token } = await host.inviteInto([one, gone]);
    await host.drop(gone);
    expect((await signUpInvited(token, email)).status).toBe(201);
    expect(await host.rolesIn(one)).toEqual([`${email} member`]);
  });

  it("is into those that are still its sender's to fill, and whoever sends it again is its sender", async () => {
    const host = await newTeamHost();
    const id = await host.team();
    const admin = await host.member("admin");
    const [first, second] = [await host.inviteInto([id], admin), await host.inviteInto([id], admin)];
    const permissions = ["invitations:write", "members:read"];
    await service.call("POST", `${host.path}/roles`, {
      ...host.owner,
      body: { key: "desk", name: "Desk", permissions },
    });
    await service.call("PATCH", `${host.path}/members/${admin.id}`, {
      ...host.owner,
      body: { roles: ["desk", "member"] },
    });
    expect((await signUpInvited(first.token, first.email)).status).toBe(201);
    expect(await host.rolesIn(id)).toEqual([]);
    await host.resend(host.owner, second.body.invitation.id);
    expect((await signUpInvited(tokenOf(await lastMailTo(second.email)), second.email)).status).toBe(201);
    expect(await host.rolesIn(id)).toEqual([`${second.email} member`]);
  });

  it("brings nobody in once it has expired, or for whom it is not", async () => {
    const host = await newTeamHost();
    const id = await host.team();
    const { body, email, token } = await host.inviteInto([id]);
    expectProblem(await accept(await signUpVerified(), token), "invitation_email_mismatch");
    await expireInvitation(body.invitation.id);
    expectProblem(await signUpInvited(token, email), "invalid_token");
    expect(await host.rolesIn(id)).toEqual([]);
  });

  it.each<[string, unknown]>([
    ["one twice", ["019ab0de-8f6c-7cc4-9e6f-6f2b7f0f1a0d", "019ab0de-8f6c-7cc4-9e6f-6f2b7f0f1a0d"]],
    ["no id", ["support"]],
    ["no list", "019ab0de-8f6c-7cc4-9e6f-6f2b7f0f1a0d"],
    ["more than 20", Array.from({ length: 21 }, () => crypto.randomUUID())],
  ])("refuses %s for the teams", async (_, teamIds) => {
    const { status, body } = await (await newTeamHost()).inviteInto(teamIds);
    expect([status, body.code]).toEqual([400, "invalid_request"]);
  });
});
