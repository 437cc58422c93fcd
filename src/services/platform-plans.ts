import { sql } from "drizzle-orm";
import type { PlatformDatabase } from "../db/index.ts";
import { bodyOf } from "../db/json.ts";
import { type Page, type PageInput, readCursor, toPage } from "./paging.ts";
import type { Plan, PlanFeature, Price } from "./plans.ts";

/** A version of a plan, as the platform's administrators see it. */
export interface PlatformPlan extends Plan {
  /** Whether anybody sees it. */
  isPublic: boolean;
  /** Of the list. */
  position: number;
  /** Who says what it is: src/plans.ts, or the administrators. */
  managedBy: "file" | "platform";
  createdAt: string;
  /** Since when it is no longer sold; null while it is. */
  archivedAt: string | null;
}

/** How a plan is shown, which can be changed. */
export type PlanAppearance = Pick<PlatformPlan, "name" | "description" | "isPublic" | "position">;

/** What a plan is: its terms are for good. */
export interface NewPlan extends PlanAppearance, Pick<PlatformPlan, "key" | "trialDays"> {
  prices: Omit<Price, "id">[];
  features: (PlanFeature extends infer F ? (F extends PlanFeature ? Omit<F, "name" | "unit"> : never) : never)[];
}

/** All versions of all plans, or of one, the newest first. */
export async function listPlatformPlans(
  database: PlatformDatabase,
  { key, limit, cursor }: PageInput & { key?: string | undefined },
): Promise<Page<PlatformPlan>> {
  const [{ rows }] = await database.run((queries) => [
    queries.execute<{ plan: PlatformPlan }>(
      sql`select plan from app.platform_plans(${key ?? null}, ${readCursor(cursor)}::uuid, ${limit + 1}::int)`,
    ),
  ]);
  return toPage(
    rows.map(({ plan }) => plan),
    limit,
    ({ id }) => id,
  );
}

/**
 * Adds a plan, or another version of the one with its key, which is no longer sold then.
 *
 * @throws AppError `plan_managed_by_file`, `unknown_feature`.
 */
export const createPlan = (database: PlatformDatabase, plan: NewPlan): Promise<PlatformPlan> =>
  database.create(sql`select app.create_plan(${JSON.stringify(plan)}::jsonb) as body`);

/** Shows a plan otherwise. @throws AppError `not_found`, `plan_managed_by_file`. */
export async function updatePlan(
  database: PlatformDatabase,
  id: string,
  changes: { [Name in keyof PlanAppearance]?: PlanAppearance[Name] | undefined },
): Promise<PlatformPlan> {
  const [updated] = await database.run((queries) => [
    queries.execute<{ body: PlatformPlan }>(
      sql`select app.update_plan(${id}::uuid, ${JSON.stringify(changes)}::jsonb) as body`,
    ),
  ]);
  return bodyOf(updated);
}

/** Sells a plan no longer. One that is archived stays so. @throws AppError `not_found`, `plan_managed_by_file`. */
export async function archivePlan(database: PlatformDatabase, id: string): Promise<PlatformPlan> {
  const [archived] = await database.run((queries) => [
    queries.execute<{ body: PlatformPlan }>(sql`select app.archive_plan(${id}::uuid) as body`),
  ]);
  return bodyOf(archived);
}
