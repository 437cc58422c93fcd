import { addTokens, asOwner, mailed, messageMade, nameOf, newId, newKey, owner, verified } from "./mailed-tokens.ts";
import { id, type Person } from "./people.ts";
import { attempt, lockerOf, staysSame, text, type Commitment, type Scene } from "./scene.ts";

const codeKey = "\\x0c";
const [network, account, home] = ["a1", "a2", "a3"].map((byte) => `\\x${byte.repeat(32)}`);
const notice = { id: id(8005), key: "\\x0f" };
const session = `'${id(8001)}', '\\x08', '1 day', '1 hour', 'here', 'agent'`;
const ofPeople = "users sessions identities totp_factors recovery_codes passkeys one_time_tokens".split(" ");

const request = (email: string) =>
  `select app.request_email_sign_in(${text(email)}, ${mailed(newId)}, ${text(codeKey)})`;
const byLink = (key: string) =>
  `select id, email_verified, noticed, factors from app.sign_in_by_link(${text(key)}, ${session}, '${notice.id}', ${text(notice.key)})`;
const byCode = (email: string, keys: string[]) =>
  `select wait_seconds, (session).id, (session).email_verified, (session).noticed, (session).factors
     from app.sign_in_by_code(${text(email)}, array[${keys.map(text).join(",")}]::bytea[], ${session},
       ${[network, account, home].map((scope) => text(scope ?? "")).join(", ")}, '${notice.id}', ${text(notice.key)})`;

/** A mail that they got a minute ago; the foreign key's look at the account would lock it as well. */
const give = (scene: Scene, { id: userId }: Person, { key = newKey, code = codeKey, left = "9 minutes" } = {}) =>
  scene.see(
    `set local session_replication_role = replica;
     insert into one_time_tokens (id, user_id, purpose, key_hash, code_hash, created_at, expires_at)
     values (gen_random_uuid(), '${userId}', 'sign_in', sha256(${text(key)}), sha256(${text(code)}), now() - interval '1 minute', now() + interval '${left}');
     set local session_replication_role = origin`,
  );
const liveTokens = ({ id: userId }: Person) =>
  `select count(*)::int from one_time_tokens where user_id = '${userId}' and purpose = 'sign_in' and expires_at > now()`;
const sessionMade = `select user_id, handle_hash = sha256('\\x08'), second_factor from sessions where id = '${id(8001)}'`;
const attempts = async (scene: Scene) => {
  const [row = []] = await scene.see(
    `select ${[network, account, home].map((scope) => `(select attempts from throttles where scope = ${text(scope ?? "")})`).join(", ")}`,
  );
  return row;
};
const count = (scene: Scene, scope: string | undefined, made: number) =>
  scene.see(`insert into throttles values (${text(scope ?? "")}, ${made}, date_trunc('milliseconds', now()))`);

/** What both ways of signing in promise. */
const ways: [string, (person: Person, keys?: { key?: string; code?: string }) => string, unknown, unknown[]][] = [
  ["app.sign_in_by_link", (_, { key = newKey } = {}) => byLink(key), "APTOK", []],
  [
    "app.sign_in_by_code",
    ({ email }, { code = codeKey } = {}) => byCode(email, ["\\x0a", code]),
    [[0, null, null, null, null]],
    [0],
  ],
];

