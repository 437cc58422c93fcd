import { describe, expect, it } from "vitest";
import { addMember } from "./support/database.ts";
import { expectProblem } from "./support/problems.ts";
import { signUpPerson, openService } from "./support/service.ts";
import { newTeaming } from "./support/teaming.ts";

const service = openService();

describe("PUT /v1/organizations/{organizationId}/teams/{teamId}/members/{userId}", () => {
  it("lets a member in, and gives them another role when it comes again", async () => {
    const acme = await newTeaming({ grace: ["viewer"] });
    const id = await acme.teamOf();
    const { status, body } = await acme.put(acme.owner, id, acme.grace);
    expect([status, body]).toEqual([
      200,
      {
        userId: acme.grace.id,
        email: acme.grace.email,
        name: expect.any(String),
        role: "member",
        addedAt: expect.stringMatching(/Z$/),
      },
    ]);
    expect((await acme.listIn(acme.owner, id)).body.data).toEqual([body]);
    const again = await acme.put(acme.owner, id, acme.grace, "lead");
    expect([again.status, again.body]).toEqual([200, { ...body, role: "lead" }]);
  });

  it("is for those with teams:write and for its leads; a lead of another team, and a member of this one, fill nothing", async () => {
    const acme = await newTeaming({
      admin: ["admin"],
      lead: ["member"],
      other: ["member"],
      plain: ["member"],
      grace: ["member"],
    });
    const id = await acme.teamOf({ lead: [acme.lead], member: [acme.plain] });
    await acme.teamOf({ lead: [acme.other] });
    for (const who of [acme.admin, acme.lead]) {
      expect((await acme.put(who, id, acme.grace)).status).toBe(200);
      expect((await acme.take(who, id, acme.grace)).status).toBe(204);
    }
    for (const who of [acme.other, acme.plain, acme.grace]) {
      expectProblem(await acme.put(who, id, acme.grace, "lead"), "forbidden");
      expectProblem(await acme.take(who, id, acme.lead), "forbidden");
    }
    expect(await acme.rolesIn(id)).toEqual({ [acme.lead.id]: "lead", [acme.plain.id]: "member" });
  });

  it("is over for a lead who is made a plain member of the team, or may not read the members", async () => {
    const acme = await newTeaming({ lead: ["member"], viewing: ["member"], grace: ["member"] });
    const id = await acme.teamOf({ lead: [acme.lead, acme.viewing] });
    await acme.put(acme.owner, id, acme.lead, "member");
    await acme.setRoles(acme.owner, acme.viewing, ["viewer"]);
    for (const who of [acme.lead, acme.viewing]) expectProblem(await acme.put(who, id, acme.grace), "forbidden");
  });

  it("finds nobody who is no member of the organization", async () => {
    const [acme, theirs] = [await newTeaming({}), await newTeaming({ alan: ["member"] })];
    const id = await acme.teamOf();
    for (const who of [theirs.alan, await signUpPerson(service), { id: crypto.randomUUID() }])
      expectProblem(await acme.put(acme.owner, id, who), "not_found");
    expect(await acme.rolesIn(id)).toEqual({});
  });

  it.each([["owner"], ["Lead"], [""], [null], [["lead"]]])("refuses the role %j", async (role) => {
    const acme = await newTeaming({ grace: ["member"] });
    expectProblem(await acme.put(acme.owner, await acme.teamOf(), acme.grace, role), "invalid_request");
  });
});

describe("GET /v1/organizations/{organizationId}/teams/{teamId}/members", () => {
  it("lists them by their ids, by pages, to those with members:read", async () => {
    const acme = await newTeaming({ one: ["member"], two: ["admin"], three: ["viewer"], viewer: ["viewer"] });
    const inIt = [acme.one, acme.two, acme.three];
    const id = await acme.teamOf({ member: inIt });
    await acme.teamOf({ member: [acme.viewer] });
    const { body: first } = await acme.listIn(acme.one, id, "?limit=2");
    const { body: rest } = await acme.listIn(acme.one, id, `?limit=2&cursor=${first.nextCursor}`);
    expect([...first.data, ...rest.data].map(({ userId }) => userId)).toEqual(inIt.map((who) => who.id).toSorted());
    expect([first.data.length, rest.nextCursor]).toEqual([2, null]);
    expectProblem(await acme.listIn(acme.viewer, id), "forbidden");
  });
});

describe("DELETE /v1/organizations/{organizationId}/teams/{teamId}/members/{userId}", () => {
  it("takes somebody out, once, who stays in the organization and its other teams", async () => {
    const acme = await newTeaming({ grace: ["member"], alan: ["member"] });
    const [id, other] = [
      await acme.teamOf({ member: [acme.grace, acme.alan] }),
      await acme.teamOf({ lead: [acme.grace] }),
    ];
    expect((await acme.take(acme.owner, id, acme.grace)).status).toBe(204);
    expectProblem(await acme.take(acme.owner, id, acme.grace), "not_found");
    expect(await acme.rolesIn(id)).toEqual({ [acme.alan.id]: "member" });
    expect(await acme.rolesIn(other)).toEqual({ [acme.grace.id]: "lead" });
    expect((await acme.read(acme.owner, acme.grace)).status).toBe(200);
  });

  it("lets whoever is in it leave, whatever they may do", async () => {
    const acme = await newTeaming({ viewer: ["viewer"], grace: ["viewer"] });
    const id = await acme.teamOf({ member: [acme.viewer, acme.grace] });
    expectProblem(await acme.take(acme.viewer, id, acme.grace), "forbidden");
    expect((await acme.take(acme.viewer, id, acme.viewer)).status).toBe(204);
    expectProblem(await acme.take(acme.viewer, id, acme.viewer), "not_found");
    expect(await acme.rolesIn(id)).toEqual({ [acme.grace.id]: "member" });
  });
});

describe("Whoever is a member of the organization no more", () => {
  it.each<[string, (acme: Awaited<ReturnType<typeof newTeaming<"grace">>>) => Promise<{ status: number }>]>([
    ["is removed", (acme) => acme.remove(acme.owner, acme.grace)],
    ["leaves", (acme) => acme.leave(acme.grace)],
    ["deletes their account", (acme) => service.call("DELETE", "/v1/users/me", { token: acme.grace.token })],
  ])("is in none of its teams either: who %s", async (_, go) => {
    const acme = await newTeaming({ grace: ["member"] });
    const [one, two] = [await acme.teamOf({ lead: [acme.grace] }), await acme.teamOf({ member: [acme.grace] })];
    expect((await go(acme)).status).toBe(204);
    expect([await acme.rolesIn(one), await acme.rolesIn(two)]).toEqual([{}, {}]);
    expectProblem(await acme.put(acme.owner, one, acme.grace), "not_found");
  });

  it("comes back to none of them", async () => {
    const acme = await newTeaming({ grace: ["member"] });
    const id = await acme.teamOf({ lead: [acme.grace] });
    await acme.remove(acme.owner, acme.grace);
    await addMember(acme.id, acme.grace.id, "member");
    expect(await acme.rolesIn(id)).toEqual({});
    expectProblem(await acme.put(acme.grace, id, acme.grace, "lead"), "forbidden");
  });
});
