import {
  at,
  withMeters,
  recorded,
  tell,
  counters,
  rollups,
  touched,
  eu,
  first,
  theirFirst,
  type Told,
} from "./recording.ts";
import { staysSame, type Commitment } from "./scene.ts";
import { theirs } from "./subscribing.ts";

/** Told before, used for something else before and in one batch, and refused for each reason. */
const second: Told[] = [
  ["a", "sum", "-1 11:00", "1.50", { ...eu, subject: "s" }],
  ["a", "sum", "-1 11:00", "1.5", { ...eu, source: "/y", subject: "s" }],
  ["a", "sum", "-1 11:00", "1.5", { ...eu, source: "/y", subject: "s" }],
  ["a", "sum", "-1 11:00", "2", { ...eu, subject: "s" }],
  ["a", "sum", "-1 11:00.001", "1.5", { ...eu, subject: "s" }],
  ["a", "sum", "-1 11:00", "1.5", eu],
  ["a", "sum", "-1 11:00", "1.5", { subject: "s" }],
  ["a", "sum2", "-1 11:00", "1.5"],
  ["t", "sum", "-1 11:01", "32", eu],
  ["t", "sum", "-1 11:01", "33", eu],
  ["u", "max", "-1 11:07", "11"],
  ["v", "max", "-1 11:01", "2"],
  ["w", "last", "-1 11:06", "1"],
  ["B", "last", "-1 11:06", "2"],
  ["x", "last", "-20 11:06", "6"],
  ["n", "unique", "-1 11:00", "ada"],
  ["o", "unique", "-1 11:00", "grace"],
  ["y", "unique", "-1 11:00", "grace", { dimensions: { none: "1" } }],
  ["y", "unique", "-1 11:00", "linus"],
  ["y", "unique", "-1 11:00", "ken"],
  ["z", "count", "-20 11:00"],
  ["C", "unique2", "-1 11:00", "5"],
  ["1", "none", null, "1"],
  ["1", "sso", null, "1"],
  ["1", "gone", null, "1"],
  ["1", "before", null, "1"],
  ["1", "unplanned", null, "1"],
  ["1", "sum", null],
  ["1", "sum", null, "-1"],
  ["1", "sum", null, "1e3"],
  ["1", "sum", null, "1.0123456789"],
  ["1", "sum", null, "1234567890123456789012"],
  ["1", "max", null, "one"],
  ["1", "last", null],
  ["1", "count", null, "1"],
  ["1", "unique", null],
  ["1", "sum", null, "1", { dimensions: { region: "eu", other: "1" } }],
  ["1", "sum", "now 5 minutes 1 second", "1"],
  ["1", "sum", "now -35 days -1 second", "1"],
  ["1", "calendar", null, "123456789012345678901.123456789"],
  ["2", "ever", "now 4 minutes 59 seconds"],
  ["3", "sum", "now -35 days 1 second", "0"],
];

