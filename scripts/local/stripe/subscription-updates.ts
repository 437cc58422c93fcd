import type { Account } from "./account.ts";
import { applyChange, planChange, takePlannedLines, type PlannedChange, type ProrationBehavior } from "./changing.ts";
import { currentDiscounts } from "./discounts.ts";
import { cardDeclined, invalidRequest } from "./errors.ts";
import { newId } from "./ids.ts";
import { hour, type Subscription, type SubscriptionItem } from "./objects.ts";
import { voidInvoice } from "./payments.ts";
import { billNow } from "./renewing.ts";
import { newItem, periodOf, planOf, usablePrice } from "./subscription-items.ts";
import { computeTotals } from "./totals.ts";

export interface WantedItem {
  id?: string | undefined;
  price?: string | undefined;
  quantity?: number | undefined;
  deleted?: boolean | undefined;
}

export type PaymentBehavior =
  | "allow_incomplete"
  | "default_incomplete"
  | "error_if_incomplete"
  | "pending_if_incomplete";

const pendingSeconds = 23 * hour;

/**
 * Changes what is subscribed to, and bills what that costs now, if it is to be billed now.
 *
 * @throws StripeError 400 for items that cannot be, 402 with `error_if_incomplete` when the card would be declined
 */
export function changeItems(
  account: Account,
  subscription: Subscription,
  wanted: WantedItem[],
  { proration, payment }: { proration: ProrationBehavior; payment: PaymentBehavior },
): void {
  const change = planChange(account, subscription, mergeItems(account, subscription, wanted), proration);
  const isDeclined = change.isBilledNow && !isPayable(account, subscription, change);
  if (isDeclined && payment === "error_if_incomplete") throw cardDeclined();
  giveUpPendingChange(account, subscription);
  if (isDeclined && payment === "pending_if_incomplete") return holdChange(account, subscription, change);
  applyChange(account, subscription, change);
  if (!change.isBilledNow) return;
  const lines = [...takePlannedLines(account, subscription), ...change.lines];
  const isCharged = payment !== "default_incomplete";
  const plan = { reason: "subscription_update", lines, period: periodOf(subscription) } as const;
  const invoice = billNow(account, subscription, plan, isCharged);
  if (isCharged || invoice.status !== "open") return;
  account.change(subscription, "customer.subscription.updated", (changed) => {
    changed.status = "past_due";
  });
}

/** Another change takes the place of one that was never paid for. */
function giveUpPendingChange(account: Account, { id }: Subscription): void {
  const invoice = account.state.invoices.get(account.state.pendingChanges.get(id)?.invoice ?? "");
  if (invoice?.status === "open") voidInvoice(account, invoice);
}

function isPayable(account: Account, subscription: Subscription, change: PlannedChange): boolean {
  const discounts = currentDiscounts(account, subscription);
  const lines = [...(account.state.plannedLines.get(subscription.id) ?? []), ...change.lines];
  const { total } = computeTotals(account, lines, discounts, subscription.automatic_tax.enabled);
  const { balance } = account.find("customers", "customer", subscription.customer);
  return total + balance <= 0 || account.card(subscription.customer) === "good";
}

/** Leaves the subscription as it is, with an open invoice whose payment makes the change. */
function holdChange(account: Account, subscription: Subscription, change: PlannedChange): void {
  const invoice = newId("in_");
  const now = account.now();
  account.state.pendingChanges.set(subscription.id, { invoice, items: change.items, anchor: change.anchor });
  account.change(subscription, "customer.subscription.updated", (changed) => {
    changed.pending_update = {
      billing_cycle_anchor: change.anchor === changed.billing_cycle_anchor ? null : change.anchor,
      cancel_at_period_end: null,
      discount: null,
      discounts: null,
      expires_at: Math.min(now + pendingSeconds, periodOf(changed).end),
      metadata: null,
      subscription_items: change.items,
      trial_end: null,
      trial_from_plan: null,
    };
  });
  const { lines } = change;
  billNow(account, subscription, { id: invoice, reason: "subscription_update", lines, period: periodOf(subscription) });
}

/** The items there would be: those named by id change, others come, and the rest stays. */
function mergeItems(account: Account, subscription: Subscription, wanted: WantedItem[]): SubscriptionItem[] {
  const items = new Map(subscription.items.data.map((item) => [item.id, item]));
  wanted.forEach(({ id, price: priceId, quantity, deleted }, i) => {
    const before = id === undefined ? undefined : items.get(id);
    if (id !== undefined && !before) {
      throw invalidRequest(`No such subscription item: '${id}'`, `items[${i}][id]`, "resource_missing");
    }
    if (deleted && before) return void items.delete(before.id);
    const param = `items[${i}][price]`;
    if (!before && priceId === undefined) {
      throw invalidRequest(`Missing required param: ${param}.`, param, "parameter_missing");
    }
    const price = priceId === undefined ? before?.price : usablePrice(account, priceId, param, subscription.currency);
    if (!price) return;
    if ([...items.values()].some((other) => other.id !== id && other.price.id === price.id)) {
      throw invalidRequest(`Cannot add multiple subscription items with the same price: ${price.id}`, param);
    }
    const item = before
      ? { ...before, price, plan: planOf(price), quantity: quantity ?? before.quantity }
      : newItem(account, {
          subscription: subscription.id,
          price,
          quantity: quantity ?? 1,
          period: periodOf(subscription),
        });
    items.set(item.id, item);
  });
  return [...items.values()];
}
