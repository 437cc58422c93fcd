import { administer } from "./administering.ts";
import { changedBy, correct, correctedBy, withEvents, type Asked } from "./correcting.ts";
import { mine } from "./reserving.ts";
import type { Commitment } from "./scene.ts";
import { told } from "./telling.ts";

/** How administrators of the platform correct what was used. */
export const usageCorrectionCommitments: Commitment[] = [
  {
    title: "app.correct_usage lets an event count by another value where it is of, and keeps what was told",
    expected: [
      [
        "mine /s b 2 20",
        "mine correction of /s b 20 Twice",
        "mine sum day 0 3 25 20 4 120 /s c",
        "mine sum period 25.75",
        "mine sum quarter 0 2 21 20 20 6 /s b",
      ],
      [
        "mine /s f 8 8.5",
        "mine correction of /s f 8.5 Twice",
        "mine sum day -21600 1 8.5 8.5 8.5 -21600 /s f",
        "mine sum earlier period 8.5",
        "mine sum quarter -21600 1 8.5 8.5 8.5 -21600 /s f",
      ],
    ],
    actual: async (scene) => {
      await withEvents(scene);
      return [await correctedBy(scene, ["b", "20"]), await correctedBy(scene, ["f", "8.5"])];
    },
  },
  {
    title: "app.correct_usage lets an event count no longer, and again",
    expected: [
      [
        "mine /s c 4 - void",
        "mine correction of /s c - Twice",
        "mine sum day 0 2 3 2 2 6 /s b",
        "mine sum period 3.75",
        "mine sum quarter 120 0 - - -",
      ],
      [
        "mine /s g - - void",
        "mine correction of /s g - Twice",
        "mine count day 0 1 - - -",
        "mine count period 1",
        "mine count quarter 0 1 - - -",
      ],
      [
        "mine /s i - - void",
        "mine correction of /s i - Twice",
        "mine unique day 0 x: 0 - - -",
        "mine unique period 1",
        "mine unique quarter 0 x: 0 - - -",
      ],
      [
        "mine /s l 2 - void",
        "mine correction of /s l - Twice",
        "mine last day 0 1 1 1 1 5 /s k",
        "mine last period 1",
        "mine last quarter 0 1 1 1 1 5 /s k",
      ],
      [
        "mine /s n 9 - void",
        "mine correction of /s n - Twice",
        "mine max day 0 1 3 3 3 5 /s m",
        "mine max period 3",
        "mine max quarter 0 1 3 3 3 5 /s m",
      ],
      [
        "mine /s b 2 3",
        "mine correction of /s b 3 Twice",
        "mine sum day 0 3 8 4 4 120 /s c",
        "mine sum period 8.75",
        "mine sum quarter 0 2 4 3 3 6 /s b",
      ],
    ],
    actual: async (scene) => {
      await withEvents(scene);
      const found: unknown[] = [];
      for (const id of ["c", "g", "i", "l", "n"]) found.push(await correctedBy(scene, [id, null]));
      await administer(scene, correct([["b", null]]));
      return [...found, await correctedBy(scene, ["b", "3"])];
    },
  },
  {
    title: "app.correct_usage counts anew only what its events are of",
    expected: [
      [
        "mine /s b 2 20",
        "mine correction of /s b 20 Twice",
        "mine sum day 0 103 121 100 20 6 /s b",
        "mine sum period 521",
        "mine sum quarter 0 2 21 20 20 6 /s b",
      ],
      [
        "mine /s f 8 - void",
        "mine correction of /s f - Twice",
        "mine sum day -21600 0 - - -",
        "mine sum earlier period 0",
        "mine sum quarter -21600 0 - - -",
      ],
      [
        "mine /s i - - void",
        "mine /s k 1 7",
        "mine correction of /s i - Twice",
        "mine correction of /s k 7 Twice",
        "mine last day 0 2 9 7 2 6 /s l",
        "mine last period 2",
        "mine last quarter 0 2 9 7 2 6 /s l",
        "mine unique day 0 x: 0 - - -",
        "mine unique period 1",
        "mine unique quarter 0 x: 0 - - -",
      ],
    ],
    actual: async (scene) => {
      await withEvents(scene);
      await scene.see(
        `update usage_rollups set events = events + 100, sum = 100, max = 100, last = null, last_at = null, last_name = null;
         update usage_rollups set events = events + 100, sum = 200 where size = 'day';
         update usage_counters set used = 100`,
      );
      return [
        await correctedBy(scene, ["b", "20"]),
        await correctedBy(scene, ["f", null]),
        await correctedBy(scene, ["k", "7"], ["i", null]),
      ];
    },
  },
  {
    title: "app.correct_usage counts anew each quarter, and each that is told apart in it, by itself",
    expected: [
      "mine /s a 1 10",
      "mine /s c 4 40",
      "mine /s e 0.25 7",
      "mine correction of /s a 10 Twice",
      "mine correction of /s c 40 Twice",
      "mine correction of /s e 7 Twice",
      "mine sum day 0 3 52 40 40 120 /s c",
      "mine sum day 0 eu 1 7 7 7 5 /s e",
      "mine sum period 59.5",
      "mine sum quarter 0 2 12 10 2 6 /s b",
      "mine sum quarter 0 eu 1 7 7 7 5 /s e",
      "mine sum quarter 120 1 40 40 40 120 /s c",
    ],
    actual: async (scene) => {
      await withEvents(scene);
      return correctedBy(scene, ["a", "10"], ["e", "7"], ["c", "40"]);
    },
  },
  {
    title: "app.correct_usage says in their order what became of each, and how much was used of what it changed",
    expected: [
      [
        ["/s", "b", 200],
        ["/s", "c", "value"],
        ["/s", "g", "value"],
        ["/s", "i", "value"],
        ["/s", "z", "none"],
        ["/none", "a", "none"],
        ["/t", "b", 200],
        ["/s", "d", "value"],
      ],
      [
        ["other", "0"],
        ["sum", "5.75"],
      ],
      ["mine correction of /s b 0 Twice", "mine correction of /t b - Twice"],
    ],
    actual: async (scene) => {
      await withEvents(scene);
      const asked: Asked[] = [
        ["b", "0"],
        ["c", "x"],
        ["g", "1"],
        ["i", "1"],
        ["z", "1"],
        ["a", "1", "/none"],
        ["b", null, "/t"],
        ["d", "-1"],
      ];
      let answer: unknown;
      const lines = await changedBy(scene, async () => {
        const refusals = { AP404: { status: "none" }, APVAL: { status: "value" } };
        answer = (await administer(scene, correct(asked, mine, refusals)))[0]?.[0];
      });
      const { results, usage } = answer as Record<"results" | "usage", Record<string, string>[]>;
      return [
        results.map(({ source, id, status }) => [source, id, status]),
        usage.map(({ meter, used }) => [meter, used]),
        lines.filter((line) => line.includes("correction of")),
      ];
    },
  },
  {
    title: "a correction is told in the audit trail of its organization, with its reason",
    expected: [
      [
        "mine",
        "usage_correction.created",
        "platform_admin 0137",
        "usage_correction ?",
        null,
        { id: "b", value: "0.5", reason: "Twice", source: "/s" },
      ],
      [
        "mine",
        "usage_correction.created",
        "platform_admin 0137",
        "usage_correction ?",
        null,
        { id: "g", reason: "Twice", source: "/s" },
      ],
    ],
    actual: async (scene) => {
      await withEvents(scene);
      return told(scene, () =>
        administer(
          scene,
          correct([
            ["b", "0.50"],
            ["g", null],
            ["i", "1"],
          ]),
        ),
      );
    },
  },
];
