import { describe, expect, it } from "vitest";
import { giveApiKey, newKeyHost } from "../support/api-keys.ts";
import { addMember, asOwner } from "../support/database.ts";
import { allRolesIn } from "../support/members.ts";
import { openService, type Person, signUpPerson } from "../support/service.ts";
import { atOnce, crowd, expectTally, tally, tenRounds } from "./at-once.ts";

const service = openService();

const keysOf = async (organizationId: string): Promise<number> => {
  const [[row] = []] = await asOwner([
    "select count(*)::int as count from api_keys where organization_id = $1",
    [organizationId],
  ]);
  return row?.["count"];
};

/** An admin's key for members:write, and a viewer for each who comes at once. */
async function newRace() {
  const host = await newKeyHost();
  const admin = await host.join("admin");
  const { id, token } = await host.make({ scopes: ["members:read", "members:write"] }, admin);
  const [rows = []] = await asOwner([
    `with people as (insert into users (id, email, name) select gen_random_uuid(), gen_random_uuid() || '@example.com', 'Viewer' from generate_series(1, ${crowd}) returning id),
          members as (insert into memberships (organization_id, user_id, joined_by) select $1, id, 'sso' from people returning user_id)
     insert into membership_roles (organization_id, user_id, role) select $1, user_id, 'viewer' from members returning user_id`,
    [host.id],
  ]);
  const viewers = rows.map(({ user_id }) => String(user_id));
  const promote = (i: number) =>
    service.call("PATCH", `${host.path}/members/${viewers[i]}`, { token, body: { roles: ["member"] } });
  const promoted = async () => {
    const roles = await allRolesIn(host.id);
    return viewers.filter((viewer) => roles[viewer]?.includes("member")).length;
  };
  return { host, admin, keyId: id, token, promote, promoted };
}

describe("50 requests with an API key at once", tenRounds, () => {
  it.each<[string, (race: Awaited<ReturnType<typeof newRace>>) => Promise<{ status: number }>, string[]]>([
    [
      "its person loses the permission",
      ({ host, admin }) =>
        service.call("PATCH", `${host.path}/members/${admin.id}`, {
          token: host.owner.token,
          body: { roles: ["viewer"] },
        }),
      ["200", "403 forbidden"],
    ],
    [
      "its person is put out",
      ({ host, admin }) => host.removeMember(host.owner, admin.id),
      ["200", "204", "401 unauthenticated", "404 not_found"],
    ],
    [
      "it is revoked",
      ({ host, keyId }) => host.revokeKey(host.owner, keyId),
      ["200", "204", "401 unauthenticated", "404 not_found"],
    ],
  ])("change what they may until %s, and nothing afterwards", async (_, end, outcomes) => {
    const race = await newRace();
    const answers = await atOnce((i) => (i === 25 ? end(race) : race.promote(i)) as ReturnType<typeof race.promote>);
    expect(answers[25]?.status).toBeLessThan(300);
    for (const outcome of Object.keys(tally(answers))) expect(outcomes).toContain(outcome);
    const others = answers.filter((_answer, i) => i !== 25);
    const done = others.filter(({ status }) => status === 200).length;
    expect(await race.promoted()).toBe(done);
    expect((await race.promote(25)).status).toBeGreaterThanOrEqual(401);
    expect(await race.promoted()).toBe(done);
  });

  it("make keys while their person is put out: none is left", async () => {
    const host = await newKeyHost();
    const admin = await host.join("admin");
    const answers = await atOnce((i) => (i === 25 ? host.removeMember(host.owner, admin.id) : host.create(admin)));
    expect(answers[25]?.status).toBe(204);
    for (const outcome of Object.keys(tally(answers))) expect(["201", "204", "404 not_found"]).toContain(outcome);
    expect(await keysOf(host.id)).toBe(0);
    for (const { body } of answers) if (body?.key) expect((await host.read({ token: body.key })).status).toBe(401);
  });

  it("make keys of which five are left: five are made", async () => {
    const host = await newKeyHost();
    const people: Person[] = [host.owner];
    for (let n = 0; n < 3; n++) people.push(await signUpPerson(service));
    for (const { id } of people.slice(1)) await addMember(host.id, id, "admin");
    for (let n = 0; n < 95; n++) await giveApiKey(host.id, host.owner.id, ["organization:read"]);
    const answers = await atOnce((i) => host.create(people[i % 4] as Person));
    expectTally(answers, { 201: 5, "409 api_key_limit": crowd - 5 });
    expect(await keysOf(host.id)).toBe(100);
  });

  it("rotate one key, which a request uses meanwhile: one secret is good afterwards", async () => {
    const host = await newKeyHost();
    const made = await host.make();
    const answers = await atOnce((i) => (i % 2 === 0 ? host.rotate(host.owner, made.id) : host.read(made)));
    const rotated = answers.filter((_, i) => i % 2 === 0);
    expectTally(rotated, { 200: crowd / 2 });
    for (const outcome of Object.keys(tally(answers))) expect(["200", "401 unauthenticated"]).toContain(outcome);
    const good = await Promise.all(rotated.map(({ body }) => host.read({ token: body.key })));
    expectTally(good, { 200: 1, "401 unauthenticated": crowd / 2 - 1 });
    expect((await host.read(made)).status).toBe(401);
  });
});
