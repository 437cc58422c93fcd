import { afterAll, beforeAll, describe, expect, it } from "vitest";

import type { StripeServer } from "../../scripts/local/stripe.ts";
import { failureOf, openStage, Tenant } from "./stripe-model-support.ts";

let stage: StripeServer;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage.close());

/** A customer without a card, and what is done about that with Stripe's API alone. */
async function newCardless() {
  const tenant = new Tenant(stage);
  const { id } = await tenant.newCustomer(null);
  const attach = (method: string) => tenant.stripe.paymentMethods.attach(method, { customer: id });
  const choose = (method: string, customer = id) =>
    tenant.stripe.customers.update(customer, { invoice_settings: { default_payment_method: method } });
  const subscribe = async () => {
    const price = await tenant.newPrice();
    return (await tenant.stripe.subscriptions.create({ customer: id, items: [{ price: price.id }] })).status;
  };
  return { tenant, id, attach, choose, subscribe };
}

describe("a card", () => {
  it.each([
    ["pm_card_visa", "active"],
    ["pm_card_chargeCustomerFail", "incomplete"],
  ])("%s is charged once it is attached and chosen: %s", async (name, status) => {
    const { tenant, id, attach, choose, subscribe } = await newCardless();
    const attached = await attach(name);
    expect(attached).toMatchObject({ object: "payment_method", type: "card", customer: id });
    const { invoice_settings } = await choose(attached.id);
    expect(invoice_settings.default_payment_method).toBe(attached.id);
    expect(await subscribe()).toBe(status);
    expect(await tenant.eventTypes()).toEqual(expect.arrayContaining(["payment_method.attached", "customer.updated"]));
  });

  it("is not charged while it is only attached", async () => {
    const { attach, subscribe } = await newCardless();
    await attach("pm_card_visa");
    expect(await subscribe()).toBe("incomplete");
  });

  it("is none that nobody knows", async () => {
    const { attach, choose } = await newCardless();
    expect(await failureOf(attach("pm_card_of_nobody"))).toMatchObject({ statusCode: 404, code: "resource_missing" });
    expect(await failureOf(choose("pm_of_nobody"))).toMatchObject({ code: "resource_missing" });
  });

  it("is of the customer alone that it was attached to", async () => {
    const { tenant, attach, choose } = await newCardless();
    const { id: other } = await tenant.newCustomer(null);
    const { id } = await attach("pm_card_visa");
    expect((await failureOf(choose(id, other))).statusCode).toBe(400);
  });
});

it("a customer goes by a clock that there is", async () => {
  const { stripe } = new Tenant(stage);
  const failure = await failureOf(stripe.customers.create({ test_clock: "clock_of_nobody" }));
  expect(failure).toMatchObject({ code: "resource_missing", param: "test_clock" });
  const clock = await stripe.testHelpers.testClocks.create({ frozen_time: 1_800_000_000 });
  expect((await stripe.customers.create({ test_clock: clock.id })).test_clock).toBe(clock.id);
});
