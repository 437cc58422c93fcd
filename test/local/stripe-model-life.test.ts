import { afterAll, beforeAll, describe, expect, it } from "vitest";

import type { StripeServer } from "../../scripts/local/stripe.ts";
import {
  at,
  failureOf,
  openStage,
  periodOf,
  type SubscribeOptions,
  subscriberAt,
  Tenant,
} from "./stripe-model-support.ts";

let stage: StripeServer;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage.close());

const begin = (iso: string, options: SubscribeOptions = {}, price: object = {}) =>
  subscriberAt(stage, iso, options, price);

describe("renewals", () => {
  it("count months from where the subscription began: 31 January, 28 February, 31 March", async () => {
    const { tenant, read, invoices } = await begin("2027-01-31T15:00:00Z");
    const periods = [periodOf(await read())];
    for (const date of ["2027-02-28T15:00:00Z", "2027-03-31T15:00:00Z", "2027-04-30T15:00:00Z"]) {
      await tenant.moveTo(date);
      periods.push(periodOf(await read()));
    }
    expect(periods).toEqual([
      ["2027-01-31", "2027-02-28"],
      ["2027-02-28", "2027-03-31"],
      ["2027-03-31", "2027-04-30"],
      ["2027-04-30", "2027-05-31"],
    ]);
    expect(
      (await invoices()).map(({ billing_reason, status, number }) => [billing_reason, status, number?.slice(-4)]),
    ).toEqual([
      ["subscription_create", "paid", "0001"],
      ["subscription_cycle", "paid", "0002"],
      ["subscription_cycle", "paid", "0003"],
      ["subscription_cycle", "paid", "0004"],
    ]);
  });

  it.each([
    ["2028-02-29T00:00:00Z", { interval: "year" }, "2029-02-28"],
    ["2027-01-01T00:00:00Z", { interval: "week" }, "2027-01-08"],
    ["2027-01-31T00:00:00Z", { interval: "month", interval_count: 3 }, "2027-04-30"],
  ])("come from %s after %j on %s", async (iso, recurring, end) => {
    const { read } = await begin(iso, {}, { recurring });
    expect(periodOf(await read())[1]).toBe(end);
  });

  it("are all made up for when the clock leaps, each with the time when it was due", async () => {
    const { tenant, invoices } = await begin("2027-01-31T00:00:00Z");
    await tenant.moveTo("2027-05-01T00:00:00Z");
    expect((await invoices()).map(({ created }) => created)).toEqual(
      ["2027-01-31", "2027-02-28", "2027-03-31", "2027-04-30"].map((date) => at(`${date}T00:00:00Z`)),
    );
  });

  it("can be drafts for an hour, as at Stripe", async () => {
    const { tenant, invoices, read } = await begin("2027-01-31T00:00:00Z");
    await tenant.control("POST", "settings", { draftSeconds: 3600 });
    await tenant.moveTo("2027-02-28T00:30:00Z");
    expect((await invoices()).at(-1)).toMatchObject({ status: "draft", number: null, amount_paid: 0 });
    expect((await read()).status).toBe("active");
    await tenant.moveTo("2027-02-28T01:00:00Z");
    expect((await invoices()).at(-1)).toMatchObject({ status: "paid", number: expect.any(String) });
  });
});

