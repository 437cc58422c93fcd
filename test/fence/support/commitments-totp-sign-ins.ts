import { count, name, scopeOf } from "./commitments-attempts.ts";
import { activate, addSession, codeKeyOf, makeClaimant, seedKeyOf } from "./commitments-second-factors.ts";
import { id, type Person } from "./people.ts";
import { codesOf, staysSame, text, type Commitment, type Scene } from "./scene.ts";
import {
  allSame,
  begin,
  everything,
  factorId,
  handle,
  mailTo,
  mailed,
  newId,
  sealedSeedOf,
  taken,
  useCode,
  verify,
} from "./totp-statements.ts";

/** How this session is, and whether under the new handle. */
const completed = ({ sessionId }: Person) =>
  `select second_factor, handle_hash = sha256(${text(handle)}), authenticated_at = now()::timestamptz(3), revoked_at,
          (idle_expires_at - now()::timestamptz(3))::text, (expires_at - now()::timestamptz(3))::text
     from sessions where id = '${sessionId}'`;
const isComplete = [["given", true, true, null, "2 days", "365 days"]];

/** Ends the session of the request in the middle of its transaction, as another could. */
const endSession = ({ sessionId }: Person) => [
  "set local role none",
  `update sessions set revoked_at = now() where id = '${sessionId}'`,
  "set local role app_user",
];

/** A claimant whose last session was authenticated an hour ago, with three wrong codes counted, as for somebody else. */
async function makeCounted(scene: Scene) {
  const { person, admit } = await makeClaimant(scene);
  await scene.see(`update sessions set authenticated_at = now() - interval '1 hour' where id = '${person.sessionId}'`);
  await scene.see(count(scopeOf(person), 3));
  await scene.see(count(scopeOf(scene.person("admin")), 3));
  return { person, admit, factor: await factorId(scene, person) };
}

/** What must stay when this person's session is completed. */
const ofOthers = ({ id: userId, sessionId }: Person): [string, string?][] => [
  ["users"],
  ["sessions", `id <> '${sessionId}'`],
  ["totp_factors", `user_id <> '${userId}'`],
  ["recovery_codes", `user_id <> '${userId}'`],
  ["passkeys"],
];

