import { at, anchor, withMeters, tell, type Told } from "./recording.ts";
import { findAfterEach, letIn, type Commitment, type Scene } from "./scene.ts";
import { ended, giveEnded, mine, pick, theirs, third } from "./subscribing.ts";

/** In which period something is of which time, by the month, year or day from an anchor on. */
const period = (anchored: string, per: string, reset: string, time: string) =>
  `select started_at at time zone 'UTC' || ' to ' || ends_at at time zone 'UTC'
     from app_private.quota_period('${anchored}Z', '${per}', '${reset}', '${time}Z')`;

/**
 * Three days in which each day counts a million, each quarter of an hour a thousand, and each of three events in it one: what they come to
 * says which of them were read. Twice as much is summed, and three times as much the greatest. On the second there is as much of another
 * organization and meter, and there is what counts no longer.
 */
const giveLayers = (scene: Scene) =>
  scene.see(`
    insert into usage_rollups (organization_id, meter, size, started_at, key, dimensions, unique_value, events, sum, max)
    select o.id::uuid, m.key, r.size, r.started_at, sha256(z.name::bytea), '{}', case when m.key ^@ 'unique' then r.size || r.started_at || z.name end,
           case z.name when 'none' then 0 else r.amount end, 2 * r.amount, 3 * r.amount
      from unnest(array['${mine}', '${theirs}']) o (id), unnest(array['sum', 'count', 'max', 'unique', 'sum2', 'unique2']) m (key),
           unnest(array['some', 'none']) z (name),
           (select 'day', 1000000, ${at("-3 0:00")} + n * interval '24 hours' from generate_series(0, 2) n
             union all
            select 'quarter', 1000, ${at("-3 0:00")} + n * interval '15 minutes' from generate_series(0, 3 * 96 - 1) n) r (size, amount, started_at)
     where (z.name = 'some' or m.key = 'unique') and (o.id = '${mine}' and m.key !~ '2' or r.started_at between ${at("-2 0:00")} and ${at("-2 23:45")});
    insert into usage_events (organization_id, source, source_id, meter, occurred_at, value, unique_value, dimensions, digest, is_void)
    select o.id::uuid, '/x', concat_ws(' ', m.key, n, place, is_void), m.key, ${at("-3 0:00")} + n * interval '15 minutes' + place, case m.key when 'max' then 3 else 2 end,
           null, '{}', sha256(''), is_void
      from unnest(array['${mine}', '${theirs}']) o (id), unnest(array['sum', 'count', 'max', 'unique', 'sum2', 'unique2']) m (key),
           generate_series(0, 3 * 96 - 1) n, unnest(array[interval '0', interval '7 minutes', interval '14:59.999']) place, unnest(array[true, false]) is_void
     where (not is_void or place = interval '7 minutes' and n % 8 = 0) and (o.id = '${mine}' and m.key !~ '2' or n between 96 and 191);
    update usage_events set value = null, unique_value = case when meter ^@ 'unique' then source_id end where meter = 'count' or meter ^@ 'unique'`);

const between = (meter: string, aggregation: string, startedAt: string, endsAt: string, organization = mine) =>
  `app_private.usage_between('${organization}', '${meter}', '${aggregation}', ${startedAt}, ${endsAt})`;

