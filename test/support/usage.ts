import { asOwner } from "./database.ts";
import { giveFeatures } from "./plans.ts";
import type { Answer, Person } from "./service.ts";
import { givePrice, giveSubscription, newCustomer } from "./subscriptions.ts";

/** Meters as plans have them, by how they count. */
export const meters = {
  sum: { key: "given-metered", kind: "metered", limit: null, per: "month" },
  max: { key: "given-monthly", kind: "metered", limit: null, per: "month" },
  count: { key: "given-ever", kind: "metered", limit: null, per: "lifetime" },
  last: { key: "given-last", kind: "metered", limit: null, per: "month" },
  unique: { key: "given-unique", kind: "metered", limit: null, per: "month" },
};

export interface TestEvent {
  source: string;
  id: string;
  [member: string]: unknown;
}

/** An event of its own, of `given-metered`. */
export const newEvent = (event: object = {}): TestEvent => ({
  specversion: "1.0",
  id: crypto.randomUUID(),
  source: "/tests",
  type: "given-metered",
  data: { value: "1" },
  ...event,
});

/** In milliseconds from now. */
export const at = (milliseconds: number) => new Date(Date.now() + milliseconds).toISOString();

export const days = (number: number) => number * 86_400_000;

/** A customer of a plan with these features for five days, and what its owner tells of its usage. */
export async function newUser(features: object[] = Object.values(meters)) {
  await giveFeatures();
  const customer = await newCustomer();
  const plan = async (has: object[]) => {
    const { priceId } = await givePrice({ features: has });
    return priceId;
  };
  await giveSubscription(customer.id, await plan(features));
  const anchor = (instant: string) =>
    asOwner(["update subscriptions set anchor_at = $2 where organization_id = $1", [customer.id, instant]]);
  await anchor(at(-days(5)));
  return {
    ...customer,
    record: (events: object[], caller: Pick<Person, "token"> = customer.owner) =>
      customer.call("POST", "usage/events", { events }, caller),
    usage: async () => (await customer.call("GET", "usage")).body.data as Record<string, any>[],
    used: async (meter = "given-metered"): Promise<string> =>
      (await customer.call("GET", "usage")).body.data.find((usage: { meter: string }) => usage.meter === meter)?.used,
    /** Whatever the subscription was to, it is to these features from now on. */
    move: async (has: object[]) =>
      asOwner([
        "update subscriptions set price_id = $2 where organization_id = $1 and ended_at is null",
        [customer.id, await plan(has)],
      ]),
    /** From which its periods are counted. */
    anchor,
  };
}

/** As if so much had been told by `/given`: what that calls it. */
export async function giveUsageEvent(organizationId: string): Promise<string> {
  const id = crypto.randomUUID();
  await asOwner([
    `insert into usage_events (organization_id, source, source_id, meter, occurred_at, value, dimensions, digest)
     values ($1, '/given', $2, 'api-requests', now(), 2, '{}', '')`,
    [organizationId, id],
  ]);
  return id;
}

/** Its id. */
export async function giveReservation(organizationId: string): Promise<string> {
  const id = crypto.randomUUID();
  await asOwner([
    `insert into usage_reservations (organization_id, id, meter, value, expires_at)
     values ($1, $2, 'api-requests', 2, now() + interval '1 hour')`,
    [organizationId, id],
  ]);
  return id;
}

/** What became of each: `201`, or `429 quota_exceeded`. */
export const outcomesOf = ({ body }: Answer): string[] =>
  body.results.map(({ status, code }: { status: number; code?: string }) => (code ? `${status} ${code}` : `${status}`));

/** What of an organization's counters and rollups is not what its events come to, by another way of counting: nothing is right. */
export async function miscounted(organizationId: string): Promise<Record<string, unknown>[]> {
  const counted = `
    coalesce(case f.aggregation
      when 'sum' then sum(e.counts) when 'count' then count(e) when 'max' then max(e.counts) when 'unique' then count(distinct e.unique_value)
      else (array_agg(e.counts order by e.occurred_at desc, e.source collate "C" desc, e.source_id collate "C" desc))[1] end, 0)`;
  const counts = `
    lateral (select *, coalesce(e.corrected_value, e.value) as counts from usage_events e where not e.is_void) e`;
  const [counters = [], rollups = []] = await asOwner(
    [
      `select c.meter, c.started_at, c.used, r.used as recounted
         from usage_counters c
         join features f on f.key = c.meter
         cross join lateral (
           select ${counted} as used from ${counts}
            where e.organization_id = c.organization_id and e.meter = c.meter
              and e.occurred_at >= c.started_at and e.occurred_at < c.ends_at) r
        where c.organization_id = $1 and c.used <> r.used`,
      [organizationId],
    ],
    [
      `with recounted as (
         select e.meter, b.size, b.started_at, e.dimensions, e.unique_value, count(*) as events, sum(e.counts) as sum, max(e.counts) as max,
                (array_agg(e.counts order by e.occurred_at desc, e.source collate "C" desc, e.source_id collate "C" desc))[1] as last
           from ${counts.replace("lateral", "")}
          cross join lateral (values ('day', date_trunc('day', e.occurred_at, 'UTC')),
            ('quarter', date_trunc('hour', e.occurred_at) + floor(extract(minute from e.occurred_at) / 15) * interval '15 minutes')) b (size, started_at)
          where e.organization_id = $1
          group by 1, 2, 3, 4, 5
       ), kept as (
         select meter, size, started_at, dimensions, unique_value, events, sum, max, last from usage_rollups
          where organization_id = $1 and events > 0
       )
       (select 'missing' as problem, * from (select * from recounted except select * from kept) m)
        union all (select 'wrong', * from (select * from kept except select * from recounted) w)`,
      [organizationId],
    ],
  );
  return [...counters, ...rollups];
}
