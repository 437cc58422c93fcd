import type { Stripe } from "stripe";
import { expect, inject, vi } from "vitest";
import { asOwner } from "./database.ts";
import { environment } from "./environment.ts";
import { openService } from "./service.ts";
import { newBuyerAt, openSdk, runCronOf } from "./stripe-accounts.ts";
import { signPayload } from "./stripe.ts";

/** A key of Stripe's test mode, which nobody pays anything in. Without one, it is the model of Stripe that is asked. */
const givenKey = environment["VITE_STRIPE_TEST_KEY"] || undefined;
if (givenKey && !/^[rs]k_test_/.test(givenKey)) {
  throw new Error("VITE_STRIPE_TEST_KEY must begin with sk_test_ or rk_test_: these tests subscribe and pay.");
}

/** Who is asked, for the names of tests. */
export const whoAnswers = givenKey ? "Stripe's test mode" : "the model of Stripe";

/** Milliseconds that a test may take: Stripe works a while at each turn of a clock. */
export const patience = givenKey ? 600_000 : 60_000;

const waiting = givenKey ? { timeout: 120_000, interval: 3_000 } : { timeout: 10_000, interval: 50 };

/** Stripe's cards for tests: one that pays, and one that can be kept and is declined whenever it is charged. */
const cards = { good: "pm_card_visa", declining: "pm_card_chargeCustomerFail" };

/**
 * An organization and its customer at Stripe, who has a clock of its own there. Does nothing that Stripe's own API cannot, so
 * that the model and Stripe are asked in the same words.
 */
export async function newTestModeBuyer(plan: object = {}, price: object = {}) {
  const key = givenKey ?? `sk_test_${crypto.randomUUID().replaceAll("-", "")}`;
  const address = givenKey ? "https://api.stripe.com" : inject("stripeUrl");
  const secret = `whsec_${crypto.randomUUID()}`;
  const settings = {
    BILLING_PROVIDER: "stripe",
    STRIPE_SECRET_KEY: key,
    STRIPE_WEBHOOK_SECRET: secret,
    STRIPE_API_URL: address,
  };
  const stripe = openSdk(key, address);
  const service = openService(settings);
  const buyer = await newBuyerAt({ service, stripe }, plan, price);
  const { testClocks } = stripe.testHelpers;
  // Stripe deletes it after 30 days, with all that goes by it.
  const clock = await testClocks.create({ frozen_time: Math.floor(Date.now() / 1000), name: buyer.id });
  const customer = await stripe.customers.create({ name: "Ada", test_clock: clock.id });
  await asOwner([
    "insert into stripe_customers (organization_id, customer_id) values ($1, $2)",
    [buyer.id, customer.id],
  ]);

  const told = new Set<string>();
  /** All that Stripe has said of the customer since, as its webhooks would. */
  const tell = async (): Promise<void> => {
    const events = await stripe.events.list({ limit: 100 }).autoPagingToArray({ limit: 1_000 });
    for (const event of events.toReversed()) {
      const { id, customer: named } = event.data.object as { id?: string; customer?: string | { id: string } | null };
      const of = typeof named === "string" ? named : named?.id;
      if (told.has(event.id) || (of !== customer.id && id !== customer.id)) continue;
      const rawBody = JSON.stringify(event);
      const headers = {
        "content-type": "application/json",
        "stripe-signature": await signPayload(rawBody, secret),
      };
      expect((await service.call("POST", "/v1/webhooks/stripe", { rawBody, headers })).status).toBe(200);
      told.add(event.id);
    }
  };
  /** What the organization has, once Stripe has told of it. */
  const expectTold = (subscription: object): Promise<void> =>
    vi.waitFor(async () => {
      await tell();
      expect(await buyer.read()).toMatchObject(subscription);
    }, waiting);
  const setCard = async (card: keyof typeof cards): Promise<void> => {
    const { id } = await stripe.paymentMethods.attach(cards[card], { customer: customer.id });
    await stripe.customers.update(customer.id, { invoice_settings: { default_payment_method: id } });
  };
  return {
    ...buyer,
    expectTold,
    setCard,
    runCron: () => runCronOf(settings),
    /** At Stripe. */
    live: async (): Promise<Stripe.Subscription> => stripe.subscriptions.retrieve(await buyer.providerId()),
    /** The invoices that the customer has there, the newest first. */
    stripeInvoices: async (): Promise<Stripe.Invoice[]> => (await stripe.invoices.list({ customer: customer.id })).data,
    /**
     * Subscribes to what the open checkout sells, by what its page would do: only a browser could press that page's button.
     */
    async payCheckout({ trialDays = 0 } = {}): Promise<void> {
      const { id, line_items, metadata } = await stripe.checkout.sessions.retrieve(await buyer.sessionId(), {
        expand: ["line_items"],
      });
      await setCard("good");
      await stripe.subscriptions.create({
        customer: customer.id,
        items: (line_items?.data ?? []).map(({ price: sold, quantity }) => ({
          price: sold?.id ?? "",
          quantity: quantity ?? 1,
        })),
        metadata: metadata ?? {},
        ...(trialDays > 0 && { trial_period_days: trialDays }),
      });
      await stripe.checkout.sessions.expire(id);
    },
    /** The customer's clock, on to that time. @param to seconds */
    async goOnTo(to: number): Promise<void> {
      await testClocks.advance(clock.id, { frozen_time: to });
      await vi.waitFor(async () => expect((await testClocks.retrieve(clock.id)).status).toBe("ready"), waiting);
    },
  };
}

/** One that has paid for its first period, or is on trial. */
export async function newTestModePayer(plan: { trialDays?: number } = {}, price: object = {}) {
  const buyer = await newTestModeBuyer(plan, price);
  expect((await buyer.subscribe(buyer.priceId)).status).toBe(201);
  await buyer.payCheckout(plan);
  await buyer.expectTold({ status: plan.trialDays ? "trialing" : "active" });
  return buyer;
}
