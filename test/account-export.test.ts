import { describe, expect, it } from "vitest";
import { makeStale } from "./support/accounts.ts";
import { insertMembers } from "./support/members-sql.ts";
import { addMember, asOwner } from "./support/database.ts";
import { giveResetToken } from "./support/one-time-tokens.ts";
import { expectProblem } from "./support/problems.ts";
import { openService, type Person, signUpPerson } from "./support/service.ts";
import { exportAccount, makeFullPerson } from "./support/account-export.ts";

const service = openService();

const instant = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);

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
        { ...session, revokedAt: instant, impersonatorId: null, impersonationReason: null },
        { ...session, revokedAt: null, impersonatorId: null, impersonationReason: null },
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
      teams: [{ organizationId: shared.id, teamId: expect.any(String), name: "Support", role: "lead", since: instant }],
      sentInvitations: [
        {
          id: expect.any(String),
          organizationId: own.id,
          email: expect.any(String),
          roles: ["viewer"],
          teamIds: [],
          status: "pending",
          createdAt: instant,
          sentAt: instant,
          expiresAt: instant,
          endedAt: null,
        },
      ],
      shareLinks: [
        {
          id: expect.any(String),
          organizationId: own.id,
          roles: ["viewer"],
          allowedDomains: [],
          maxUses: 10,
          uses: 0,
          createdAt: instant,
          expiresAt: instant,
        },
      ],
      apiKeys: [
        {
          id: expect.any(String),
          organizationId: own.id,
          isOrganizations: false,
          name: "Given",
          scopes: ["organization:read"],
          hint: expect.stringMatching(/^\w{4}$/),
          rateLimitPerMinute: null,
          createdAt: instant,
          updatedAt: instant,
          rotatedAt: null,
          previousExpiresAt: null,
          expiresAt: instant,
          lastUsedAt: null,
        },
      ],
      ownershipTransfers: [
        {
          id: expect.any(String),
          organizationId: shared.id,
          fromUserId: expect.any(String),
          toUserId: person.id,
          createdAt: instant,
          expiresAt: instant,
        },
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

  it("has no password, token or hash in it", async () => {
    const { person } = await makeFullPerson("Ada");
    const link = await giveResetToken(person.id);
    const text = JSON.stringify((await exportAccount(person)).body);
    const [
      users = [],
      sessions = [],
      tokens = [],
      invitations = [],
      links = [],
      keys = [],
      mails = [],
      apps = [],
      codes = [],
    ] = await asOwner(
      ["select password_salt as a, encode(password_verifier, 'hex') as b from users where id = $1", [person.id]],
      ["select encode(handle_hash, 'hex') as a from sessions where user_id = $1", [person.id]],
      ["select encode(key_hash, 'hex') as a, id as b from one_time_tokens where user_id = $1", [person.id]],
      ["select encode(key_hash, 'hex') as a from invitations where invited_by = $1", [person.id]],
      ["select encode(key_hash, 'hex') as a from share_links where created_by = $1", [person.id]],
      ["select encode(key_hash, 'hex') as a from api_keys where created_by = $1", [person.id]],
      ["select encode(key_hash, 'hex') as a, id as b from outbox where user_id = $1", [person.id]],
      [
        "select encode(key_hash, 'hex') as a, encode(sealed_seed, 'hex') as b from totp_factors where user_id = $1",
        [person.id],
      ],
      ["select encode(key_hash, 'hex') as a from recovery_codes where user_id = $1", [person.id]],
    );
    const stored = [
      ...users,
      ...sessions,
      ...tokens,
      ...invitations,
      ...links,
      ...keys,
      ...mails,
      ...apps,
      ...codes,
    ].flatMap((row) => Object.values(row));
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
    await makeStale(person);
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

/** Organizations of their own and sessions, so many; in parts, each of which is done in time. */
async function fill({ id }: Person, count: number): Promise<void> {
  for (let from = 1; from <= count; from += 1_000) {
    const part = [id, from, Math.min(from + 999, count)];
    await asOwner(
      [
        `insert into organizations (id, name, slug)
         select gen_random_uuid(), 'One of many', $1::text || '-' || n from generate_series($2::int, $3::int) n`,
        part,
      ],
      [
        insertMembers(
          `select o.id, $1::uuid, 'owner' from organizations o, generate_series($2::int, $3::int) n where o.slug = $1::text || '-' || n`,
        ),
        part,
      ],
      [
        `insert into sessions (id, user_id, handle_hash, user_agent, idle_expires_at, expires_at)
         select gen_random_uuid(), $1::uuid, sha256(($1::text || n)::bytea), repeat('a', 150), now(), now()
           from generate_series($2::int, $3::int) n`,
        part,
      ],
    );
  }
}
