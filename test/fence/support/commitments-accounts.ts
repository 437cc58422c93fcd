import { id, type Person } from "./people.ts";
import { codeOf, text, type Commitment, type Scene } from "./scene.ts";

const newHash = `$2b$04$${"n".repeat(22)}${"x".repeat(31)}`;
const newSalt = newHash.slice(0, 29);

function signIn(person: Person, hash: string, { lifetime = "1 day", renew = "" } = {}): string {
  return `select id, email, name from app.sign_in(${text(person.email)}, ${text(hash)}, '${id(8001)}', '\\x08', '${lifetime}', 'here', 'agent'${renew})`;
}

const renewal = `, 2, ${text(newSalt)}, ${text(newHash)}`;
const sessionsMade = `select user_id, handle_hash = sha256('\\x08'), ip_address, user_agent, expires_at = (now() + interval '1 day')::timestamptz(3)
  from sessions where id = '${id(8001)}'`;
const verifierOf = (person: Person, hash: string) =>
  `select password_scheme, password_salt = ${text(hash.slice(0, 29))}, password_verifier = sha256(${text(hash)}::bytea) from users where id = '${person.id}'`;

async function refresh(scene: Scene, who: string, prepare: string, generation: number): Promise<unknown> {
  const { handle, sessionId } = scene.person(who);
  if (prepare) await scene.see(`update sessions set ${prepare} where id = '${sessionId}'`);
  const answer = await rowsOrCode(
    scene.ask(
      null,
      `select outcome, generation, user_id = '${scene.person(who).id}', session_id = '${sessionId}', expires_at > now()
                       from app.refresh_session('${handle}', ${generation})`,
    ),
  );
  const kept = await scene
    .see(
      `select refresh_generation, revoked_at = now()::timestamptz(3), clock_timestamp() - refreshed_at < interval '5 seconds' from sessions where id = '${sessionId}'`,
    )
    .catch(() => null);
  return [answer, kept];
}

function rowsOrCode(rows: Promise<unknown[][]>): Promise<unknown> {
  return rows.then(
    (found) => found,
    (error: { code?: string }) => error.code,
  );
}

const third = "refresh_generation = 3, refreshed_at = clock_timestamp() - interval";

