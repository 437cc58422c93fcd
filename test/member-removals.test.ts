import { describe, expect, it } from "vitest";
import { asOwner } from "./support/database.ts";
import { newTeam } from "./support/members.ts";
import { expectProblem } from "./support/problems.ts";
import { openService, signInPerson } from "./support/service.ts";

const service = openService();

const rolesOf = async (userId: string) => {
  const [rows = []] = await asOwner(["select role from membership_roles where user_id = $1", [userId]]);
  return rows;
};

describe("DELETE /v1/organizations/{organizationId}/members/{userId}", () => {
  it("takes a member out with all of their roles, in every session of theirs from the next request on", async () => {
    const team = await newTeam({ grace: ["admin", "viewer"] });
    const other = await signInPerson(service, team.grace.email);
    expect((await team.remove(team.owner, team.grace)).status).toBe(204);
    expect(await team.roles()).toEqual({ [team.owner.id]: ["owner"] });
    expect(await rolesOf(team.grace.id)).toEqual([]);
    for (const { token } of [team.grace, other]) {
      expectProblem(await service.call("GET", team.path, { token }), "not_found");
      expect((await service.call("GET", "/v1/organizations", { token })).body.data).toEqual([]);
    }
    expectProblem(await team.remove(team.owner, team.grace), "not_found");
  });

  it("lets an admin remove members and admins, and no owner", async () => {
    const team = await newTeam({ admin: ["admin"], second: ["admin"], member: ["member"] });
    expectProblem(await team.remove(team.admin, team.owner), "role_above_own");
    expect((await team.remove(team.admin, team.second)).status).toBe(204);
    expect((await team.remove(team.admin, team.member)).status).toBe(204);
    expect(await team.roles()).toEqual({ [team.owner.id]: ["owner"], [team.admin.id]: ["admin"] });
  });

  it("lets an owner remove another one, and not the last", async () => {
    const team = await newTeam({ second: ["owner"] });
    expect((await team.remove(team.owner, team.second)).status).toBe(204);
    expectProblem(await team.remove(team.owner, team.owner), "last_owner");
    expect(await team.roles()).toEqual({ [team.owner.id]: ["owner"] });
  });
});

describe("POST /v1/organizations/{organizationId}/leave", () => {
  it.each(["admin", "member", "viewer"])("is open to a %s", async (role) => {
    const team = await newTeam({ grace: [role] });
    expect((await team.leave(team.grace)).status).toBe(204);
    expect(await team.roles()).toEqual({ [team.owner.id]: ["owner"] });
    expectProblem(await team.leave(team.grace), "not_found");
  });

  it("is open to an owner where another one is, and not to the last", async () => {
    const team = await newTeam({ second: ["owner"], member: ["member"] });
    expect((await team.leave(team.owner)).status).toBe(204);
    expectProblem(await team.leave(team.second), "last_owner");
    expect(await team.roles()).toEqual({ [team.second.id]: ["owner"], [team.member.id]: ["member"] });
  });
});
