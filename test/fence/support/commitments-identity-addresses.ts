import {
  everything,
  identities,
  message,
  notOf,
  noticeId,
  sessionId,
  signIn,
  ticket,
  userId,
  verify,
} from "./identity-statements.ts";
import { id, type Person, workerKey } from "./people.ts";
import { codesOf, staysSame, type Commitment } from "./scene.ts";

const session = `select user_id, handle_hash = sha256('\\x08'), second_factor, ip_address, user_agent, (expires_at - now()::timestamptz(3))::text,
    (idle_expires_at - now()::timestamptz(3))::text from sessions where id = '${sessionId}'`;

/** What is left of somebody that lets anybody in. */
const ways = ({ id: personId }: Person) =>
  `select (select password_verifier is null and password_salt is null and password_scheme is null from users where id = '${personId}'),
          (select count(*)::int from sessions where user_id = '${personId}' and revoked_at is null),
          (select count(*)::int from sessions where user_id = '${personId}' and revoked_at = now()::timestamptz(3)),
          (select count(*)::int from one_time_tokens where user_id = '${personId}' and expires_at > now()),
          (select count(*)::int from identities where user_id = '${personId}'),
          (select count(*)::int from passkeys where user_id = '${personId}'),
          (select count(*)::int from totp_factors where user_id = '${personId}'),
          (select count(*)::int from recovery_codes where user_id = '${personId}')`;

/** Accounts that are made for, or found by, the address of an identity. */
export const identityAddressCommitments: Commitment[] = [
  {
    title: "app.sign_in_with_provider makes an account with a verified address, with the identity and a session",
    expected: [
      [[userId, "new@example.test", true, "New", null, false]],
      [["new@example.test", "New", true, true]],
      [[userId, "google", null, "new", "new@example.test", true]],
      [[userId, true, null, "here", "agent", "2 days", "1 day"]],
      [],
      [true, true, true, true, true, true, true, true],
    ],
    actual: async (scene) => {
      let row: unknown;
      const same = await staysSame(scene, notOf(scene.person("owner")), async () => {
        row = await scene.ask(null, signIn());
      });
      const account = await scene.see(
        `select email, name, email_verified_at = now()::timestamptz(3), password_verifier is null from users where id = '${userId}'`,
      );
      return [row, account, await scene.see(identities), await scene.see(session), await scene.see(message), same];
    },
  },
  {
    title:
      "app.sign_in_with_provider links an account that has verified the address, tells by mail, and takes nothing away",
    expected: [
      [[id(100), "person-100@example.test", true, "Name of person-100@example.test", null, true]],
      [[false, 2, 0, 1, 2, 0, 1, 1]],
      [[id(100), "google", null, "new", "person-100@example.test", true]],
      [
        [
          id(100),
          "person-100@example.test",
          "identity_linked",
          true,
          "Name of person-100@example.test",
          "here",
          "agent",
        ],
      ],
      [true, true, true, true, true, true, true, true],
      true,
    ],
    actual: async (scene) => {
      const owner = scene.person("owner");
      await scene.see(verify(owner));
      const before = await scene.see(`select email_verified_at::text from users where id = '${owner.id}'`);
      let row: unknown;
      const same = await staysSame(scene, notOf(owner), async () => {
        row = await scene.ask(null, signIn({ email: owner.email }));
      });
      const after = await scene.see(`select email_verified_at::text from users where id = '${owner.id}'`);
      return [
        row,
        await scene.see(ways(owner)),
        await scene.see(identities),
        await scene.see(message),
        same,
        JSON.stringify(before) === JSON.stringify(after),
      ];
    },
  },
  {
    title:
      "app.sign_in_with_provider hands over an account that never verified the address, without whatever was in it",
    expected: [
      [[id(100), "person-100@example.test", true, "Name of person-100@example.test", null, true]],
      [[true, 1, 1, 0, 1, 0, 0, 0]],
      [[true]],
      [[id(100), "google", null, "new", "person-100@example.test", true]],
      1,
      [true, true, true, true, true, true, true, true],
    ],
    actual: async (scene) => {
      const owner = scene.person("owner");
      let row: unknown;
      const same = await staysSame(scene, notOf(owner), async () => {
        row = await scene.ask(null, signIn({ email: owner.email }));
      });
      const [[mails] = []] = await scene.see(`select count(*)::int from outbox where id = '${noticeId}'`);
      const isVerified = await scene.see(
        `select email_verified_at = now()::timestamptz(3) from users where id = '${owner.id}'`,
      );
      return [row, await scene.see(ways(owner)), isVerified, await scene.see(identities), mails, same];
    },
  },
  {
    title: "app.sign_in_with_provider hands over no account that has a second factor",
    expected: [["APVER"], everything.map(() => true)],
    actual: async (scene) => {
      let codes: unknown[] = [];
      const same = await staysSame(scene, everything, async () => {
        codes = await codesOf(scene, null, [signIn({ email: scene.person("both").email })]);
      });
      return [codes, same];
    },
  },
  {
    title: "a handed over account keeps the ends of the tokens and sessions that had ended",
    expected: [true, true],
    actual: async (scene) => {
      const victim = scene.person("owner");
      await scene.see(
        `insert into one_time_tokens (id, user_id, purpose, key_hash, created_at, expires_at)
         values ('${id(9011)}', '${victim.id}', 'reset_password', sha256('old'), now() - interval '3 hours', now() - interval '2 hours')`,
      );
      const old: [string, string][] = [
        ["one_time_tokens", `id = '${id(9011)}'`],
        ["sessions", `user_id = '${victim.id}' and id <> '${victim.sessionId}' and id <> '${sessionId}'`],
      ];
      return staysSame(scene, old, () => scene.ask(null, signIn({ email: victim.email })));
    },
  },
  {
    title: "app.sign_in_with_provider says that it told somebody only when it did",
    expected: [false, false, 0],
    actual: async (scene) => {
      const owner = scene.person("owner");
      await scene.see(verify(owner));
      const [row] = await scene.ask(null, signIn({ email: owner.email, isMailed: false }));
      const [known] = await scene.ask(
        null,
        signIn({ ticket: ticket(2, workerKey), email: owner.email })
          .replace(sessionId, id(9012))
          .replace("\\x08", "\\x09"),
      );
      const [[mails] = []] = await scene.see(`select count(*)::int from outbox where id = '${noticeId}'`);
      return [row?.[5], known?.[5], mails];
    },
  },
  {
    title: "app.sign_in_with_provider takes no address that the provider has not verified, and writes nothing then",
    expected: [Array.from({ length: 5 }, () => "APEVR"), everything.map(() => true)],
    actual: async (scene) => {
      const { email } = scene.person("owner");
      await scene.see(verify(scene.person("owner")));
      let codes: unknown[] = [];
      const same = await staysSame(scene, everything, async () => {
        codes = await codesOf(scene, null, [
          signIn({ isVerified: false }),
          signIn({ isVerified: null }),
          signIn({ email: null }),
          signIn({ email, isVerified: false }),
          signIn({ email, isVerified: null }),
        ]);
      });
      return [codes, same];
    },
  },
];
