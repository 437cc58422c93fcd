import { id } from "./people.ts";
import { codeOf, staysSame, text, type Commitment, type Scene } from "./scene.ts";

/** How far both ends of the session are from now; `null` for one that is not there. */
const ends = (sessionId: string) =>
  `select (idle_expires_at - now()::timestamptz(3))::text, (expires_at - now()::timestamptz(3))::text from sessions where id = '${sessionId}'`;

async function signIn(scene: Scene, lifetime: string, idle: string): Promise<unknown> {
  const owner = scene.person("owner");
  await scene.ask(
    null,
    `select from app.sign_in(${text(owner.email)}, ${text(owner.hash)}, '${id(8001)}', '\\x08', '${lifetime}', null, null, p_idle => ${idle})`,
  );
  return scene.see(ends(id(8001)));
}

async function refresh(scene: Scene, change: string, generation: number, idle: string): Promise<unknown> {
  const { handle, sessionId } = scene.person("owner");
  await scene.see(`update sessions set ${change} where id = '${sessionId}'`);
  await scene.see("savepoint tried");
  const outcome = await codeOf(scene.ask(null, `select from app.refresh_session('${handle}', ${generation}, ${idle})`));
  if (outcome !== "done") await scene.see("rollback to tried");
  return [outcome, await scene.see(ends(sessionId))];
}

const inAnHour =
  "idle_expires_at = now()::timestamptz(3) + interval '1 hour', expires_at = now()::timestamptz(3) + interval '5 days'";
const third = `${inAnHour}, refresh_generation = 3, refreshed_at = clock_timestamp() - interval`;

/** The owner's session is older than these. */
const addSessions = (scene: Scene, times: number, revokedAt: string) =>
  scene.see(
    `insert into sessions (id, user_id, handle_hash, idle_expires_at, expires_at, revoked_at)
     select ('019ab0de-1000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, '${scene.person("owner").id}', sha256(('more' || n)::bytea),
            now() + interval '1 day', now() + interval '1 day', ${revokedAt} from generate_series(1, ${times}) n`,
  );

