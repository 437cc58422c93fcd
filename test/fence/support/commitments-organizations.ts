import { id, organizations } from "./people.ts";
import { asPerson, purgeInOrder, codeOf, text, letIn, type Commitment } from "./scene.ts";

const { mine, theirs, third } = organizations;
const create = (slugs: string) =>
  `select id, name, slug, roles from app.create_organization('${id(8002)}', 'New', '${slugs}')`;
const claim = (scope: string | null, key: string, hash = "\\x01") =>
  `select app.claim_idempotency_key(${text(scope)}, ${text(key)}, ${text(hash)})`;
const keep = (scope: string | null, key: string) =>
  `select app.keep_response(${text(scope)}, ${text(key)}, '{"n":1}')::text`;
const kept = `select scope, encode(request_hash, 'hex'), response::text from idempotency_keys where key = 'k' order by 1`;

/** What keys, organizations and their members are to whom. */
export const organizationCommitments: Commitment[] = [
  {
    title: "app.create_organization makes the caller its only owner, under the first free slug",
    expected: [[[id(8002), "New", "free", ["owner"]]], [[true, "owner", "creation"]], [[3]]],
    actual: async (scene) => [
      await scene.ask(asPerson(scene, "helper"), create("{slug-mine,free,other}")),
      await scene.see(
        `select user_id = '${scene.person("helper").id}', role, joined_by from memberships join membership_roles using (organization_id, user_id) where organization_id = '${id(8002)}'`,
      ),
      await scene.see("select count(*)::int from organizations where slug ~ '^slug-'"),
    ],
  },
  {
    title: "app.create_organization fails when no slug is free, and for somebody who is not signed in",
    expected: ["23505", "AP400"],
    actual: async (scene) => {
      const codes = [];
      for (const [admission, slugs] of [
        [asPerson(scene, "owner"), "{slug-mine,slug-third}"],
        [null, "{free}"],
      ] as const) {
        await scene.see("savepoint tried");
        codes.push(await codeOf(scene.ask(admission, create(slugs))));
        await scene.see("rollback to tried");
      }
      return codes;
    },
  },
  {
    title: "app.my_organizations lists the caller's own with their roles there, in pages",
    expected: [
      [
        [mine, "slug-mine", ["viewer"]],
        [theirs, "slug-theirs", ["member", "owner"]],
      ],
      [[mine]],
      [[theirs]],
      [[third, ["owner"]]],
      [],
    ],
    actual: async (scene) => {
      const both = asPerson(scene, "both");
      await scene.see(
        `insert into membership_roles (organization_id, user_id, role) values ('${theirs}', '${scene.person("both").id}', 'member')`,
      );
      return [
        await scene.ask(both, "select id, slug, roles from app.my_organizations(null, 10)"),
        await scene.ask(both, "select id from app.my_organizations(null, 1)"),
        await scene.ask(both, `select id from app.my_organizations('${mine}', 10)`),
        await scene.ask(asPerson(scene, "outsider"), "select id, roles from app.my_organizations(null, 10)"),
        await scene.ask(asPerson(scene, "spare"), "select id from app.my_organizations(null, 10)"),
      ];
    },
  },
  {
    title: "app.member_profiles tells of the asked members of the organization, to those with members:read",
    expected: [[["admin"], ["viewer"]], [], [], []],
    actual: async (scene) => {
      const list = (names: string[]) => `{${names.map((name) => scene.person(name).id).join(",")}}`;
      const ask = (admission: string, names: string[]) =>
        scene.ask(admission, `select user_id, email, name from app.member_profiles('${list(names)}') order by user_id`);
      const named = (rows: unknown[][]) =>
        rows.map(([userId, email, name]) => {
          const found = ["admin", "viewer", "owner", "outsider"].find((who) => scene.person(who).id === userId) ?? "?";
          return email === scene.person(found).email && name === `Name of ${email}` ? [found] : [userId, email, name];
        });
      return [
        named(await ask(letIn(scene, "owner"), ["admin", "viewer", "outsider", "founder"])),
        await ask(letIn(scene, "viewer"), ["admin", "viewer"]),
        await ask(asPerson(scene, "owner"), ["admin", "owner"]),
        await ask(letIn(scene, "owner"), ["outsider", "spare"]),
      ];
    },
  },
  {
    title: "an idempotency key is taken and answered within its person",
    expected: [
      [['{"n":1}']],
      [
        ["user:owner", "01", '{"n":1}'],
        ["user:viewer", "01", null],
      ],
    ],
    actual: async (scene) => {
      await scene.ask(asPerson(scene, "viewer"), claim(null, "k"));
      const answer = await scene.ask(asPerson(scene, "owner"), claim(null, "k"), keep(null, "k"));
      const rows = await scene.see(kept);
      const names = new Map(["owner", "viewer"].map((name) => [`user:${scene.person(name).id}`, `user:${name}`]));
      return [answer, rows.map(([scope, ...rest]) => [names.get(String(scope)) ?? scope, ...rest])];
    },
  },
  {
    title: "an anonymous key is taken and answered within its scope",
    expected: [
      [
        ["anonymous:0a", "01", '{"n":1}'],
        ["anonymous:0b", "02", null],
      ],
    ],
    actual: async (scene) => {
      await scene.ask(null, claim("\\x0b", "k", "\\x02"));
      await scene.ask(null, claim("\\x0a", "k"), keep("\\x0a", "k"));
      return [await scene.see(kept)];
    },
  },
  ...(
    [
      ["is replayed for the same request", "created_at = now() - interval '23 hours'", "\\x01", ["APREP", '{"n":1}']],
      ["is refused for another request", "created_at = now()", "\\x02", ["APKEY", undefined]],
      [
        "is taken anew after 24 hours",
        "created_at = now() - interval '25 hours'",
        "\\x02",
        ["done", [["02", null, true]]],
      ],
      ["says null while there is no answer", "response = null", "\\x01", ["APREP", "null"]],
    ] as [string, string, string, unknown][]
  ).map(([what, prepare, hash, expected]): Commitment => ({
    title: `a used key ${what}`,
    expected,
    actual: async (scene) => {
      await scene.ask(null, claim("\\x0a", "k"), keep("\\x0a", "k"));
      await scene.see(`update idempotency_keys set ${prepare} where key = 'k'`);
      try {
        await scene.ask(null, claim("\\x0a", "k", hash));
      } catch (error) {
        return [(error as { code?: string }).code, (error as { detail?: string }).detail];
      }
      return [
        "done",
        await scene.see(
          "select encode(request_hash, 'hex'), response, created_at = now()::timestamptz(3) from idempotency_keys where key = 'k'",
        ),
      ];
    },
  })),
  {
    title: "each key has its own answer, also beside the same key of others and other keys of one's own",
    expected: ['{"a":"x"}', '{"a":"y"}', '{"b":"x"}', '{"b":"y"}'],
    actual: async (scene) => {
      const keys = ["y", "x"].flatMap((key) => ["\\x0b", "\\x0a"].map((scope) => ({ scope, key })));
      for (const { scope, key } of keys) {
        await scene.ask(null, claim(scope, key));
        const answer = `{"${scope.at(-1)}":"${key}"}`;
        await scene.ask(null, `select app.keep_response(${text(scope)}, ${text(key)}, ${text(answer)})`);
      }
      const details: string[] = [];
      for (const { scope, key } of keys) {
        await scene.see("savepoint tried");
        await scene.ask(null, claim(scope, key)).catch(({ detail }: { detail: string }) => details.push(detail));
        await scene.see("rollback to tried");
      }
      return details.toSorted();
    },
  },
  {
    title: "an answer goes to no other key that waits for one",
    expected: [
      ["k", true],
      ["l", false],
    ],
    actual: async (scene) => {
      await scene.ask(null, claim("\\x0a", "k"), claim("\\x0a", "l"), keep("\\x0a", "k"));
      return scene.see(
        "select key, response is not null from idempotency_keys where scope = 'anonymous:0a' order by 1",
      );
    },
  },
  {
    title: "an answer is kept once, for its own key",
    expected: [[], [], [['{"n":1}']]],
    actual: async (scene) => {
      await scene.ask(null, claim("\\x0a", "k"), keep("\\x0a", "k"));
      return [
        await rowsWithText(scene.ask(null, keep("\\x0a", "k"))),
        await rowsWithText(scene.ask(null, claim("\\x0a", "other"), keep("\\x0b", "other"))),
        await scene.see(
          "select response::text from idempotency_keys where scope ~ '^anonymous' and response is not null",
        ),
      ];
    },
  },
  {
    title: "app.purge_expired forgets keys after 24 hours and sessions 30 days after their end, and nothing else",
    expected: [[["2"]], [[1, 1]], [[true]]],
    actual: async (scene) => {
      const count = "select (select count(*) from idempotency_keys) + (select count(*) from sessions)";
      const [before] = await scene.see(count);
      const age = async (who: string, keyAge: string, sessionAge: string) =>
        scene.see(
          `update idempotency_keys set created_at = now() - interval '${keyAge}' where scope = 'user:${scene.person(who).id}';
           update sessions set expires_at = now() - interval '${sessionAge}' where id = '${scene.person(who).sessionId}'`,
        );
      await age("owner", "23 hours 59 minutes", "29 days 23 hours");
      await age("admin", "24 hours 1 minute", "30 days 1 hour");
      const purged = await scene.ask(null, "select app.purge_expired()");
      const gone = await scene.see(
        `select 1 - (select count(*) from idempotency_keys where scope = 'user:${scene.person("admin").id}')::int,
                1 - (select count(*) from sessions where id = '${scene.person("admin").sessionId}')::int`,
      );
      const [after] = await scene.see(count);
      return [purged, gone, [[Number(before) - Number(after) === 2]]];
    },
  },
  {
    title: "app.purge_expired takes 5000 rows of a table at once, by app_private.purge, and 50 organizations",
    about: "app.purge_expired",
    expected: [[["15050"]], [["Crowded"]]],
    actual: async (scene) => {
      await scene.see(
        `insert into idempotency_keys (scope, key, request_hash, created_at)
         select 'old', n, '\\x', now() - interval '23 hours' * (1 + n % 2) from generate_series(1, 10002) n;
         insert into sessions (id, user_id, handle_hash, idle_expires_at, expires_at)
         select gen_random_uuid(), '${scene.person("owner").id}', sha256(n::text::bytea), now(), now() - interval '20 days' * (1 + n % 2)
           from generate_series(1, 10002) n;
         insert into organizations (id, name, slug, deleted_at) values ('${id(9700)}', 'Crowded', 'crowded', now() - interval '40 days');
         set local session_replication_role = replica;
         insert into memberships (organization_id, user_id, joined_by) select '${id(9700)}', gen_random_uuid(), 'sso' from generate_series(1, 5001);
         set local session_replication_role = origin;
         insert into organizations (id, name, slug, deleted_at)
         select gen_random_uuid(), 'Empty', 'empty-' || n, now() - interval '20 days' * (1 + n % 2) from generate_series(1, 102) n`,
      );
      // Whose members do not go at once is not purged before them.
      return [await purgeInOrder(scene), await scene.see(`select name from organizations where id = '${id(9700)}'`)];
    },
  },
  {
    title: "app.create_organization tries another slug where one is taken, and for nothing else",
    expected: ["organizations_pkey", "organizations_slug_key"],
    actual: async (scene) => {
      const found: unknown[] = [];
      for (const [newId, slug] of [
        [mine, "unheard-of"],
        [id(9701), "slug-mine"],
      ] as const) {
        await scene.see("savepoint creating");
        await scene
          .ask(asPerson(scene, "owner"), `select * from app.create_organization('${newId}', 'New', '{${slug}}')`)
          .catch(({ constraint }: { constraint: string }) => found.push(constraint));
        await scene.see("rollback to creating");
      }
      return found;
    },
  },
  {
    title: "an organization that is deleted after the admission is not changed",
    expected: [[0], [1]],
    actual: async (scene) => {
      const rename =
        "with renamed as (update organizations set name = 'Renamed' returning 1) select count(*)::int from renamed";
      const found: unknown[] = [];
      for (const change of [`update public.organizations set deleted_at = now() where id = '${mine}'`, "select 1"]) {
        await scene.see("savepoint changing");
        const rows = await scene.ask(
          letIn(scene, "owner", "organization:update"),
          "set local role none",
          change,
          "set local role app_user",
          rename,
        );
        found.push(rows[0]);
        await scene.see("rollback to changing");
      }
      return found;
    },
  },
  {
    title: "a change of an organization or an account is dated",
    expected: [[true, true]],
    actual: async (scene) => {
      await scene.ask(letIn(scene, "owner"), "update organizations set name = 'x'", "update users set name = 'x'");
      return scene.see(
        `select (select updated_at = now()::timestamptz(3) from organizations where id = '${mine}'),
                (select updated_at = now()::timestamptz(3) from users where id = '${scene.person("owner").id}')`,
      );
    },
  },
];

async function rowsWithText(rows: Promise<unknown[][]>): Promise<unknown[][]> {
  return (await rows).filter(([value]) => value !== null);
}