const shared = ways.flatMap(([name, signIn, refused, before]): Commitment[] => [
  {
    title: `${name} begins a session of whoever proved their address, and leaves all else of theirs`,
    expected: [
      [[...before, id(102), true, true, null]],
      [[id(102), true, null]],
      [[0]],
      [true, true, true, true, true, true, true],
    ],
    actual: async (scene) => {
      const member = scene.person("member");
      await verified(scene, member);
      await give(scene, member);
      await give(scene, scene.person("viewer"), { key: "\\x10", code: "\\x11" });
      let answer: unknown;
      const same = await staysSame(
        scene,
        [
          ["users"],
          ["sessions", `id <> '${id(8001)}'`],
          ["outbox", `id <> '${notice.id}'`],
          ["identities"],
          ["totp_factors"],
          ["recovery_codes"],
          ["one_time_tokens", `user_id <> '${member.id}' or purpose <> 'sign_in'`],
        ],
        async () => {
          answer = await scene.ask(null, signIn(member));
        },
      );
      return [answer, await scene.see(sessionMade), await scene.see(liveTokens(member)), same];
    },
  },
  {
    title: `${name} hands an account whose address nobody proved over, with no way in but this`,
    expected: [
      [[...before, id(100), true, true, null]],
      [[true, null, null, null]],
      [[1, 0, 0, 0, 0]],
      [[0]],
      Array(10).fill(true),
    ],
    actual: async (scene) => {
      const person = scene.person("owner");
      await give(scene, person);
      await addTokens(scene, person, [{ purpose: "verify_email" }, { purpose: "change_email_new" }]);
      await give(scene, person, { key: "\\x10", code: "\\x11", left: "-1 seconds" });
      await give(scene, scene.person("member"), { key: "\\x12", code: "\\x13" });
      let answer: unknown;
      const others = ofPeople.map((table): [string, string] => [
        table,
        `${table === "users" ? "id" : "user_id"} <> '${person.id}'`,
      ]);
      const ended: [string, string][] = [
        ["sessions", `user_id = '${person.id}' and id not in ('${person.sessionId}', '${id(8001)}')`],
        ["one_time_tokens", `user_id = '${person.id}' and key_hash = sha256('\\x10')`],
      ];
      const same = await staysSame(scene, [...others, ...ended, ["outbox", `id <> '${notice.id}'`]], async () => {
        answer = await scene.ask(null, signIn(person));
      });
      const mine = (table: string, rest = "") =>
        `(select count(*)::int from ${table} where user_id = '${person.id}'${rest})`;
      return [
        answer,
        await scene.see(
          `select email_verified_at = now()::timestamptz(3), password_scheme, password_salt, password_verifier from users where id = '${person.id}'`,
        ),
        await scene.see(
          `select ${mine("sessions", " and revoked_at is null")}, ${mine("identities")}, ${mine("totp_factors")}, ${mine("recovery_codes")}, ${mine("passkeys")}`,
        ),
        await scene.see(
          `select count(*)::int from one_time_tokens where user_id = '${person.id}' and expires_at > now()`,
        ),
        same,
      ];
    },
  },
  {
    title: `${name} neither passes a second factor nor proves the address of whoever has it`,
    expected: [
      [[...before, id(101), false, true, ["passkey", "recovery_code"]]],
      [[id(101), true, "pending"]],
      [true, true, true, true, true],
    ],
    actual: async (scene) => {
      const admin = scene.person("admin");
      await give(scene, admin);
      let answer: unknown;
      const same = await staysSame(
        scene,
        [
          ["users"],
          ["sessions", `id <> '${id(8001)}'`],
          ["identities"],
          ["recovery_codes"],
          ["one_time_tokens", "purpose <> 'sign_in'"],
        ],
        async () => {
          answer = await scene.ask(null, signIn(admin));
        },
      );
      return [answer, await scene.see(sessionMade), same];
    },
  },
  {
    title: `${name} takes a mail once, and with it every other one to sign in with`,
    expected: [true, refused, refused, [[0]]],
    actual: async (scene) => {
      const member = scene.person("member");
      await verified(scene, member);
      await give(scene, member);
      await give(scene, member, { key: "\\x10", code: "\\x11" });
      const first = await scene.ask(null, signIn(member));
      const again = async (keys: { key: string; code: string }) =>
        outcomeOf(scene, signIn(member, keys).replaceAll(id(8001), id(8002)).replaceAll("'\\x08'", "'\\x09'"));
      return [
        first[0]?.includes(member.id),
        await again({ key: newKey, code: codeKey }),
        await again({ key: "\\x10", code: "\\x11" }),
        await scene.see(liveTokens(member)),
      ];
    },
  },
  {
    title: `${name} takes nothing that is unknown, expired, for something else, of a disabled account, or what is stored`,
    expected: [Array(6).fill(refused), [true, true, true, true]],
    actual: async (scene) => {
      const [person, admin, disabled, viewer] = ["owner", "admin", "disabled", "viewer"].map((name) =>
        scene.person(name),
      ) as [Person, Person, Person, Person];
      await scene.see("alter table one_time_tokens drop constraint one_time_tokens_code_given");
      await give(scene, person);
      await give(scene, admin, { key: "\\x10", code: "\\x11", left: "-1 seconds" });
      await give(scene, disabled, { key: "\\x12", code: "\\x13" });
      await give(scene, viewer, { key: "\\x14", code: "\\x15" });
      await scene.see(`update one_time_tokens set purpose = 'reset_password' where key_hash = sha256('\\x14')`);
      const [[keyHash, codeHash] = []] = await scene.see(
        `select key_hash::text, code_hash::text from one_time_tokens where key_hash = sha256(${text(newKey)})`,
      );
      const tries: [Person, { key?: string; code?: string }][] = [
        [person, { key: "\\x16", code: "\\x16" }],
        [person, { key: String(keyHash), code: String(codeHash) }],
        [admin, { key: "\\x10", code: "\\x11" }],
        [disabled, { key: "\\x12", code: "\\x13" }],
        [viewer, { key: "\\x14", code: "\\x15" }],
        // A code is good for its own address alone; a link has none.
        [scene.person("member"), name.endsWith("code") ? {} : { key: "\\x16" }],
      ];
      const outcomes: unknown[] = [];
      const same = await staysSame(scene, [["users"], ["sessions"], ["one_time_tokens"], ["outbox"]], async () => {
        for (const [whose, keys] of tries) outcomes.push(await outcomeOf(scene, signIn(whose, keys)));
      });
      return [outcomes, same];
    },
  },
  {
    title: `${name} locks the account, as every sign-in does`,
    expected: true,
    actual: async (scene) => {
      const admin = scene.person("admin");
      await give(scene, admin);
      // Past the foreign key of the session, which would lock the account as well.
      await scene.see("set local session_replication_role = replica");
      const before = await lockerOf(scene, admin);
      await scene.ask(null, signIn(admin));
      return before !== (await lockerOf(scene, admin));
    },
  },
]);

