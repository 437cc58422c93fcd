import { createHash } from "node:crypto";
import { id, type Person, workerKey } from "./people.ts";
import { attempt, codesOf, lockerOf, staysSame, text, type Commitment, type Scene } from "./scene.ts";
import { admission } from "./world.ts";

export const key = `\\x${workerKey.toString("hex")}`;
export const wrongKeys = ["\\x", `\\x${"0d".repeat(32)}`, `\\x${"0d".repeat(64)}`];

const newId = id(8010);
export const sessionId = id(8011);
const noticeId = id(8003);
const noticeKey = "\\x0d";
export const everything: [table: string, condition?: string][] = [
  ["users"],
  ["sessions"],
  ["passkeys"],
  ["recovery_codes"],
  ["spent_challenges"],
  ["outbox"],
  ["throttles"],
];
export const none = everything.map(() => true);

export const credentialOf = ({ id: userId }: Person) =>
  createHash("sha256").update(`credential ${userId}`).digest("hex");

const add = (challenge = "\\x0b", worker = key) =>
  `select app.add_passkey(${text(worker)}, ${text(challenge)}, '${newId}', 'New', sha256('new'), '\\x0c', 7, 'usb,nfc', true,
     array['\\x0e', '\\x0f']::bytea[], 'here', 'agent', '${noticeId}', ${text(noticeKey)})`;
const remove = (passkey: string) =>
  `select app.remove_passkey(${passkey}, 'here', 'agent', '${noticeId}', ${text(noticeKey)})`;

export const beginFactor = (challenge: string, credential: string) =>
  `select user_id, public_key::text, sign_count::int from app.begin_passkey_factor(${text(challenge)}, '\\x${credential}')`;
export const complete = (credential: string, { worker = key, count = 1 } = {}) =>
  `select u.id, u.factors from app.complete_sign_in_with_passkey(${text(worker)}, '\\x${credential}', ${count}, 5, true, '\\x11', '9 days', '2 days') u`;

export const spent = "select count(*)::int from spent_challenges where key_hash = sha256('\\x0b')";

const noticeFor = `select user_id, recipient, template, data->>'ipAddress', data->>'userAgent' from outbox where id = '${noticeId}'`;

/** Lets the session of the person in as one that still waits for its second factor. */
export async function waiting(scene: Scene, person: Person): Promise<string> {
  await scene.see(`update sessions set second_factor = 'pending' where id = '${person.sessionId}'`);
  return `select app.admit('${person.handle}', null, null, false, false, true)`;
}

/** More passkeys of the person's, past the foreign key, which would lock the account. */
const addPasskeys = (scene: Scene, { id: userId }: Person, count: number) =>
  scene.see(
    `set local session_replication_role = replica;
     insert into passkeys (id, user_id, name, credential_id, public_key, sign_count, transports, backed_up)
     select gen_random_uuid(), '${userId}', 'More', sha256(('more' || n)::bytea), '\\x', 0, '', false from generate_series(1, ${count}) n;
     set local session_replication_role = origin`,
  );

