import { afterAll, beforeAll, describe, expect, it } from "vitest";

import type { StripeServer } from "../../scripts/local/stripe.ts";
import { at, day, failureOf, idOf, openStage, Tenant, tenantAt } from "./stripe-model-support.ts";

let stage: StripeServer;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage.close());

const newTenant = () => tenantAt(stage);

describe("taxes", () => {
  it.each([
    ["exclusive", 2880, 480, 2400],
    ["inclusive", 2400, 400, 2000],
  ] as const)("are a fifth, %s", async (tax_behavior, total, amount, taxable_amount) => {
    const tenant = await newTenant();
    const session = await tenant.openCheckout(await tenant.newPrice(1200, { tax_behavior }), {
      automatic_tax: { enabled: true },
      customer_update: { address: "auto" },
    });
    expect(session).toMatchObject({ amount_total: total, total_details: { amount_tax: amount } });
    const { body } = await tenant.control("POST", "checkout", { session: session.id, outcome: "paid" });
    const customer = await tenant.stripe.customers.retrieve(idOf(session.customer));
    expect(customer).toMatchObject({ address: { country: "US" } });
    const [invoice] = await tenant.invoicesOf({ id: body.subscription });
    expect(invoice).toMatchObject({
      subtotal: 2400,
      total,
      total_excluding_tax: taxable_amount,
      total_taxes: [{ amount, tax_behavior, taxable_amount }],
    });
  });
});

describe("promotion codes", () => {
  const buy = async (tenant: Tenant, coupon: object, more: object = {}) => {
    const { id } = await tenant.stripe.coupons.create(coupon);
    await tenant.stripe.promotionCodes.create({ promotion: { type: "coupon", coupon: id }, code: "SPRING" });
    const session = await tenant.openCheckout(await tenant.newPrice(), { allow_promotion_codes: true, ...more });
    const order = { session: session.id, outcome: "paid", promotionCode: "spring" };
    const { body } = await tenant.control("POST", "checkout", order);
    for (const _ of [1, 2, 3]) await tenant.passDays(31);
    const invoices = await tenant.invoicesOf({ id: body.subscription });
    return { session: body, invoices, totals: invoices.map(({ total }) => total) };
  };

  it.each([
    ["once", { percent_off: 25, duration: "once" }, [1800, 2400, 2400, 2400]],
    ["forever", { percent_off: 25, duration: "forever" }, [1800, 1800, 1800, 1800]],
    ["for two months", { percent_off: 25, duration: "repeating", duration_in_months: 2 }, [1800, 1800, 2400, 2400]],
    ["by an amount", { amount_off: 500, currency: "usd", duration: "once" }, [1900, 2400, 2400, 2400]],
    ["by more than there is", { amount_off: 9999, currency: "usd", duration: "once" }, [0, 2400, 2400, 2400]],
  ])("reduce the price %s", async (_, coupon, expected) => {
    const tenant = await newTenant();
    const { session, invoices, totals } = await buy(tenant, coupon);
    expect(totals).toEqual(expected);
    expect(session).toMatchObject({ amount_total: expected[0] });
    const discount = idOf(invoices[0]?.total_discount_amounts?.[0]?.discount);
    expect(discount).toMatch(/^di_/);
    expect(invoices[0]?.total_discount_amounts).toEqual([{ amount: 2400 - (expected[0] ?? 0), discount }]);
    const shown = await tenant.stripe.checkout.sessions.retrieve(session.id, { expand: ["line_items"] });
    expect(shown.line_items?.data).toMatchObject([{ amount_total: expected[0] }]);
    const [code] = (await tenant.stripe.promotionCodes.list({ code: "SPRING" })).data;
    expect(code).toMatchObject({ times_redeemed: 1 });
  });

  it("keep a coupon that is for one invoice for the first that costs something", async () => {
    const tenant = await newTenant();
    const more = { subscription_data: { trial_period_days: 14 } };
    const { totals } = await buy(tenant, { percent_off: 50, duration: "once" }, more);
    expect(totals).toEqual([0, 1200, 2400, 2400]);
  });

  it("are taxed after the discount", async () => {
    const tenant = await newTenant();
    const more = { automatic_tax: { enabled: true }, customer_update: { address: "auto" } };
    const { invoices } = await buy(tenant, { percent_off: 25, duration: "once" }, more);
    expect(invoices[0]).toMatchObject({ subtotal: 2400, total: 2160, total_taxes: [{ amount: 360 }] });
  });

  it("are refused when unknown, used up, over, or not asked for", async () => {
    const tenant = await newTenant();
    const { stripe } = tenant;
    const { id: coupon } = await stripe.coupons.create({ percent_off: 10, duration: "once" });
    const promotion = { type: "coupon", coupon } as const;
    await stripe.promotionCodes.create({ promotion, code: "USED", max_redemptions: 1 });
    await stripe.promotionCodes.create({ promotion, code: "OVER", expires_at: at("2027-01-10T12:00:00Z") + day / 2 });
    const price = await tenant.newPrice();
    const pay = async (promotionCode: string, more: object = { allow_promotion_codes: true }) => {
      const session = await tenant.openCheckout(price, more);
      return (await tenant.control("POST", "checkout", { session: session.id, outcome: "paid", promotionCode })).status;
    };
    expect([await pay("NONE"), await pay("USED", {}), await pay("USED"), await pay("USED"), await pay("OVER")]).toEqual(
      [400, 400, 200, 400, 200],
    );
    await tenant.passDays(1);
    expect(await pay("OVER")).toBe(400);
    const { id } = await stripe.coupons.create({ amount_off: 100, currency: "eur", duration: "once" });
    await stripe.promotionCodes.create({ promotion: { type: "coupon", coupon: id }, code: "EURO" });
    expect(await pay("EURO")).toBe(400);
  });
});

