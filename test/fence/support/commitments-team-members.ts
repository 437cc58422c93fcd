import { codesOf, giveRole, letIn, staysSame, type Commitment, type Scene } from "./scene.ts";
import {
  foreignTeam,
  giveForeignTeams,
  giveTeam,
  membersOf,
  mine,
  otherTeam,
  others,
  put,
  take,
  team,
  unknownTeam,
} from "./teaming.ts";
import { admission } from "./world.ts";

const read = (scene: Scene, name: string) => letIn(scene, name, "members:read");
const idOf = (scene: Scene, name: string) => scene.person(name).id;

/** Whether a statement, by whoever is let in so, locks the organization. */
async function locks(scene: Scene, admitted: string, statement: string): Promise<boolean> {
  const locker = () => scene.see(`select xmax::text from organizations where id = '${mine}'`);
  await scene.see("savepoint held");
  const before = String(await locker());
  await scene.ask(admitted, statement);
  const after = String(await locker());
  await scene.see("rollback to held");
  return before !== after;
}

/** Who is in which team. */
export const teamMemberCommitments: Commitment[] = [
  {
    title: "app.set_team_member lets a member in, and gives another role to whoever is in, of this team alone",
    expected: [["lead"], ["member"], [true], [[2]]],
    actual: async (scene) => {
      await giveTeam(scene);
      await giveTeam(scene, { viewer: "lead" }, { teamId: otherTeam });
      await giveForeignTeams(scene);
      const roles: unknown[] = [];
      const same = await staysSame(scene, [others], async () => {
        await scene.ask(read(scene, "admin"), put(idOf(scene, "admin"), "member"));
        await scene.ask(read(scene, "admin"), put(idOf(scene, "viewer"), "lead"));
        roles.push((await membersOf(scene)).filter(([who]) => who === idOf(scene, "viewer")).map(([, role]) => role));
        await scene.ask(read(scene, "admin"), put(idOf(scene, "viewer"), "member"));
        roles.push((await membersOf(scene)).filter(([who]) => who === idOf(scene, "viewer")).map(([, role]) => role));
      });
      const count = `select count(*)::int from team_memberships where organization_id = '${mine}' and team_id = '${team}'`;
      return [...roles, same, await scene.see(count)];
    },
  },
  {
    title: "app.set_team_member is for those with teams:write, and for leads of this team here",
    expected: [
      // An admin; the lead; a member of it; a lead of another team; of the one with this id elsewhere; nobody.
      ["done", "done", "AP403", "AP403", "AP403", "AP400"],
      // Let in without members:read; with it taken away since.
      ["done", "AP403"],
      [true, true],
    ],
    actual: async (scene) => {
      await giveTeam(scene, { member: "lead", "only members:read": "member" });
      await giveTeam(scene, { viewer: "lead" }, { teamId: otherTeam });
      await giveForeignTeams(scene);
      for (const name of ["viewer", "both"]) await giveRole(scene, name, "member");
      const asked = put(idOf(scene, "owner"));
      const found: unknown[] = [];
      for (const name of ["admin", "member", "only members:read", "viewer", "both"])
        found.push(...(await codesOf(scene, read(scene, name), [asked])));
      found.push(...(await codesOf(scene, null, [asked])));
      const held = [
        await locks(scene, read(scene, "admin"), asked),
        await locks(scene, read(scene, "admin"), take(idOf(scene, "member"))),
      ];
      const since = [...(await codesOf(scene, letIn(scene, "member"), [asked]))];
      await scene.see(
        `update membership_roles set role = 'viewer' where organization_id = '${mine}' and user_id = '${idOf(scene, "member")}'`,
      );
      return [found, [...since, ...(await codesOf(scene, letIn(scene, "member"), [asked]))], held];
    },
  },
  {
    title: "app.set_team_member knows no team and no member of others",
    expected: [
      ["AP404", "AP404", "AP404", "AP404"],
      ["AP404", "AP404"],
      [true, true],
    ],
    actual: async (scene) => {
      await giveTeam(scene, { member: "lead" });
      await giveForeignTeams(scene);
      const [founder, owner] = [idOf(scene, "founder"), idOf(scene, "owner")];
      const asked = [
        put(founder),
        put(idOf(scene, "spare")),
        put(owner, "member", foreignTeam),
        put(owner, "member", unknownTeam),
      ];
      let found: unknown[] = [];
      // To whoever may fill none of ours, those of others are none.
      let plain: unknown[] = [];
      const same = await staysSame(scene, [["team_memberships"], ["teams"]], async () => {
        found = await codesOf(scene, read(scene, "admin"), asked);
        plain = await codesOf(scene, read(scene, "only members:read"), asked.slice(2));
      });
      return [found, plain, same];
    },
  },
  {
    title: "app.remove_team_member takes somebody out of this team alone, once",
    expected: [["done", "AP404"], [[true, "lead"]], [true]],
    actual: async (scene) => {
      await giveTeam(scene, { member: "lead", viewer: "member" });
      await giveTeam(scene, { viewer: "member" }, { teamId: otherTeam });
      await giveForeignTeams(scene);
      // Who is in the one of this id elsewhere too.
      await scene.see(
        `insert into team_memberships (organization_id, team_id, user_id, role) values ('${mine}', '${team}', '${idOf(scene, "both")}', 'member')`,
      );
      const asked = take(idOf(scene, "viewer"));
      const found: unknown[] = [];
      const same = await staysSame(scene, [others], async () => {
        await scene.ask(letIn(scene, "admin"), asked);
        await scene.ask(letIn(scene, "admin"), take(idOf(scene, "both")));
        found.push("done", ...(await codesOf(scene, letIn(scene, "admin"), [asked])));
      });
      const left = (await membersOf(scene)).map(([who, role]) => [who === idOf(scene, "member"), role]);
      return [found, left, same];
    },
  },
  {
    title: "app.remove_team_member is for those with teams:write, for leads of this team here, and for oneself",
    expected: [
      // An admin; a lead; somebody else in it; a lead of another; of the one with this id elsewhere; nobody.
      ["done", "done", "AP403", "AP403", "AP403", "AP400"],
      // Oneself; out of a team of others, of none, and of one where one is not.
      ["done", "AP404", "AP404", "AP404"],
      ["AP404", "AP404"],
    ],
    actual: async (scene) => {
      await giveTeam(scene, { member: "lead", viewer: "member", "only members:read": "member" });
      await giveTeam(scene, { owner: "lead" }, { teamId: otherTeam });
      await giveTeam(scene, { "only organization:read": "lead" }, { teamId: unknownTeam.replace(/99$/, "98") });
      await giveForeignTeams(scene);
      const asked = take(idOf(scene, "viewer"));
      const found: unknown[] = [];
      for (const name of ["admin", "member", "only members:read", "only organization:read", "both"])
        found.push(...(await codesOf(scene, letIn(scene, name), [asked])));
      found.push(...(await codesOf(scene, null, [asked])));
      const viewer = idOf(scene, "viewer");
      const own = [asked, ...[foreignTeam, unknownTeam, otherTeam].map((teamId) => take(viewer, teamId))];
      return [
        found,
        await codesOf(scene, letIn(scene, "viewer"), own),
        // Of others' teams, also whoever may fill all here.
        await codesOf(scene, letIn(scene, "admin"), [
          take(idOf(scene, "helper"), foreignTeam),
          take(idOf(scene, "helper"), unknownTeam),
        ]),
      ];
    },
  },
  {
    title: "a team member goes with their membership, and with the team",
    expected: [[[0]], [[0]]],
    actual: async (scene) => {
      await giveTeam(scene, { viewer: "lead" });
      await giveTeam(scene, { member: "lead" }, { teamId: otherTeam });
      await scene.ask(
        letIn(scene, "owner", "members:write"),
        `select app.remove_member('${idOf(scene, "viewer")}')`,
        `delete from teams where id = '${otherTeam}'`,
      );
      const count = (teamId: string) =>
        scene.see(`select count(*)::int from team_memberships where team_id = '${teamId}'`);
      return [await count(team), await count(otherTeam)];
    },
  },
  {
    title: "who is in a team is shown to those with members:read, and to oneself",
    expected: [2, 2, 1, 0, 0],
    actual: async (scene) => {
      await scene.see("delete from teams");
      await giveTeam(scene, { member: "lead", viewer: "member" });
      await giveForeignTeams(scene);
      const seen = "select user_id from team_memberships";
      const counts: number[] = [];
      for (const [name, permission] of [
        ["admin", "members:read"],
        ["only members:read", "members:read"],
        ["viewer", "organization:read"],
        ["only organization:read", "organization:read"],
      ] as const)
        counts.push((await scene.ask(letIn(scene, name, permission), seen)).length);
      counts.push((await scene.ask(admission(scene.person("viewer")), seen)).length);
      return counts;
    },
  },
];
