import { describe, expect, it } from "vitest";
import { addMember, asOwner } from "./support/database.ts";
import { newTeam } from "./support/members.ts";
import { expectProblem } from "./support/problems.ts";
import { createOrganization, openService, signUpPerson } from "./support/service.ts";

const service = openService();

describe("GET /v1/organizations/{organizationId}/members/{userId}", () => {
  it("answers who it is, with all of their roles, and how and when they joined", async () => {
    const team = await newTeam({ grace: ["viewer", "admin"] });
    const { status, body } = await team.read(team.owner, team.grace);
    expect([status, body]).toEqual([
      200,
      {
        userId: team.grace.id,
        email: team.grace.email,
        name: "Ada Lovelace",
        roles: ["admin", "viewer"],
        joinedBy: "sso",
        invitedBy: null,
        joinedAt: expect.stringMatching(/^\d{4}-.*Z$/),
      },
    ]);
  });

  it("does not tell whether somebody who is no member exists", async () => {
    const team = await newTeam({});
    const stranger = await signUpPerson(service);
    for (const who of [stranger, { id: crypto.randomUUID() }]) {
      expectProblem(await team.read(team.owner, who), "not_found");
    }
  });

  it("is closed to a viewer, even about themself", async () => {
    const team = await newTeam({ viewer: ["viewer"] });
    expectProblem(await team.read(team.viewer, team.viewer), "forbidden");
  });
});

describe("Several roles of one member", () => {
  it("give the permissions of each", async () => {
    const team = await newTeam({ grace: ["viewer"] });
    const list = () => service.call("GET", `${team.path}/members`, team.grace);
    expectProblem(await list(), "forbidden");
    expect((await team.setRoles(team.owner, team.grace, ["viewer", "member"])).body.roles).toEqual([
      "member",
      "viewer",
    ]);
    expect((await list()).status).toBe(200);
    expectProblem(await service.call("PATCH", team.path, { ...team.grace, body: { name: "Renamed" } }), "forbidden");
    await team.setRoles(team.owner, team.grace, ["admin", "viewer"]);
    expect((await service.call("PATCH", team.path, { ...team.grace, body: { name: "Renamed" } })).status).toBe(200);
  });

  it("stand in each organization of the list, and in the organization itself", async () => {
    const team = await newTeam({ grace: ["member", "viewer"] });
    const own = await createOrganization(service, team.grace);
    const { body } = await service.call("GET", "/v1/organizations", team.grace);
    expect(body.data).toMatchObject([
      { id: team.id, roles: ["member", "viewer"] },
      { id: own.id, roles: ["owner"] },
    ]);
    expect((await service.call("GET", team.path, team.grace)).body.roles).toEqual(["member", "viewer"]);
  });
});

describe("PATCH /v1/organizations/{organizationId}/members/{userId}", () => {
  it("puts these roles in place of those before, from the next request on", async () => {
    const team = await newTeam({ admin: ["admin"] });
    expect((await service.call("GET", `${team.path}/members`, team.admin)).status).toBe(200);
    const { status, body } = await team.setRoles(team.owner, team.admin, ["viewer"]);
    expect([status, body.userId, body.roles]).toEqual([200, team.admin.id, ["viewer"]]);
    expect(await team.roles()).toMatchObject({ [team.admin.id]: ["viewer"] });
    expectProblem(await service.call("GET", `${team.path}/members`, team.admin), "forbidden");
  });

  it("lets an owner step down where another one is, and not as the last", async () => {
    const team = await newTeam({ second: ["owner"] });
    expect((await team.setRoles(team.owner, team.owner, ["admin"])).status).toBe(200);
    expectProblem(await team.setRoles(team.second, team.second, ["admin"]), "last_owner");
    expect(await team.roles()).toEqual({ [team.owner.id]: ["admin"], [team.second.id]: ["owner"] });
  });

  it("lets an admin neither make an owner, of themself or others, nor change one", async () => {
    const team = await newTeam({ admin: ["admin"], member: ["member"], second: ["owner", "viewer"] });
    const before = await team.roles();
    expectProblem(await team.setRoles(team.admin, team.admin, ["owner"]), "role_above_own");
    expectProblem(await team.setRoles(team.admin, team.member, ["member", "owner"]), "role_above_own");
    expectProblem(await team.setRoles(team.admin, team.second, ["viewer"]), "role_above_own");
    expect(await team.roles()).toEqual(before);
    expect((await team.setRoles(team.admin, team.member, ["admin"])).status).toBe(200);
  });

  it.each<[string, unknown]>([
    ["none at all", []],
    ["two in one text", ["admin,owner"]],
    ["a text in place of a list", "admin"],
    ["one twice", ["admin", "admin"]],
    ["one with a space", ["admin "]],
    ["nothing", [null]],
  ])("refuses %s, and changes nothing", async (_, roles) => {
    const team = await newTeam({ member: ["member"] });
    const before = await team.roles();
    expectProblem(await team.setRoles(team.owner, team.member, roles), "invalid_request");
    expect(await team.roles()).toEqual(before);
  });

  it("refuses a role that the organization does not have, be it beside others, and changes nothing", async () => {
    const team = await newTeam({ member: ["member"] });
    const before = await team.roles();
    for (const roles of [["root"], ["member", "root"]])
      expectProblem(await team.setRoles(team.owner, team.member, roles), "unknown_role");
    expect(await team.roles()).toEqual(before);
  });

  it("knows nobody of another organization, not even its own caller there", async () => {
    const [mine, theirs] = [await newTeam({ member: ["member"] }), await newTeam({ member: ["member"] })];
    await addMember(theirs.id, mine.owner.id, "member");
    const before = await theirs.roles();
    expectProblem(await mine.setRoles(mine.owner, theirs.member, ["admin"]), "not_found");
    expectProblem(await mine.remove(mine.owner, theirs.member), "not_found");
    expectProblem(await theirs.setRoles(mine.owner, theirs.member, ["admin"]), "forbidden");
    expectProblem(await theirs.setRoles(mine.member, theirs.member, ["admin"]), "not_found");
    expect(await theirs.roles()).toEqual(before);
  });

  it("is closed to members and viewers", async () => {
    const team = await newTeam({ member: ["member"], viewer: ["viewer"] });
    for (const who of [team.member, team.viewer]) {
      expectProblem(await team.setRoles(who, who, ["viewer"]), "forbidden");
      expectProblem(await team.remove(who, team.owner), "forbidden");
    }
  });

  it("costs one database request", async () => {
    const team = await newTeam({ member: ["member"] });
    await service.databaseRequests();
    const options = { token: team.owner.token, body: { roles: ["admin"] } };
    expect((await service.call("PATCH", `${team.path}/members/${team.member.id}`, options)).status).toBe(200);
    expect(await service.databaseRequests()).toHaveLength(1);
  });
});

describe("An organization", () => {
  it("has one membership of a person, whoever writes it", async () => {
    const team = await newTeam({ member: ["member"] });
    const again = "insert into memberships (organization_id, user_id, joined_by) values ($1, $2, 'sso')";
    await expect(asOwner([again, [team.id, team.member.id]])).rejects.toMatchObject({ code: "23505" });
  });

  it("has roles of its own members alone, whoever writes them", async () => {
    const [mine, theirs] = [await newTeam({}), await newTeam({})];
    const give = "insert into membership_roles (organization_id, user_id, role) values ($1, $2, 'owner')";
    await expect(asOwner([give, [mine.id, theirs.owner.id]])).rejects.toMatchObject({
      code: "23503",
      constraint: "membership_roles_membership_fkey",
    });
  });
});
