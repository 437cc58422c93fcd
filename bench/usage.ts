/* How fast usage is recorded, and whether what is read of it takes longer the more there is: npm run bench:usage -- [events]
   Real Postgres, the Worker's own services, and Neon's driver over HTTP; without workerd. Prints medians. */
import { createHash, randomUUID } from "node:crypto";
import { Client } from "pg";
import { bringUpToDate, setWorkerPassword } from "../scripts/db/steps.ts";
import { startNeonEndpoint } from "../scripts/local/neon-endpoint.ts";
import { createNeonLikeDatabase } from "../scripts/local/neon-like-database.ts";
import { startPostgres } from "../scripts/local/postgres.ts";
import { openTenantDatabase, type TenantDatabase } from "../src/db/index.ts";
import { checkUsage, readUsage, readUsageSeries } from "../src/services/usage.ts";
import { recordUsage } from "../src/services/usage-events.ts";

/** Events of one organization, told in the last 30 days. */
const stored = (process.argv[2] ?? "1000,1000000,10000000").split(",").map(Number);
const writers = 16;
const seconds = 10;

/** What is asked of an organization in which so much was told. */
const reads: Record<string, (database: TenantDatabase) => Promise<unknown>> = {
  "quota check": (database) => checkUsage(database, "api-requests", "1"),
  "usage of all meters": readUsage,
  "30 days by the hour": (database) =>
    readUsageSeries(database, "api-requests", {
      from: new Date(Date.now() - 30 * 86_400_000).toISOString(),
      window: "hour",
      groupBy: [],
      timezone: "UTC",
    }),
};

const postgres = await startPostgres({ settings: { max_wal_size: "8GB", shared_buffers: "1GB" } });
const { ownerUrl } = await createNeonLikeDatabase(postgres);
await bringUpToDate(ownerUrl);
const password = postgres.passwordOf("app_user");
await setWorkerPassword(ownerUrl, password);
const endpoint = await startNeonEndpoint({ postgres: { host: "127.0.0.1", port: postgres.port } });
const url = `postgresql://app_user:${password}@localhost:${endpoint.port}/app`;
const superuser = new Client({ connectionString: postgres.url("postgres", "app") });
await superuser.connect();
// As from a file: what is measured is not how fast it is filled.
await superuser.query("set session_replication_role = replica; set maintenance_work_mem = '1GB'");

try {
  await superuser.query("update plan_features set \"limit\" = null where kind = 'metered'");
  const [one, ...thousand] = await Promise.all(Array.from({ length: 1001 }, () => newOrganization()));
  if (!one) throw new Error("no organization");
  print("events a second, in batches of 100");
  print(`  of one organization: ${await rate(() => one)}`);
  let next = 0;
  print(`  of 1,000 organizations: ${await rate(() => thousand[next++ % 1000] ?? one)}`);
  print("median milliseconds, by how many events are stored");
  const first: Record<string, number> = {};
  for (const count of stored) {
    const id = await newOrganization();
    await fill(id, count);
    for (const [name, read] of Object.entries(reads)) {
      const milliseconds = await median(() => read(open(id)));
      first[name] ??= milliseconds;
      const ratio = milliseconds / first[name];
      print(`  ${name}, ${count} events: ${milliseconds.toFixed(2)} (ratio ${ratio.toFixed(2)})`);
    }
  }
} finally {
  await superuser.end();
  await endpoint.close();
  await postgres.stop();
}

/** An owner's session in an organization of its own; both have the same id. */
async function newOrganization(): Promise<string> {
  const id = randomUUID();
  await superuser.query(
    `with person as (insert into users (id, email, name) values ($1::uuid, $1::text || '@bench.example', 'Bench')),
          organization as (insert into organizations (id, name, slug, created_at) values ($1::uuid, 'Bench', $1::text, now() - interval '400 days')),
          member as (insert into memberships (organization_id, user_id, joined_by) values ($1::uuid, $1::uuid, 'creation')),
          role as (insert into membership_roles (organization_id, user_id, role) values ($1::uuid, $1::uuid, 'owner'))
     insert into sessions (id, user_id, handle_hash, idle_expires_at, expires_at)
     values (gen_random_uuid(), $1::uuid, sha256($2::bytea), now() + interval '1 day', now() + interval '1 day')`,
    [id, handleOf(id)],
  );
  return id;
}

function handleOf(id: string): string {
  return `\\x${createHash("sha256").update(id).digest("hex")}`;
}

function open(id: string, readOnly = true): TenantDatabase {
  const options = { url, origin: null, readOnly, meter: { requests: 0, milliseconds: 0 }, messages: [] };
  const rules = { verified: false, fresh: false, pending: false, feature: null };
  return openTenantDatabase(options, handleOf(id), id, readOnly ? "usage:read" : "usage:write", rules);
}

/** As many as that of the last 30 days, with what they come to. */
async function fill(id: string, count: number): Promise<void> {
  await superuser.query(
    `insert into usage_events (organization_id, source, source_id, meter, occurred_at, value, dimensions, digest)
     select $1, '/bench', n::text, 'api-requests', now() - n * interval '30 days' / $2, 1, '{}', '' from generate_series(1, $2::int) n`,
    [id, count],
  );
  await superuser.query(
    `insert into usage_rollups (organization_id, meter, size, started_at, key, dimensions, events, sum, max, last, last_at, last_name)
     select organization_id, meter, b.size, b.started_at, app_private.rollup_key('{}', null), '{}', count(*), sum(value), 1, 1, max(occurred_at), ''
       from usage_events, lateral (values ('quarter', app_private.quarter_of(occurred_at)), ('day', date_trunc('day', occurred_at, 'UTC'))) b (size, started_at)
      where organization_id = $1 group by 1, 2, 3, 4`,
    [id],
  );
  await superuser.query("analyze usage_events");
  await superuser.query("analyze usage_rollups");
  // Begins the counter.
  await recordUsage(open(id, false), [event()]);
}

function event() {
  return { source: "/bench", id: randomUUID(), type: "api-requests", data: { value: "1" } };
}

async function median(work: () => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < 120; i++) {
    const begun = performance.now();
    await work();
    // The first few make connections and plans.
    if (i >= 20) times.push(performance.now() - begun);
  }
  return times.toSorted((a, b) => a - b)[times.length / 2] ?? Number.NaN;
}

/** Events a second, of so many writers at once. */
async function rate(pick: () => string): Promise<string> {
  let recorded = 0;
  const until = performance.now() + seconds * 1000;
  await Promise.all(
    Array.from({ length: writers }, async () => {
      while (performance.now() < until) {
        const { results } = await recordUsage(open(pick(), false), Array.from({ length: 100 }, event));
        recorded += results.filter(({ status }) => status === 201).length;
      }
    }),
  );
  return Math.round(recorded / seconds).toLocaleString("en");
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
