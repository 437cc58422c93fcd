import type { Account } from "./account.ts";
import { endSubscription } from "./ending.ts";
import type { Invoice, Subscription } from "./objects.ts";

/** What an invoice's payment, failure or end does to its subscription. */

export function subscriptionOf(account: Account, invoice: Invoice): Subscription | undefined {
  const id = invoice.parent?.subscription_details?.subscription;
  return typeof id === "string" ? account.state.subscriptions.get(id) : undefined;
}

/** Whether failed attempts are followed by others: not at a subscription's beginning, and not for pending updates. */
export function isRetried(account: Account, invoice: Invoice): boolean {
  const subscription = subscriptionOf(account, invoice);
  if (!subscription || isEnded(subscription) || subscription.status === "paused") return false;
  return invoice.billing_reason !== "subscription_create" && !pendingChangeOf(account, invoice);
}

export function isEnded({ status }: Subscription): boolean {
  return status === "canceled" || status === "incomplete_expired";
}

export function standAfterPayment(account: Account, invoice: Invoice): void {
  const subscription = subscriptionOf(account, invoice);
  if (!subscription || isEnded(subscription)) return;
  if (applyPendingChange(account, subscription, invoice)) return;
  // Paying an older invoice leaves the latest one unpaid, which is what the status is about.
  if (invoice.id !== subscription.latest_invoice) return;
  if (subscription.status === "paused") return resume(account, subscription);
  if (!["incomplete", "past_due", "unpaid"].includes(subscription.status)) return;
  account.change(subscription, "customer.subscription.updated", (changed) => {
    changed.status = "active";
  });
}

export function resume(account: Account, subscription: Subscription): void {
  account.change(subscription, "customer.subscription.updated", (changed) => {
    changed.status = "active";
    delete changed.status_details;
  });
  account.emit("customer.subscription.resumed", subscription);
}

/** @param isLast whether no other attempt comes */
export function standAfterFailure(account: Account, invoice: Invoice, isLast: boolean): void {
  const subscription = subscriptionOf(account, invoice);
  if (!subscription || isEnded(subscription) || pendingChangeOf(account, invoice)) return;
  if (["incomplete", "paused", "unpaid"].includes(subscription.status)) return;
  const { afterRetries } = account.state.settings;
  if (isLast && afterRetries === "canceled") return endSubscription(account, subscription, "payment_failed");
  account.change(subscription, "customer.subscription.updated", (changed) => {
    changed.status = isLast ? afterRetries : "past_due";
  });
}

export function standAfterVoid(account: Account, invoice: Invoice): void {
  const subscription = subscriptionOf(account, invoice);
  if (!subscription || isEnded(subscription)) return;
  const change = pendingChangeOf(account, invoice);
  if (change) {
    account.state.pendingChanges.delete(subscription.id);
    account.change(subscription, "customer.subscription.updated", (changed) => {
      changed.pending_update = null;
    });
    return account.emit("customer.subscription.pending_update_expired", subscription);
  }
  if (invoice.id !== subscription.latest_invoice) return;
  account.change(subscription, "customer.subscription.updated", (changed) => {
    if (changed.status === "incomplete") {
      changed.status = "incomplete_expired";
      changed.ended_at = account.now();
    } else if (changed.status === "past_due") changed.status = "active";
  });
}

function pendingChangeOf(account: Account, invoice: Invoice) {
  const subscription = subscriptionOf(account, invoice);
  const change = subscription && account.state.pendingChanges.get(subscription.id);
  return change?.invoice === invoice.id ? change : undefined;
}

function applyPendingChange(account: Account, subscription: Subscription, invoice: Invoice): boolean {
  const change = pendingChangeOf(account, invoice);
  if (!change) return false;
  account.state.pendingChanges.delete(subscription.id);
  account.change(subscription, "customer.subscription.updated", (changed) => {
    changed.items.data = change.items;
    changed.billing_cycle_anchor = change.anchor;
    changed.pending_update = null;
  });
  account.emit("customer.subscription.pending_update_applied", subscription);
  return true;
}
