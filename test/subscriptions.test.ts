import { describe, expect, it } from "vitest";
import { addMember } from "./support/database.ts";
import { givePlan } from "./support/plans.ts";
import { expectProblem } from "./support/problems.ts";
import { openService, signUpPerson } from "./support/service.ts";
import { daysBetween, free, instant, newPayer, newTeamCustomer } from "./support/subscribers.ts";
import { givePrice, giveSubscription, newCustomer } from "./support/subscriptions.ts";

const service = openService();

describe("GET /v1/organizations/{organizationId}/subscription", () => {
  it("is free of an organization that has none, with the default plan and a trial to come", async () => {
    const { read } = await newCustomer();
    const plan = { id: expect.any(String), key: "free", version: expect.any(Number), name: "Free" };
    expect(await read()).toEqual({ ...free, plan, isTrialAvailable: true });
  });

  it("is for owners and admins", async () => {
    const { call, id, owner } = await newCustomer();
    const [admin, member] = [await signUpPerson(service), await signUpPerson(service)];
    await addMember(id, admin.id, "admin");
    await addMember(id, member.id, "member");
    for (const by of [owner, admin]) expect((await call("GET", "subscription", undefined, by)).status).toBe(200);
    for (const at of ["subscription", "invoices"]) expectProblem(await call("GET", at, undefined, member), "forbidden");
  });
});

describe("POST /v1/organizations/{organizationId}/subscription/checkout", () => {
  it("begins with the plan's trial, in which all of the plan is had and nothing asked for", async () => {
    const customer = await newTeamCustomer({ trialDays: 14, key: `pro-${crypto.randomUUID()}`, name: "Pro" });
    const { status, body } = await customer.subscribe(customer.priceId);
    expect([status, body]).toEqual([
      201,
      {
        id: expect.stringMatching(/^[\da-f]{8}-[\da-f]{4}-7/),
        status: "trialing",
        plan: { id: customer.planId, key: expect.stringMatching(/^pro-/), version: 1, name: "Pro" },
        scheduledPriceId: null,
        price: { id: customer.priceId, currency: "usd", interval: "month", unitAmount: 1200, perSeat: true },
        provider: "manual",
        quantity: 2,
        trialEndsAt: instant,
        currentPeriodStart: instant,
        currentPeriodEnd: body.trialEndsAt,
        graceEndsAt: null,
        cancelAtPeriodEnd: false,
        canceledAt: null,
        createdAt: instant,
        checkoutUrl: null,
        isTrialAvailable: false,
      },
    ]);
    expect(daysBetween(body.currentPeriodStart, body.trialEndsAt)).toBeCloseTo(14, 5);
    expect(await customer.read()).toEqual(body);
    expect(await customer.entitledPlan()).toBe(customer.planId);
    expect(await customer.invoices()).toEqual([]);
  });

  it("waits for the first payment where the plan has no trial", async () => {
    const customer = await newTeamCustomer();
    const { status, body } = await customer.subscribe(customer.priceId);
    expect([status, body.status, body.plan.id, body.isTrialAvailable]).toEqual([
      201,
      "incomplete",
      customer.planId,
      true,
    ]);
    expect(await customer.entitledPlan()).not.toBe(customer.planId);
    expect(await customer.invoices()).toEqual([
      {
        id: expect.stringMatching(/^[\da-f]{8}-[\da-f]{4}-7/),
        subscriptionId: body.id,
        priceId: null,
        number: 1,
        status: "open",
        currency: "usd",
        total: 2400,
        lines: [{ description: "Given", quantity: 2, unitAmount: 1200, amount: 2400 }],
        periodStart: body.currentPeriodStart,
        periodEnd: body.currentPeriodEnd,
        dueAt: instant,
        paidAt: null,
        paymentReference: null,
        providerNumber: null,
        url: null,
        createdAt: instant,
      },
    ]);
  });

  it("counts once what is not for each seat", async () => {
    const customer = await newTeamCustomer();
    const { priceId } = await givePrice({}, { perSeat: false, interval: "year", unitAmount: 90_000 });
    const { body } = await customer.subscribe(priceId);
    expect(body.quantity).toBe(1);
    expect((await customer.invoices()).map(({ total }) => total)).toEqual([90_000]);
    expect([365, 366]).toContain(daysBetween(body.currentPeriodStart, body.currentPeriodEnd));
  });

  it("gives one trial in an organization's life, whatever the plan", async () => {
    const customer = await newTeamCustomer({ trialDays: 14 });
    const other = await givePrice({ trialDays: 30 });
    expect((await customer.subscribe(customer.priceId)).body.status).toBe("trialing");
    expect((await customer.cancel()).status).toBe(200);
    await customer.passTime("15 days");
    await customer.runCron();
    expect(await customer.read()).toMatchObject({ ...free, isTrialAvailable: false });
    expect((await customer.subscribe(other.priceId)).body.status).toBe("incomplete");
    await expect(
      giveSubscription(customer.id, customer.priceId, {
        status: "canceled",
        trial_ends_at: new Date(0).toISOString(),
        ended_at: new Date(0).toISOString(),
      }),
    ).rejects.toThrow("subscriptions_trial_key");
  });

  it("refuses a second subscription, also of two that are asked for at once", async () => {
    const customer = await newTeamCustomer();
    const other = await givePrice();
    const answers = await Promise.all([customer.subscribe(customer.priceId), customer.subscribe(other.priceId)]);
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([201, 409]);
    expectProblem(await customer.subscribe(other.priceId), "subscription_exists");
    expect(await customer.invoices()).toHaveLength(1);
    await expect(giveSubscription(customer.id, other.priceId)).rejects.toThrow("subscriptions_live_key");
  });

  it("refuses what is not sold to everybody: another's plan, an earlier version, nothing", async () => {
    const customer = await newCustomer();
    const secret = await givePrice({ isPublic: false });
    const key = `twice-${crypto.randomUUID()}`;
    const before = await givePrice({ key });
    await givePlan({ key, isPublic: true });
    for (const priceId of [secret.priceId, before.priceId, crypto.randomUUID()])
      expectProblem(await customer.subscribe(priceId), "price_not_sold");
    expect(await customer.read()).toMatchObject(free);
  });

  it("is for owners, and for whom a role gives billing:write", async () => {
    const { priceId, ...customer } = await newTeamCustomer();
    const [admin, desk] = [await signUpPerson(service), await signUpPerson(service)];
    await addMember(customer.id, admin.id, "admin");
    await customer.call("POST", "roles", { key: "desk", name: "Desk", permissions: ["billing:write"] });
    await addMember(customer.id, desk.id, "desk");
    for (const by of [admin, customer.member]) expectProblem(await customer.subscribe(priceId, by), "forbidden");
    expect((await customer.subscribe(priceId, desk)).status).toBe(201);
  });

  it("keeps a subscriber on the version that was bought", async () => {
    const key = `kept-${crypto.randomUUID()}`;
    const customer = await newPayer({ key });
    const next = await givePrice({ key }, { unitAmount: 9900 });
    await customer.passTime("1 month");
    await customer.runCron();
    expect((await customer.read()).plan).toMatchObject({ id: customer.planId, version: 1 });
    expect((await customer.invoices()).map(({ total }) => total)).toEqual([2400, 2400]);
    expect(next.planId).not.toBe(customer.planId);
  });
});