/** What is told of usage, and what becomes of it. */
export const usageEventCommitments: Commitment[] = [
  {
    title:
      "app.record_usage records each event once, whatever becomes of the others, and counts it in the period, the quarter of an hour and the day that it is of",
    expected: [
      "a 201, d 201, i 201, l 201, n 201, o 201",
      "a 201, b 201, c 201, d 201, e 201, f 201, g 201, h 201, i 201, j 201, k 201, l 201, m 201, n 201, o 201, p 201, q 201, r 201, s 201",
      "a 200, /ya 201, /ya 200, a APDUP, a APDUP, a APDUP, a APDUP, a APDUP, t 201, t APDUP, u 201, v 201, w 201, B 201, x 201, n 200, o APDUP, y APDIM, y 201, y APDUP, z 201, C 201, 1 APMET, 1 APMET, 1 APMET, 1 APMET, 1 APENT, 1 APVAL, 1 APVAL, 1 APVAL, 1 APVAL, 1 APVAL, 1 APVAL, 1 APVAL, 1 APVAL, 1 APVAL, 1 APDIM, 1 APFUT, 1 APOLD, 1 201, 2 201, 3 201",
      [
        "mine: calendar calendar 0 123456789012345678902.123456789; count month -1 1, month 0 3; ever ever 2; last month -1 6, month 0 1; max month 0 11; sum month -2 0, month -1 8, month 0 41; sum2 month 0 16; unique month 0 3; unique2 month 0 2",
        "theirs: last month 0 100; max month 0 100; sum month -1 100, month 0 100; unique month 0 2",
      ],
      [
        'mine count, by the day: -20 00:00 1x; -1 00:00 2x; -1 00:00 {"region": "eu"} 1x',
        'mine count, by the quarter: -20 11:00 1x; -1 11:00 2x; -1 11:00 {"region": "eu"} 1x',
        "mine ever, by the day: -20 00:00 1x",
        "mine ever, by the quarter: -20 10:00 1x",
        "mine last, by the day: -20 00:00 1x 6 max 6 last 6 at -20 11:06 of /x x; -1 00:00 4x 18 max 8 last 1 at -1 11:06 of /x w",
        "mine last, by the quarter: -20 11:00 1x 6 max 6 last 6 at -20 11:06 of /x x; -1 11:00 4x 18 max 8 last 1 at -1 11:06 of /x w",
        "mine max, by the day: -1 00:00 5x 35.75 max 11 last 11 at -1 11:07 of /x u",
        "mine max, by the quarter: -1 11:00 5x 35.75 max 11 last 11 at -1 11:07 of /x u",
        'mine sum, by the day: -20 00:00 1x 8 max 8 last 8 at -20 23:59:59.999 of /x d; -1 00:00 {"region": "eu"} 4x 37 max 32 last 2 at -1 11:14:59.999 of /x b; -1 00:00 {"tier": "1", "region": "us"} 1x 4 max 4 last 4 at -1 11:15 of /x c',
        'mine sum, by the quarter: -20 23:45 1x 8 max 8 last 8 at -20 23:59:59.999 of /x d; -1 11:00 {"region": "eu"} 4x 37 max 32 last 2 at -1 11:14:59.999 of /x b; -1 11:15 {"tier": "1", "region": "us"} 1x 4 max 4 last 4 at -1 11:15 of /x c',
        "mine sum2, by the day: -1 00:00 1x 16 max 16 last 16 at -1 11:00 of /x e",
        "mine sum2, by the quarter: -1 11:00 1x 16 max 16 last 16 at -1 11:00 of /x e",
        'mine unique, by the day: -1 00:00 ada 2x; -1 00:00 linus 1x; -1 00:00 {"region": "eu"} 5 1x',
        'mine unique, by the quarter: -1 11:00 ada 2x; -1 11:00 linus 1x; -1 11:00 {"region": "eu"} 5 1x',
        "mine unique2, by the day: -1 00:00 5 1x; -1 00:00 ada 1x",
        "mine unique2, by the quarter: -1 11:00 5 1x; -1 11:00 ada 1x",
        "theirs last, by the day: -1 00:00 1x 100 max 100 last 100 at -1 11:08 of /x l",
        "theirs last, by the quarter: -1 11:00 1x 100 max 100 last 100 at -1 11:08 of /x l",
        "theirs max, by the day: -1 00:00 1x 100 max 100 last 100 at -1 11:00 of /x i",
        "theirs max, by the quarter: -1 11:00 1x 100 max 100 last 100 at -1 11:00 of /x i",
        'theirs sum, by the day: -20 00:00 1x 100 max 100 last 100 at -20 23:59:59.999 of /x d; -1 00:00 {"region": "eu"} 1x 100 max 100 last 100 at -1 11:00 of /x a',
        'theirs sum, by the quarter: -20 23:45 1x 100 max 100 last 100 at -20 23:59:59.999 of /x d; -1 11:00 {"region": "eu"} 1x 100 max 100 last 100 at -1 11:00 of /x a',
        "theirs unique, by the day: -1 00:00 ada 1x; -1 00:00 linus 1x",
        "theirs unique, by the quarter: -1 11:00 ada 1x; -1 11:00 linus 1x",
      ],
    ],
    actual: async (scene) => {
      await withMeters(scene);
      const told = [await tell(scene, theirFirst, theirs), await tell(scene, first), await tell(scene, second)];
      // What was told by the clock is of whichever quarter it is.
      return [
        ...told,
        await counters(scene),
        await rollups(scene, `r.started_at between ${at("-33 0:00")} and ${at("-1 23:00")}`),
      ];
    },
  },
  {
    title:
      "app.record_usage writes nothing of what was told before, or is refused, and touches no counter of another meter, period or organization",
    expected: [
      [true, true, true],
      "mine: sum month 0 7.5",
      "mine: sum month -1 8",
      "mine: sum month 0 7.5",
      "mine: count month 0 4",
      "mine: count month -1 1",
      "mine: count month 0 5",
      "mine: max month 0 10",
      "mine: max month -1 1",
      "mine: max month 0 10",
      "mine: last month 0 7",
      "mine: last month -1 1",
      "mine: last month 0 1",
      "mine: unique month 0 3",
      "mine: unique month -1 1",
    ],
    actual: async (scene) => {
      await withMeters(scene, { sum: "50" });
      await tell(scene, theirFirst, theirs);
      await tell(scene, first);
      const refused = second.filter(([id]) => /[ano1]/.test(id)).filter(([, , , , more]) => more?.source !== "/y");
      const tables = ["usage_events", "usage_counters", "usage_rollups"].map((table): [string] => [table]);
      const again = await staysSame(scene, tables, async () =>
        tell(scene, [
          ...first,
          ...refused.filter(([, meter]) => meter !== "calendar"),
          ["4", "sum", "-1 11:00", "50"],
          ["5", "last", "-1 11:00", "x"],
        ]),
      );
      const found: unknown[] = [again];
      for (const [meter, value] of [["sum", "0"], ["count"], ["max", "1"], ["last", "1"], ["unique", "new"]] as const)
        for (const time of ["-1 10:20:30.5", "-1 10:20:30.499", "-1 23:00"])
          found.push(...(await touched(scene, () => tell(scene, [[`${meter} ${time}`, meter, time, value]]))));
      return found;
    },
  },
  {
    title: "app.record_usage answers with how much was used of the meters that it was told of, and with nothing else",
    expected: [
      [
        { id: "a", source: "/x", status: 201 },
        { id: "b", source: "/x", status: 201 },
        { id: "c", source: "/x", status: "APVAL" },
        { id: "d", source: "/x", status: "APMET" },
      ],
      [
        [
          {
            per: "month",
            name: "Name of sum",
            unit: "piece",
            used: "1.5",
            limit: "5.5",
            meter: "sum",
            reserved: "0",
            remaining: "4",
            aggregation: "sum",
          },
          true,
          true,
        ],
        [
          {
            per: "month",
            name: "Name of max",
            unit: "piece",
            used: "0",
            limit: null,
            meter: "max",
            reserved: "0",
            remaining: null,
            aggregation: "max",
          },
          true,
          true,
        ],
        [
          {
            per: "month",
            name: "Name of unique",
            unit: "piece",
            used: "0",
            limit: "1",
            meter: "unique",
            reserved: "0",
            remaining: "1",
            aggregation: "unique",
          },
          true,
          true,
        ],
      ],
    ],
    actual: async (scene) => {
      await withMeters(scene, { sum: "5.50", unique: "1" });
      await tell(scene, theirFirst, theirs);
      const { results, usage } = await recorded(scene, [
        ["a", "sum", "-1 11:00", "1.50"],
        ["b", "unique", "-20 11:00", "ada"],
        ["c", "max", "-1 11:00", "x"],
        ["d", "none", null, "1"],
      ]);
      return [results, usage.map(({ startedAt, resetsAt, ...rest }) => [rest, Boolean(startedAt), Boolean(resetsAt)])];
    },
  },
];
