import { describe, expect, it } from "vitest";
import { insertMembers } from "./support/members-sql.ts";
import { addMember, asOwner } from "./support/database.ts";
import { giveIdentity } from "./support/identities.ts";
import { signIn } from "./support/accounts.ts";
import { giveRecoveryCodes, giveTotp } from "./support/factors.ts";
import { failMail } from "./support/mailbox.ts";
import { giveResetToken } from "./support/one-time-tokens.ts";
import { expectProblem } from "./support/problems.ts";
import { createOrganization, openService, type Person, signInPerson, signUpPerson } from "./support/service.ts";

const service = openService();
const instant = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);

const exportAccount = ({ token }: { token: string }, by = service) => by.call("GET", "/v1/users/me/export", { token });

/** A person with a row in every table that has something of people. */
async function makeFullPerson(name: string) {
  const person = await signUpPerson(service, name);
  const ended = await signInPerson(service, person.email);
  await service.call("POST", "/v1/auth/sign-out", ended);
  const own = await createOrganization(service, person, `Own of ${name}`);
  const shared = await createOrganization(service, await signUpPerson(service), `Shared with ${name}`);
  await addMember(shared.id, person.id, "viewer");
  await giveIdentity(person.id, { email: "ada@github.example" });
  await giveTotp(person, false);
  await giveRecoveryCodes(person, 2);
  await asOwner([
    `insert into passkeys (id, user_id, name, credential_id, public_key, sign_count, transports, backed_up)
     values (gen_random_uuid(), $1::uuid, 'Laptop', sha256($1::text::bytea), sha256($1::text::bytea), 0, 'usb', false)`,
    [person.id],
  ]);
  await failMail({ to: person.email, status: 500 });
  await service.call("POST", "/v1/auth/forgot-password", { body: { email: person.email } });
  return { person, own, shared };
}

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
      disabled_at: "not: who is disabled can export nothing",
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
    },
  },
  memberships: {
    list: "memberships",
    columns: {
      organization_id: "organizationId",
      user_id: "not: the account's id",
      joined_by: "joinedBy",
      created_at: "since",
    },
  },
  membership_roles: {
    list: "memberships",
    columns: { organization_id: "organizationId", user_id: "not: the account's id", role: "roles" },
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
  sso_connections: "the organization's own",
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
  it("shows all that is kept of the person", async () => {
    const { person, own, shared } = await makeFullPerson("Ada Lovelace");
    const { status, headers, body } = await exportAccount(person);
    expect(status).toBe(200);
    expect(headers.get("content-disposition")).toBe('attachment; filename="account-export.json"');
    expect(headers.get("cache-control")).toBe("no-store");
    const session = {
      id: expect.any(String),
      ipAddress: expect.stringMatching(/^2001:db8:/),
      userAgent: null,
      createdAt: instant,
      authenticatedAt: instant,
      secondFactor: null,
      lastUsedAt: instant,
      idleExpiresAt: instant,
      expiresAt: instant,
    };
    const membership = ({ id, slug }: typeof own, name: string, role: string, joinedBy: string) => ({
      organizationId: id,
      name,
      slug,
      roles: [role],
      joinedBy,
      since: instant,
    });
    expect(body).toEqual({
      exportedAt: instant,
      account: {
        id: person.id,
        email: person.email,
        emailVerified: false,
        name: "Ada Lovelace",
        createdAt: instant,
        updatedAt: instant,
      },
      sessions: [
        { ...session, revokedAt: instant },
        { ...session, revokedAt: null },
      ],
      identities: [
        {
          id: expect.any(String),
          provider: "google",
          email: "ada@github.example",
          createdAt: instant,
          lastUsedAt: null,
        },
      ],
      authenticatorApps: [{ id: expect.any(String), createdAt: instant, activatedAt: null }],
      recoveryCodes: [{ createdAt: instant }, { createdAt: instant }],
      passkeys: [{ id: expect.any(String), name: "Laptop", backedUp: false, createdAt: instant, lastUsedAt: null }],
      memberships: [
        membership(shared, "Shared with Ada Lovelace", "viewer", "sso"),
        membership(own, "Own of Ada Lovelace", "owner", "creation"),
      ],
      oneTimeTokens: [{ purpose: "reset_password", email: null, createdAt: instant, expiresAt: instant }],
      messages: [
        {
          template: "reset_password",
          recipient: person.email,
          data: { name: "Ada Lovelace" },
          attempts: 1,
          createdAt: instant,
        },
      ],
    });
  });

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
    for (const { name } of rows) expect([name, typeof tables[name]]).toEqual([name, "object"]);
  });

  it("has as many rows of each table as are stored", async () => {
    const { person } = await makeFullPerson("Ada");
    await giveResetToken(person.id);
    expect((await signIn(person.email, person.password)).status).toBe(202);
    const { body } = await exportAccount(person);
    for (const [name, table] of Object.entries(tables)) {
      if (typeof table === "string") continue;
      const column = name === "users" ? "id" : "user_id";
      const [stored] = await asOwner([`select from ${name} where ${column} = $1`, [person.id]]);
      expect([name, listOf(body, table.list).length]).toEqual([name, stored?.length]);
    }
  });

  it("has no password, token or hash in it", async () => {
    const { person } = await makeFullPerson("Ada");
    const link = await giveResetToken(person.id);
    const text = JSON.stringify((await exportAccount(person)).body);
    const [users = [], sessions = [], tokens = [], mails = [], apps = [], codes = []] = await asOwner(
      ["select password_salt as a, encode(password_verifier, 'hex') as b from users where id = $1", [person.id]],
      ["select encode(handle_hash, 'hex') as a from sessions where user_id = $1", [person.id]],
      ["select encode(key_hash, 'hex') as a, id as b from one_time_tokens where user_id = $1", [person.id]],
      ["select encode(key_hash, 'hex') as a, id as b from outbox where user_id = $1", [person.id]],
      [
        "select encode(key_hash, 'hex') as a, encode(sealed_seed, 'hex') as b from totp_factors where user_id = $1",
        [person.id],
      ],
      ["select encode(key_hash, 'hex') as a from recovery_codes where user_id = $1", [person.id]],
    );
    const stored = [...users, ...sessions, ...tokens, ...mails, ...apps, ...codes].flatMap((row) => Object.values(row));
    expect(stored.length).toBeGreaterThan(6);
    for (const secret of [...stored, link, person.token, person.refreshToken, person.password]) {
      expect(text).not.toContain(secret);
    }
  });

  it("has nothing of anybody else, with whom they share an organization or not", async () => {
    const { person, own, shared } = await makeFullPerson("Ada");
    const [stranger, colleague] = [await makeFullPerson("Mallory"), await makeFullPerson("Grace")];
    for (const { id } of [own, shared]) await addMember(id, colleague.person.id, "member");
    const text = JSON.stringify((await exportAccount(person)).body);
    expect(text).toContain(person.email);
    const [sessions = []] = await asOwner([
      "select id from sessions where user_id in ($1, $2)",
      [stranger.person.id, colleague.person.id],
    ]);
    const theirs = [stranger, colleague].flatMap((other) => [other.person.id, other.person.email, other.own.id]);
    for (const value of [...theirs, ...sessions.map(({ id }) => id), "Mallory", "Grace"]) {
      expect(text).not.toContain(value);
    }
  });

  it("asks for a password given within 10 minutes", async () => {
    const person = await signUpPerson(service);
    await asOwner([
      "update sessions set authenticated_at = now() - interval '11 minutes' where user_id = $1",
      [person.id],
    ]);
    expectProblem(await exportAccount(person), "reauthentication_required");
  });

  it("is counted by the rate limit", async () => {
    const limited = openService({ RATE_LIMIT_PER_MINUTE: "10" });
    const person = await signUpPerson(service);
    const statuses = [];
    for (let n = 0; n < 11; n++) statuses.push((await exportAccount(person, limited)).status);
    expect(statuses).toEqual([...Array<number>(10).fill(200), 429]);
  });

  it("has all of a person with 1,000 organizations and 1,000 sessions, in one read-only request", async () => {
    const person = await signUpPerson(service);
    await fill(person, 1_000);
    const own = openService();
    const { status, body } = await exportAccount(person, own);
    expect(status).toBe(200);
    expect([body.memberships.length, body.sessions.length]).toEqual([1_000, 1_001]);
    const ids = body.memberships.map(({ organizationId }: { organizationId: string }) => organizationId);
    expect(ids).toEqual(ids.toSorted().toReversed());
    expect(await own.databaseRequests()).toMatchObject([{ readOnly: true, batch: true }]);
  });

  it("has the newest 10,000 of a list that is longer", async () => {
    const person = await signUpPerson(service);
    await fill(person, 10_001);
    const { status, body } = await exportAccount(person);
    expect(status).toBe(200);
    expect([body.memberships.length, body.sessions.length]).toEqual([10_000, 10_000]);
    const [oldest] = await asOwner([
      "select min(organization_id::text) as id from memberships where user_id = $1",
      [person.id],
    ]);
    expect(JSON.stringify(body.memberships)).not.toContain(oldest?.[0]?.["id"]);
  });
});

/** Organizations of their own and sessions, so many. */
async function fill({ id }: Person, count: number): Promise<void> {
  await asOwner(
    [
      `insert into organizations (id, name, slug)
       select gen_random_uuid(), 'One of many', $1 || '-' || n from generate_series(1, $2::int) n`,
      [id, count],
    ],
    [insertMembers("select o.id, $1::uuid, 'owner' from organizations o where o.slug ^@ $1::text"), [id]],
    [
      `insert into sessions (id, user_id, handle_hash, user_agent, idle_expires_at, expires_at)
       select gen_random_uuid(), $1::uuid, sha256(($1::text || n)::bytea), repeat('a', 150), now(), now() from generate_series(1, $2::int) n`,
      [id, count],
    ],
  );
}
