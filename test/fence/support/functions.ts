import { createHash } from "node:crypto";
import { escapeLiteral, type Client } from "pg";

import { belongsTo, type Owners, type Relation } from "./catalog.ts";
import { foreignValuesOf, isOfPlatform, printsOf, type Cell, type Trial } from "./cells.ts";
import { keyHandle, organizations, type Person, privatePlanId, publicPriceId } from "./people.ts";
import { newPlan } from "./planning.ts";
import type { World } from "./world.ts";

export interface CallableFunction {
  signature: string;
  /** As it is called, quoted. */
  name: string;
  argumentNames: string[];
  argumentTypes: string[];
}

/** What app_user may call, outside of Postgres's own schemas. */
export async function readCallable(client: Client): Promise<CallableFunction[]> {
  const { rows } = await client.query<CallableFunction>(`
    select p.oid::regprocedure::text as signature, format('%I.%I', n.nspname, p.proname) as name,
           coalesce(p.proargnames[:p.pronargs], '{}') as "argumentNames",
           array(select format_type(t.type, null) from unnest(p.proargtypes) with ordinality t (type, n) order by n) as "argumentTypes"
      from pg_proc p join pg_namespace n on n.oid = p.pronamespace
     where n.nspname !~ '^pg_' and n.nspname <> 'information_schema' and p.prorettype <> 'trigger'::regtype
       and has_schema_privilege('app_user', n.oid, 'USAGE') and has_function_privilege('app_user', p.oid, 'EXECUTE')
     order by 1`);
  return rows;
}

/**
 * What a function may show or change although it is a stranger's: a value that the caller needs before
 * they are anybody. Everything else that comes back is a leak.
 */
const meantForEverybody: Record<string, string> = {
  "app.password_parameters(text)": "select password_salt from public.users",
  // Ids alone: without its key, which no table holds, a message can be neither read nor stopped.
  "app.due_messages(integer,uuid[])": "select id from public.outbox",
  "app.public_plans()": `select e.value from (
     select to_jsonb(t) from public.plans t where is_public and archived_at is null
     union all select to_jsonb(t) from public.plan_prices t
     union all select to_jsonb(t) from public.plan_features t union all select to_jsonb(t) from public.features t) f (row), jsonb_each_text(row) e`,
};

/** Of a plan that its subscribers have, and of the default one. */
const plansOfTheirs = `select e.value from (
     select to_jsonb(t) from public.plans t where id = '${privatePlanId}' or is_default
     union all select to_jsonb(t) from public.plan_prices t
     union all select to_jsonb(t) from public.plan_features t union all select to_jsonb(t) from public.features t) f (row), jsonb_each_text(row) e`;
for (const name of ["subscription", "entitlements", "cancel_subscription", "resume_subscription", "usage"])
  meantForEverybody[`app.${name}()`] = plansOfTheirs;
meantForEverybody["app.start_subscription(uuid,uuid,text)"] = plansOfTheirs;
meantForEverybody["app.change_subscription(uuid)"] = plansOfTheirs;
meantForEverybody["app.check_usage(text,text)"] = plansOfTheirs;
meantForEverybody["app.usage_windows(text,timestamp with time zone,timestamp with time zone,text,jsonb,text)"] =
  plansOfTheirs;
meantForEverybody["app.record_usage(jsonb,jsonb)"] = plansOfTheirs;
meantForEverybody["app.reserve_usage(uuid,text,text,interval)"] = plansOfTheirs;
meantForEverybody["app.commit_usage(uuid,text,text)"] = plansOfTheirs;
meantForEverybody["app.export_organization(text)"] = plansOfTheirs;

/** What may add to a stranger's tokens, messages and events; those that they have must stay as they are. */
const meantToAdd = new Set([
  // That somebody did not get in.
  "app.sign_in(text,text,uuid,bytea,interval,text,text,integer,text,text,interval,bytea,bytea,bytea,uuid,bytea)",
  "app.sign_in_by_code(text,bytea[],uuid,bytea,interval,interval,text,text,bytea,bytea,bytea,uuid,bytea)",
  "app.forgot_password(text,uuid,bytea)",
  "app.request_email_sign_in(text,uuid,bytea,bytea)",
  "app.sign_up_unseen(uuid,text,text,integer,text,text,uuid,bytea)",
]);

