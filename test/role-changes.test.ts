import { describe, expect, it } from "vitest";
import { ageDeletion, organizationExists, purge } from "./support/deletions.ts";
import { newDesk } from "./support/members.ts";
import { expectProblem } from "./support/problems.ts";
import { openService } from "./support/service.ts";

const service = openService();

describe("PATCH /v1/organizations/{organizationId}/roles/{roleId}", () => {
  it("changes what all who have it may do, from their next request on", async () => {
    const team = await newDesk();
    const list = () => service.call("GET", `${team.path}/members`, team.grace);
    expect((await list()).status).toBe(200);
    const { body } = await team.updateRole(team.owner, team.role.id, { permissions: ["organization:read"] });
    expect(body).toEqual({ ...team.role, permissions: ["organization:read"], updatedAt: expect.any(String) });
    expect(body.updatedAt > team.role.updatedAt).toBe(true);
    expectProblem(await list(), "forbidden");
  });

  it("changes the name alone, and leaves the key", async () => {
    const team = await newDesk();
    const { body } = await team.updateRole(team.admin, team.role.id, { name: "Front desk" });
    expect(body).toMatchObject({ ...team.role, name: "Front desk", updatedAt: expect.any(String) });
    expectProblem(await team.updateRole(team.owner, team.role.id, { key: "other" }), "invalid_request");
    expectProblem(await team.updateRole(team.owner, team.role.id, {}), "invalid_request");
  });

  it("lets nobody change a role that may do more than they, or into one", async () => {
    const team = await newDesk();
    const { body: above } = await team.createRole(team.owner, "above", ["organization:delete"]);
    expectProblem(await team.updateRole(team.admin, above.id, { name: "Mine" }), "role_above_own");
    expectProblem(
      await team.updateRole(team.admin, above.id, { permissions: ["organization:read"] }),
      "role_above_own",
    );
    expectProblem(await team.updateRole(team.admin, team.role.id, { permissions: ["sso:write"] }), "role_above_own");
    expectProblem(await team.deleteRole(team.admin, above.id), "role_above_own");
    expectProblem(await team.setRoles(team.admin, team.admin, ["admin", "above"]), "role_above_own");
    expect((await service.call("GET", `${team.path}/roles`, team.owner)).body.data).toEqual([team.role, above]);
  });
});

describe("DELETE /v1/organizations/{organizationId}/roles/{roleId}", () => {
  it("deletes a role that nobody has", async () => {
    const team = await newDesk();
    await team.setRoles(team.owner, team.grace, ["viewer"]);
    expect((await team.deleteRole(team.admin, team.role.id)).status).toBe(204);
    expectProblem(await team.deleteRole(team.admin, team.role.id), "not_found");
    expectProblem(await team.setRoles(team.owner, team.grace, ["desk"]), "unknown_role");
  });

  it("refuses one that a member has, be it beside others, and changes nothing", async () => {
    const team = await newDesk();
    await team.setRoles(team.owner, team.grace, ["desk", "viewer"]);
    const before = await team.roles();
    expectProblem(await team.deleteRole(team.owner, team.role.id), "role_in_use");
    expect(await team.roles()).toEqual(before);
  });

  it.each(["member", "other"])("gives its members the replacement instead: %s", async (replacement) => {
    const team = await newDesk();
    await team.createRole(team.owner, "other", ["organization:read"]);
    await team.setRoles(team.owner, team.admin, ["admin", "desk", replacement]);
    expect((await team.deleteRole(team.owner, team.role.id, replacement)).status).toBe(204);
    expect(await team.roles()).toEqual({
      [team.owner.id]: ["owner"],
      [team.admin.id]: ["admin", replacement],
      [team.grace.id]: [replacement],
    });
  });

  it("takes no replacement that is unknown, the role itself, or above the caller", async () => {
    const team = await newDesk();
    const before = await team.roles();
    for (const replacement of ["nobody", "desk"])
      expectProblem(await team.deleteRole(team.owner, team.role.id, replacement), "unknown_role");
    expectProblem(await team.deleteRole(team.admin, team.role.id, "owner"), "role_above_own");
    expectProblem(await team.deleteRole(team.owner, team.role.id, "owner,viewer"), "invalid_request");
    expect(await team.roles()).toEqual(before);
  });
});

describe("An organization with roles of its own", () => {
  it("is purged with them and with the members who have them", async () => {
    const team = await newDesk();
    const before = await team.roles();
    expect((await service.call("DELETE", team.path, team.owner)).status).toBe(204);
    expect(await team.roles()).toEqual(before);
    await ageDeletion(team.id, 30);
    await purge();
    expect(await team.roles()).toEqual({});
    expect(await organizationExists(team.id)).toBe(false);
  });
});
