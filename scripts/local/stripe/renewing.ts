import type { PlannedLine } from "./account-state.ts";
import type { Account } from "./account.ts";
import { draftInvoice, type InvoicePlan } from "./billing.ts";
import { addIntervals, nextBoundary } from "./calendar.ts";
import { takePlannedLines } from "./changing.ts";
import { endSubscription } from "./ending.ts";
import type { Invoice, Subscription } from "./objects.ts";
import { attemptPayment, finalizeInvoice } from "./payments.ts";
import { fullLine, periodOf, setPeriod, subscriptionInterval } from "./subscription-items.ts";

/** What happens at the end of a period, or before: the end, where that was wished for, or the next period with its invoice. */
export function turnPeriod(account: Account, subscription: Subscription): void {
  const { cancel_at, cancel_at_period_end } = subscription;
  if (cancel_at_period_end || (cancel_at !== null && cancel_at <= account.now()))
    return endAsWished(account, subscription);
  if (subscription.status === "trialing") return endTrial(account, subscription);
  const before = periodOf(subscription);
  beginPeriod(
    account,
    subscription,
    nextBoundary(subscription.billing_cycle_anchor, subscriptionInterval(subscription), before.end),
  );
  billPeriod(account, subscription, "subscription_cycle", before);
}

/** Ends the trial now, as its day has come or somebody wants it. */
export function endTrial(account: Account, subscription: Subscription): void {
  const now = account.now();
  const before = { start: subscription.trial_start ?? now, end: now };
  const missing = subscription.trial_settings?.end_behavior.missing_payment_method;
  if (!account.card(subscription.customer)) {
    if (missing === "cancel") return endSubscription(account, subscription, "cancellation_requested");
    if (missing === "pause") return pause(account, subscription);
  }
  account.change(subscription, "customer.subscription.updated", (changed) => {
    changed.status = "active";
    changed.trial_end = now;
    changed.billing_cycle_anchor = now;
    setPeriod(changed, { start: now, end: addIntervals(now, subscriptionInterval(changed), 1) });
  });
  billPeriod(account, subscription, "subscription_cycle", before);
}

function pause(account: Account, subscription: Subscription): void {
  account.change(subscription, "customer.subscription.updated", (changed) => {
    changed.status = "paused";
    changed.status_details = {
      paused: {
        subscription: { type: "trial_end_without_payment_method" },
        transitioned_at: account.now(),
        type: "subscription",
      },
    };
  });
  account.emit("customer.subscription.paused", subscription);
}

/** A paused subscription's new beginning: its invoice has to be paid for it to be active. */
export function resumeWithInvoice(account: Account, subscription: Subscription): void {
  const now = account.now();
  account.change(subscription, "customer.subscription.updated", (changed) => {
    changed.billing_cycle_anchor = now;
    setPeriod(changed, { start: now, end: addIntervals(now, subscriptionInterval(changed), 1) });
  });
  billPeriod(account, subscription, "subscription_update", { start: now, end: now }, true);
}

function beginPeriod(account: Account, subscription: Subscription, end: number): void {
  account.change(subscription, "customer.subscription.updated", (changed) => {
    setPeriod(changed, { start: periodOf(changed).end, end });
  });
}

function endAsWished(account: Account, subscription: Subscription): void {
  const lines = subscription.status === "trialing" ? [] : takePlannedLines(account, subscription);
  if (lines.length > 0) {
    billNow(account, subscription, { reason: "subscription_cycle", lines, period: periodOf(subscription) });
  }
  endSubscription(account, subscription, "cancellation_requested");
}

function billPeriod(
  account: Account,
  subscription: Subscription,
  reason: InvoicePlan["reason"],
  period: { start: number; end: number },
  isImmediate = false,
): void {
  const lines: PlannedLine[] = [
    ...takePlannedLines(account, subscription),
    ...subscription.items.data.map((item) => fullLine(account, item)),
  ];
  const { draftSeconds } = account.state.settings;
  // Nobody is charged any more for what is unpaid: its invoices stay drafts.
  if (subscription.status === "unpaid") {
    return void draftFor(account, subscription, { reason, lines, period, autoAdvance: false });
  }
  if (isImmediate || draftSeconds === 0) return void billNow(account, subscription, { reason, lines, period });
  const invoice = draftFor(account, subscription, { reason, lines, period });
  invoice.automatically_finalizes_at = account.now() + draftSeconds;
}

function draftFor(account: Account, subscription: Subscription, plan: InvoicePlan): Invoice {
  const invoice = draftInvoice(account, subscription, plan);
  account.emit("invoice.created", invoice);
  account.change(subscription, "customer.subscription.updated", (changed) => {
    changed.latest_invoice = invoice.id;
  });
  return invoice;
}

/** An invoice that is finalized at once, and charged for unless somebody else is to do that. */
export function billNow(account: Account, subscription: Subscription, plan: InvoicePlan, isCharged = true): Invoice {
  const invoice = draftFor(account, subscription, plan);
  finalizeInvoice(account, invoice);
  if (isCharged) attemptPayment(account, invoice);
  return invoice;
}
