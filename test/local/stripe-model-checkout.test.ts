import { afterAll, beforeAll, describe, expect, it } from "vitest";

import type { StripeServer } from "../../scripts/local/stripe.ts";
import { at, failureOf, idOf, openStage, periodOf, tenantAt } from "./stripe-model-support.ts";

let stage: StripeServer;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage.close());

const newTenant = () => tenantAt(stage);

describe("checkout sessions", () => {
  it("are open for a day, with a page and what is to be paid", async () => {
    const tenant = await newTenant();
    const session = await tenant.openCheckout(await tenant.newPrice(), {
      client_reference_id: "org-1",
      metadata: { a: "b" },
    });
    expect(session).toMatchObject({
      id: expect.stringMatching(/^cs_test_\w{58}$/),
      status: "open",
      payment_status: "unpaid",
      amount_subtotal: 2400,
      amount_total: 2400,
      currency: "usd",
      client_reference_id: "org-1",
      metadata: { a: "b" },
      subscription: null,
      expires_at: at("2027-01-11T12:00:00Z"),
      url: `${stage.url}/c/pay/${session.id}`,
    });
    expect(session.line_items).toBeUndefined();
    const { line_items } = await tenant.stripe.checkout.sessions.retrieve(session.id, { expand: ["line_items"] });
    expect(line_items?.data).toMatchObject([
      { object: "item", quantity: 2, amount_total: 2400, description: "Plan for 1200" },
    ]);
  });

  it("make a paid subscription, which begins incomplete in what the events tell", async () => {
    const tenant = await newTenant();
    const session = await tenant.openCheckout(await tenant.newPrice(), {
      subscription_data: { metadata: { org: "1" } },
    });
    const { body } = await tenant.control("POST", "checkout", { session: session.id, outcome: "paid" });
    expect(body).toMatchObject({ status: "complete", payment_status: "paid", url: null });
    const subscription = await tenant.stripe.subscriptions.retrieve(body.subscription);
    expect(subscription).toMatchObject({ status: "active", metadata: { org: "1" }, customer: session.customer });
    expect(periodOf(subscription)).toEqual(["2027-01-10", "2027-02-10"]);
    const events = await tenant.events(
      "customer.subscription.created",
      "customer.subscription.updated",
      "checkout.session.completed",
    );
    expect(events.map(({ type, data }) => [type, data.object.status])).toEqual([
      ["customer.subscription.created", "incomplete"],
      ["customer.subscription.updated", "active"],
      ["checkout.session.completed", "complete"],
    ]);
    const [invoice] = await tenant.invoicesOf(subscription);
    expect(invoice).toMatchObject({
      status: "paid",
      billing_reason: "subscription_create",
      number: expect.stringMatching(/^[A-Z0-9]{8}-0001$/),
      total: 2400,
      amount_paid: 2400,
      attempt_count: 1,
      parent: { subscription_details: { subscription: subscription.id, metadata: { org: "1" } } },
      lines: { data: [{ amount: 2400, quantity: 2, pricing: { price_details: { price: expect.any(String) } } }] },
      status_transitions: { finalized_at: at("2027-01-10T12:00:00Z"), paid_at: at("2027-01-10T12:00:00Z") },
    });
  });

  it("begin a trial, whose invoice is of nothing", async () => {
    const tenant = await newTenant();
    const session = await tenant.openCheckout(await tenant.newPrice(), {
      subscription_data: { trial_period_days: 14 },
    });
    expect(session.amount_total).toBe(0);
    const { body } = await tenant.control("POST", "checkout", { session: session.id, outcome: "paid" });
    expect(body).toMatchObject({ status: "complete", payment_status: "no_payment_required" });
    const subscription = await tenant.stripe.subscriptions.retrieve(body.subscription);
    expect(subscription).toMatchObject({ status: "trialing", trial_end: at("2027-01-24T12:00:00Z") });
    expect(periodOf(subscription)).toEqual(["2027-01-10", "2027-01-24"]);
    expect(await tenant.invoicesOf(subscription)).toMatchObject([{ status: "paid", total: 0 }]);
  });

  it("begin a trial without a card where that is enough", async () => {
    const tenant = await newTenant();
    const session = await tenant.openCheckout(await tenant.newPrice(), {
      payment_method_collection: "if_required",
      subscription_data: {
        trial_period_days: 7,
        trial_settings: { end_behavior: { missing_payment_method: "cancel" } },
      },
    });
    const { body } = await tenant.control("POST", "checkout", { session: session.id, outcome: "paid" });
    await tenant.passDays(7);
    expect((await tenant.stripe.subscriptions.retrieve(body.subscription)).status).toBe("canceled");
  });

  it("stay open when the card is declined, and can be paid after all", async () => {
    const tenant = await newTenant();
    const session = await tenant.openCheckout(await tenant.newPrice());
    const declined = await tenant.control("POST", "checkout", { session: session.id, outcome: "declined" });
    expect(declined.body).toMatchObject({ status: "open", subscription: null });
    const customer = idOf(session.customer);
    const list = () => tenant.stripe.subscriptions.list({ customer, status: "all" });
    expect((await list()).data).toMatchObject([{ status: "incomplete" }]);
    expect(await tenant.eventTypes()).toContain("invoice.payment_failed");
    await tenant.control("POST", "checkout", { session: session.id, outcome: "paid" });
    expect((await list()).data).toMatchObject([{ status: "active" }]);
    expect((await tenant.stripe.invoices.list({ customer })).data).toMatchObject([
      { status: "paid", attempt_count: 1 },
    ]);
  });

  it("leave nothing when the card for a trial is declined", async () => {
    const tenant = await newTenant();
    const session = await tenant.openCheckout(await tenant.newPrice(), {
      subscription_data: { trial_period_days: 14 },
    });
    await tenant.control("POST", "checkout", { session: session.id, outcome: "declined" });
    expect((await tenant.stripe.subscriptions.list({ status: "all" })).data).toEqual([]);
    expect((await tenant.stripe.checkout.sessions.retrieve(session.id)).status).toBe("open");
  });

  it("expire after a day, or when told to, and then can be neither paid nor expired", async () => {
    const tenant = await newTenant();
    const price = await tenant.newPrice();
    const [one, other] = [await tenant.openCheckout(price), await tenant.openCheckout(price)];
    expect(await tenant.stripe.checkout.sessions.expire(one.id)).toMatchObject({ status: "expired", url: null });
    await tenant.passDays(1);
    expect((await tenant.stripe.checkout.sessions.retrieve(other.id)).status).toBe("expired");
    expect(await tenant.events("checkout.session.expired")).toHaveLength(2);
    for (const { id } of [one, other]) {
      expect((await failureOf(tenant.stripe.checkout.sessions.expire(id))).statusCode).toBe(400);
      expect((await tenant.control("POST", "checkout", { session: id, outcome: "paid" })).status).toBe(400);
    }
  });

  it("expire when they were made to, within half an hour and a day", async () => {
    const tenant = await newTenant();
    const price = await tenant.newPrice();
    const expires_at = at("2027-01-10T13:00:00Z");
    expect((await tenant.openCheckout(price, { expires_at })).expires_at).toBe(expires_at);
    for (const wrong of [at("2027-01-10T12:29:59Z"), at("2027-01-11T12:00:01Z")]) {
      expect((await failureOf(tenant.openCheckout(price, { expires_at: wrong }))).param).toBe("expires_at");
    }
  });

  it("let two in parallel make two subscriptions, as Stripe does", async () => {
    const tenant = await newTenant();
    const price = await tenant.newPrice();
    const { id: customer } = await tenant.newCustomer(null);
    for (const session of [
      await tenant.openCheckout(price, { customer }),
      await tenant.openCheckout(price, { customer }),
    ]) {
      await tenant.control("POST", "checkout", { session: session.id, outcome: "paid" });
    }
    expect((await tenant.stripe.subscriptions.list({ customer })).data).toHaveLength(2);
  });

  it.each([
    ["another's customer", { customer: "cus_none" }, "customer"],
    ["a price that is not there", { line_items: [{ price: "price_none" }] }, "line_items[0][price]"],
    ["automatic tax without an address", { automatic_tax: { enabled: true } }, "customer"],
    ["tax ids without leave to save the name", { tax_id_collection: { enabled: true } }, "customer_update[name]"],
    ["no address to come back to", { success_url: "" }, "success_url"],
  ])("refuse %s with 400", async (_, params, param) => {
    const tenant = await newTenant();
    const error = await failureOf(tenant.openCheckout(await tenant.newPrice(), params));
    expect([error.statusCode, error.param]).toEqual([400, param]);
  });

  it("refuse prices that are paid once, or are not sold any more", async () => {
    const tenant = await newTenant();
    const { stripe } = tenant;
    const once = await stripe.prices.create({ currency: "usd", unit_amount: 1, product_data: { name: "Once" } });
    const retired = await tenant.newPrice();
    await stripe.prices.update(retired.id, { active: false });
    for (const price of [once, retired]) expect((await failureOf(tenant.openCheckout(price))).statusCode).toBe(400);
  });
});
