import { env } from "cloudflare:test";
import { describe, expect, it } from "vitest";
import { toBytea } from "../../src/crypto.ts";
import type { Settings } from "../../src/env.ts";
import { workerKeys } from "../../src/services/worker-keys.ts";
import { giveApiKey } from "../support/api-keys.ts";
import { giveEvents } from "../support/audit-events.ts";
import type { Operation } from "../support/contract.ts";
import { asOwner } from "../support/database.ts";
import { giveIdentity, makeProofs } from "../support/identities.ts";
import { arrange } from "../support/factors.ts";
import { giveMailedTokens } from "../support/one-time-tokens.ts";
import { giveInvitation, giveShareLink } from "../support/given-invitations.ts";
import { databaseFreeRoutes, operations } from "../support/operations.ts";
import {
  giveAnswerable,
  giveColleague,
  giveRole,
  giveTeam,
  takesColleague,
  takesWebhooks,
} from "../support/prepare.ts";
import { type Caller, pageQueries, recordRequests } from "../support/recorded-requests.ts";
import { givePasskeyFor, takesPasskey } from "../support/passkeys.ts";
import { type DatabaseRequest, openService, type Person, signUpPerson } from "../support/service.ts";
import { givePlan } from "../support/plans.ts";
import { arrangeAdmin, giveImpersonation } from "../support/platform.ts";
import { giveConnection, giveDomain, setTxtRecords } from "../support/sso.ts";
import { giveStripeCustomer, makeSignedEvent } from "../support/stripe.ts";
import { giveBill, givePrice } from "../support/subscriptions.ts";
import { giveReservation, giveUsageEvent } from "../support/usage.ts";
import { giveWebhookEndpoint } from "../support/webhooks.ts";
import { measure, type Measurement, type Work } from "./measure.ts";
import { countPages, findFlaws } from "./plan-tree.ts";
import { insertMembers } from "../support/members-sql.ts";

/**
 * Every statement that an operation sends, on a database of 1,000 organizations with 1,000 members each.
 * What it reads may grow with the page that is asked for and with what it changes, and with nothing else.
 */
const pageRows = (query: string) => Number(/limit=(\d+)/.exec(query)?.[1] ?? 20);
const maxRowsFor = (query: string, { changed }: Work, owned = 0) => 20 + 5 * pageRows(query) + 2 * changed + 5 * owned;

const maxPagesFor = (query: string, { changed }: Work, owned = 0) =>
  100 + 10 * pageRows(query) + 20 * changed + 10 * owned;

/** What must read all that is its caller's; and held to the common limits where that is little. */
const readsAllOwned = new Set(["DELETE /v1/auth/mfa/totp", "DELETE /v1/users/me", "GET /v1/users/me/export"]);

/** Of newCaller: organizations and sessions. */
const ownedByCaller = 2_000;

/** Of an account, which sign-in holds to that. */
const maxSessions = 100;
const signIns = new Set([
  "POST /v1/auth/sign-in",
  "POST /v1/auth/oauth/token",
  "POST /v1/auth/passkeys/authentication",
]);

/** Of an organization, which are counted before another one is made. */
const maxPending = 1_000;

const ownedFor = (name: string): number => {
  if (readsAllOwned.has(name)) return ownedByCaller;
  if (name === "POST /v1/organizations/{organizationId}/invitations") return maxPending;
  // Which of the caller's are deleted.
  if (name === "GET /v1/users/me/deleted-organizations") return ownedByCaller;
  // A page of 1,000.
  if (name === "GET /v1/organizations/{organizationId}/audit-events/export") return 1_000;
  // Members, with their roles and accounts, and what the organization has used.
  if (name === "GET /v1/organizations/{organizationId}/export") return 2_100;
  // Its first owners.
  if (name === "GET /v1/platform/organizations/{organizationId}") return 100;
  // Its members, who are the seats.
  if (/^POST .+\/subscription\/(checkout|change)$/.test(name)) return 1_000;
  // Of each on the page also its prices, and what it has.
  if (name === "GET /v1/platform/plans") return 200;
  // Of each on the page also its organization, its sender, and what they may give.
  if (name === "GET /v1/users/me/invitations") return 250;
  return signIns.has(name) ? maxSessions : 0;
};

