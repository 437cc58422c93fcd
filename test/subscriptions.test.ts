import { describe, expect, it } from "vitest";
import { addMember, asOwner } from "./support/database.ts";
import { givePlan } from "./support/plans.ts";
import { newAdmin } from "./support/platform.ts";
import { expectProblem } from "./support/problems.ts";
import { openService, signUpPerson } from "./support/service.ts";
import { givePrice, giveSubscription, newCustomer } from "./support/subscriptions.ts";

const service = openService();

const instant = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);

const free = {
  id: null,
  status: "free",
  price: null,
  scheduledPriceId: null,
  provider: null,
  quantity: null,
  trialEndsAt: null,
  currentPeriodStart: null,
  currentPeriodEnd: null,
  graceEndsAt: null,
  cancelAtPeriodEnd: false,
  canceledAt: null,
  createdAt: null,
};

const dayMs = 86_400_000;
const daysBetween = (from: string, to: string) => (Date.parse(to) - Date.parse(from)) / dayMs;

/** An organization with a member beside its owner, and a price without a trial. */
async function newTeamCustomer(plan: object = {}) {
  const customer = await newCustomer();
  const member = await signUpPerson(service);
  await addMember(customer.id, member.id, "member");
  return { ...customer, ...(await givePrice(plan)), member };
}

/** One that has paid for its first period. */
async function newPayer(plan: object = {}) {
  const customer = await newTeamCustomer(plan);
  const { call: administer } = await newAdmin();
  expect((await customer.subscribe(customer.priceId)).status).toBe(201);
  const pay = async (id?: string) =>
    administer("POST", `invoices/${id ?? (await customer.invoices())[0]?.["id"]}/pay`, {});
  expect((await pay()).status).toBe(200);
  return { ...customer, pay };
}

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

