import { describe, expect, it } from "vitest";
import { disableUser, signUpVerified } from "./support/accounts.ts";
import { addMember, asOwner } from "./support/database.ts";
import { accept, answerMine, listMine, lookUp, newHost, signUpInvited } from "./support/invitations.ts";
import { expectProblem } from "./support/problems.ts";
import { openService, signUpPerson } from "./support/service.ts";

const service = openService();

type Host = Awaited<ReturnType<typeof newHost>>;

const setRoles = (host: Host, userId: string, roles: string[]) =>
  service.call("PATCH", `${host.path}/members/${userId}`, { token: host.owner.token, body: { roles } });

describe("An invitation by somebody", () => {
  it("who was removed, has stepped down, or has left is void; another one sends it anew, and it is good", async () => {
    const host = await newHost();
    const [removed, demoted, left] = [await signUpVerified(), await signUpVerified(), await signUpVerified()];
    for (const { id } of [removed, demoted, left]) await addMember(host.id, id, "admin");
    const invitations = [];
    for (const by of [removed, demoted, left]) invitations.push(await host.inviteSomebody(["member"], by));
    await service.call("DELETE", `${host.path}/members/${removed.id}`, { token: host.owner.token });
    expect((await setRoles(host, demoted.id, ["member"])).status).toBe(200);
    expect((await service.call("POST", `${host.path}/leave`, { token: left.token })).status).toBe(204);
    for (const { token, email, id } of invitations) {
      expectProblem(await lookUp(token), "invalid_token");
      expectProblem(await signUpInvited(token, email), "invalid_token");
      const grace = await signUpPerson(service);
      await asOwner(["update users set email = $2, email_verified_at = now() where id = $1", [grace.id, email]]);
      expectProblem(await accept(grace, token), "invalid_token");
      expect((await listMine(grace)).body.data).toEqual([]);
      expectProblem(await answerMine(grace, id, "accept"), "not_found");
      expect((await host.resend(host.owner, id)).status).toBe(200);
      expect((await answerMine(grace, id, "accept")).status).toBe(201);
    }
  });

  it("who may not give its roles any more, since the role has grown, is void until it shrinks", async () => {
    const host = await newHost();
    const admin = await signUpVerified();
    await addMember(host.id, admin.id, "admin");
    const at = `${host.path}/roles`;
    const { body: role } = await service.call("POST", at, {
      token: host.owner.token,
      body: { key: "desk", name: "Desk", permissions: ["members:read"] },
    });
    const { token, email } = await host.inviteSomebody(["desk"], admin);
    const setPermissions = (permissions: string[]) =>
      service.call("PATCH", `${at}/${role.id}`, { token: host.owner.token, body: { permissions } });
    expect((await setPermissions(["organization:delete"])).status).toBe(200);
    expectProblem(await signUpInvited(token, email), "invalid_token");
    expect((await setPermissions(["organization:read"])).status).toBe(200);
    expect((await signUpInvited(token, email)).status).toBe(201);
  });

  it("who is disabled is void", async () => {
    const host = await newHost();
    const { token, email } = await host.inviteSomebody();
    await disableUser(host.owner.id);
    expectProblem(await lookUp(token), "invalid_token");
    expectProblem(await signUpInvited(token, email), "invalid_token");
  });

  it("whose account is gone is void", async () => {
    const host = await newHost();
    const admin = await signUpVerified();
    await addMember(host.id, admin.id, "admin");
    const { token } = await host.inviteSomebody(["member"], admin);
    expect((await service.call("DELETE", "/v1/users/me", { token: admin.token })).status).toBe(204);
    expectProblem(await lookUp(token), "invalid_token");
    expect((await host.list(host.owner)).body.data).toMatchObject([{ invitedBy: null, status: "pending" }]);
  });
});
