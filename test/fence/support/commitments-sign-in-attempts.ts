import { staysSame, text, type Commitment, type Scene } from "./scene.ts";

export const network = "\\x" + "a1".repeat(32);
export const account = "\\x" + "a2".repeat(32);
export const home = "\\x" + "a3".repeat(32);
export const scopes = [network, account, home];

export const count = (scene: Scene, scope: string, attempts: number, age = "0 seconds") =>
  scene.see(
    `insert into throttles values (${text(scope)}, ${attempts}, date_trunc('milliseconds', now()) - interval '${age}')
     on conflict (scope) do update set attempts = excluded.attempts, attempted_at = excluded.attempted_at`,
  );
/** The three counters: attempts, and whether the last one was now. */
export const counters = async (scene: Scene) => {
  const rows: unknown[][] = [];
  for (const scope of scopes) {
    const [row = []] = await scene.see(
      `select attempts, abs(extract(epoch from now() - attempted_at)) < 0.002 from throttles where scope = ${text(scope)}`,
    );
    rows.push(row);
  }
  return rows;
};
const takeAttempt = (scene: Scene, homeScope: string | null = home) =>
  scene.ask(
    null,
    `select array_position(array[${scopes.map(text).join(",")}]::bytea[], account_scope), wait_seconds
       from app.take_sign_in_attempt(${text(network)}, ${text(account)}, ${text(homeScope)})`,
  );
const othersStay = (scene: Scene, work: () => Promise<unknown>) =>
  staysSame(scene, [["throttles", `scope not in (${scopes.map(text).join(",")})`], ["users"], ["sessions"]], work);

/** What protects sign-in: counted attempts, and notices of new devices. */
export const signInAttemptCommitments: Commitment[] = [
  {
    title: "app.take_sign_in_attempt counts for the network and the account, and for nobody else",
    expected: [[[2, 0]], [[1, true], [1, true], []], [[2, 0]], [[2, true], [2, true], []], [true, true, true]],
    actual: async (scene) => {
      const found: unknown[] = [];
      const same = await othersStay(scene, async () => {
        found.push(await takeAttempt(scene), await counters(scene));
        found.push(await takeAttempt(scene, null), await counters(scene));
      });
      return [...found, same];
    },
  },
  {
    title: "app.take_sign_in_attempt counts for the home in place of the account once it has begun",
    expected: [
      [[3, 0]],
      [
        [8, true],
        [20, true],
        [1, true],
      ],
    ],
    actual: async (scene) => {
      await count(scene, network, 7);
      await count(scene, account, 20);
      await count(scene, home, 0, "20 days");
      return [await takeAttempt(scene), await counters(scene)];
    },
  },
  {
    title:
      "app.take_sign_in_attempt refuses after 20 of the network, before it looks at the account, and counts nothing",
    expected: [[[2, 8]], [[22, true], [], []], [[2, 8]], [[22, true], [5, false], []]],
    actual: async (scene) => {
      await count(scene, network, 22);
      const found: unknown[] = [await takeAttempt(scene), await counters(scene)];
      await count(scene, account, 5, "1 minute");
      return [...found, await takeAttempt(scene), await counters(scene)];
    },
  },
  {
    title: "app.take_sign_in_attempt refuses after 5 of the account or the home, counts nothing, and begins no network",
    expected: [[[2, 16]], [[], [8, true], []], [[2, 16]], [[19, false], [8, true], []], [[3, 2]], [true, true, true]],
    actual: async (scene) => {
      const found: unknown[] = [];
      await scene.see(
        `update throttles set attempts = 0 where scope = (select min(scope) from throttles where scope not in (${scopes.map(text).join(",")}))`,
      );
      const same = await othersStay(scene, async () => {
        await count(scene, account, 8);
        found.push(await takeAttempt(scene), await counters(scene));
        await count(scene, network, 19, "1 minute");
        found.push(await takeAttempt(scene), await counters(scene));
        await count(scene, home, 5);
        found.push(await takeAttempt(scene));
      });
      return [...found, same];
    },
  },
  {
    title: "app.purge_expired forgets attempts after 24 hours and homes after 30 days without one, and nothing else",
    expected: [[["2"]], [[5, false], [], []], [[0, 1]], [true]],
    actual: async (scene) => {
      const others = `scope not in (${scopes.map(text).join(",")})`;
      const kept = `select attempts, count(*)::int from throttles where attempts = 0 group by 1`;
      await scene.see(
        `update throttles set attempted_at = now();
         update throttles set attempts = 0, attempted_at = now() - interval '29 days 23 hours' where scope = (select min(scope) from throttles)`,
      );
      await count(scene, network, 5, "23 hours 59 minutes");
      await count(scene, account, 1, "24 hours 1 minute");
      await count(scene, home, 0, "30 days 1 hour");
      let purged: unknown;
      const same = await staysSame(scene, [["throttles", others]], async () => {
        purged = await scene.ask(null, "select app.purge_expired()");
      });
      return [purged, await counters(scene), await scene.see(kept), same];
    },
  },
];
