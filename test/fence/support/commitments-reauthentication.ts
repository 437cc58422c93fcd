import { attempts, begin, count, name, scopeOf } from "./commitments-attempts.ts";
import { id, type Person } from "./people.ts";
import { codesOf, lockerOf, staysSame, text, type Commitment, type Scene } from "./scene.ts";
import { admission } from "./world.ts";

const newHash = `$2b$04$${"n".repeat(22)}${"x".repeat(31)}`;
const newSalt = newHash.slice(0, 29);
const noticeId = id(8003);
const noticeKey = "\\x0d";
/** The owner's other session, begun for this. */
const otherSession = id(8001);
const asOwner = (scene: Scene) => admission(scene.person("owner"));
const reauthenticate = (hash: string | null, renewal = "") =>
  `select app.reauthenticate(${text(name)}, ${text(hash)}${renewal})`;
const change = (hash: string | null, notice = "") =>
  `select app.change_password(${text(name)}, ${text(hash)}, 2, ${text(newSalt)}, ${text(newHash)}, 'here'${notice})`;
const notice = `, '${noticeId}', ${text(noticeKey)}`;
const renewal = `, 2, ${text(newSalt)}, ${text(newHash)}`;

const verifierOf = (person: Person, hash: string) =>
  `select password_scheme, password_salt = ${text(hash.slice(0, 29))}, password_verifier = sha256(${text(hash)}::bytea) from users where id = '${person.id}'`;
const sessionsOf = ({ id: userId }: Person) =>
  `select id in ('${otherSession}', '${id(1100)}'), id = '${id(1100)}', revoked_at = now()::timestamptz(3), authenticated_at = now()::timestamptz(3)
     from sessions where user_id = '${userId}' order by 1, 2`;

/** Past the foreign keys, which lock the account as well. */
const addSession = ({ id: userId }: Person) =>
  `set local session_replication_role = replica;
   insert into sessions (id, user_id, handle_hash, authenticated_at, idle_expires_at, expires_at)
   values ('${otherSession}', '${userId}', sha256('other'), now() - interval '1 hour', now() + interval '1 day', now() + interval '1 day');
   set local session_replication_role = origin`;
const addTokens = ({ id: userId }: Person) =>
  `set local session_replication_role = replica;
   insert into one_time_tokens (id, user_id, purpose, email, key_hash, created_at, expires_at)
   select gen_random_uuid(), '${userId}', purpose, 'new@example.test', sha256(purpose::bytea), now() - interval '1 minute', now() + interval '1 hour'
     from unnest(array['verify_email', 'change_email_old', 'change_email_new']) purpose;
   set local session_replication_role = origin`;

/** Wrong in every way that a hash can be, for the owner. */
const wrongHashes = (scene: Scene): (string | null)[] => {
  const { hash, salt } = scene.person("owner");
  return [hash.replace(/.$/, "!"), salt, "", null, newHash.slice(0, 59)];
};
const everything: [table: string, condition?: string][] = [
  ["users"],
  ["sessions"],
  ["one_time_tokens"],
  ["outbox"],
  ["throttles"],
];

