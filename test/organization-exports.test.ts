import { describe, expect, it } from "vitest";
import { giveApiKey } from "./support/api-keys.ts";
import { giveWebhookEndpoint } from "./support/webhooks.ts";
import { addMember, asOwner } from "./support/database.ts";
import { giveInvitation, giveOwnershipOffer, giveShareLink } from "./support/given-invitations.ts";
import { newTeam } from "./support/members.ts";
import { giveRole, giveTeam } from "./support/prepare.ts";
import { expectProblem } from "./support/problems.ts";
import { openService, type Person, signUpPerson } from "./support/service.ts";
import { giveConnection, giveDomain } from "./support/sso.ts";
import { giveBill } from "./support/subscriptions.ts";
import { giveUsageEvent } from "./support/usage.ts";

const service = openService();

const exportOf = (id: string, by: Pick<Person, "token">, on = service) =>
  on.call("GET", `/v1/organizations/${id}/export`, { token: by.token });

/** An organization with a row in every table that has something of organizations. */
async function newFullOrganization() {
  const team = await newTeam({ grace: ["viewer", "admin"], alan: ["member"] });
  const { id, owner, path } = team;
  await service.call("PATCH", path, { token: owner.token, body: { slug: `slug-${crypto.randomUUID()}` } });
  await giveRole(id);
  const teamId = await giveTeam(id);
  await asOwner([
    "insert into team_memberships (organization_id, team_id, user_id, role) values ($1, $2, $3, 'lead')",
    [id, teamId, team.grace.id],
  ]);
  await giveInvitation(id);
  await giveShareLink(id);
  await giveApiKey(id, owner.id, ["organization:read"]);
  await giveOwnershipOffer(id, owner.id, team.grace.id);
  await giveDomain(id, { verified: true });
  await giveConnection(id);
  await giveWebhookEndpoint(id);
  await giveBill(id);
  await giveUsage(id);
  return team;
}

/** A counter, and an event that was corrected. */
async function giveUsage(organizationId: string): Promise<void> {
  const eventId = await giveUsageEvent(organizationId);
  await asOwner(
    [
      `insert into usage_counters (organization_id, meter, started_at, ends_at, used)
       values ($1, 'api-requests', now(), now() + interval '1 month', 2)`,
      [organizationId],
    ],
    [
      "insert into usage_corrections (organization_id, source, source_id, value, reason) values ($1, '/given', $2, 1.5, 'Given')",
      [organizationId, eventId],
    ],
  );
}

