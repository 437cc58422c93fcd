import { administer, outcomeOf } from "./administering.ts";
import { correct, withEvents, type Asked } from "./correcting.ts";
import { mine, remove, theirs, third } from "./deleting.ts";
import { id } from "./people.ts";
import { asDefiner } from "./planning.ts";
import {
  commit,
  giveReservation,
  held,
  release,
  reserve,
  reserved,
  withMeters,
  withReservations,
  write,
} from "./reserving.ts";
import { attempt, codesOf, letIn, purgeInOrder, type Commitment, type Scene } from "./scene.ts";
import { admission } from "./world.ts";

type Kept = "usage_events" | "usage_rollups";

/** Rows of a table past the fence, of an organization, or of all whose slugs begin so. */
const giveRows = (scene: Scene, table: Kept, condition: string, count: number) =>
  scene.see(
    table === "usage_events"
      ? `insert into usage_events (organization_id, source, source_id, meter, occurred_at, dimensions, digest)
         select o.id, '/s', n, 'count', now(), '{}', '' from organizations o, generate_series(1, ${count}) n where ${condition}`
      : `insert into usage_rollups (organization_id, meter, size, started_at, key, dimensions, events)
         select o.id, 'api-requests', 'day', now() - n * interval '1 day', '', '{}', 1 from organizations o, generate_series(1, ${count}) n where ${condition}`,
  );

/** How long what was used is kept, by whom it is changed, and behind which locks. */
export const usageAccessCommitments: Commitment[] = [
  ...(["usage_events", "usage_rollups"] as const).map((table): Commitment => ({
    title: `app.purge_expired deletes what an organization has of ${table} before it, 5000 at once, and nothing of others`,
    expected: [
      [["5000"], ["2"]],
      [
        [mine, 5000],
        [theirs, 1],
        [third, 1],
      ],
      [
        [mine, 5000],
        [third, 1],
      ],
      [[mine], [third]],
    ],
    actual: async (scene) => {
      await scene.see("delete from usage_events; delete from usage_rollups; delete from ownership_transfers");
      await remove(scene, theirs, "30 days 1 minute");
      await remove(scene, mine, "29 days 23 hours");
      await scene.see(`delete from memberships where organization_id = '${theirs}'`);
      // In the order of insertion and of ids, those that stay would take the place of those that go.
      await giveRows(scene, table, `id = '${mine}'`, 5000);
      await giveRows(scene, table, `id = '${theirs}'`, 5001);
      await giveRows(scene, table, `id = '${third}'`, 1);
      const count = () => scene.see(`select organization_id, count(*)::int from ${table} group by 1 order by 1`);
      const [first] = await purgeInOrder(scene);
      const between = await count();
      const [second] = await purgeInOrder(scene);
      return [[first, second], between, await count(), await scene.see("select id from organizations order by id")];
    },
  })),
  ...(["usage_events", "usage_rollups"] as const).map((table): Commitment => ({
    title: `app.purge_expired deletes what 50 organizations have of ${table} at once`,
    expected: [["100"], [[1, 4]]],
    actual: async (scene) => {
      await scene.see("delete from usage_events; delete from usage_rollups");
      await scene.see(
        `insert into organizations (id, name, slug, deleted_at)
         select gen_random_uuid(), 'Old', 'old-' || n, now() - interval '31 days' from generate_series(1, 51) n`,
      );
      await giveRows(scene, table, "slug ^@ 'old-'", 1);
      const [purged] = await purgeInOrder(scene);
      return [
        purged,
        await scene.see(`select (select count(*)::int from ${table}), (select count(*)::int from organizations)`),
      ];
    },
  })),
  {
    title: "app.purge_expired forgets what was reserved an hour after it has expired",
    expected: [
      ["1"],
      [
        ["mine", "9902", "sum", "5"],
        ["theirs", "9901", "sum", "5"],
      ],
    ],
    actual: async (scene) => {
      await withMeters(scene);
      await giveReservation(scene, mine, { expires_at: "now() - interval '61 minutes'" });
      await giveReservation(scene, mine, { id: `'${id(9902)}'`, expires_at: "now() - interval '59 minutes'" });
      await giveReservation(scene, theirs);
      const [purged] = await scene.ask(null, "select app.purge_expired()");
      return [purged, await reserved(scene)];
    },
  },
  {
    title: "app.correct_usage holds the meters of its events, and no others",
    expected: [
      [["mine", "sum"]],
      [
        ["mine", "count"],
        ["mine", "other"],
      ],
    ],
    actual: async (scene) => {
      await withMeters(scene);
      // Past the fence, so that nothing is held yet.
      await scene.see(
        `insert into usage_events (organization_id, source, source_id, meter, value, occurred_at, dimensions, digest)
         select o.id::uuid, o.source, o.source_id, o.meter, case when o.meter <> 'count' then 1 end, now(), '{}', ''
           from (values ('${mine}', '/s', 'b', 'sum'), ('${mine}', '/s', 'c', 'count'), ('${mine}', '/t', 'b', 'other'),
                        ('${theirs}', '/s', 'b', 'max')) o (id, source, source_id, meter)`,
      );
      const asked: Asked[][] = [
        [["b", "1"]],
        [
          ["b", "1", "/t"],
          ["c", null],
        ],
      ];
      const found: unknown[] = [];
      for (const those of asked) {
        await scene.see("savepoint free");
        await administer(scene, correct(those));
        found.push(await held(scene));
        await scene.see("rollback to free");
      }
      return found;
    },
  },
  {
    title: "app.correct_usage finds no organization that there is not, and is for administrators at work alone",
    expected: ["AP404", "AP404", "AP400"],
    actual: async (scene) => {
      await withEvents(scene);
      return [
        await outcomeOf(scene, () => administer(scene, correct([["b", "1"]], "00000000-0000-7000-8000-000000000000"))),
        await attempt(scene, () => scene.ask(write(scene), correct([["b", "1"]]))),
        await attempt(scene, () => scene.ask(null, correct([["b", "1"]], theirs))),
      ];
    },
  },
  {
    title: "functions change nothing of what was told, and no correction",
    expected: Array(5).fill("42501"),
    actual: async (scene) => {
      await withEvents(scene);
      const found: unknown[] = [];
      for (const statement of [
        "update usage_events set value = 1",
        "update usage_events set digest = ''",
        "update usage_corrections set value = 1",
        "delete from usage_corrections",
        "delete from usage_counters",
      ])
        found.push(await attempt(scene, () => asDefiner(scene, statement)));
      return found;
    },
  },
  {
    title: "rooms are for whoever was let in with usage:write, of its organization",
    expected: ["AP403", "AP403", "AP400", "AP403"].map((code) => Array(3).fill(code)),
    actual: async (scene) => {
      await withReservations(scene);
      await giveReservation(scene);
      const statements = [reserve("1", { as: id(9904) }), commit(), release()];
      const found: unknown[] = [];
      for (const admitted of [
        letIn(scene, "only usage:read", "usage:read"),
        admission(scene.person("owner")),
        null,
        letIn(scene, "member"),
      ])
        found.push(await codesOf(scene, admitted, statements));
      return found;
    },
  },
];
