import { describe, expect, it } from "vitest";
import { signUpVerified } from "../support/accounts.ts";
import { asOwner } from "../support/database.ts";
import { answerMine, newHost } from "../support/invitations.ts";
import { openService } from "../support/service.ts";
import { newTeaming } from "../support/teaming.ts";
import { atOnce, crowd, expectTally, tally, tenRounds } from "./at-once.ts";

const service = openService();

const rolesStored = async (teamId: string) => {
  const [rows = []] = await asOwner(["select user_id, role from team_memberships where team_id = $1", [teamId]]);
  return rows.map((row) => [row["user_id"], row["role"]]);
};

describe("50 at once", tenRounds, () => {
  it("make a team of one name: one is made", async () => {
    const acme = await newTeaming({});
    const answers = await atOnce((i) => acme.create(i % 2 === 0 ? "Support" : "support"));
    expectTally(answers, { 201: 1, "409 team_name_taken": crowd - 1 });
    expect((await acme.listTeams(acme.owner)).body.data).toEqual([answers.find(({ status }) => status === 201)?.body]);
  });

  it("make the last teams that there can be: no more are", async () => {
    const acme = await newTeaming({});
    await asOwner([
      "insert into teams (organization_id, id, name) select $1, gen_random_uuid(), 'Team ' || n from generate_series(1, 997) n",
      [acme.id],
    ]);
    expectTally(await atOnce((i) => acme.create(`Last ${i}`)), { 201: 3, "409 team_limit": crowd - 3 });
  });

  it("let one person into a team: they are in it once", async () => {
    const acme = await newTeaming({ grace: ["member"] });
    const id = await acme.teamOf();
    const answers = await atOnce((i) => acme.put(acme.owner, id, acme.grace, i % 2 === 0 ? "lead" : "member"));
    expectTally(answers, { 200: crowd });
    expect(await rolesStored(id)).toEqual([[acme.grace.id, expect.stringMatching(/^(lead|member)$/)]]);
  });

  it("let somebody in while they are taken out of the organization: they are in none of its teams", async () => {
    const acme = await newTeaming({ grace: ["member"] });
    const id = await acme.teamOf();
    const answers = await atOnce((i) =>
      i === 25 ? acme.remove(acme.owner, acme.grace) : acme.put(acme.owner, id, acme.grace),
    );
    expect(answers[25]?.status).toBe(204);
    const { 200: _, ...others } = tally(answers.filter((__, i) => i !== 25));
    expect(Object.keys(others).filter((outcome) => outcome !== "404 not_found")).toEqual([]);
    expect(await rolesStored(id)).toEqual([]);
  });

  it("let somebody in while the team is deleted: before it, or not at all", async () => {
    const acme = await newTeaming({ grace: ["member"] });
    const id = await acme.teamOf();
    const answers = await atOnce((i) => (i === 25 ? acme.drop(acme.owner, id) : acme.put(acme.owner, id, acme.grace)));
    expect(answers[25]?.status).toBe(204);
    const { 200: _, ...others } = tally(answers.filter((__, i) => i !== 25));
    expect(Object.keys(others).filter((outcome) => outcome !== "404 not_found")).toEqual([]);
    expect(await rolesStored(id)).toEqual([]);
  });

  it("are let in by a lead who is made a plain member: nobody after it", async () => {
    const acme = await newTeaming({ lead: ["member"], grace: ["member"] });
    const id = await acme.teamOf({ lead: [acme.lead] });
    const answers = await atOnce((i) =>
      i === 25 ? acme.put(acme.owner, id, acme.lead, "member") : acme.put(acme.lead, id, acme.grace),
    );
    expect(answers[25]?.status).toBe(200);
    const { 200: _, ...others } = tally(answers.filter((__, i) => i !== 25));
    expect(Object.keys(others).filter((outcome) => outcome !== "403 forbidden")).toEqual([]);
    expect((await acme.put(acme.lead, id, acme.grace)).status).toBe(403);
  });

  it("accept invitations into a team while it is deleted: all are members, and none is in it", async () => {
    const host = await newHost();
    const { token } = host.owner;
    const teams = `${host.path}/teams`;
    const { body: team } = await service.call("POST", teams, { token, body: { name: "Support" } });
    const people = await atOnce(() => signUpVerified(), crowd - 1);
    const asked = people.map(({ email }) => ({ email, roles: ["member"], teamIds: [team.id] }));
    const { body } = await host.inviteAll(host.owner, asked);
    const ids: string[] = body.results.map(({ invitation }: { invitation: { id: string } }) => invitation.id);
    const answers = await atOnce((i) => {
      if (i === 10) return service.call("DELETE", `${teams}/${team.id}`, { token });
      const n = i > 10 ? i - 1 : i;
      return answerMine(people[n] ?? expect.fail("nobody"), ids[n] ?? "", "accept");
    });
    expectTally(answers, { 201: crowd - 1, 204: 1 });
    expect(await rolesStored(team.id)).toEqual([]);
  });
});