/** Codes of authenticator apps, and recovery codes, that complete a sign-in. */
export const totpSignInCommitments: Commitment[] = [
  {
    title: "app.begin_totp takes an attempt of the person's and tells of their active app, and of no other",
    expected: [[[0, true, true]], [[1]], [[2]], [[5]], [[0, null, null]], [true, true, true, true, true]],
    actual: async (scene) => {
      const { person, admit } = await makeClaimant(scene);
      const told = `select wait_seconds, id = '${await factorId(scene, person)}', sealed_seed = ${text(await sealedSeedOf(scene, person))} from app.begin_totp(${text(name)})`;
      const found: unknown[] = [];
      const same = await staysSame(
        scene,
        [["sessions"], ["totp_factors"], ["recovery_codes"], ["outbox"], ["throttles", `scope <> ${scopeOf(person)}`]],
        async () => {
          found.push(await scene.ask(admit, told), await scene.see(taken(person)));
          await scene.see(
            `update throttles set attempts = 5, attempted_at = date_trunc('milliseconds', now()) where scope = ${scopeOf(person)}`,
          );
          found.push(await scene.ask(admit, `select wait_seconds from app.begin_totp(${text(name)})`));
          found.push(await scene.see(taken(person)));
          await scene.see(`delete from throttles where scope = ${scopeOf(person)}`);
        },
      );
      await scene.see(`update totp_factors set activated_at = null where user_id = '${person.id}'`);
      return [...found, await scene.ask(admit, begin), same];
    },
  },
  {
    title: "app.verify_totp completes the session under the new handle, keeps the step, and forgets the attempts",
    expected: [
      [[id(100), "person-100@example.test", false, "Name of person-100@example.test", true, true, true, false, null]],
      isComplete,
      [[11, true, true]],
      [],
      [[3]],
      [true, true, true, true, true],
    ],
    actual: async (scene) => {
      const { person, admit, factor } = await makeCounted(scene);
      await addSession(scene, person, 8001, "pending");
      let answer: unknown;
      // Locked, and not changed.
      const same = await staysSame(scene, [...ofOthers(person).slice(1), ["outbox"]], async () => {
        answer = await scene.ask(admit, verify(factor, seedKeyOf(person), 11));
      });
      return [
        answer,
        await scene.see(completed(person)),
        await scene.see(
          `select last_step::int, activated_at is not null, id = '${factor}' from totp_factors where user_id = '${person.id}'`,
        ),
        await scene.see(taken(person)),
        await scene.see(`select attempts from throttles where scope = ${scopeOf(scene.person("admin"))}`),
        same,
      ];
    },
  },
  {
    title: "app.verify_totp refuses a step that is not later, another key, another app, and one that is not active",
    expected: [Array(8).fill("APCOD"), ["APCOD", "APCOD"], ["AP401"], allSame],
    actual: async (scene) => {
      const { person, admit, factor } = await makeCounted(scene);
      const admin = scene.person("admin");
      await activate(scene, admin);
      const [key, theirs] = [seedKeyOf(person), await factorId(scene, admin)];
      const found: unknown[] = [];
      const same = await staysSame(scene, everything, async () => {
        found.push(
          await codesOf(scene, admit, [
            verify(factor, key, 10),
            verify(factor, key, 9),
            verify(factor, key, "null"),
            verify(factor, seedKeyOf(admin), 11),
            verify(factor, `sha256(${key})`, 11),
            verify(factor, "null", 11),
            verify(theirs, seedKeyOf(admin), 11),
            verify(theirs, key, 11),
          ]),
        );
      });
      await scene.see(`update totp_factors set activated_at = null where user_id = '${person.id}'`);
      const inactive = await codesOf(scene, admit, [verify(factor, key, 11), verify(newId, key, 11)]);
      await activate(scene, person);
      await scene.see("savepoint ended");
      const ended = await scene.ask(admit, ...endSession(person), verify(factor, key, 11)).then(
        () => "done",
        (error: { code?: string }) => error.code,
      );
      await scene.see("rollback to ended");
      return [...found, inactive, [ended], same];
    },
  },
  {
    title: "app.verify_totp looks for the app by its id as well",
    expected: ["APCOD", "done"],
    actual: async (scene) => {
      const { person, admit, factor } = await makeClaimant(scene).then(async (claimant) => ({
        ...claimant,
        factor: await factorId(scene, claimant.person),
      }));
      const key = seedKeyOf(person);
      return codesOf(scene, admit, [verify(id(8009), key, 11), verify(factor, key, 11)]);
    },
  },
  {
    title: "app.use_recovery_code uses it up, completes the session, forgets the attempts and mails a notice",
    expected: [
      [[0, id(100), "person-100@example.test", false, null]],
      isComplete,
      [[false]],
      [],
      mailTo({ id: id(100), email: "person-100@example.test" } as Person, "recovery_code_used"),
      [[3]],
      [true, true, true, true],
    ],
    actual: async (scene) => {
      const { person, admit } = await makeCounted(scene);
      await scene.see(
        `set local session_replication_role = replica;
         insert into recovery_codes (user_id, key_hash)
         values ('${person.id}', sha256('another')), ('${scene.person("admin").id}', sha256(${codeKeyOf(person)}));
         set local session_replication_role = origin`,
      );
      const own = `user_id = '${person.id}' and key_hash = sha256(${codeKeyOf(person)})`;
      let answer: unknown;
      const same = await staysSame(
        scene,
        [
          ["sessions", `id <> '${person.sessionId}'`],
          ["totp_factors"],
          ["recovery_codes", `not (${own})`],
          ["passkeys"],
        ],
        async () => {
          answer = await scene.ask(admit, useCode(codeKeyOf(person)));
        },
      );
      return [
        answer,
        await scene.see(completed(person)),
        await scene.see(`select exists (select from recovery_codes where ${own})`),
        await scene.see(taken(person)),
        await scene.see(mailed),
        await scene.see(taken(scene.person("admin"))),
        same,
      ];
    },
  },
  {
    title: "app.use_recovery_code counts a wrong one and does nothing else, and after five takes none, right or wrong",
    expected: [
      [[0, null, null, null, null]],
      [[0, null, null, null, null]],
      [[0, null, null, null, null]],
      [[4]],
      [[0, null, null, null, null]],
      [[2, null, null, null, null]],
      [[5]],
      [true, true, true, true, true],
    ],
    actual: async (scene) => {
      const { person, admit } = await makeClaimant(scene);
      await scene.see(count(scopeOf(person), 1));
      const found: unknown[] = [];
      const same = await staysSame(
        scene,
        [["sessions"], ["totp_factors"], ["recovery_codes"], ["outbox"], ["throttles", `scope <> ${scopeOf(person)}`]],
        async () => {
          for (const key of [codeKeyOf(scene.person("admin")), "null", `sha256(${codeKeyOf(person)})`])
            found.push(await scene.ask(admit, useCode(key)));
          found.push(await scene.see(taken(person)));
          found.push(await scene.ask(admit, useCode("'none'")));
          await scene.see(
            `update throttles set attempted_at = date_trunc('milliseconds', now()) where scope = ${scopeOf(person)}`,
          );
          found.push(await scene.ask(admit, useCode(codeKeyOf(person))));
        },
      );
      return [...found, await scene.see(taken(person)), same];
    },
  },
];