/** A list of a few dozen, which stands in src/plans.ts. */
const ofTheProduct = "features";

/** Of one function, by all policies and statements of a request; a page of 100 rows must not come to it. */
const maxCalls = 40;

/**
 * Of each invitation on the page, whether its sender may still give its roles, and of each deleted organization, whether
 * the caller may restore it; everybody has a few at most.
 */
const maxCallsFor = (name: string, query: string) =>
  ["GET /v1/users/me/invitations", "GET /v1/users/me/deleted-organizations"].includes(name)
    ? 10 * (pageRows(query) + 1)
    : maxCalls;

const service = openService();

/** Which counts an organization's teams, of which there can be a thousand. */
const countsTeams = "POST /v1/organizations/{organizationId}/teams";

let next = 0;

/** An owner of all thousand organizations, with a thousand sessions of which every other one has ended. */
async function newCaller({ name, method, path }: Operation): Promise<Caller> {
  const person = await signUpPerson(service);
  const [, , organizations] = await asOwner(
    [insertMembers("select id, $1::uuid, 'owner' from organizations where slug ^@ 'large-'"), [person.id]],
    [
      `insert into sessions (id, user_id, handle_hash, idle_expires_at, expires_at, revoked_at)
       select gen_random_uuid(), $1::uuid, sha256(($1::text || n)::bytea), now() + interval '6 days', now() + interval '6 days', case when n % 2 = 0 then now() end
         from generate_series(1, 1000) n`,
      [person.id],
    ],
    ["select id from organizations where slug = $1", [`large-${next++}`]],
  );
  const [sessions] = await asOwner(["select id from sessions where user_id = $1 and revoked_at is null", [person.id]]);
  person.mailedTokens = await giveMailedTokens(person.id);
  person.flowProofs = await makeProofs(person.id);
  // Of a plan for everybody, which whoever reads all of those reads too.
  if (/\/(checkout|change)$/.test(path)) person.priceId = (await givePrice()).priceId;
  person.signedEvent = await makeSignedEvent();
  const identityId = await giveIdentity(person.id);
  await asOwner([
    `insert into identities (id, user_id, provider, subject)
     select gen_random_uuid(), $1::uuid, 'google', $1 || ' ' || n from generate_series(1, 1000) n`,
    [person.id],
  ]);
  const organizationId = organizations?.[0]?.["id"];
  if (/\/(portal|refresh)$/.test(path)) await giveStripeCustomer(organizationId);
  if (path.endsWith("/corrections")) person.usageEventId = await giveUsageEvent(organizationId);
  const connection = await giveConnection(organizationId, { verified: false });
  await setTxtRecords(connection.domain, [connection.txtRecord]);
  const domain = await giveDomain(organizationId);
  await setTxtRecords(domain.domain, [domain.txtRecord]);
  await asOwner([
    `insert into sso_connections (organization_id, id, domain, txt_record, issuer, client_id, sealed_client_secret)
     select $1::uuid, gen_random_uuid(), gen_random_uuid() || '.example', 'saas-verification=filled', 'https://login.example', 'client', ''
       from generate_series(1, 1000)`,
    [organizationId],
  ]);
  const organizationSlug = `large-${next - 1}`;
  const ids = {
    organizationId,
    organizationSlug,
    sessionId: sessions?.[0]?.["id"],
    identityId,
    connectionId: connection.id,
  };
  const caller = {
    person,
    ids: {
      ...ids,
      provider: "google",
      roleId: await giveRole(organizationId),
      invitationId: await giveInvitation(organizationId),
      shareLinkId: await giveShareLink(organizationId),
      domainId: domain.id,
      apiKeyId: (await giveApiKey(organizationId, person.id, ["organization:read"])).id,
      teamId: await giveTeam(organizationId),
      impersonationId: await giveImpersonation(person.id),
      planId: await givePlan(),
      meter: "api-requests",
      reservationId: await giveReservation(organizationId),
      invoiceId: /subscription\/(change|cancel|resume)|\/pay$/.test(name)
        ? await giveBill(organizationId, name)
        : crypto.randomUUID(),
      ...(await giveWebhookEndpoint(organizationId, { enabled: takesWebhooks(name) })),
    },
  };
  Object.assign(caller.ids, await giveAnswerable(person, name));
  if (path.endsWith("/deleted-organizations")) await giveDeletedOrganizations(person, 1000);
  if (method === "GET" && path.endsWith("/passkeys")) await givePasskeys(person, 1000);
  if (method === "GET" && path.endsWith("/roles")) await giveRoles(organizationId, 1000);
  if (path.includes("/teams") && name !== countsTeams) await giveTeams(organizationId, caller.ids.teamId, 1000);
  if (method === "GET" && path.endsWith("/domains")) await giveDomains(organizationId, 1000);
  if (path.endsWith("/users/me/audit-events")) await giveUserEvents(person.id, 1000);
  if (method === "GET" && path.endsWith("/api-keys")) await giveApiKeys(organizationId, person.id, 1000);
  if (method === "GET" && path.endsWith("/share-links")) await giveShareLinks(organizationId, 1000);
  if (method === "GET" && path.endsWith("/webhook-endpoints")) await giveWebhookEndpoints(organizationId, 1000);
  if (method === "GET" && path.endsWith("/messages")) await giveWebhookMessages(caller.ids.webhookEndpointId, 1000);
  if (path.endsWith("/audit-events")) await giveEvents(organizationId, 1000);
  if (path.includes("/invitations")) await giveInvitations(organizationId, person.email);
  if (method === "GET" && path.endsWith("/impersonations")) await giveImpersonations(person, 1000);
  const colleague = takesColleague(name) ? { userId: await giveColleague(service, organizationId, name, person) } : {};
  await arrangeAdmin(name, person, { organizationId, ...colleague });
  if (colleague.userId) return { ...caller, ids: { ...caller.ids, ...colleague } };
  if (!takesPasskey(name)) return caller;
  const renew = () => givePasskeyFor(name, person);
  return { ...caller, ids: { ...caller.ids, passkeyId: await renew() }, renew };
}

