import { beforeAll, describe, expect, it } from "vitest";
import { addMember, asOwner, asWorker, ownerUrl } from "./support/database.ts";
import { admitStatement, type Admission, readHandle } from "./support/admission.ts";
import { giveBill } from "./support/subscriptions.ts";
import { createOrganization, openService, type Person, signUpPerson } from "./support/service.ts";

const service = openService();

/** Every table, and a column that app_user may read of it. A table that is not here fails the catalog test. */
const readableColumns: Record<string, string | null> = {
  users: "id",
  sessions: "id",
  organizations: "id",
  memberships: "user_id",
  membership_roles: "user_id",
  member_terms: null,
  teams: "id",
  team_memberships: "team_id",
  roles: "id",
  invitations: "id",
  share_links: "id",
  api_keys: "id",
  organization_slugs: null,
  ownership_transfers: null,
  organization_domains: "id",
  domain_bars: null,
  idempotency_keys: null,
  one_time_tokens: null,
  outbox: null,
  throttles: null,
  totp_factors: "id",
  recovery_codes: "user_id",
  passkeys: "id",
  identities: "id",
  sso_connections: "id",
  spent_challenges: null,
  audit_events: "id",
  user_audit_events: "id",
  webhook_endpoints: "id",
  webhook_messages: "id",
  stripe_customers: null,
  stripe_events: null,
  subscriptions: null,
  invoices: "id",
  usage_events: null,
  usage_counters: null,
  usage_rollups: null,
  usage_corrections: null,
  usage_reservations: null,
  platform_admins: null,
  features: null,
  plans: null,
  plan_prices: null,
  plan_features: null,
};

interface Tenant {
  owner: Person;
  organizationId: string;
  admission: Admission;
}

let mine: Tenant;

let theirs: Tenant;

/** A row in each table where a new tenant has none; the passkey comes after the session, which needs no second factor. */
async function giveRows(userId: string, organizationId: string): Promise<void> {
  await asOwner(
    [
      "insert into totp_factors (id, user_id, sealed_seed, key_hash) values (gen_random_uuid(), $1::uuid, sha256($1::text::bytea), sha256($1::text::bytea))",
      [userId],
    ],
    ["insert into recovery_codes (user_id, key_hash) values ($1::uuid, sha256($1::text::bytea))", [userId]],
    [
      `insert into passkeys (id, user_id, name, credential_id, public_key, sign_count, transports, backed_up)
       values (gen_random_uuid(), $1::uuid, 'key', sha256($1::text::bytea), 'key', 0, '', false)`,
      [userId],
    ],
    [
      "insert into identities (id, user_id, provider, subject) values (gen_random_uuid(), $1::uuid, 'google', $1::text)",
      [userId],
    ],
    [
      "insert into roles (organization_id, id, key, name, permissions) values ($1::uuid, gen_random_uuid(), 'own', 'Own', '{organization:read}')",
      [organizationId],
    ],
    [
      `with team as (insert into teams (organization_id, id, name) values ($1::uuid, gen_random_uuid(), 'Team') returning organization_id, id)
       insert into team_memberships (organization_id, team_id, user_id, role) select organization_id, id, $2::uuid, 'lead' from team`,
      [organizationId, userId],
    ],
    [
      `insert into invitations (organization_id, id, email, roles, key_hash, invited_by, expires_at)
       values ($1::uuid, gen_random_uuid(), 'invited@example.com', '{viewer}', sha256($1::text::bytea), $2::uuid, now() + interval '7 days')`,
      [organizationId, userId],
    ],
    [
      `insert into share_links (organization_id, id, roles, key_hash, allowed_domains, max_uses, created_by, expires_at)
       values ($1::uuid, gen_random_uuid(), '{viewer}', sha256($1::text::bytea), '{}', 10, $2::uuid, now() + interval '7 days')`,
      [organizationId, userId],
    ],
    [
      `insert into api_keys (organization_id, id, user_id, name, scopes, hint, key_hash)
       values ($1::uuid, gen_random_uuid(), $2::uuid, 'Key', '{organization:read}', '0000', sha256($1::text::bytea))`,
      [organizationId, userId],
    ],
    [
      `with endpoint as (
         insert into webhook_endpoints (organization_id, id, url, description, event_types, sealed_secret)
         values ($1::uuid, gen_random_uuid(), 'https://hooks.test/', '', '{organization.purged}', 'secret') returning organization_id, id)
       insert into webhook_messages (organization_id, endpoint_id, type, subject_id, payload)
       select organization_id, id, 'team.created', $1::uuid, '{}' from endpoint`,
      [organizationId],
    ],
    [
      `insert into organization_domains (organization_id, id, domain, txt_record)
       values ($1::uuid, gen_random_uuid(), $1::text || '.test', 'proof of ' || $1::text)`,
      [organizationId],
    ],
    [
      "insert into domain_bars (organization_id, person_hash) values ($1::uuid, sha256($1::text::bytea))",
      [organizationId],
    ],
    [
      `insert into sso_connections (organization_id, id, domain, txt_record, issuer, client_id, sealed_client_secret)
       values ($1::uuid, gen_random_uuid(), $1::text || '.test', 'proof of ' || $1::text, 'https://idp.test', 'client', 'secret')`,
      [organizationId],
    ],
  );
}

