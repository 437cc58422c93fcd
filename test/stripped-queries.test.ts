import { beforeAll, describe, expect, it } from "vitest";
import { addMember, asOwner, openOwnDatabase } from "./support/database.ts";
import type { Operation } from "./support/contract.ts";
import { mangle, type Statement } from "./support/mangle.ts";
import { operations } from "./support/operations.ts";
import { prepare } from "./support/prepare.ts";
import { givePasskeyFor, takesPasskey } from "./support/passkeys.ts";
import { takesAdmin } from "./support/platform.ts";
import { type Caller, recordRequests } from "./support/recorded-requests.ts";
import { openService, signUpPerson } from "./support/service.ts";
import { makeVerifiable } from "./support/sso.ts";

/**
 * The fence must hold when queries are wrong. So every statement that an operation sends is run again by
 * the same admitted person with its WHEREs taken out, and turned round, in a transaction that is rolled back.
 */
const tables =
  "users sessions organizations organization_slugs memberships membership_roles member_terms teams team_memberships roles invitations share_links api_keys ownership_transfers organization_domains domain_bars idempotency_keys one_time_tokens outbox throttles identities passkeys totp_factors recovery_codes platform_admins sso_connections audit_events user_audit_events webhook_endpoints webhook_messages subscriptions invoices stripe_customers stripe_events usage_events usage_counters usage_rollups usage_corrections usage_reservations".split(
    " ",
  );

async function newCaller(operation: Operation): Promise<Caller> {
  const { person, organization, ids } = await prepare(openService(), undefined, operation);
  // A second owner: the caller may delete their account.
  await addMember(organization.id, (await signUpPerson(openService())).id, "owner");
  await makeVerifiable(organization.id);
  if (!takesPasskey(operation.name)) return { person, ids };
  return { person, ids, renew: () => givePasskeyFor(operation.name, person) };
}

const isMine = "t::text ~ $1";

const counts = ["inserted", "updated", "deleted"];

/** Of others' rows in each table that the transaction has written, whether or not that was taken back since; null of the others. */
const fingerprint = `select json_build_object(${tables
  .map((table) => {
    const written = counts.map((what) => `pg_stat_get_xact_tuples_${what}('${table}'::regclass)`).join(" + ");
    const print = `(select coalesce(md5(string_agg(t::text, '|' order by t::text)), '') from ${table} t where not ${isMine})`;
    return `'${table}', case when ${written} > 0 then ${print} end`;
  })
  .join(", ")}) as prints`;

/** Whatever names somebody else. Who shares an organization with the caller is no stranger. */
const namesOfStrangers = `
  with shared as (select user_id from memberships t where ${isMine})
  select array_agg(v) as values from (
    select unnest(array[id::text, email]) from users t where not ${isMine} and id not in (select user_id from shared)
    union all select unnest(array[id::text, slug]) from organizations t where not ${isMine}
    union all select id::text from identities t where not ${isMine}
    union all select id::text from passkeys t where not ${isMine}
    union all select id::text from totp_factors t where not ${isMine}
    union all select unnest(array[id::text, txt_record]) from sso_connections t where not ${isMine}
    union all select unnest(array[id::text, email]) from invitations t where not ${isMine}
    union all select unnest(array[id::text, domain, txt_record]) from organization_domains t where not ${isMine}
    union all select id::text from share_links t where not ${isMine}
    union all select id::text from api_keys t where not ${isMine}
    union all select id::text from audit_events t where not ${isMine}
    union all select id::text from user_audit_events t where not ${isMine}
    union all select id::text from webhook_endpoints t where not ${isMine}
    union all select id::text from webhook_messages t where not ${isMine}
    union all select id::text from subscriptions t where not ${isMine}
    union all select id::text from invoices t where not ${isMine}
    union all select unnest(array_remove(array[customer_id, checkout_session_id, checkout_url], null)) from stripe_customers t where not ${isMine}
    union all select source_id from usage_events t where not ${isMine}
    union all select id::text from usage_counters t where not ${isMine}
    union all select id::text from usage_reservations t where not ${isMine}
    union all select id::text from ownership_transfers t where not ${isMine}
    union all select unnest(array[id::text, name]) from teams t where not ${isMine}
    union all select unnest(array[id::text, key]) from roles t where not ${isMine}
    union all select id::text from sessions t where not ${isMine}) t (v)`;

const mineOf = ({ person, ids }: Caller): [string] => [`${person.id}|${ids["organizationId"]}`];

async function findStrangers(caller: Caller): Promise<ReadonlySet<unknown>> {
  const [rows] = await asOwner([namesOfStrangers, mineOf(caller)]);
  const strangers = new Set<unknown>(rows?.[0]?.["values"]);
  expect(strangers.size).toBeGreaterThan(2);
  return strangers;
}

/** Whether one of these stands in it, by itself, at whatever depth. */
function contains(value: unknown, wanted: ReadonlySet<unknown>): boolean {
  if (typeof value !== "object" || value === null) return wanted.has(value);
  return Object.entries(value).some(([key, inner]) => wanted.has(key) || contains(inner, wanted));
}

