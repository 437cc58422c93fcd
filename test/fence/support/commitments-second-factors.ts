import { id, organizations, type Person } from "./people.ts";
import { codesOf, letIn, staysSame, text, type Commitment, type Scene } from "./scene.ts";
import { admission } from "./world.ts";

const { mine, theirs } = organizations;

/** What the Worker shows for the app of everybody here, which is not active until a scene makes it so. */
export const seedKeyOf = ({ id: userId }: Person) => text(`seed key ${userId}`);
export const codeKeyOf = ({ id: userId }: Person) => text(`code ${userId}`);

/** Makes somebody's app active, whose last code was of step 10. */
export const activate = (scene: Scene, { id: userId }: Person) =>
  scene.see(`update totp_factors set activated_at = now(), last_step = 10 where user_id = '${userId}'`);

export const setSecondFactor = (scene: Scene, { sessionId }: Person, value: "given" | "pending" | null) =>
  scene.see(`update sessions set second_factor = ${text(value)} where id = '${sessionId}'`);

/** Somebody whose session waits for the second factor, and how the routes that take it let them in. */
export async function makeClaimant(scene: Scene, who = "owner"): Promise<{ person: Person; admit: string }> {
  const person = scene.person(who);
  await activate(scene, person);
  await setSecondFactor(scene, person, "pending");
  return { person, admit: pendingAdmission(person) };
}

export const pendingAdmission = ({ handle }: Person) => `select app.admit('${handle}', null, null, false, false, true)`;

/** Somebody's sessions: the one of the scene first, then others by their ids. */
export const sessionsOf = ({ id: userId, sessionId }: Person) =>
  `select id = '${sessionId}', second_factor, revoked_at = now()::timestamptz(3) from sessions where user_id = '${userId}'
    order by 1 desc, id`;

/** Past the foreign keys, which lock the account as well. */
export const addSession = (scene: Scene, { id: userId }: Person, n: number, value: string | null, revokedAt = "null") =>
  scene.see(
    `set local session_replication_role = replica;
     insert into sessions (id, user_id, handle_hash, second_factor, idle_expires_at, expires_at, revoked_at)
     values ('${id(n)}', '${userId}', sha256('session ${n}'), ${text(value)}, now() + interval '1 day', now() + interval '1 day', ${revokedAt});
     set local session_replication_role = origin`,
  );

export const addPasskeys = (scene: Scene, { id: userId }: Person, count: number) =>
  scene.see(
    `set local session_replication_role = replica;
     insert into passkeys (id, user_id, name, credential_id, public_key, sign_count, transports, backed_up)
     select gen_random_uuid(), '${userId}', 'One of many', sha256(('more' || n)::bytea), sha256('key'), 0, 'usb', false
       from generate_series(1, ${count}) n;
     set local session_replication_role = origin`,
  );

const demandFactor = (scene: Scene) =>
  scene.see(
    `set local session_replication_role = replica;
     update organizations set mfa_required = true where id = '${mine}';
     set local session_replication_role = origin`,
  );

/** What the Worker asks of a session, and of the organization. */
const admit = ({ handle }: Person, rest: string) => `select app.admit('${handle}', ${rest})`;
const factorsOf = ({ id: userId }: Person) => `select app_private.factors('${userId}')`;

const asking = [
  "select app.user_id()",
  "select app.org_id(), app.user_id()",
  "select * from app.my_organizations(null, 10)",
  `select * from app.create_organization('${id(8000)}', 'New', '{new}')`,
  "select app.claim_idempotency_key(null, 'k', '\\x01')",
  "select * from app.begin_reauthentication('\\x01')",
  ...["users", "sessions", "totp_factors", "recovery_codes", "passkeys", "identities"].map((table) =>
    `select count(user_id) from ${table}`.replace("user_id) from users", "id) from users"),
  ),
];

const ends = (sessionId: string) =>
  `select second_factor, (idle_expires_at - now()::timestamptz(3))::text, (expires_at - now()::timestamptz(3))::text
     from sessions where id = '${sessionId}'`;

const start = (scene: Scene, who: string, isGiven: boolean, idle = "2 days") =>
  scene.see(
    `select s.id, s.expires_at is not null, s.noticed, s.factors
       from users u, app_private.start_session(u, '${id(8001)}', '\\x08', '7 days', '${idle}', null, null, null, null, ${isGiven}) s
      where u.id = '${scene.person(who).id}'`,
  );

