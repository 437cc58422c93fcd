import { createHash } from "node:crypto";
import {
  beginFactor,
  complete,
  credentialOf,
  everything,
  key,
  none,
  sessionId,
  spent,
  waiting,
  wrongKeys,
} from "./commitments-passkeys.ts";
import { id, type Person } from "./people.ts";
import { attempt, codesOf, lockerOf, staysSame, text, type Commitment } from "./scene.ts";
import { admission } from "./world.ts";

const scope = `\\x${"5c".repeat(32)}`;
const otherScope = `\\x${"5d".repeat(32)}`;

const publicKeyOf = ({ id: userId }: Person) => createHash("sha256").update(`public key ${userId}`).digest("hex");

const begin = (challenge: string, credential: string) =>
  `select wait_seconds, user_id, public_key::text, sign_count::int from app.begin_passkey_sign_in('${scope}', ${text(challenge)}, '\\x${credential}')`;
const signIn = (credential: string, { worker = key, count = 1 } = {}) =>
  `select u.id, u.expires_at = now()::timestamptz(3) + interval '9 days', u.factors from app.sign_in_with_passkey(${text(worker)}, '\\x${credential}', ${count}, 5, true, '${scope}',
     '${sessionId}', '\\x11', '9 days', '2 days', 'here', 'agent') u`;

const usedBy = ({ id: userId }: Person) =>
  `select sign_count::int, backed_up, last_used_at = now()::timestamptz(3) from passkeys where user_id = '${userId}'`;

