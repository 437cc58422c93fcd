import type { Stripe } from "stripe";

import type { Account } from "./account.ts";
import { applyChange, planChange, type ProrationBehavior } from "./changing.ts";
import { endSubscription } from "./ending.ts";
import { newId } from "./ids.ts";
import type { Subscription, SubscriptionItem, SubscriptionSchedule } from "./objects.ts";
import { billNow } from "./renewing.ts";
import { newItem, periodOf, planOf } from "./subscription-items.ts";

/** Goes on to the phase that begins now, or lets the subscription go when there is none. */
export function turnPhase(account: Account, schedule: SubscriptionSchedule): void {
  const subscription = account.state.subscriptions.get(schedule.subscription ?? "");
  if (!subscription) return;
  const phase = schedule.phases.find(
    ({ start_date, end_date }) => start_date <= account.now() && account.now() < end_date,
  );
  if (!phase) return endPhases(account, schedule, subscription);
  account.change(schedule, "subscription_schedule.updated", (changed) => {
    changed.current_phase = { start_date: phase.start_date, end_date: phase.end_date };
  });
  enterPhase(account, subscription, phase);
}

function endPhases(account: Account, schedule: SubscriptionSchedule, subscription: Subscription): void {
  if (schedule.end_behavior !== "cancel") return releaseSchedule(account, schedule);
  schedule.status = "completed";
  schedule.completed_at = account.now();
  schedule.current_phase = null;
  subscription.schedule = null;
  account.emit("subscription_schedule.completed", schedule);
  endSubscription(account, subscription, "cancellation_requested");
}

export function releaseSchedule(account: Account, schedule: SubscriptionSchedule): void {
  const subscription = account.state.subscriptions.get(schedule.subscription ?? "");
  schedule.released_subscription = schedule.subscription;
  schedule.subscription = null;
  schedule.status = "released";
  schedule.released_at = account.now();
  schedule.current_phase = null;
  account.emit("subscription_schedule.released", schedule);
  if (!subscription) return;
  account.change(subscription, "customer.subscription.updated", (changed) => {
    changed.schedule = null;
  });
}

export function enterPhase(
  account: Account,
  subscription: Subscription,
  phase: Stripe.SubscriptionSchedule.Phase,
): void {
  const items = itemsOfPhase(account, subscription, phase);
  // At the end of a period the renewal bills the new items in full, so there is nothing to prorate.
  const isAtBoundary = account.now() >= periodOf(subscription).end;
  // Only these three are ever stored.
  const behavior = isAtBoundary ? "none" : (phase.proration_behavior as ProrationBehavior);
  const change = planChange(account, subscription, items, behavior);
  applyChange(account, subscription, change);
  account.change(subscription, "customer.subscription.updated", (changed) => {
    Object.assign(changed.metadata, phase.metadata);
    // What it does not name, the subscription has no longer.
    changed.discounts = changed.discounts.filter((id) => phase.discounts.some(({ discount }) => discount === id));
  });
  if (!change.isBilledNow) return;
  billNow(account, subscription, {
    reason: "subscription_update",
    lines: change.lines,
    period: periodOf(subscription),
  });
}

/** An item with the same price stays the same item; one that is replaced leaves its id to the one that comes. */
function itemsOfPhase(
  account: Account,
  subscription: Subscription,
  phase: Stripe.SubscriptionSchedule.Phase,
): SubscriptionItem[] {
  const before = subscription.items.data;
  const isWanted = ({ price }: SubscriptionItem) => phase.items.some((wanted) => wanted.price === price.id);
  const replaced = before.filter((item) => !isWanted(item));
  return phase.items.map(({ price: id, quantity = 1 }) => {
    // Stored phases hold ids.
    const price = account.find("prices", "price", id as string);
    const kept = before.find((item) => item.price.id === price.id) ?? replaced.shift();
    if (kept) return { ...kept, price, quantity, plan: planOf(price) };
    return newItem(account, { subscription: subscription.id, price, quantity, period: periodOf(subscription) });
  });
}

/** A phase that repeats what the subscription has, for as long as its period. */
export function currentPhase(subscription: Subscription): Stripe.SubscriptionSchedule.Phase {
  const { start, end } = periodOf(subscription);
  const items = subscription.items.data.map(({ price, quantity }) => ({ price: price.id, quantity }));
  return newPhase({
    items,
    start,
    end,
    currency: subscription.currency,
    prorationBehavior: "create_prorations",
    trialEnd: subscription.status === "trialing" ? subscription.trial_end : null,
    discounts: subscription.discounts,
  });
}

export function newPhase(wanted: {
  items: { price: string; quantity: number }[];
  start: number;
  end: number;
  currency: string;
  prorationBehavior: ProrationBehavior;
  trialEnd?: number | null;
  metadata?: Record<string, string>;
  discounts: string[];
}): Stripe.SubscriptionSchedule.Phase {
  return {
    add_invoice_items: [],
    application_fee_percent: null,
    billing_cycle_anchor: null,
    billing_thresholds: null,
    collection_method: null,
    currency: wanted.currency,
    default_payment_method: null,
    default_tax_rates: [],
    description: null,
    discounts: wanted.discounts.map((discount) => ({ coupon: null, discount, promotion_code: null })),
    end_date: wanted.end,
    invoice_settings: null,
    items: wanted.items.map(({ price, quantity }) => ({
      billing_thresholds: null,
      discounts: [],
      metadata: {},
      plan: price,
      price,
      quantity,
      tax_rates: [],
    })),
    metadata: wanted.metadata ?? {},
    on_behalf_of: null,
    proration_behavior: wanted.prorationBehavior,
    start_date: wanted.start,
    transfer_data: null,
    trial_end: wanted.trialEnd ?? null,
  } satisfies Stripe.SubscriptionSchedule.Phase;
}

export function newSchedule(account: Account, subscription: Subscription, metadata: Record<string, string>) {
  const phase = currentPhase(subscription);
  return {
    id: newId("sub_sched_"),
    object: "subscription_schedule",
    application: null,
    billing_mode: subscription.billing_mode,
    canceled_at: null,
    completed_at: null,
    created: account.now(),
    current_phase: { start_date: phase.start_date, end_date: phase.end_date },
    customer: subscription.customer,
    customer_account: null,
    default_settings: {
      application_fee_percent: null,
      billing_cycle_anchor: "automatic",
      billing_thresholds: null,
      collection_method: "charge_automatically",
      default_payment_method: null,
      description: null,
      invoice_settings: {
        account_tax_ids: null,
        custom_fields: null,
        days_until_due: null,
        description: null,
        footer: null,
        issuer: { type: "self" },
      },
      on_behalf_of: null,
      transfer_data: null,
    },
    end_behavior: "release",
    livemode: false,
    metadata,
    pause_schedules: [],
    phases: [phase],
    released_at: null,
    released_subscription: null,
    status: "active",
    subscription: subscription.id,
    test_clock: account.state.clock.id,
  } satisfies SubscriptionSchedule;
}