/** When sessions end, and what of them is forgotten. */
export const sessionCommitments: Commitment[] = [
  ...(
    [
      ["30 days", "'7 days'", "7 days", "30 days"],
      ["7 days", "'30 days'", "7 days", "7 days"],
      ["7 days", "null", "7 days", "7 days"],
      ["400 days", "'300 days'", "300 days", "365 days"],
      ["400 days", "'380 days'", "365 days", "365 days"],
      ["400 days", "null", "365 days", "365 days"],
    ] as [string, string, string, string][]
  ).map(([lifetime, idle, idleEnd, end]): Commitment => ({
    title: `app.sign_in, for ${lifetime} and ${idle} unused, ends the session after ${end} and ${idleEnd}`,
    expected: [[idleEnd, end]],
    actual: (scene) => signIn(scene, lifetime, idle),
  })),
  ...(
    [
      ["begins the idle time anew", `${third} '1 hour'`, 3, "'2 days'", "done", "2 days", "5 days"],
      ["leads no further than the end", `${third} '1 hour'`, 3, "'6 days'", "done", "5 days", "5 days"],
      ["without an idle time leads to the end", `${third} '1 hour'`, 3, "null", "done", "5 days", "5 days"],
      ["that is repeated gives no more time", `${third} '9 seconds'`, 2, "'2 days'", "done", "01:00:00", "5 days"],
      ["that is reused gives no more time", `${third} '1 second'`, 1, "'2 days'", "done", "01:00:00", "5 days"],
      [
        "comes too late for a session that was not used",
        "idle_expires_at = now()::timestamptz(3) - interval '1 second', expires_at = now()::timestamptz(3) + interval '5 days'",
        1,
        "'2 days'",
        "AP401",
        "-00:00:01",
        "5 days",
      ],
      [
        "comes too late for a session that has ended",
        "idle_expires_at = now()::timestamptz(3) + interval '5 days', expires_at = now()::timestamptz(3) - interval '1 second'",
        1,
        "'2 days'",
        "AP401",
        "5 days",
        "-00:00:01",
      ],
    ] as [string, string, number, string, string, string, string][]
  ).map(([what, change, generation, idle, outcome, idleEnd, end]): Commitment => ({
    title: `app.refresh_session ${what}`,
    expected: [outcome, [[idleEnd, end]]],
    actual: (scene) => refresh(scene, change, generation, idle),
  })),
  ...(
    [
      [98, "null", [100, 0, true]],
      [99, "null", [100, 1, true]],
      [120, "null", [100, 22, true]],
      [300, "null", [202, 100, false]],
      [120, "now() - interval '1 day'", [2, 0, true]],
    ] as [number, string, unknown[]][]
  ).map(([times, revokedAt, expected]): Commitment => ({
    title: `app.sign_in ends the oldest of 100 sessions, beside ${times} newer ones revoked ${revokedAt}`,
    expected: [[expected], [true]],
    actual: async (scene) => {
      const { id: userId } = scene.person("owner");
      await addSessions(scene, times, revokedAt);
      const same = await staysSame(scene, [["sessions", `user_id <> '${userId}'`]], () =>
        signIn(scene, "1 day", "null"),
      );
      const mine = `sessions where user_id = '${userId}'`;
      return [
        await scene.see(
          `select (select count(*)::int from ${mine} and revoked_at is null), (select count(*)::int from ${mine} and revoked_at = now()::timestamptz(3)),
                  coalesce((select max(id::text) from ${mine} and revoked_at = now()::timestamptz(3)), '') < (select min(id::text) from ${mine} and revoked_at is null and id <> '${id(8001)}')`,
        ),
        same,
      ];
    },
  })),
  ...["revoked_at", "idle_expires_at", "expires_at"].map((column): Commitment => ({
    title: `app.purge_expired forgets sessions 30 days after the first of their ends, by ${column}`,
    expected: [[["1"]], [[true, false]]],
    actual: async (scene) => {
      const [kept, old] = [scene.person("owner").sessionId, scene.person("admin").sessionId];
      await scene.see("update sessions set idle_expires_at = now(), expires_at = now()");
      await scene.see(`update sessions set ${column} = now() - interval '29 days 23 hours' where id = '${kept}'`);
      await scene.see(`update sessions set ${column} = now() - interval '30 days 1 hour' where id = '${old}'`);
      const there = (sessionId: string) => `exists (select from sessions where id = '${sessionId}')`;
      return [
        await scene.ask(null, "select app.purge_expired()"),
        await scene.see(`select ${there(kept)}, ${there(old)}`),
      ];
    },
  })),
  {
    title: "app.purge_expired forgets a challenge an hour after it was spent, and not before",
    expected: [[["1"]], [[true]]],
    actual: async (scene) => {
      await scene.see(
        `delete from spent_challenges;
         insert into spent_challenges (key_hash, created_at) values (sha256('old'), now() - interval '61 minutes'), (sha256('new'), now() - interval '59 minutes')`,
      );
      return [
        await scene.ask(null, "select app.purge_expired()"),
        await scene.see("select key_hash = sha256('new') from spent_challenges"),
      ];
    },
  },
  {
    title: "app.password_parameters knows nobody who has no password",
    expected: [],
    actual: async (scene) => {
      const { id: userId, email } = scene.person("owner");
      await scene.see(
        `update users set password_scheme = null, password_salt = null, password_verifier = null where id = '${userId}'`,
      );
      return scene.ask(null, `select * from app.password_parameters(${text(email)})`);
    },
  },
  ...(["passkey", "none"] as const).map((factor): Commitment => ({
    title: `app_private.start_session, with a second factor to wait for or not (${factor}), ends none of the other kind`,
    about: "app_private.start_session",
    expected: factor === "none" ? [[12, 100]] : [[10, 121]],
    actual: async (scene) => {
      const { id: userId } = scene.person("owner");
      await addSessions(scene, 120, "null");
      await scene.see(
        `insert into sessions (id, user_id, handle_hash, second_factor, idle_expires_at, expires_at)
         select gen_random_uuid(), '${userId}', sha256(('pending' || n)::bytea), 'pending', now() + interval '1 day', now() + interval '1 day' from generate_series(1, 12) n`,
      );
      if (factor === "passkey")
        await scene.see(
          `insert into passkeys (id, user_id, name, credential_id, public_key, sign_count, transports, backed_up)
           values (gen_random_uuid(), '${userId}', 'key', 'credential of this scene', 'key', 0, '', false)`,
        );
      await signIn(scene, "1 day", "null");
      return scene.see(
        `select count(*) filter (where second_factor = 'pending')::int, count(*) filter (where second_factor is null)::int
           from sessions where user_id = '${userId}' and revoked_at is null`,
      );
    },
  })),
];
