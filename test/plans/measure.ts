import { neonConfig } from "@neondatabase/serverless";
import { asOwner, asWorker } from "../support/database.ts";
import type { DatabaseRequest } from "../support/service.ts";
import type { PlanNode } from "./plan-tree.ts";

/** What a request did in its transaction, inside of functions and foreign keys too. */
export interface Work {
  /** Table rows of sequential scans and entries of index scans, by table. */
  read: Record<string, number>;
  changed: number;
  sequentialScans: string[];
  /** Calls of functions in app and app_private. */
  calls: Record<string, number>;
}

export interface Measurement {
  first: Work;
  /** Of the sixth repetition, when Postgres may have settled on one plan for all parameters. */
  last: Work;
  plans: PlanNode[];
}

// Since when these count is not this transaction's beginning, so only differences mean something.
const counters = `select json_build_object(
  'tables', (select json_agg(json_build_array(c.oid::regclass::text,
       pg_stat_get_xact_tuples_returned(c.oid) + (select sum(pg_stat_get_xact_tuples_returned(i.indexrelid)) from pg_index i where i.indrelid = c.oid),
       pg_stat_get_xact_tuples_updated(c.oid) + pg_stat_get_xact_tuples_deleted(c.oid) + pg_stat_get_xact_tuples_inserted(c.oid),
       pg_stat_get_xact_numscans(c.oid)) order by c.oid)
     from pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')),
  'calls', (select json_object_agg(n.nspname || '.' || p.proname, coalesce(pg_stat_get_xact_function_calls(p.oid), 0))
     from pg_proc p join pg_namespace n on n.oid = p.pronamespace where n.nspname in ('app', 'app_private'))) as counted`;

interface Counted {
  tables: [name: string, read: number, changed: number, scans: number][];
  calls: Record<string, number>;
}

function difference(before: Counted, after: Counted): Work {
  const earlier = new Map(before.tables.map(([name, ...counts]) => [name, counts]));
  const tables = after.tables.map(([name, ...counts]) => {
    const [read, changed, scans] = counts.map((count, index) => count - (earlier.get(name)?.[index] ?? 0));
    return { name, read: read ?? 0, changed: changed ?? 0, scans: scans ?? 0 };
  });
  return {
    read: Object.fromEntries(tables.filter(({ read }) => read > 0).map(({ name, read }) => [name, read])),
    changed: tables.reduce((sum, { changed }) => sum + changed, 0),
    sequentialScans: tables.filter(({ scans }) => scans > 0).map(({ name }) => name),
    calls: Object.fromEntries(
      Object.entries(after.calls)
        .map(([name, calls]): [string, number] => [name, calls - (before.calls[name] ?? 0)])
        .filter(([, calls]) => calls > 0),
    ),
  };
}

const repetitions = 6;

/**
 * Runs a recorded request as the Worker's role, repeatedly and then with every plan explained, in a
 * transaction that is rolled back. After a `sabotage`, as the owner who steps down.
 */
export async function measure({ statements }: DatabaseRequest, sabotage: string[] = []): Promise<Measurement> {
  const texts = statements.map(({ query, params }): [string, unknown[]] => [query, params]);
  const [context, ...queries] = texts;
  if (!context) throw new Error("a request without a statement");
  const explained = queries.map(([query, params]): [string, unknown[]] => [
    `explain (analyze, buffers, verbose, format json) ${query}`,
    params,
  ]);
  const once: [string, unknown[]?][] = [["savepoint start"], [counters], ...texts, [counters], ["rollback to start"]];
  // It is done seven times in one request, which may take longer than the Worker waits for one of them.
  neonConfig.fetchFunction = fetch;
  const results = await (sabotage.length > 0 ? asOwner : asWorker)(
    ...sabotage.map((text): [string] => [text]),
    ...Array.from({ length: repetitions }, () => once).flat(),
    context,
    ...explained,
    ["rollback"],
  );
  const runs = results.slice(sabotage.length);
  const work = (repetition: number): Work => {
    const run = runs.slice(repetition * once.length, (repetition + 1) * once.length);
    return difference(run[1]?.[0]?.["counted"], run.at(-2)?.[0]?.["counted"]);
  };
  const plans = runs
    .slice(repetitions * once.length + 1, -1)
    .map((rows) => rows[0]?.["QUERY PLAN"][0].Plan as PlanNode);
  return { first: work(0), last: work(repetitions - 1), plans };
}