/** Each function, called by each actor with what belongs to people and organizations they share nothing with. */
export async function planFunctionTrials(world: World, relations: Relation[]): Promise<Map<string, Trial>> {
  const { client, people } = world;
  const functions = await readCallable(client);
  const { rows: events } = await client.query<{ id: string }>(
    "select id from public.user_audit_events order by id desc limit 1",
  );
  const lastEventId = events[0]?.id;
  const trials = new Map<string, Trial>();
  for (const actor of world.actors) {
    const strangers = await findStrangers(client, actor.askedBy);
    const isOutsider = actor.askedBy === people["outsider"]?.id;
    const victim = people[isOutsider ? "founder" : "outsider"];
    const organizationId = isOutsider ? organizations.theirs : organizations.third;
    if (!victim) throw new Error("there is no victim");
    // A row that a function makes is not a stranger's, so only the rows that strangers have are looked at.
    const ofStrangers = (relation: Relation) =>
      // Nobody's: only those that are there already must stay.
      relation.name.endsWith(".spent_challenges")
        ? "key_hash = sha256('spent')"
        : relation.name.endsWith(".stripe_events")
          ? "id = 'evt_told'"
          : /\.(users|sessions|organizations|organization_slugs|memberships|membership_roles|member_terms|teams|team_memberships|roles|invitations|share_links|api_keys|ownership_transfers|organization_domains|domain_bars|idempotency_keys|one_time_tokens|outbox|throttles|totp_factors|recovery_codes|passkeys|identities|platform_admins|sso_connections|audit_events|user_audit_events|webhook_endpoints|webhook_messages|subscriptions|invoices|stripe_customers|usage_events|usage_counters|usage_rollups|usage_corrections|usage_reservations)$/.test(
                relation.name,
              )
            ? belongsTo(relation, strangers)
            : "true";
    const foreignValues = await foreignValuesOf(client, relations, ofStrangers);
    const strangePeople = Object.values(people).filter(({ id }) => strangers.userIds.includes(id));
    const messageIds = strangePeople.map(({ messageId }) => messageId);
    const withoutAdded = printsOf(relations, (relation) => {
      if (/\.(one_time_tokens|outbox)$/.test(relation.name))
        return `${ofStrangers(relation)} and id = any ('{${messageIds.join(",")}}')`;
      return (
        ofStrangers(relation) + (relation.name.endsWith(".user_audit_events") ? ` and id <= '${lastEventId}'` : "")
      );
    });
    const allowed = new Map<string, Set<string>>();
    for (const [signature, query] of Object.entries(meantForEverybody)) {
      const { rows } = await client.query({ text: query, rowMode: "array" });
      allowed.set(signature, new Set(rows.map(([value]) => String(value))));
    }
    const meant = new Set([...allowed.values()].flatMap((values) => [...values]));
    // What the platform's functions show an administrator is theirs to see: see commitments-platform-….ts.
    const tried = actor.name === "administrator" ? functions.filter(({ name }) => !isOfPlatform(name)) : functions;
    const cells = tried
      .flatMap((callable) => planCalls(callable, victim, organizationId, strangers, strangePeople))
      .map((cell): Cell => (meantToAdd.has(cell.object) ? { ...cell, prints: withoutAdded } : cell));
    trials.set(actor.name, {
      admission: actor.admission,
      isRefused: actor.refused,
      cells,
      prints: printsOf(relations, ofStrangers),
      // The first that is shown counts, so what may be shown must not hide what may not.
      foreignValues: foreignValues.toSorted((a, b) => Number(meant.has(a)) - Number(meant.has(b))),
      allowed,
    });
  }
  return trials;
}

/** Everybody who shares no organization with this person, and the organizations they are not in. */
async function findStrangers(client: Client, userId: string | null): Promise<Owners> {
  const { rows } = await client.query<Owners>(
    `with mine as (select organization_id from public.memberships where user_id = $1)
     select array(select id::text from public.organizations where id not in (table mine)) as "organizationIds",
            array(select id::text from public.users u where id is distinct from $1 and not exists (
              select from public.memberships m where m.user_id = u.id and m.organization_id in (table mine))) as "userIds"`,
    [userId],
  );
  return rows[0] ?? { organizationIds: [], userIds: [] };
}

function hashOf(bytea: string): string {
  return `\\x${createHash("sha256")
    .update(Buffer.from(bytea.slice(2), "hex"))
    .digest("hex")}`;
}

