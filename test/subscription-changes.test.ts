import { describe, expect, it } from "vitest";
import { expectProblem } from "./support/problems.ts";
import { daysBetween, free, instant, newPayer, newTeamCustomer } from "./support/subscribers.ts";
import { givePrice, newCustomer } from "./support/subscriptions.ts";

describe("POST /v1/organizations/{organizationId}/subscription/change", () => {
  it("moves at once on trial, which goes on, and asks for nothing", async () => {
    const customer = await newTeamCustomer({ trialDays: 14 });
    const { body: trial } = await customer.subscribe(customer.priceId);
    const { planId, priceId } = await givePrice({ trialDays: 7 }, { unitAmount: 9900 });
    const { status, body } = await customer.change(priceId);
    expect([status, body]).toMatchObject([
      200,
      { id: trial.id, status: "trialing", plan: { id: planId }, trialEndsAt: trial.trialEndsAt },
    ]);
    expect(await customer.entitledPlan()).toBe(planId);
    expect(await customer.invoices()).toEqual([]);
  });

  it("moves when the trial ends to a plan that has none", async () => {
    const customer = await newTeamCustomer({ trialDays: 14 });
    await customer.subscribe(customer.priceId);
    const { planId, priceId } = await givePrice({}, { unitAmount: 9900 });
    expect((await customer.change(priceId)).body).toMatchObject({
      status: "trialing",
      plan: { id: customer.planId },
      scheduledPriceId: priceId,
    });
    await customer.passTime("14 days");
    await customer.runCron();
    expect(await customer.read()).toMatchObject({ status: "past_due", plan: { id: planId } });
  });

  it("asks for what costs more for the rest of the period, and moves once that is paid", async () => {
    const customer = await newPayer();
    const before = await customer.read();
    const length = Date.parse(before.currentPeriodEnd) - Date.parse(before.currentPeriodStart);
    await customer.passTime(`${length / 2} milliseconds`);
    const { planId, priceId } = await givePrice({ name: "Large" }, { unitAmount: 3000 });
    const { body } = await customer.change(priceId);
    expect(body).toMatchObject({
      id: before.id,
      status: "active",
      plan: { id: customer.planId },
      scheduledPriceId: null,
    });
    expect(await customer.entitledPlan()).toBe(customer.planId);
    const [asked] = await customer.invoices();
    expect(asked).toMatchObject({ status: "open", priceId });
    // Half of two seats at 30 dollars, without half of two at 12.
    expect(Math.abs(asked?.["total"] - 1800)).toBeLessThanOrEqual(2);
    expect(asked?.["lines"].map(({ description }: { description: string }) => description)).toEqual([
      "Unused time: Given",
      "Remaining time: Large",
    ]);
    expect((await customer.pay()).status).toBe(200);
    expect(await customer.read()).toMatchObject({
      status: "active",
      plan: { id: planId },
      currentPeriodEnd: body.currentPeriodEnd,
    });
    expect(await customer.entitledPlan()).toBe(planId);
  });

  it("begins the period anew where the interval is another, without what is left of the old one", async () => {
    const customer = await newPayer();
    const { priceId } = await givePrice({}, { interval: "year", unitAmount: 12_000 });
    expect((await customer.change(priceId)).body).toMatchObject({ status: "active", plan: { id: customer.planId } });
    expect(Math.abs((await customer.invoices())[0]?.["total"] - 21_600)).toBeLessThanOrEqual(2);
    await customer.pay();
    const after = await customer.read();
    expect([365, 366]).toContain(daysBetween(after.currentPeriodStart, after.currentPeriodEnd));
    const [paid] = await customer.invoices();
    expect(paid).toMatchObject({
      status: "paid",
      periodStart: after.currentPeriodStart,
      periodEnd: after.currentPeriodEnd,
    });
    await customer.passTime("1 year");
    await customer.runCron();
    expect((await customer.read()).status).toBe("past_due");
    expect((await customer.invoices())[0]).toMatchObject({ total: 24_000, number: 3 });
  });

  it("moves to what costs less with the next period", async () => {
    const customer = await newPayer();
    const { planId, priceId } = await givePrice({}, { unitAmount: 500 });
    expect((await customer.change(priceId)).body).toMatchObject({
      status: "active",
      plan: { id: customer.planId },
      scheduledPriceId: priceId,
    });
    expect(await customer.entitledPlan()).toBe(customer.planId);
    await customer.passTime("1 month");
    await customer.runCron();
    expect(await customer.read()).toMatchObject({ plan: { id: planId }, scheduledPriceId: null, status: "past_due" });
    expect((await customer.invoices()).map(({ total }) => total)).toEqual([1000, 2400]);
  });

  it("counts periods anew from the end of the last one where the next is of another interval", async () => {
    const customer = await newPayer();
    const { planId, priceId } = await givePrice({}, { interval: "year", unitAmount: 100 });
    expect((await customer.change(priceId)).body.scheduledPriceId).toBe(priceId);
    await customer.passTime("1 month");
    await customer.runCron();
    const after = await customer.read();
    expect(after.plan.id).toBe(planId);
    expect([365, 366]).toContain(daysBetween(after.currentPeriodStart, after.currentPeriodEnd));
  });

  it("leaves what is paid for alone, whatever is asked for and not paid: at the period's end and once it is canceled that is void", async () => {
    const { priceId } = await givePrice({}, { unitAmount: 9900 });
    const [one, two, three] = [await newPayer(), await newPayer(), await newPayer()];
    for (const customer of [one, two, three]) expect((await customer.change(priceId)).status).toBe(200);
    await one.passTime("1 month");
    await one.runCron();
    expect(await one.read()).toMatchObject({ status: "past_due", plan: { id: one.planId } });
    expect((await two.cancel()).body).toMatchObject({
      status: "active",
      plan: { id: two.planId },
      cancelAtPeriodEnd: true,
    });
    expect((await three.change(three.priceId)).body).toMatchObject({ status: "active", plan: { id: three.planId } });
    for (const customer of [one, two, three]) {
      const asked = (await customer.invoices()).find((invoice) => invoice["priceId"] === priceId);
      expect(asked?.["status"]).toBe("void");
    }
  });

  it("stays where it is for its present price, and ends with its period once it is canceled, whatever was to come", async () => {
    const customer = await newPayer();
    const { priceId } = await givePrice({}, { unitAmount: 500 });
    await customer.change(priceId);
    expect((await customer.change(customer.priceId)).body).toMatchObject({ status: "active", scheduledPriceId: null });
    await customer.change(priceId);
    expect((await customer.cancel()).body).toMatchObject({ cancelAtPeriodEnd: true, scheduledPriceId: null });
    expectProblem(await customer.change(priceId), "subscription_not_active");
    await customer.passTime("1 month");
    await customer.runCron();
    expect(await customer.read()).toMatchObject(free);
  });

  it("asks once for what two ask for at once", async () => {
    const customer = await newPayer();
    const { priceId } = await givePrice({}, { unitAmount: 3000 });
    const answers = await Promise.all([customer.change(priceId), customer.change(priceId)]);
    expect(answers.map(({ status, body }) => `${status} ${body.status}`)).toEqual(["200 active", "200 active"]);
    expect(await customer.invoices()).toHaveLength(2);
  });

  it.each([
    ["members", 1, 2],
    ["teams", 0, 1],
  ])("refuses a plan that has fewer %s than there are", async (key, limit, used) => {
    const customer = await newPayer({ features: [{ key: "teams", kind: "number", limit: null }] });
    expect((await customer.call("POST", "teams", { name: "Support" })).status).toBe(201);
    const enough = [
      { key: "members", kind: "number", limit: 2 },
      { key: "teams", kind: "number", limit: 1 },
    ];
    const small = enough.map((feature) => (feature.key === key ? { ...feature, limit } : feature));
    const answer = await customer.change((await givePrice({ features: small }, { unitAmount: 500 })).priceId);
    expectProblem(answer, "plan_too_small");
    expect(answer.body.detail).toBe(`Of "${key}" the plan has ${limit}, and the organization ${used}.`);
    const fits = await givePrice({ features: enough }, { unitAmount: 500 });
    expect((await customer.change(fits.priceId)).status).toBe(200);
  });

  it("is refused without a subscription, before it is paid for, of no price that is sold, and in another currency", async () => {
    const customer = await newTeamCustomer();
    const { priceId } = await givePrice();
    expectProblem(await customer.change(priceId), "no_subscription");
    await customer.subscribe(customer.priceId);
    expectProblem(await customer.change(priceId), "subscription_not_active");
    const payer = await newPayer();
    const secret = await givePrice({ isPublic: false });
    const foreign = await givePrice({}, { currency: "eur" });
    expectProblem(await payer.change(secret.priceId), "price_not_sold");
    expectProblem(await payer.change(foreign.priceId), "currency_mismatch");
  });
});