/** What sessions and organizations have of the second factor, whichever it is. */
export const secondFactorCommitments: Commitment[] = [
  {
    title:
      "app.admit refuses a session before its second factor, but where it may wait, and there outside of organizations",
    expected: ["APMFA", "APMFA", "APMFA", "APMFA", "APMFA", "APMFA", "done"],
    actual: async (scene) => {
      const { person } = await makeClaimant(scene);
      return codesOf(scene, null, [
        admit(person, "null"),
        admit(person, "null, null, true, false"),
        admit(person, "null, null, false, true"),
        admit(person, "null, null, false, false, false"),
        admit(person, `'${mine}', 'organization:read'`),
        admit(person, `'${mine}', 'organization:read', false, false, true`),
        admit(person, "null, null, false, false, true"),
      ]);
    },
  },
  {
    title: "app.admit lets a complete session in where another may wait, and seals whether it does",
    expected: [["|"], ["|"], ["|pending"]],
    actual: async (scene) => {
      const found: unknown[] = [];
      const { person } = await makeClaimant(scene);
      for (const value of [null, "given", "pending"] as const) {
        await setSecondFactor(scene, person, value);
        const rows = await scene.ask(
          pendingAdmission(person),
          `select regexp_replace(current_setting('app.context'), '^${person.id}\\|${person.sessionId}\\|\\|', '')`,
        );
        found.push(rows[0]);
      }
      return found;
    },
  },
  ...asking.map((statement): Commitment => ({
    title: `before the second factor there is an error: ${statement}`,
    expected: "APMFA",
    actual: async (scene) => scene.ask((await makeClaimant(scene)).admit, statement),
  })),
  {
    title: "before the second factor there is a session, which is in no organization",
    expected: [[id(1100), null, null]],
    actual: async (scene) =>
      scene.ask(
        (await makeClaimant(scene)).admit,
        "select app.session_id(), app.org_id(), app.org_id('organization:read')",
      ),
  },
  ...["select app.user_id()", "select * from app.begin_totp('\\x01')"].map((statement): Commitment => ({
    title: `that a session waits for its second factor cannot be written out of the context: ${statement}`,
    expected: "AP499",
    actual: async (scene) =>
      scene.ask(
        (await makeClaimant(scene)).admit,
        "select set_config('app.context', replace(current_setting('app.context'), 'pending', ''), true)",
        statement,
      ),
  })),
  {
    title: "app.admit refuses whose session has no second factor, where the organization asks for one, and nobody else",
    expected: ["done", "APENR", "APENR", "APMFA", "done", "AP403", "AP404", "done", "done"],
    actual: async (scene) => {
      const [owner, both, outsider] = [scene.person("owner"), scene.person("both"), scene.person("outsider")];
      const read = (person: Person, organizationId: string, permission = "organization:read") =>
        admission(person, organizationId, permission);
      const found: unknown[] = await codesOf(scene, null, [read(owner, mine)]);
      await demandFactor(scene);
      found.push(...(await codesOf(scene, null, [read(owner, mine), read(owner, mine, "nothing")])));
      await setSecondFactor(scene, owner, "pending");
      found.push(...(await codesOf(scene, null, [read(owner, mine)])));
      await setSecondFactor(scene, owner, "given");
      const asked = [read(owner, mine), read(owner, mine, "nothing"), read(outsider, mine)];
      found.push(...(await codesOf(scene, null, [...asked, read(both, theirs), admission(both)])));
      return found;
    },
  },
  {
    title: "an organization asks for a second factor only from a session that has one",
    expected: ["APENR", "APENR", "done", [[true]], ["done", "done", "done"]],
    actual: async (scene) => {
      const [owner, admin] = [scene.person("owner"), scene.person("admin")];
      const demand = `update organizations set mfa_required = true where id = '${mine}'`;
      const asOwner = letIn(scene, "owner", "organization:update");
      const found: unknown[] = await codesOf(scene, asOwner, [demand]);
      await setSecondFactor(scene, admin, "given");
      await addSession(scene, owner, 8001, "given");
      found.push(...(await codesOf(scene, asOwner, [demand])));
      await setSecondFactor(scene, owner, "given");
      found.push(...(await codesOf(scene, asOwner, [demand])));
      await scene.ask(asOwner, demand);
      found.push(await scene.see(`select mfa_required from organizations where id = '${mine}'`));
      const others = [demand, demand.replace("true", "false"), demand.replace("mfa_required = true", "name = 'New'")];
      found.push(await codesOf(scene, asOwner, others));
      return found;
    },
  },
  {
    title: "app_private.factors tells what can be given, each once, and nothing where recovery codes alone are left",
    expected: [
      [[null]],
      [[["recovery_code", "totp"]]],
      [[["passkey", "recovery_code", "totp"]]],
      [[["passkey", "totp"]]],
      [[["totp"]]],
      [[null]],
      [[["passkey", "recovery_code"]]],
    ],
    actual: async (scene) => {
      const [owner, admin] = [scene.person("owner"), scene.person("admin")];
      await activate(scene, scene.person("member"));
      const found: unknown[] = [await scene.see(factorsOf(owner))];
      await activate(scene, owner);
      await scene.see(
        `insert into recovery_codes (user_id, key_hash) select '${owner.id}', sha256(n::text::bytea) from generate_series(1, 9) n`,
      );
      found.push(await scene.see(factorsOf(owner)));
      await addPasskeys(scene, owner, 3);
      found.push(await scene.see(factorsOf(owner)));
      for (const table of ["recovery_codes", "passkeys", "totp_factors"]) {
        await scene.see(`delete from ${table} where user_id = '${owner.id}'`);
        found.push(await scene.see(factorsOf(owner)));
      }
      return [...found, await scene.see(factorsOf(admin))];
    },
  },
  {
    title: "a session starts complete without a factor, and waits 10 minutes at most for one that there is",
    expected: [
      [[id(100), true, false, null]],
      [[null, "2 days", "7 days"]],
      [[id(100), true, false, ["recovery_code", "totp"]]],
      [["pending", "00:10:00", "00:10:00"]],
      [["pending", "00:05:00", "00:10:00"]],
    ],
    actual: async (scene) => {
      const owner = scene.person("owner");
      const found: unknown[] = [];
      const again = () => scene.see(`delete from sessions where id = '${id(8001)}'`);
      found.push(await start(scene, "owner", false), await scene.see(ends(id(8001))));
      await again();
      await activate(scene, owner);
      found.push(await start(scene, "owner", false), await scene.see(ends(id(8001))));
      await again();
      await start(scene, "owner", false, "5 minutes");
      return [...found, await scene.see(ends(id(8001)))];
    },
  },
  {
    title: "a session whose second factor came along starts complete",
    expected: [
      [[id(100), true, false, null]],
      [["given", "2 days", "7 days"]],
      [[id(102), true, false, null]],
      [["given", "2 days", "7 days"]],
    ],
    actual: async (scene) => {
      await activate(scene, scene.person("owner"));
      const found = [await start(scene, "owner", true), await scene.see(ends(id(8001)))];
      await scene.see(`delete from sessions where id = '${id(8001)}'`);
      return [...found, await start(scene, "member", true), await scene.see(ends(id(8001)))];
    },
  },
  {
    title: "a session before its second factor is not refreshed, and one after it is",
    expected: [["AP401"], [true], ["done"]],
    actual: async (scene) => {
      const { person } = await makeClaimant(scene);
      const refresh = `select from app.refresh_session('${person.handle}', 1, '1 day')`;
      let refused: unknown;
      const same = await staysSame(scene, [["sessions"]], async () => {
        refused = await codesOf(scene, null, [refresh]);
      });
      await setSecondFactor(scene, person, "given");
      return [refused, same, await codesOf(scene, null, [refresh])];
    },
  },
  {
    title:
      "app_private.take_up_factor counts it in this session, ends those without, and keeps codes with the first one",
    expected: [
      [[false]],
      [
        [true, "given", null],
        [false, "given", null],
        [false, null, true],
        [false, "pending", true],
        [false, null, false],
      ],
      [[1]],
      [[true]],
      [[true, true]],
      [true, true],
    ],
    actual: async (scene) => {
      const owner = scene.person("owner");
      const takeUp = `select app_private.take_up_factor('${owner.id}', array['\\x01', '\\x02']::bytea[])`;
      await scene.see(`delete from sessions where user_id = '${owner.id}' and id <> '${owner.sessionId}'`);
      await addSession(scene, owner, 8001, "given");
      await addSession(scene, owner, 8002, null);
      await addSession(scene, owner, 8003, "pending");
      await addSession(scene, owner, 8004, null, "now() - interval '1 hour'");
      const asDefiner = ["set local role app_definer", takeUp];
      const found: unknown[] = [];
      const others = `user_id <> '${owner.id}'`;
      const same = await staysSame(
        scene,
        [
          ["sessions", others],
          ["recovery_codes", others],
        ],
        async () => {
          found.push(await scene.ask(admission(owner), ...asDefiner));
          found.push(await scene.see(sessionsOf(owner)));
          found.push(await scene.see(`select count(*)::int from recovery_codes where user_id = '${owner.id}'`));
          await scene.see(`delete from recovery_codes where user_id = '${owner.id}'`);
          found.push(await scene.ask(admission(owner), ...asDefiner));
        },
      );
      const kept = `select count(*) = 2, bool_and(key_hash in (sha256('\\x01'), sha256('\\x02'))) from recovery_codes where user_id = '${owner.id}'`;
      return [...found, await scene.see(kept), same];
    },
  },
  {
    title: "app_private.give_up_factor leaves everything while another factor is left",
    expected: [
      [true, true],
      [true, true],
    ],
    actual: async (scene) => {
      const [owner, admin] = [scene.person("owner"), scene.person("admin")];
      await activate(scene, owner);
      for (const person of [owner, admin]) await setSecondFactor(scene, person, "given");
      const giveUp = ({ id: userId }: Person) => scene.see(`select app_private.give_up_factor('${userId}')`);
      const found: unknown[] = [];
      for (const person of [owner, admin])
        found.push(await staysSame(scene, [["sessions"], ["recovery_codes"]], () => giveUp(person)));
      return found;
    },
  },
  {
    title:
      "app_private.give_up_factor with the last one takes recovery codes, ends sessions that wait, and keeps the others",
    expected: [
      [
        [true, null, null],
        [false, null, null],
        [false, "pending", true],
        [false, "pending", false],
        [false, "given", false],
      ],
      [[0]],
      [true, true],
    ],
    actual: async (scene) => {
      const owner = scene.person("owner");
      await scene.see(`delete from sessions where user_id = '${owner.id}' and id <> '${owner.sessionId}'`);
      await setSecondFactor(scene, owner, "given");
      await addSession(scene, owner, 8001, "given");
      await addSession(scene, owner, 8002, "pending");
      await addSession(scene, owner, 8003, "pending", "now() - interval '1 hour'");
      await addSession(scene, owner, 8004, "given", "now() - interval '1 hour'");
      for (const person of [scene.person("admin"), scene.person("member")])
        await setSecondFactor(scene, person, person === scene.person("admin") ? "given" : "pending");
      const others = `user_id <> '${owner.id}'`;
      const same = await staysSame(
        scene,
        [
          ["sessions", others],
          ["recovery_codes", others],
        ],
        () => scene.see(`select app_private.give_up_factor('${owner.id}')`),
      );
      return [
        await scene.see(sessionsOf(owner)),
        await scene.see(`select count(*)::int from recovery_codes where user_id = '${owner.id}'`),
        same,
      ];
    },
  },
  {
    title: "app.replace_recovery_codes replaces those of whoever has a factor",
    expected: [["APNOF"], [true], ["APMFA", "AP400"], [[true, true]], [true]],
    actual: async (scene) => {
      const owner = scene.person("owner");
      const replace = "select app.replace_recovery_codes(array['\\x01', '\\x02']::bytea[])";
      let refused: unknown;
      const same = await staysSame(scene, [["recovery_codes"]], async () => {
        refused = await codesOf(scene, admission(owner), [replace]);
      });
      await makeClaimant(scene);
      const early = [
        ...(await codesOf(scene, pendingAdmission(owner), [replace])),
        ...(await codesOf(scene, null, [replace])),
      ];
      await setSecondFactor(scene, owner, "given");
      const others = await staysSame(scene, [["recovery_codes", `user_id <> '${owner.id}'`]], () =>
        scene.ask(admission(owner), replace),
      );
      const kept = await scene.see(
        `select count(*) = 2, bool_and(key_hash in (sha256('\\x01'), sha256('\\x02'))) from recovery_codes where user_id = '${owner.id}'`,
      );
      return [refused, same, early, kept, others];
    },
  },
];