describe("A subscription of the manual provider", () => {
  it("begins with its first payment, and its period with it", async () => {
    const customer = await newTeamCustomer();
    await customer.subscribe(customer.priceId);
    await customer.passTime("5 days");
    const { call } = await newAdmin();
    const [open] = await customer.invoices();
    const { status, body } = await call("POST", `invoices/${open?.["id"]}/pay`, { reference: "RF18" });
    expect([status, body]).toMatchObject([200, { id: open?.["id"], status: "paid", paymentReference: "RF18" }]);
    const subscription = await customer.read();
    expect(subscription).toMatchObject({ status: "active", currentPeriodStart: body.paidAt });
    expect(await customer.entitledPlan()).toBe(customer.planId);
    const [paid] = await customer.invoices();
    expect(paid).toMatchObject({
      status: "paid",
      periodStart: subscription.currentPeriodStart,
      periodEnd: subscription.currentPeriodEnd,
    });
  });

  it("that is not paid for within 14 days is given up, and its invoice void", async () => {
    const customer = await newTeamCustomer();
    await customer.subscribe(customer.priceId);
    await customer.passTime("13 days");
    await customer.runCron();
    expect((await customer.read()).status).toBe("incomplete");
    await customer.passTime("1 day");
    await customer.runCron();
    expect(await customer.read()).toMatchObject(free);
    expect((await customer.invoices()).map(({ status }) => status)).toEqual(["void"]);
  });

  it("asks for the first period when the trial ends, of all who are members then", async () => {
    const customer = await newTeamCustomer({ trialDays: 14 });
    const { body: trial } = await customer.subscribe(customer.priceId);
    await addMember(customer.id, (await signUpPerson(service)).id, "member");
    await customer.passTime("14 days");
    await customer.runCron();
    const due = await customer.read();
    expect(due).toMatchObject({ id: trial.id, status: "past_due", quantity: 3, graceEndsAt: instant });
    expect(due.currentPeriodStart).toBe(due.trialEndsAt);
    expect((await customer.invoices()).map(({ status, total }) => [status, total])).toEqual([["open", 3600]]);
    expect(await customer.entitledPlan()).toBe(customer.planId);
  });

  it("that is past due recovers with the payment, within its grace", async () => {
    const customer = await newPayer();
    const before = await customer.read();
    await customer.passTime("1 month");
    await customer.runCron();
    expect((await customer.read()).status).toBe("past_due");
    expect((await customer.pay()).status).toBe(200);
    const after = await customer.read();
    expect(after).toMatchObject({ status: "active", graceEndsAt: null, id: before.id });
    expect((await customer.invoices()).map(({ number, status }) => [number, status])).toEqual([
      [2, "paid"],
      [1, "paid"],
    ]);
    const [first, second] = (await customer.invoices()).toReversed();
    expect(second?.["periodStart"]).toBe(after.currentPeriodStart);
    expect(first?.["periodEnd"]).toBe(before.currentPeriodEnd);
  });

  it("has nothing any more when its grace ends, whether or not anything runs then", async () => {
    const customer = await newPayer();
    await customer.passTime("1 month");
    await customer.runCron();
    await customer.passTime("13 days");
    expect(await customer.entitledPlan()).toBe(customer.planId);
    await customer.passTime("1 day");
    expect(await customer.entitledPlan()).not.toBe(customer.planId);
    await customer.runCron();
    expect((await customer.read()).status).toBe("unpaid");
    expect((await customer.pay()).status).toBe(200);
    expect((await customer.read()).status).toBe("active");
    expect(await customer.entitledPlan()).toBe(customer.planId);
  });

  it("that stays unpaid ends with its period; what is owed is still to be paid, and begins nothing", async () => {
    const customer = await newPayer();
    await customer.passTime("1 month");
    await customer.runCron();
    await customer.passTime("14 days");
    await customer.runCron();
    await customer.passTime("1 month");
    await customer.runCron();
    expect(await customer.read()).toMatchObject(free);
    expect((await customer.invoices()).map(({ status }) => status)).toEqual(["open", "paid"]);
    expect((await customer.pay()).status).toBe(200);
    expect(await customer.read()).toMatchObject(free);
  });

  it("is moved once, however often and however many at once the Cron Trigger runs", async () => {
    const customer = await newPayer();
    await customer.passTime("1 month");
    await Promise.all([customer.runCron(), customer.runCron(), customer.runCron()]);
    await customer.runCron();
    expect(await customer.invoices()).toHaveLength(2);
    expect((await customer.read()).status).toBe("past_due");
  });

  it("of a deleted organization ends with its period, and asks for nothing more", async () => {
    const customer = await newPayer();
    await asOwner(["update organizations set deleted_at = now() where id = $1", [customer.id]]);
    await customer.passTime("1 month");
    await customer.runCron();
    await asOwner(["update organizations set deleted_at = null where id = $1", [customer.id]]);
    expect(await customer.read()).toMatchObject(free);
    expect(await customer.invoices()).toHaveLength(1);
  });

  it("is told of in the organization's audit trail, with who did what", async () => {
    const customer = await newPayer();
    await customer.passTime("1 month");
    await customer.runCron();
    const { body } = await service.call("GET", `${customer.path}/audit-events?limit=100`, {
      token: customer.owner.token,
    });
    const told = body.data
      .filter(({ subject }: { subject: { type: string } }) => /^(subscription|invoice)$/.test(subject.type))
      .map(({ action, actor, after }: Record<string, any>) => [action, actor.type, after.status])
      // But for the test's own.
      .filter(([action, , status]: string[]) => action !== "subscription.updated" || status)
      .toReversed();
    expect(told).toEqual([
      ["subscription.created", "user", "incomplete"],
      ["invoice.created", "user", "open"],
      ["invoice.paid", "platform_admin", "paid"],
      ["subscription.updated", "platform_admin", "active"],
      ["subscription.updated", "system", "past_due"],
      ["invoice.created", "system", "open"],
    ]);
  });

  it.each([
    ["2026-01-31 09:30", "month", "2026-01-31 09:30", "2026-02-28 09:30"],
    ["2026-01-31 09:30", "month", "2026-02-28 09:30", "2026-03-31 09:30"],
    ["2026-01-31 09:30", "month", "2026-03-31 09:30", "2026-04-30 09:30"],
    ["2027-12-31 00:00", "month", "2028-01-31 00:00", "2028-02-29 00:00"],
    ["2026-01-31 09:30", "month", "2026-02-10 00:00", "2026-02-28 09:30"],
    ["2026-06-15 12:00", "month", "2026-12-15 12:00", "2027-01-15 12:00"],
    ["2026-06-15 12:00", "month", "2026-06-15 11:59", "2026-06-15 12:00"],
    ["2024-02-29 08:00", "year", "2024-02-29 08:00", "2025-02-28 08:00"],
    ["2024-02-29 08:00", "year", "2027-02-28 08:00", "2028-02-29 08:00"],
    ["2026-06-15 12:00", "year", "2027-06-15 12:00", "2028-06-15 12:00"],
    ["2026-06-15 12:00", "year", "2027-06-15 11:59", "2027-06-15 12:00"],
    ["2026-06-15 12:00", "year", "2028-02-01 00:00", "2028-06-15 12:00"],
  ])("counted from %s by the %s: after %s comes %s", async (anchor, interval, after, next) => {
    const [, rows] = await asOwner(
      ["set local role app_definer"],
      [
        `select to_char(app_private.period_after($1::timestamp at time zone 'UTC', $2, $3::timestamp at time zone 'UTC') at time zone 'UTC',
                        'YYYY-MM-DD HH24:MI') as next`,
        [anchor, interval, after],
      ],
    );
    expect(rows?.[0]?.["next"]).toBe(next);
  });
});

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
