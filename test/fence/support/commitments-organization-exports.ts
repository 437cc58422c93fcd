import { id, organizations } from "./people.ts";
import { attempt, codesOf, letIn, type Commitment, type Scene } from "./scene.ts";
import { admission } from "./world.ts";

const { mine, theirs } = organizations;
const exportAll = "select app.export_organization('_challenge.')";
const permission = "organization:export";

const exportOf = async (scene: Scene, name: string): Promise<Record<string, any>> => {
  const rows = await scene.ask(letIn(scene, name, permission), exportAll);
  return JSON.parse(String(rows[0]?.[0]));
};

/** In the form of an export: what is stored of these tables of `mine`, as JSON, in the order of this column. */
const stored = async (scene: Scene, table: string, order: string): Promise<Record<string, any>[]> =>
  (await scene.see(`select to_jsonb(t) from ${table} t where organization_id = '${mine}' order by ${order}`)).map(
    ([row]) => row as Record<string, any>,
  );

/** Tables whose rows are a list of the export each, and what its items are called by. */
const lists: [table: string, list: string, columns: Record<string, string>][] = [
  ["roles", "roles", { id: "id", key: "key", name: "name", permissions: "permissions" }],
  ["invitations", "invitations", { id: "id", email: "email", roles: "roles", team_ids: "teamIds", status: "status" }],
  ["share_links", "shareLinks", { id: "id", roles: "roles", max_uses: "maxUses", created_by: "createdBy" }],
  ["api_keys", "apiKeys", { id: "id", user_id: "userId", created_by: "createdBy", scopes: "scopes", hint: "hint" }],
  ["ownership_transfers", "ownershipTransfers", { id: "id", from_user_id: "fromUserId", to_user_id: "toUserId" }],
  ["organization_domains", "domains", { id: "id", domain: "domain", enrollment_set_by: "enrollmentSetBy" }],
  ["sso_connections", "ssoConnections", { id: "id", domain: "domain", issuer: "issuer", client_id: "clientId" }],
  ["subscriptions", "subscriptions", { id: "id", price_id: "priceId", status: "status", quantity: "quantity" }],
  [
    "invoices",
    "invoices",
    { id: "id", subscription_id: "subscriptionId", number: "number", total: "total", lines: "lines" },
  ],
  [
    "webhook_endpoints",
    "webhookEndpoints",
    { id: "id", url: "url", description: "description", event_types: "eventTypes" },
  ],
  ["usage_corrections", "usageCorrections", { id: "id", source: "source", source_id: "eventId", reason: "reason" }],
];

/** Two counters of `mine`, and two corrections of what was told. */
const tell = (scene: Scene) =>
  scene.see(
    `delete from usage_counters where organization_id = '${mine}'; delete from usage_corrections where organization_id = '${mine}';
     insert into usage_counters (organization_id, meter, started_at, ends_at, used)
       values ('${mine}', 'api-requests', '-infinity', 'infinity', 5.50), ('${mine}', 'api-requests', '2026-01-01Z', '2026-02-01Z', 2.00);
     insert into usage_events (organization_id, source, source_id, meter, occurred_at, value, dimensions, digest)
       values ('${mine}', '/export', 'one', 'api-requests', now(), 2, '{}', '');
     insert into usage_corrections (organization_id, id, source, source_id, value, reason, created_at)
       values ('${mine}', '${id(9609)}', '/export', 'one', '1.5', 'First', '2026-01-03Z'), ('${mine}', '${id(9610)}', '/export', 'one', null, 'Second', '2026-01-04Z')`,
  );

const pick = (row: Record<string, any>, names: string[]) => names.map((name) => row[name]);

