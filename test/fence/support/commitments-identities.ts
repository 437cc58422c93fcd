import { id, type Person, workerKey } from "./people.ts";
import { codesOf, lockerOf, printOf, staysSame, text, type Commitment, type Scene } from "./scene.ts";
import { admission } from "./world.ts";

const hex = (bytes: Buffer) => `\\x${bytes.toString("hex")}`;
const filled = (byte: number) => Buffer.alloc(32, byte);
const [nextKey, strangeKey] = [filled(0x0b), filled(0x0c)];

/** A ticket with these keys, which nobody has handed in. */
export const ticket = (n: number, ...keys: Buffer[]) => hex(Buffer.concat([filled(n), ...keys]));
const good = ticket(1, workerKey);

const [userId, identityId, sessionId, noticeId] = [id(9001), id(9002), id(9003), id(9004)];

interface Claims {
  ticket?: string;
  provider?: string;
  connectionId?: string;
  subject?: string;
  email?: string | null;
  isVerified?: boolean | null;
  isMailed?: boolean;
}

const nullable = (value: string | null | undefined) => (value == null ? "null" : text(value));

/** Somebody new, unless the claims say otherwise. */
export const signIn = ({
  ticket = good,
  provider = "google",
  connectionId,
  subject = "new",
  email = "new@example.test",
  isVerified = true,
  isMailed = true,
}: Claims = {}) =>
  `select (r.signed_in).id, (r.signed_in).email, (r.signed_in).email_verified, (r.signed_in).name, (r.signed_in).factors, r.linked
     from app.sign_in_with_provider(${text(ticket)}, ${text(provider)}, ${nullable(connectionId)}, ${text(subject)}, ${nullable(email)},
       ${isVerified}, 'New', '${userId}', '${identityId}', '${sessionId}', '\\x08', '2 days', '1 day', 'here', 'agent', null, null,
       ${isMailed ? `'${noticeId}', '\\x0d'` : "null, null"}) r`;

export const link = (
  { ticket = good, provider = "google", connectionId, subject = "new", email = "new@example.test" }: Claims = {},
  isMailed = true,
) =>
  `select id, provider, email, last_used_at from app.link_identity(${text(ticket)}, ${text(provider)}, ${nullable(connectionId)}, ${text(subject)},
     ${nullable(email)}, '${identityId}', ${isMailed ? `'${noticeId}', '\\x0d'` : "null, null"})`;

const subjectOf = (person: Person) => `subject ${person.id}`;
const identities = `select user_id, provider, connection_id, subject, email, last_used_at = now()::timestamptz(3) from identities where id = '${identityId}'`;
const message = `select user_id, recipient, template, key_hash = sha256('\\x0d'), data->>'name', data->>'ipAddress', data->>'userAgent'
  from outbox where id = '${noticeId}'`;
const session = `select user_id, handle_hash = sha256('\\x08'), second_factor, ip_address, user_agent, (expires_at - now()::timestamptz(3))::text,
    (idle_expires_at - now()::timestamptz(3))::text from sessions where id = '${sessionId}'`;
export const verify = ({ id: personId }: Person) =>
  `update users set email_verified_at = now() - interval '1 day' where id = '${personId}'`;
const keys = `select key_hash from app_private.worker_keys order by 1`;

/** All that people sign in with. */
const everything: [table: string, condition?: string][] = [
  "users",
  "sessions",
  "identities",
  "passkeys",
  "totp_factors",
  "recovery_codes",
  "one_time_tokens",
  "outbox",
  "spent_challenges",
].map((table) => [table]);

const notOf = ({ id: personId }: Person): [table: string, condition?: string][] => [
  ["users", `id not in ('${personId}', '${userId}')`],
  ...["sessions", "identities", "passkeys", "totp_factors", "recovery_codes", "one_time_tokens", "outbox"].map(
    (table): [string, string] => [table, `user_id not in ('${personId}', '${userId}')`],
  ),
];

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

const asSpare = (scene: Scene) => admission(scene.person("spare"));

