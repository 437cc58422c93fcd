import type { Person } from "./people.ts";
import { codeOf, staysSame, text, type Commitment } from "./scene.ts";
import { admission } from "./world.ts";

/** What the Worker names, which is another place for each person. */
export const name = "\\x01";

export const scopeOf = ({ id: userId }: Person, given = name) =>
  `sha256(${text(given)}::bytea || uuid_send('${userId}'))`;
export const attempts = (scope: string) =>
  `select attempts, attempted_at = now()::timestamptz(3) from throttles where scope = ${scope}`;
export const count = (scope: string, taken: number, secondsAgo = 0) =>
  // Cut and not rounded, so that the last attempt is never after now.
  `insert into throttles (scope, attempts, attempted_at)
   values (${scope}, ${taken}, date_trunc('milliseconds', now()) - interval '${secondsAgo} seconds')`;

export const begin = `select wait_seconds, scheme, salt, email, name from app.begin_reauthentication(${text(name)})`;

/** Attempts, and how long they must wait. */
export const attemptCommitments: Commitment[] = [
  ...(
    [
      [null, 0, 5, 0, 1],
      [1, 0, 5, 0, 2],
      [4, 0, 5, 0, 5],
      [5, 0, 5, 2, 5],
      [5, 1, 5, 1, 5],
      [5, 2, 5, 0, 6],
      [6, 0, 5, 4, 6],
      [6, 3, 5, 1, 6],
      [6, 4, 5, 0, 7],
      [13, 0, 5, 512, 13],
      [14, 0, 5, 900, 14],
      [14, 899, 5, 1, 14],
      [14, 900, 5, 0, 14],
      [5000, 0, 5, 900, 5000],
      [5000, 900, 5, 0, 5000],
      [2, 0, 2, 2, 2],
      [2, 0, 3, 0, 3],
      // While others are free, the quarter of an hour after which one is forgotten goes on.
      [1, 890, 5, 0, 2, 890],
      [3, 899, 5, 0, 4, 899],
      [3, 900, 5, 0, 3],
      [3, 1000, 5, 0, 3, 100],
      [3, 2000, 5, 0, 2, 200],
      [3, 2750, 5, 0, 1],
      [3, 9000, 5, 0, 1],
      [4, 60, 5, 0, 5],
      [4, 950, 5, 0, 4, 50],
      [5, 800, 5, 0, 6],
      [5, 950, 5, 0, 5],
      [5, 1850, 5, 0, 4, 50],
      [14, 1000, 5, 0, 14],
    ] as [taken: number | null, ago: number, free: number, wait: number, after: number, agoAfter?: number][]
  ).map(([taken, ago, free, wait, after, agoAfter = wait === 0 ? 0 : ago]): Commitment => ({
    title: `app_private.take_attempt, with ${free} free, ${ago} s after attempt ${taken}: ${wait === 0 ? "taken" : `wait ${wait} s`}`,
    expected: [[[wait]], [[after, true]], [true]],
    actual: async (scene) => {
      const scope = "sha256('here')";
      if (taken !== null) await scene.see(count(scope, taken, ago));
      let answer: unknown;
      const same = await staysSame(scene, [["throttles", `scope <> ${scope}`]], async () => {
        answer = await scene.see(`select app_private.take_attempt(${scope}, ${free})`);
      });
      const kept = await scene.see(
        `select attempts, abs(extract(epoch from now() - attempted_at) - ${agoAfter}) < 0.002 from throttles where scope = ${scope}`,
      );
      return [answer, kept, same];
    },
  })),
  {
    title: "app_private.own_scope is another for each person and each name, and none for nobody",
    expected: [[[true]], [[true]], [[true]], "AP400"],
    actual: async (scene) => {
      const found: unknown[] = [];
      const look = (given: string, who: string) =>
        scene.see(`select app_private.own_scope(${text(given)}) = ${scopeOf(scene.person(who), given)}`);
      for (const [who, given] of [
        ["owner", name],
        ["owner", "\\x02"],
        ["admin", name],
      ] as const) {
        // The admission lasts until the next; app_user may not call the function itself.
        await scene.ask(admission(scene.person(who)), "select 1");
        found.push(await look(given, who));
      }
      await scene.see("set local app.context = ''");
      return [...found, await codeOf(look(name, "owner"))];
    },
  },
  {
    title: "app.begin_reauthentication takes one of five free attempts, and tells the caller of their own account",
    expected: [
      [[0, 1, true, "person-100@example.test", "Name of person-100@example.test"]],
      [[5, true]],
      [true],
      [[2]],
    ],
    actual: async (scene) => {
      const owner = scene.person("owner");
      await scene.see(count(scopeOf(owner), 4, 60));
      let answer: unknown[][] = [];
      const same = await staysSame(scene, [["throttles", `scope <> ${scopeOf(owner)}`]], async () => {
        answer = await scene.ask(admission(owner), begin);
      });
      return [
        answer.map(([wait, scheme, salt, ...rest]) => [wait, scheme, salt === owner.salt, ...rest]),
        await scene.see(attempts(scopeOf(owner))),
        same,
        (await scene.ask(admission(owner), begin)).map(([wait]) => [Math.min(Number(wait), 2)]),
      ];
    },
  },
];
