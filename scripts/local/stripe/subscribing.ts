import type { Account } from "./account.ts";
import { draftInvoice } from "./billing.ts";
import { addIntervals } from "./calendar.ts";
import { newId } from "./ids.ts";
import { day, wholeList, type Discount, type Price, type Subscription } from "./objects.ts";
import { attemptPayment, finalizeInvoice } from "./payments.ts";
import { commonInterval, fullLine, newItem } from "./subscription-items.ts";

export interface NewSubscription {
  customer: string;
  items: { price: Price; quantity: number }[];
  /** None when not above now. */
  trialEnd: number | undefined;
  metadata: Record<string, string>;
  description?: string | undefined;
  isTaxed: boolean;
  missingPaymentMethod: "cancel" | "create_invoice" | "pause";
  /** `default_incomplete` waits for somebody to pay the invoice. */
  isCharged: boolean;
  discounts?: Discount[];
}

const trialNoticeSeconds = 3 * day;

/**
 * Begins a subscription with its first invoice. Its first event has the status `incomplete`, unless there is a trial,
 * as the payment comes after: whoever gets events out of order is left with that.
 */
export function startSubscription(account: Account, wanted: NewSubscription): Subscription {
  const subscription = newSubscription(account, wanted);
  const isTrial = subscription.status === "trialing";
  account.state.subscriptions.set(subscription.id, subscription);
  for (const discount of wanted.discounts ?? []) {
    account.state.discounts.set(discount.id, { ...discount, subscription: subscription.id });
  }
  const now = account.now();
  const invoice = draftInvoice(account, subscription, {
    reason: "subscription_create",
    lines: subscription.items.data.map((item) => fullLine(account, item, isTrial)),
    period: { start: now, end: now },
  });
  subscription.latest_invoice = invoice.id;
  account.emit("customer.subscription.created", subscription);
  account.emit("invoice.created", invoice);
  noticeTrialEnd(account, subscription);
  finalizeInvoice(account, invoice);
  if (wanted.isCharged) attemptPayment(account, invoice);
  return subscription;
}

/** Tells of the end of a trial 3 days before, or at once when it is shorter. */
export function noticeTrialEnd(account: Account, subscription: Subscription): void {
  const { id, trial_end, status } = subscription;
  if (status !== "trialing" || trial_end === null || account.state.trialNotices.has(id)) return;
  if (trial_end - trialNoticeSeconds > account.now()) return;
  account.state.trialNotices.set(id, true);
  account.emit("customer.subscription.trial_will_end", subscription);
}

export function trialNoticeTime({ trial_end }: Subscription): number {
  return (trial_end ?? Infinity) - trialNoticeSeconds;
}

function newSubscription(account: Account, wanted: NewSubscription): Subscription {
  const id = newId("sub_");
  const now = account.now();
  const trialEnd = wanted.trialEnd !== undefined && wanted.trialEnd > now ? wanted.trialEnd : null;
  const interval = commonInterval(wanted.items.map(({ price }) => price));
  const anchor = trialEnd ?? now;
  const period = { start: now, end: trialEnd ?? addIntervals(anchor, interval, 1) };
  const items = wanted.items.map((item) => newItem(account, { ...item, subscription: id, period }));
  return {
    id,
    object: "subscription",
    application: null,
    application_fee_percent: null,
    automatic_tax: {
      disabled_reason: null,
      enabled: wanted.isTaxed,
      liability: wanted.isTaxed ? { type: "self" } : null,
    },
    billing_cycle_anchor: anchor,
    billing_cycle_anchor_config: null,
    billing_mode: { flexible: { proration_discounts: "included" }, type: "flexible" },
    billing_schedules: [],
    billing_thresholds: null,
    cancel_at: null,
    cancel_at_period_end: false,
    canceled_at: null,
    cancellation_details: { comment: null, feedback: null, feedback_option: null, reason: null },
    collection_method: "charge_automatically",
    created: now,
    currency: wanted.items[0]?.price.currency ?? "usd",
    customer: wanted.customer,
    customer_account: null,
    days_until_due: null,
    default_payment_method: null,
    default_source: null,
    default_tax_rates: [],
    description: wanted.description ?? null,
    discounts: (wanted.discounts ?? []).map((discount) => discount.id),
    ended_at: null,
    invoice_settings: {
      account_tax_ids: null,
      custom_fields: null,
      description: null,
      footer: null,
      issuer: { type: "self" },
    },
    items: wholeList(items, `/v1/subscription_items?subscription=${id}`),
    latest_invoice: null,
    livemode: false,
    managed_payments: null,
    metadata: wanted.metadata,
    next_pending_invoice_item_invoice: null,
    on_behalf_of: null,
    pause_collection: null,
    payment_settings: {
      payment_method_options: null,
      payment_method_types: null,
      save_default_payment_method: "off",
    },
    pending_invoice_item_interval: null,
    pending_setup_intent: null,
    pending_update: null,
    schedule: null,
    start_date: now,
    status: trialEnd === null ? "incomplete" : "trialing",
    test_clock: account.state.clock.id,
    transfer_data: null,
    trial_end: trialEnd,
    trial_settings: {
      end_behavior: { billing_cycle_anchor: null, missing_payment_method: wanted.missingPaymentMethod },
    },
    trial_start: trialEnd === null ? null : now,
  } satisfies Subscription;
}