async function newTenant(): Promise<Tenant> {
  const owner = await signUpPerson(service);
  const { id } = await createOrganization(service, owner);
  const handle = await readHandle(owner.token);
  await giveRows(owner.id, id);
  await giveBill(id);
  return { owner, organizationId: id, admission: { handle, organizationId: id, permission: "organization:read" } };
}

beforeAll(async () => {
  mine = await newTenant();
  theirs = await newTenant();
});

/** The rows of a statement that runs after `app.admit`, as a hostile query in a service would. */
async function asMember(admission: Admission, text: string, params: unknown[] = []) {
  const results = await asWorker(admitStatement(admission), [text, params]);
  return results[1] ?? [];
}

describe("The catalog", () => {
  it("has ENABLE, FORCE, a floor and a policy on every table", async () => {
    const [tables] = await asOwner([
      `select c.relname as name, c.relrowsecurity and c.relforcerowsecurity as fenced,
              exists (select from pg_policy p where p.polrelid = c.oid and not p.polpermissive and p.polcmd = '*'
                         and 'app_user'::regrole = any (p.polroles) and p.polqual is not null and p.polwithcheck is not null) as floor,
              exists (select from pg_policy p where p.polrelid = c.oid and p.polpermissive) as policy
         from pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') order by 1`,
    ]);
    expect(tables).toEqual(
      Object.keys(readableColumns)
        .toSorted()
        .map((name) => ({ name, fenced: true, floor: true, policy: true })),
    );
  });

  it("has no policy that asks a function once a row", async () => {
    const [policies] = await asOwner([
      `select tablename || ': ' || policyname as name, coalesce(qual, '') || ' ' || coalesce(with_check, '') as text
         from pg_policies where schemaname = 'public' and 'app_user' = any (roles)`,
    ]);
    const unwrapped = policies?.filter(({ text }) =>
      /app\./.test(text.replaceAll(/\( SELECT app\.\w+\([^()]*\) AS \w+\)/g, "")),
    );
    expect(unwrapped).toEqual([]);
  });

  it("has leakproof comparisons only in policies and filters: no enum, citext, numeric or array column", async () => {
    const [columns] = await asOwner([
      `select table_name, column_name, udt_name from information_schema.columns
        where table_schema = 'public' and udt_name not in ('uuid', 'text', 'bytea', 'timestamptz', 'int2', 'int4', 'int8', 'bool', 'json')`,
    ]);
    // No policy and no filter reads them.
    expect(
      columns?.map((column) => `${column["table_name"]}.${column["column_name"]} ${column["udt_name"]}`).toSorted(),
    ).toEqual([
      "api_keys.scopes _text",
      "audit_events.after jsonb",
      "audit_events.before jsonb",
      "features.dimensions _text",
      "invitations.roles _text",
      "invitations.team_ids _uuid",
      "invoices.lines jsonb",
      "organization_domains.roles _text",
      "plan_features.limit numeric",
      "roles.permissions _text",
      "share_links.allowed_domains _text",
      "share_links.roles _text",
      "usage_counters.used numeric",
      "usage_events.corrected_value numeric",
      "usage_events.dimensions jsonb",
      "usage_events.value numeric",
      "usage_reservations.value numeric",
      "usage_rollups.dimensions jsonb",
      "usage_rollups.last numeric",
      "usage_rollups.max numeric",
      "usage_rollups.sum numeric",
      "user_audit_events.after jsonb",
      "user_audit_events.before jsonb",
      "webhook_endpoints.event_types _text",
      "webhook_messages.log jsonb",
    ]);
  });
});

