import { link, signIn, ticket, verify } from "./identity-statements.ts";
import { id, organizations, workerKey } from "./people.ts";
import { attempt, codesOf, letIn, staysSame, type Commitment, type Scene } from "./scene.ts";
import { admission } from "./world.ts";

const { mine, theirs, third } = organizations;

const idOf = async (scene: Scene, organizationId: string): Promise<string> =>
  String((await scene.see(`select id from sso_connections where organization_id = '${organizationId}'`))[0]?.[0]);

/** The organization's connection, of the domain that everybody's address is of. */
async function connect(scene: Scene, organizationId: string): Promise<string> {
  await scene.see("update sso_connections set domain_verified_at = null where domain = 'example.test'");
  await scene.see(
    `update sso_connections set domain = 'example.test', domain_verified_at = now() where organization_id = '${organizationId}'`,
  );
  return idOf(scene, organizationId);
}

const signInAt = (connectionId: string, email: string | null, n = 1, subject = "new") =>
  signIn({ ticket: ticket(n, workerKey), provider: "sso", connectionId, email, subject });

const rolesOf = (userId: string) =>
  `select organization_id, role from membership_roles where user_id = '${userId}' order by organization_id`;

const find = (domain: string | null, connectionId: string | null) =>
  `select id from app.verified_connection(${domain === null ? "null" : `'${domain}'`}, ${connectionId === null ? "null" : `'${connectionId}'`})`;

const verifyDomain = (connectionId: string, keys = workerKey) =>
  `select app.verify_domain('\\x${keys.toString("hex")}', '${connectionId}')`;

const verified = "select organization_id, domain_verified_at is not null from sso_connections order by organization_id";

