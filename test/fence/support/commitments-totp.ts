import { count, name, scopeOf } from "./commitments-attempts.ts";
import {
  activate,
  addSession,
  codeKeyOf,
  makeClaimant,
  pendingAdmission,
  seedKeyOf,
  sessionsOf,
  setSecondFactor,
} from "./commitments-second-factors.ts";
import { id, type Person } from "./people.ts";
import { codesOf, lockerOf, staysSame, text, type Commitment } from "./scene.ts";
import {
  allSame,
  begin,
  everything,
  factorId,
  mailTo,
  mailed,
  newId,
  notice,
  sealedSeedOf,
  taken,
  useCode,
  verify,
} from "./totp-statements.ts";
import { admission } from "./world.ts";

const beginActivation = `select * from app.begin_totp_activation(${text(name)})`;
const enroll = `select app.enroll_totp('${newId}', '\\x5ea1', '\\x0b')`;
const activation = (factor: string, key: string) =>
  `select app.activate_totp(${text(name)}, '${factor}', ${key}, 7, array['\\x01', '\\x02']::bytea[], ${notice})`;
const remove = `select app.remove_totp(${notice})`;

/** Authenticator apps, from the first code to their removal. */
export const totpCommitments: Commitment[] = [
  {
    title: "the second factor is given by whose session waits for it, and everything else of it needs a complete one",
    expected: [
      ["AP400", "AP400", "AP400", "AP400", "AP400", "AP400", "AP400"],
      ["APCMP", "AP401", "APCMP"],
      ["APMFA", "APMFA", "APMFA", "APMFA"],
      allSame,
    ],
    actual: async (scene) => {
      const { person } = await makeClaimant(scene);
      const factor = await factorId(scene, person);
      const giving = [begin, verify(factor, seedKeyOf(person), 11), useCode(codeKeyOf(person))];
      const others = [enroll, beginActivation, activation(factor, seedKeyOf(person)), remove];
      const found: unknown[] = [];
      const same = await staysSame(scene, everything, async () => {
        found.push(await codesOf(scene, null, [...giving, ...others]));
        await setSecondFactor(scene, person, "given");
        found.push(await codesOf(scene, pendingAdmission(person), giving));
        await setSecondFactor(scene, person, "pending");
        found.push(await codesOf(scene, pendingAdmission(person), others));
      });
      // The scene's own changes of the session have moved its row.
      return [...found, same.map((isSame, index) => isSame || everything[index]?.[0] === "sessions")];
    },
  },
  {
    title: "app.enroll_totp replaces an app that was not activated, and no other",
    expected: [[["person-100@example.test"]], [[newId, true, true, null, null]], [[2]], [true, true, true, true]],
    actual: async (scene) => {
      const owner = scene.person("owner");
      let answer: unknown;
      const same = await staysSame(
        scene,
        [["sessions"], ["totp_factors", `user_id <> '${owner.id}'`], ["recovery_codes"], ["throttles"]],
        async () => {
          answer = await scene.ask(admission(owner), enroll);
        },
      );
      const stored = await scene.see(
        `select id, sealed_seed = '\\x5ea1', key_hash = sha256('\\x0b'), last_step, activated_at from totp_factors where user_id = '${owner.id}'`,
      );
      await activate(scene, owner);
      await scene.ask(admission(owner), enroll.replace(newId, id(8006)));
      return [
        answer,
        stored,
        await scene.see(`select count(*)::int from totp_factors where user_id = '${owner.id}'`),
        same,
      ];
    },
  },
  {
    title: "app.enroll_totp begins nothing for an account that was deleted meanwhile",
    expected: [[null]],
    actual: (scene) => {
      const { id: userId } = scene.person("spare");
      return scene.ask(
        admission(scene.person("spare")),
        "set local role none",
        `delete from users where id = '${userId}'`,
        "set local role app_user",
        enroll,
      );
    },
  },
  {
    title: "app.begin_totp_activation takes an attempt and tells of the app that is not active",
    expected: [[[0, true, true]], [[1]], [[0, null, null]]],
    actual: async (scene) => {
      const owner = scene.person("owner");
      const told = `select wait_seconds, id = '${await factorId(scene, owner)}', sealed_seed = ${text(await sealedSeedOf(scene, owner))} from app.begin_totp_activation(${text(name)})`;
      const found: unknown[] = [await scene.ask(admission(owner), told), await scene.see(taken(owner))];
      await activate(scene, owner);
      return [...found, await scene.ask(admission(owner), beginActivation)];
    },
  },
  {
    title: "app.activate_totp makes the new app the only one, in this session, forgets attempts, and mails a notice",
    expected: [
      [[true]],
      [[newId, 7, true]],
      [
        [true, "given", null],
        [false, null, true],
      ],
      [[true]],
      [],
      mailTo({ id: id(100), email: "person-100@example.test" } as Person, "mfa_enabled"),
      [[3]],
      [true, true, true],
    ],
    actual: async (scene) => {
      const owner = scene.person("owner");
      await activate(scene, owner);
      await activate(scene, scene.person("admin"));
      await scene.ask(admission(owner), enroll);
      await scene.see(`delete from sessions where user_id = '${owner.id}' and id <> '${owner.sessionId}'`);
      await scene.see(`delete from recovery_codes where user_id = '${owner.id}'`);
      await addSession(scene, owner, 8001, null);
      await scene.see(count(scopeOf(owner), 3));
      await scene.see(count(scopeOf(scene.person("admin")), 3));
      const others = `user_id <> '${owner.id}'`;
      let answer: unknown;
      const same = await staysSame(
        scene,
        [
          ["sessions", others],
          ["totp_factors", others],
          ["recovery_codes", others],
        ],
        async () => {
          answer = await scene.ask(admission(owner), activation(newId, "'\\x0b'"));
        },
      );
      return [
        answer,
        await scene.see(
          `select id, last_step::int, activated_at = now()::timestamptz(3) from totp_factors where user_id = '${owner.id}'`,
        ),
        await scene.see(sessionsOf(owner)),
        await scene.see(`select count(*) = 2 from recovery_codes where user_id = '${owner.id}'`),
        await scene.see(taken(owner)),
        await scene.see(mailed),
        await scene.see(taken(scene.person("admin"))),
        same,
      ];
    },
  },
  {
    title: "app.activate_totp refuses another key, another app and another's, and does nothing",
    expected: [["APCOD", "APCOD", "APCOD", "APCOD", "APCOD"], allSame],
    actual: async (scene) => {
      const [owner, admin] = [scene.person("owner"), scene.person("admin")];
      const own = await factorId(scene, owner);
      const theirs = await factorId(scene, admin);
      await scene.see(count(scopeOf(owner), 3));
      let codes: unknown;
      const same = await staysSame(scene, everything, async () => {
        codes = await codesOf(scene, admission(owner), [
          activation(own, seedKeyOf(admin)),
          activation(own, `sha256(${seedKeyOf(owner)})`),
          activation(own, "null"),
          activation(newId, seedKeyOf(owner)),
          activation(theirs, seedKeyOf(admin)),
        ]);
      });
      return [codes, same];
    },
  },
  {
    title: "app.remove_totp removes the person's apps, as the last factor, and mails a notice",
    expected: [
      [[0]],
      [[true, null, null]],
      [[0]],
      mailTo({ id: id(100), email: "person-100@example.test" } as Person, "mfa_disabled"),
      [true, true, true],
    ],
    actual: async (scene) => {
      const owner = scene.person("owner");
      await activate(scene, owner);
      await activate(scene, scene.person("admin"));
      await setSecondFactor(scene, owner, "given");
      await scene.see(`delete from sessions where user_id = '${owner.id}' and id <> '${owner.sessionId}'`);
      await scene.ask(admission(owner), enroll);
      const others = `user_id <> '${owner.id}'`;
      const same = await staysSame(
        scene,
        [
          ["sessions", others],
          ["totp_factors", others],
          ["recovery_codes", others],
        ],
        () => scene.ask(admission(owner), remove),
      );
      return [
        await scene.see(`select count(*)::int from totp_factors where user_id = '${owner.id}'`),
        await scene.see(sessionsOf(owner)),
        await scene.see(`select count(*)::int from recovery_codes where user_id = '${owner.id}'`),
        await scene.see(mailed),
        same,
      ];
    },
  },
  {
    title: "app.remove_totp finds no app that is not active",
    expected: [["AP404"], allSame],
    actual: async (scene) => {
      let codes: unknown;
      const same = await staysSame(scene, everything, async () => {
        codes = await codesOf(scene, admission(scene.person("owner")), [remove]);
      });
      return [codes, same];
    },
  },
  {
    title: "whatever gives, takes up or gives up a factor locks the account, so that no session begins meanwhile",
    expected: [true, true, true, true, true, true],
    actual: async (scene) => {
      const { person, admit } = await makeClaimant(scene);
      const [factor, key] = [await factorId(scene, person), seedKeyOf(person)];
      // Past the foreign keys, which lock the account as well.
      await scene.see("set local session_replication_role = replica");
      const found: boolean[] = [];
      const look = async (letIn: string, statement: string) => {
        await scene.see("savepoint tried");
        const before = await lockerOf(scene, person);
        await scene.ask(letIn, statement);
        found.push(before !== (await lockerOf(scene, person)));
        await scene.see("rollback to tried");
      };
      for (const statement of [verify(factor, key, 11), useCode("'none'")]) await look(admit, statement);
      await setSecondFactor(scene, person, "given");
      for (const statement of [remove, enroll, "select app.replace_recovery_codes('{}')"])
        await look(admission(person), statement);
      await scene.see(`update totp_factors set activated_at = null where user_id = '${person.id}'`);
      await look(admission(person), activation(factor, key));
      return found;
    },
  },
];
