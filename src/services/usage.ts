import { sql } from "drizzle-orm";
import type { TenantDatabase } from "../db/index.ts";
import { bodyOf } from "../db/json.ts";
import { instantOf } from "./instants.ts";

/** How much of a meter was used in the period, as decimal numbers. */
export interface Usage {
  meter: string;
  name: string;
  unit: string;
  aggregation: "sum" | "count" | "max" | "last" | "unique";
  used: string;
  /** Of what is about to be used. */
  reserved: string;
  /** Null for any. */
  limit: string | null;
  remaining: string | null;
  per: "day" | "month" | "year" | "lifetime";
  /** Of the period; null where nothing is counted anew. */
  startedAt: string | null;
  resetsAt: string | null;
}

/** Whether there is room for more. */
export interface UsageCheck extends Usage {
  allowed: boolean;
}

export const usageWindows = ["hour", "day", "month"] as const;

export interface WindowInput {
  /** ISO 8601; where it is missing, there are 30 windows. */
  from?: string | undefined;
  /** Now, where it is missing. */
  to?: string | undefined;
  window: (typeof usageWindows)[number];
  /** Dimensions of the meter. */
  groupBy: string[];
  /** By whose calendar, as IANA names it. */
  timezone: string;
}

/** What a meter came to, in windows one after another. */
export interface UsageSeries extends Pick<Usage, "meter" | "name" | "unit" | "aggregation"> {
  data: {
    startedAt: string;
    endsAt: string;
    /** Those that were asked for; null of what was told without. */
    dimensions: Record<string, string | null>;
    /** Null where nothing was told, of a meter that takes the greatest or the last. */
    value: string | null;
  }[];
}

/** Of each meter that the plan has, in the plan's order. */
export async function readUsage(database: TenantDatabase): Promise<Usage[]> {
  const [answer] = await database.run((queries) => [
    queries.execute<{ body: Usage[] }>(sql`select app.usage() as body`),
  ]);
  return bodyOf(answer);
}

/**
 * Whether the plan has room in the present period for so much more of a meter; of one that takes the greatest or the last, whether
 * that may be it. It takes nothing: whoever uses it then may be too late.
 *
 * @throws AppError `not_found`; `entitlement_required`; `value_refused`.
 */
export async function checkUsage(database: TenantDatabase, meter: string, value = "1"): Promise<UsageCheck> {
  const [answer] = await database.run((queries) => [
    queries.execute<{ body: UsageCheck }>(sql`select app.check_usage(${meter}, ${value}) as body`),
  ]);
  return bodyOf(answer);
}

/**
 * What a meter came to in each window from that of `from` on, until the one in which `to` comes or which ends with it; with
 * `groupBy` in those alone in which something was told.
 *
 * @throws AppError `not_found`; `unknown_dimension`; `too_many_windows`.
 */
export async function readUsageSeries(
  database: TenantDatabase,
  meter: string,
  { from, to, window, groupBy, timezone }: WindowInput,
): Promise<UsageSeries> {
  const until = instantOf(to ?? Date.now());
  const since = from === undefined ? null : instantOf(from);
  const [answer] = await database.run((queries) => [
    queries.execute<{ body: UsageSeries }>(
      sql`select app.usage_windows(${meter}, ${since}::timestamptz, ${until}::timestamptz, ${window}, ${JSON.stringify(groupBy)}::jsonb, ${timezone}) as body`,
    ),
  ]);
  return bodyOf(answer);
}
