import { at, withMeters, moveTo, teller, tell, type Told } from "./recording.ts";
import { codesOf, letIn, text, type Commitment, type Scene } from "./scene.ts";
import { mine, theirs } from "./subscribing.ts";

const ask = (meter: string, from: string, to: string, window: string, groupBy: string[] = [], timezone = "UTC") =>
  `select app.usage_windows('${meter}', ${from}, ${to}, '${window}', ${text(JSON.stringify(groupBy))}, '${timezone}')`;

interface Series {
  data: { startedAt: string; endsAt: string; dimensions: Record<string, string | null>; value: string | null }[];
}

/** Of each window from when until when, of what, and how much. */
async function windows(scene: Scene, ...asked: Parameters<typeof ask>): Promise<string[]> {
  const [[answer] = []] = await scene.ask(teller(scene, mine, "usage:read"), ask(...asked));
  return (answer as Series).data.map(({ startedAt, endsAt, dimensions, value }) => {
    const [from, to] = [startedAt, endsAt].map((instant) => instant.replace(/^2026-/, "").replace(/(:00)?\.000Z$/, ""));
    return `${from} to ${to}${JSON.stringify(dimensions).replace("{}", "")}: ${value}`;
  });
}

/** In each quarter of an hour one, and in each day a thousand, so that what is read says by what; and so of another meter and organization. */
const giveRollups = (scene: Scene, from: string, to: string) =>
  scene.see(
    `insert into usage_rollups (organization_id, meter, size, started_at, key, dimensions, events, sum)
     select o.id::uuid, m.key, r.size, r.started_at, sha256(''), '{}', 1, r.amount
       from unnest(array['${mine}', '${theirs}']) o (id), unnest(array['sum', 'sum2']) m (key),
            (select 'day', 1000, d from generate_series('${from} 00:00Z'::timestamptz, '${to} 00:00Z', interval '24 hours') d
              union all
             select 'quarter', 1, q from generate_series('${from} 00:00Z'::timestamptz, '${to} 23:45Z', interval '15 minutes') q) r (size, amount, started_at)`,
  );

const [from, to] = [at("-1 10:00"), at("-1 13:00")];

