import { id } from "./people.ts";
import { staysSame, text, type Commitment, type Scene } from "./scene.ts";

const network = "\\x" + "a1".repeat(32);
const account = "\\x" + "a2".repeat(32);
const home = "\\x" + "a3".repeat(32);
const scopes = [network, account, home];
const noticeId = id(8003);
const noticeKey = "\\x0d";

const count = (scene: Scene, scope: string, attempts: number, age = "0 seconds") =>
  scene.see(
    `insert into throttles values (${text(scope)}, ${attempts}, date_trunc('milliseconds', now()) - interval '${age}')
     on conflict (scope) do update set attempts = excluded.attempts, attempted_at = excluded.attempted_at`,
  );
/** The three counters: attempts, and whether the last one was now. */
const counters = async (scene: Scene) => {
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

function signIn(
  scene: Scene,
  { agent = "agent", homeScope = home, notice = true }: { agent?: string; homeScope?: string | null; notice?: boolean },
) {
  const { email, hash } = scene.person("owner");
  return scene.ask(
    null,
    `select noticed from app.sign_in(${text(email)}, ${text(hash)}, '${id(8001)}', '\\x08', '1 day', 'here', ${agent ? text(agent) : "null"},
       null, null, null, null, ${text(network)}, ${text(account)}, ${text(homeScope)}${notice ? `, '${noticeId}', ${text(noticeKey)}` : ""})`,
  );
}

const agentsOf = (who: string, agent: string | null) => (scene: Scene) =>
  scene.see(`update sessions set user_agent = ${text(agent)} where user_id = '${scene.person(who).id}'`);
/** Past the foreign key and with what index Postgres likes, in the order of insertion. */
const addSessions = (scene: Scene, times: number, firstId: number, agent: string, isRevoked = false) =>
  scene.see(
    `insert into sessions (id, user_id, handle_hash, user_agent, idle_expires_at, expires_at, revoked_at)
     select ('019ab0de-1000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, '${scene.person("owner").id}', sha256(('more' || n)::bytea),
            ${text(agent)}, now(), now(), ${isRevoked ? "now()" : "null"} from generate_series(${firstId}, ${firstId + times - 1}) n`,
  );

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
    title: "app.sign_in gives the network its attempt back, forgets the account's, and begins a home",
    expected: [
      [[4, false], [], [0, true]],
      [true],
      [[], [], [0, true]],
      [true],
      [[], [], [0, true]],
      [true],
      [[7, false], [], []],
      [true],
    ],
    actual: async (scene) => {
      const found: unknown[] = [];
      await scene.see(
        `update throttles set attempts = 0 where scope = (select min(scope) from throttles where scope not in (${scopes.map(text).join(",")}))`,
      );
      for (const [attempts, homeScope] of [
        [5, home],
        [1, home],
        [0, home],
        [8, null],
      ] as const) {
        await scene.see("savepoint tried");
        await count(scene, network, attempts, "1 minute");
        await count(scene, account, 3);
        if (homeScope) await count(scene, home, 2, "1 day");
        const mails = "app_private.mail_scope('person-100@example.test')";
        const same = await staysSame(
          scene,
          [["throttles", `scope not in (${scopes.map(text).join(",")}, ${mails})`]],
          () => signIn(scene, { homeScope }),
        );
        found.push(await counters(scene), same);
        await scene.see("rollback to tried");
      }
      return found;
    },
  },
  {
    title: "app.sign_in settles the home that it was counted by, and nothing without counters",
    expected: [[[], [], [0, true]], [true]],
    actual: async (scene) => {
      const { email, hash } = scene.person("owner");
      const start = `select from app.sign_in(${text(email)}, ${text(hash)}, '${id(8001)}', '\\x08', '1 day', 'here', 'agent'`;
      await count(scene, home, 3);
      await scene.ask(null, `${start}, null, null, null, null, null, ${text(home)}, ${text(home)})`);
      const found = await counters(scene);
      await scene.see(`delete from sessions where id = '${id(8001)}'`);
      return [found, await staysSame(scene, [["throttles"]], () => scene.ask(null, `${start})`))];
    },
  },
  {
    title: "app.sign_in tells the account's address of a device that it has not seen",
    expected: [
      [[true]],
      [[true, id(100), "person-100@example.test", "new_device", 0, true]],
      [["here", "agent 2.0", true, true, 4]],
      [true],
    ],
    actual: async (scene) => {
      const owner = scene.person("owner");
      await agentsOf("admin", "agent 2.0")(scene);
      await scene.see(`update sessions set user_agent = 'agent 2.0' where user_id <> '${owner.id}'`);
      await agentsOf("owner", "another 2.0")(scene);
      let noticed: unknown;
      const same = await staysSame(scene, [["outbox", `id <> '${noticeId}'`]], async () => {
        noticed = await signIn(scene, { agent: "agent 2.0" });
      });
      return [
        noticed,
        await scene.see(
          `select key_hash = sha256(${text(noticeKey)}), user_id, recipient, template, attempts, next_attempt_at <= now()::timestamptz(3)
             from outbox where id = '${noticeId}'`,
        ),
        await scene.see(
          `select data->>'ipAddress', data->>'userAgent', data->>'name' = 'Name of ${owner.email}',
                  data->>'at' = to_char(now() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
                  (select count(*)::int from json_object_keys(data)) from outbox where id = '${noticeId}'`,
        ),
        same,
      ];
    },
  },
  ...(
    [
      ["the same device in another version", agentsOf("owner", "agent 1.9_8"), "agent 2.0", true, false],
      ["none where none was before", agentsOf("owner", null), "", true, false],
      ["none where one was before", agentsOf("owner", "agent"), "", true, true],
      ["one where none was before", agentsOf("owner", null), "agent", true, true],
      ["a new one without a notice", agentsOf("owner", "another"), "agent", false, false],
      [
        "the first of all",
        (scene) => scene.see(`delete from sessions where user_id = '${scene.person("owner").id}'`),
        "agent",
        true,
        false,
      ],
      [
        "one that lives still, however many have ended",
        async (scene) => {
          await addSessions(scene, 150, 2000, "another", true);
          await addSessions(scene, 1, 1000, "agent");
        },
        "agent",
        true,
        false,
      ],
      [
        "one from long before more than 50 others",
        async (scene) => {
          await addSessions(scene, 150, 2000, "another", true);
          await addSessions(scene, 1, 1000, "agent");
          await addSessions(scene, 150, 3000, "another");
        },
        "agent",
        true,
        true,
      ],
    ] as [string, (scene: Scene) => Promise<unknown>, string, boolean, boolean][]
  ).map(([what, prepare, agent, notice, isNews]): Commitment => ({
    title: `app.sign_in with ${what} is ${isNews ? "" : "no "}news`,
    expected: [[[isNews]], [[isNews ? 1 : 0]]],
    actual: async (scene) => {
      await prepare(scene);
      return [
        await signIn(scene, { agent, notice }),
        await scene.see(`select count(*)::int from outbox where template = 'new_device'`),
      ];
    },
  })),
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
  {
    title: "app.purge_expired takes 5000 counters of attempts and 5000 homes at once",
    about: "app.purge_expired",
    expected: [["10000"]],
    actual: async (scene) => {
      await scene.see(
        `insert into throttles select sha256(n::text::bytea), 1, now() - interval '16 hours' * (1 + 47 * (n % 2)) from generate_series(1, 10002) n;
         insert into throttles select sha256(n::text::bytea), 0, now() - interval '16 days' * (1 + n % 2) from generate_series(20001, 30002) n`,
      );
      // In the order of insertion, so that what is kept would take the place of what goes.
      await scene.see("discard plans; set local enable_indexscan = off; set local enable_bitmapscan = off");
      return scene.ask(null, "select app.purge_expired()");
    },
  },
];
