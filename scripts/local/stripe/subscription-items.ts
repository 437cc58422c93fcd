import type { Stripe } from "stripe";

import type { PlannedLine } from "./account-state.ts";
import type { Account } from "./account.ts";
import type { Interval } from "./calendar.ts";
import { invalidRequest } from "./errors.ts";
import { newId } from "./ids.ts";
import { type Price, type Subscription, type SubscriptionItem } from "./objects.ts";

export function newItem(
  account: Account,
  {
    subscription,
    price,
    quantity,
    period,
  }: {
    subscription: string;
    price: Price;
    quantity: number;
    period: { start: number; end: number };
  },
): SubscriptionItem {
  return {
    id: newId("si_", 14),
    object: "subscription_item",
    billing_thresholds: null,
    created: account.now(),
    current_period_end: period.end,
    current_period_start: period.start,
    current_trial: null,
    discounts: [],
    metadata: {},
    plan: planOf(price),
    price,
    quantity,
    subscription,
    tax_rates: [],
  } satisfies SubscriptionItem;
}

/** The old name for a price, which items still have. */
export function planOf(price: Price): Stripe.Plan {
  return {
    id: price.id,
    object: "plan",
    active: price.active,
    amount: price.unit_amount,
    amount_decimal: price.unit_amount_decimal,
    billing_scheme: "per_unit",
    created: price.created,
    currency: price.currency,
    interval: price.recurring?.interval ?? "month",
    interval_count: price.recurring?.interval_count ?? 1,
    livemode: false,
    metadata: price.metadata,
    meter: null,
    nickname: price.nickname,
    product: price.product,
    tiers_mode: null,
    transform_usage: null,
    trial_period_days: null,
    usage_type: "licensed",
  } satisfies Stripe.Plan;
}

/** @throws StripeError 400 unless the price is there, recurring, active, and in that currency */
export function usablePrice(account: Account, id: string, param: string, currency?: string): Price {
  const price = account.find("prices", "price", id, param);
  if (!price.active)
    throw invalidRequest("The price specified is inactive. This field only accepts active prices.", param);
  if (!price.recurring) {
    throw invalidRequest(
      "The price specified is set to `type=one_time` but this field only accepts prices with `type=recurring`.",
      param,
    );
  }
  if (currency !== undefined && price.currency !== currency) {
    throw invalidRequest(`All prices on a subscription must have the same currency; expected ${currency}.`, param);
  }
  return price;
}

export function intervalOf({ recurring }: Price): Interval {
  return { unit: recurring?.interval ?? "month", count: recurring?.interval_count ?? 1 };
}

/** @throws StripeError 400 when the prices are paid at different times, which this model has no notion of */
export function commonInterval(prices: Price[]): Interval {
  const [first, ...rest] = prices.map(intervalOf);
  if (!first) throw invalidRequest("A subscription must have at least one item.", "items", "parameter_missing");
  if (rest.some(({ unit, count }) => unit !== first.unit || count !== first.count)) {
    throw invalidRequest("All prices on a subscription must have the same `recurring.interval`.", "items");
  }
  return first;
}

export function subscriptionInterval({ items }: Subscription): Interval {
  return commonInterval(items.data.map(({ price }) => price));
}

/** The items of a subscription all have one period here. */
export function periodOf({ items }: Subscription): { start: number; end: number } {
  const [first] = items.data;
  return { start: first?.current_period_start ?? 0, end: first?.current_period_end ?? 0 };
}

export function setPeriod({ items }: Subscription, period: { start: number; end: number }): void {
  for (const item of items.data) {
    item.current_period_start = period.start;
    item.current_period_end = period.end;
  }
}

/** A trial is the first period, so that the next begins where it ends. */
export function setTrialEnd(subscription: Subscription, end: number): void {
  subscription.trial_end = end;
  subscription.billing_cycle_anchor = end;
  for (const item of subscription.items.data) item.current_period_end = end;
}

/** The line of an invoice for one whole period. */
export function fullLine(account: Account, item: SubscriptionItem, isTrial = false): PlannedLine {
  const { price } = item;
  const name = productName(account, price);
  return {
    description: isTrial ? `Trial period for ${name}` : `${item.quantity} × ${name} (at ${describePrice(price)})`,
    amount: isTrial ? 0 : (price.unit_amount ?? 0) * item.quantity,
    quantity: item.quantity,
    price,
    item: item.id,
    period: { start: item.current_period_start, end: item.current_period_end },
    proration: false,
  };
}

export function productName(account: Account, { product }: Price): string {
  return account.state.products.get(product)?.name ?? product;
}

/** `$12.00 / month` */
export function describePrice(price: Price): string {
  const { unit, count } = intervalOf(price);
  return `${formatMoney(price.unit_amount ?? 0, price.currency)} / ${count === 1 ? unit : `${count} ${unit}s`}`;
}

/** @param amount in the currency's smallest unit, whatever fraction of it that is */
export function formatMoney(amount: number, currency: string): string {
  const format = new Intl.NumberFormat("en-US", { style: "currency", currency });
  const digits = format.resolvedOptions().maximumFractionDigits ?? 2;
  return format.format(amount / 10 ** digits);
}