/** What each column is in the export, or why it is not there. */
const tables: Record<string, { list: string; columns: Record<string, string> } | string> = {
  organizations: {
    list: "organization",
    columns: {
      id: "id",
      name: "name",
      slug: "slug",
      mfa_required: "mfaRequired",
      member_limit: "memberLimit",
      created_at: "createdAt",
      updated_at: "updatedAt",
      deleted_at: "not: what is deleted can export nothing",
      suspended_at: "not: what is suspended can export nothing",
      suspension_reason: "not: what is suspended can export nothing",
    },
  },
  organization_slugs: {
    list: "formerSlugs",
    columns: { slug: "slug", organization_id: "not: the organization's id", replaced_at: "replacedAt" },
  },
  memberships: {
    list: "members",
    columns: {
      organization_id: "not: the organization's id",
      user_id: "userId",
      joined_by: "joinedBy",
      invited_by: "invitedBy",
      created_at: "joinedAt",
    },
  },
  membership_roles: {
    list: "members",
    columns: {
      organization_id: "not: the organization's id",
      user_id: "userId",
      role: "roles",
      custom_role: "not: the role again",
    },
  },
  roles: {
    list: "roles",
    columns: {
      organization_id: "not: the organization's id",
      id: "id",
      key: "key",
      name: "name",
      permissions: "permissions",
      created_at: "createdAt",
      updated_at: "updatedAt",
    },
  },
  teams: {
    list: "teams",
    columns: {
      organization_id: "not: the organization's id",
      id: "id",
      name: "name",
      created_at: "createdAt",
      updated_at: "updatedAt",
    },
  },
  team_memberships: {
    list: "teams.members",
    columns: {
      organization_id: "not: the organization's id",
      team_id: "not: the id of the team that it stands in",
      user_id: "userId",
      role: "role",
      created_at: "addedAt",
    },
  },
  invitations: {
    list: "invitations",
    columns: {
      organization_id: "not: the organization's id",
      id: "id",
      email: "email",
      roles: "roles",
      team_ids: "teamIds",
      status: "status",
      key_hash: "not: a secret's hash",
      invited_by: "invitedBy",
      created_at: "createdAt",
      sent_at: "sentAt",
      expires_at: "expiresAt",
      ended_at: "endedAt",
    },
  },
  share_links: {
    list: "shareLinks",
    columns: {
      organization_id: "not: the organization's id",
      id: "id",
      roles: "roles",
      key_hash: "not: a secret's hash",
      allowed_domains: "allowedDomains",
      max_uses: "maxUses",
      uses: "uses",
      created_by: "createdBy",
      created_at: "createdAt",
      expires_at: "expiresAt",
    },
  },
  api_keys: {
    list: "apiKeys",
    columns: {
      organization_id: "not: the organization's id",
      id: "id",
      user_id: "userId",
      created_by: "createdBy",
      name: "name",
      scopes: "scopes",
      rate_limit: "rateLimitPerMinute",
      lifetime_days: "not: see expiresAt",
      hint: "hint",
      key_hash: "not: a secret's hash",
      previous_key_hash: "not: a secret's hash",
      previous_expires_at: "previousExpiresAt",
      created_at: "createdAt",
      updated_at: "updatedAt",
      rotated_at: "rotatedAt",
      expires_at: "expiresAt",
      last_used_at: "lastUsedAt",
    },
  },
  ownership_transfers: {
    list: "ownershipTransfers",
    columns: {
      organization_id: "not: the organization's id",
      id: "id",
      from_user_id: "fromUserId",
      from_role: "not: always the owner's",
      to_user_id: "toUserId",
      created_at: "createdAt",
      expires_at: "expiresAt",
    },
  },
  subscriptions: {
    list: "subscriptions",
    columns: {
      organization_id: "not: the organization's id",
      id: "id",
      price_id: "priceId",
      scheduled_price_id: "scheduledPriceId",
      provider: "provider",
      provider_id: "providerId",
      status: "status",
      quantity: "quantity",
      trial_ends_at: "trialEndsAt",
      anchor_at: "anchorAt",
      period_started_at: "currentPeriodStart",
      period_ends_at: "currentPeriodEnd",
      grace_ends_at: "graceEndsAt",
      cancel_at_period_end: "cancelAtPeriodEnd",
      canceled_at: "canceledAt",
      ended_at: "endedAt",
      due_at: "dueAt",
      created_at: "createdAt",
      updated_at: "updatedAt",
    },
  },
  invoices: {
    list: "invoices",
    columns: {
      organization_id: "not: the organization's id",
      id: "id",
      subscription_id: "subscriptionId",
      price_id: "priceId",
      number: "number",
      provider_id: "providerId",
      provider_number: "providerNumber",
      url: "url",
      status: "status",
      currency: "currency",
      total: "total",
      lines: "lines",
      period_starts_at: "periodStart",
      period_ends_at: "periodEnd",
      due_at: "dueAt",
      paid_at: "paidAt",
      payment_reference: "paymentReference",
      created_at: "createdAt",
      updated_at: "updatedAt",
    },
  },
  organization_domains: {
    list: "domains",
    columns: {
      organization_id: "not: the organization's id",
      id: "id",
      domain: "domain",
      txt_record: "txtRecord",
      verified_at: "verifiedAt",
      enrollment: "enrollment",
      roles: "roles",
      enrollment_set_by: "enrollmentSetBy",
      created_at: "createdAt",
      updated_at: "updatedAt",
    },
  },
  sso_connections: {
    list: "ssoConnections",
    columns: {
      organization_id: "not: the organization's id",
      id: "id",
      domain: "domain",
      txt_record: "txtRecord",
      domain_verified_at: "domainVerifiedAt",
      issuer: "issuer",
      client_id: "clientId",
      sealed_client_secret: "not: a secret",
      created_at: "createdAt",
      updated_at: "updatedAt",
    },
  },
  usage_events: "as many as are told; what they come to is in `usage`",
  usage_rollups: "made from the events",
  usage_reservations: "kept for minutes",
  usage_counters: {
    list: "usage",
    columns: {
      organization_id: "not: the organization's id",
      id: "not: the meter and its period say which it is",
      meter: "meter",
      started_at: "startedAt",
      ends_at: "endsAt",
      used: "used",
    },
  },
  usage_corrections: {
    list: "usageCorrections",
    columns: {
      organization_id: "not: the organization's id",
      id: "id",
      source: "source",
      source_id: "eventId",
      value: "value",
      reason: "reason",
      created_at: "createdAt",
    },
  },
  stripe_customers: "what Stripe is asked next, and knows itself",
  member_terms: "made from the names and addresses, to find members",
  domain_bars: "known by a keyed hash, which names nobody",
  webhook_endpoints: {
    list: "webhookEndpoints",
    columns: {
      organization_id: "not: the organization's id",
      id: "id",
      url: "url",
      description: "description",
      event_types: "eventTypes",
      sealed_secret: "not: a secret",
      previous_sealed_secret: "not: a secret",
      previous_expires_at: "previousSecretExpiresAt",
      created_at: "createdAt",
      updated_at: "updatedAt",
      failing_since: "failingSince",
      disabled_at: "disabledAt",
      disabled_reason: "disabledReason",
    },
  },
  webhook_messages: "what the audit trail tells, on its way",
  audit_events: "has an export of its own",
};

