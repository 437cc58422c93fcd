import { describe, expect, it } from "vitest";
import { asOwner } from "./support/database.ts";
import { expectProblem } from "./support/problems.ts";
import { openService } from "./support/service.ts";
import { newTeaming } from "./support/teaming.ts";

const instant = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);

describe("POST /v1/organizations/{organizationId}/teams", () => {
  it("makes a team, in which nobody is, and which every member can read", async () => {
    const acme = await newTeaming({ viewer: ["viewer"] });
    const { status, body } = await acme.create("  Support ");
    expect([status, body]).toEqual([
      201,
      {
        id: expect.stringMatching(/^[\da-f]{8}-[\da-f]{4}-7/),
        name: "Support",
        createdAt: instant,
        updatedAt: instant,
      },
    ]);
    expect((await acme.readTeam(acme.viewer, body.id)).body).toEqual(body);
    expect((await acme.listIn(acme.owner, body.id)).body).toEqual({ data: [], nextCursor: null });
  });

  it("is for those with teams:write: owners, admins, and whom a role gives it", async () => {
    const acme = await newTeaming({ admin: ["admin"], member: ["member"], viewer: ["viewer"], desk: ["viewer"] });
    await acme.createRole(acme.owner, "desk", ["teams:write"]);
    await acme.setRoles(acme.owner, acme.desk, ["desk"]);
    for (const who of [acme.owner, acme.admin, acme.desk])
      expect((await acme.create(crypto.randomUUID(), who)).status).toBe(201);
    for (const who of [acme.member, acme.viewer]) expectProblem(await acme.create("Mine", who), "forbidden");
  });

  it("refuses a name that a team here has, in whatever case, and no other's", async () => {
    const [acme, other] = [await newTeaming({}), await newTeaming({})];
    expect((await acme.create("Support")).status).toBe(201);
    expectProblem(await acme.create("SUPPORT"), "team_name_taken");
    expect((await other.create("Support")).status).toBe(201);
  });

  it.each([[""], ["   "], ["x".repeat(101)], [7], [null]])("refuses the name %j", async (name) => {
    const acme = await newTeaming({});
    expectProblem(await acme.create(name as string), "invalid_request");
  });

  it("refuses the 1,001st", async () => {
    const acme = await newTeaming({});
    await asOwner([
      "insert into teams (organization_id, id, name) select $1, gen_random_uuid(), 'Team ' || n from generate_series(1, 999) n",
      [acme.id],
    ]);
    expect((await acme.create("The last")).status).toBe(201);
    expectProblem(await acme.create("One more"), "team_limit");
  });
});

describe("GET /v1/organizations/{organizationId}/teams", () => {
  it("lists the oldest first, by pages", async () => {
    const acme = await newTeaming({ viewer: ["viewer"] });
    const ids: string[] = [];
    for (let n = 0; n < 3; n++) ids.push(await acme.teamOf());
    const { body: first } = await acme.listTeams(acme.viewer, "?limit=2");
    const { body: rest } = await acme.listTeams(acme.viewer, `?limit=2&cursor=${first.nextCursor}`);
    expect([...first.data, ...rest.data].map(({ id }) => id)).toEqual(ids);
    expect([first.data.length, rest.nextCursor]).toEqual([2, null]);
  });

  it("lists those that a member is in; a viewer's question about others finds none", async () => {
    const acme = await newTeaming({ grace: ["member"], viewer: ["viewer"] });
    const [one, , both] = [
      await acme.teamOf({ member: [acme.grace] }),
      await acme.teamOf(),
      await acme.teamOf({ lead: [acme.grace], member: [acme.viewer] }),
    ];
    const idsOf = async (by: { token: string }, who: { id: string }) =>
      (await acme.listTeams(by, `?userId=${who.id}`)).body.data.map(({ id }: { id: string }) => id);
    expect(await idsOf(acme.owner, acme.grace)).toEqual([one, both]);
    expect(await idsOf(acme.viewer, acme.viewer)).toEqual([both]);
    expect(await idsOf(acme.viewer, acme.grace)).toEqual([]);
    expect(await idsOf(acme.owner, { id: crypto.randomUUID() })).toEqual([]);
    const { body } = await acme.listTeams(acme.owner, `?userId=${acme.grace.id}&limit=1`);
    const { body: next } = await acme.listTeams(acme.owner, `?userId=${acme.grace.id}&cursor=${body.nextCursor}`);
    expect([body.data[0].id, next.data[0].id, next.nextCursor]).toEqual([one, both, null]);
  });
});

