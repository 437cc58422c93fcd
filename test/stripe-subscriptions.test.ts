import { describe, expect, it } from "vitest";
import { asOwner } from "./support/database.ts";
import { newAdmin } from "./support/platform.ts";
import { expectProblem } from "./support/problems.ts";
import { signPayload } from "./support/stripe.ts";
import { newBuyer, newStripePayer, openAccount } from "./support/stripe-accounts.ts";
import { givePrice } from "./support/subscriptions.ts";

const dearer = (price: object = {}) => givePrice({}, { unitAmount: 3000, ...price });
const cheaper = (price: object = {}) => givePrice({}, { unitAmount: 500, ...price });

describe("POST /v1/organizations/{organizationId}/subscription/change, with Stripe", () => {
  it("moves to what costs more at once, and asks for the rest of the period", async () => {
    const payer = await newStripePayer();
    const other = await dearer();
    const { status, body } = await payer.change(other.priceId);
    expect([status, body.plan.id, body.status, body.scheduledPriceId]).toEqual([200, other.planId, "active", null]);
    expect(await payer.read()).toEqual(body);
    const [invoice] = await payer.invoices();
    // Both for the whole of it, since it has only begun.
    expect(invoice).toMatchObject({ number: 2, status: "paid", total: 3600 });
    expect(await payer.entitledPlan()).toBe(other.planId);
  });

  it("stays where it is while that is not paid, and moves once it is", async () => {
    const payer = await newStripePayer();
    await payer.setCard(await payer.customerId(), "declining");
    const other = await dearer();
    expect((await payer.change(other.priceId)).body).toMatchObject({ status: "active", plan: { id: payer.planId } });
    expect(await payer.entitledPlan()).toBe(payer.planId);
    const [invoice] = await payer.invoices();
    expect(invoice).toMatchObject({ status: "open", total: 3600, url: expect.stringMatching(/^http/) });
    await payer.setCard(await payer.customerId(), "good");
    const [rows] = await asOwner(["select provider_id from invoices where id = $1", [invoice?.["id"]]]);
    await payer.stripe.invoices.pay(rows?.[0]?.["provider_id"]);
    await payer.deliverAll();
    expect(await payer.read()).toMatchObject({ status: "active", plan: { id: other.planId } });
  });

  it("takes back what was asked for and not paid, which nobody can pay any more", async () => {
    const payer = await newStripePayer();
    const customer = await payer.customerId();
    await payer.setCard(customer, "declining");
    await payer.change((await dearer()).priceId);
    expect((await payer.invoices())[0]?.["status"]).toBe("open");
    await payer.setCard(customer, "good");
    await payer.change(payer.priceId);
    expect((await payer.invoices())[0]?.["status"]).toBe("void");
    expect((await payer.stripe.subscriptions.retrieve(await payer.providerId())).pending_update).toBeNull();
    expect((await payer.read()).plan.id).toBe(payer.planId);
  });

  it("moves at once after the end of a period of which Stripe has not told", async () => {
    const payer = await newStripePayer();
    // Here it has ended, too.
    await payer.passTime("40 days");
    await payer.goOnTo(
      (await payer.stripe.subscriptions.list()).data[0]?.items.data[0]?.current_period_end ?? 0,
      7_200,
    );
    const other = await dearer();
    expect((await payer.change(other.priceId)).body).toMatchObject({
      plan: { id: other.planId },
      scheduledPriceId: null,
    });
  });

  it("moves to what costs less with the next period, and stays for the present price", async () => {
    const payer = await newStripePayer();
    const other = await cheaper();
    const { body } = await payer.change(other.priceId);
    expect(body).toMatchObject({ plan: { id: payer.planId }, scheduledPriceId: other.priceId });
    expect((await payer.change(payer.priceId)).body.scheduledPriceId).toBeNull();
    await payer.change(other.priceId);
    await payer.goOnTo(body.currentPeriodEnd, 7_200);
    await payer.deliverAll();
    expect(await payer.read()).toMatchObject({
      status: "active",
      plan: { id: other.planId },
      scheduledPriceId: null,
      currentPeriodStart: body.currentPeriodEnd,
    });
    expect((await payer.invoices())[0]).toMatchObject({ status: "paid", total: 1000 });
  });

  it("moves at once on trial, which goes on", async () => {
    const payer = await newStripePayer({ trialDays: 14 });
    const { trialEndsAt } = await payer.read();
    const other = await givePrice({ trialDays: 30 }, { unitAmount: 9900 });
    expect((await payer.change(other.priceId)).body).toMatchObject({
      status: "trialing",
      plan: { id: other.planId },
      trialEndsAt,
    });
    expect((await payer.invoices()).filter(({ total }) => total !== 0)).toEqual([]);
  });

  it("refuses what is too small for those who are there (14)", async () => {
    const payer = await newStripePayer();
    const { priceId } = await givePrice({ features: [{ key: "members", kind: "number", limit: 1 }] });
    expectProblem(await payer.change(priceId), "plan_too_small");
    expect((await payer.read()).scheduledPriceId).toBeNull();
  });

  it("says so of what is no longer what it was, and has what Stripe has then", async () => {
    const payer = await newStripePayer();
    await payer.stripe.subscriptions.cancel(await payer.providerId());
    expectProblem(await payer.change((await dearer()).priceId), "subscription_not_active");
    expect((await payer.read()).status).toBe("free");
  });

  it("shows what it has changed to whoever did, also where somebody asks Stripe meanwhile", async () => {
    const payer = await newStripePayer();
    const other = await dearer();
    await payer.control("POST", "faults", { method: "POST", path: "/v1/subscriptions/", delayMs: 1_500 });
    const changing = payer.change(other.priceId);
    const isAsked = ({ method, path }: { method: string; path: string }) =>
      method === "POST" && path.startsWith("/v1/subscriptions/");
    await expect.poll(async () => (await payer.control("GET", "requests")).requests.some(isAsked)).toBe(true);
    expect((await payer.refresh()).body.plan.id).toBe(payer.planId);
    expect((await changing).body.plan.id).toBe(other.planId);
    expect((await payer.read()).plan.id).toBe(other.planId);
  });

  it("changes nothing where Stripe does not answer", async () => {
    const payer = await newStripePayer();
    const before = await payer.read();
    const other = await dearer();
    await payer.fail({ method: "GET", path: "/v1/subscriptions/" });
    expectProblem(await payer.change(other.priceId), "unavailable");
    expect(await payer.read()).toEqual(before);
    expect((await payer.change(other.priceId)).body.plan.id).toBe(other.planId);
  });
});

