import { describe, expect, it } from "vitest";
import { newBuyer, newStripePayer, openAccount } from "./support/stripe-accounts.ts";
import { givePrice } from "./support/subscriptions.ts";
import { daysBetween, free, instant } from "./support/subscribers.ts";
import { expectProblem } from "./support/problems.ts";
import { asOwner } from "./support/database.ts";

describe("POST /v1/organizations/{organizationId}/subscription/checkout, with Stripe", () => {
  it("opens a page to pay at, before which nothing is had", async () => {
    const buyer = await newBuyer();
    const { status, body } = await buyer.subscribe(buyer.priceId);
    expect([status, body]).toMatchObject([201, { ...free, checkoutUrl: expect.stringMatching(/^http/) }]);
    expect(await buyer.read()).toEqual(body);
    expect(await buyer.entitledPlan()).not.toBe(buyer.planId);
    const session = await buyer.stripe.checkout.sessions.retrieve(await buyer.sessionId());
    expect(session).toMatchObject({
      client_reference_id: buyer.id,
      customer: await buyer.customerId(),
      mode: "subscription",
      status: "open",
      success_url: "https://app.acme.example/billing?checkout=success&session_id={CHECKOUT_SESSION_ID}",
      cancel_url: "https://app.acme.example/billing?checkout=canceled",
      url: body.checkoutUrl,
    });
  });

  it("begins the subscription once it is paid, with a seat for each member, and its invoice", async () => {
    const buyer = await newStripePayer();
    const body = await buyer.read();
    expect(body).toMatchObject({
      status: "active",
      plan: { id: buyer.planId },
      price: { id: buyer.priceId },
      provider: "stripe",
      quantity: 2,
      trialEndsAt: null,
      currentPeriodStart: instant,
      currentPeriodEnd: instant,
      cancelAtPeriodEnd: false,
      checkoutUrl: null,
      isTrialAvailable: true,
    });
    expect(await buyer.entitledPlan()).toBe(buyer.planId);
    expect(await buyer.invoices()).toMatchObject([
      {
        subscriptionId: body.id,
        number: 1,
        providerNumber: expect.any(String),
        url: expect.stringMatching(/^http/),
        status: "paid",
        currency: "usd",
        total: 2400,
        lines: [{ quantity: 2, unitAmount: 1200, amount: 2400 }],
        periodStart: body.currentPeriodStart,
        periodEnd: body.currentPeriodEnd,
        paidAt: instant,
      },
    ]);
  });

  it("begins with the plan's trial, of which there is one in an organization's life, also after another plan (10)", async () => {
    const buyer = await newStripePayer({ trialDays: 14 });
    const body = await buyer.read();
    expect(body).toMatchObject({ status: "trialing", currentPeriodEnd: body.trialEndsAt, isTrialAvailable: false });
    expect(daysBetween(body.currentPeriodStart, body.trialEndsAt)).toBe(14);
    await buyer.stripe.subscriptions.cancel(await buyer.providerId());
    await buyer.deliverAll();
    expect(await buyer.read()).toMatchObject({ status: "free", isTrialAvailable: false });
    const other = await givePrice({ trialDays: 30 });
    expect((await buyer.subscribe(other.priceId)).status).toBe(201);
    await buyer.pay(await buyer.sessionId());
    await buyer.deliverAll();
    expect(await buyer.read()).toMatchObject({ status: "active", plan: { id: other.planId }, trialEndsAt: null });
  });

  it("opens the same page again for the same price, and asks Stripe for nothing", async () => {
    const buyer = await newBuyer();
    const { body } = await buyer.subscribe(buyer.priceId);
    await buyer.control("DELETE", "requests");
    expect(await buyer.subscribe(buyer.priceId)).toMatchObject({ status: 201, body });
    expect((await buyer.control("GET", "requests")).count).toBe(0);
  });

  it("ends the checkout before, with another price", async () => {
    const buyer = await newBuyer();
    await buyer.subscribe(buyer.priceId);
    const before = await buyer.sessionId();
    const other = await givePrice();
    const { body } = await buyer.subscribe(other.priceId);
    const { status, url } = await buyer.stripe.checkout.sessions.retrieve(await buyer.sessionId());
    expect([status, url]).toEqual(["open", body.checkoutUrl]);
    expect((await buyer.stripe.checkout.sessions.retrieve(before)).status).toBe("expired");
  });

  it("ends the checkout before also where Stripe did not answer at first", async () => {
    const buyer = await newBuyer();
    await buyer.subscribe(buyer.priceId);
    const before = await buyer.sessionId();
    const other = await givePrice();
    await buyer.fail({ path: `/v1/checkout/sessions/${before}/expire` });
    expectProblem(await buyer.subscribe(other.priceId), "unavailable");
    expect((await buyer.read()).checkoutUrl).toBeNull();
    expect((await buyer.subscribe(other.priceId)).status).toBe(201);
    expect((await buyer.stripe.checkout.sessions.retrieve(before)).status).toBe("expired");
  });

  it("makes a price anew that was archived at Stripe", async () => {
    const [buyer, other] = [await newBuyer(), await newBuyer()];
    await buyer.subscribe(buyer.priceId);
    const { data } = await buyer.stripe.prices.list({ lookup_keys: [buyer.priceId] });
    await buyer.stripe.prices.update(data[0]?.id ?? "", { active: false });
    expect((await buyer.subscribe(other.priceId)).status).toBe(201);
    expect((await buyer.subscribe(buyer.priceId)).status).toBe(201);
    await buyer.pay(await buyer.sessionId());
    await buyer.deliverAll();
    expect(await buyer.read()).toMatchObject({ status: "active", price: { id: buyer.priceId } });
  });

  it("makes another customer where Stripe has the one no more", async () => {
    const buyer = await newBuyer();
    await buyer.subscribe(buyer.priceId);
    await asOwner([
      "update stripe_customers set customer_id = 'cus_of_' || organization_id, checkout_session_id = null, checkout_url = null, checkout_expires_at = null where organization_id = $1",
      [buyer.id],
    ]);
    expectProblem(await buyer.subscribe(buyer.priceId), "unavailable");
    expect((await buyer.subscribe(buyer.priceId)).status).toBe(201);
    expect(await buyer.customerId()).toMatch(/^cus_(?!of_)/);
  });

  it("finds out that the checkout before was paid, of which Stripe has not told yet", async () => {
    const buyer = await newBuyer();
    await buyer.subscribe(buyer.priceId);
    await buyer.pay(await buyer.sessionId());
    const other = await givePrice();
    expectProblem(await buyer.subscribe(other.priceId), "subscription_exists");
    expect(await buyer.read()).toMatchObject({ status: "active", plan: { id: buyer.planId } });
  });

  it("leaves one page that can be paid of many that are opened at once, and one subscription (9)", async () => {
    const buyer = await newBuyer();
    const other = await givePrice();
    const answers = await Promise.all(
      Array.from({ length: 6 }, (_, index) => buyer.subscribe(index % 2 ? buyer.priceId : other.priceId)),
    );
    for (const { status, body } of answers) {
      expect([201, 409]).toContain(status);
      if (status === 409) expect(["checkout_superseded", "subscription_exists"]).toContain(body.code);
    }
    await buyer.pay(await buyer.sessionId());
    await buyer.deliverAll();
    const [rows] = await asOwner(["select status from subscriptions where organization_id = $1", [buyer.id]]);
    expect(rows).toEqual([{ status: "active" }]);
    const customer = await buyer.customerId();
    expect((await buyer.stripe.subscriptions.list({ customer, status: "all" })).data).toHaveLength(1);
    expectProblem(await buyer.subscribe(buyer.priceId), "subscription_exists");
  });

  it("is answered once under an Idempotency-Key, and refused with another body", async () => {
    const buyer = await newBuyer();
    const other = await givePrice();
    const subscribe = (priceId: string) =>
      buyer.service.call("POST", `${buyer.path}/subscription/checkout`, {
        token: buyer.owner.token,
        body: { priceId },
        headers: { "idempotency-key": "one-checkout" },
      });
    const first = await subscribe(buyer.priceId);
    expect(first.status).toBe(201);
    await buyer.control("DELETE", "requests");
    const again = await subscribe(buyer.priceId);
    expect([again.status, again.body, again.headers.get("idempotent-replayed")]).toEqual([201, first.body, "true"]);
    expectProblem(await subscribe(other.priceId), "idempotency_key_reused");
    expect((await buyer.control("GET", "requests")).count).toBe(0);
    expect(await buyer.read()).toEqual(first.body);
  });

  it("says that it is unavailable where Stripe does not answer, and goes on with the next", async () => {
    const buyer = await newBuyer();
    await buyer.fail({ path: "/v1/checkout/sessions" });
    expectProblem(await buyer.subscribe(buyer.priceId), "unavailable");
    expect((await buyer.subscribe(buyer.priceId)).body.checkoutUrl).toMatch(/^http/);
  });

  it("passes codes for discounts and taxes through, where the deployment says so", async () => {
    const buyer = await newBuyer();
    const shown = async (settings: Record<string, string>) => {
      const price = await givePrice();
      await buyer.service.call("POST", `${buyer.path}/subscription/checkout`, {
        token: buyer.owner.token,
        body: { priceId: price.priceId },
        settings,
      });
      const session = await buyer.stripe.checkout.sessions.retrieve(await buyer.sessionId());
      return [session.allow_promotion_codes, session.automatic_tax.enabled, session.tax_id_collection?.enabled];
    };
    expect(await shown({})).toEqual([false, false, false]);
    expect(await shown({ STRIPE_PROMOTION_CODES: "on", STRIPE_AUTOMATIC_TAX: "on" })).toEqual([true, true, true]);
  });

  /** Somebody who has paid with a code that takes a quarter off. */
  async function newReducedPayer(duration: "once" | "forever", settings: Record<string, string> = {}) {
    const account = await openAccount();
    const buyer = await newBuyer({}, {}, account);
    const coupon = await account.stripe.coupons.create({ percent_off: 25, duration });
    await account.stripe.promotionCodes.create({ promotion: { type: "coupon", coupon: coupon.id }, code: "HARBOUR" });
    await buyer.service.call("POST", `${buyer.path}/subscription/checkout`, {
      token: buyer.owner.token,
      body: { priceId: buyer.priceId },
      settings: { STRIPE_PROMOTION_CODES: "on", ...settings },
    });
    await account.control("POST", "checkout", {
      session: await buyer.sessionId(),
      outcome: "paid",
      promotionCode: "HARBOUR",
    });
    await buyer.deliverAll();
    return buyer;
  }

  it("has the discount and the tax among the lines of the invoice, which come to its total", async () => {
    const buyer = await newReducedPayer("once", { STRIPE_AUTOMATIC_TAX: "on" });
    const [invoice] = await buyer.invoices();
    expect(invoice).toMatchObject({
      total: 2160,
      lines: [{ amount: 2400 }, { description: "Discount", amount: -600 }, { description: "Tax", amount: 360 }],
    });
  });

  it("keeps the discount with another price in the next period", async () => {
    const payer = await newReducedPayer("forever");
    const { priceId } = await givePrice({}, { unitAmount: 1000 });
    const { body } = await payer.change(priceId);
    expect(body).toMatchObject({ scheduledPriceId: priceId });
    await payer.goOnTo(body.currentPeriodEnd, 7_200);
    await payer.deliverAll();
    expect(await payer.read()).toMatchObject({ status: "active", price: { id: priceId } });
    expect((await payer.invoices())[0]).toMatchObject({
      total: 1500,
      lines: [{ amount: 2000 }, { description: "Discount", amount: -500 }],
    });
  });
});
