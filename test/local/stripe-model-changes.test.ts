import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Stripe } from "stripe";

import type { StripeServer } from "../../scripts/local/stripe.ts";
import { at, failureOf, idOf, openStage, periodOf, type SubscribeOptions, Tenant } from "./stripe-model-support.ts";

let stage: StripeServer;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage.close());

/** Half of a period of 30 days in, of two seats for 12.00 each. */
async function begin(options: SubscribeOptions = {}) {
  const tenant = new Tenant(stage);
  await tenant.moveTo("2027-04-01T00:00:00Z");
  const begun = await tenant.subscribe(await tenant.newPrice(1200), { quantity: 2, ...options });
  const { id } = begun;
  const customer = idOf(begun.customer);
  const item = begun.items.data[0]?.id ?? "";
  await tenant.moveTo("2027-04-16T00:00:00Z");
  const update = (params: Stripe.SubscriptionUpdateParams) => tenant.stripe.subscriptions.update(id, params);
  const read = () => tenant.stripe.subscriptions.retrieve(id);
  return { tenant, id, item, customer, update, read, invoices: () => tenant.invoicesOf({ id }) };
}

const linesOf = (invoice: Stripe.Invoice | undefined) =>
  invoice?.lines.data.map(({ amount, parent }) => [amount, parent?.subscription_item_details?.proration]);

describe("another price or quantity", () => {
  it("is billed at once with always_invoice, by what is left of the period", async () => {
    const { tenant, item, update, invoices } = await begin();
    const price = (await tenant.newPrice(3000)).id;
    const subscription = await update({ items: [{ id: item, price }], proration_behavior: "always_invoice" });
    expect(subscription.items.data).toMatchObject([{ id: item, price: { id: price }, quantity: 2 }]);
    expect(periodOf(subscription)).toEqual(["2027-04-01", "2027-05-01"]);
    const invoice = (await invoices()).at(-1);
    expect(invoice).toMatchObject({ billing_reason: "subscription_update", total: 1800, status: "paid" });
    expect(linesOf(invoice)).toEqual([
      [-1200, true],
      [3000, true],
    ]);
    expect(subscription.latest_invoice).toBe(invoice?.id);
  });

  it("is billed with the renewal by default", async () => {
    const { tenant, item, update, invoices } = await begin();
    await update({ items: [{ id: item, quantity: 4 }] });
    expect(await invoices()).toHaveLength(1);
    await tenant.moveTo("2027-05-01T00:00:00Z");
    expect(linesOf((await invoices()).at(-1))).toEqual([
      [-1200, true],
      [2400, true],
      [4800, false],
    ]);
    await tenant.moveTo("2027-06-01T00:00:00Z");
    expect((await invoices()).at(-1)?.total).toBe(4800);
  });

  it("is not billed for this period with none", async () => {
    const { tenant, item, update, invoices } = await begin();
    await update({ items: [{ id: item, quantity: 4 }], proration_behavior: "none" });
    await tenant.moveTo("2027-05-01T00:00:00Z");
    expect((await invoices()).map(({ total }) => total)).toEqual([2400, 4800]);
  });

  it("makes a downgrade's difference the customer's credit, which the next invoice uses up", async () => {
    const { tenant, item, customer, update, invoices } = await begin();
    await update({ items: [{ id: item, quantity: 1 }], proration_behavior: "always_invoice" });
    expect((await invoices()).at(-1)).toMatchObject({ total: -600, amount_due: 0, status: "paid" });
    expect(await tenant.stripe.customers.retrieve(customer)).toMatchObject({ balance: -600 });
    await tenant.moveTo("2027-05-01T00:00:00Z");
    expect((await invoices()).at(-1)).toMatchObject({ total: 1200, starting_balance: -600, amount_paid: 600 });
    expect(await tenant.stripe.customers.retrieve(customer)).toMatchObject({ balance: 0 });
  });

  it("with another interval begins a new period at once", async () => {
    const { tenant, item, update, invoices } = await begin();
    const price = (await tenant.newPrice(10_000, { recurring: { interval: "year" } })).id;
    const subscription = await update({ items: [{ id: item, price }] });
    expect(periodOf(subscription)).toEqual(["2027-04-16", "2028-04-16"]);
    expect(subscription.billing_cycle_anchor).toBe(at("2027-04-16T00:00:00Z"));
    expect(linesOf((await invoices()).at(-1))).toEqual([
      [-1200, true],
      [20_000, false],
    ]);
  });

  it("out of a free plan is paid for at once", async () => {
    const tenant = new Tenant(stage);
    const { id, items } = await tenant.subscribe(await tenant.newPrice(0), { card: "good" });
    const price = (await tenant.newPrice(900)).id;
    await tenant.stripe.subscriptions.update(id, { items: [{ id: items.data[0]?.id ?? "", price }] });
    expect((await tenant.invoicesOf({ id })).map(({ total, status }) => [total, status])).toEqual([
      [0, "paid"],
      [900, "paid"],
    ]);
  });

  it("costs nothing in a trial", async () => {
    const { tenant, item, update, invoices } = await begin({ trial_period_days: 30 });
    await update({ items: [{ id: item, quantity: 4 }], proration_behavior: "always_invoice" });
    await tenant.moveTo("2027-05-01T00:00:00Z");
    expect((await invoices()).map(({ total }) => total)).toEqual([0, 4800]);
  });

  it("adds and removes items", async () => {
    const { tenant, item, update } = await begin();
    const price = (await tenant.newPrice(500)).id;
    const more = await update({ items: [{ price, quantity: 3 }] });
    expect(more.items.data).toMatchObject([{ id: item }, { price: { id: price }, quantity: 3 }]);
    expect((await update({ items: [{ id: item, deleted: true }] })).items.data).toMatchObject([
      { price: { id: price } },
    ]);
    expect((await failureOf(update({ items: [{ price }] }))).param).toBe("items[0][price]");
    expect((await failureOf(update({ items: [{ id: "si_none", quantity: 1 }] }))).code).toBe("resource_missing");
  });
});