/** Signing up, signing in, and staying signed in. */
export const accountCommitments: Commitment[] = [
  {
    title: "app.sign_up keeps a verifier in place of the hash",
    expected: [[[id(8000), "new@example.test", "New"]], [[2, true, true]]],
    actual: async (scene) => [
      await scene.ask(
        null,
        `select id, email, name from app.sign_up('${id(8000)}', 'new@example.test', 'New', 2, ${text(newSalt)}, ${text(newHash)}, null, null)`,
      ),
      await scene.see(verifierOf({ ...scene.person("owner"), id: id(8000) }, newHash)),
    ],
  },
  {
    title: "app.password_parameters tells of the one address that it is asked for",
    expected: [[[1, true]], []],
    actual: async (scene) => {
      const { email, salt } = scene.person("owner");
      const ask = (address: string) =>
        scene.ask(null, `select scheme, salt = ${text(salt)} from app.password_parameters(${text(address)})`);
      return [await ask(email), await ask("unknown@example.test")];
    },
  },
  {
    title: "app.sign_in starts one session, with the handle's hash",
    expected: [
      [[id(100), "person-100@example.test", "Name of person-100@example.test"]],
      [[id(100), true, "here", "agent", true]],
      [[1, true, true]],
    ],
    actual: async (scene) => {
      const owner = scene.person("owner");
      return [
        await scene.ask(null, signIn(owner, owner.hash)),
        await scene.see(sessionsMade),
        await scene.see(verifierOf(owner, owner.hash)),
      ];
    },
  },
  {
    title: "app.sign_in renews the verifier of that account alone",
    expected: [[[2, true, true]], [[1, true, true]], [[1, false, true]]],
    actual: async (scene) => {
      const { owner, admin } = { owner: scene.person("owner"), admin: scene.person("admin") };
      const copy = `password_verifier = (select password_verifier from users where id = '${owner.id}')`;
      await scene.see(`update users set ${copy} where id = '${scene.person("viewer").id}'`);
      await scene.ask(null, signIn(owner, owner.hash, { renew: renewal }));
      return [
        await scene.see(verifierOf(owner, newHash)),
        await scene.see(verifierOf(admin, admin.hash)),
        await scene.see(verifierOf(scene.person("viewer"), owner.hash)),
      ];
    },
  },
  {
    title: "app.sign_in keeps no session for longer than a year",
    expected: [[true, true]],
    actual: async (scene) => {
      const owner = scene.person("owner");
      await scene.ask(null, signIn(owner, owner.hash, { lifetime: "400 days" }));
      return scene.see(
        `select expires_at = (now() + interval '365 days')::timestamptz(3), idle_expires_at = expires_at from sessions where id = '${id(8001)}'`,
      );
    },
  },
  ...(
    [
      ["a wrong hash", (s) => signIn(s.person("owner"), s.person("owner").hash.replace(/.$/, "!"))],
      ["the verifier in place of the hash", (s) => signIn(s.person("owner"), s.person("owner").salt)],
      ["an empty hash", (s) => signIn(s.person("owner"), "")],
      [
        "the hash of somebody else",
        (s) => signIn({ ...s.person("owner"), email: "no@example.test" }, s.person("owner").hash),
      ],
      ["a disabled account", (s) => signIn(s.person("disabled"), s.person("disabled").hash)],
      ["a short hash with other parameters", (s) => signIn(s.person("owner"), newHash.slice(0, 59))],
    ] as [string, (scene: Scene) => string][]
  ).map(([what, statement]): Commitment => ({
    title: `app.sign_in lets nobody in by ${what}`,
    expected: [[[null, null, null]], []],
    actual: async (scene) => [await scene.ask(null, statement(scene)), await scene.see(sessionsMade)],
  })),
  {
    title: "app.sign_in writes a row for an address without an account too, so that nothing takes less time",
    expected: [[1], [0]],
    actual: async (scene) => {
      const owner = scene.person("owner");
      const found: unknown[] = [];
      for (const person of [{ ...owner, email: "no@example.test" }, owner]) {
        const count = "select count(*)::int from spent_challenges";
        const [[before] = []] = await scene.see(count);
        await scene.ask(null, signIn(person, "wrong"));
        const [[after] = []] = await scene.see(count);
        found.push([Number(after) - Number(before)]);
      }
      return found;
    },
  },
  {
    title: "app.sign_in answers nothing, and starts nothing, for a hash with parameters of before",
    expected: [[], [], [[null, null, null]]],
    actual: async (scene) => {
      const owner = scene.person("owner");
      return [
        await scene.ask(null, signIn(owner, newHash, { renew: renewal })),
        await scene.see(sessionsMade),
        await scene.ask(null, signIn({ ...owner, email: "no@example.test" }, newHash)),
      ];
    },
  },
  ...(
    [
      ["rotates the current token", `${third} '1 hour'`, 3, [[["rotated", 4, true, true, true]], [[4, null, true]]]],
      [
        "repeats the one before for 10 seconds",
        `${third} '9 seconds'`,
        2,
        [[["repeated", 3, true, true, true]], [[3, null, false]]],
      ],
      [
        "revokes when it comes later",
        `${third} '11 seconds'`,
        2,
        [[["reused", 3, true, true, true]], [[3, true, false]]],
      ],
      ["revokes for an older one", `${third} '1 second'`, 1, [[["reused", 3, true, true, true]], [[3, true, true]]]],
      [
        "revokes for one that was never given",
        `${third} '1 second'`,
        4,
        [[["reused", 3, true, true, true]], [[3, true, true]]],
      ],
      ["refuses a revoked session", "revoked_at = now()", 1, "AP401"],
      ["refuses an expired session", "expires_at = now() - interval '1 second'", 1, "AP401"],
      ["refuses a session that was idle too long", "idle_expires_at = now() - interval '1 second'", 1, "AP401"],
    ] as [string, string, number, unknown][]
  ).map(([what, prepare, generation, expected]): Commitment => ({
    title: `app.refresh_session ${what}`,
    expected: expected === "AP401" ? [expected, null] : expected,
    actual: (scene) => refresh(scene, "owner", prepare, generation),
  })),
  {
    title: "app.refresh_session refuses a disabled person and an unknown handle",
    expected: ["AP401", "AP401"],
    actual: async (scene) => {
      const ask = (handle: string) =>
        scene.ask(null, "savepoint tried", `select from app.refresh_session('${handle}', 1)`);
      const codes = [];
      for (const handle of [scene.person("disabled").handle, "\\x00"]) {
        codes.push(await codeOf(ask(handle)));
        await scene.see("rollback to tried");
      }
      return codes;
    },
  },
  {
    title: "app.refresh_session leaves every other session as it is",
    expected: true,
    actual: async (scene) => {
      const others = `select md5(string_agg(ctid || s::text, '|' order by ctid)) from sessions s where id <> '${scene.person("owner").sessionId}'`;
      const before = await scene.see(others);
      await refresh(scene, "owner", "", 1);
      await refresh(scene, "owner", "", 9);
      return JSON.stringify(before) === JSON.stringify(await scene.see(others));
    },
  },
  {
    title: "app.refresh_session locks the session, so that two at once cannot both rotate",
    expected: [[true]],
    actual: async (scene) => {
      const { handle, sessionId } = scene.person("owner");
      await scene.see(`update sessions set ${third} '1 second' where id = '${sessionId}'`);
      await scene.ask(null, `select from app.refresh_session('${handle}', 2)`);
      return scene.see(`select xmax <> 0 from sessions where id = '${sessionId}'`);
    },
  },
];
