import { id } from "./people.ts";
import { addPlan, asDefiner } from "./planning.ts";
import { letIn, text, type Scene } from "./scene.ts";
import { give, mine, theirs, withPrices } from "./subscribing.ts";
import { admission } from "./world.ts";

type Limits = Partial<Record<Meter, string | null>>;

/** Called as they count; another of each of two kinds, one for ever, and one of the calendar's month. */
const meters = {
  sum: { aggregation: "sum", dimensions: "{region,tier}", reset: "period" },
  count: { aggregation: "count", dimensions: "{region}", reset: "period" },
  max: { aggregation: "max", dimensions: "{}", reset: "period" },
  last: { aggregation: "last", dimensions: "{region}", reset: "period" },
  unique: { aggregation: "unique", dimensions: "{region}", reset: "period" },
  sum2: { aggregation: "sum", dimensions: "{}", reset: "period" },
  unique2: { aggregation: "unique", dimensions: "{}", reset: "period" },
  ever: { aggregation: "count", dimensions: "{}", reset: "never" },
  calendar: { aggregation: "sum", dimensions: "{}", reset: "month" },
};
type Meter = keyof typeof meters;

const perOf = (meter: Meter, per: string) => ({ never: "lifetime", month: "month", period: per })[meters[meter].reset];

/** A plan with all of them, by the month unless it is told otherwise, and with these limits. */
export const addMetered = (key: string, limits: Limits = {}, per = "month") =>
  addPlan(key, {
    prices: [{ currency: "xts", interval: "month", unitAmount: 5, perSeat: false }],
    features: [
      ...Object.keys(meters).map((meter) => ({
        key: meter,
        kind: "metered",
        limit: limits[meter as Meter] ?? null,
        per: perOf(meter as Meter, per),
      })),
      { key: "sso", kind: "boolean" },
      { key: "gone", kind: "metered", limit: null, per: "month" },
      { key: "before", kind: "metered", limit: null, per: "month" },
    ],
  });

/** Of a day, counted from today's in UTC: "-1 10:30" is yesterday at half past ten; "now -1 minute" is by the clock. */
export function at(time: string): string {
  if (time.startsWith("now")) return `(now() + interval '${time.slice(3) || "0"}')`;
  const [day, clock] = time.split(" ");
  return `((date_trunc('day', now() at time zone 'UTC') + interval '${day} days ${clock}') at time zone 'UTC')`;
}

/** In the middle of a quarter of an hour: from here on the months of both organizations are counted. */
export const anchor = "-1 10:20:30.5";

/** Two organizations with a plan of all meters since the anchor, the same to both; `other` has one more. */
export async function withMeters(
  scene: Scene,
  limits: Limits = {},
  { per = "month", since = anchor } = {},
): Promise<void> {
  await withPrices(scene);
  await scene.see("delete from usage_counters; delete from usage_rollups; delete from usage_events");
  const rows = Object.entries(meters).map(
    ([key, { aggregation, dimensions, reset }], place) =>
      `('${key}', 'metered', 'Name of ${key}', ${910 + place}, 'piece', '${aggregation}', '${dimensions}', '${reset}', null)`,
  );
  await asDefiner(
    scene,
    `insert into features (key, kind, name, position, unit, aggregation, dimensions, reset, archived_at)
     values ${rows.join()}, ('unplanned', 'metered', 'Unplanned', 930, 'piece', 'sum', '{}', 'period', null),
            ('gone', 'metered', 'Gone', 931, 'piece', 'sum', '{}', 'period', now()),
            ('before', 'metered', 'Of before there were meters', 932, null, null, null, null, null)`,
    addMetered("metered", limits, per),
    addPlan("other", { features: [{ key: "unplanned", kind: "metered", limit: "5", per: "month" }] }),
  );
  await give(scene, "metered", { anchor_at: at(since) });
}

/** Whatever both are subscribed to, it is to these limits from now on. */
export async function moveTo(scene: Scene, key: string, limits: Limits, per = "month"): Promise<void> {
  await asDefiner(scene, addMetered(key, limits, per));
  await scene.see(
    `update subscriptions set price_id = (select i.id from plan_prices i join plans p on p.id = i.plan_id where p.key = '${key}') where ended_at is null`,
  );
}

interface More {
  source?: string;
  subject?: string;
  dimensions?: Record<string, string>;
}

/** What is told: what it is called, its meter, when it was, how much, and whatever else there is. */
export type Told = [id: string, meter: string, time: string | null, value?: string | null | undefined, more?: More];