describe("a change that the card does not pay for", () => {
  const decline = async () => {
    const begun = await begin();
    await begun.tenant.setCard(begun.customer, "declining");
    const change = (payment_behavior: Stripe.SubscriptionUpdateParams.PaymentBehavior) =>
      begun.update({
        items: [{ id: begun.item, quantity: 4 }],
        proration_behavior: "always_invoice",
        payment_behavior,
      });
    return { ...begun, change };
  };
  const quantity = ({ items }: Stripe.Subscription) => items.data[0]?.quantity;

  it("stands, and is past due, with allow_incomplete", async () => {
    const { change, invoices } = await decline();
    const subscription = await change("allow_incomplete");
    expect([subscription.status, quantity(subscription)]).toEqual(["past_due", 4]);
    expect((await invoices()).at(-1)).toMatchObject({ status: "open", attempt_count: 1 });
  });

  it("stands, and waits for somebody to pay, with default_incomplete", async () => {
    const { change, invoices } = await decline();
    const subscription = await change("default_incomplete");
    expect([subscription.status, quantity(subscription)]).toEqual(["past_due", 4]);
    expect((await invoices()).at(-1)).toMatchObject({ status: "open", attempt_count: 0 });
  });

  it("is refused with error_if_incomplete", async () => {
    const { change, read, invoices } = await decline();
    expect((await failureOf(change("error_if_incomplete"))).statusCode).toBe(402);
    expect([quantity(await read()), (await invoices()).length]).toEqual([2, 1]);
  });

  it("waits for its invoice with pending_if_incomplete, and is made when that is paid", async () => {
    const { tenant, customer, change, read, invoices } = await decline();
    const subscription = await change("pending_if_incomplete");
    expect(subscription).toMatchObject({
      status: "active",
      items: { data: [{ quantity: 2 }] },
      pending_update: { subscription_items: [{ quantity: 4 }], expires_at: at("2027-04-16T23:00:00Z") },
    });
    const invoice = (await invoices()).at(-1);
    expect(invoice).toMatchObject({ id: subscription.latest_invoice, status: "open", next_payment_attempt: null });
    await tenant.setCard(customer, "good");
    await tenant.stripe.invoices.pay(invoice?.id ?? "");
    expect(await read()).toMatchObject({ status: "active", items: { data: [{ quantity: 4 }] }, pending_update: null });
    expect(await tenant.events("customer.subscription.pending_update_applied")).toHaveLength(1);
  });

  it("is given up for another change", async () => {
    const { tenant, customer, item, change, update, invoices } = await decline();
    await change("pending_if_incomplete");
    await tenant.setCard(customer, "good");
    const subscription = await update({ items: [{ id: item, quantity: 3 }], proration_behavior: "always_invoice" });
    expect([quantity(subscription), subscription.pending_update]).toEqual([3, null]);
    expect((await invoices()).map(({ status }) => status)).toEqual(["paid", "void", "paid"]);
  });

  it("is given up after 23 hours", async () => {
    const { tenant, change, read, invoices } = await decline();
    await change("pending_if_incomplete");
    await tenant.moveTo("2027-04-16T23:00:00Z");
    expect(await read()).toMatchObject({ status: "active", items: { data: [{ quantity: 2 }] }, pending_update: null });
    expect((await invoices()).at(-1)?.status).toBe("void");
    expect(await tenant.events("customer.subscription.pending_update_expired")).toHaveLength(1);
  });

  it("can be nothing but a change of items with pending_if_incomplete", async () => {
    const { update, item } = await decline();
    const items = [{ id: item, quantity: 4 }];
    const error = await failureOf(update({ items, payment_behavior: "pending_if_incomplete", metadata: { a: "b" } }));
    expect([error.statusCode, error.param]).toEqual([400, "metadata"]);
  });

  it("is made at once with pending_if_incomplete when the card is good", async () => {
    const { tenant, customer, change } = await decline();
    await tenant.setCard(customer, "good");
    const subscription = await change("pending_if_incomplete");
    expect([quantity(subscription), subscription.pending_update]).toEqual([4, null]);
  });
});
