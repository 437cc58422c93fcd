import type { Account } from "./account.ts";
import type { Subscription, SubscriptionSchedule } from "./objects.ts";

type Reason = "cancellation_requested" | "payment_failed";

/** Lets it end with its period, or go on after all. */
export function setCancelAtPeriodEnd(subscription: Subscription, cancels: boolean, end: number, now: number): void {
  setCancelAt(subscription, cancels ? end : null, now);
  subscription.cancel_at_period_end = cancels;
}

/**
 * Lets it end at a time, or with null go on after all. Stripe credits what is left of the period then, and asks for no more than a
 * part of a later one; here periods are paid as they are.
 */
export function setCancelAt(subscription: Subscription, time: number | null, now: number): void {
  subscription.cancel_at_period_end = false;
  subscription.cancel_at = time;
  subscription.canceled_at = time === null ? null : now;
  if (!subscription.cancellation_details) return;
  subscription.cancellation_details.reason = time === null ? null : "cancellation_requested";
}

/** Ends a subscription now, with its schedule; its open invoices and drafts stay, but nobody is charged for them. */
export function endSubscription(account: Account, subscription: Subscription, reason: Reason): void {
  const now = account.now();
  const schedule = subscription.schedule === null ? undefined : account.state.schedules.get(subscription.schedule);
  if (schedule) endSchedule(account, schedule);
  // Stripe's own name for one that never began.
  subscription.status = subscription.status === "incomplete" ? "incomplete_expired" : "canceled";
  subscription.canceled_at ??= now;
  subscription.ended_at = now;
  subscription.cancel_at_period_end = false;
  subscription.pending_update = null;
  subscription.cancellation_details = {
    comment: null,
    feedback: null,
    feedback_option: null,
    ...subscription.cancellation_details,
    reason,
  };
  account.state.pendingChanges.delete(subscription.id);
  account.state.plannedLines.delete(subscription.id);
  stopCollection(account, subscription);
  account.emit("customer.subscription.deleted", subscription);
}

function endSchedule(account: Account, schedule: SubscriptionSchedule): void {
  schedule.status = "canceled";
  schedule.canceled_at = account.now();
  schedule.current_phase = null;
  account.emit("subscription_schedule.canceled", schedule);
}

function stopCollection(account: Account, { id }: Subscription): void {
  for (const invoice of account.state.invoices.values()) {
    const isUnsettled = invoice.status === "open" || invoice.status === "draft";
    if (!isUnsettled || invoice.parent?.subscription_details?.subscription !== id) continue;
    account.change(invoice, "invoice.updated", (changed) => {
      changed.auto_advance = false;
      changed.next_payment_attempt = null;
      changed.automatically_finalizes_at = null;
    });
  }
}