const eventOf = ([id, meter, time, value = null, { source = "/x", subject, dimensions = {} } = {}]: Told) =>
  `jsonb_build_object('source', ${text(source)}, 'id', ${text(id)}, 'type', ${text(meter)}, 'time', ${time === null ? "null" : at(time)},
     'subject', ${text(subject ?? null)}::text, 'value', ${text(value)}::text, 'dimensions', ${text(JSON.stringify(dimensions))}::jsonb)`;

export const eventsOf = (events: Told[]) => `jsonb_build_array(${events.map(eventOf).join()})`;

const codes = ["APMET", "APENT", "APVAL", "APDIM", "APFUT", "APOLD", "APDUP", "APQUO"];
const refusals = text(JSON.stringify(Object.fromEntries(codes.map((code) => [code, { status: code }]))));

/** Whoever tells of the usage of an organization. */
export const teller = (scene: Scene, organizationId = mine, permission = "usage:write") =>
  organizationId === mine
    ? letIn(scene, "owner", permission)
    : admission(scene.person("founder"), organizationId, permission);

export const record = (events: Told[]) => `select app.record_usage(${eventsOf(events)}, ${refusals})`;

interface Recorded {
  results: { source: string; id: string; status: number | string }[];
  usage: Record<string, string | null>[];
}

export async function recorded(scene: Scene, events: Told[], organizationId = mine): Promise<Recorded> {
  const [[answer] = []] = await scene.ask(teller(scene, organizationId), record(events));
  return answer as Recorded;
}

/** What became of each: what it is called, and 201, 200, or the refusal. */
export const tell = async (scene: Scene, events: Told[], organizationId = mine): Promise<string> =>
  (await recorded(scene, events, organizationId)).results
    .map(({ source, id, status }) => `${source === "/x" ? "" : source}${id} ${status}`)
    .join(", ");

const whose = (row: string) =>
  `case ${row}.organization_id when '${mine}' then 'mine' when '${theirs}' then 'theirs' else 'third' end`;

/** An instant as `at` reads it. */
const place = (instant: string) =>
  `(${instant} at time zone 'UTC')::date - (now() at time zone 'UTC')::date
     || ' ' || regexp_replace(to_char(${instant} at time zone 'UTC', 'HH24:MI:SS.MS'), '(:00)?\\.000$', '')`;

/** Each period that a meter may be counted in, by its distance from the one that begins with the anchor. */
const periods = `(
  with given as (select anchor_at at time zone 'UTC' as anchor, date_trunc('day', now() at time zone 'UTC') as today, n
                   from subscriptions, generate_series(-3, 3) n where organization_id = '${mine}' and ended_at is null)
  select 'month ' || n, (anchor + n * interval '1 month') at time zone 'UTC', (anchor + (n + 1) * interval '1 month') at time zone 'UTC' from given
   union all
  select 'year ' || n, (anchor + n * interval '1 year') at time zone 'UTC', (anchor + (n + 1) * interval '1 year') at time zone 'UTC' from given
   union all
  select 'day ' || n, (today + n * interval '1 day') at time zone 'UTC', (today + (n + 1) * interval '1 day') at time zone 'UTC' from given
   union all
  select 'calendar ' || n, (date_trunc('month', today) + n * interval '1 month') at time zone 'UTC',
         (date_trunc('month', today) + (n + 1) * interval '1 month') at time zone 'UTC' from given
   union all
  select 'part', ${at("-1 11:00")}, (anchor + interval '1 month') at time zone 'UTC' from given
   union all
  select 'ever', '-infinity', 'infinity')`;

/** Of each organization, how much of which meter was used in which period. */
export const counters = async (scene: Scene, condition = "true"): Promise<string[]> =>
  (
    await scene.see(
      `select ${whose("c")} || ': ' || string_agg(c.meter || ' ' || c.counted, '; ' order by c.meter)
         from (select c.organization_id, c.meter,
                      string_agg(coalesce(n.name, 'another period') || ' ' || trim_scale(c.used), ', ' order by c.started_at, c.ends_at) as counted
                 from usage_counters c
                 left join lateral (
                   select p.name from ${periods} p (name, started_at, ends_at)
                    where p.started_at::timestamptz(3) = c.started_at and p.ends_at::timestamptz(3) = c.ends_at limit 1) n on true
                where ${condition} group by c.organization_id, c.meter) c
        group by c.organization_id order by c.organization_id`,
    )
  ).flat() as string[];

/**
 * Of each meter and size, whose they are: the time, what tells it apart, how many events, sum, greatest, last with its time and name; and
 * whether its key is right.
 */
