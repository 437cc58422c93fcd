import { describe, expect, it } from "vitest";
import { grantablePermissions } from "../src/permissions.ts";
import { asOwner } from "./support/database.ts";
import { newDesk, newTeam } from "./support/members.ts";
import { expectProblem } from "./support/problems.ts";
import { openService, signUpPerson } from "./support/service.ts";

const service = openService();

const mayOf = ({ token }: { token: string }, organizationId: string) =>
  service.call("GET", `/v1/users/me/permissions?organizationId=${organizationId}`, { token });

describe("GET /v1/permissions", () => {
  it("lists what a role can be made of, and who has it already, to everybody", async () => {
    const { status, body } = await service.call("GET", "/v1/permissions");
    expect([status, body.data.map(({ name }: { name: string }) => name)]).toEqual([200, grantablePermissions]);
    expect(body.data).toContainEqual({
      name: "members:write",
      description: "Change and remove members",
      roles: ["owner", "admin"],
    });
  });
});

describe("GET /v1/users/me/permissions", () => {
  it("tells the permissions of all of the caller's roles together, as they are now", async () => {
    const team = await newDesk();
    await team.setRoles(team.owner, team.grace, ["desk", "viewer"]);
    expect((await mayOf(team.grace, team.id)).body).toEqual({
      roles: ["desk", "viewer"],
      permissions: ["members:read", "organization:read"],
    });
    await team.updateRole(team.owner, team.role.id, { permissions: ["sso:read"] });
    expect((await mayOf(team.grace, team.id)).body.permissions).toEqual(["organization:read", "sso:read"]);
    expect((await mayOf(team.owner, team.id)).body.permissions).toContain("organization:own");
  });

  it("knows no organization of others", async () => {
    const team = await newTeam({});
    const stranger = await signUpPerson(service);
    for (const id of [team.id, crypto.randomUUID()]) expectProblem(await mayOf(stranger, id), "not_found");
  });
});

describe("POST /v1/organizations/{organizationId}/roles", () => {
  it("makes a role, which can be given to members", async () => {
    const team = await newTeam({ grace: ["viewer"] });
    const { status, body } = await team.createRole(team.owner, "desk", ["organization:read", "members:read"], " Desk ");
    const role = {
      id: expect.stringMatching(/^[\da-f]{8}-[\da-f]{4}-7/),
      key: "desk",
      name: "Desk",
      permissions: ["members:read", "organization:read"],
      createdAt: expect.stringMatching(/Z$/),
      updatedAt: expect.stringMatching(/Z$/),
    };
    expect([status, body]).toEqual([201, role]);
    expect((await service.call("GET", `${team.path}/roles`, team.grace)).body).toEqual({
      data: [body],
      nextCursor: null,
    });
    expect((await service.call("GET", `${team.path}/roles/${body.id}`, team.grace)).body).toEqual(body);
    expect((await team.setRoles(team.owner, team.grace, ["desk"])).body.roles).toEqual(["desk"]);
    expect((await service.call("GET", `${team.path}/members`, team.grace)).status).toBe(200);
    expectProblem(await service.call("PATCH", team.path, { ...team.grace, body: { name: "x" } }), "forbidden");
  });

  it("gives nobody more than they have: an admin makes no role with an owner's permissions", async () => {
    const team = await newTeam({ admin: ["admin"], member: ["member"] });
    expectProblem(await team.createRole(team.admin, "more", ["organization:delete"]), "role_above_own");
    expectProblem(await team.createRole(team.member, "less", ["organization:read"]), "forbidden");
    expect((await team.createRole(team.admin, "same", ["members:write", "organization:read"])).status).toBe(201);
  });

  it.each<[string, string, unknown]>([
    ["an unknown permission", "desk", ["organization:read", "everything:do"]],
    ["what owners alone have", "desk", ["organization:read", "organization:own"]],
    ["no permission", "desk", []],
    ["one twice", "desk", ["organization:read", "organization:read"]],
    ["several in one text", "desk", ["organization:read,organization:delete"]],
    ["a key with a comma", "desk,owner", ["organization:read"]],
    ["a key with capitals", "Desk", ["organization:read"]],
  ])("refuses %s", async (_, key, has) => {
    const team = await newTeam({});
    expectProblem(await team.createRole(team.owner, key, has), "invalid_request");
    expect((await service.call("GET", `${team.path}/roles`, team.owner)).body.data).toEqual([]);
  });

  it("refuses the key of a built-in role, and of one that is there, in this organization", async () => {
    const [team, other] = [await newTeam({}), await newTeam({})];
    const has = ["organization:read"];
    for (const key of ["owner", "viewer"]) expectProblem(await team.createRole(team.owner, key, has), "role_taken");
    expect((await team.createRole(team.owner, "desk", has)).status).toBe(201);
    expectProblem(await team.createRole(team.owner, "desk", has), "role_taken");
    expect((await other.createRole(other.owner, "desk", has)).status).toBe(201);
  });

  it("refuses the 101st", async () => {
    const team = await newTeam({});
    await asOwner([
      `insert into roles (organization_id, id, key, name, permissions)
       select $1, gen_random_uuid(), 'role-' || n, 'Role', '{organization:read}' from generate_series(1, 99) n`,
      [team.id],
    ]);
    expect((await team.createRole(team.owner, "last", ["organization:read"])).status).toBe(201);
    expectProblem(await team.createRole(team.owner, "more", ["organization:read"]), "role_limit");
  });
});