/** Passkeys that people sign in with, or complete a sign-in. */
export const passkeySignInCommitments: Commitment[] = [
  {
    title: "app.begin_passkey_sign_in takes the attempt and the challenge, and tells the key of a known credential",
    expected: [true, [[1]], [[1]], [[0, null, null, null]], [[0, null, null, null]], [[3]], true, [true]],
    actual: async (scene) => {
      const admin = scene.person("admin");
      const credential = credentialOf(admin);
      const first = await scene.ask(null, begin("\\x0b", credential));
      const counted = await scene.see(`select attempts from throttles where scope = '${scope}'`);
      const isSpent = await scene.see(spent);
      const again = await scene.ask(null, begin("\\x0b", credential));
      const unknown = await scene.ask(null, begin("\\x0c", "00"));
      const attempts = await scene.see(`select attempts from throttles where scope = '${scope}'`);
      await scene.see(`update throttles set attempts = 20 where scope = '${scope}'`);
      let waits: unknown[][] = [];
      const same = await staysSame(scene, [["spent_challenges"]], async () => {
        waits = await scene.ask(null, begin("\\x0d", credential));
      });
      const isWaiting = Number(waits[0]?.[0]) > 0 && waits[0]?.slice(1).every((value) => value === null);
      const right = JSON.stringify(first) === JSON.stringify([[0, admin.id, `\\x${publicKeyOf(admin)}`, 1]]);
      return [right, counted, isSpent, again, unknown, attempts, isWaiting, same];
    },
  },
  {
    title: "app.sign_in_with_passkey starts a session with both factors, and writes down that the passkey was used",
    expected: [[[id(101), true, null]], [[id(101), "given"]], [[5, true, true]], [[3]], [true], true],
    actual: async (scene) => {
      const admin = scene.person("admin");
      // Past the foreign key of the session, which locks the account as well.
      await scene.see(
        `insert into throttles (scope, attempts) values ('${scope}', 4); set local session_replication_role = replica`,
      );
      const before = await lockerOf(scene, admin);
      let signedIn: unknown[][] = [];
      const same = await staysSame(scene, [["passkeys", `user_id <> '${admin.id}'`]], async () => {
        signedIn = await scene.ask(null, signIn(credentialOf(admin)));
      });
      return [
        signedIn,
        await scene.see(`select user_id, second_factor from sessions where id = '${sessionId}'`),
        await scene.see(usedBy(admin)),
        await scene.see(`select attempts from throttles where scope = '${scope}'`),
        same,
        (await lockerOf(scene, admin)) !== before,
      ];
    },
  },
  {
    title: "app.sign_in_with_passkey forgets the network's last attempt, and counts none below",
    expected: [[], [true], []],
    actual: async (scene) => {
      const credential = credentialOf(scene.person("admin"));
      await scene.see(`insert into throttles (scope, attempts) values ('${scope}', 1), ('${otherScope}', 0)`);
      const same = await staysSame(scene, [["throttles", `scope <> '${scope}'`]], () =>
        scene.ask(null, signIn(credential)),
      );
      const forgotten = await scene.see(`select attempts from throttles where scope = '${scope}'`);
      await scene.see(
        `insert into throttles (scope, attempts) values ('${scope}', 0); delete from sessions where id = '${sessionId}'; update passkeys set sign_count = 1`,
      );
      await scene.ask(null, signIn(credential));
      return [forgotten, same, await scene.see(`select attempts from throttles where scope = '${scope}'`)];
    },
  },
  {
    title: "app.sign_in_with_passkey refuses what is unknown, was used since, or is of a disabled account",
    expected: [["APPSK", "APPSK", "APWRK", "APWRK", "APWRK"], ["APPSK"], none],
    actual: async (scene) => {
      const admin = scene.person("admin");
      const credential = credentialOf(admin);
      let codes: unknown[] = [];
      const same = await staysSame(scene, everything, async () => {
        codes = await codesOf(scene, null, [
          signIn("00"),
          signIn(credential, { count: 2 }),
          ...wrongKeys.map((worker) => signIn(credential, { worker })),
        ]);
      });
      await scene.see(`update users set suspended_at = now() where id = '${admin.id}'`);
      return [codes, await codesOf(scene, null, [signIn(credential)]), same];
    },
  },
  {
    title: "app.begin_passkey_factor spends the challenge, and tells the key of the person's own credential alone",
    expected: [true, [[1]], [], []],
    actual: async (scene) => {
      const [admin, both] = [scene.person("admin"), scene.person("both")];
      const waits = await waiting(scene, admin);
      const found = await scene.ask(waits, beginFactor("\\x0b", credentialOf(admin)));
      const right = JSON.stringify(found) === JSON.stringify([[admin.id, `\\x${publicKeyOf(admin)}`, 1]]);
      return [
        right,
        await scene.see(spent),
        await scene.ask(waits, beginFactor("\\x0b", credentialOf(admin))),
        await scene.ask(waits, beginFactor("\\x0c", credentialOf(both))),
      ];
    },
  },
  {
    title: "app.complete_sign_in_with_passkey completes the session that waits, with the person's own passkey alone",
    expected: [
      ["APPSK", "APPSK", "APWRK", "APWRK", "APWRK"],
      "AP401",
      [[id(101), null]],
      [["given", true]],
      [[5, true, true]],
      [true],
      true,
    ],
    actual: async (scene) => {
      const [admin, both] = [scene.person("admin"), scene.person("both")];
      const credential = credentialOf(admin);
      const early = await attempt(scene, () => scene.ask(admission(admin), complete(credential)));
      const waits = await waiting(scene, admin);
      const codes = await codesOf(scene, waits, [
        complete(credentialOf(both)),
        complete(credential, { count: 2 }),
        ...wrongKeys.map((worker) => complete(credential, { worker })),
      ]);
      const before = await lockerOf(scene, admin);
      let completed: unknown[][] = [];
      const same = await staysSame(scene, [["passkeys", `user_id <> '${admin.id}'`]], async () => {
        completed = await scene.ask(waits, complete(credential));
      });
      return [
        codes,
        early,
        completed,
        await scene.see(
          `select second_factor, handle_hash = sha256('\\x11') from sessions where id = '${admin.sessionId}'`,
        ),
        await scene.see(usedBy(admin)),
        same,
        (await lockerOf(scene, admin)) !== before,
      ];
    },
  },
];