export const rollups = async (scene: Scene, condition = "true"): Promise<string[]> =>
  (
    await scene.see(
      `select ${whose("r")} || ' ' || r.meter || ', by the ' || r.size || ': ' || string_agg(
                concat_ws(' ', ${place("r.started_at")}, nullif(r.dimensions, '{}')::text, r.unique_value, r.events || 'x', trim_scale(r.sum),
                          'max ' || trim_scale(r.max), 'last ' || trim_scale(r.last) || ' at ' || ${place("r.last_at")} || ' of ' || r.last_name,
                          case when r.key <> sha256(convert_to(jsonb_build_array(r.dimensions, r.unique_value)::text, 'UTF8')) then 'under another key' end),
                '; ' order by r.started_at, r.dimensions, r.unique_value collate "C")
         from usage_rollups r where ${condition} group by r.organization_id, r.meter, r.size order by r.organization_id, r.meter, r.size`,
    )
  ).flat() as string[];

/** What some work leaves of the counters as it was, and what it writes anew. */
export async function touched(scene: Scene, work: () => Promise<unknown>): Promise<string[]> {
  await scene.see(
    "create temporary table counted_before on commit drop as select ctid as place, id from usage_counters",
  );
  await work();
  const found = await counters(
    scene,
    "not exists (select from counted_before b where b.id = c.id and b.place = c.ctid)",
  );
  await scene.see("drop table counted_before");
  return found;
}

export const eu = { dimensions: { region: "eu" } };

/** Of each kind, of two periods, of two quarters of one day, and of two days. */
export const first: Told[] = [
  ["a", "sum", "-1 11:00", "1.5", { ...eu, subject: "s" }],
  ["b", "sum", "-1 11:14:59.999", "2", eu],
  ["c", "sum", "-1 11:15", "4", { dimensions: { tier: "1", region: "us" } }],
  ["d", "sum", "-20 23:59:59.999", "8"],
  ["e", "sum2", "-1 11:00", "16"],
  ["f", "count", "-1 11:00", null, eu],
  ["g", "count", "-1 11:01"],
  ["h", "count", "-1 11:02"],
  ["i", "max", "-1 11:00", "3"],
  ["j", "max", "-1 11:05", "10"],
  ["k", "max", "-1 11:06", "9.75"],
  ["l", "last", "-1 11:06", "7"],
  ["m", "last", "-1 11:05", "8"],
  ["n", "unique", "-1 11:00", "ada"],
  ["o", "unique", "-1 11:01", "5", eu],
  ["p", "unique", "-1 11:02", "ada"],
  ["q", "unique2", "-1 11:02", "ada"],
  ["r", "ever", "-20 10:00"],
  ["s", "calendar", null, "1"],
];

/** The same of another organization, with other values. */
export const theirFirst: Told[] = [
  ["a", "sum", "-1 11:00", "100", eu],
  ["d", "sum", "-20 23:59:59.999", "100"],
  ["i", "max", "-1 11:00", "100"],
  ["l", "last", "-1 11:08", "100"],
  ["n", "unique", "-1 11:00", "linus"],
  ["o", "unique", "-1 11:00", "ada"],
];

/** Of some meters. */
export const limits = { sum: "10", count: "2", max: "5", last: "5", unique: "2", sum2: "0" };

/** Different ones that are told of a meter, each in an event of its own. */
export const uniques = (meter: string, time: string, ...values: string[]): Told[] =>
  values.map((value, n) => [`${meter} ${time} ${value} ${n}`, meter, time, value]);

/** Room that is kept: 1 of what is summed, this month; what has expired, and is of another meter, month or organization, is nothing to it. */
export const reserve = (scene: Scene) =>
  scene.see(
    `insert into usage_reservations (organization_id, id, meter, value, created_at, expires_at)
     values ('${mine}', '${id(9901)}', 'sum', 1.50, ${at("-1 11:00")}, now() + interval '1 hour'),
            ('${mine}', '${id(9902)}', 'sum', 9, ${at("-1 11:00")}, now() - interval '1 hour'),
            ('${mine}', '${id(9903)}', 'sum2', 9, ${at("-1 11:00")}, now() + interval '1 hour'),
            ('${mine}', '${id(9904)}', 'sum', 9, ${at("-1 10:00")}, now() + interval '1 hour'),
            ('${theirs}', '${id(9905)}', 'sum', 9, ${at("-1 11:00")}, now() + interval '1 hour')`,
  );
