import { at, withMeters, moveTo, recorded, tell, counters, limits, uniques, reserve } from "./recording.ts";
import type { Commitment, Scene } from "./scene.ts";
import { mine, theirs } from "./subscribing.ts";

/** Counters of periods that begin with the month, or end with it, and are no other. */
const giveOthers = (scene: Scene) =>
  scene.see(
    `insert into usage_counters (organization_id, meter, started_at, ends_at, used)
     select '${mine}', m.key, case o.begins when 'later' then ${at("-1 11:00")} else c.started_at end,
            case o.begins when 'later' then c.ends_at else c.started_at + interval '1 second' end, 7
       from usage_counters c cross join unnest(array['later', 'as it']) o (begins)
       cross join unnest(array['sum', 'count', 'max', 'last', 'unique']) m (key)
      where c.organization_id = '${theirs}' and c.meter = 'sum2' on conflict do nothing`,
  );

/** What limits have room for. */
export const usageLimitCommitments: Commitment[] = [
  {
    title:
      "app.record_usage records what a limit has room for in its period, and nothing that counts after the first that has none",
    expected: [
      "a 201, b APQUO, c APQUO, d 201, e 201, f APQUO, a 200, b APQUO, b APQUO, g APQUO, h 201, i APVAL, j 201, k 201, l 201, m APQUO, n 201, o APQUO, p 201, q APQUO, r 201",
      "d 200, s APQUO, t 201",
      "a 200, u 201, v APQUO",
      [
        "mine: count month -1 1, another period 7, month 0 2, part 9; last another period 7, month 0 5, part 5; max another period 7, month 0 5, part 7; sum month -1 1, another period 7, month 0 8.5, part 15.5; sum2 month 0 0; unique another period 7, part 7",
        "theirs: count month 0 1; sum month 0 9; sum2 month 0 0; unique month 0 2",
      ],
    ],
    actual: async (scene) => {
      await withMeters(scene, limits);
      await tell(
        scene,
        [
          ["x", "sum", "-1 11:00", "9"],
          ["y", "count", "-1 11:00"],
          ["z", "sum2", "-1 11:00", "0"],
          ...uniques("unique", "-1 11:00", "linus", "ken"),
        ],
        theirs,
      );
      await reserve(scene);
      await giveOthers(scene);
      const told = await tell(scene, [
        ["a", "sum", "-1 11:00", "4"],
        ["b", "sum", "-1 11:00", "4.6"],
        ["c", "sum", "-1 11:00", "0.1"],
        ["d", "sum", "-1 11:00", "0"],
        ["e", "sum", "-20 11:00", "1"],
        ["f", "sum", "-20 11:00", "0.1"],
        ["a", "sum", "-1 11:00", "4"],
        ["b", "sum", "-1 11:00", "4.6"],
        ["b", "sum", "-1 11:00", "4.5"],
        ["g", "sum2", "-1 11:00", "0.000000001"],
        ["h", "sum2", "-1 11:00", "0"],
        ["i", "count", "-1 11:00", "1"],
        ["j", "count", "-1 11:00"],
        ["k", "count", "-20 11:00"],
        ["l", "count", "-1 11:00"],
        ["m", "count", "-1 11:00"],
        ["n", "max", "-1 11:00", "5"],
        ["o", "max", "-1 11:00", "5.1"],
        ["p", "max", "-1 11:00", "4"],
        ["q", "last", "-1 11:00", "5.1"],
        ["r", "last", "-1 11:00", "5"],
      ]);
      const more = await tell(scene, [
        ["d", "sum", "-1 11:00", "0"],
        ["s", "sum", "-1 11:00", "4.500000001"],
        ["t", "sum", "-1 11:00", "0"],
      ]);
      const rest = await tell(scene, [
        ["a", "sum", "-1 11:00", "4"],
        ["u", "sum", "-1 11:00", "4.5"],
        ["v", "sum", "-1 11:00", "0.1"],
      ]);
      return [told, more, rest, await counters(scene)];
    },
  },
  {
    title:
      "app.record_usage counts a value once in each period, and where there is no room for another records those that the period has",
    expected: [
      "unique2 -1 11:00 linus 0 201, unique -1 11:00 ada 0 201, unique -1 11:00 ada 1 201, unique -1 11:00 grace 2 201, unique -1 11:00 ada 3 201, unique -1 11:00 linus 4 APQUO, unique -1 11:00 grace 5 201, unique -1 11:00 linus 6 APQUO, unique -20 11:00 ada 0 201, unique -20 11:00 ken 1 201",
      "unique -1 12:00 grace 0 201, unique -1 12:00 linus 1 APQUO, unique -1 12:00 ken 2 APQUO, unique -1 12:00 ada 3 201, unique -20 12:00 ken 0 201, unique -20 12:00 grace 1 APQUO",
      "unique -1 13:00 grace 0 APQUO, unique -1 13:00 ada 1 201",
      "unique -1 14:00 grace 0 201, unique -1 14:00 ada 1 201, unique -1 14:00 linus 2 APQUO, unique -1 14:00 grace 3 201",
      ["mine: unique month -1 2, month 0 3; unique2 month 0 1", "theirs: unique month 0 2"],
    ],
    actual: async (scene) => {
      await withMeters(scene, limits);
      await tell(scene, uniques("unique", "-1 11:00", "linus", "ken"), theirs);
      await giveOthers(scene);
      const found = [
        await tell(scene, [
          ...uniques("unique2", "-1 11:00", "linus"),
          ...uniques("unique", "-1 11:00", "ada", "ada", "grace", "ada", "linus", "grace", "linus"),
          ...uniques("unique", "-20 11:00", "ada", "ken"),
        ]),
      ];
      const again = [
        ...uniques("unique", "-1 12:00", "grace", "linus", "ken", "ada"),
        ...uniques("unique", "-20 12:00", "ken", "grace"),
      ];
      found.push(await tell(scene, again));
      // What counts no longer is not there any more; the counter is as it was.
      await scene.see(
        `update usage_events set is_void = true where organization_id = '${mine}' and meter = 'unique' and unique_value = 'grace'`,
      );
      found.push(await tell(scene, uniques("unique", "-1 13:00", "grace", "ada")));
      await moveTo(scene, "more", { unique: "3" });
      found.push(await tell(scene, uniques("unique", "-1 14:00", "grace", "ada", "linus", "grace")));
      return [...found, await counters(scene, "c.used <> 7")];
    },
  },
  {
    title:
      "app.record_usage goes by the limit of the plan as it is, whatever was used by the one before, and keeps no refusal",
    expected: ["a APQUO, b APQUO", "APQUO APQUO 0,5,5", "201 201 12,21,9", "200 201 13,,"],
    actual: async (scene) => {
      await withMeters(scene, limits);
      const found = [
        await tell(scene, [
          ["a", "sum", "-1 11:00", "11"],
          ["b", "sum", "-1 11:00", "10"],
        ]),
      ];
      for (const [key, limit] of [
        ["less", "5"],
        ["more", "21"],
        ["any", null],
      ] as const) {
        await moveTo(scene, key, { sum: limit });
        const { results, usage } = await recorded(scene, [
          ["a", "sum", "-1 11:00", "11"],
          [key, "sum", "-1 11:00", "1"],
        ]);
        found.push(
          [
            ...results.map(({ status }) => status),
            ...usage.map((of) => [of["used"], of["limit"], of["remaining"]].join()),
          ].join(" "),
        );
      }
      return found;
    },
  },
];
