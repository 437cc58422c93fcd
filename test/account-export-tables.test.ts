import { describe, expect, it } from "vitest";
import { asOwner } from "./support/database.ts";
import { signIn } from "./support/accounts.ts";
import { giveResetToken } from "./support/one-time-tokens.ts";
import { exportAccount, makeFullPerson } from "./support/account-export.ts";

/** What each column is in the export, or why it is not there. */
const tables: Record<string, { list: string; columns: Record<string, string> } | string> = {
  users: {
    list: "account",
    columns: {
      id: "id",
      email: "email",
      email_verified_at: "emailVerified",
      name: "name",
      password_scheme: "not: how the password is hashed",
      password_salt: "not: a secret",
      password_verifier: "not: a secret",
      suspended_at: "not: who is suspended can export nothing",
      suspension_reason: "not: who is suspended can export nothing",
      created_at: "createdAt",
      updated_at: "updatedAt",
    },
  },
  sessions: {
    list: "sessions",
    columns: {
      id: "id",
      user_id: "not: the account's id",
      handle_hash: "not: a secret's hash",
      refresh_generation: "not: a counter of the machine's",
      refreshed_at: "lastUsedAt",
      ip_address: "ipAddress",
      user_agent: "userAgent",
      created_at: "createdAt",
      authenticated_at: "authenticatedAt",
      second_factor: "secondFactor",
      idle_expires_at: "idleExpiresAt",
      expires_at: "expiresAt",
      revoked_at: "revokedAt",
      impersonator_id: "impersonatorId",
      impersonation_reason: "impersonationReason",
    },
  },
  memberships: {
    list: "memberships",
    columns: {
      organization_id: "organizationId",
      user_id: "not: the account's id",
      joined_by: "joinedBy",
      invited_by: "not: somebody else's id",
      created_at: "since",
    },
  },
  membership_roles: {
    list: "memberships",
    columns: {
      organization_id: "organizationId",
      user_id: "not: the account's id",
      role: "roles",
      custom_role: "not: the role again",
    },
  },
  team_memberships: {
    list: "teams",
    columns: {
      organization_id: "organizationId",
      team_id: "teamId",
      user_id: "not: the account's id",
      role: "role",
      created_at: "since",
    },
  },
  invitations: {
    list: "sentInvitations",
    columns: {
      organization_id: "organizationId",
      id: "id",
      email: "email",
      roles: "roles",
      team_ids: "teamIds",
      status: "status",
      key_hash: "not: a secret's hash",
      invited_by: "not: the account's id",
      created_at: "createdAt",
      sent_at: "sentAt",
      expires_at: "expiresAt",
      ended_at: "endedAt",
    },
  },
  share_links: {
    list: "shareLinks",
    columns: {
      organization_id: "organizationId",
      id: "id",
      roles: "roles",
      key_hash: "not: a secret's hash",
      allowed_domains: "allowedDomains",
      max_uses: "maxUses",
      uses: "uses",
      created_by: "not: the account's id",
      created_at: "createdAt",
      expires_at: "expiresAt",
    },
  },
  api_keys: {
    list: "apiKeys",
    columns: {
      organization_id: "organizationId",
      id: "id",
      user_id: "isOrganizations",
      created_by: "not: the account's id",
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
      organization_id: "organizationId",
      id: "id",
      from_user_id: "fromUserId",
      from_role: "not: the same for all",
      to_user_id: "toUserId",
      created_at: "createdAt",
      expires_at: "expiresAt",
    },
  },
  one_time_tokens: {
    list: "oneTimeTokens",
    columns: {
      id: "not: the token is made from it",
      user_id: "not: the account's id",
      purpose: "purpose",
      email: "email",
      key_hash: "not: a secret's hash",
      code_hash: "not: a secret's hash",
      created_at: "createdAt",
      expires_at: "expiresAt",
    },
  },
  audit_events: "the organizations'",
  webhook_endpoints: "the organizations'",
  webhook_messages: "the organizations'",
  user_audit_events: "a list of its own, page by page",
  stripe_customers: "the organizations'",
  stripe_events: "what Stripe tells, of nobody by name",
  subscriptions: "the organizations'",
  invoices: "the organizations'",
  usage_events: "the organizations'",
  usage_counters: "the organizations'",
  usage_rollups: "the organizations'",
  usage_corrections: "the organizations'",
  usage_reservations: "the organizations'",
  features: "the product's own",
  plans: "the product's own",
  plan_prices: "the product's own",
  plan_features: "the product's own",
  platform_admins: "an office of the platform's, told of in that list",
  identities: {
    list: "identities",
    columns: {
      id: "id",
      user_id: "not: the account's id",
      provider: "provider",
      connection_id: "not: the organization's own",
      subject: "not: a key to the account",
      email: "email",
      created_at: "createdAt",
      last_used_at: "lastUsedAt",
    },
  },
  outbox: {
    list: "messages",
    columns: {
      id: "not: a mail's token is made from it",
      key_hash: "not: a secret's hash",
      user_id: "not: the account's id",
      recipient: "recipient",
      template: "template",
      data: "data",
      attempts: "attempts",
      next_attempt_at: "not: when the machine tries again",
      last_error: "not: what the provider said",
      created_at: "createdAt",
      dead_at: "not: when the machine gave up",
    },
  },
  totp_factors: {
    list: "authenticatorApps",
    columns: {
      id: "id",
      user_id: "not: the account's id",
      sealed_seed: "not: a secret",
      key_hash: "not: a secret's hash",
      last_step: "not: a counter of the machine's",
      created_at: "createdAt",
      activated_at: "activatedAt",
    },
  },
  recovery_codes: {
    list: "recoveryCodes",
    columns: { user_id: "not: the account's id", key_hash: "not: a secret's hash", created_at: "createdAt" },
  },
  passkeys: {
    list: "passkeys",
    columns: {
      id: "id",
      user_id: "not: the account's id",
      name: "name",
      credential_id: "not: the device's name of the key",
      public_key: "not: of use to the machine alone",
      sign_count: "not: a counter of the machine's",
      transports: "not: of use to the machine alone",
      backed_up: "backedUp",
      created_at: "createdAt",
      last_used_at: "lastUsedAt",
    },
  },
  spent_challenges: "random numbers, which belong to nobody",
  organizations: "the organization's own; its name stands beside the membership",
  organization_slugs: "the organization's own",
  sso_connections: "the organization's own",
  organization_domains: "the organization's own",
  member_terms: "made from the name and the address, to find them",
  domain_bars: "known by a keyed hash, which names nobody",
  roles: "the organization's own",
  teams: "the organization's own; its name stands beside the membership",
  idempotency_keys: "answers that the person was given, for 24 hours",
  throttles: "counted by a keyed hash, which names nobody",
};