/** More than an organization can make. */
async function giveRoles(organizationId: string, count: number): Promise<void> {
  await asOwner([
    `insert into roles (organization_id, id, key, name, permissions)
     select $1::uuid, gen_random_uuid(), gen_random_uuid(), 'One of many', '{organization:read}' from generate_series(1, $2::int)`,
    [organizationId, count],
  ]);
}

/** As many as an organization can make; of one, everybody who is a member. */
async function giveTeams(organizationId: string, teamId: string, count: number): Promise<void> {
  await asOwner(
    [
      `insert into teams (organization_id, id, name)
       select $1::uuid, gen_random_uuid(), gen_random_uuid() from generate_series(1, $2::int)`,
      [organizationId, count - 2],
    ],
    [
      `insert into team_memberships (organization_id, team_id, user_id, role)
       select organization_id, $2::uuid, user_id, 'member' from memberships where organization_id = $1`,
      [organizationId, teamId],
    ],
  );
}

/** More than an organization can have. */
async function giveDomains(organizationId: string, count: number): Promise<void> {
  await asOwner([
    `insert into organization_domains (organization_id, id, domain, txt_record)
     select $1::uuid, gen_random_uuid(), gen_random_uuid() || '.example', 'saas-verification=filled' from generate_series(1, $2::int)`,
    [organizationId, count],
  ]);
}