/** Companies' own providers: which connection is found, who signs in with it, and who verifies its domain. */
export const ssoCommitments: Commitment[] = [
  {
    title: "app.verified_connection finds one by its domain or by its id, and only while the domain is verified",
    expected: [["mine"], ["mine"], [], [], [], [], ["mine"], []],
    actual: async (scene) => {
      await scene.see(`update sso_connections set domain_verified_at = now() where organization_id <> '${theirs}'`);
      const [own, other] = [await idOf(scene, mine), await idOf(scene, theirs)];
      const found: unknown[] = [];
      for (const [domain, connectionId] of [
        ["mine.test", null],
        [null, own],
        ["theirs.test", null],
        [null, other],
        ["nobody.test", null],
        [null, null],
        ["third.test", own],
        ["mine.test", other],
      ] as const) {
        const rows = await scene.ask(null, find(domain, connectionId));
        found.push(rows.map(([row]) => (row === own ? "mine" : row)));
      }
      return found;
    },
  },
  {
    title:
      "app.sign_in_with_provider makes whoever a connection signs in a member of its organization, and of no other",
    expected: [[[id(3), "member"]], [true, true]],
    actual: async (scene) => {
      const connectionId = await connect(scene, third);
      const same = await staysSame(scene, [["memberships", `user_id <> '${id(9001)}'`], ["sso_connections"]], () =>
        scene.ask(null, signInAt(connectionId, "new@example.test")),
      );
      return [await scene.see(rolesOf(id(9001))), same];
    },
  },
  {
    title: "app.sign_in_with_provider makes a member again whom the connection knows, and leaves a role as it is",
    expected: [[[id(1), "admin"]], [[id(3), "member"]]],
    actual: async (scene) => {
      const [admin, spare] = [scene.person("admin"), scene.person("spare")];
      await scene.see(verify(admin));
      const own = await connect(scene, mine);
      await scene.ask(null, signInAt(own, admin.email));
      const first = await scene.see(rolesOf(admin.id));
      const other = await connect(scene, third);
      await scene.see(
        `insert into identities (id, user_id, provider, connection_id, subject)
         values ('${id(9020)}', '${spare.id}', 'sso', '${other}', 'known')`,
      );
      await scene.see(`delete from sessions where id = '${id(9003)}'`);
      await scene.ask(null, signInAt(other, "another@example.test", 2, "known"));
      return [first, await scene.see(rolesOf(spare.id))];
    },
  },
  {
    title: "a connection that is not verified, or that nobody has, signs nobody in and is linked to nobody",
    expected: [
      ["APSSO", "APSSO", "APSSO", "APSSO"],
      ["APSSO", "APSSO"],
    ],
    actual: async (scene) => {
      const spare = scene.person("spare");
      await connect(scene, theirs);
      await scene.see("update sso_connections set domain = 'example.test' where domain_verified_at is null");
      const unverified = await idOf(scene, mine);
      await scene.see(
        `insert into identities (id, user_id, provider, connection_id, subject)
         values ('${id(9020)}', '${spare.id}', 'sso', '${unverified}', 'known')`,
      );
      return [
        await codesOf(scene, null, [
          signInAt(unverified, "new@example.test"),
          signInAt(id(9030), "new@example.test"),
          signInAt(unverified, spare.email, 1, "known"),
          signInAt(unverified, "new@elsewhere.test"),
        ]),
        await codesOf(
          scene,
          admission(spare),
          [unverified, id(9030)].map((connectionId) => link({ provider: "sso", connectionId })),
        ),
      ];
    },
  },
  {
    title:
      "a connection signs in to accounts of its domain alone, with addresses of it alone, and is linked to no other",
    expected: [["APDOM", "APDOM", "APDOM", "APEVR", "APDOM", "APDOM", "done"], "APDOM", ["APDOM", "done"], ["APDOM"]],
    actual: async (scene) => {
      const spare = scene.person("spare");
      const connectionId = await connect(scene, third);
      await scene.see(
        `insert into identities (id, user_id, provider, connection_id, subject)
         values ('${id(9020)}', '${spare.id}', 'sso', '${connectionId}', 'known')`,
      );
      const codes = await codesOf(scene, null, [
        signInAt(connectionId, "new@elsewhere.test"),
        signInAt(connectionId, "new@mail.example.test"),
        signInAt(connectionId, "new@example.test@elsewhere.test"),
        signInAt(connectionId, null),
        signInAt(connectionId, null, 1, "known"),
        signInAt(connectionId, "spare@elsewhere.test", 1, "known"),
        signInAt(connectionId, "spare@example.test", 1, "known"),
      ]);
      const links = await codesOf(scene, admission(spare), [
        link({ provider: "sso", connectionId, email: "new@elsewhere.test" }),
        link({ provider: "sso", connectionId }),
      ]);
      await scene.see(`update users set email = 'spare@elsewhere.test' where id = '${spare.id}'`);
      const moved = await attempt(scene, () =>
        scene.ask(null, signInAt(connectionId, "spare@example.test", 1, "known")),
      );
      return [codes, moved, links, await codesOf(scene, admission(spare), [link({ provider: "sso", connectionId })])];
    },
  },
  {
    title: "app_private.hold_connection locks its organization, and no other",
    expected: [id(3), [id(3)]],
    actual: async (scene) => {
      const connectionId = await connect(scene, third);
      const locks = async () => (await scene.see("select id, xmax::text from organizations order by id")).map(String);
      const before = await locks();
      const [[held] = []] = await scene.see(
        `select app_private.hold_connection('${connectionId}', 'one@example.test', 'two@example.test')`,
      );
      const taken = (await locks()).filter((lock) => !before.includes(lock));
      return [held, taken.map((lock) => lock.split(",")[0])];
    },
  },
  {
    title: "app.verify_domain verifies the connection of the caller's organization, by the Worker's word",
    expected: [
      [
        [id(1), true],
        [id(2), false],
        [id(3), false],
      ],
      [true, true],
    ],
    actual: async (scene) => {
      const connectionId = await idOf(scene, mine);
      const same = await staysSame(
        scene,
        [["sso_connections", `organization_id <> '${mine}'`], ["organizations"]],
        () => scene.ask(letIn(scene, "owner", "sso:write"), verifyDomain(connectionId)),
      );
      return [await scene.see(verified), same];
    },
  },
  {
    title:
      "app.verify_domain refuses another's connection, a caller without sso:write, and a key that is not the Worker's",
    expected: [
      ["AP404", "AP404", "APWRK"],
      ["AP404"],
      ["AP404"],
      [
        [id(1), false],
        [id(2), false],
        [id(3), false],
      ],
    ],
    actual: async (scene) => {
      const [own, other] = [await idOf(scene, mine), await idOf(scene, theirs)];
      const owner = letIn(scene, "owner", "sso:write");
      const strange = Buffer.alloc(32, 0x0c);
      const codes = await codesOf(scene, owner, [
        verifyDomain(other),
        verifyDomain(id(9030)),
        verifyDomain(own, strange),
      ]);
      const byAdmin = await codesOf(scene, letIn(scene, "admin", "sso:read"), [verifyDomain(own)]);
      const asPerson = await codesOf(scene, admission(scene.person("owner")), [verifyDomain(own)]);
      return [codes, byAdmin, asPerson, await scene.see(verified)];
    },
  },
  {
    title: "app.verify_domain keeps the time of the first verification",
    expected: [[true]],
    actual: async (scene) => {
      const own = await idOf(scene, mine);
      await scene.see(`update sso_connections set domain_verified_at = '2020-01-01' where id = '${own}'`);
      await scene.ask(letIn(scene, "owner", "sso:write"), verifyDomain(own));
      return scene.see(`select domain_verified_at = '2020-01-01' from sso_connections where id = '${own}'`);
    },
  },
  {
    title: "app.create_sso_connection adds one for those with sso:write, to their own organization, not verified",
    expected: ["42501", "42501", [[id(9040), null]]],
    actual: async (scene) => {
      const create = (organizationId: string) =>
        `select id, domain_verified_at from app.create_sso_connection('${organizationId}', '${id(9040)}', 'new.test', 'saas-verification=0123456789', 'https://idp.test', 'client', '\\x00')`;
      const owner = letIn(scene, "owner", "sso:write");
      const [other] = await codesOf(scene, owner, [create(theirs)]);
      const [byAdmin] = await codesOf(scene, letIn(scene, "admin", "sso:read"), [create(mine)]);
      return [other, byAdmin, await scene.ask(owner, create(mine))];
    },
  },
];