/** What a statement, run after `context`, showed or changed of others; undefined where Postgres refused it. */
async function findLeaks(
  caller: Caller,
  strangers: ReadonlySet<unknown>,
  context: Statement,
  { query, params }: Statement,
  fence: "up" | "down",
  tries = 10,
): Promise<string[] | undefined> {
  const mine = mineOf(caller);
  let isBeaten = false;
  const results = await asOwner(
    // One snapshot, so that what other tests do meanwhile is no change.
    ["set transaction isolation level repeatable read"],
    [context.query, context.params],
    ...(fence === "down" ? [["reset role"] satisfies [string]] : []),
    ["savepoint before"],
    [query, params],
    ["reset role"],
    [fingerprint, mine],
    ["rollback to before"],
    ["reset role"],
    [fingerprint, mine],
    ["rollback"],
  ).catch((error: { code?: string; message: string }) => {
    isBeaten = /^(40|55P03)/.test(error.code ?? "");
    if (isBeaten || /^(42501|21000|23505)/.test(error.code ?? "")) return undefined;
    throw new Error(`${error.code} ${error.message}: ${query}`, { cause: error });
  });
  // Without the fence a statement meets the rows of tests that run beside this one.
  if (isBeaten && tries > 0) return findLeaks(caller, strangers, context, { query, params }, fence, tries - 1);
  if (!results) return undefined;
  const [before, after] = [-2, -5].map((place) => results.at(place)?.[0]?.["prints"]);
  return [
    ...(contains(results.at(-7), strangers) ? ["shows a stranger"] : []),
    ...tables.filter((table) => before[table] !== after[table]).map((table) => `changes others' ${table}`),
  ];
}

interface Attempt {
  name: string;
  leaks: string[] | undefined;
}

/**
 * Every statement with a WHERE of an operation, mangled in both ways: with the fence; and without it until one of them leaks,
 * which shows that the fence was what held.
 */
async function attempt(operation: Operation): Promise<{ up: Attempt[]; down: Attempt[] }> {
  const caller = await newCaller(operation);
  // Somebody who has of everything what the caller has.
  await newCaller(operation);
  const strangers = await findStrangers(caller);
  const up: Attempt[] = [];
  const down: Attempt[] = [];
  for await (const { statements } of recordRequests(operation, caller)) {
    const [context, ...queries] = statements;
    if (!context) throw new Error("a request without a statement");
    for (const statement of queries) {
      for (const { how, ...mangled } of mangle(statement)) {
        const name = `${operation.name} ${how}`;
        up.push({ name, leaks: await findLeaks(caller, strangers, context, mangled, "up") });
        if (down.some(({ leaks }) => leaks?.length)) continue;
        down.push({ name, leaks: await findLeaks(caller, strangers, context, mangled, "down") });
      }
    }
  }
  return { up, down };
}

// Its statements, and the looks at all that is others', would take the longer the more others leave there.
beforeAll(openOwnDatabase);

// What an administrator of the platform is shown of others is theirs to see: see test/fence/support/commitments-platform-….ts.
const own = operations.all.filter(([name]) => name !== "GET /ready" && !takesAdmin(name));

describe("The mangler", () => {
  it("takes out every WHERE, at every depth, and leaves strings, names and parameters right", () => {
    const statement = {
      query: `select a, (select 'where ''x' from "where" where b = $1) from t where (c = $2 or d in (select $3)) and e = f('where)') order by $4 limit $5`,
      params: [1, 2, 3, 4, 5],
    };
    const inner = (where: string) => `select a, (select 'where ''x' from "where" ${where}) from t `;
    const outer = "where  (c = $2 or d in (select $3)) and e = f('where)') ";
    expect(mangle(statement).filter(({ how }) => how === "without WHERE")).toMatchObject([
      { query: `${inner("")}${outer.replace("$2", "$1").replace("$3", "$2")}order by $3 `, params: [2, 3, 4] },
      { query: `${inner("where  b = $1")}order by $2 `, params: [1, 4] },
      { query: `${inner("")}order by $1 `, params: [4] },
    ]);
    expect(mangle(statement).at(-1)).toMatchObject({
      query: `${inner("where (b = $1) is not true ")}where ((c = $2 or d in (select $3)) and e = f('where)')) is not true order by $4 `,
      params: [1, 2, 3, 4],
    });
  });
});

/** Operations whose statements show and change nothing of others even without the fence, and why. */
const harmless: Record<string, string> = {
  "GET /v1/auth/mfa": "it counts, and tells a time",
  "PATCH /v1/organizations/{organizationId}": "one slug for all is refused",
  "GET /v1/organizations/{organizationId}/members": "app.member_profiles gives away nobody but members",
  "GET /v1/organizations/{organizationId}/members/{userId}": "likewise",
  "PATCH /v1/organizations/{organizationId}/members/{userId}": "likewise",
  "PATCH /v1/organizations/{organizationId}/teams/{teamId}": "one name for all is refused",
  "PUT /v1/organizations/{organizationId}/teams/{teamId}/members/{userId}": "as of members",
};

describe("Every operation's statements, stripped of their WHERE or with it turned round,", () => {
  it.each(own)("show and change nothing of others, and do without the fence: %s", async (name, operation) => {
    const { up, down } = await attempt(operation);
    expect(up.filter(({ leaks }) => leaks?.length)).toEqual([]);
    if (up.length === 0) return;
    expect(up.some(({ leaks }) => leaks)).toBe(true);
    expect(down.some(({ leaks }) => leaks?.length)).toBe(!(name in harmless));
  });

  it("are harmless without it for operations that there are", () => {
    expect(own.map(([name]) => name)).toEqual(expect.arrayContaining(Object.keys(harmless)));
  });
});