/** Periods, and of what they are counted. */
export const usagePeriodCommitments: Commitment[] = [
  {
    title:
      "app_private.quota_period counts months and years from the anchor on, days and calendar months in UTC, and all of it, until before its end",
    expected: [
      [
        "2025-12-31 10:00:00 to 2026-01-31 10:00:00",
        "2026-01-31 10:00:00 to 2026-02-28 10:00:00",
        "2026-01-31 10:00:00 to 2026-02-28 10:00:00",
        "2026-02-28 10:00:00 to 2026-03-31 10:00:00",
        "2026-02-28 10:00:00 to 2026-03-31 10:00:00",
        "2026-03-31 10:00:00 to 2026-04-30 10:00:00",
        "2025-10-31 10:00:00 to 2025-11-30 10:00:00",
        "2027-02-28 10:00:00 to 2027-03-31 10:00:00",
      ],
      [
        "2023-02-28 10:00:00 to 2024-02-29 10:00:00",
        "2024-02-29 10:00:00 to 2025-02-28 10:00:00",
        "2024-02-29 10:00:00 to 2025-02-28 10:00:00",
        "2025-02-28 10:00:00 to 2026-02-28 10:00:00",
        "2028-02-29 10:00:00 to 2029-02-28 10:00:00",
        "2021-02-28 10:00:00 to 2022-02-28 10:00:00",
      ],
      ["2026-03-01 00:00:00 to 2026-03-02 00:00:00", "2026-02-28 00:00:00 to 2026-03-01 00:00:00"],
      ["2026-03-01 00:00:00 to 2026-04-01 00:00:00", "2026-02-01 00:00:00 to 2026-03-01 00:00:00"],
      ["-infinity to infinity"],
    ],
    actual: async (scene) => {
      const found: unknown[][] = [];
      await scene.see("set local timezone to 'Asia/Kolkata'");
      const cases: [anchored: string, per: string, reset: string, ...times: string[]][] = [
        [
          "2026-01-31 10:00",
          "month",
          "period",
          "2026-01-31 09:59:59.999",
          "2026-01-31 10:00",
          "2026-02-28 09:59:59.999",
          "2026-02-28 10:00",
          "2026-03-30 10:00",
          "2026-03-31 10:00",
          "2025-11-30 09:00",
          "2027-02-28 12:00",
        ],
        [
          "2024-02-29 10:00",
          "year",
          "period",
          "2024-02-29 09:59:59.999",
          "2024-02-29 10:00",
          "2025-02-28 09:59:59.999",
          "2025-02-28 10:00",
          "2028-02-29 10:00",
          "2022-01-01 00:00",
        ],
        ["2026-01-31 10:00", "day", "period", "2026-03-01 00:00", "2026-02-28 23:59:59.999"],
        ["2026-01-31 10:00", "month", "month", "2026-03-01 00:00", "2026-02-28 23:59:59.999"],
        ["2026-01-31 10:00", "lifetime", "never", "2026-03-01 00:00"],
      ];
      for (const [anchored, per, reset, ...times] of cases) {
        const rows: unknown[] = [];
        for (const time of times) rows.push(...(await scene.see(period(anchored, per, reset, time))).flat());
        found.push(rows);
      }
      return found;
    },
  },
  {
    title:
      "app_private.usage_between reads whole days, whole quarters of an hour before and after them, and events at the edges",
    expected: [
      "2000000, 4000000, 3000000, 2",
      "1149004, 2298008, 3000000, 154",
      "1096000, 2192000, 3000000, 97",
      "1095002, 2190004, 3000000, 98",
      "1002, 2004, 3000, 3",
      "1000, 2000, 3000, 1",
      "1, 2, 3, 1",
      "4, 8, 3, 4",
      "1, 2, 3, 1",
      "4, 8, 3, 4",
      "4000, 8000, 3000, 4",
      "96000, 192000, 3000, 96",
      "3000000, 6000000, 3000000, 3",
      "1041001, 2082002, 3000000, 43",
      ["0", "0", "0", "0", "0"],
    ],
    actual: async (scene) => {
      await withMeters(scene);
      await giveLayers(scene);
      const ranges = [
        ["-3 0:00", "-1 0:00"],
        ["-3 10:15:00.001", "-1 23:59:59.999"],
        ["-3 10:15", "-1 10:15"],
        ["-3 0:00:00.5", "-1 0:00"],
        ["-3 10:15:00.5", "-3 10:45"],
        ["-3 10:15", "-3 10:30"],
        ["-3 10:16", "-3 10:29"],
        ["-3 10:20", "-3 10:40"],
        ["-3 10:30:00.001", "-3 10:44:59.999"],
        ["-3 23:50", "-2 0:10"],
        ["-3 23:30", "-2 0:30"],
        ["-3 12:00", "-2 12:00"],
      ].map(([from, to]): [string, string] => [at(from ?? ""), at(to ?? "")]);
      ranges.push(["'-infinity'", "'infinity'"], ["'-infinity'", at("-2 10:20")]);
      const found: unknown[] = [];
      for (const [from, to] of ranges)
        found.push(
          ...(
            await scene.see(
              `select concat_ws(', ', ${["count", "sum", "max", "unique"].map((meter) => between(meter, meter, from, to)).join()})`,
            )
          ).flat(),
        );
      const nothing = ["count", "sum", "max", "unique", "last"].map((meter) =>
        between(meter, meter, at("-1 0:00"), at("0 0:00"), third),
      );
      return [...found, ...(await scene.see(`select ${nothing.join()}`))];
    },
  },
  {
    title:
      "app_private.usage_between takes the last that counts, by its time and then by its name, and what events were corrected to",
    expected: ["0", "11", "4", "6", "13", "13", "0.5", "9", "0", "10.5", "10"],
    actual: async (scene) => {
      await withMeters(scene);
      const lasts: Told[] = [
        ["first", "last", "-1 11:00", "1"],
        ["q", "last", "-1 11:02:30", "13"],
        ["B", "last", "-1 11:01", "2"],
        ["a", "last", "-1 11:01", "3"],
        ["A", "last", "-1 11:01", "4", { source: "/y" }],
        ["b", "last", "-1 11:02", "5", { source: "/x" }],
        ["a", "last", "-1 11:02", "6", { source: "/x!" }],
        ["void", "last", "-1 11:03", "7"],
        ["corrected", "last", "-1 11:04", "8"],
        ["end", "last", "-1 11:05", "9"],
        ["sum", "sum", "-1 11:04:30", "10"],
        ["void sum", "sum", "-1 11:04:30", "20"],
        ["corrected sum", "sum", "-1 11:04:30", "30"],
      ];
      // Which of them was told first says nothing.
      await tell(scene, [
        ["z", "last", "-1 11:00", "11"],
        ["p", "last", "-1 11:02:30", "12"],
      ]);
      await tell(scene, lasts);
      await tell(scene, [["theirs", "last", "-1 11:04:30", "100"]], theirs);
      await scene.see("update usage_events set is_void = true where source_id like 'void%'");
      await scene.see("update usage_events set corrected_value = 0.5 where source_id like 'corrected%'");
      const ends = [
        "-1 11:00",
        "-1 11:00:01",
        "-1 11:02",
        "-1 11:02:30",
        "-1 11:03",
        "-1 11:04",
        "-1 11:05",
        "-1 11:05:00.001",
      ];
      const found = ends.map((end) => between("last", "last", at("-1 11:00"), at(end)));
      const [row] = await scene.see(
        `select ${[...found, between("last", "last", at("-1 11:04:00.001"), at("-1 11:05")), between("sum", "sum", at("-1 11:04"), at("-1 11:06")), between("sum", "max", at("-1 11:04"), at("-1 11:06"))].join()}`,
      );
      return row;
    },
  },
  {
    title:
      "app.usage counts from the beginning of the subscription that the plan is had by, and else of the organization",
    expected: ["subscription", "organization", "organization", "organization"],
    actual: async (scene) => {
      await withMeters(scene);
      await scene.see(
        `update organizations set created_at = ${at("-2 8:00")}; update organizations set created_at = ${at("-2 9:00")} where id = '${mine}'`,
      );
      await giveEnded(scene);
      await scene.see(
        `update subscriptions set anchor_at = ${at("-2 7:00")} where id = '${ended}' or organization_id <> '${mine}'`,
      );
      await scene.see(`update plans set is_default = false; update plans set is_default = true where key = 'other'`);
      const read = async () => {
        const period = pick(await scene.ask(letIn(scene, "admin"), "select app.usage()"), "0.startedAt", "0.resetsAt");
        const [[name] = []] = await scene.see(
          `select name from (values ('subscription', ${at(anchor)}), ('organization', ${at("-2 9:00")})) n (name, at)
            where array[at, (at at time zone 'UTC' + interval '1 month') at time zone 'UTC'] = '{${period.join()}}'`,
        );
        return name ?? period;
      };
      return findAfterEach(
        scene,
        [
          "select",
          "update subscriptions set status = 'unpaid' where ended_at is null",
          `delete from subscriptions where organization_id = '${mine}' and ended_at is null`,
          "update plans set is_default = false; update plans set is_default = true where key = 'metered'; update subscriptions set status = 'unpaid', price_id = (select i.id from plan_prices i join plans p on p.id = i.plan_id where p.key = 'whole') where ended_at is null",
        ],
        read,
      );
    },
  },
];