/** More than an organization can make. */
async function giveShareLinks(organizationId: string, count: number): Promise<void> {
  await asOwner([
    `insert into share_links (organization_id, id, roles, key_hash, allowed_domains, max_uses, created_by, expires_at)
     select organization_id, gen_random_uuid(), '{viewer}', sha256(uuid_send(gen_random_uuid())), '{}', 10, user_id, now() + interval '7 days'
       from (select organization_id, user_id from membership_roles where organization_id = $1 and role = 'owner' limit 1) host,
            generate_series(1, $2::int)`,
    [organizationId, count],
  ]);
}

/** More than an organization can make. */
async function giveApiKeys(organizationId: string, userId: string, count: number): Promise<void> {
  await asOwner([
    `insert into api_keys (organization_id, id, user_id, created_by, name, scopes, hint, key_hash)
     select $1::uuid, gen_random_uuid(), $2::uuid, $2::uuid, 'One of many', '{organization:read}', '0000', sha256(uuid_send(gen_random_uuid()))
       from generate_series(1, $3::int)`,
    [organizationId, userId, count],
  ]);
}

/** More than an organization can make. */
async function giveWebhookEndpoints(organizationId: string, count: number): Promise<void> {
  await asOwner([
    `insert into webhook_endpoints (organization_id, id, url, description, event_types, sealed_secret, disabled_at)
     select $1::uuid, gen_random_uuid(), 'https://hooks.example/', 'One of many', '{}', '', now() from generate_series(1, $2::int)`,
    [organizationId, count],
  ]);
}

async function giveWebhookMessages(webhookEndpointId: string, count: number): Promise<void> {
  await asOwner([
    `insert into webhook_messages (organization_id, endpoint_id, type, subject_id, payload, status, settled_at)
     select organization_id, id, 'team.created', gen_random_uuid(), '{}', 'delivered', now() from webhook_endpoints, generate_series(1, $2::int)
      where id = $1`,
    [webhookEndpointId, count],
  ]);
}

async function giveUserEvents(userId: string, count: number): Promise<void> {
  await asOwner([
    `insert into user_audit_events (user_id, action, actor_type, actor_id, subject_type, subject_id)
     select $1::uuid, 'session.refreshed', 'user', $1::uuid, 'session', gen_random_uuid() from generate_series(1, $2::int)`,
    [userId, count],
  ]);
}

/** A thousand to one organization, and by each of a thousand to somebody. */
async function giveInvitations(organizationId: string, email: string): Promise<void> {
  const values = "'{viewer}', sha256(uuid_send(gen_random_uuid())), user_id, now() + interval '7 days'";
  await asOwner(
    [
      `insert into invitations (organization_id, id, email, roles, key_hash, invited_by, expires_at)
       select organization_id, gen_random_uuid(), gen_random_uuid() || '@example.com', ${values}
         from (select organization_id, user_id from membership_roles where organization_id = $1 and role = 'owner' limit 1) host,
              generate_series(1, 1000)`,
      [organizationId],
    ],
    [
      `insert into invitations (organization_id, id, email, roles, key_hash, invited_by, expires_at)
       select organization_id, gen_random_uuid(), $1, ${values}
         from (select distinct on (organization_id) organization_id, user_id from membership_roles
                where role = 'owner' and organization_id in (select id from organizations where slug ^@ 'large-' and id <> $2) order by organization_id limit 1000) host`,
      [email, organizationId],
    ],
  );
}

async function giveDeletedOrganizations({ id }: Person, count: number): Promise<void> {
  await asOwner(
    [
      `insert into organizations (id, name, slug, deleted_at)
       select gen_random_uuid(), 'Deleted', 'deleted-' || $1::text || n, now() from generate_series(1, $2::int) n`,
      [id, count],
    ],
    [insertMembers(`select id, $1::uuid, 'owner' from organizations where slug ^@ ('deleted-' || $1::text)`), [id]],
  );
}

async function giveImpersonations({ id }: Person, count: number): Promise<void> {
  await asOwner([
    `insert into sessions (id, user_id, handle_hash, idle_expires_at, expires_at, impersonator_id, impersonation_reason)
     select uuidv7(), $1::uuid, sha256(uuid_send(gen_random_uuid())), now(), now(), $1::uuid, 'Given' from generate_series(1, $2::int)`,
    [id, count],
  ]);
}