describe("A subscription with Stripe", () => {
  it("is past due when a period is not paid for, has its plan for a grace of 14 days, and is active once it is paid (16)", async () => {
    const payer = await newStripePayer();
    const customer = await payer.customerId();
    await payer.setCard(customer, "declining");
    await payer.goOnTo((await payer.read()).currentPeriodEnd, 7_200);
    await payer.deliverAll();
    const body = await payer.read();
    expect(body.status).toBe("past_due");
    expect((Date.parse(body.graceEndsAt) - Date.now()) / 86_400_000).toBeCloseTo(14, 1);
    expect(await payer.entitledPlan()).toBe(payer.planId);
    // What is told again does not begin it again.
    await payer.goOnBy(86_400);
    await payer.refresh();
    expect((await payer.read()).graceEndsAt).toBe(body.graceEndsAt);
    await payer.setCard(customer, "good");
    const open = await payer.stripe.invoices.list({ customer, status: "open" });
    await payer.stripe.invoices.pay(open.data[0]?.id ?? "");
    await payer.deliverAll();
    expect(await payer.read()).toMatchObject({ status: "active", graceEndsAt: null });
  });

  it("loses its plan with the grace, whatever Stripe tells or does not (16)", async () => {
    const payer = await newStripePayer();
    await payer.setCard(await payer.customerId(), "declining");
    await payer.goOnTo((await payer.read()).currentPeriodEnd, 7_200);
    await payer.deliverAll();
    await payer.passTime("14 days");
    expect(await payer.entitledPlan()).not.toBe(payer.planId);
  });

  it("is canceled, or unpaid, when Stripe has tried for long enough", async () => {
    for (const [afterRetries, status] of [
      ["canceled", "free"],
      ["unpaid", "unpaid"],
    ]) {
      const payer = await newStripePayer();
      await payer.control("POST", "settings", { afterRetries });
      await payer.setCard(await payer.customerId(), "declining");
      await payer.goOnTo((await payer.read()).currentPeriodEnd, 21 * 86_400);
      await payer.deliverAll();
      expect((await payer.read()).status).toBe(status);
      expect(await payer.entitledPlan()).not.toBe(payer.planId);
    }
  });

  it("is paid for with the end of its trial", async () => {
    const payer = await newStripePayer({ trialDays: 14 });
    await payer.goOnTo((await payer.read()).trialEndsAt, 7_200);
    await payer.deliverAll();
    expect(await payer.read()).toMatchObject({ status: "active", plan: { id: payer.planId } });
    expect((await payer.invoices())[0]).toMatchObject({ status: "paid", total: 2400 });
  });

  it("is counted from its first period: of January 31 the next ends on February 28, and on March 31 (18)", async () => {
    const account = await openAccount();
    await account.goOnTo("2027-01-31T12:00:00.000Z");
    const buyer = await newBuyer({}, {}, account);
    await buyer.subscribe(buyer.priceId);
    await buyer.pay(await buyer.sessionId());
    const ends: string[] = [];
    for (let period = 0; period < 3; period++) {
      await buyer.deliverAll();
      const { currentPeriodEnd } = await buyer.read();
      ends.push(currentPeriodEnd.slice(0, 10));
      await buyer.goOnTo(currentPeriodEnd, 7_200);
    }
    expect(ends).toEqual(["2027-02-28", "2027-03-31", "2027-04-30"]);
  });

  it("is paused, and its plan not had, where a trial ends without a card", async () => {
    const payer = await newStripePayer({ trialDays: 14 });
    const id = await payer.providerId();
    await payer.stripe.subscriptions.update(id, {
      trial_settings: { end_behavior: { missing_payment_method: "pause" } },
    });
    await payer.setCard(await payer.customerId(), null);
    await payer.goOnTo((await payer.read()).trialEndsAt, 7_200);
    await payer.deliverAll();
    expect((await payer.read()).status).toBe("paused");
    expect(await payer.entitledPlan()).not.toBe(payer.planId);
  });

  it("is free, and can be begun anew, where Stripe's dashboard has deleted the customer", async () => {
    const payer = await newStripePayer();
    const customer = await payer.customerId();
    const event = { id: `evt_${crypto.randomUUID()}`, object: "event", type: "customer.deleted", livemode: false };
    const body = JSON.stringify({ ...event, data: { object: { id: customer, object: "customer", deleted: true } } });
    const headers = { "content-type": "application/json", "stripe-signature": await signPayload(body, payer.secret) };
    expect((await payer.receive({ body, headers })).status).toBe(200);
    expect((await payer.read()).status).toBe("free");
    expect((await payer.subscribe(payer.priceId)).status).toBe(201);
    expect(await payer.customerId()).not.toBe(customer);
  });

  it("takes no schedule of Stripe's dashboard for one of its own", async () => {
    const payer = await newStripePayer();
    await payer.change((await cheaper()).priceId);
    const { schedule } = await payer.stripe.subscriptions.retrieve(await payer.providerId(), { expand: ["schedule"] });
    if (!schedule || typeof schedule === "string") throw new Error("there is no schedule");
    await payer.stripe.subscriptionSchedules.update(schedule.id, {
      phases: schedule.phases.map(({ items, start_date, end_date }) => ({
        items: items.map(({ price, quantity }) => ({
          price: typeof price === "string" ? price : price.id,
          quantity: quantity ?? 1,
        })),
        start_date,
        end_date,
        metadata: { price_id: "of the dashboard" },
      })),
    });
    expect(await payer.refresh()).toMatchObject({ status: 200, body: { status: "active", scheduledPriceId: null } });
  });

  it("keeps the price that it had here, where Stripe's dashboard gives it one of its own", async () => {
    const payer = await newStripePayer();
    const id = await payer.providerId();
    const price = await payer.stripe.prices.create({
      currency: "usd",
      unit_amount: 1,
      recurring: { interval: "month" },
      product_data: { name: "Elsewhere" },
    });
    const { items } = await payer.stripe.subscriptions.retrieve(id);
    await payer.stripe.subscriptions.update(id, { items: [{ id: items.data[0]?.id ?? "", price: price.id }] });
    await payer.deliverAll();
    expect(await payer.read()).toMatchObject({ status: "active", price: { id: payer.priceId } });
  });

  it("is nobody's to note as paid but Stripe's", async () => {
    const payer = await newStripePayer();
    await payer.setCard(await payer.customerId(), "declining");
    await payer.goOnTo((await payer.read()).currentPeriodEnd, 7_200);
    await payer.deliverAll();
    const [open] = await payer.invoices();
    expect(open?.["status"]).toBe("open");
    const { call: administer } = await newAdmin();
    expectProblem(await administer("POST", `invoices/${open?.["id"]}/pay`, {}), "invoice_not_open");
  });
});