describe("Each table", () => {
  const readable = Object.entries(readableColumns).flatMap(([table, column]) => (column ? [[table, column]] : []));

  it.each(readable)("%s shows no row before app.admit has run", async (table) => {
    await expect(asWorker([`select count(*) from ${table}`])).rejects.toMatchObject({ code: "AP400" });
  });

  it.each(readable)("%s shows a member their own tenant's rows and no other's", async (table, column) => {
    const admission = {
      ...mine.admission,
      permission:
        {
          sso_connections: "sso:read",
          invitations: "invitations:read",
          share_links: "invitations:read",
          api_keys: "api-keys:read",
          audit_events: "audit-events:read",
          webhook_endpoints: "webhooks:read",
          webhook_messages: "webhooks:read",
          organization_domains: "domains:read",
          invoices: "billing:read",
        }[table] ?? "organization:read",
    };
    const rows = await asMember(admission, `select ${column} as id from ${table}`);
    const ids = new Set(rows.map(({ id }) => id));
    const [others] = await asOwner([
      `select id from users where id = $1 union all select id from sessions where user_id = $1
        union all select id from totp_factors where user_id = $1 union all select id from passkeys where user_id = $1
        union all select id from identities where user_id = $1 union all select id from sso_connections where organization_id = $2
        union all select id from roles where organization_id = $2 union all select id from invitations where organization_id = $2
        union all select id from api_keys where organization_id = $2
        union all select id from audit_events where organization_id = $2
        union all select id from webhook_endpoints where organization_id = $2 union all select id from webhook_messages where organization_id = $2
        union all select id from user_audit_events where user_id = $1
        union all select id from share_links where organization_id = $2 union all select id from teams where organization_id = $2
        union all select id from organization_domains where organization_id = $2 union all select id from invoices where organization_id = $2
        union all select id from organizations where id = $2 union all select user_id from memberships where organization_id = $2`,
      [theirs.owner.id, theirs.organizationId],
    ]);
    expect(rows.length).toBeGreaterThan(0);
    expect(others?.filter(({ id }) => ids.has(id))).toEqual([]);
  });

  it.each(Object.keys(readableColumns))("%s cannot be written for another tenant, or emptied", async (table) => {
    const fingerprint = async () =>
      asOwner([
        `select md5(string_agg(t::text, '|' order by t::text)) as print from ${table} t where t::text ~ $1`,
        [`${theirs.owner.id}|${theirs.organizationId}`],
      ]);
    const before = await fingerprint();
    const hostile = [
      `delete from ${table}`,
      `truncate ${table}`,
      `update ${table} set created_at = now()`,
      ...(table === "users" ? ["update users set name = 'mine'"] : []),
      ...(table === "sessions"
        ? ["update sessions set revoked_at = now()", "update sessions set revoked_at = null"]
        : []),
      ...(table === "organizations" ? ["update organizations set name = 'mine'"] : []),
      `insert into ${table} select * from ${table}`,
    ];
    for (const text of hostile) {
      // Rolled back by its own failure, or by the exception after it: only what it could see matters.
      await asMember(mine.admission, text).catch(() => undefined);
      expect(await fingerprint(), text).toEqual(before);
    }
    mine = await newTenant();
  });

  it("idempotency_keys cannot be reached at all", async () => {
    await expect(asMember(mine.admission, "select key from idempotency_keys")).rejects.toMatchObject({ code: "42501" });
  });

  it("users shows no password material, even of one's own", async () => {
    for (const column of ["password_salt", "password_verifier", "password_scheme", "suspended_at"]) {
      await expect(asMember(mine.admission, `select ${column} from users`)).rejects.toMatchObject({ code: "42501" });
    }
  });
});

describe("app.admit", () => {
  const admit = (admission: Admission) => asWorker(admitStatement(admission));

  it.each<[string, () => Partial<Admission>, string]>([
    ["an unknown handle", () => ({ handle: `\\x${"00".repeat(32)}` }), "AP401"],
    ["another tenant", () => ({ organizationId: theirs.organizationId }), "AP404"],
    ["an organization that does not exist", () => ({ organizationId: crypto.randomUUID() }), "AP404"],
    ["a permission that no role has", () => ({ permission: "everything:do" }), "AP403"],
    ["no permission at all", () => ({ permission: null }), "AP403"],
  ])("refuses %s", async (_, change, code) => {
    await expect(admit({ ...mine.admission, ...change() })).rejects.toMatchObject({ code });
  });

  it("refuses a permission beyond the role", async () => {
    const viewer = await signUpPerson(service);
    await addMember(mine.organizationId, viewer.id, "viewer");
    const handle = await readHandle(viewer.token);
    await expect(
      admit({ handle, organizationId: mine.organizationId, permission: "organization:update" }),
    ).rejects.toMatchObject({ code: "AP403" });
  });

  it("gives no more than the role's permissions to the statements after it", async () => {
    const viewer = await signUpPerson(service);
    await addMember(mine.organizationId, viewer.id, "viewer");
    const admission = {
      handle: await readHandle(viewer.token),
      organizationId: mine.organizationId,
      permission: "organization:read",
    };
    expect(await asMember(admission, "update organizations set name = 'mine' returning id")).toEqual([]);
    expect(await asMember(admission, "delete from teams returning id")).toEqual([]);
    expect(await asMember(admission, "select user_id from memberships")).toEqual([{ user_id: viewer.id }]);
    expect(await asMember(admission, "select * from app.member_profiles($1::uuid[])", [[mine.owner.id]])).toEqual([]);
  });
});

describe("A Worker that was given the owner's URL", () => {
  it("is fenced all the same", async () => {
    const careless = openService({ DATABASE_URL: ownerUrl() });
    const outsider = await signUpPerson(careless);
    const path = `/v1/organizations/${theirs.organizationId}`;
    expect((await careless.call("GET", path, { token: outsider.token })).status).toBe(404);
    expect((await careless.call("GET", path, { token: theirs.owner.token })).status).toBe(200);
    const list = await careless.call("GET", "/v1/organizations", { token: outsider.token });
    expect(list.body.data).toEqual([]);
    const roles = await asOwner(admitStatement(mine.admission), [
      "select current_user as role, count(*)::int as n from organizations",
    ]);
    expect(roles[1]).toEqual([{ role: "app_user", n: 1 }]);
  });
});
