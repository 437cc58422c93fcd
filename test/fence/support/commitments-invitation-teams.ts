import { accept, inviteSpare } from "./answering.ts";
import { invited } from "./invited.ts";
import { create as inviteAll, write as inviting, type Asked } from "./inviting.ts";
import { id } from "./people.ts";
import { findAfterEach, giveRole, staysSame, type Commitment, type Scene } from "./scene.ts";
import { foreignTeam, giveForeignTeams, giveTeam, mine, otherTeam, team, theirs, unknownTeam } from "./teaming.ts";

const into = (...teamIds: string[]): Asked => ({ teamIds });

const refusalOf = async (scene: Scene, name: string, asked: Asked) =>
  (await scene.ask(inviting(scene, name), inviteAll(asked)))[0]?.[1];

const setTeams = (scene: Scene, ...teamIds: string[]) =>
  scene.see(`update invitations set team_ids = '{${teamIds.join(",")}}' where id = '${invited}'`);

/** Of which teams somebody is, and with which roles. */
const teamsOf = (scene: Scene, name: string) =>
  scene.see(
    `select organization_id, team_id, role from team_memberships where user_id = '${scene.person(name).id}' order by team_id`,
  );

/** Into which teams invitations bring people. */
export const invitationTeamCommitments: Commitment[] = [
  {
    title: "app.create_invitations keeps the teams that it is given, and none where it is given none",
    expected: [[`{${team},${otherTeam}}`], ["{}"], ["{}"]],
    actual: async (scene) => {
      await giveTeam(scene);
      await giveTeam(scene, {}, { teamId: otherTeam });
      const asked = [into(team, otherTeam), { teamIds: null }, into()].map((item, n) => ({
        ...item,
        email: `s${n}@example.test`,
      }));
      await scene.ask(inviting(scene, "admin"), inviteAll(...asked));
      return scene.see(`select team_ids::text from invitations where email ~ '^s[0-9]@example.test' order by email`);
    },
  },
  {
    title: "app_private.teams_refusal: into teams of the organization alone, all of which are the inviter's to fill",
    expected: ["APTEA", "APTEA", "APTEA", null, null, "APABV", "APABV", "APABV", "APTEA", [true]],
    actual: async (scene) => {
      await giveTeam(scene, { viewer: "lead", member: "member" });
      await giveTeam(scene, { member: "lead" }, { teamId: otherTeam });
      await giveForeignTeams(scene);
      for (const name of ["viewer", "member", "both"]) await giveRole(scene, name, "only invitations:write");
      await scene.see(
        `update roles set permissions = '{invitations:write,organization:read}' where key = 'only invitations:write'`,
      );
      const found: unknown[] = [];
      const same = await staysSame(scene, [["team_memberships"]], async () => {
        for (const [name, teamIds] of [
          ["admin", [foreignTeam]],
          ["admin", [team, unknownTeam]],
          ["both", [foreignTeam]],
          ["admin", [team, otherTeam]],
          ["viewer", [team]],
          ["viewer", [team, otherTeam]],
          ["member", [team]],
          // Who leads the one of this id elsewhere.
          ["both", [team]],
          ["viewer", [unknownTeam]],
        ] as const) {
          await scene.see("savepoint asked");
          found.push(await refusalOf(scene, name, into(...teamIds)));
          await scene.see("rollback to asked");
        }
      });
      return [...found, same];
    },
  },
  {
    title: "accepting lets the person into the invitation's teams that are there, as plain members, and into no other",
    expected: [
      [
        [mine, team, "member"],
        [mine, otherTeam, "member"],
      ],
      [true],
    ],
    actual: async (scene) => {
      const { id: userId } = scene.person("spare");
      await giveTeam(scene, { viewer: "lead" });
      await giveTeam(scene, {}, { teamId: otherTeam });
      await giveTeam(scene, {}, { teamId: id(9804) });
      await giveForeignTeams(scene);
      const spare = await inviteSpare(scene);
      await setTeams(scene, foreignTeam, team, unknownTeam, otherTeam);
      const same = await staysSame(scene, [["team_memberships", `user_id <> '${userId}'`]], () =>
        scene.ask(spare, accept()),
      );
      return [await teamsOf(scene, "spare"), same];
    },
  },
  {
    title: "accepting lets nobody into teams that are not the inviter's to fill any more",
    expected: [[[mine, team, "member"]], [], [[mine, team, "member"]], [], []],
    actual: async (scene) => {
      const owner = scene.person("owner").id;
      await giveTeam(scene);
      await giveTeam(scene, {}, { organization: theirs });
      const spare = await inviteSpare(scene);
      await setTeams(scene, team);
      await scene.see(
        `update roles set permissions = '{invitations:write,organization:read}' where key = 'only invitations:write'`,
      );
      const demoted = `update membership_roles set role = 'only invitations:write' where organization_id = '${mine}' and user_id = '${owner}';
        insert into membership_roles (organization_id, user_id, role) values ('${mine}', '${owner}', 'viewer')`;
      const inTeam = (organization: string, role: string) =>
        `insert into team_memberships (organization_id, team_id, user_id, role) values ('${organization}', '${team}', '${owner}', '${role}')`;
      const elsewhere = `insert into memberships (organization_id, user_id, joined_by) values ('${theirs}', '${owner}', 'sso'); ${inTeam(theirs, "lead")}`;
      return findAfterEach(
        scene,
        [
          "select 1",
          demoted,
          `${demoted}; ${inTeam(mine, "lead")}`,
          `${demoted}; ${inTeam(mine, "member")}`,
          `${demoted}; ${elsewhere}`,
        ],
        async () => {
          await scene.ask(spare, accept());
          return teamsOf(scene, "spare");
        },
      );
    },
  },
];