describe("A role with all permissions that there are to give", () => {
  it("lets its member neither make owners, of themself or others, nor touch one", async () => {
    const team = await newTeam({ grace: ["viewer"], second: ["owner"] });
    expect((await team.createRole(team.owner, "all", grantablePermissions)).status).toBe(201);
    await team.setRoles(team.owner, team.grace, ["all"]);
    const before = await team.roles();
    expectProblem(await team.setRoles(team.grace, team.grace, ["all", "owner"]), "role_above_own");
    expectProblem(await team.setRoles(team.grace, team.second, ["viewer"]), "role_above_own");
    expectProblem(await team.remove(team.grace, team.second), "role_above_own");
    expect(await team.roles()).toEqual(before);
  });
});

describe("A role with whatever permission", () => {
  it("reads the organization too, and so can be left", async () => {
    const team = await newTeam({ grace: ["viewer"] });
    const { body } = await team.createRole(team.owner, "desk", ["members:read"]);
    expect(body.permissions).toEqual(["members:read", "organization:read"]);
    const { body: changed } = await team.updateRole(team.owner, body.id, { permissions: ["sso:read"] });
    expect(changed.permissions).toEqual(["organization:read", "sso:read"]);
    await team.setRoles(team.owner, team.grace, ["desk"]);
    expect((await team.leave(team.grace)).status).toBe(204);
  });
});

describe("A role of another organization", () => {
  it("cannot be read, changed, deleted or given, and is not told to be there", async () => {
    const [mine, theirs] = [await newDesk(), await newDesk()];
    await theirs.createRole(theirs.owner, "secret", ["organization:read"]);
    const { role } = theirs;
    expectProblem(await service.call("GET", `${mine.path}/roles/${role.id}`, mine.owner), "not_found");
    expectProblem(await mine.updateRole(mine.owner, role.id, { name: "Mine" }), "not_found");
    expectProblem(await mine.deleteRole(mine.owner, role.id, "viewer"), "not_found");
    expectProblem(await mine.setRoles(mine.owner, mine.grace, ["secret"]), "unknown_role");
    expectProblem(await theirs.updateRole(mine.owner, role.id, { name: "Mine" }), "not_found");
    expect((await service.call("GET", `${theirs.path}/roles/${role.id}`, theirs.owner)).body).toEqual(role);
  });

  it("cannot be written for a member here, not even by the owner of the tables", async () => {
    const [mine, theirs] = [await newTeam({}), await newTeam({})];
    await theirs.createRole(theirs.owner, "secret", ["organization:read"]);
    const give = "insert into membership_roles (organization_id, user_id, role) values ($1, $2, 'secret')";
    await expect(asOwner([give, [mine.id, mine.owner.id]])).rejects.toMatchObject({
      code: "23503",
      constraint: "membership_roles_custom_role_fkey",
    });
  });
});
