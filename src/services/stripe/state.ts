import type { Stripe } from "stripe";
import type { InvoiceLine } from "../../db/billing-tables.ts";
import { priceIdOf } from "./prices.ts";

/** A subscription as `app.apply_stripe_state` takes it. Times are ISO 8601. */
interface SubscriptionState {
  id: string;
  status: string;
  /** Of a price of ours. */
  price_id: string | null;
  scheduled_price_id: string | null;
  quantity: number;
  /** Of the next period, where it is to be another one. */
  scheduled_quantity: number | null;
  trial_ends_at: string | null;
  anchor_at: string;
  period_started_at: string;
  period_ends_at: string;
  cancel_at_period_end: boolean;
  canceled_at: string | null;
  ended_at: string | null;
  created_at: string;
}

/** The same of an invoice. */
interface InvoiceState {
  id: string;
  subscription_id: string;
  number: string | null;
  url: string | null;
  status: string;
  currency: string;
  total: number;
  lines: InvoiceLine[];
  period_starts_at: string;
  period_ends_at: string;
  due_at: string;
  paid_at: string | null;
  created_at: string;
}

export interface CustomerState {
  subscriptions: SubscriptionState[];
  invoices: InvoiceState[];
  /** Whether Stripe has no such customer any more. */
  isGone: boolean;
}

/** Of whom Stripe has nothing. */
export const goneCustomer: CustomerState = { subscriptions: [], invoices: [], isGone: true };

/** More than anybody has: of each, Stripe answers 100 at a time. */
const MAX_SUBSCRIPTIONS = 1_000;

/** All subscriptions that Stripe has of a customer, and the newest hundred invoices: older ones no longer change. */
export async function readCustomerState(stripe: Stripe, customer: string): Promise<CustomerState> {
  const [subscriptions, invoices] = await Promise.all([
    stripe.subscriptions
      .list({ customer, status: "all", limit: 100, expand: ["data.schedule"] })
      .autoPagingToArray({ limit: MAX_SUBSCRIPTIONS }),
    stripe.invoices.list({ customer, limit: 100 }),
  ]);
  return {
    subscriptions: subscriptions.flatMap((subscription) => toSubscriptionState(subscription) ?? []),
    invoices: invoices.data.flatMap((invoice) => toInvoiceState(invoice) ?? []),
    isGone: false,
  };
}

/** Of Stripe's seconds. */
const toInstant = (seconds: number) => new Date(seconds * 1000).toISOString();
const toInstantOrNull = (seconds: number | null | undefined) => (seconds ? toInstant(seconds) : null);

/** Null of one without a price, which nothing here makes. */
function toSubscriptionState(subscription: Stripe.Subscription): SubscriptionState | null {
  const [item] = subscription.items.data;
  if (!item) return null;
  const {
    id,
    status,
    trial_end,
    billing_cycle_anchor,
    cancel_at_period_end,
    cancel_at,
    canceled_at,
    ended_at,
    created,
  } = subscription;
  return {
    id,
    status,
    price_id: priceIdOf(item.price.metadata),
    ...scheduledOf(subscription, item.current_period_end),
    quantity: Math.max(1, item.quantity ?? 1),
    trial_ends_at: toInstantOrNull(trial_end),
    anchor_at: toInstant(billing_cycle_anchor),
    period_started_at: toInstant(item.current_period_start),
    period_ends_at: toInstant(item.current_period_end),
    // By a date, as Stripe's dashboard also does it.
    cancel_at_period_end: cancel_at_period_end || (cancel_at !== null && cancel_at <= item.current_period_end),
    canceled_at: toInstantOrNull(canceled_at),
    ended_at: toInstantOrNull(ended_at),
    created_at: toInstant(created),
  };
}

/** Of the phase that begins with the next period. */
function scheduledOf(
  { schedule }: Stripe.Subscription,
  periodEnd: number,
): Pick<SubscriptionState, "scheduled_price_id" | "scheduled_quantity"> {
  const phases = schedule === null || typeof schedule === "string" ? [] : schedule.phases;
  const next = phases.find(({ start_date }) => start_date >= periodEnd);
  return { scheduled_price_id: priceIdOf(next?.metadata), scheduled_quantity: next?.items[0]?.quantity ?? null };
}

/** Null of a draft, which is not asked for yet, and of what no subscription costs. */
function toInvoiceState(invoice: Stripe.Invoice): InvoiceState | null {
  const subscription = invoice.parent?.subscription_details?.subscription;
  const { id, status, status_transitions, created, total } = invoice;
  if (!id || !subscription || !status || status === "draft") return null;
  const period = invoice.lines.data.at(-1)?.period ?? { start: invoice.period_start, end: invoice.period_end };
  return {
    id,
    subscription_id: typeof subscription === "string" ? subscription : subscription.id,
    number: invoice.number,
    url: invoice.hosted_invoice_url ?? null,
    status,
    currency: invoice.currency,
    total,
    lines: linesOf(invoice),
    period_starts_at: toInstant(period.start),
    period_ends_at: toInstant(period.end),
    due_at: toInstant(invoice.due_date ?? created),
    paid_at: status === "paid" ? toInstant(status_transitions.paid_at ?? created) : null,
    created_at: toInstant(created),
  };
}

/** What the total comes from, so that the amounts always come to it. */
function linesOf({ lines, total, total_discount_amounts, total_taxes }: Stripe.Invoice): InvoiceLine[] {
  const listed = lines.data.map(({ description, quantity, amount }) => ({
    description: description ?? "",
    quantity: quantity ?? 1,
    unitAmount: Math.round(amount / (quantity || 1)),
    amount,
  }));
  const sum = (amounts: { amount: number }[]) => amounts.reduce((all, { amount }) => all + amount, 0);
  const named = [
    { description: "Discount", amount: -sum(total_discount_amounts ?? []) },
    { description: "Tax", amount: sum((total_taxes ?? []).filter(({ tax_behavior }) => tax_behavior !== "inclusive")) },
  ];
  // Of more lines than Stripe answers with at once.
  const rest = { description: "Other", amount: total - sum([...listed, ...named]) };
  const others = [...named, rest].filter(({ amount }) => amount !== 0);
  return [...listed, ...others.map((line) => ({ ...line, quantity: 1, unitAmount: line.amount }))];
}
