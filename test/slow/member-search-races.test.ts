import { describe, expect, it } from "vitest";
import { addMember, asOwner } from "../support/database.ts";
import { teamOf } from "../support/members.ts";
import { openService, signUpPerson } from "../support/service.ts";
import { atOnce, expectTally, tenRounds } from "./at-once.ts";

const service = openService();

/** By what somebody is found in an organization, and what it should be. */
async function termsOf(organizationId: string, userId: string) {
  const [, [row] = []] = await asOwner(
    ["set local role app_definer"],
    [
      `select (select array_agg(convert_from(term, 'UTF8') order by term) from member_terms where organization_id = $1 and user_id = $2) as found,
            (select array_agg(convert_from(term, 'UTF8') order by term)
               from memberships m join users u on u.id = m.user_id, app_private.terms_of(u.email, u.name) term
              where m.organization_id = $1 and m.user_id = $2) as made`,
      [organizationId, userId],
    ],
  );
  return [row?.["found"], row?.["made"]];
}

describe("50 at once", tenRounds, () => {
  it("rename somebody while they join ten organizations: each finds them by the last name", async () => {
    const person = await signUpPerson(service);
    const owners = await atOnce(() => signUpPerson(service), 10);
    const teams = await Promise.all(owners.map(teamOf));
    const answers = await atOnce(async (i) => {
      if (i % 5 === 0) {
        await addMember(teams[i / 5]?.id as string, person.id, "viewer");
        return { status: 200, body: null, headers: new Headers() };
      }
      return service.call("PATCH", "/v1/users/me", { token: person.token, body: { name: `Name ${i}` } });
    });
    expectTally(answers, { 200: 50 });
    for (const { id } of teams) {
      const [found, made] = await termsOf(id, person.id);
      expect(found).toEqual(made);
      expect(found).toHaveLength(4);
    }
  });

  it("rename somebody while they are removed from two organizations: they are out of both, and found in neither", async () => {
    const person = await signUpPerson(service);
    const teams = [await teamOf(await signUpPerson(service)), await teamOf(await signUpPerson(service))];
    for (const { id } of teams) await addMember(id, person.id, "viewer");
    const answers = await atOnce((i) => {
      const team = teams[[20, 30].indexOf(i)];
      if (team) return team.remove(team.owner, person);
      return service.call("PATCH", "/v1/users/me", { token: person.token, body: { name: `Name ${i}` } });
    });
    expectTally(answers, { 200: 48, 204: 2 });
    for (const { id } of teams) expect(await termsOf(id, person.id)).toEqual([null, null]);
  });
});
