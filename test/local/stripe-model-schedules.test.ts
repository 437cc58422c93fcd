import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Stripe } from "stripe";

import type { StripeServer } from "../../scripts/local/stripe.ts";
import { at, failureOf, openStage, periodOf, Tenant, type SubscribeOptions } from "./stripe-model-support.ts";

let stage: StripeServer;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage.close());

/** A subscription with a schedule that makes it cheaper at the end of its period. */
async function begin(options: SubscribeOptions = {}) {
  const tenant = new Tenant(stage);
  const { subscriptionSchedules, subscriptions } = tenant.stripe;
  await tenant.moveTo("2027-04-01T00:00:00Z");
  const [dear, cheap] = [await tenant.newPrice(3000), await tenant.newPrice(1000)];
  const { id, items } = await tenant.subscribe(dear, options);
  const schedule = await subscriptionSchedules.create({ from_subscription: id });
  const [current] = schedule.phases;
  const { start_date, end_date, trial_end } = current ?? { start_date: 0, end_date: 0, trial_end: null };
  const phases: Stripe.SubscriptionScheduleUpdateParams.Phase[] = [
    { items: [{ price: dear.id, quantity: 1 }], start_date, end_date, ...(trial_end !== null && { trial_end }) },
    { items: [{ price: cheap.id, quantity: 1 }], proration_behavior: "none" },
  ];
  const read = () => subscriptions.retrieve(id, { expand: ["schedule"] });
  const readSchedule = () => subscriptionSchedules.retrieve(schedule.id);
  const update = (given = phases) =>
    subscriptionSchedules.update(schedule.id, { phases: given, end_behavior: "release" });
  return { tenant, id, item: items.data[0]?.id, dear, cheap, schedule, phases, read, readSchedule, update };
}