/** Four calls: with the ids of the organization, of the person, of the person's session, and of their message. */
function planCalls(
  callable: CallableFunction,
  victim: Person,
  organizationId: string,
  strangers: Owners,
  strangePeople: Person[],
): Cell[] {
  const slug = `slug-${organizationId === organizations.third ? "third" : "theirs"}`;
  const messageIds = strangePeople.map(({ messageId }) => messageId);
  // What the database keeps of a handle or a key must not be good as one.
  const keyHashes = strangePeople.map(({ messageKey }) => `"\\${hashOf(messageKey)}"`);
  const byName: Record<string, (string | null)[]> = {
    "p_email text": [victim.email],
    "p_error text": ["failed", "failed", "failed", null],
    "p_handle bytea": [hashOf(victim.handle), hashOf(keyHandle(slug.slice(5)))],
    "p_changes jsonb": ['{"name": "Taken"}'],
    "p_plan jsonb": [JSON.stringify(newPlan("taken"))],
    "p_days integer": ["30"],
    "p_hint text": ["0000"],
    "p_scopes text[]": ["{organization:read}"],
    "p_hash text": [victim.hash.slice(0, -1)],
    "p_id uuid": [organizationId, victim.id, victim.messageId, privatePlanId],
    "p_key bytea": [hashOf(victim.messageKey)],
    "p_key text": [`key of ${victim.id}`],
    "p_organization_id uuid": [organizationId],
    "p_permission text": ["members:read"],
    "p_price_id uuid": [publicPriceId],
    "p_provider text": ["google", "stripe"],
    "p_customer_id text": [`cus_of_${slug.slice(5)}`],
    "p_customer_ids text[]": [`{cus_of_${slug.slice(5)}}`],
    "p_ticket bigint": ["7"],
    "p_meter text": ["api-requests"],
    "p_value text": ["1"],
    "p_events jsonb": [
      JSON.stringify([{ source: `source of ${slug.slice(5)}`, id: "another", type: "api-requests", value: "1" }]),
      JSON.stringify([
        { source: `source of ${slug.slice(5)}`, id: `event of ${slug.slice(5)}`, type: "api-requests", value: "1" },
      ]),
    ],
    "p_refusals jsonb": ["{}"],
    "p_corrections jsonb": [
      JSON.stringify([{ source: `source of ${slug.slice(5)}`, id: `event of ${slug.slice(5)}`, value: "1" }]),
    ],
    "p_from timestamp with time zone": ["now"],
    "p_to timestamp with time zone": ["tomorrow"],
    "p_window text": ["day"],
    "p_group_by jsonb": ["[]"],
    "p_timezone text": ["UTC"],
    "p_permissions text[]": ["{organization:read}"],
    "p_roles text[]": ["{owner}", "{viewer}"],
    "p_salt text": [victim.salt],
    "p_user_id uuid": [victim.id],
    "p_subject text": [`subject ${victim.id}`],
    // Whole, but with a key that the Worker has not.
    "p_worker_keys bytea": [`\\x${"0d".repeat(32)}`, `\\x${"0d".repeat(64)}`],
    "p_ticket bytea": [`\\x${"0d".repeat(64)}`, `\\x${"0d".repeat(96)}`],
  };
  const byType: Record<string, string[]> = {
    uuid: [organizationId, victim.id, victim.sessionId, victim.messageId],
    "uuid[]": [strangers.userIds, strangers.organizationIds, [victim.sessionId], messageIds].map(
      (ids) => `{${ids.join(",")}}`,
    ),
    text: [victim.email, slug, `user:${victim.id}`],
    "text[]": [`{${slug}}`],
    bytea: [hashOf(victim.handle), "\\x00"],
    "bytea[]": [`{${keyHashes.join(",")}}`],
    bigint: ["1000"],
    boolean: ["true"],
    integer: ["1000"],
    interval: ["1 day"],
    json: ["{}"],
    jsonb: [
      JSON.stringify([
        {
          id: victim.messageId,
          email: victim.email,
          roles: ["viewer"],
          message_id: organizationId,
          key: victim.messageKey,
        },
      ]),
    ],
  };
  const calls = new Set(
    [0, 1, 2, 3].map((n) => {
      const values = callable.argumentTypes.map((type, index) => {
        const pool = byName[`${callable.argumentNames[index] ?? ""} ${type}`] ?? byType[type] ?? [];
        const value = pool[n % pool.length] ?? null;
        return value === null ? `null::${type}` : `${escapeLiteral(value)}::${type}`;
      });
      return `select * from ${callable.name}(${values.join(", ")})`;
    }),
  );
  return [...calls].map((statement, index) => ({
    object: callable.signature,
    operation: `call ${index + 1}`,
    detail: null,
    statement,
    mostRows: null,
    asksLate: true,
  }));
}