describe("phases of a schedule", () => {
  /** A subscription with a discount for good, and its schedule. */
  async function newReduced(tenant?: Tenant) {
    tenant ??= await newTenant();
    const coupon = await tenant.stripe.coupons.create({ percent_off: 25, duration: "forever" });
    const code = `SPRING${(await tenant.stripe.promotionCodes.list()).data.length}`;
    await tenant.stripe.promotionCodes.create({ promotion: { type: "coupon", coupon: coupon.id }, code });
    const price = await tenant.newPrice();
    const session = await tenant.openCheckout(price, { allow_promotion_codes: true });
    const order = { session: session.id, outcome: "paid", promotionCode: code };
    const { body } = await tenant.control("POST", "checkout", order);
    const schedule = await tenant.stripe.subscriptionSchedules.create({ from_subscription: body.subscription });
    return { tenant, id: body.subscription as string, price, schedule };
  }

  it.each([
    ["keep a discount that they name", true, 1800],
    ["have none that they do not name", false, 2400],
  ])("%s", async (_, isNamed, total) => {
    const { tenant, id, price, schedule } = await newReduced();
    const [present] = schedule.phases;
    const discount = idOf(present?.discounts[0]?.discount);
    expect(discount).toMatch(/^di_/);
    const items = [{ price: price.id, quantity: 2 }];
    const discounts = isNamed ? [{ discount }] : [];
    await tenant.stripe.subscriptionSchedules.update(schedule.id, {
      phases: [{ items, start_date: present?.start_date ?? 0, end_date: present?.end_date ?? 0, discounts }],
    });
    await tenant.passDays(31);
    expect((await tenant.invoicesOf({ id })).at(-1)?.total).toBe(total);
  });

  it("take no discount of another subscription", async () => {
    const { tenant, schedule, price } = await newReduced();
    const other = await newReduced(tenant);
    const [present] = schedule.phases;
    const discounts = [{ discount: idOf(other.schedule.phases[0]?.discounts[0]?.discount) }];
    const { start_date, end_date } = present ?? expect.fail("a schedule without a phase");
    const phases = [{ items: [{ price: price.id }], start_date, end_date, discounts }];
    const failure = await failureOf(tenant.stripe.subscriptionSchedules.update(schedule.id, { phases }));
    expect(failure).toMatchObject({ statusCode: 400, param: "phases[0][discounts]" });
    expect(failure.message).toContain("of another subscription");
  });
});
