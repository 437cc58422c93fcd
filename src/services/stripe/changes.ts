import { sql } from "drizzle-orm";
import type { Stripe } from "stripe";
import type { TenantDatabase } from "../../db/index.ts";
import { bodyOf } from "../../db/json.ts";
import type { Settings } from "../../env.ts";
import { AppError } from "../../errors.ts";
import type { Subscription } from "../subscriptions.ts";
import { isRefusal, openStripe, refuseFor } from "./client.ts";
import { releaseSchedule, syncCustomer, type Ticket } from "./customers.ts";
import { ensurePrice, type SoldPrice } from "./prices.ts";

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
    await syncCustomer(database, settings, request);
    throw new AppError("subscription_not_active", { cause: error });
  }
  const { isInTime, subscription } = await syncCustomer(database, settings, request);
  // Else somebody had asked Stripe later than this request began, and maybe before it changed anything.
  return isInTime ? subscription : refreshAtStripe(database, settings);
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
    await releaseSchedule(stripe, subscription);
    if (request.price === null) return;
    const price = await ensurePrice(stripe, request.price);
    await (request.isLater ? schedule : move)(stripe, subscription, {
      price,
      quantity: request.quantity,
      metadata: { price_id: request.price.id },
    });
  });

interface Target {
  /** Stripe's. */
  price: string;
  quantity: number;
  /** Of the phase, in which the price would not be told with the subscription. */
  metadata: { price_id: string };
}

/** At once, and where that costs something, only with its payment. */
async function move(stripe: Stripe, { id, items, status }: Stripe.Subscription, { price, quantity }: Target) {
  const [item] = items.data;
  await stripe.subscriptions.update(id, {
    items: [{ ...(item && { id: item.id }), price, quantity }],
    proration_behavior: status === "trialing" ? "none" : "always_invoice",
    ...(status !== "trialing" && { payment_behavior: "pending_if_incomplete" as const }),
  });
}

async function schedule(stripe: Stripe, { id }: Stripe.Subscription, { price, quantity, metadata }: Target) {
  const { id: scheduleId, phases } = await stripe.subscriptionSchedules.create({ from_subscription: id });
  const [present] = phases;
  if (!present) throw new Error("a schedule without a phase");
  await stripe.subscriptionSchedules.update(scheduleId, {
    end_behavior: "release",
    proration_behavior: "none",
    phases: [
      {
        items: present.items.map((item) => ({
          price: typeof item.price === "string" ? item.price : item.price.id,
          quantity: item.quantity ?? 1,
        })),
        start_date: present.start_date,
        end_date: present.end_date,
        ...(present.trial_end && { trial_end: present.trial_end }),
      },
      { items: [{ price, quantity }], metadata, start_date: present.end_date },
    ],
  });
}

/** With the period that is on trial or paid for, or else at once. */
export const cancelAtStripe = (database: TenantDatabase, settings: Settings, request: CancelRequest) =>
  change(database, settings, request, async (stripe, subscription) => {
    await releaseSchedule(stripe, subscription);
    await (request.atPeriodEnd
      ? stripe.subscriptions.update(subscription.id, { cancel_at_period_end: true })
      : stripe.subscriptions.cancel(subscription.id));
  });

export const resumeAtStripe = (database: TenantDatabase, settings: Settings, request: StripeRequest) =>
  change(database, settings, request, (stripe, { id }) =>
    stripe.subscriptions.update(id, { cancel_at_period_end: false }),
  );

/** A page of Stripe's, for whoever pays: to see invoices, and to change how they are paid. Good for a few minutes. */
export async function openPortal(settings: Settings, customer: string): Promise<{ url: string }> {
  const { url } = await openStripe(settings)
    .billingPortal.sessions.create({ customer, return_url: `${settings.APP_URL}/billing` })
    .catch(refuseFor);
  return { url };
}