/** What was used in time. */
export const usageWindowCommitments: Commitment[] = [
  {
    title:
      "app.usage_windows goes by the days and months of a time zone, as long as they are, and by hours that are as long as each other",
    expected: [
      ["03-27T23:00 to 03-28T23:00: 96", "03-28T23:00 to 03-29T22:00: 92", "03-29T22:00 to 03-30T22:00: 96"],
      ["03-28T00:00 to 03-29T00:00: 1000", "03-29T00:00 to 03-30T00:00: 1000"],
      ["03-28T00:00 to 03-29T00:00: 1000", "03-29T00:00 to 03-30T00:00: 1000", "03-30T00:00 to 03-31T00:00: 1000"],
      ["10-24T22:00 to 10-25T23:00: 100", "10-25T23:00 to 10-26T23:00: 96"],
      ["03-29T00:00 to 03-29T01:00: 4", "03-29T01:00 to 03-29T02:00: 4", "03-29T02:00 to 03-29T03:00: 4"],
      ["10-25T00:00 to 10-25T01:00: 4", "10-25T01:00 to 10-25T02:00: 4", "10-25T02:00 to 10-25T03:00: 4"],
      ["03-28T23:30 to 03-29T00:30: 4", "03-29T00:30 to 03-29T01:30: 4", "03-29T01:30 to 03-29T02:30: 4"],
      ["02-28T18:15 to 03-01T18:15: 96", "03-01T18:15 to 03-02T18:15: 96"],
      ["02-01T00:00 to 03-01T00:00: 2000", "03-01T00:00 to 04-01T00:00: 7000"],
      ["02-28T23:00 to 03-31T22:00: 668"],
      [],
    ],
    actual: async (scene) => {
      await withMeters(scene);
      await scene.see("set local timezone to 'America/New_York'");
      await giveRollups(scene, "2026-02-27", "2026-03-02");
      await giveRollups(scene, "2026-03-27", "2026-04-01");
      await giveRollups(scene, "2026-10-24", "2026-10-26");
      const [first, last] = ["'2026-03-28T10:30Z'", "'2026-03-30T22:00Z'"];
      return [
        await windows(scene, "sum", first, last, "day", [], "Europe/Berlin"),
        await windows(scene, "sum", first, "'2026-03-30T00:00Z'", "day"),
        await windows(scene, "sum", first, "'2026-03-30T00:00:00.001Z'", "day"),
        await windows(scene, "sum", "'2026-10-24T22:00Z'", "'2026-10-26T00:00Z'", "day", [], "Europe/Berlin"),
        await windows(scene, "sum", "'2026-03-29T00:10Z'", "'2026-03-29T03:00Z'", "hour", [], "Europe/Berlin"),
        await windows(scene, "sum", "'2026-10-25T00:10Z'", "'2026-10-25T03:00Z'", "hour"),
        await windows(scene, "sum", "'2026-03-29T00:10Z'", "'2026-03-29T01:40Z'", "hour", [], "Asia/Kolkata"),
        await windows(scene, "sum", "'2026-03-01T05:00Z'", "'2026-03-02T05:00Z'", "day", [], "Asia/Kathmandu"),
        await windows(scene, "sum", "'2026-02-28T12:00Z'", "'2026-04-01T00:00Z'", "month"),
        await windows(scene, "sum", "'2026-02-28T23:00Z'", "'2026-03-31T22:00Z'", "month", [], "Europe/Berlin"),
        await windows(scene, "sum", last, first, "day"),
      ];
    },
  },
  {
    title:
      "app.usage_windows sums, counts, takes the greatest or the last, or counts different ones in each window, which is empty where nothing was told",
    expected: [
      "sum: 3.5,0,3",
      "sum: 6.5",
      "count: 2,0,0",
      "count: 2",
      "max: 3,null,null",
      "max: null",
      "last: 2,null,null",
      "last: 1",
      "unique: 2,0,0",
      "unique: 2",
    ],
    actual: async (scene) => {
      await withMeters(scene);
      const told: Told[] = [
        ["a", "sum", "-1 10:00", "1.50"],
        ["b", "sum", "-1 10:59:59.999", "2", { dimensions: { region: "eu" } }],
        ["c", "sum", "-1 12:00", "3"],
        ["d", "count", "-1 10:00"],
        ["e", "count", "-1 10:20", null, { dimensions: { region: "eu" } }],
        ["f", "max", "-1 10:00", "3"],
        ["g", "max", "-1 10:20", "2"],
        ["h", "last", "-1 10:00", "3"],
        ["i", "last", "-1 10:20", "2"],
        ["B", "last", "-1 10:20", "1", { dimensions: { region: "eu" } }],
        ["k", "unique", "-1 10:00", "ada"],
        ["l", "unique", "-1 10:20", "ada", { dimensions: { region: "eu" } }],
        ["m", "unique", "-1 10:20", "grace"],
        ["n", "unique", "-1 10:40", "void"],
        ["o", "max", "-1 12:40", "9"],
        ["p", "last", "-1 12:40", "9"],
      ];
      await tell(scene, told);
      await tell(
        scene,
        told.map(([id, meter, time, value]): Told => [id, meter, time, value && meter === "unique" ? "ken" : value]),
        theirs,
      );
      await scene.see(
        "update usage_rollups set events = 0, sum = null, max = null, last = null, last_at = null, last_name = null where unique_value = 'void' or meter in ('max', 'last') and max = 9",
      );
      const found: string[] = [];
      for (const meter of ["sum", "count", "max", "last", "unique"])
        for (const window of ["hour", "day"])
          found.push(
            `${meter}: ${(await windows(scene, meter, from, window === "day" ? at("0 0:00") : to, window)).map((line) => line.split(": ")[1]).join()}`,
          );
      return found;
    },
  },
  {
    title: "app.usage_windows tells usage apart by dimensions, in those windows alone in which something was told",
    expected: [
      [": 10", ": 0", ": 50"],
      [
        '{"region":null}: 1',
        '{"region":"eu"}: 5',
        '{"region":"us"}: 4',
        '{"region":null}: 11',
        '{"region":"eu"}: 25',
        '{"region":"us"}: 14',
      ],
      [
        '{"tier":null,"region":null}: 1',
        '{"tier":null,"region":"eu"}: 2',
        '{"tier":"1","region":"eu"}: 3',
        '{"tier":"1","region":"us"}: 4',
        '{"tier":null,"region":null}: 11',
        '{"tier":null,"region":"eu"}: 12',
        '{"tier":"1","region":"eu"}: 13',
        '{"tier":"1","region":"us"}: 14',
      ],
      { data: [], name: "Name of sum", unit: "piece", meter: "sum", aggregation: "sum" },
    ],
    actual: async (scene) => {
      await withMeters(scene);
      const told = [{}, { region: "eu" }, { region: "eu", tier: "1" }, { region: "us", tier: "1" }].flatMap(
        (dimensions, n): Told[] => [
          [`${n}`, "sum", "-1 10:00", `${n + 1}`, { dimensions }],
          [`${n} later`, "sum", "-1 12:00", `${n + 11}`, { dimensions }],
        ],
      );
      await tell(scene, [...told, ["other", "sum2", "-1 11:00", "1"]]);
      const series = async (...groupBy: string[]) =>
        (await windows(scene, "sum", from, to, "hour", groupBy)).map((line) => line.replace(/^.*?(?=\{|: )/, ""));
      const [[answer] = []] = await scene.ask(letIn(scene, "admin"), ask("sum", from, from, "hour"));
      return [await series(), await series("region"), await series("tier", "region"), answer];
    },
  },
  {
    title: "app.usage_windows refuses what is no meter, what it is not told apart by, and more than 1,000 windows",
    expected: [
      [
        "AP404",
        "AP404",
        "AP404",
        "done",
        "done",
        "done",
        "APDIM",
        "APDIM",
        "APWIN",
        "done",
        "APWIN",
        "APWIN",
        "done",
        "APWIN",
      ],
      ["AP403"],
      ["AP400"],
    ],
    actual: async (scene) => {
      await withMeters(scene);
      await moveTo(scene, "without", {});
      const asked = [
        ask("none", from, to, "day"),
        ask("sso", from, to, "day"),
        ask("before", from, to, "day"),
        ask("gone", from, to, "day"),
        ask("unplanned", from, to, "day"),
        ask("sum", from, to, "day", ["region", "tier"]),
        ask("sum", from, to, "day", ["region", "other"]),
        ask("count", from, to, "day", ["tier"]),
        ...[at("-1 10:00:00.001"), from].map((since) => ask("sum", since, `${since} + interval '1000 hours'`, "hour")),
        ask("sum", from, `${from} + interval '1000 hours 1 millisecond'`, "hour"),
        ask("sum", from, `${from} + interval '1000 days 1 millisecond'`, "day"),
        ...["1000 months", "1000 months 1 millisecond"].map((long) =>
          ask("sum", "'2026-01-01Z'::timestamptz", `'2026-01-01Z'::timestamptz + interval '${long}'`, "month"),
        ),
      ];
      return [
        await codesOf(scene, letIn(scene, "only usage:read", "usage:read"), asked),
        await codesOf(scene, letIn(scene, "viewer"), asked.slice(5, 6)),
        await codesOf(scene, null, asked.slice(5, 6)),
      ];
    },
  },
  {
    title: "app.usage_windows tells of 10,000 values, and refuses more",
    about: "app.usage_windows",
    expected: ["done", "APWIN"],
    actual: async (scene) => {
      await withMeters(scene);
      const found: unknown[] = [];
      for (const name of ["many", "more"]) {
        await scene.see(
          `insert into usage_rollups (organization_id, meter, size, started_at, key, dimensions, events, sum)
           select '${mine}', 'sum', 'day', ${at("-1 0:00")}, sha256(('${name}' || n)::bytea), jsonb_build_object('region', '${name}' || n), 1, 1
             from generate_series(1, case '${name}' when 'many' then 10000 else 1 end) n`,
        );
        found.push(...(await codesOf(scene, letIn(scene, "admin"), [ask("sum", from, to, "day", ["region"])])));
      }
      return found;
    },
  },
];
