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
import { codesOf, lockerOf, staysSame, text, type Commitment, type Scene } from "./scene.ts";
import { admission } from "./world.ts";

const noticeId = id(8003);
const noticeKey = "\\x0d";
const notice = `'here', 'agent', '${noticeId}', ${text(noticeKey)}`;
const newId = id(8005);
const handle = "\\x08";
const completion = `${text(handle)}, '400 days', '2 days'`;

const factorOf = ({ id: userId }: Person) => `(select id from totp_factors where user_id = '${userId}')`;
/** The id itself, which the caller must not be able to read. */
const factorId = async (scene: Scene, person: Person) =>
  String((await scene.see(`select ${factorOf(person)}`))[0]?.[0]);
const sealedSeedOf = async (scene: Scene, { id: userId }: Person) =>
  String((await scene.see(`select sealed_seed::text from totp_factors where user_id = '${userId}'`))[0]?.[0]);
const verify = (factor: string, key: string, step: string | number) =>
  `select id, email, email_verified, name, created_at is not null, updated_at is not null, expires_at = (now() + interval '365 days')::timestamptz(3), noticed, factors
     from app.verify_totp(${text(name)}, '${factor}', ${key}, ${step}, ${completion})`;
const useCode = (key: string) =>
  `select wait_seconds, (session).id, (session).email, (session).noticed, (session).factors
     from app.use_recovery_code(${text(name)}, ${key}, ${completion}, ${notice})`;
const begin = `select * from app.begin_totp(${text(name)})`;
const beginActivation = `select * from app.begin_totp_activation(${text(name)})`;
const enroll = `select app.enroll_totp('${newId}', '\\x5ea1', '\\x0b')`;
const activation = (factor: string, key: string) =>
  `select app.activate_totp(${text(name)}, '${factor}', ${key}, 7, array['\\x01', '\\x02']::bytea[], ${notice})`;
const remove = `select app.remove_totp(${notice})`;

const everything: [table: string, condition?: string][] = [
  ["users"],
  ["sessions"],
  ["totp_factors"],
  ["recovery_codes"],
  ["outbox"],
  ["throttles"],
];
const allSame = everything.map(() => true);

/** How this session is, and whether under the new handle. */
const completed = ({ sessionId }: Person) =>
  `select second_factor, handle_hash = sha256(${text(handle)}), authenticated_at = now()::timestamptz(3), revoked_at,
          (idle_expires_at - now()::timestamptz(3))::text, (expires_at - now()::timestamptz(3))::text
     from sessions where id = '${sessionId}'`;
const isComplete = [["given", true, true, null, "2 days", "365 days"]];

const mailed = `select key_hash = sha256(${text(noticeKey)}), user_id, recipient, template, data->>'name', data->>'ipAddress', data->>'userAgent' from outbox where id = '${noticeId}'`;
const mailTo = ({ id: userId, email }: Person, template: string) => [
  [true, userId, email, template, `Name of ${email}`, "here", "agent"],
];

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

const taken = (person: Person) => `select attempts from throttles where scope = ${scopeOf(person)}`;

/** What must stay when this person's session is completed. */
const ofOthers = ({ id: userId, sessionId }: Person): [string, string?][] => [
  ["users"],
  ["sessions", `id <> '${sessionId}'`],
  ["totp_factors", `user_id <> '${userId}'`],
  ["recovery_codes", `user_id <> '${userId}'`],
  ["passkeys"],
];

/** Codes of authenticator apps, and recovery codes. */
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