/** Tickets of providers: who is signed in with one, and what is linked. */
export const identityCommitments: Commitment[] = [
  {
    title: "app.spend_state takes a state once, and each by itself",
    expected: [true, false, true, true],
    actual: async (scene) => {
      const found: unknown[] = [];
      for (const state of ["\\x01", "\\x01", "\\x02"]) {
        found.push((await scene.ask(null, `select app.spend_state('${state}')`))[0]?.[0]);
      }
      const [[isKept] = []] = await scene.see(
        "select exists (select from spent_challenges where key_hash = sha256('\\x01'))",
      );
      return [...found, isKept];
    },
  },
  {
    title: "a ticket without a key of the Worker's is refused, whatever its length, and nothing is done",
    expected: [
      Array.from({ length: 8 }, () => "APWRK"),
      Array.from({ length: 4 }, () => "APWRK"),
      everything.map(() => true),
    ],
    actual: async (scene) => {
      const bad = [
        ticket(1, strangeKey),
        ticket(1, strangeKey, nextKey),
        ticket(1),
        "\\x",
        hex(Buffer.concat([filled(1), workerKey.subarray(0, 31)])),
        hex(Buffer.concat([filled(1), workerKey, filled(2).subarray(0, 31)])),
        hex(Buffer.concat([filled(1), workerKey, nextKey, strangeKey])),
        hex(Buffer.concat([filled(1), filled(2), strangeKey])),
      ];
      let codes: unknown[] = [];
      let linking: unknown[] = [];
      const same = await staysSame(scene, everything, async () => {
        codes = await codesOf(
          scene,
          null,
          bad.map((wrong) => signIn({ ticket: wrong })),
        );
        linking = await codesOf(
          scene,
          asSpare(scene),
          bad.slice(0, 4).map((wrong) => link({ ticket: wrong })),
        );
      });
      return [codes, linking, same];
    },
  },
  {
    title: "a ticket that is null is refused",
    expected: ["APWRK"],
    actual: (scene) => codesOf(scene, null, [signIn().replace(text(good), "null")]),
  },
  {
    title: "the first ticket brings the Worker's key, while none is known",
    expected: [1, ["APWRK"]],
    actual: async (scene) => {
      await scene.see("delete from app_private.worker_keys");
      await scene.ask(null, signIn({ ticket: ticket(1, strangeKey) }));
      const [[count] = []] = await scene.see(
        `select count(*)::int from app_private.worker_keys where key_hash = sha256('${hex(strangeKey)}')`,
      );
      return [count, await codesOf(scene, null, [signIn({ ticket: ticket(2, workerKey) })])];
    },
  },
  {
    title: "a key beside a known one is known from then on, and forgets the other once it comes alone",
    expected: [2, 1, ["APWRK"]],
    actual: async (scene) => {
      const subject = subjectOf(scene.person("owner"));
      const count = async () => (await scene.see(keys)).length;
      await scene.ask(null, signIn({ ticket: ticket(1, nextKey, workerKey), subject }));
      const both = await count();
      await scene.see(`delete from sessions where id = '${sessionId}'`);
      await scene.ask(null, signIn({ ticket: ticket(2, nextKey), subject }));
      return [both, await count(), await codesOf(scene, null, [signIn({ ticket: ticket(3, workerKey), subject })])];
    },
  },
  {
    title: "a known key that comes beside a new one first is taken, and both are known",
    expected: [1, "done"],
    actual: async (scene) => {
      const subject = subjectOf(scene.person("owner"));
      await scene.ask(null, signIn({ ticket: ticket(1, workerKey, strangeKey), subject }));
      return [(await scene.see(keys)).length, "done"];
    },
  },
  {
    title: "a ticket is taken once, for signing in or linking, whatever else it says",
    expected: [["APOTK", "APOTK"], ["APOTK"]],
    actual: async (scene) => {
      await scene.ask(null, signIn());
      const again = [signIn(), signIn({ subject: subjectOf(scene.person("owner")) })];
      return [await codesOf(scene, null, again), await codesOf(scene, asSpare(scene), [link()])];
    },
  },
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
