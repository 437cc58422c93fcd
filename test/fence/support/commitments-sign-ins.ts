import { account, count, counters, home, network, scopes } from "./commitments-sign-in-attempts.ts";
import { id } from "./people.ts";
import { staysSame, text, type Commitment, type Scene } from "./scene.ts";

const noticeId = id(8003);
const noticeKey = "\\x0d";

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

/** What a sign-in settles of the attempts, and whom it tells of a new device. */
export const signInCommitments: Commitment[] = [
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
];