async function givePasskeys({ id }: Person, count: number): Promise<void> {
  await asOwner([
    `insert into passkeys (id, user_id, name, credential_id, public_key, sign_count, transports, backed_up)
     select gen_random_uuid(), $1::uuid, 'One of many', sha256(($1::text || n)::bytea), 'key', 0, '', false from generate_series(1, $2::int) n`,
    [id, count],
  ]);
}

/** A member of one large organization, with one session. */
async function newSmallCaller(): Promise<Caller> {
  const person = await signUpPerson(service);
  const [rows] = await asOwner([
    insertMembers("select id, $1::uuid, 'owner' from organizations where slug = 'large-999'"),
    [person.id],
  ]);
  return { person, ids: { organizationId: rows?.[0]?.["organization_id"] } };
}

function findExcess({ first, last, plans }: Measurement, query: string, owned = 0, name = ""): string[] {
  const excess = (when: string, work: Work) => {
    const maxRows = maxRowsFor(query, work, owned);
    const rows = Object.values(work.read).reduce((sum, read) => sum + read, 0);
    return [
      ...work.sequentialScans
        .filter((table) => table !== ofTheProduct)
        .map((table) => `${when}: reads the whole of ${table}`),
      ...(rows > maxRows ? [`${when}: ${rows} rows, of ${JSON.stringify(work.read)}`] : []),
      ...Object.entries(work.calls)
        // What is told of a changed row is asked for each.
        .filter(([, calls]) => calls > maxCallsFor(name, query) + 2 * work.changed)
        .map(([called, calls]) => `${when}: ${calls} calls of ${called}`),
    ];
  };
  return [
    ...plans.flatMap((plan) => findFlaws(plan, maxRowsFor(query, first, owned))),
    ...plans
      .map(countPages)
      .filter((pages) => pages > maxPagesFor(query, first, owned))
      .map((pages) => `${pages} pages`),
    ...excess("first", first),
    ...excess("settled", last),
  ];
}

describe("Every operation, in a large tenant among many,", () => {
  it.each(operations.all)(
    "%s reads what it answers, and asks the context once a statement",
    async (name, operation) => {
      const caller = await newCaller(operation);
      await arrange(service, caller.person, name);
      let measured = 0;
      for (const query of await pageQueries(operation, caller, 4)) {
        for await (const request of recordRequests(operation, caller, query)) {
          const measurement = await measure(request);
          const owned = ownedFor(name);
          expect(findExcess(measurement, query, owned, name), `${query} ${JSON.stringify(measurement.plans)}`).toEqual(
            [],
          );
          measured++;
        }
      }
      if (!databaseFreeRoutes.has(name)) expect(measured).toBeGreaterThan(0);
    },
  );
});

describe("An operation that reads all that is its caller's", () => {
  it.each([...readsAllOwned])("%s reads as little as the others where that is little", async (name) => {
    const operation = operations.all.find(([candidate]) => candidate === name)?.[1] ?? expect.fail(`no ${name}`);
    let measured = 0;
    const caller = await newSmallCaller();
    await arrange(service, caller.person, name);
    for await (const request of recordRequests(operation, caller)) {
      const measurement = await measure(request);
      expect(findExcess(measurement, ""), JSON.stringify(measurement.plans)).toEqual([]);
      measured++;
    }
    expect(measured).toBe(1);
  });
});