const listOf = (body: any, list: string): any[] =>
  list.split(".").reduce((items: any[], name) => items.flatMap((item) => item[name]), [body]);

describe("GET /v1/organizations/{organizationId}/export", () => {
  it("accounts for every column of every table with an organization: exported, or left out for a reason", async () => {
    const [rows = []] = await asOwner([
      `select c.relname as name, array_agg(a.attname::text order by a.attname) as columns
         from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
        where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
          and (c.relname = 'organizations' or exists (select from pg_attribute o where o.attrelid = c.oid and o.attname = 'organization_id'))
        group by 1`,
    ]);
    expect(Object.keys(tables).toSorted()).toEqual(rows.map(({ name }) => String(name)).toSorted());
    const { id, owner } = await newFullOrganization();
    const { body } = await exportOf(id, owner);
    for (const { name, columns } of rows) {
      const table = tables[name] ?? "";
      if (typeof table === "string") continue;
      expect([name, Object.keys(table.columns).toSorted()]).toEqual([name, columns]);
      const items = listOf(body, table.list);
      expect(items.length, name).toBeGreaterThan(0);
      const exported = Object.values(table.columns).filter((column) => !column.startsWith("not: "));
      for (const item of items) expect(Object.keys(item)).toEqual(expect.arrayContaining(exported));
    }
  });

  it("has what the lists have, in one database request, as an attachment", async () => {
    const { id, owner, path } = await newFullOrganization();
    const counted = openService();
    const { status, headers, body } = await exportOf(id, owner, counted);
    expect(status).toBe(200);
    expect(await counted.databaseRequests()).toHaveLength(1);
    expect(headers.get("content-type")).toMatch(/^application\/json/);
    expect(headers.get("content-disposition")).toBe('attachment; filename="organization-export.json"');
    const read = async (at: string) => (await service.call("GET", at, { token: owner.token })).body;
    const { roles: _, ...organization } = await read(path);
    expect(body.organization).toEqual({ ...organization, memberLimit: null });
    expect(body.ownershipTransfers).toEqual([await read(`${path}/ownership-transfer`)]);
    const byId = (items: any[]) => items.toSorted((a, b) => (a.userId ?? a.id).localeCompare(b.userId ?? b.id));
    for (const [list, at] of [
      ["members", "members"],
      ["roles", "roles"],
      ["invitations", "invitations"],
      ["shareLinks", "share-links"],
      ["apiKeys", "api-keys"],
      ["domains", "domains"],
      ["webhookEndpoints", "webhook-endpoints"],
    ] as const) {
      expect([list, body[list]]).toEqual([list, byId((await read(`${path}/${at}`)).data)]);
    }
    const [team] = body.teams;
    const people = (await read(`${path}/teams/${team.id}/members`)).data;
    expect(team.members).toEqual(people.map(({ email: __, name: ___, ...rest }: any) => rest));
    const [{ redirectUri: ____, ...connection }] = (await read(`${path}/sso-connections`)).data;
    expect(body.ssoConnections).toEqual([connection]);
  });

  it("has no secret, and nothing of another organization of the same people", async () => {
    const [mine, theirs] = [await newFullOrganization(), await newFullOrganization()];
    await addMember(theirs.id, mine.owner.id, "owner");
    const { body } = await exportOf(mine.id, mine.owner);
    const text = JSON.stringify(body);
    const [values = [], secrets = []] = await asOwner(
      [
        `select id::text as v from teams where organization_id = $1 union select id::text from roles where organization_id = $1
         union select id::text from invitations where organization_id = $1 union select id::text from share_links where organization_id = $1
         union select id::text from organization_domains where organization_id = $1 union select id::text from sso_connections where organization_id = $1
         union select slug from organization_slugs where organization_id = $1 union select $1::text
         union select user_id::text from memberships where organization_id = $1 and user_id <> $2`,
        [theirs.id, mine.owner.id],
      ],
      [
        `select encode(key_hash, 'hex') as v from invitations where organization_id = $1 union select encode(key_hash, 'hex') from share_links where organization_id = $1
         union select encode(key_hash, 'hex') from api_keys where organization_id = $1
         union select encode(sealed_client_secret, 'hex') from sso_connections where organization_id = $1
         union select encode(sealed_secret, 'hex') from webhook_endpoints where organization_id = $1`,
        [mine.id],
      ],
    );
    expect([values.length > 8, secrets.length]).toEqual([true, 5]);
    for (const { v } of [...values, ...secrets]) expect(text).not.toContain(v);
  });

  it("is for owners, and for whoever has organization:export by a role of the organization's own", async () => {
    const team = await newFullOrganization();
    for (const by of [team.grace, team.alan]) expectProblem(await exportOf(team.id, by), "forbidden");
    expectProblem(await exportOf(team.id, await signUpPerson(service)), "not_found");
    await team.createRole(team.owner, "archivist", ["organization:read", "organization:export"]);
    expect((await team.setRoles(team.owner, team.alan, ["archivist"])).status).toBe(200);
    const { body } = await exportOf(team.id, team.alan);
    expect([body.members.length, body.ssoConnections.length, body.invitations.length]).toEqual([3, 1, 1]);
  });

  it("asks for a password that was given a moment ago", async () => {
    const { id, owner } = await newFullOrganization();
    await asOwner([
      "update sessions set authenticated_at = now() - interval '11 minutes' where user_id = $1",
      [owner.id],
    ]);
    expectProblem(await exportOf(id, owner), "reauthentication_required");
  });

  it("refuses more than 16 MiB, and says what to do", async () => {
    const { id, owner } = await newTeam({});
    // In parts, since each is told of.
    for (let part = 0; part < 16; part++) {
      await asOwner([
        `insert into invitations (organization_id, id, email, roles, team_ids, key_hash, expires_at, status, ended_at)
         select $1::uuid, gen_random_uuid(), n || repeat('x', 200) || '@example.com', '{viewer}',
                array(select gen_random_uuid() from generate_series(1, 20)), sha256(($1::text || n)::bytea), now(), 'revoked', now()
           from generate_series($2::int * 1000 + 1, $2::int * 1000 + 1000) n`,
        [id, part],
      ]);
    }
    const answer = await exportOf(id, owner);
    expectProblem(answer, "export_too_large");
    expect(answer.status).toBe(409);
  });
});
