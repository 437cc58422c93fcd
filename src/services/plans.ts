import { sql } from "drizzle-orm";
import type { SystemDatabase } from "../db/index.ts";

/** What a plan costs, once each interval or for each seat. */
export interface Price {
  id: string;
  /** ISO 4217, in small letters. */
  currency: string;
  interval: "month" | "year";
  /** In the currency's smallest unit. */
  unitAmount: number;
  perSeat: boolean;
}

/** What a plan has of a feature. */
export type PlanFeature = { key: string; name: string } & (
  | { kind: "boolean" }
  /** Null for any number. */
  | { kind: "number"; limit: number | null }
  /** A decimal number of the unit in each period, or null for any. */
  | { kind: "metered"; limit: string | null; per: "day" | "month" | "year" | "lifetime"; unit: string | null }
);

/** One version of what is sold under a key. */
export interface Plan {
  id: string;
  key: string;
  version: number;
  name: string;
  description: string;
  /** 0 for none. */
  trialDays: number;
  /** Whether organizations have it without a subscription. */
  isDefault: boolean;
  prices: Price[];
  features: PlanFeature[];
}

/** All that are sold to everybody, in the order in which they are shown. */
export async function listPlans(database: SystemDatabase): Promise<Plan[]> {
  const [{ rows }] = await database.run((queries) => [
    queries.execute<{ plans: Plan[] }>(sql`select app.public_plans() as plans`),
  ]);
  return rows[0]?.plans ?? [];
}
