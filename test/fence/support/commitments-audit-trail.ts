import { id, organizations } from "./people.ts";
import { attempt, asPerson, purgeInOrder, staysSame, text, type Commitment, type Scene } from "./scene.ts";

const { mine, third } = organizations;
const trails = ["audit_events", "user_audit_events"] as const;

const whose = { audit_events: `organization_id`, user_audit_events: "user_id" };

/** As many events as asked, so long ago: of the organization, or of its owner. */
const giveEvents = (scene: Scene, trail: (typeof trails)[number], age: string, count = 1) =>
  scene.see(
    `insert into ${trail} (${whose[trail]}, id, action, actor_type, subject_type, subject_id)
     select '${trail === "audit_events" ? mine : id(100)}',
            (left(app_private.first_event_id(now() - interval '${age}')::text, 24) || lpad(n::text, 12, '0'))::uuid, 'old.${age.replaceAll(" ", "_")}', 'system', 'team', '${id(9801)}'
       from generate_series(1, ${count}) n`,
  );

/** Whatever is done to an event: its code, for whoever owns the tables. */
const changes = (trail: string, which: string) => [
  `update ${trail} set action = 'nothing.done' where ${which}`,
  `update ${trail} set id = uuidv7() where ${which}`,
  `delete from ${trail} where ${which}`,
];

const constraintOf = (attempt: Promise<unknown>) =>
  attempt.then(
    () => "done",
    ({ code, constraint }: { code: string; constraint: string }) => [code, constraint],
  );

/** That what was told stays, for its time. */
export const auditTrailCommitments: Commitment[] = [
  ...trails.map((trail): Commitment => ({
    title: `${trail} are changed by nobody, and deleted once they are older than 365 days`,
    expected: [["42501", "42501", "42501"], ["42501", "42501", "done"], "42501", [[0, 1]]],
    actual: async (scene) => {
      await giveEvents(scene, trail, "364 days");
      await giveEvents(scene, trail, "366 days");
      const of = async (action: string) => {
        const codes: unknown[] = [];
        for (const change of changes(trail, `action = '${action}'`))
          codes.push(await attempt(scene, () => scene.see(change)));
        return codes;
      };
      const found = [await of("old.364_days"), await of("old.366_days")];
      const truncated = await attempt(scene, () => scene.see(`truncate ${trail}`));
      await scene.see(`delete from ${trail} where action = 'old.366_days'`);
      return [
        ...found,
        truncated,
        await scene.see(
          `select count(*) filter (where action = 'old.366_days')::int, count(*) filter (where action = 'old.364_days')::int from ${trail}`,
        ),
      ];
    },
  })),
  {
    title: "app.purge_expired deletes events of both trails that are older than 365 days, and no others",
    expected: [[["2"]], [true, true], [[0, 0]]],
    actual: async (scene) => {
      for (const trail of trails) for (const age of ["364 days", "366 days"]) await giveEvents(scene, trail, age);
      let purged: unknown;
      const same = await staysSame(
        scene,
        trails.map((trail) => [trail, "action <> 'old.366_days'"]),
        async () => {
          purged = await scene.ask(null, "select app.purge_expired()");
        },
      );
      const left = (trail: string) => `(select count(*)::int from ${trail} where action = 'old.366_days')`;
      return [purged, same, await scene.see(`select ${trails.map(left).join(", ")}`)];
    },
  },
  {
    title: "app.purge_expired takes 5000 events of a trail at once, the oldest first",
    about: "app_private.purge_events",
    expected: [[["10000"]], [["old.366_days", 2]], [["old.366_days", 2]]],
    actual: async (scene) => {
      for (const trail of trails) {
        await giveEvents(scene, trail, "366 days", 2);
        await giveEvents(scene, trail, "400 days", 5000);
      }
      const purged = await purgeInOrder(scene);
      const left = (trail: string) => `select action, count(*)::int from ${trail} where action ^@ 'old.' group by 1`;
      return [purged, await scene.see(left("audit_events")), await scene.see(left("user_audit_events"))];
    },
  },
  {
    title:
      "nobody comes to have the id of an organization or of a person that the trail tells of, and others have theirs",
    expected: [
      ["23505", "organizations_pkey"],
      ["23505", "users_pkey"],
      ["23505", "organizations_pkey"],
      "done",
      "done",
    ],
    actual: async (scene) => {
      const { id: spare } = scene.person("spare");
      await scene.see(`delete from organizations where id = '${third}'; delete from users where id = '${spare}'`);
      const me = asPerson(scene, "owner");
      const create = (newId: string) => `select from app.create_organization('${newId}', 'New', '{new}')`;
      const signUp = (newId: string) =>
        `select from app.sign_up('${newId}', 'new@example.test', 'New', 1, ${text(`$2b$04$${"n".repeat(22)}`)}, 'hash', null, null)`;
      const found: unknown[] = [];
      for (const [admission, statement] of [
        [me, create(third)],
        [null, signUp(spare)],
        [me, create(spare)],
        [me, create(id(9801))],
        [null, signUp(id(9801))],
      ] as const) {
        await scene.see("savepoint made");
        found.push(await constraintOf(scene.ask(admission, statement)));
        await scene.see("rollback to made");
      }
      return found;
    },
  },
];
