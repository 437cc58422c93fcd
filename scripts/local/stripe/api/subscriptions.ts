import { z } from "zod";

import type { Account } from "../account.ts";
import { addIntervals } from "../calendar.ts";
import { takePlannedLines, unusedLine } from "../changing.ts";
import { endSubscription } from "../ending.ts";
import { cardDeclined, invalidRequest, resourceMissing } from "../errors.ts";
import { listPage } from "../listing.ts";
import type { Subscription } from "../objects.ts";
import { mergeMetadata, operation, type Operation } from "../operation.ts";
import { boolean, integer, list, metadata, object, page, text, timestamp } from "../params.ts";
import { billNow, endTrial, resumeWithInvoice } from "../renewing.ts";
import { isEnded } from "../standing.ts";
import { startSubscription } from "../subscribing.ts";
import { periodOf, usablePrice } from "../subscription-items.ts";
import { changeItems } from "../subscription-updates.ts";
import {
  cancellationDetails,
  paymentBehavior,
  requireChangeable,
  setCancellationDetails,
  setFields,
  trialSettings,
  updateShape,
} from "./subscription-params.ts";

const statuses = [
  "trialing",
  "active",
  "past_due",
  "unpaid",
  "paused",
  "canceled",
  "incomplete",
  "incomplete_expired",
] as const;

export const subscriptionOperations: Operation[] = [
  operation(
    "POST",
    "/v1/subscriptions",
    {
      customer: text,
      items: list(object({ price: text, quantity: integer(1).optional() })),
      trial_period_days: integer(0, 730).optional(),
      trial_end: timestamp.optional(),
      trial_settings: trialSettings.optional(),
      automatic_tax: object({ enabled: boolean }).optional(),
      description: text.optional(),
      metadata: metadata.optional(),
      payment_behavior: paymentBehavior.optional(),
    },
    ({ account }, params) => {
      const customer = account.find("customers", "customer", params.customer, "customer");
      const trialDays = params.trial_period_days ?? 0;
      if (
        params.payment_behavior === "error_if_incomplete" &&
        trialDays === 0 &&
        account.card(customer.id) !== "good"
      ) {
        throw cardDeclined();
      }
      return startSubscription(account, {
        customer: customer.id,
        items: params.items.map(({ price, quantity }, i) => ({
          price: usablePrice(account, price, `items[${i}][price]`),
          quantity: quantity ?? 1,
        })),
        trialEnd: params.trial_end ?? addIntervals(account.now(), { unit: "day", count: 1 }, trialDays),
        metadata: mergeMetadata({}, params.metadata),
        description: params.description,
        isTaxed: params.automatic_tax?.enabled ?? false,
        missingPaymentMethod: params.trial_settings?.end_behavior.missing_payment_method ?? "create_invoice",
        isCharged: params.payment_behavior !== "default_incomplete",
      });
    },
  ),
  operation(
    "GET",
    "/v1/subscriptions",
    {
      ...page,
      customer: text.optional(),
      price: text.optional(),
      status: z.enum([...statuses, "all", "ended"]).optional(),
    },
    ({ account }, { customer, price, status, ...cursor }) => {
      if (customer !== undefined) account.find("customers", "customer", customer, "customer");
      const subscriptions = [...account.state.subscriptions.values()].filter(
        (subscription) =>
          (customer === undefined || subscription.customer === customer) &&
          (price === undefined || subscription.items.data.some((item) => item.price.id === price)) &&
          hasStatus(subscription, status),
      );
      return listPage(subscriptions, "/v1/subscriptions", cursor);
    },
  ),
  operation("GET", "/v1/subscriptions/:id", {}, ({ account, id }) => find(account, id)),
  operation("POST", "/v1/subscriptions/:id", updateShape, ({ account, id }, params) => {
    const subscription = find(account, id);
    requireChangeable(account, subscription, params);
    const { items, trial_end } = params;
    if (items) {
      changeItems(account, subscription, items, {
        proration: params.proration_behavior ?? "create_prorations",
        payment: params.payment_behavior ?? "allow_incomplete",
      });
    }
    account.change(subscription, "customer.subscription.updated", (changed) => setFields(account, changed, params));
    if (trial_end === "now" && subscription.status === "trialing") endTrial(account, subscription);
    return subscription;
  }),
  operation(
    "DELETE",
    "/v1/subscriptions/:id",
    {
      invoice_now: boolean.optional(),
      prorate: boolean.optional(),
      cancellation_details: cancellationDetails.optional(),
    },
    ({ account, id }, params) => {
      const subscription = find(account, id);
      // One that has ended is not there any more for this operation alone.
      if (isEnded(subscription)) throw resourceMissing("subscription", id);
      setCancellationDetails(subscription, params.cancellation_details);
      billFinally(account, subscription, params);
      endSubscription(account, subscription, "cancellation_requested");
      return subscription;
    },
  ),
  operation(
    "POST",
    "/v1/subscriptions/:id/resume",
    { billing_cycle_anchor: object({ type: z.literal("now") }).optional() },
    ({ account, id }) => {
      const subscription = find(account, id);
      if (subscription.status !== "paused") {
        throw invalidRequest("Subscription cannot be resumed because its status is not `paused`.");
      }
      resumeWithInvoice(account, subscription);
      return subscription;
    },
  ),
];

function find(account: Account, id: string): Subscription {
  return account.find("subscriptions", "subscription", id);
}

function hasStatus({ status }: Subscription, wanted: string | undefined): boolean {
  if (wanted === "all") return true;
  if (wanted === undefined) return status !== "canceled" && status !== "incomplete_expired";
  return wanted === "ended" ? status === "canceled" || status === "incomplete_expired" : status === wanted;
}

/** The last invoice, with the credit for what is left of the period where that is wished for. */
function billFinally(
  account: Account,
  subscription: Subscription,
  { invoice_now, prorate }: { invoice_now?: boolean | undefined; prorate?: boolean | undefined },
): void {
  if (!invoice_now) return;
  const waiting = takePlannedLines(account, subscription);
  const isPaidFor = ["active", "past_due"].includes(subscription.status);
  const credits = prorate && isPaidFor ? subscription.items.data.map((item) => unusedLine(account, item)) : [];
  const lines = [...waiting, ...credits];
  if (lines.length === 0) return;
  billNow(account, subscription, { reason: "subscription_update", lines, period: periodOf(subscription) });
}
