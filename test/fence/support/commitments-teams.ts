import { id } from "./people.ts";
import { attempt, codesOf, letIn, refusalsAndLocks, refusedAndLocked, staysSame, type Commitment } from "./scene.ts";
import { create, foreignTeam, giveForeignTeams, giveTeam, mine, otherTeam, team, theirs, write } from "./teaming.ts";
import { admission } from "./world.ts";

/** Which teams there are. */
export const teamCommitments: Commitment[] = [
  {
    title: "app.create_team refuses whoever lacks teams:write, and is behind the organization's lock",
    expected: refusedAndLocked(1),
    actual: (scene) => refusalsAndLocks(scene, write(scene, "admin"), [create()]),
  },
  {
    title: "app.create_team makes one of the request's organization, in which nobody is",
    expected: [[[id(9810), "Support"]], [[mine, "Support"]], [true, true]],
    actual: async (scene) => {
      let answer: unknown;
      const same = await staysSame(scene, [["teams", `id <> '${id(9810)}'`], ["team_memberships"]], async () => {
        answer = await scene.ask(write(scene, "admin"), create());
      });
      return [answer, await scene.see(`select organization_id, name from teams where id = '${id(9810)}'`), same];
    },
  },
  {
    title: "app.create_team refuses a name that one of the organization's has, in whatever case, and the 1,001st",
    expected: [
      ["23505", "done"],
      ["done", "APTML"],
    ],
    actual: async (scene) => {
      const fill = (organization: string, count: number) =>
        scene.see(
          `insert into teams (organization_id, id, name) select '${organization}', gen_random_uuid(), 'Filled ' || n from generate_series(1, ${count}) n`,
        );
      await fill(theirs, 1000);
      await scene.see(
        `insert into teams (organization_id, id, name) values ('${mine}', '${otherTeam}', 'SUPPORT'), ('${theirs}', '${foreignTeam}', 'Sales')`,
      );
      const names = await codesOf(scene, write(scene, "admin"), [create(), create("Sales")]);
      const [[have] = []] = await scene.see(`select count(*)::int from teams where organization_id = '${mine}'`);
      await fill(mine, 999 - Number(have));
      const last = await codesOf(scene, write(scene, "admin"), [create("The last")]);
      await scene.see(
        `insert into teams (organization_id, id, name) values ('${mine}', gen_random_uuid(), 'One more')`,
      );
      return [names, [...last, ...(await codesOf(scene, write(scene, "admin"), [create("The last")]))]];
    },
  },
  {
    title: "teams are named and deleted under the fence, and those of others stay",
    expected: [[1, 1, 0, 0, 0], [true, true], [[true]]],
    actual: async (scene) => {
      await giveTeam(scene, { member: "lead" });
      await giveForeignTeams(scene);
      const renamed = `with done as (update teams set name = 'Renamed' where id in ('${team}', '${foreignTeam}') returning 1) select count(*)::int from done`;
      const deleted = `with done as (delete from teams where id in ('${team}', '${foreignTeam}') returning 1) select count(*)::int from done`;
      const counts: unknown[] = [];
      const count = (as: string, statement: string) =>
        attempt(scene, async () => counts.push((await scene.ask(as, statement))[0]?.[0]));
      const same = await staysSame(
        scene,
        [
          ["teams", `organization_id <> '${mine}'`],
          ["team_memberships", `organization_id <> '${mine}'`],
        ],
        async () => {
          await count(write(scene, "admin"), renamed);
          await count(write(scene, "admin"), deleted);
          // A lead has no say in it, and nobody without teams:write.
          await count(letIn(scene, "member"), renamed);
          await count(letIn(scene, "member"), deleted);
          await count(letIn(scene, "viewer"), deleted);
        },
      );
      await scene.see(`update teams set updated_at = '2020-01-01' where id = '${team}'`);
      await scene.ask(write(scene, "admin"), `update teams set name = 'Again' where id = '${team}'`);
      const touched = `select updated_at = now()::timestamptz(3) from teams where id = '${team}' and organization_id = '${mine}'`;
      return [counts, same, await scene.see(touched)];
    },
  },
  {
    title: "app.my_team_memberships shows the person's own, the newest team first, as many as asked",
    expected: [
      [
        [theirs, foreignTeam, `Team ${foreignTeam} of ${theirs}`, "lead", true],
        [mine, otherTeam, `Team ${otherTeam} of ${mine}`, "member", true],
      ],
      [[foreignTeam]],
      [],
    ],
    actual: async (scene) => {
      await scene.see("delete from teams");
      // Of one id with a team of another organization, which nothing forbids.
      await giveTeam(scene, { viewer: "lead" }, { teamId: foreignTeam });
      await giveTeam(scene, { both: "member" }, { teamId: otherTeam });
      await giveTeam(scene, { both: "lead" }, { teamId: foreignTeam, organization: theirs });
      const both = admission(scene.person("both"));
      return [
        await scene.ask(
          both,
          "select organization_id, team_id, name, role, created_at = now()::timestamptz(3) from app.my_team_memberships(9)",
        ),
        await scene.ask(both, "select team_id from app.my_team_memberships(1)"),
        await scene.ask(admission(scene.person("spare")), "select * from app.my_team_memberships(9)"),
      ];
    },
  },
];
