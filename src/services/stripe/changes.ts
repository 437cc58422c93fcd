import { sql } from "drizzle-orm";
import type { Stripe } from "stripe";
import type { TenantDatabase } from "../../db/index.ts";
import { bodyOf } from "../../db/json.ts";
import type { Settings } from "../../env.ts";
import { AppError } from "../../errors.ts";
import type { Subscription } from "../subscriptions.ts";
import { isRefusal, openStripe, refuseFor } from "./client.ts";
import { syncCustomer, type Ticket } from "./customers.ts";
import { ensurePrice, type SoldPrice } from "./prices.ts";
import { releaseSchedule, scheduleChange } from "./schedules.ts";

/** What the fence says is to be asked of Stripe: of this subscription. */
export interface StripeRequest extends Ticket {
  subscriptionId: string;
}

/** To another price, or with null that it stays, whatever was to come. */
export type ChangeRequest = StripeRequest &
  ({ price: null } | { price: SoldPrice; quantity: number; /** With the next period. */ isLater: boolean });

export type CancelRequest = StripeRequest & { atPeriodEnd: boolean };

/**
 * Changes a subscription at Stripe, and writes what it then has: once more where somebody had asked later.
 *
 * @throws AppError `subscription_not_active` where it is no longer what it was here; `unavailable`; `misconfigured`.
 */
async function change(
  database: TenantDatabase,
  settings: Settings,
  request: StripeRequest,
  work: (stripe: Stripe, subscription: Stripe.Subscription) => Promise<unknown>,
): Promise<Subscription> {
  const stripe = openStripe(settings);
  try {
    await work(stripe, await stripe.subscriptions.retrieve(request.subscriptionId));
  } catch (error) {
    if (!isRefusal(error)) refuseFor(error);
    const { subscription } = await syncCustomer(database, settings, request);
    // Else it is not the subscription that Stripe refuses. Where it has ended, another may live.
    if (subscription.status !== "free" && !(await hasEnded(stripe, request.subscriptionId))) refuseFor(error);
    throw new AppError("subscription_not_active", { cause: error });
  }
  const { isInTime, subscription } = await syncCustomer(database, settings, request);
  // Else somebody had asked Stripe later than this request began, and maybe before it changed anything.
  return isInTime ? subscription : refreshAtStripe(database, settings);
}

async function hasEnded(stripe: Stripe, id: string): Promise<boolean> {
  const { status } = await stripe.subscriptions.retrieve(id).catch(refuseFor);
  return status === "canceled" || status === "incomplete_expired";
}

/** As Stripe has it at this moment. @throws AppError `stripe_off`; `unavailable`; `misconfigured`. */
export async function refreshAtStripe(database: TenantDatabase, settings: Settings): Promise<Subscription> {
  const [answer] = await database.run((queries) => [
    queries.execute<{ body: Subscription | { stripe: Ticket } }>(sql`select app.refresh_subscription() as body`),
  ]);
  const outcome = bodyOf(answer);
  if (!("stripe" in outcome)) return outcome;
  return (await syncCustomer(database, settings, outcome.stripe)).subscription;
}

export const changePrice = (database: TenantDatabase, settings: Settings, request: ChangeRequest) =>
  change(database, settings, request, async (stripe, subscription) => {
    await takeBack(stripe, subscription);
    if (request.price === null) return;
    const item = { price: await ensurePrice(stripe, request.price), quantity: request.quantity };
    // With the price's id beside the phase, in which that would not be told with the subscription.
    if (request.isLater) await scheduleChange(stripe, subscription.id, item, { price_id: request.price.id });
    else await move(stripe, subscription, item);
  });

/** At once, and where that costs something, only with its payment. */
async function move(
  stripe: Stripe,
  { id, items, status }: Stripe.Subscription,
  { price, quantity }: { price: string; quantity: number },
): Promise<void> {
  const [item] = items.data;
  await stripe.subscriptions.update(id, {
    items: [{ ...(item && { id: item.id }), price, quantity }],
    proration_behavior: status === "trialing" ? "none" : "always_invoice",
    ...(status !== "trialing" && { payment_behavior: "pending_if_incomplete" as const }),
  });
}

/** What was to come, and what was asked for and not paid: paid later, it would come after all. */
async function takeBack(stripe: Stripe, subscription: Stripe.Subscription): Promise<void> {
  await releaseSchedule(stripe, subscription);
  const { pending_update: pending, latest_invoice: invoice } = subscription;
  if (pending && invoice) await stripe.invoices.voidInvoice(typeof invoice === "string" ? invoice : (invoice.id ?? ""));
}

/** With the period that is on trial or paid for, or else at once. */
export const cancelAtStripe = (database: TenantDatabase, settings: Settings, request: CancelRequest) =>
  change(database, settings, request, async (stripe, subscription) => {
    await takeBack(stripe, subscription);
    await (request.atPeriodEnd
      ? stripe.subscriptions.update(subscription.id, { cancel_at_period_end: true })
      : stripe.subscriptions.cancel(subscription.id));
  });

export const resumeAtStripe = (database: TenantDatabase, settings: Settings, request: StripeRequest) =>
  change(database, settings, request, (stripe, { id, cancel_at_period_end, cancel_at }) =>
    // By its portal Stripe may have set a date instead.
    stripe.subscriptions.update(
      id,
      cancel_at && !cancel_at_period_end ? { cancel_at: "" } : { cancel_at_period_end: false },
    ),
  );

/** A page of Stripe's, for whoever pays: to see invoices, and to change how they are paid. Good for a few minutes. */
export async function openPortal(settings: Settings, customer: string): Promise<{ url: string }> {
  const { url } = await openStripe(settings)
    .billingPortal.sessions.create({ customer, return_url: `${settings.APP_URL}/billing` })
    .catch(refuseFor);
  return { url };
}