/** Passwords that are given again, and changed. */
export const reauthenticationCommitments: Commitment[] = [
  {
    title: "app.begin_reauthentication, app.reauthenticate and app.change_password are for those who are signed in",
    expected: [
      ["AP400", "AP400", "AP400"],
      [true, true, true, true, true],
    ],
    actual: async (scene) => {
      const { hash } = scene.person("owner");
      let codes: unknown;
      const same = await staysSame(scene, everything, async () => {
        codes = await codesOf(scene, null, [begin, reauthenticate(hash), change(hash)]);
      });
      return [codes, same];
    },
  },
  {
    title: "app.reauthenticate asks for the password of whoever is signed in, and takes nobody else's",
    expected: [[[true]], [[false]]],
    actual: async (scene) => {
      const admin = scene.person("admin");
      const asked = (hash: string) => scene.ask(admission(admin), reauthenticate(hash));
      return [await asked(admin.hash), await asked(scene.person("owner").hash)];
    },
  },
  {
    title: "app.reauthenticate makes the session fresh and forgets the person's attempts, and nothing else",
    expected: [
      [[true]],
      [
        [false, false, false, null],
        [true, false, null, false],
        [true, true, null, true],
      ],
      [],
      [true, true, true, true, true],
    ],
    actual: async (scene) => {
      const owner = scene.person("owner");
      await scene.see(addSession(owner));
      await scene.see(count(scopeOf(owner), 5000));
      await scene.see(count(scopeOf(scene.person("admin")), 3));
      let answer: unknown;
      const same = await staysSame(
        scene,
        [
          ["users", `id <> '${owner.id}'`],
          ["sessions", `id <> '${owner.sessionId}'`],
          ["one_time_tokens"],
          ["outbox"],
          ["throttles", `scope <> ${scopeOf(owner)}`],
        ],
        async () => {
          answer = await scene.ask(asOwner(scene), reauthenticate(owner.hash));
        },
      );
      const sessions = await scene.see(sessionsOf(owner));
      return [
        answer,
        sessions.map(([known, own, revoked, fresh]) => [known, own, revoked, known ? fresh : null]),
        await scene.see(attempts(scopeOf(owner))),
        same,
      ];
    },
  },
  {
    title: "app.reauthenticate keeps the hash, or replaces that of this account alone",
    expected: [[[1, true, true]], [[2, true, true]], [true]],
    actual: async (scene) => {
      const owner = scene.person("owner");
      await scene.ask(asOwner(scene), reauthenticate(owner.hash));
      const kept = await scene.see(verifierOf(owner, owner.hash));
      const same = await staysSame(scene, [["users", `id <> '${owner.id}'`]], () =>
        scene.ask(asOwner(scene), reauthenticate(owner.hash, renewal)),
      );
      return [kept, await scene.see(verifierOf(owner, newHash)), same];
    },
  },
  ...(["reauthenticate", "change_password"] as const).map((what): Commitment => {
    const ask = (hash: string | null) =>
      what === "reauthenticate" ? reauthenticate(hash, renewal) : change(hash, notice);
    return {
      title: `app.${what} refuses what is not the hash of the caller's own password, and does nothing`,
      expected: [Array(6).fill("APPWD"), [true, true, true, true, true]],
      actual: async (scene) => {
        const hashes = [
          ...wrongHashes(scene),
          scene.person("admin").hash.replace(/^.{29}/, scene.person("owner").salt),
        ];
        let codes: unknown;
        const same = await staysSame(scene, everything, async () => {
          codes = await codesOf(scene, asOwner(scene), hashes.map(ask));
        });
        return [codes, same];
      },
    };
  }),
  {
    title: "app.reauthenticate and app.change_password do nothing for a hash with parameters of before, and say so",
    expected: [[[false]], [[false]], [true, true, true, true, true]],
    actual: async (scene) => {
      const owner = scene.person("owner");
      await scene.see(addSession(owner));
      await scene.see(count(scopeOf(owner), 3));
      const answers: unknown[] = [];
      const same = await staysSame(scene, everything, async () => {
        answers.push(await scene.ask(asOwner(scene), reauthenticate(newHash, renewal)));
        answers.push(await scene.ask(asOwner(scene), change(newHash, notice)));
      });
      return [...answers, same];
    },
  },
  {
    title: "app.reauthenticate locks the account, so that no session begins with a password that is replaced meanwhile",
    expected: true,
    actual: async (scene) => {
      const owner = scene.person("owner");
      const before = await lockerOf(scene, owner);
      await scene.ask(asOwner(scene), reauthenticate(owner.hash));
      return before !== (await lockerOf(scene, owner));
    },
  },
  {
    title: "app.change_password replaces the caller's password, keeps their session alone, and ends all tokens but one",
    expected: [
      [[true]],
      [[2, true, true]],
      [
        [true, false, true, false],
        [true, true, null, true],
      ],
      [[true, true]],
      [["verify_email"]],
      [],
      [true, true, true, true, true],
    ],
    actual: async (scene) => {
      const owner = scene.person("owner");
      await scene.see(addSession(owner));
      await scene.see(addTokens(owner));
      await scene.see(count(scopeOf(owner), 3));
      const ended = `select array_agg(revoked_at order by id)::text from sessions where user_id = '${owner.id}' and id not in ('${otherSession}', '${owner.sessionId}')`;
      const [[before] = []] = await scene.see(ended);
      let answer: unknown;
      const same = await staysSame(
        scene,
        [
          ["users", `id <> '${owner.id}'`],
          ["sessions", `user_id <> '${owner.id}'`],
          ["one_time_tokens", `user_id <> '${owner.id}'`],
          ["outbox"],
          ["throttles", `scope <> ${scopeOf(owner)}`],
        ],
        async () => {
          answer = await scene.ask(asOwner(scene), change(owner.hash));
        },
      );
      return [
        answer,
        await scene.see(verifierOf(owner, newHash)),
        (await scene.see(sessionsOf(owner))).filter(([known]) => known),
        await scene.see(`select (${ended}) = ${text(String(before))}, (${ended}) is not null`),
        await scene.see(`select purpose from one_time_tokens where user_id = '${owner.id}' and expires_at > now()`),
        await scene.see(attempts(scopeOf(owner))),
        same,
      ];
    },
  },
  {
    title: "app.change_password tells the account's address of it",
    expected: [[[true, id(100), "person-100@example.test", "password_changed", 0, true, "here", true, true, 4]]],
    actual: async (scene) => {
      const owner = scene.person("owner");
      await scene.ask(asOwner(scene), change(owner.hash, notice));
      return [
        await scene.see(
          `select key_hash = sha256(${text(noticeKey)}), user_id, recipient, template, attempts, next_attempt_at <= now()::timestamptz(3),
                  data->>'ipAddress', data->>'name' = 'Name of ${owner.email}',
                  data->>'at' = to_char(now() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
                  (select count(*)::int from json_object_keys(data))
             from outbox where id = '${noticeId}'`,
        ),
      ];
    },
  },
];