async function readColumns(): Promise<Record<string, string[]>> {
  const [rows = []] = await asOwner([
    `select c.relname as name, array_agg(a.attname::text order by a.attnum) as columns
       from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
      where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') group by 1`,
  ]);
  return Object.fromEntries(rows.map(({ name, columns }) => [name, columns]));
}

const listOf = (body: any, list: string): any[] => [body[list]].flat();

describe("GET /v1/users/me/export", () => {
  it("accounts for every column of every table: exported, or left out for a reason", async () => {
    const columns = await readColumns();
    const known = Object.entries(tables).map(([name, table]) => [
      name,
      typeof table === "string" ? columns[name]?.toSorted() : Object.keys(table.columns).toSorted(),
    ]);
    expect(Object.fromEntries(known)).toEqual(
      Object.fromEntries(Object.entries(columns).map(([name, list]) => [name, list.toSorted()])),
    );
    const { body } = await exportAccount((await makeFullPerson("Ada")).person);
    for (const table of Object.values(tables)) {
      if (typeof table === "string") continue;
      const rows = listOf(body, table.list);
      expect(rows.length, table.list).toBeGreaterThan(0);
      const exported = Object.values(table.columns).filter((name) => !name.startsWith("not: "));
      for (const row of rows) expect(Object.keys(row)).toEqual(expect.arrayContaining(exported));
    }
  });

  it("leaves no table out that belongs to people: every foreign key to them leads from an exported one", async () => {
    const [rows = []] = await asOwner([
      "select distinct conrelid::regclass::text as name from pg_constraint where contype = 'f' and confrelid = 'public.users'::regclass",
    ]);
    expect(rows.length).toBeGreaterThan(0);
    // Who set last what becomes of a domain's people is told to the organization alone; an office of the platform's in the trail.
    const own = rows.filter(({ name }) => !["organization_domains", "platform_admins"].includes(name));
    for (const { name } of own) expect([name, typeof tables[name]]).toEqual([name, "object"]);
  });

  it("has as many rows of each table as are stored", async () => {
    const { person } = await makeFullPerson("Ada");
    await giveResetToken(person.id);
    expect((await signIn(person.email, person.password)).status).toBe(202);
    const { body } = await exportAccount(person);
    for (const [name, table] of Object.entries(tables)) {
      if (typeof table === "string") continue;
      const column =
        {
          users: "id",
          invitations: "invited_by",
          share_links: "created_by",
          api_keys: "created_by",
          ownership_transfers: "to_user_id",
        }[name] ?? "user_id";
      const [stored] = await asOwner([`select from ${name} where ${column} = $1`, [person.id]]);
      expect([name, listOf(body, table.list).length]).toEqual([name, stored?.length]);
    }
  });
});
