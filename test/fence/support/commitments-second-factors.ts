import { id, type Person } from "./people.ts";
import { codesOf, staysSame, text, type Commitment, type Scene } from "./scene.ts";
import { admission } from "./world.ts";

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

/** What the Worker asks of a session, and of the organization. */
export const admit = ({ handle }: Person, rest: string) => `select app.admit('${handle}', ${rest})`;

export const ends = (sessionId: string) =>
  `select second_factor, (idle_expires_at - now()::timestamptz(3))::text, (expires_at - now()::timestamptz(3))::text
     from sessions where id = '${sessionId}'`;

/** What sessions and organizations have of the second factor, whichever it is. */
export const secondFactorCommitments: Commitment[] = [
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
