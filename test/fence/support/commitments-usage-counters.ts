import {
  at,
  anchor,
  withMeters,
  moveTo,
  record,
  recorded,
  tell,
  counters,
  rollups,
  touched,
  first,
  type Told,
} from "./recording.ts";
import { codesOf, letIn, type Commitment } from "./scene.ts";
import { mine, theirs } from "./subscribing.ts";

/** Which counters there are, and what each counts. */
export const usageCounterCommitments: Commitment[] = [
  {
    title:
      "app.record_usage counts in each period that was ever counted by and that it is of: from its beginning on, until before its end",
    expected: [
      [
        "mine: calendar calendar 0 1; count month 0 3, part 0; ever ever 1, part 0; last month 0 7, part 0; max month 0 10, part 0; sum month -1 8, month 0 7.5, part 0; sum2 month 0 16; unique month 0 2, part 0; unique2 month 0 1",
      ],
      [
        "mine: calendar calendar 0 1; count month 0 4, year 0 4, part 1; ever ever 1, part 0; last month 0 20, year 0 20, part 20; max month 0 20, year 0 20, part 20; sum month -1 8, month 0 27.5, year 0 27.5, part 20; sum2 month 0 16; unique month 0 3, year 0 3, part 1; unique2 month 0 1",
      ],
      [
        "mine: calendar calendar 0 1; count day -1 5, month 0 5, year 0 5, part 2; ever ever 1, part 0; last day -1 20, month 0 20, year 0 20, part 20; max day -1 20, month 0 20, year 0 20, part 20; sum month -1 8, day -1 47.5, month 0 47.5, year 0 47.5, part 40; sum2 month 0 16; unique day -1 3, month 0 3, year 0 3, part 1; unique2 month 0 1",
      ],
      [
        "mine: calendar calendar 0 1; count month -1 1, day -1 8, month 0 8, year 0 8, part 4; ever ever 1, part 0; last month -1 1.6, day -1 1.4, month 0 30, year 0 30, part 30; max month -1 1.6, day -1 20, month 0 30, year 0 30, part 30; sum month -1 9.6, day -1 52.1, month 0 80.5, year 0 80.5, part 71.4; sum2 month 0 16; unique month -1 1, day -1 5, month 0 6, year 0 6, part 3; unique2 month 0 1",
        "theirs: calendar calendar 0 1; count month 0 3, part 0; ever ever 1, part 0; last month 0 7, part 0; max month 0 10, part 0; sum month -1 8, month 0 7.5, part 0; sum2 month 0 16; unique month 0 2, part 0; unique2 month 0 1",
      ],
    ],
    actual: async (scene) => {
      await withMeters(scene);
      const tellEach = (name: string, time: string, value: string) =>
        tell(
          scene,
          ["sum", "count", "max", "last", "unique"].map((meter): Told => [
            `${name} ${meter}`,
            meter,
            time,
            meter === "count" ? null : value,
          ]),
        );
      for (const organizationId of [theirs, mine]) await tell(scene, first, organizationId);
      await scene.see(
        `insert into usage_counters (organization_id, meter, started_at, ends_at, used)
         select c.organization_id, m.key, ${at("-1 11:00")}, c.ends_at, 0 from usage_counters c
           cross join (values ('sum'), ('count'), ('max'), ('last'), ('unique'), ('ever')) m (key) where c.meter = 'sum' and c.started_at = ${at("-1 10:20:30.5")}`,
      );
      const found = [await counters(scene, `c.organization_id = '${mine}'`)];
      for (const per of ["year", "day"]) {
        await moveTo(scene, per, {}, per);
        await tellEach(per, "-1 12:00", "20");
        found.push(await counters(scene, `c.organization_id = '${mine}'`));
      }
      await moveTo(scene, "monthly", {});
      for (const [name, time] of Object.entries({
        before: "-1 10:20:30.499",
        begins: "-1 10:20:30.5",
        ends: "-1 23:59:59.999",
        after: "0 0:00",
      }))
        await tellEach(name, time, `1.${name.length}`.replace("1.5", "30"));
      return [...found, await counters(scene)];
    },
  },
  {
    title:
      "app.record_usage begins each counter apart from others of the same beginning or end, with what was told of its period before",
    expected: [
      ["mine: sum month 0 5"],
      ["5", "0"],
      [
        "mine: sum year -1 10, month -1 10, month 0 5, part 1; sum2 month -1 3",
        "theirs: sum month -1 2, month 0 1; sum2 month -1 3",
      ],
    ],
    actual: async (scene) => {
      await withMeters(scene);
      for (const organizationId of [theirs, mine])
        await tell(
          scene,
          [
            ["a", "sum", "-1 11:00", "1"],
            ["b", "sum", "-20 11:00", "2"],
            ["c", "sum2", "-1 10:00", "3"],
          ],
          organizationId,
        );
      await scene.see(
        `update usage_counters set started_at = ${at("-1 11:00")} where organization_id = '${mine}' and meter = 'sum' and started_at = ${at(anchor)}`,
      );
      const found: unknown[] = [
        await touched(scene, () =>
          tell(scene, [
            ["d", "sum", "-1 10:30", "4"],
            ["e", "sum", "-1 10:30", "x"],
          ]),
        ),
      ];
      await moveTo(scene, "yearly", {}, "year");
      const { usage } = await recorded(scene, [
        ["f", "sum", "-20 10:30", "8"],
        ["e", "sum2", "-1 10:30", "x"],
      ]);
      return [...found, usage.map(({ used }) => used), await counters(scene)];
    },
  },
  {
    title:
      "app.record_usage counts nothing of what another transaction has written in the meantime, and says that its id was used",
    expected: [
      "raced APDUP, a 201, raced once APDUP, b 201, c APVAL, d 201",
      "e 201, raced APDUP",
      ["mine: count month 0 1; sum month 0 3; unique month 0 1"],
      [
        "mine count, by the day: -1 00:00 1x",
        "mine sum, by the day: -1 00:00 2x 3 max 2 last 1 at -1 11:00 of /x e",
        "mine unique, by the day: -1 00:00 grace 1x",
      ],
    ],
    actual: async (scene) => {
      await withMeters(scene);
      await scene.see(
        `create function pg_temp.pass_by() returns trigger language plpgsql as $$
         begin return case when new.source_id like 'raced%' then null else new end; end $$;
         create trigger raced before insert on usage_events for each row execute function pg_temp.pass_by()`,
      );
      const told = await tell(scene, [
        ["raced", "sum", "-1 11:00", "1"],
        ["a", "sum", "-1 11:00", "2"],
        ["raced once", "unique", "-1 11:00", "ada"],
        ["b", "unique", "-1 11:00", "grace"],
        ["c", "sum", "-1 11:00", "x"],
        ["d", "count", "-1 11:00"],
      ]);
      const others = await tell(scene, [
        ["e", "sum", "-1 11:00", "1"],
        ["raced", "sum", "-1 11:00", "1"],
      ]);
      return [told, others, await counters(scene), await rollups(scene, "r.size = 'day'")];
    },
  },
  {
    title:
      "app.record_usage holds the meters that it is told of, each of its organization alone, and is for those with usage:write",
    expected: [
      [],
      [
        [true, "last"],
        [true, "sum"],
      ],
      ["AP403", "done", "AP400"],
    ],
    actual: async (scene) => {
      await withMeters(scene);
      const told: Told[] = [
        ["a", "sum", null, "1"],
        ["b", "last", null, "1"],
        ["c", "sum", null, "x"],
        ["d", "none", null],
      ];
      const holds = async () =>
        scene.see(
          `select l.classid::bigint << 32 | l.objid::bigint = hashtextextended('usage:${mine}:' || m.key, 0), m.key
             from pg_locks l left join features m on l.classid::bigint << 32 | l.objid::bigint = hashtextextended('usage:${mine}:' || m.key, 0)
            where l.locktype = 'advisory' and l.pid = pg_backend_pid() order by 2`,
        );
      const before = await holds();
      await tell(scene, told);
      const refused = [letIn(scene, "member"), letIn(scene, "only usage:write", "usage:write"), null];
      const codes: unknown[] = [];
      for (const admission of refused) codes.push(...(await codesOf(scene, admission, [record(told)])));
      return [before, await holds(), codes];
    },
  },
];
