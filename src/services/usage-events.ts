import { sql } from "drizzle-orm";
import type { TenantDatabase } from "../db/index.ts";
import type { ErrorCode } from "../errors.ts";
import { instantOf } from "./instants.ts";
import { type Refusal, refusalsJson } from "./refusals.ts";
import type { Usage } from "./usage.ts";

/** What was used, once (CloudEvents 1.0): `source` and `id` together name it. */
export interface UsageEvent {
  source: string;
  id: string;
  /** Its meter's key. */
  type: string;
  /** ISO 8601; now, where it does not say. */
  time?: string | undefined;
  subject?: string | undefined;
  data?:
    | {
        /** A decimal number; of a meter that counts different ones any text; of one that counts events none. */
        value?: string | number | undefined;
        dimensions?: Record<string, string> | undefined;
      }
    | undefined;
}

/** Why an event is not recorded, by what the database says. */
const refusals = {
  APMET: "unknown_meter",
  APENT: "entitlement_required",
  APVAL: "value_refused",
  APDIM: "unknown_dimension",
  APFUT: "event_in_future",
  APOLD: "event_too_old",
  APDUP: "event_id_reused",
  APQUO: "quota_exceeded",
} as const satisfies Record<string, ErrorCode>;

export const refusalCodes = Object.values(refusals);

/** What became of one event: 201, or 200 where it was told before, or why it is not recorded. */
export type UsageResult = { source: string; id: string } & (
  | { status: 201 | 200 }
  | Refusal<(typeof refusals)[keyof typeof refusals]>
);

/**
 * Records events in their order, each once, whatever becomes of the others. Of a meter with a limit none counts after the first for
 * which there is no room in the period.
 *
 * @param events 1 to 1,000.
 * @returns a result for each, in their order, and how much was used of their meters.
 */
export function recordUsage(
  database: TenantDatabase,
  events: UsageEvent[],
): Promise<{ results: UsageResult[]; usage: Usage[] }> {
  const told = events.map(({ source, id, type, time, subject, data }) => ({
    source,
    id,
    type,
    time: time === undefined ? null : instantOf(time),
    subject: subject ?? null,
    value: data?.value?.toString() ?? null,
    dimensions: data?.dimensions ?? {},
  }));
  return database.create(
    sql`select app.record_usage(${JSON.stringify(told)}::jsonb, ${refusalsJson(refusals)}::jsonb) as body`,
    207,
  );
}
