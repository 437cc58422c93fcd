import {
  asSpare,
  everything,
  identities,
  identityId,
  link,
  message,
  notOf,
  noticeId,
  subjectOf,
} from "./identity-statements.ts";
import { id, type Person } from "./people.ts";
import { codesOf, printOf, staysSame, type Commitment } from "./scene.ts";
import { admission } from "./world.ts";

/** Identities that the caller links and unlinks. */
export const identityLinkCommitments: Commitment[] = [
  {
    title: "app.link_identity links a new identity to the caller alone, and tells them by mail",
    expected: [
      [[identityId, "google", "new@example.test", null]],
      [["spare", "google", null, "new", "new@example.test", null]],
      [["spare", "identity_linked", true, null, null]],
      [true, true, true, true, true, true, true, true],
    ],
    actual: async (scene) => {
      const spare = scene.person("spare");
      let row: unknown;
      const same = await staysSame(scene, notOf(spare), async () => {
        row = await scene.ask(asSpare(scene), link());
      });
      const named = (rows: unknown[][]) =>
        rows.map(([owner, ...rest]) => [owner === spare.id ? "spare" : owner, ...rest]);
      const told = named(await scene.see(message)).map(([who, , template, isKey, , ip, agent]) => [
        who,
        template,
        isKey,
        ip,
        agent,
      ]);
      return [row, named(await scene.see(identities)), told, same];
    },
  },
  {
    title: "app.link_identity answers what is the caller's already, and tells nobody",
    expected: [1, 0, true],
    actual: async (scene) => {
      const spare = scene.person("spare");
      const before = await printOf(scene, "identities");
      const rows = await scene.ask(asSpare(scene), link({ subject: subjectOf(spare) }));
      const [[mails] = []] = await scene.see(`select count(*)::int from outbox where id = '${noticeId}'`);
      return [rows.length, mails, before === (await printOf(scene, "identities"))];
    },
  },
  {
    title: "app.link_identity refuses somebody else's, and nobody who is not signed in may ask",
    expected: [["APIDT"], ["AP400"], everything.map(() => true)],
    actual: async (scene) => {
      let codes: unknown[][] = [];
      const same = await staysSame(scene, everything, async () => {
        const theirs = await codesOf(scene, asSpare(scene), [link({ subject: subjectOf(scene.person("owner")) })]);
        codes = [theirs, await codesOf(scene, null, [link()])];
      });
      return [...codes, same];
    },
  },
  {
    title: "app.unlink_identity takes the caller's own, and no other",
    expected: [["AP404", "AP404"], 0, [true, true, true, true, true, true, true, true]],
    actual: async (scene) => {
      const owner = scene.person("owner");
      const of = async (person: Person) =>
        String((await scene.see(`select id from identities where user_id = '${person.id}'`))[0]?.[0]);
      const [own, theirs] = [await of(owner), await of(scene.person("spare"))];
      let codes: unknown[] = [];
      const same = await staysSame(scene, notOf(owner), async () => {
        const unlink = (identity: string) => `select app.unlink_identity('${identity}')`;
        codes = await codesOf(scene, admission(owner), [unlink(theirs), unlink(id(1))]);
        await scene.ask(admission(owner), unlink(own));
      });
      const [[left] = []] = await scene.see(`select count(*)::int from identities where user_id = '${owner.id}'`);
      return [codes, left, same];
    },
  },
  {
    title:
      "app.unlink_identity refuses the last way to sign in, and takes it where there is a password, a passkey or another",
    expected: ["APLST", "done", "done", "done"],
    actual: async (scene) => {
      const owner = scene.person("owner");
      const [[own] = []] = await scene.see(`select id from identities where user_id = '${owner.id}'`);
      const others = [
        "select 1",
        `update users set password_scheme = 1, password_salt = '$2b$04$' || repeat('a', 22), password_verifier = sha256('x') where id = '${owner.id}'`,
        `insert into passkeys (id, user_id, name, credential_id, public_key, sign_count, transports, backed_up)
         values (gen_random_uuid(), '${owner.id}', 'key', '\\x01', '\\x01', 0, '', false)`,
        `insert into identities (id, user_id, provider, subject) values (gen_random_uuid(), '${owner.id}', 'github', 'x')`,
      ];
      const found: unknown[] = [];
      for (const other of others) {
        await scene.see("savepoint way");
        await scene.see(
          `update users set password_scheme = null, password_salt = null, password_verifier = null where id = '${owner.id}'`,
        );
        await scene.see(other);
        found.push(...(await codesOf(scene, admission(owner), [`select app.unlink_identity('${String(own)}')`])));
        await scene.see("rollback to way");
      }
      return found;
    },
  },
];
