import { addTokens, newKey, verified } from "./mailed-tokens.ts";
import { codeKey, notice, ofPeople, byLink, byCode, give, liveTokens, sessionMade } from "./mailed-sign-in.ts";
import { id, type Person } from "./people.ts";
import { attempt, lockerOf, staysSame, text, type Commitment, type Scene } from "./scene.ts";

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

export const emailSignInCommitments: Commitment[] = ways.flatMap(([name, signIn, refused, before]): Commitment[] => [
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