describe("trials", () => {
  it("are told of 3 days before they end, and then paid for", async () => {
    const { tenant, read, invoices } = await begin("2027-01-10T00:00:00Z", { trial_period_days: 14 });
    await tenant.moveTo("2027-01-20T23:59:59Z");
    expect(await tenant.events("customer.subscription.trial_will_end")).toHaveLength(0);
    await tenant.moveTo("2027-01-21T00:00:00Z");
    expect(await tenant.events("customer.subscription.trial_will_end")).toHaveLength(1);
    await tenant.moveTo("2027-01-24T00:00:00Z");
    const subscription = await read();
    expect(subscription).toMatchObject({ status: "active", billing_cycle_anchor: at("2027-01-24T00:00:00Z") });
    expect(periodOf(subscription)).toEqual(["2027-01-24", "2027-02-24"]);
    expect((await invoices()).map(({ total, status }) => [total, status])).toEqual([
      [0, "paid"],
      [1200, "paid"],
    ]);
    expect(await tenant.events("customer.subscription.trial_will_end")).toHaveLength(1);
  });

  it("can be ended now", async () => {
    const { tenant, id, invoices } = await begin("2027-01-10T00:00:00Z", { trial_period_days: 14 });
    await tenant.moveTo("2027-01-12T00:00:00Z");
    const subscription = await tenant.stripe.subscriptions.update(id, { trial_end: "now" });
    expect(subscription).toMatchObject({ status: "active", trial_end: at("2027-01-12T00:00:00Z") });
    expect(periodOf(subscription)).toEqual(["2027-01-12", "2027-02-12"]);
    expect((await invoices()).at(-1)).toMatchObject({ total: 1200, status: "paid" });
  });

  it("can end later, which is told of again", async () => {
    const { tenant, id, read } = await begin("2027-01-10T00:00:00Z", { trial_period_days: 2 });
    expect(await tenant.events("customer.subscription.trial_will_end")).toHaveLength(1);
    await tenant.stripe.subscriptions.update(id, { trial_end: at("2027-01-20T00:00:00Z") });
    await tenant.moveTo("2027-01-19T00:00:00Z");
    expect(await tenant.events("customer.subscription.trial_will_end")).toHaveLength(2);
    expect(await read()).toMatchObject({ status: "trialing" });
    for (const trial_end of [at("2027-01-18T00:00:00Z"), at("2027-01-19T00:00:00Z")]) {
      expect((await failureOf(tenant.stripe.subscriptions.update(id, { trial_end }))).param).toBe("trial_end");
    }
    await tenant.moveTo("2027-01-20T00:00:00Z");
    expect(periodOf(await read())).toEqual(["2027-01-20", "2027-02-20"]);
  });

  it.each([
    ["cancel", "canceled", 1],
    ["pause", "paused", 1],
    ["create_invoice", "past_due", 2],
  ] as const)("without a card: %s makes it %s", async (missing_payment_method, status, count) => {
    const trial_settings = { end_behavior: { missing_payment_method } };
    const { tenant, read, invoices } = await begin("2027-01-10T00:00:00Z", {
      card: null,
      trial_period_days: 7,
      trial_settings,
    });
    await tenant.moveTo("2027-01-17T00:00:00Z");
    expect((await read()).status).toBe(status);
    expect(await invoices()).toHaveLength(count);
  });

  it("that are paused stand still until they are resumed and paid for", async () => {
    const trial_settings = { end_behavior: { missing_payment_method: "pause" } };
    const { tenant, id, customer, read } = await begin("2027-01-10T00:00:00Z", {
      card: null,
      trial_period_days: 7,
      trial_settings,
    });
    await tenant.moveTo("2027-02-10T00:00:00Z");
    expect(await read()).toMatchObject({
      status: "paused",
      status_details: { paused: { transitioned_at: at("2027-01-17T00:00:00Z") } },
    });
    await tenant.setCard(customer, "good");
    const resumed = await tenant.stripe.subscriptions.resume(id);
    expect([resumed.status, ...periodOf(resumed)]).toEqual(["active", "2027-02-10", "2027-03-10"]);
    expect((await tenant.eventTypes()).filter((type) => /paused|resumed/.test(type))).toEqual([
      "customer.subscription.paused",
      "customer.subscription.resumed",
    ]);
    expect((await failureOf(tenant.stripe.subscriptions.resume(id))).statusCode).toBe(400);
  });
});

describe("resuming", () => {
  it("leaves a subscription paused that is not paid for, and gives up after 23 hours", async () => {
    const trial_settings = { end_behavior: { missing_payment_method: "pause" } };
    const options = { card: null, trial_period_days: 7, trial_settings };
    const { tenant, id, customer, read, invoices } = await begin("2027-01-10T00:00:00Z", options);
    await tenant.moveTo("2027-01-20T00:00:00Z");
    await tenant.setCard(customer, "declining");
    expect((await tenant.stripe.subscriptions.resume(id)).status).toBe("paused");
    expect((await invoices()).at(-1)).toMatchObject({ status: "open", next_payment_attempt: null });
    await tenant.moveTo("2027-01-20T23:00:00Z");
    expect([(await read()).status, (await invoices()).at(-1)?.status]).toEqual(["paused", "void"]);
  });
});

describe("test clocks", () => {
  it("can begin at any time, and then go only forward", async () => {
    const tenant = new Tenant(stage);
    await tenant.moveTo("2001-01-01T00:00:00Z");
    expect((await tenant.control("GET", "clock")).body).toEqual({ now: at("2001-01-01T00:00:00Z"), frozen: true });
    expect((await tenant.newCustomer()).created).toBe(at("2001-01-01T00:00:00Z"));
    expect((await tenant.control("POST", "clock", { to: at("2000-12-31T23:59:59Z") })).status).toBe(400);
  });

  it("freeze and advance an account's time through the API", async () => {
    const tenant = new Tenant(stage);
    const { testClocks } = tenant.stripe.testHelpers;
    const clock = await testClocks.create({ frozen_time: at("2027-01-31T00:00:00Z"), name: "Ours" });
    expect(clock).toMatchObject({ status: "ready", name: "Ours", frozen_time: at("2027-01-31T00:00:00Z") });
    const { id, created } = await tenant.subscribe(await tenant.newPrice());
    expect(created).toBe(at("2027-01-31T00:00:00Z"));
    expect((await testClocks.advance(clock.id, { frozen_time: at("2027-03-01T00:00:00Z") })).status).toBe("advancing");
    expect(await testClocks.retrieve(clock.id)).toMatchObject({
      status: "ready",
      frozen_time: at("2027-03-01T00:00:00Z"),
    });
    expect(periodOf(await tenant.stripe.subscriptions.retrieve(id))).toEqual(["2027-02-28", "2027-03-31"]);
    expect((await failureOf(testClocks.advance(clock.id, { frozen_time: 1 }))).statusCode).toBe(400);
    expect((await failureOf(testClocks.create({ frozen_time: 1 }))).statusCode).toBe(400);
  });
});