describe("PATCH /v1/organizations/{organizationId}/teams/{teamId}", () => {
  it("renames it, also to its own name in another case", async () => {
    const acme = await newTeaming({ admin: ["admin"], lead: ["member"] });
    const id = await acme.teamOf({ lead: [acme.lead] }, "support");
    const { status, body } = await acme.rename(acme.admin, id, "Support");
    expect([status, body.name]).toEqual([200, "Support"]);
    expect(body.updatedAt >= body.createdAt).toBe(true);
    expectProblem(await acme.rename(acme.lead, id, "Mine"), "forbidden");
    await acme.create("Sales");
    expectProblem(await acme.rename(acme.admin, id, "sales"), "team_name_taken");
    expect((await acme.readTeam(acme.lead, id)).body).toEqual(body);
  });
});

describe("DELETE /v1/organizations/{organizationId}/teams/{teamId}", () => {
  it("takes the team away, and nobody out of the organization", async () => {
    const acme = await newTeaming({ admin: ["admin"], lead: ["member"] });
    const id = await acme.teamOf({ lead: [acme.lead], member: [acme.admin] });
    const before = await acme.roles();
    expectProblem(await acme.drop(acme.lead, id), "forbidden");
    expect((await acme.drop(acme.admin, id)).status).toBe(204);
    for (const answer of [
      await acme.drop(acme.admin, id),
      await acme.readTeam(acme.owner, id),
      await acme.listIn(acme.owner, id),
      await acme.rename(acme.owner, id, "Again"),
      await acme.put(acme.owner, id, acme.lead),
      await acme.take(acme.lead, id, acme.lead),
    ])
      expectProblem(answer, "not_found");
    expect(await acme.roles()).toEqual(before);
    expect(await asOwner(["select from team_memberships where team_id = $1", [id]])).toEqual([[]]);
  });
});

describe("A team of another organization", () => {
  it("cannot be read, changed, filled or deleted, and is not told to be there", async () => {
    const [mine, theirs] = [await newTeaming({ grace: ["member"] }), await newTeaming({ alan: ["member"] })];
    const foreign = await theirs.teamOf({ lead: [theirs.alan] });
    for (const id of [foreign, crypto.randomUUID()]) {
      for (const answer of [
        await mine.readTeam(mine.owner, id),
        await mine.rename(mine.owner, id, "Mine"),
        await mine.drop(mine.owner, id),
        await mine.listIn(mine.owner, id),
        await mine.put(mine.owner, id, mine.grace),
        await mine.take(mine.owner, id, theirs.alan),
        await theirs.readTeam(mine.owner, id),
      ])
        expectProblem(answer, "not_found");
    }
    expect((await mine.listTeams(mine.owner)).body.data).toEqual([]);
    expect(await theirs.rolesIn(foreign)).toEqual({ [theirs.alan.id]: "lead" });
  });

  it("cannot be written for a member here, not even by the owner of the tables", async () => {
    const [mine, theirs] = [await newTeaming({ grace: ["member"] }), await newTeaming({ alan: ["member"] })];
    const [own, foreign] = [await mine.teamOf(), await theirs.teamOf()];
    for (const [teamId, who] of [
      [foreign, mine.grace],
      [own, theirs.alan],
    ] as const) {
      await expect(
        asOwner([
          "insert into team_memberships (organization_id, team_id, user_id, role) values ($1, $2, $3, 'member')",
          [mine.id, teamId, who.id],
        ]),
      ).rejects.toMatchObject({ code: "23503" });
    }
  });
});

describe("Each operation on teams", () => {
  it("is one request to the database", async () => {
    const acme = await newTeaming({ grace: ["member"] });
    const id = await acme.teamOf({ member: [acme.grace] });
    const { token } = acme.owner;
    for (const [method, path, body] of [
      ["POST", "", { name: "Another" }],
      ["GET", `?userId=${acme.grace.id}`],
      ["PATCH", `/${id}`, { name: "Renamed" }],
      ["GET", `/${id}/members`],
      ["PUT", `/${id}/members/${acme.grace.id}`, { role: "lead" }],
      ["DELETE", `/${id}/members/${acme.grace.id}`],
      ["DELETE", `/${id}`],
    ] as const) {
      const own = openService();
      const { status } = await own.call(method, `${acme.teamsPath}${path}`, { token, ...(body && { body }) });
      expect([method, status < 300, (await own.databaseRequests()).length]).toEqual([method, true, 1]);
    }
  });
});