describe("subscription schedules", () => {
  it("begin with what the subscription has, for as long as its period", async () => {
    const { id, dear, schedule, tenant } = await begin();
    const dates = { start_date: at("2027-04-01T00:00:00Z"), end_date: at("2027-05-01T00:00:00Z") };
    expect(schedule).toMatchObject({
      id: expect.stringMatching(/^sub_sched_/),
      status: "active",
      subscription: id,
      end_behavior: "release",
      current_phase: dates,
      phases: [{ ...dates, items: [{ price: dear.id, quantity: 1 }] }],
    });
    const { data } = await tenant.stripe.subscriptions.list({ expand: ["data.schedule"] });
    expect(data).toMatchObject([{ schedule: { id: schedule.id, object: "subscription_schedule" } }]);
    expect((await failureOf(tenant.stripe.subscriptionSchedules.create({ from_subscription: id }))).statusCode).toBe(
      400,
    );
  });

  it("change the price at the end of the period, whose renewal is billed at the new one", async () => {
    const { tenant, id, item, cheap, schedule, read, readSchedule, update } = await begin();
    await update();
    await tenant.moveTo("2027-04-30T23:59:59Z");
    expect((await read()).items.data).toMatchObject([{ price: { unit_amount: 3000 } }]);
    await tenant.moveTo("2027-05-01T00:00:00Z");
    const subscription = await read();
    expect(subscription.items.data).toMatchObject([{ id: item, price: { id: cheap.id } }]);
    expect(periodOf(subscription)).toEqual(["2027-05-01", "2027-06-01"]);
    expect((await tenant.invoicesOf({ id })).map(({ total }) => total)).toEqual([3000, 1000]);
    expect((await readSchedule()).current_phase?.start_date).toBe(at("2027-05-01T00:00:00Z"));
    await tenant.moveTo("2027-06-01T00:00:00Z");
    expect(await readSchedule()).toMatchObject({
      status: "released",
      subscription: null,
      released_subscription: id,
      current_phase: null,
    });
    expect(await read()).toMatchObject({ status: "active", schedule: null });
    expect((await tenant.invoicesOf({ id })).map(({ total }) => total)).toEqual([3000, 1000, 1000]);
    expect((await tenant.events("subscription_schedule.released"))[0].data.object.id).toBe(schedule.id);
  });

  it("keep everybody else from changing items and the end, until they are released", async () => {
    const { tenant, id, item, read, schedule, update } = await begin();
    await update();
    const { subscriptions, subscriptionSchedules } = tenant.stripe;
    const items = [{ id: item ?? "", quantity: 2 }];
    for (const params of [{ items }, { cancel_at_period_end: true }]) {
      const error = await failureOf(subscriptions.update(id, params));
      expect([error.statusCode, error.message]).toEqual([400, expect.stringContaining(schedule.id)]);
    }
    expect((await subscriptions.update(id, { metadata: { a: "b" } })).metadata).toEqual({ a: "b" });
    expect(await subscriptionSchedules.release(schedule.id)).toMatchObject({ status: "released", subscription: null });
    expect((await subscriptions.update(id, { items })).items.data).toMatchObject([{ quantity: 2 }]);
    await tenant.moveTo("2027-05-01T00:00:00Z");
    expect((await read()).items.data).toMatchObject([{ price: { unit_amount: 3000 }, quantity: 2 }]);
    expect((await failureOf(subscriptionSchedules.release(schedule.id))).statusCode).toBe(400);
    expect((await failureOf(update())).statusCode).toBe(400);
  });

  it("keep the items whose prices stay, whatever the order of the phase's", async () => {
    const { tenant, id, item, dear, cheap, schedule, phases } = await begin();
    const [current] = phases;
    const both = [{ price: cheap.id }, { price: dear.id, quantity: 2 }];
    const wanted = current ? [current, { items: both, end_date: at("2027-06-01T00:00:00Z") }] : [];
    await tenant.stripe.subscriptionSchedules.update(schedule.id, { phases: wanted });
    await tenant.moveTo("2027-05-01T00:00:00Z");
    const { items } = await tenant.stripe.subscriptions.retrieve(id);
    expect(items.data).toMatchObject([
      { price: { id: cheap.id }, quantity: 1 },
      { id: item, price: { id: dear.id }, quantity: 2 },
    ]);
    expect(items.data[0]?.id).not.toBe(item);
  });

  it("go with a subscription that is canceled", async () => {
    const { tenant, id, readSchedule, update } = await begin();
    await update();
    await tenant.stripe.subscriptions.cancel(id);
    expect(await readSchedule()).toMatchObject({ status: "canceled", current_phase: null });
    await tenant.moveTo("2027-05-01T00:00:00Z");
    expect((await tenant.stripe.subscriptions.retrieve(id)).status).toBe("canceled");
  });

  it("can end the subscription with their last phase", async () => {
    const { tenant, id, schedule, readSchedule } = await begin();
    await tenant.stripe.subscriptionSchedules.update(schedule.id, { end_behavior: "cancel" });
    await tenant.moveTo("2027-05-01T00:00:00Z");
    expect((await readSchedule()).status).toBe("completed");
    expect((await tenant.stripe.subscriptions.retrieve(id)).status).toBe("canceled");
  });

  it("leave a trial alone that their phase repeats, and end one that it leaves out", async () => {
    const one = await begin({ trial_period_days: 14 });
    await one.update();
    expect(await one.read()).toMatchObject({ status: "trialing", trial_end: at("2027-04-15T00:00:00Z") });
    await one.tenant.moveTo("2027-04-15T00:00:00Z");
    expect(await one.read()).toMatchObject({ status: "active", items: { data: [{ price: { unit_amount: 1000 } }] } });
    const other = await begin({ trial_period_days: 14 });
    for (const phase of other.phases) delete phase.trial_end;
    await other.update();
    expect((await other.read()).status).toBe("active");
  });

  it.each([
    ["without the current phase's start", { start_date: undefined }, "phases[0][start_date]"],
    ["with another start of the current phase", { start_date: 1 }, "phases[0][start_date]"],
    ["that end before they begin", { end_date: 1 }, "phases[0][end_date]"],
    ["with a price that is not there", { items: [{ price: "price_none" }] }, "phases[0][items][0][price]"],
    ["with what this model does not know", { coupon: "x" }, "phases[0][coupon]"],
  ])("refuse phases %s with 400", async (_, change, param) => {
    const { phases, update } = await begin();
    // What the SDK's types would not let pass.
    const wrong = phases.map((phase, i) => (i === 0 ? Object.assign(phase, change) : phase));
    const error = await failureOf(update(wrong));
    expect([error.statusCode, error.param]).toEqual([400, param]);
  });
});
