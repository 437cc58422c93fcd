import { mine, remove, theirs, third } from "./deleting.ts";
import { giveDomain, owned, prove, workerKeys } from "./enrolling.ts";
import { id } from "./people.ts";
import { asPerson, attempt, codesOf, letIn, purgeInOrder, staysSame, type Commitment, type Scene } from "./scene.ts";

const others = (table: string): [string, string] => [table, `organization_id <> '${mine}'`];
const idOf = async (scene: Scene, organizationId: string): Promise<string> =>
  String(
    (
      await scene.see(`select id from sso_connections where organization_id = '${organizationId}' order by domain`)
    )[0]?.[0],
  );

/** What becomes of an organization's connections, domains and members when it is deleted, and when it is purged. */
export const deletionEffectCommitments: Commitment[] = [
  {
    title: "app.verified_connection finds none of a deleted organization, and those of others",
    expected: [[], [], [["third"]], [["third"]]],
    actual: async (scene) => {
      await scene.see("update sso_connections set domain_verified_at = now()");
      await remove(scene, mine);
      const found: unknown[] = [];
      for (const [which, name] of [
        [mine, "mine"],
        [third, "third"],
      ] as const) {
        const connectionId = await idOf(scene, which);
        for (const call of [`'${name}.test', null`, `null, '${connectionId}'`]) {
          const rows = await scene.ask(null, `select id from app.verified_connection(${call})`);
          found.push(rows.map(([row]) => [row === connectionId ? name : row]));
        }
      }
      return found;
    },
  },
  {
    title: "app.verify_domain takes the connection's domain from a deleted organization, and nothing else of anybody's",
    expected: [
      ["23505"],
      ["23505"],
      [true],
      [
        [mine, true],
        [theirs, false],
      ],
      ["AP404"],
    ],
    actual: async (scene) => {
      await scene.see(
        `update sso_connections set domain = 'mine.test', domain_verified_at = now() where organization_id = '${theirs}';
         update sso_connections set domain_verified_at = now() where organization_id = '${third}';
         insert into sso_connections (organization_id, id, domain, txt_record, issuer, client_id, sealed_client_secret)
         values ('${mine}', '${id(9711)}', 'third.test', 'proof of the third domain', 'https://third.test', 'client', ''),
                ('${third}', '${id(9712)}', 'mine.test', 'proof of another domain', 'https://mine.test', 'client', '')`,
      );
      const verify = `select app.verify_domain('${workerKeys}', '${await idOf(scene, mine)}')`;
      const owner = letIn(scene, "owner", "sso:write");
      const before = await codesOf(scene, owner, [verify]);
      await remove(scene, third);
      const stillTheirs = await codesOf(scene, owner, [verify]);
      await remove(scene, theirs);
      const same = await staysSame(scene, [["sso_connections", `organization_id = '${third}'`]], () =>
        scene.ask(owner, verify),
      );
      const rows = await scene.see(
        `select organization_id, domain_verified_at is not null from sso_connections
          where domain = 'mine.test' and organization_id <> '${third}' order by organization_id`,
      );
      const foreign = `select app.verify_domain('${workerKeys}', '${await idOf(scene, theirs)}')`;
      return [before, stillTheirs, same, rows, await codesOf(scene, owner, [foreign])];
    },
  },
  {
    title: "app.verify_organization_domain takes the domain from a deleted organization, and nothing else of anybody's",
    expected: [
      ["23505"],
      ["23505"],
      [
        [mine, true],
        [theirs, false],
      ],
      [true],
      ["AP404", "AP404"],
    ],
    actual: async (scene) => {
      await giveDomain(scene, { verified: false });
      await giveDomain(scene, { id: id(9902), organization: theirs });
      await giveDomain(scene, { id: id(9903), organization: theirs, domain: "other.test" });
      await giveDomain(scene, { id: id(9904), organization: third, domain: "elsewhere.test", by: null });
      const owner = letIn(scene, "owner", "domains:write");
      await giveDomain(scene, { id: id(9905), organization: third, verified: false, by: null });
      await giveDomain(scene, { id: id(9906), domain: "elsewhere.test", verified: false });
      const before = await codesOf(scene, owner, [prove()]);
      await remove(scene, third);
      const stillTheirs = await codesOf(scene, owner, [prove()]);
      await remove(scene, theirs);
      const same = await staysSame(scene, [["organization_domains", `id not in ('${owned}', '${id(9902)}')`]], () =>
        scene.ask(owner, prove()),
      );
      const rows = await scene.see(
        `select organization_id, verified_at is not null from organization_domains where domain = 'example.test' and organization_id <> '${third}' order by 1`,
      );
      return [before, stillTheirs, rows, same, await codesOf(scene, owner, [prove(id(9902)), prove(id(9904))])];
    },
  },
  {
    title: "a connection of a deleted organization takes nobody in, also one whose flow began before",
    expected: ["APSSO", "done"],
    actual: async (scene) => {
      await scene.see(
        `update sso_connections set domain = 'example.test', domain_verified_at = now() where organization_id = '${mine}'`,
      );
      const hold = `select app_private.hold_connection('${await idOf(scene, mine)}', 'a@example.test', 'a@example.test')`;
      const found: unknown[] = [];
      for (const change of [`deleted_at = now()`, "deleted_at = null"]) {
        await scene.see(`update organizations set ${change} where id = '${mine}'`);
        found.push(await attempt(scene, () => scene.see(hold)));
      }
      return found;
    },
  },
  {
    title:
      "app.delete_account minds no owner of an organization that is deleted, and takes it along only from the last",
    expected: [
      ["APOWN", "done"],
      [[mine], [theirs], [third]],
      [[mine], [theirs]],
    ],
    actual: async (scene) => {
      await scene.see(
        `delete from memberships where user_id = '${scene.person("both").id}' and organization_id = '${theirs}'`,
      );
      const leave = "select app.delete_account()";
      const codes = await codesOf(scene, asPerson(scene, "founder"), [leave]);
      await remove(scene, theirs);
      codes.push(...(await codesOf(scene, asPerson(scene, "founder"), [leave])));
      await scene.ask(asPerson(scene, "founder"), leave);
      const all = "select id from organizations order by id";
      const kept = await scene.see(all);
      await remove(scene, third);
      await scene.ask(asPerson(scene, "outsider"), leave);
      return [codes, kept, await scene.see(all)];
    },
  },
  {
    title:
      "app.purge_expired purges an organization 30 days after its deletion, its members and its usage first, and nothing of others",
    expected: [2, [true, true, true], [[theirs], [third], [id(9701)]], [[0, 0, 0, 0]]],
    actual: async (scene) => {
      await scene.see("delete from ownership_transfers");
      await remove(scene, mine, "30 days 1 minute");
      await remove(scene, theirs, "29 days 23 hours");
      // Of which nobody is a member.
      await scene.see(
        `insert into organizations (id, name, slug, deleted_at)
         values ('${id(9701)}', 'Young', 'young', now() - interval '29 days 23 hours'), ('${id(9702)}', 'Old', 'old', now() - interval '30 days 1 minute')`,
      );
      const [[before] = []] = await scene.see(
        `select (select count(*)::int from memberships where organization_id = '${mine}')
              + (select count(*)::int from usage_events where organization_id = '${mine}')
              + (select count(*)::int from usage_rollups where organization_id = '${mine}')`,
      );
      let purged = 0;
      const tables: [string, string][] = [
        ["organizations", `id not in ('${mine}', '${id(9702)}')`],
        others("memberships"),
        others("roles"),
      ];
      const same = await staysSame(scene, tables, async () => {
        const [[count] = []] = await scene.ask(null, "select app.purge_expired()");
        purged = Number(count) - Number(before);
      });
      const left = ["memberships", "teams", "invitations", "roles"].map(
        (table) => `(select count(*)::int from ${table} where organization_id = '${mine}')`,
      );
      return [
        purged,
        same,
        await scene.see("select id from organizations order by id"),
        await scene.see(`select ${left.join(", ")}`),
      ];
    },
  },
  {
    title: "app.purge_expired takes the members of 50 organizations, and then those organizations",
    expected: [["100"]],
    actual: async (scene) => {
      await scene.see(
        `insert into organizations (id, name, slug, deleted_at)
         select gen_random_uuid(), 'Old', 'old-' || n, now() - interval '31 days' from generate_series(1, 51) n;
         insert into memberships (organization_id, user_id, joined_by)
         select id, '${scene.person("spare").id}', 'sso' from organizations where slug ^@ 'old-'`,
      );
      return purgeInOrder(scene);
    },
  },
];