/** Passkeys, and what they sign in to. */
export const passkeyCommitments: Commitment[] = [
  {
    title: "Passkeys are added, removed and given by those alone who are let in",
    expected: [["AP400", "AP400", "AP400", "AP400", "AP400", "AP400"], none],
    actual: async (scene) => {
      const credential = credentialOf(scene.person("admin"));
      let codes: unknown[] = [];
      const same = await staysSame(scene, everything, async () => {
        codes = await codesOf(scene, null, [
          "select * from app.begin_passkey_registration()",
          add(),
          remove(`'${newId}'`),
          "select app.claimant_passkeys()",
          beginFactor("\\x0b", credential),
          complete(credential),
        ]);
      });
      return [codes, same];
    },
  },
  {
    title: "app.begin_passkey_registration and app.claimant_passkeys tell the person's own credentials",
    expected: [true, true, [], true],
    actual: async (scene) => {
      const [admin, owner] = [scene.person("admin"), scene.person("owner")];
      const own = [{ id: credentialOf(admin), transports: "usb" }];
      const name = `Name of ${admin.email}`;
      const found = await scene.ask(admission(admin), "select * from app.begin_passkey_registration()");
      const none = await scene.ask(admission(owner), "select passkeys from app.begin_passkey_registration()");
      const waits = await waiting(scene, admin);
      const claimed = await scene.ask(waits, "select app.claimant_passkeys()");
      return [
        JSON.stringify(found) === JSON.stringify([[admin.id, admin.email, name, own]]),
        JSON.stringify(await codesOf(scene, waits, ["select * from app.begin_passkey_registration()"])) === '["APMFA"]',
        none[0]?.[0],
        JSON.stringify(claimed) === JSON.stringify([[own]]),
      ];
    },
  },
  {
    title: "app.add_passkey keeps it, with the recovery codes of the first factor, and mails a notice",
    expected: [
      [[true]],
      [[id(100), "New", true, "\\x0c", 7, "usb,nfc", true, null]],
      [[2]],
      [[1]],
      [[id(100), "person-100@example.test", "passkey_added", "here", "agent"]],
      [["given"]],
      true,
    ],
    actual: async (scene) => {
      const owner = scene.person("owner");
      await scene.see(`delete from recovery_codes where user_id = '${owner.id}'`);
      const before = await lockerOf(scene, owner);
      await scene.see("savepoint locking");
      const added = await scene.ask(admission(owner), add());
      return [
        added,
        await scene.see(
          `select user_id, name, credential_id = sha256('new'), public_key::text, sign_count::int, transports, backed_up, last_used_at from passkeys where id = '${newId}'`,
        ),
        await scene.see(
          `select count(*)::int from recovery_codes where user_id = '${owner.id}' and key_hash in (sha256('\\x0e'), sha256('\\x0f'))`,
        ),
        await scene.see(spent),
        await scene.see(noticeFor),
        await scene.see(`select second_factor from sessions where id = '${owner.sessionId}'`),
        (await lockerOf(scene, owner)) !== before,
      ];
    },
  },
  {
    title: "app.add_passkey refuses a spent challenge, a 21st passkey and whoever is not the Worker",
    expected: ["APPSR", ["APWRK", "APWRK", "APWRK"], "done", "APPSL", none],
    actual: async (scene) => {
      const owner = scene.person("owner");
      const asOwner = admission(owner);
      const before = await staysSame(scene, everything, async () => {
        await codesOf(scene, asOwner, [add("spent"), ...wrongKeys.map((worker) => add("\\x0b", worker))]);
      });
      const again = await attempt(scene, () => scene.ask(asOwner, add("spent")));
      const wrong = await codesOf(
        scene,
        asOwner,
        wrongKeys.map((worker) => add("\\x0b", worker)),
      );
      await addPasskeys(scene, owner, 19);
      const last = await attempt(scene, () => scene.ask(asOwner, add()));
      await scene.see(
        `set local session_replication_role = replica;
         insert into passkeys (id, user_id, name, credential_id, public_key, sign_count, transports, backed_up)
         values (gen_random_uuid(), '${owner.id}', 'Last', sha256('last'), '\\x', 0, '', false);
         set local session_replication_role = origin`,
      );
      return [again, wrong, last, await attempt(scene, () => scene.ask(asOwner, add())), before];
    },
  },
  {
    title: "app.remove_passkey leaves the person's other passkeys, and their recovery codes",
    expected: [[[1]], [[1]]],
    actual: async (scene) => {
      const admin = scene.person("admin");
      await scene.see(`delete from totp_factors where user_id = '${admin.id}'`);
      const [[own] = []] = await scene.see(`select id from passkeys where user_id = '${admin.id}'`);
      await addPasskeys(scene, admin, 1);
      await scene.ask(admission(admin), remove(`'${String(own)}'`));
      return [
        await scene.see(`select count(*)::int from passkeys where user_id = '${admin.id}'`),
        await scene.see(`select count(*)::int from recovery_codes where user_id = '${admin.id}'`),
      ];
    },
  },
  {
    title: "app.add_passkey adds none to an account that is gone",
    expected: "AP401",
    actual: (scene) =>
      attempt(scene, () => scene.ask(admission(scene.person("spare")), "select app.delete_account()", add())),
  },
  {
    title: "The Worker is known by its keys: the first ever, and each that comes beside a known one",
    expected: ["APWRK", "APWRK", "APWRK", [[2]], [[true]], "APWRK", "23502", [[true]]],
    actual: async (scene) => {
      const [next, other] = ["0e".repeat(32), "0f".repeat(32)];
      const prove = (keys: string | null) => scene.see(`select app_private.prove_worker(${text(keys)})`);
      const known = (...keys: string[]) =>
        scene.see(
          `select array_agg(key_hash order by key_hash) = array(select sha256(key::bytea) from unnest(array[${keys.map((each) => text(each)).join()}]) key order by 1) from app_private.worker_keys`,
        );
      const refused = [
        await attempt(scene, () => prove(`${key}00`)),
        await attempt(scene, () => prove(`\\x${other}${next}`)),
        await attempt(scene, () => prove(null)),
      ];
      await prove(`\\x${next}${key.slice(2)}`);
      const both = await scene.see("select count(*)::int from app_private.worker_keys");
      await prove(`\\x${next}`);
      const one = await known(`\\x${next}`);
      const before = await attempt(scene, () => prove(key));
      await scene.see("delete from app_private.worker_keys");
      const nothing = await attempt(scene, () => prove(null));
      await prove(`\\x${other}`);
      return [...refused, both, one, before, nothing, await known(`\\x${other}`)];
    },
  },
  {
    title: "app.remove_passkey removes the person's own alone, their last factor with it, and mails a notice",
    expected: [
      "AP404",
      [[0]],
      [[0]],
      [[null]],
      [[id(101), "person-101@example.test", "passkey_removed", "here", "agent"]],
      [true],
      true,
    ],
    actual: async (scene) => {
      const [admin, both] = [scene.person("admin"), scene.person("both")];
      await scene.see(
        `delete from totp_factors where user_id = '${admin.id}'; update sessions set second_factor = 'given' where id = '${admin.sessionId}'`,
      );
      const [[others] = []] = await scene.see(`select id from passkeys where user_id = '${both.id}'`);
      const other = await attempt(scene, () => scene.ask(admission(admin), remove(`'${String(others)}'`)));
      const [[own] = []] = await scene.see(`select id from passkeys where user_id = '${admin.id}'`);
      const before = await lockerOf(scene, admin);
      const same = await staysSame(scene, [["passkeys", `user_id <> '${admin.id}'`]], () =>
        scene.ask(admission(admin), remove(`'${String(own)}'`)),
      );
      return [
        other,
        await scene.see(`select count(*)::int from passkeys where user_id = '${admin.id}'`),
        await scene.see(`select count(*)::int from recovery_codes where user_id = '${admin.id}'`),
        await scene.see(`select second_factor from sessions where id = '${admin.sessionId}'`),
        await scene.see(noticeFor),
        same,
        (await lockerOf(scene, admin)) !== before,
      ];
    },
  },
];
