import { beforeAll, describe, expect, it } from "vitest";
import { addMember, asOwner } from "../support/database.ts";
import { insertMembers } from "../support/members-sql.ts";
import { teamOf } from "../support/members.ts";
import { openService, type Person, signUpPerson } from "../support/service.ts";
import { atOnce, crowd, expectTally, tally, tenRounds } from "./at-once.ts";

const service = openService();
let people: Person[];

beforeAll(async () => {
  people = await atOnce(() => signUpPerson(service));
});

/** An organization that fifty people own. */
async function newOwners() {
  const team = await teamOf(people[0] as Person);
  const ids = people.slice(1).map(({ id }) => id);
  await asOwner([insertMembers("select $1::uuid, unnest($2::uuid[]), 'owner'"), [team.id, ids]]);
  const owning = async () => Object.values(await team.roles()).filter((roles) => roles.includes("owner")).length;
  return { team, owners: people, owning };
}

describe("50 owners at once", tenRounds, () => {
  it("leave: one stays, who cannot", async () => {
    const { team, owners, owning } = await newOwners();
    const answers = await atOnce((i) => team.leave(owners[i] as Person));
    expectTally(answers, { 204: crowd - 1, "409 last_owner": 1 });
    expect(await owning()).toBe(1);
  });

  it("step down: one stays an owner, who cannot", async () => {
    const { team, owners, owning } = await newOwners();
    const answers = await atOnce((i) => team.setRoles(owners[i] as Person, owners[i] as Person, ["viewer"]));
    expectTally(answers, { 200: crowd - 1, "409 last_owner": 1 });
    expect([await owning(), Object.keys(await team.roles()).length]).toEqual([1, crowd]);
  });

  it("remove one another, in a ring: whoever is out removes nobody, and an owner stays", async () => {
    const { team, owners, owning } = await newOwners();
    const answers = await atOnce((i) => team.remove(owners[i] as Person, owners[(i + 1) % crowd] as Person));
    const { 204: removed = 0, ...others } = tally(answers);
    expect(Object.keys(others)).toEqual(["404 not_found"]);
    expect(removed).toBeGreaterThan(0);
    expect(await owning()).toBe(crowd - removed);
    expect(await owning()).toBeGreaterThan(0);
  });

  it("take an admin's role while the admin gives it to others: none is given after it was taken", async () => {
    const { team, owners } = await newOwners();
    const [admin, member] = [await signUpPerson(service), await signUpPerson(service)];
    await addMember(team.id, admin.id, "admin");
    await addMember(team.id, member.id, "viewer");
    const answers = await atOnce((i) =>
      i === 0
        ? team.setRoles(owners[0] as Person, admin, ["viewer"])
        : team.setRoles(admin, member, [i % 2 === 0 ? "admin" : "member"]),
    );
    expect(answers[0]?.status).toBe(200);
    for (const { status } of answers.slice(1)) expect([200, 403]).toContain(status);
    expect((await team.roles())[admin.id]).toEqual(["viewer"]);
  });
});
