import { sql } from "drizzle-orm";
import { v7 as uuidv7 } from "uuid";
import type { SystemDatabase, TenantDatabase } from "../db/index.ts";
import { bodyOf } from "../db/json.ts";
import type { Plan, PlanFeature, Price } from "./plans.ts";

/** What a version of a plan is known by. */
export type PlanLabel = Pick<Plan, "id" | "key" | "version" | "name">;

/** What an organization has agreed to pay for: `free`, and null of all that it has not, where that is nothing. */
export interface Subscription {
  id: string | null;
  /** `free`, or as Stripe names it. */
  status: "free" | "incomplete" | "trialing" | "active" | "past_due" | "unpaid";
  /** That it pays for, or the default one. */
  plan: PlanLabel;
  price: Price | null;
  /** Of the next period, where it is to be another one. */
  scheduledPriceId: string | null;
  provider: "manual" | null;
  /** Seats, or 1. */
  quantity: number | null;
  trialEndsAt: string | null;
  currentPeriodStart: string | null;
  currentPeriodEnd: string | null;
  /** Until when what is past due is had all the same. */
  graceEndsAt: string | null;
  cancelAtPeriodEnd: boolean;
  canceledAt: string | null;
  createdAt: string | null;
  /** Whether it never had a trial. */
  isTrialAvailable: boolean;
}

/** What an organization has now. */
export interface Entitlements {
  plan: PlanLabel;
  data: PlanFeature[];
}

/** As many as one transaction of the Cron Trigger moves, and how many of those there are at most. */
const BATCH = 100;
const MAX_BATCHES = 50;

async function read<T>(database: TenantDatabase, body: ReturnType<typeof sql>): Promise<T> {
  const [answer] = await database.run((queries) => [queries.execute<{ body: T }>(sql`select ${body} as body`)]);
  return bodyOf(answer);
}

export const readSubscription = (database: TenantDatabase): Promise<Subscription> =>
  read(database, sql`app.subscription()`);

/** As the database enforces them at this moment. */
export const readEntitlements = (database: TenantDatabase): Promise<Entitlements> =>
  read(database, sql`app.entitlements()`);

/**
 * Subscribes to a price: on trial, where its plan has one and the organization never had any; else `incomplete`, with an
 * invoice, until that is paid.
 *
 * @throws AppError `price_not_sold`; `subscription_exists`.
 */
export const startSubscription = (database: TenantDatabase, priceId: string): Promise<Subscription> =>
  database.create(sql`select app.start_subscription(${uuidv7()}::uuid, ${priceId}::uuid) as body`);

/**
 * Moves it to another price: where that costs more for the rest of the period, once that is paid; at once on trial, to a plan
 * with a trial; else with the next period. For the present price it stays, whatever was to come.
 *
 * @throws AppError `no_subscription`; `subscription_not_active`; `price_not_sold`; `currency_mismatch`; `plan_too_small`.
 */
export const changeSubscription = (database: TenantDatabase, priceId: string): Promise<Subscription> =>
  read(database, sql`app.change_subscription(${priceId}::uuid)`);

/** With the period that is on trial or paid for, or else at once. @throws AppError `no_subscription`. */
export const cancelSubscription = (database: TenantDatabase): Promise<Subscription> =>
  read(database, sql`app.cancel_subscription()`);

/** Takes that back. @throws AppError `no_subscription`; `subscription_not_canceled`, also once the period has ended. */
export const resumeSubscription = (database: TenantDatabase): Promise<Subscription> =>
  read(database, sql`app.resume_subscription()`);

/** Moves those whose trial, period, grace or wait has ended. Returns how many. */
export async function advanceSubscriptions(database: SystemDatabase): Promise<number> {
  let total = 0;
  for (let batch = 0; batch < MAX_BATCHES; batch++) {
    const [{ rows }] = await database.run((queries) => [
      queries.execute<{ moved: number }>(sql`select app.advance_subscriptions(${BATCH}::int) as moved`),
    ]);
    const moved = rows[0]?.moved ?? 0;
    total += moved;
    if (moved < BATCH) break;
  }
  return total;
}