describe("POST /v1/organizations/{organizationId}/subscription/cancel and /resume", () => {
  it("end it with the period that is paid for, and take that back until the last second", async () => {
    const customer = await newPayer();
    const { status, body } = await customer.cancel();
    expect([status, body]).toMatchObject([200, { status: "active", cancelAtPeriodEnd: true, canceledAt: instant }]);
    expect((await customer.cancel()).body).toEqual(body);
    expect(await customer.entitledPlan()).toBe(customer.planId);
    const left = Date.parse(body.currentPeriodEnd) - Date.now();
    await customer.passTime(`${left - 10_000} milliseconds`);
    expect((await customer.resume()).body).toMatchObject({ cancelAtPeriodEnd: false, canceledAt: null });
    expectProblem(await customer.resume(), "subscription_not_canceled");
    await customer.cancel();
    await customer.passTime("11 seconds");
    expectProblem(await customer.resume(), "subscription_not_canceled");
    await customer.runCron();
    expectProblem(await customer.resume(), "no_subscription");
    expect(await customer.read()).toMatchObject(free);
    expect(await customer.invoices()).toHaveLength(1);
    expect((await customer.subscribe(customer.priceId)).status).toBe(201);
  });

  it("end at once what is not paid for", async () => {
    const waiting = await newTeamCustomer();
    await waiting.subscribe(waiting.priceId);
    expect((await waiting.cancel()).body).toMatchObject(free);
    expect((await waiting.invoices()).map(({ status }) => status)).toEqual(["void"]);
    const late = await newPayer();
    await late.passTime("1 month");
    await late.runCron();
    expect((await late.cancel()).body).toMatchObject(free);
    expect((await late.invoices()).map(({ status }) => status)).toEqual(["open", "paid"]);
  });

  it("are refused where there is no subscription", async () => {
    const customer = await newCustomer();
    expectProblem(await customer.cancel(), "no_subscription");
    expectProblem(await customer.resume(), "no_subscription");
  });
});
