import { sql } from "drizzle-orm";
import { v7 as uuidv7 } from "uuid";
import type { SystemDatabase, TenantDatabase } from "../db/index.ts";
import { bodyOf } from "../db/json.ts";
import type { Settings } from "../env.ts";
import type { Plan, PlanFeature, Price } from "./plans.ts";
import type { CancelRequest, ChangeRequest, StripeRequest } from "./stripe/changes.ts";
import type { CheckoutRequest } from "./stripe/checkouts.ts";

/** What a version of a plan is known by. */
export type PlanLabel = Pick<Plan, "id" | "key" | "version" | "name">;

/** What an organization has agreed to pay for: `free`, and null of all that it has not, where that is nothing. */
export interface Subscription {
  id: string | null;
  /** `free`, or as Stripe names it. */
  status: "free" | "incomplete" | "trialing" | "active" | "past_due" | "unpaid" | "paused";
  /** That it pays for, or the default one. */
  plan: PlanLabel;
  price: Price | null;
  /** Of the next period, where it is to be another one. */
  scheduledPriceId: string | null;
  provider: "manual" | "stripe" | null;
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
  /** Where it can be begun by paying. */
  checkoutUrl: string | null;
  /** Whether it never had a trial. */
  isTrialAvailable: boolean;
}

/** What an organization has now: how many it uses where they are limited, and when what is metered is counted anew, if ever. */
export interface Entitlements {
  plan: PlanLabel;
  data: (
    | Extract<PlanFeature, { kind: "boolean" }>
    | (Extract<PlanFeature, { kind: "number" }> & { used: number | null })
    | (Extract<PlanFeature, { kind: "metered" }> & { resetsAt: string | null })
  )[];
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

/** What a function of the fence does by itself, or else what is to be asked of Stripe. */
type Outcome<T> = Subscription | { stripe: T };

/** Not with the Worker's start: most requests have nothing to do with Stripe. */
const loadStripe = {
  checkouts: () => import("./stripe/checkouts.ts"),
  changes: () => import("./stripe/changes.ts"),
  customers: () => import("./stripe/customers.ts"),
  events: () => import("./stripe/events.ts"),
};

/**
 * Subscribes to a price: on trial, where its plan has one and the organization never had any; else `incomplete`, with an
 * invoice, until that is paid. With Stripe it begins on the page at `checkoutUrl`, which is the same for the same price.
 *
 * @throws AppError `price_not_sold`; `subscription_exists`; `checkout_superseded`; `unavailable`; `misconfigured`.
 */
export async function startSubscription(
  database: TenantDatabase,
  settings: Settings,
  priceId: string,
): Promise<Subscription> {
  const start = (provider: "manual" | "stripe") =>
    sql`select app.start_subscription(${uuidv7()}::uuid, ${priceId}::uuid, ${provider}) as body`;
  if (settings.BILLING_PROVIDER === "manual") return database.create(start("manual"));
  const begun = await database.begin<Outcome<CheckoutRequest>>(start("stripe"));
  if (!("stripe" in begun)) return begun;
  return (await loadStripe.checkouts()).openCheckout(database, settings, begun.stripe);
}

/**
 * Moves it to another price: where that costs more for the rest of the period, once that is paid; at once on trial, to a plan
 * with a trial; else with the next period. For the present price it stays, whatever was to come.
 *
 * @throws AppError `no_subscription`; `subscription_not_active`; `price_not_sold`; `currency_mismatch`; `plan_too_small`;
 *   `stripe_off`; `unavailable`; `misconfigured`.
 */
export async function changeSubscription(
  database: TenantDatabase,
  settings: Settings,
  priceId: string,
): Promise<Subscription> {
  const outcome = await read<Outcome<ChangeRequest>>(database, sql`app.change_subscription(${priceId}::uuid)`);
  if (!("stripe" in outcome)) return outcome;
  return (await loadStripe.changes()).changePrice(database, settings, outcome.stripe);
}

/**
 * With the period that is on trial or paid for, or else at once.
 *
 * @throws AppError `no_subscription`; `subscription_not_active`; `stripe_off`; `unavailable`; `misconfigured`.
 */
export async function cancelSubscription(database: TenantDatabase, settings: Settings): Promise<Subscription> {
  const outcome = await read<Outcome<CancelRequest>>(database, sql`app.cancel_subscription()`);
  if (!("stripe" in outcome)) return outcome;
  return (await loadStripe.changes()).cancelAtStripe(database, settings, outcome.stripe);
}

/**
 * Takes that back.
 *
 * @throws AppError `no_subscription`; `subscription_not_canceled`, also once the period has ended; the others as above.
 */
export async function resumeSubscription(database: TenantDatabase, settings: Settings): Promise<Subscription> {
  const outcome = await read<Outcome<StripeRequest>>(database, sql`app.resume_subscription()`);
  if (!("stripe" in outcome)) return outcome;
  return (await loadStripe.changes()).resumeAtStripe(database, settings, outcome.stripe);
}

/** As Stripe has it at this moment, whatever it has told. @throws AppError `stripe_off`; `unavailable`; `misconfigured`. */
export async function refreshSubscription(database: TenantDatabase, settings: Settings): Promise<Subscription> {
  return (await loadStripe.changes()).refreshAtStripe(database, settings);
}

/** A page of Stripe's for whoever pays. @throws AppError `no_subscription` without a customer; `stripe_off`; `unavailable`. */
export async function openPortal(database: TenantDatabase, settings: Settings): Promise<{ url: string }> {
  const customerId = await read<string>(database, sql`app.stripe_customer()`);
  return (await loadStripe.changes()).openPortal(settings, customerId);
}

/** @throws AppError `invalid_signature`; `unavailable`; `stripe_off`. */
export async function receiveStripeEvent(
  database: SystemDatabase,
  settings: Settings,
  payload: string,
  signature: string,
): Promise<void> {
  await (await loadStripe.events()).receiveEvent(database, settings, payload, signature);
}

/** Customers of Stripe's that a minute's Cron Trigger looks at: each asks Stripe twice at least, and the database once. */
const DUE_CUSTOMERS = 10;

/** Looks at customers that are due: of whom Stripe has not told for a day, or is to be told. */
export async function followStripe(database: SystemDatabase, settings: Settings): Promise<void> {
  if (!settings.STRIPE_SECRET_KEY) return;
  await (await loadStripe.customers()).syncDueCustomers(database, settings, DUE_CUSTOMERS);
}

/** Asks Stripe what it could not tell. */
export async function findUndeliveredEvents(database: SystemDatabase, settings: Settings): Promise<void> {
  if (!settings.STRIPE_SECRET_KEY) return;
  await (await loadStripe.events()).findUndelivered(database, settings);
}

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
