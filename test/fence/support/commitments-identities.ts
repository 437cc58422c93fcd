import { type Claims, everything, notOf, sessionId, signIn, subjectOf, ticket, verify } from "./identity-statements.ts";
import { id, workerKey } from "./people.ts";
import { codesOf, lockerOf, staysSame, text, type Commitment, type Scene } from "./scene.ts";

/** An organization's own provider, and somebody who has the same subject there as another at Google. */
async function addConnection(scene: Scene, subject: string): Promise<string> {
  const [[connectionId] = []] = await scene.see("select id from sso_connections order by id limit 1");
  await scene.see(
    `update sso_connections set domain = 'example.test', domain_verified_at = now() where id = '${String(connectionId)}'`,
  );
  await scene.see(
    `insert into identities (id, user_id, provider, connection_id, subject)
     values ('${id(9010)}', '${scene.person("helper").id}', 'sso', '${String(connectionId)}', ${text(subject)})`,
  );
  return String(connectionId);
}

/** Whom each of these finds. */
async function ownersOf(scene: Scene, claims: Claims[]): Promise<unknown[]> {
  const found: unknown[] = [];
  for (const [n, claim] of claims.entries()) {
    await scene.see("savepoint asked");
    const [row] = await scene
      .ask(null, signIn({ email: null, ...claim, ticket: ticket(20 + n, workerKey) }))
      .catch((error: { code?: string }) => [[error.code]]);
    found.push(row?.[0]);
    await scene.see("rollback to asked");
  }
  return found;
}

/** Who signs in with an identity, and which one it is. */
export const identityCommitments: Commitment[] = [
  {
    title: "app.sign_in_with_provider signs in who has the identity, whatever its address, and notes its use",
    expected: [
      [[id(100), "person-100@example.test", false, "Name of person-100@example.test", null, false]],
      [["moved@example.test", true]],
      [["moved@example.test"]],
      [true, true, true, true, true, true, true, true],
    ],
    actual: async (scene) => {
      const owner = scene.person("owner");
      let row: unknown;
      const own = `from identities where user_id = '${owner.id}'`;
      const same = await staysSame(scene, notOf(owner), async () => {
        row = await scene.ask(
          null,
          signIn({ subject: subjectOf(owner), email: "moved@example.test", isVerified: false }),
        );
      });
      const used = await scene.see(`select email, last_used_at = now()::timestamptz(3) ${own}`);
      await scene.see(`delete from sessions where id = '${sessionId}'`);
      await scene.ask(
        null,
        signIn({ ticket: ticket(2, workerKey), subject: subjectOf(owner), email: null, isVerified: null }),
      );
      return [row, used, await scene.see(`select email ${own}`), same];
    },
  },
  {
    title: "an identity is found by its provider, its connection and its subject together",
    expected: [id(100), "APEVR", "APEVR", "helper", "APEVR", "APEVR", "APEVR"],
    actual: async (scene) => {
      const subject = subjectOf(scene.person("owner"));
      const connectionId = await addConnection(scene, subject);
      const found = await ownersOf(scene, [
        { subject },
        { subject, provider: "github" },
        { subject: "nobody's" },
        { subject, provider: "sso", connectionId, email: "somebody@example.test" },
        { subject, provider: "sso", connectionId: id(1) },
        { subject: "nobody's", provider: "sso", connectionId },
        { subject, provider: "sso" },
      ]);
      // Found: whether the connection lets them in is another matter.
      return found.map((owner) => (owner === scene.person("helper").id || owner === "APSSO" ? "helper" : owner));
    },
  },
  {
    title: "an identity of a connection is none of the same provider without it",
    expected: ["APEVR", "APEVR", "APEVR"],
    actual: async (scene) => {
      const connectionId = await addConnection(scene, "only there");
      return ownersOf(scene, [
        { subject: "only there" },
        { subject: "only there", connectionId },
        { subject: subjectOf(scene.person("owner")), connectionId },
      ]);
    },
  },
  {
    title: "app.sign_in_with_provider asks for the second factor of whoever has one",
    expected: [["passkey", "recovery_code"], [["pending"]]],
    actual: async (scene) => {
      const [row] = await scene.ask(null, signIn({ subject: subjectOf(scene.person("both")) }));
      return [row?.[4], await scene.see(`select second_factor from sessions where id = '${sessionId}'`)];
    },
  },
  {
    title:
      "app.sign_in_with_provider refuses a disabled account, by identity and by address, and changes nothing of it",
    expected: [["APCRD", "APCRD"], everything.map(() => true)],
    actual: async (scene) => {
      const disabled = scene.person("disabled");
      let codes: unknown[] = [];
      const same = await staysSame(scene, everything, async () => {
        codes = await codesOf(scene, null, [
          signIn({ subject: subjectOf(disabled) }),
          signIn({ email: disabled.email }),
        ]);
      });
      return [codes, same];
    },
  },
  {
    title:
      "app.sign_in_with_provider is tried again where the identity or the account is gone by the time that it is locked",
    expected: [["40001", "40001"], ["40001"]],
    actual: async (scene) => {
      const owner = scene.person("owner");
      const found: unknown[] = [];
      // What is written does not come to be: as if somebody else had taken it away, between two statements.
      for (const [table, calls] of [
        ["identities", [signIn({ subject: subjectOf(owner) }), signIn()]],
        ["users", [signIn()]],
      ] as const) {
        await scene.see("savepoint meanwhile");
        await scene.see(
          `create function public.write_nothing() returns trigger language plpgsql as 'begin return null; end';
           create trigger write_nothing before insert or update on ${table} for each row execute function public.write_nothing()`,
        );
        found.push(await codesOf(scene, null, [...calls]));
        await scene.see("rollback to meanwhile");
      }
      return found;
    },
  },
  ...(["identity", "address"] as const).map((by): Commitment => ({
    title: `app.sign_in_with_provider locks the account that it finds by its ${by}, so that nothing ends it meanwhile`,
    expected: true,
    actual: async (scene) => {
      const owner = scene.person("owner");
      if (by === "address") await scene.see(verify(owner));
      // Past the foreign keys, which would lock the account as well.
      await scene.see("set local session_replication_role = replica");
      const before = await lockerOf(scene, owner);
      // A lock in it has a locker of its own, whatever this transaction has done to the account before.
      await scene.see("savepoint locked");
      await scene.ask(null, signIn(by === "identity" ? { subject: subjectOf(owner) } : { email: owner.email }));
      return before !== (await lockerOf(scene, owner));
    },
  })),
];