describe("A request with an API key", () => {
  it.each([
    ["a member's", false, false],
    ["a member's, by the key of before its rotation", false, true],
    ["the organization's own", true, false],
  ])("finds the key by its hash: %s", async (_, isOwn, isRotated) => {
    const operation = operations.all.find(([name]) => name === "GET /v1/organizations/{organizationId}")?.[1];
    if (!operation) throw new Error("no such operation");
    const { person, ids } = await newSmallCaller();
    const organizationId = String(ids["organizationId"]);
    const { id, token } = await giveApiKey(organizationId, isOwn ? null : person.id, ["organization:read"]);
    if (isRotated) {
      await asOwner([
        `update api_keys set previous_key_hash = key_hash, previous_expires_at = now() + interval '1 hour', key_hash = sha256(key_hash)
          where id = $1`,
        [id],
      ]);
    }
    let measured = 0;
    for await (const request of recordRequests(operation, { person: { ...person, token }, ids })) {
      const measurement = await measure(request);
      expect(findExcess(measurement, ""), JSON.stringify(measurement.plans)).toEqual([]);
      measured++;
    }
    expect(measured).toBe(1);
  });
});

const purge: DatabaseRequest = {
  statements: ["select set_config('role', 'app_user', true)", "select app.purge_expired()"].map((query) => ({
    query,
    params: [],
  })),
  batch: true,
  readOnly: false,
  isolationLevel: null,
  status: 0,
};

describe("The hourly clean-up", () => {
  it("reads what it removes", async () => {
    const measurement = await measure(purge);
    // Of keys, sessions, tokens, dead mails, counted attempts, homes, challenges, invitations, share links, API keys, offers of
    // ownership, former slugs, reservations, webhook messages, Stripe's events and events of either audit trail 5,000
    // each, and 50 organizations, each with its slug, 2 subscriptions, 2 events of its usage, and the event that tells of it; what Stripe knows it by is let go,
    // and then due.
    expect(measurement.first.changed).toBe(85_450);
    expect(findExcess(measurement, "")).toEqual([]);
  });

  it("would read every session without the index of their ends", async () => {
    const measurement = await measure(purge, ["drop index sessions_ended_at_idx"]);
    expect(findExcess(measurement, "")).toContainEqual("first: reads the whole of sessions");
  });
});

const asNobody = (query: string, ...params: unknown[]): DatabaseRequest => ({
  ...purge,
  statements: [...purge.statements.slice(0, 1), { query, params }],
});

describe("What the Worker does about Stripe", () => {
  // The secret is all that is read of them; it is a string beside the bindings, which alone are declared.
  const keys = async () => toBytea(await workerKeys(env as unknown as Settings));

  it("reads the customers that are due, and no others", async () => {
    const due = asNobody("select * from app.due_stripe_customers($1::bytea, 10)", await keys());
    const measurement = await measure(due);
    expect(measurement.first.changed).toBe(10);
    expect(findExcess(measurement, "")).toEqual([]);
  });

  it("reads what it writes of one customer, among many", async () => {
    const [rows] = await asOwner(["select id from plan_prices order by id limit 1"]);
    const at = (days: number) => new Date(Date.now() + days * 86_400_000).toISOString();
    const period = { period_started_at: at(-1), period_ends_at: at(29), created_at: at(-1) };
    const subscription = { id: "sub_1", status: "active", price_id: rows?.[0]?.["id"], quantity: 1, anchor_at: at(-1) };
    const invoice = { subscription_id: "sub_1", status: "paid", currency: "usd", total: 1, lines: [], paid_at: at(-1) };
    const state = {
      subscriptions: [{ ...subscription, ...period, cancel_at_period_end: false }],
      invoices: Array.from({ length: 100 }, (_, n) => ({
        id: `in_${n}`,
        ...invoice,
        due_at: at(-1),
        ...period,
        period_starts_at: at(-1),
      })),
    };
    await asOwner(["update stripe_customers set ticket = 1 where customer_id = 'cus_18900'"]);
    const apply = asNobody(
      "select app.apply_stripe_state($1::bytea, 'cus_18900', 1, $2::jsonb)",
      await keys(),
      JSON.stringify(state),
    );
    const measurement = await measure(apply);
    expect(measurement.first.changed).toBeGreaterThan(100);
    // Beside what is written, its members, who are the seats.
    expect(findExcess(measurement, "", 2_000)).toEqual([]);
  });
});

