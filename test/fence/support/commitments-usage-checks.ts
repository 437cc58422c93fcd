import { id } from "./people.ts";
import { at, withMeters, moveTo, teller, tell, counters, limits, uniques, reserve, type Told } from "./recording.ts";
import { codesOf, letIn, text, type Commitment, type Scene } from "./scene.ts";
import { mine, pick, theirs } from "./subscribing.ts";

const check = (meter: string, value: string) => `select app.check_usage('${meter}', ${text(value)})`;

/** Of each of these, whether there is room for it. */
async function allowed(scene: Scene, ...asked: [meter: string, ...values: string[]][]): Promise<string[]> {
  const found: string[] = [];
  for (const [meter, ...values] of asked) {
    const answers: unknown[] = [];
    for (const value of values)
      answers.push(...pick(await scene.ask(letIn(scene, "admin"), check(meter, value)), "allowed"));
    found.push(`${meter} ${values.map((value, n) => `${value} ${String(answers[n])}`).join(", ")}`);
  }
  return found;
}

/** What whoever may read it is told of how much was used, and of how much there is room for. */
export const usageCheckCommitments: Commitment[] = [
  {
    title:
      "app.usage says how much of each meter of the plan was used, is reserved and is left in the present period, also where nothing began to count",
    expected: [
      [
        "month,Name of sum,piece,1.5,5.5,sum,3,1,sum since until",
        "month,Name of count,piece,1,1,count,0,0,count since until",
        "month,Name of max,piece,3,-,max,0,-,max since until",
        "month,Name of last,piece,4,-,last,0,-,last since until",
        "month,Name of unique,piece,0,0,unique,0,0,unique since until",
        "month,Name of sum2,piece,0,-,sum2,3,-,sum since until",
        "month,Name of unique2,piece,0,-,unique2,0,-,unique since until",
        "lifetime,Name of ever,piece,1,-,ever,0,-,count - -",
        "month,Name of calendar,piece,0,-,calendar,0,-,sum since until",
      ],
      [
        "year,Name of sum,piece,1.5,2,sum,3,0,sum since until",
        "year,Name of count,piece,1,7,count,0,6,count since until",
        "year,Name of max,piece,3,100,max,0,-,max since until",
        "year,Name of last,piece,4,-,last,0,-,last since until",
        "year,Name of unique,piece,0,-,unique,0,-,unique since until",
        "year,Name of sum2,piece,0,-,sum2,3,-,sum since until",
        "year,Name of unique2,piece,0,-,unique2,0,-,unique since until",
        "lifetime,Name of ever,piece,1,-,ever,0,-,count - -",
        "month,Name of calendar,piece,0,-,calendar,0,-,sum since until",
      ],
      ["AP403"],
      ["AP400"],
    ],
    actual: async (scene) => {
      await withMeters(scene, { sum: "5.50", count: "1", unique: "0" });
      const told: Told[] = [
        ["a", "sum", "-1 11:00", "1.50"],
        ["b", "sum", "-20 11:00", "2"],
        ["c", "count", "-1 11:00"],
        ["d", "max", "-1 11:00", "3"],
        ["e", "last", "-1 11:00", "4"],
        ["f", "ever", "-20 11:00"],
      ];
      await tell(
        scene,
        [
          ["a", "sum", "-1 11:00", "5"],
          ["d", "sum2", "-1 11:00", "5"],
        ],
        theirs,
      );
      await tell(scene, told);
      await scene.see(
        `insert into usage_reservations (organization_id, id, meter, value, created_at, expires_at)
         values ('${mine}', '${id(9901)}', 'sum', 3, ${at("-1 11:00")}, now() + interval '1 hour'),
                ('${mine}', '${id(9902)}', 'sum2', 3, ${at("-1 11:00")}, now() + interval '1 hour')`,
      );
      const read = async (person = "admin") => {
        const [[answer] = []] = await scene.ask(letIn(scene, person), "select app.usage()");
        const usage = answer as Record<string, string | null>[];
        const names: string[] = [];
        for (const { startedAt, resetsAt, ...rest } of usage)
          names.push(
            `${Object.values(rest)
              .map((value) => value ?? "-")
              .join()} ${startedAt ? "since" : "-"} ${resetsAt ? "until" : "-"}`,
          );
        return names;
      };
      const found: unknown[] = [await read()];
      await moveTo(scene, "daily", { sum: "2", count: "7", max: "100" }, "day");
      await moveTo(scene, "yearly", { sum: "2", count: "7", max: "100" }, "year");
      found.push(await read());
      return [
        ...found,
        await codesOf(scene, letIn(scene, "viewer"), ["select app.usage()"]),
        await codesOf(scene, null, ["select app.usage()"]),
      ];
    },
  },
  {
    title:
      "app.check_usage says whether there is room for so much more, of the greatest and the last whether it may be that, and of different ones whether it is one of them",
    expected: [
      [
        "sum 4.5 true, 4.500000001 true, 0 true",
        "sum2 0 true, 1 false",
        "count 1 true, 2 true, 3 false",
        "max 5 true, 5.1 false",
        "last 5 true, 6 false",
        "unique ada true, grace true, linus true, ken true, old true",
        "unique2 ada true",
        "ever 999999999999999999999 true",
      ],
      [
        "sum 4.5 true, 4.500000001 false, 0 true",
        "sum2 0 true, 1 false",
        "count 1 true, 2 false, 3 false",
        "max 5 true, 5.1 false",
        "last 5 true, 6 false",
        "unique ada true, grace true, linus false, ken false, old false",
        "unique2 ada true",
        "ever 999999999999999999999 true",
      ],
      ["unique grace false, ada true"],
      ["sum 0 true, 0.1 false"],
    ],
    actual: async (scene) => {
      await withMeters(scene, limits);
      await tell(scene, [["x", "sum", "-1 11:00", "10"], ...uniques("unique", "-1 11:00", "linus", "ken")], theirs);
      const asked: Parameters<typeof allowed>[1][] = [
        ["sum", "4.5", "4.500000001", "0"],
        ["sum2", "0", "1"],
        ["count", "1", "2", "3"],
        ["max", "5", "5.1"],
        ["last", "5", "6"],
        ["unique", "ada", "grace", "linus", "ken", "old"],
        ["unique2", "ada"],
        ["ever", "999999999999999999999"],
      ];
      const found = [await allowed(scene, ...asked)];
      await tell(scene, [
        ["a", "sum", "-1 11:00", "4"],
        ["b", "sum", "-20 11:00", "5"],
        ["c", "count", "-1 11:00"],
        ["d", "max", "-1 11:00", "5"],
        ...uniques("unique", "-1 11:00", "ada", "grace"),
        ...uniques("unique2", "-1 11:00", "linus"),
        ...uniques("unique", "-20 11:00", "old"),
      ]);
      await reserve(scene);
      found.push(await allowed(scene, ...asked));
      await scene.see(
        `update usage_events set is_void = true where organization_id = '${mine}' and unique_value = 'grace'`,
      );
      found.push(await allowed(scene, ["unique", "grace", "ada"]));
      await moveTo(scene, "less", { sum: "2" });
      return [...found, await allowed(scene, ["sum", "0", "0.1"])];
    },
  },
  {
    title: "app.check_usage does not take for known what is of the next period",
    expected: [
      "a 201, b 201, c 201, d 201, e APQUO",
      ["mine: sum month -1 1, month 0 1; unique month -1 1, month 0 1"],
      ["unique ada false, grace true"],
    ],
    actual: async (scene) => {
      await withMeters(scene, { unique: "1", sum: "1" }, { since: "now 2 minutes" });
      const told = await tell(scene, [
        ["a", "unique", "now 3 minutes", "ada"],
        ["b", "unique", "now -1 minute", "grace"],
        ["c", "sum", "now 2 minutes", "1"],
        ["d", "sum", "now 1 minute 59 seconds", "1"],
        ["e", "sum", null, "1"],
      ]);
      return [told, await counters(scene), await allowed(scene, ["unique", "ada", "grace"])];
    },
  },
  {
    title:
      "app.check_usage answers with how much was used, and refuses a meter that there is not, or that the plan does not have, and what is no value of it",
    expected: [
      {
        per: "month",
        name: "Name of sum",
        unit: "piece",
        used: "0",
        limit: "2.5",
        meter: "sum",
        allowed: true,
        reserved: "0",
        remaining: "2.5",
        aggregation: "sum",
      },
      ["string", "string"],
      [
        "AP404",
        "AP404",
        "AP404",
        "APENT",
        "APVAL",
        "APVAL",
        "APVAL",
        "APVAL",
        "APVAL",
        "APVAL",
        "APVAL",
        "APVAL",
        "done",
      ],
      ["AP403"],
      ["AP400"],
    ],
    actual: async (scene) => {
      await withMeters(scene, { sum: "2.50" });
      const [[answer] = []] = await scene.ask(teller(scene, mine, "usage:read"), check("sum", "1"));
      const { startedAt, resetsAt, ...rest } = answer as Record<string, unknown>;
      const asked = [
        check("none", "1"),
        check("gone", "1"),
        check("sso", "1"),
        check("unplanned", "1"),
        ...["x", "-1", "1.", "1e3", "1.0123456789", "1234567890123456789012"].map((value) => check("sum", value)),
        check("max", "x"),
        check("count", "x"),
        check("unique", "x"),
      ];
      return [
        rest,
        [startedAt, resetsAt].map((instant) => typeof instant),
        await codesOf(scene, letIn(scene, "only usage:read", "usage:read"), asked),
        await codesOf(scene, letIn(scene, "viewer"), [check("sum", "1")]),
        await codesOf(scene, null, [check("sum", "1")]),
      ];
    },
  },
];
