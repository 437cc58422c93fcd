import { id } from "./people.ts";
import {
  commit,
  giveReservation,
  held,
  mine,
  recorded,
  release,
  reservation,
  reserved,
  theirs,
  usageOf,
  withReservations,
  write,
} from "./reserving.ts";
import { codesOf, findAfterEach, type Commitment } from "./scene.ts";
import { pick } from "./subscribing.ts";

/** An event of nothing that is named as a committed reservation is, but for what is given. */
const giveEvent = (columns: Record<string, string> = {}) => {
  const row = {
    organization_id: `'${mine}'`,
    source: "'/reservations'",
    source_id: `'${reservation}'`,
    meter: "'sum'",
    ...columns,
  };
  return `insert into usage_events (${Object.keys(row).join()}, value, dimensions, occurred_at, digest)
          values (${Object.values(row).join()}, 0, '{}', now(), '')`;
};

/** What becomes of room that was kept. */
export const usageCommitCommitments: Commitment[] = [
  {
    title: "app.commit_usage refuses where its name is another meter's, or the plan has the meter no longer",
    expected: [["APDUP"], ["APENT"], ["done"]],
    actual: async (scene) => {
      await withReservations(scene);
      await giveReservation(scene);
      const found: unknown[] = [];
      for (const change of [
        giveEvent({ meter: "'other'" }),
        "delete from plan_features where feature_key = 'sum'",
        "",
      ]) {
        await scene.see("savepoint kept");
        await scene.see(change || "select");
        found.push(await codesOf(scene, write(scene), [commit()]));
        await scene.see("rollback to kept");
      }
      return found;
    },
  },
  {
    title: "app.commit_usage records what was used as of when it was reserved, and gives back the rest",
    expected: [
      [
        [["2.5", "2", "5.5"], true],
        ["mine", "/reservations", "9901", "sum", "2.5"],
      ],
      [
        [["5", "2", "3"], true],
        ["mine", "/reservations", "9901", "sum", "5"],
      ],
      [
        [["0", "2", "8"], true],
        ["mine", "/reservations", "9901", "sum", "0"],
      ],
    ].map(([answer, event]) => [
      answer,
      [event],
      [
        ["mine", "9902", "sum", "2"],
        ["theirs", "9901", "sum", "7"],
      ],
      [["mine", "sum"]],
    ]),
    actual: async (scene) => {
      await withReservations(scene);
      await giveReservation(scene, mine, { created_at: "now() - interval '3 minutes'" });
      const found: unknown[] = [];
      for (const value of ["2.5", null, "0"]) {
        await scene.see("savepoint used");
        const answer = pick(await scene.ask(write(scene), commit(value)), "used", "reserved", "remaining");
        const [[isThen] = []] = await scene.see(
          "select bool_and(occurred_at = (now() - interval '3 minutes')::timestamptz(3)) from usage_events",
        );
        found.push([[answer, isThen], await recorded(scene), await reserved(scene), await held(scene)]);
        await scene.see("rollback to used");
      }
      return found;
    },
  },
  {
    title: "app.commit_usage does nothing again for what it has recorded, whatever else is called so",
    expected: [
      [
        ["0", "7", "3"],
        [
          ["mine", "9901", "sum", "5"],
          ["mine", "9902", "sum", "2"],
          ["theirs", "9901", "sum", "7"],
        ],
      ],
      ...Array.from({ length: 3 }, () => [
        ["5", "2", "3"],
        [
          ["mine", "9902", "sum", "2"],
          ["theirs", "9901", "sum", "7"],
        ],
      ]),
      "AP404",
      [["mine", "sum"]],
    ],
    actual: async (scene) => {
      await withReservations(scene);
      await giveReservation(scene);
      const found: unknown[] = await findAfterEach(
        scene,
        [
          giveEvent(),
          giveEvent({ organization_id: `'${theirs}'` }),
          giveEvent({ source: "'/s'" }),
          giveEvent({ source_id: "'other'" }),
        ],
        async () => [
          pick(await scene.ask(write(scene), commit()), "used", "reserved", "remaining"),
          await reserved(scene),
        ],
      );
      await scene.see("savepoint again");
      await scene.see(`delete from usage_reservations where organization_id = '${mine}'`);
      await scene.see(giveEvent({ meter: "'other'" }));
      found.push(...(await codesOf(scene, write(scene), [commit()])));
      await scene.see("rollback to again");
      await scene.see(giveEvent());
      await scene.ask(write(scene), commit());
      return [...found, await held(scene)];
    },
  },
  {
    title:
      "app.commit_usage and app.release_usage refuse what is not reserved, or of another meter or organization; the first also what has expired, and more than is reserved",
    expected: [
      ["APVAL", "APVAL", "APVAL", "done", "AP404", "AP404"],
      ["APRSX", "done"],
      ["AP404", "AP404"],
      ["AP404", "AP404"],
    ],
    actual: async (scene) => {
      await withReservations(scene);
      const none = await codesOf(scene, write(scene), [commit(), release()]);
      await giveReservation(scene);
      const other = { meter: "other" };
      const found = [
        await codesOf(scene, write(scene), [
          commit("5.1"),
          commit("x"),
          commit("-1"),
          commit("5"),
          commit("5", other),
          release(other),
        ]),
      ];
      await scene.see(`update usage_reservations set expires_at = clock_timestamp() where id = '${reservation}'`);
      found.push(await codesOf(scene, write(scene), [commit(), release()]));
      return [
        ...found,
        none,
        await codesOf(scene, write(scene), [commit(null, { as: id(9903) }), release({ as: id(9903) })]),
      ];
    },
  },
  {
    title: "app.release_usage gives back what is reserved, and nothing else",
    expected: [
      [
        ["mine", "9902", "sum", "2"],
        ["theirs", "9901", "sum", "7"],
      ],
      [],
      ["0", "2", "8"],
      [["mine", "sum"]],
    ],
    actual: async (scene) => {
      await withReservations(scene);
      await giveReservation(scene);
      await scene.ask(write(scene), release());
      return [await reserved(scene), await recorded(scene), await usageOf(scene), await held(scene)];
    },
  },
];