const changePolicy = (text: string) =>
  `create policy "control" on memberships as restrictive for select to app_user using (${text})`;

const replaceFunction = (body: string) => [
  "set local role app_definer",
  `create or replace function app.my_organizations(p_after uuid, p_limit int)
   returns table (id uuid, name text, slug text, mfa_required boolean, roles text[], created_at timestamptz, updated_at timestamptz)
   language sql stable parallel restricted security definer set search_path = '' as $$
     select o.id, o.name, o.slug, o.mfa_required, array['owner'], o.created_at, o.updated_at
       from public.memberships m join public.organizations o on o.id = m.organization_id ${body} limit p_limit $$`,
  "reset role",
];

const dropSelectPolicies = `do $$ declare name text; begin
  for name in select policyname from pg_policies
               where tablename = 'memberships' and permissive = 'PERMISSIVE' and roles = '{app_user}' loop
    execute format('drop policy %I on memberships', name);
  end loop; end $$`;

describe("This finds", () => {
  const members = "GET /v1/organizations/{organizationId}/members";
  const organizations = "GET /v1/organizations";
  const longPage = "?limit=100";

  it.each<[string, string, string[], RegExp]>([
    [
      "a policy that asks once a row",
      members,
      [changePolicy("coalesce(app.org_id(), user_id) is not null")],
      /a function of ours in/,
    ],
    [
      "a policy that asks about each row",
      members,
      [changePolicy("organization_id = (select app.org_id(left(joined_by, 0)))")],
      /a sub-plan in/,
    ],
    [
      "a policy that looks into another table",
      members,
      [changePolicy("organization_id in (select id from organizations)")],
      /a sub-plan in/,
    ],
    [
      "two policies whose OR costs the index its order",
      members,
      [
        dropSelectPolicies,
        "create policy one on memberships for select to app_user using (organization_id = (select app.org_id('members:read')))",
        "create policy two on memberships for select to app_user using (user_id = (select app.user_id()))",
      ],
      /first: \d{4} rows/,
    ],
    [
      "a missing index",
      members,
      ["alter table memberships drop constraint memberships_organization_id_user_id_pk cascade"],
      /\d{4,} pages/,
    ],
    [
      "a definer function that reads a whole table",
      organizations,
      replaceFunction("where m.user_id::text = (select app.user_id())::text"),
      /first: reads the whole of memberships/,
    ],
    [
      "a definer function that sorts all that there is",
      organizations,
      replaceFunction("where m.user_id = (select app.user_id()) order by o.created_at, o.name"),
      /first: \d{4} rows/,
    ],
    [
      "a definer function that asks once a row",
      organizations,
      replaceFunction(
        "where m.user_id = (select app.user_id()) and m.created_at < now() + length(app.user_id()::text) * interval '1 day'",
      ),
      /calls of app.user_id/,
    ],
  ])("%s", async (_, name, sabotage, flaw) => {
    const request = await recordFirst(name);
    expect(await findAll(request, sabotage)).toContainEqual(expect.stringMatching(flaw));
    expect(await findAll(request, ["select 1"])).toEqual([]);
  });

  it("a query that sorts the whole tenant", async () => {
    const request = await recordFirst(members);
    const statements = request.statements.map(({ query, params }) => ({
      query: query.replace("order by user_id", "order by created_at"),
      params,
    }));
    expect(await findAll({ ...request, statements })).toContainEqual(expect.stringMatching(/takes \d{4} rows/));
  });

  const findAll = async (request: DatabaseRequest, sabotage: string[] = []) =>
    findExcess(await measure(request, sabotage), longPage);

  async function recordFirst(name: string): Promise<DatabaseRequest> {
    const operation = operations.all.find(([candidate]) => candidate === name)?.[1];
    if (!operation) throw new Error(`there is no ${name}`);
    for await (const request of recordRequests(operation, await newCaller(operation), longPage)) return request;
    throw new Error(`${name} asks no database`);
  }
});
