import type { PlannedLine } from "./account-state.ts";
import type { Account } from "./account.ts";
import { addIntervals } from "./calendar.ts";
import type { Subscription, SubscriptionItem } from "./objects.ts";
import { commonInterval, fullLine, periodOf, productName, subscriptionInterval } from "./subscription-items.ts";

export type ProrationBehavior = "none" | "create_prorations" | "always_invoice";

/** What other items would do to a subscription. */
export interface PlannedChange {
  items: SubscriptionItem[];
  anchor: number;
  lines: PlannedLine[];
  /** Whether the lines are billed at once; else with the next invoice. */
  isBilledNow: boolean;
}

/**
 * Plans a change of items as of now. Another interval, and going from free to paid, begin a new period that is paid at
 * once; everything else keeps the period, and differs by prorations.
 */
export function planChange(
  account: Account,
  subscription: Subscription,
  items: SubscriptionItem[],
  behavior: ProrationBehavior,
): PlannedChange {
  const now = account.now();
  const anchor = subscription.billing_cycle_anchor;
  if (subscription.status === "trialing") return { items, anchor, lines: [], isBilledNow: false };
  const [before, after] = [subscriptionInterval(subscription), commonInterval(items.map(({ price }) => price))];
  const isOtherInterval = before.unit !== after.unit || before.count !== after.count;
  const isOutOfFree = costOf(subscription.items.data) === 0 && costOf(items) > 0;
  if (isOtherInterval || isOutOfFree) {
    const period = { current_period_start: now, current_period_end: addIntervals(now, after, 1) };
    const renewed = items.map((item) => ({ ...item, ...period }));
    const credits = behavior === "none" ? [] : subscription.items.data.map((item) => unusedLine(account, item));
    const lines = [...credits, ...renewed.map((item) => fullLine(account, item))];
    return { items: renewed, anchor: now, lines, isBilledNow: true };
  }
  const lines = behavior === "none" ? [] : prorationLines(account, subscription, items);
  return { items, anchor, lines, isBilledNow: behavior === "always_invoice" && lines.length > 0 };
}

function costOf(items: SubscriptionItem[]): number {
  return items.reduce((total, { price, quantity }) => total + (price.unit_amount ?? 0) * quantity, 0);
}

function prorationLines(account: Account, subscription: Subscription, items: SubscriptionItem[]): PlannedLine[] {
  const before = subscription.items.data;
  const isSame = (one: SubscriptionItem, other: SubscriptionItem) =>
    one.id === other.id && one.price.id === other.price.id && one.quantity === other.quantity;
  const gone = before.filter((item) => !items.some((other) => isSame(item, other)));
  const come = items.filter((item) => !before.some((other) => isSame(item, other)));
  return [
    ...gone.map((item) => unusedLine(account, item)),
    ...come.map((item) => remainingLine(account, item, periodOf(subscription))),
  ];
}

/** The credit for what was paid and will not be used. */
export function unusedLine(account: Account, item: SubscriptionItem): PlannedLine {
  const period = { start: item.current_period_start, end: item.current_period_end };
  const { amount, ...line } = remainingLine(account, item, period);
  const description = line.description.replace("Remaining", "Unused");
  return { ...line, description, amount: amount === 0 ? 0 : -amount };
}

function remainingLine(account: Account, item: SubscriptionItem, period: { start: number; end: number }): PlannedLine {
  const now = account.now();
  const left = Math.max(0, period.end - now) / (period.end - period.start);
  const date = new Date(now * 1000).toUTCString().slice(5, 16);
  const { price, quantity } = item;
  return {
    description: `Remaining time on ${quantity} × ${productName(account, price)} after ${date}`,
    amount: Math.round((price.unit_amount ?? 0) * quantity * left),
    quantity,
    price,
    item: item.id,
    period: { start: now, end: period.end },
    proration: true,
  };
}

export function applyChange(account: Account, subscription: Subscription, change: PlannedChange): void {
  account.change(subscription, "customer.subscription.updated", (changed) => {
    changed.items.data = change.items;
    changed.billing_cycle_anchor = change.anchor;
    changed.currency = change.items[0]?.price.currency ?? changed.currency;
  });
  if (!change.isBilledNow && change.lines.length > 0) {
    const waiting = account.state.plannedLines.get(subscription.id) ?? [];
    account.state.plannedLines.set(subscription.id, [...waiting, ...change.lines]);
  }
}

/** The prorations that wait for an invoice, which from now on is the caller's. */
export function takePlannedLines(account: Account, { id }: Subscription): PlannedLine[] {
  const lines = account.state.plannedLines.get(id) ?? [];
  account.state.plannedLines.delete(id);
  return lines;
}