/** All that an organization has, in one text. */
export const organizationExportCommitments: Commitment[] = [
  {
    title: "app.export_organization refuses whoever was let in without organization:export",
    expected: ["AP403", "AP403", "AP400"],
    actual: async (scene) => {
      const found: unknown[] = [];
      for (const by of [letIn(scene, "admin"), admission(scene.person("owner")), null]) {
        found.push(await attempt(scene, () => scene.ask(by, exportAll)));
      }
      return found;
    },
  },
  {
    title:
      "app.export_organization has each row of the organization's lists, in the order of their ids, and none of others",
    expected: lists.map(() => true),
    actual: async (scene) => {
      await scene.see(
        `update invitations set team_ids = array['${id(7)}']::uuid[] where organization_id = '${mine}';
         insert into invitations (organization_id, id, email, roles, key_hash, expires_at)
           select '${mine}', '${id(9601)}', 'second@example.test', '{viewer}', sha256('second'), now();
         insert into share_links (organization_id, id, roles, key_hash, allowed_domains, max_uses, expires_at)
           select '${mine}', '${id(9602)}', '{viewer}', sha256('second'), '{}', 1, now();
         insert into organization_domains (organization_id, id, domain, txt_record) values ('${mine}', '${id(9603)}', 'second.test', 'proof of the second domain');
         insert into sso_connections (organization_id, id, domain, txt_record, issuer, client_id, sealed_client_secret)
           values ('${mine}', '${id(9604)}', 'second.test', 'proof of the second domain', 'https://second.test', 'second', sha256('second'));
         insert into subscriptions (organization_id, id, price_id, provider, status, quantity, anchor_at, period_started_at, period_ends_at, ended_at)
           select organization_id, '${id(9607)}', price_id, 'manual', 'canceled', 3, now(), now(), now() + interval '1 day', now() from subscriptions where organization_id = '${mine}';
         insert into invoices (organization_id, id, subscription_id, number, status, currency, total, lines, period_starts_at, period_ends_at, due_at)
           select organization_id, '${id(9608)}', subscription_id, 2, 'open', 'xts', 5, '[]', now(), now(), now() from invoices where organization_id = '${mine}';
         insert into roles (organization_id, id, key, name, permissions) values ('${mine}', '${id(9605)}', 'second', 'Second', '{organization:read}');
         insert into webhook_endpoints (organization_id, id, url, description, event_types, sealed_secret)
           values ('${mine}', '${id(9606)}', 'https://second.test/', 'Second', '{team.created}', 'second')`,
      );
      await tell(scene);
      const found = await exportOf(scene, "owner");
      const same: boolean[] = [];
      for (const [table, list, columns] of lists) {
        const rows = (await stored(scene, table, "id")).map((row) => pick(row, Object.keys(columns)));
        const items = found[list].map((item: Record<string, any>) => pick(item, Object.values(columns)));
        same.push(rows.length > 0 && JSON.stringify(items) === JSON.stringify(rows));
      }
      return same;
    },
  },
  {
    title: "app.export_organization has the organization, its former slugs, members and teams, and nothing of others",
    expected: [
      [mine, "slug-mine", null],
      [["older"], ["old"]],
      [true, true],
      [true, [["Empty", 0]]],
      [["_challenge.mine.test"], ["_challenge.mine.test"]],
    ],
    actual: async (scene) => {
      await scene.see(
        `insert into organization_slugs (slug, organization_id, replaced_at) values ('old', '${mine}', now()), ('older', '${mine}', now() - interval '1 day'),
           ('foreign', '${theirs}', now());
         insert into teams (organization_id, id, name) values ('${mine}', '${id(9606)}', 'Empty');
         insert into teams (organization_id, id, name) values ('${theirs}', '${id(9606)}', 'Of the same id');
         insert into team_memberships (organization_id, team_id, user_id, role) values ('${theirs}', '${id(9606)}', '${scene.person("founder").id}', 'lead');
         insert into membership_roles (organization_id, user_id, role) values ('${theirs}', '${scene.person("both").id}', 'member')`,
      );
      const { organization, formerSlugs, members, teams, domains, ssoConnections } = await exportOf(scene, "owner");
      const people = await scene.see(
        `select m.user_id, u.email, u.name, array(select role from membership_roles r where r.organization_id = m.organization_id and r.user_id = m.user_id order by role)
           from memberships m join users u on u.id = m.user_id where m.organization_id = '${mine}' order by m.user_id`,
      );
      const inTeams = await scene.see(
        `select t.name, (select json_agg(json_build_array(m.user_id, m.role) order by m.user_id) from team_memberships m where m.team_id = t.id)
           from teams t where t.organization_id = '${mine}' and t.name <> 'Empty' order by t.id`,
      );
      const items = members.map((member: any) => pick(member, ["userId", "email", "name", "roles"]));
      const teamItems = teams.map((team: any) => [
        team.name,
        team.members.map((member: any) => pick(member, ["userId", "role"])),
      ]);
      const names = (list: any[]) => list.map(({ txtRecord }) => txtRecord.name);
      return [
        pick(organization, ["id", "slug", "memberLimit"]),
        formerSlugs.map(({ slug }: any) => [slug]),
        [JSON.stringify(items) === JSON.stringify(people), people.length > 3],
        [
          JSON.stringify(teamItems.filter(([name]: [string]) => name !== "Empty")) === JSON.stringify(inTeams),
          teamItems.filter(([name]: [string]) => name === "Empty").map(([name, list]: any) => [name, list.length]),
        ],
        [names(domains), names(ssoConnections)],
      ];
    },
  },
  {
    title:
      "app.export_organization has what each meter came to, by when it began and ends, if ever, and what was corrected",
    expected: [
      [
        { meter: "api-requests", startedAt: null, endsAt: null, used: "5.5" },
        {
          meter: "api-requests",
          startedAt: "2026-01-01T00:00:00.000Z",
          endsAt: "2026-02-01T00:00:00.000Z",
          used: "2",
        },
      ],
      [
        ["1.5", "2026-01-03T00:00:00.000Z"],
        [null, "2026-01-04T00:00:00.000Z"],
      ],
    ],
    actual: async (scene) => {
      await tell(scene);
      const { usage, usageCorrections } = await exportOf(scene, "owner");
      return [usage, usageCorrections.map((correction: any) => pick(correction, ["value", "createdAt"]))];
    },
  },
  {
    title: "app.export_organization has empty lists where there is nothing",
    expected: [Array(14).fill(0)],
    actual: async (scene) => {
      const tables = [
        "roles",
        "teams",
        "invitations",
        "share_links",
        "api_keys",
        "ownership_transfers",
        "organization_domains",
      ];
      const clear = [
        ...tables,
        "sso_connections",
        "webhook_endpoints",
        "team_memberships",
        "invoices",
        "subscriptions",
        "usage_counters",
        "usage_corrections",
      ].map((table) => `delete from ${table} where organization_id = '${mine}'`);
      await scene.see(
        `set local session_replication_role = replica; ${clear.join(";")}; set local session_replication_role = origin`,
      );
      const found = await exportOf(scene, "owner");
      return [[...lists.map(([, list]) => list), "teams", "formerSlugs", "usage"].map((list) => found[list].length)];
    },
  },
  {
    title: "app_private.count_rows counts each table of the organization alone, to its limit",
    expected: [true, [[10]]],
    actual: async (scene) => {
      const tables = [
        "memberships",
        "membership_roles",
        "team_memberships",
        "invitations",
        "share_links",
        "sso_connections",
        "invoices",
        "subscriptions",
        "usage_counters",
        "usage_corrections",
      ];
      const counts = tables.map((table) => `(select count(*) from ${table} where organization_id = '${mine}')`);
      // A second of each, so that a limit of one says less than there are.
      await scene.see(
        `set local session_replication_role = replica;
         insert into invitations (organization_id, id, email, roles, key_hash, expires_at) values ('${mine}', '${id(9601)}', 'second@example.test', '{viewer}', sha256('second'), now());
         insert into share_links (organization_id, id, roles, key_hash, allowed_domains, max_uses, expires_at)
           values ('${mine}', '${id(9602)}', '{viewer}', sha256('second'), '{}', 1, now());
         insert into sso_connections (organization_id, id, domain, txt_record, issuer, client_id, sealed_client_secret)
           values ('${mine}', '${id(9604)}', 'second.test', 'proof of the second domain', 'https://second.test', 'second', sha256('second'));
         insert into subscriptions (organization_id, id, price_id, provider, status, quantity, anchor_at, period_started_at, period_ends_at, ended_at)
           select organization_id, '${id(9606)}', price_id, 'manual', 'canceled', 3, now(), now(), now() + interval '1 day', now() from subscriptions where organization_id = '${mine}';
         insert into invoices (organization_id, id, subscription_id, number, status, currency, total, lines, period_starts_at, period_ends_at, due_at)
           select organization_id, '${id(9607)}', subscription_id, 2, 'open', 'xts', 5, '[]', now(), now(), now() from invoices where organization_id = '${mine}';
         set local session_replication_role = origin`,
      );
      await tell(scene);
      const [[same] = []] = await scene.see(`select app_private.count_rows('${mine}', 1000) = ${counts.join(" + ")}`);
      return [same, await scene.see(`select app_private.count_rows('${mine}', 1)::int`)];
    },
  },
  {
    title: "app.export_organization refuses more than 200,000 rows, and more than 16 MiB",
    about: "app.export_organization",
    expected: [["done"], ["APXLG"], ["APXLG"]],
    actual: async (scene) => {
      const by = letIn(scene, "owner", permission);
      const fill = (statement: string) =>
        scene.see(
          `set local session_replication_role = replica; ${statement}; set local session_replication_role = origin`,
        );
      const found: unknown[] = [await codesOf(scene, by, [exportAll])];
      await scene.see("savepoint filled");
      await fill(
        `insert into membership_roles (organization_id, user_id, role) select '${mine}', gen_random_uuid(), 'viewer' from generate_series(1, 200001)`,
      );
      found.push(await codesOf(scene, by, [exportAll]));
      await scene.see("rollback to filled");
      await fill(
        `insert into invitations (organization_id, id, email, roles, team_ids, key_hash, expires_at)
         select '${mine}', gen_random_uuid(), n || repeat('x', 200) || '@example.test', '{viewer}', array(select gen_random_uuid() from generate_series(1, 20)), sha256(n::text::bytea), now()
           from generate_series(1, 16000) n`,
      );
      return [...found, await codesOf(scene, by, [exportAll])];
    },
  },
];