/** Its rows, or its error; the effects are taken back. */
async function outcomeOf(scene: Scene, statement: string): Promise<unknown> {
  let rows: unknown;
  const outcome = await attempt(scene, async () => {
    rows = await scene.ask(null, statement);
  });
  return outcome === "done" ? rows : outcome;
}

/** Sign-in by a mailed link or code. */
export const emailSignInCommitments: Commitment[] = [
  ...shared,
  {
    title: "app.request_email_sign_in mails a token with a code for ten minutes, and ends the one before",
    expected: [
      [[id(100), "sign_in", null, true, true, 600]],
      [[id(100), owner, "sign_in", true, nameOf(owner)]],
      [[1]],
      [true, true, true, true],
    ],
    actual: async (scene) => {
      const person = scene.person("owner");
      await give(scene, person, { key: "\\x10", code: "\\x11" });
      await give(scene, scene.person("member"), { key: "\\x12", code: "\\x13" });
      const same = await staysSame(
        scene,
        [
          ["users"],
          ["sessions"],
          ["one_time_tokens", `user_id <> '${person.id}' or purpose <> 'sign_in'`],
          ["outbox", `id <> '${newId}'`],
        ],
        () => scene.ask(null, request(person.email)),
      );
      return [
        await scene.see(
          `select user_id, purpose, email, key_hash = sha256(${text(newKey)}), code_hash = sha256(${text(codeKey)}), extract(epoch from expires_at - now()::timestamptz(3))::int
             from one_time_tokens where id = '${newId}'`,
        ),
        await scene.see(messageMade(newId, newKey)),
        await scene.see(liveTokens(person)),
        same,
      ];
    },
  },
  {
    title: "app.request_email_sign_in mails nobody for an address that is unknown or disabled, and after five an hour",
    expected: [
      [[null, null, "sign_in", true, "{}"]],
      [[null, null, "sign_in", true, "{}"]],
      [[null, null, "sign_in", true, "{}"]],
      [true],
    ],
    actual: async (scene) => {
      const person = scene.person("owner");
      for (let n = 0; n < 5; n++) await give(scene, person, { key: `\\x2${n}`, code: `\\x3${n}` });
      const found: unknown[] = [];
      const same = await staysSame(scene, [["one_time_tokens"]], async () => {
        for (const email of ["unknown@example.test", scene.person("disabled").email, person.email]) {
          await scene.see("savepoint asked");
          await scene.ask(null, request(email));
          found.push(await scene.see(messageMade(newId, newKey)));
          await scene.see("rollback to asked");
        }
      });
      return [...found, same];
    },
  },
  {
    title: "app.forgot_password leaves a mail to sign in with as it is",
    expected: [[1]],
    actual: async (scene) => {
      const person = scene.person("owner");
      await give(scene, person, { key: "\\x10" });
      await scene.ask(null, `select app.forgot_password(${text(person.email)}, ${mailed(newId)})`);
      return scene.see(liveTokens(person));
    },
  },
  {
    title: "a new password or address ends the mails to sign in with",
    expected: [[[0]], [[0]], [[0]]],
    actual: async (scene) => {
      const person = scene.person("owner");
      const hash = `$2b$04$${"n".repeat(22)}${"x".repeat(31)}`;
      const password = `2, ${text(hash.slice(0, 29))}, ${text(hash)}, 'here'`;
      await give(scene, person, { key: "\\x10" });
      await addTokens(scene, person, [{ purpose: "change_email_new", key: newKey }]);
      const found: unknown[] = [];
      for (const [admission, statement] of [
        [null, `select app.reset_password(${text(person.messageKey)}, ${password})`],
        [asOwner(scene), `select app.change_password('\\x01', ${text(person.hash)}, ${password})`],
        [asOwner(scene), `select app.confirm_email_change(${text(newKey)}, null, null)`],
      ] as const) {
        await scene.see("savepoint asked");
        await scene.ask(admission, statement);
        found.push(await scene.see(liveTokens(person)));
        await scene.see("rollback to asked");
      }
      return found;
    },
  },
  {
    title: "app.sign_in_by_code counts a wrong code for the network and the account, also of nobody",
    expected: [
      [1, 1, null],
      [2, 2, null],
    ],
    actual: async (scene) => {
      const found: unknown[] = [];
      for (const email of ["unknown@example.test", owner]) {
        await scene.ask(null, byCode(email, ["\\x16"]));
        found.push(await attempts(scene));
      }
      return found;
    },
  },
  {
    title: "app.sign_in_by_code looks at no code while it must wait, and counts nothing",
    expected: [[[16, null, null, null, null]], [null, 8, null], [[1]], []],
    actual: async (scene) => {
      const person = scene.person("owner");
      await give(scene, person);
      await count(scene, account, 8);
      const answer = await scene.ask(null, byCode(person.email, [codeKey]));
      return [answer, await attempts(scene), await scene.see(liveTokens(person)), await scene.see(sessionMade)];
    },
  },
  {
    title:
      "app.sign_in_by_code settles the attempts of a right code as app.sign_in does, by the home once there is one",
    expected: [
      [3, null, 0],
      [3, 4, 0],
    ],
    actual: async (scene) => {
      const person = scene.person("member");
      const found: unknown[] = [];
      for (const isAtHome of [false, true]) {
        await scene.see("savepoint asked");
        await give(scene, person);
        await count(scene, network, 3);
        await count(scene, account, 4);
        if (isAtHome) await count(scene, home, 2);
        await scene.ask(null, byCode(person.email, [codeKey]));
        found.push(await attempts(scene));
        await scene.see("rollback to asked");
      }
      return found;
    },
  },
];
