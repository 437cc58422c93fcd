import { z } from "zod";

import type { Account } from "../account.ts";
import { setCancelAt, setCancelAtPeriodEnd } from "../ending.ts";
import { invalidRequest } from "../errors.ts";
import type { Subscription } from "../objects.ts";
import { mergeMetadata } from "../operation.ts";
import { boolean, emptyable, integer, list, metadata, object, text, timestamp } from "../params.ts";
import { isEnded } from "../standing.ts";
import { periodOf, setTrialEnd } from "../subscription-items.ts";

export const prorationBehavior = z.enum(["none", "create_prorations", "always_invoice"]);
export const paymentBehavior = z.enum([
  "allow_incomplete",
  "default_incomplete",
  "error_if_incomplete",
  "pending_if_incomplete",
]);
export const trialSettings = object({
  end_behavior: object({ missing_payment_method: z.enum(["cancel", "create_invoice", "pause"]) }),
});
export const cancellationDetails = object({ comment: emptyable.optional(), feedback: emptyable.optional() });
const trialEnd = z.union([z.literal("now"), timestamp]);

export const updateShape = {
  items: list(
    object({
      id: text.optional(),
      price: text.optional(),
      quantity: integer(0).optional(),
      deleted: boolean.optional(),
    }),
  ).optional(),
  cancel_at: z.union([z.literal(""), timestamp]).optional(),
  cancel_at_period_end: boolean.optional(),
  cancellation_details: cancellationDetails.optional(),
  description: emptyable.optional(),
  proration_behavior: prorationBehavior.optional(),
  payment_behavior: paymentBehavior.optional(),
  metadata: metadata.optional(),
  trial_end: trialEnd.optional(),
  trial_settings: trialSettings.optional(),
};
type Update = z.output<z.ZodObject<typeof updateShape>>;

/** What can be updated whatever has become of a subscription. */
const notes = new Set(["metadata", "cancellation_details"]);
/** What an update can have that leaves the subscription as it is when its invoice is not paid. */
const pendable = new Set(["items", "proration_behavior", "payment_behavior"]);

/** @throws StripeError 400 for what cannot be changed as the subscription is */
export function requireChangeable(account: Account, subscription: Subscription, params: Update): void {
  const { items, cancel_at, cancel_at_period_end, payment_behavior, trial_end } = params;
  const given = Object.entries(params).flatMap(([name, value]) => (value === undefined ? [] : [name]));
  const isOnlyNotes = given.every((name) => notes.has(name));
  if (isEnded(subscription) && !isOnlyNotes) {
    throw invalidRequest("A canceled subscription can only update its cancellation_details and metadata.");
  }
  if (subscription.status === "incomplete" && !isOnlyNotes) {
    throw invalidRequest("A subscription with status `incomplete` can only have metadata and default_source updated.");
  }
  const isAboutEnd = cancel_at !== undefined || cancel_at_period_end !== undefined;
  if (subscription.schedule !== null && (items || isAboutEnd)) {
    const what = items ? "its items" : "any cancelation behavior";
    const message =
      `The subscription is managed by the subscription schedule \`${subscription.schedule}\`, and updating ${what} ` +
      "directly is not allowed. Please update the schedule instead.";
    throw invalidRequest(message, items ? "items" : cancel_at === undefined ? "cancel_at_period_end" : "cancel_at");
  }
  if (cancel_at !== undefined && cancel_at_period_end !== undefined) {
    throw invalidRequest("You may only pass one of `cancel_at` and `cancel_at_period_end`.", "cancel_at");
  }
  if (typeof cancel_at === "number" && cancel_at <= account.now()) {
    throw invalidRequest("The `cancel_at` date must be in the future.", "cancel_at");
  }
  if (typeof trial_end === "number" && (subscription.status !== "trialing" || trial_end <= account.now())) {
    throw invalidRequest("In this model only a trial that goes on can have another end, in the future.", "trial_end");
  }
  const refused = given.find((name) => !pendable.has(name));
  if (payment_behavior === "pending_if_incomplete" && refused) {
    throw invalidRequest(
      `When \`payment_behavior\` is \`pending_if_incomplete\`, you cannot pass \`${refused}\`.`,
      refused,
    );
  }
}

/** Changes everything but the items and the end of a trial that is now. */
export function setFields(account: Account, subscription: Subscription, params: Update): void {
  const { cancel_at_period_end, description, trial_settings, trial_end } = params;
  subscription.metadata = mergeMetadata(subscription.metadata, params.metadata);
  if (description !== undefined) subscription.description = description || null;
  if (trial_settings) {
    const { missing_payment_method } = trial_settings.end_behavior;
    subscription.trial_settings = { end_behavior: { billing_cycle_anchor: null, missing_payment_method } };
  }
  if (typeof trial_end === "number" && subscription.status === "trialing") {
    setTrialEnd(subscription, trial_end);
    account.state.trialNotices.delete(subscription.id);
  }
  setCancellationDetails(subscription, params.cancellation_details);
  if (params.cancel_at !== undefined) setCancelAt(subscription, params.cancel_at || null, account.now());
  if (cancel_at_period_end === undefined) return;
  setCancelAtPeriodEnd(subscription, cancel_at_period_end, periodOf(subscription).end, account.now());
}

export function setCancellationDetails(
  subscription: Subscription,
  given: z.output<typeof cancellationDetails> | undefined,
): void {
  if (!given || !subscription.cancellation_details) return;
  const details = subscription.cancellation_details;
  if (given.comment !== undefined) details.comment = given.comment || null;
  if (given.feedback !== undefined) details.feedback = given.feedback || null;
}
