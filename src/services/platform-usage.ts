import { sql } from "drizzle-orm";
import type { PlatformDatabase } from "../db/index.ts";
import type { ErrorCode } from "../errors.ts";
import { type Refusal, refusalsJson } from "./refusals.ts";
import type { Usage } from "./usage.ts";

/** By what an event counts from now on: another value, or null for nothing. */
export interface UsageCorrection {
  source: string;
  id: string;
  value: string | null;
}

/** Why an event is not corrected, by what the database says. */
const refusals = { AP404: "not_found", APVAL: "value_refused" } as const satisfies Record<string, ErrorCode>;

export const refusalCodes = Object.values(refusals);

export type CorrectionResult = { source: string; id: string } & (
  | { status: 200 }
  | Refusal<(typeof refusals)[keyof typeof refusals]>
);

/**
 * Lets events of an organization count otherwise, whatever its limits are; what was told of them stays as it is.
 *
 * @param corrections 1 to 1,000.
 * @returns a result for each, in their order, and how much was used of their meters in the present period.
 * @throws AppError `not_found`.
 */
export function correctUsage(
  database: PlatformDatabase,
  organizationId: string,
  corrections: UsageCorrection[],
  reason: string,
): Promise<{ results: CorrectionResult[]; usage: Usage[] }> {
  return database.create(
    sql`select app.correct_usage(${organizationId}::uuid, ${JSON.stringify(corrections)}::jsonb, ${reason}, ${refusalsJson(refusals)}::jsonb) as body`,
    207,
  );
}
