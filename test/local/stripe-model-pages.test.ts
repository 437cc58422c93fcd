import { afterAll, beforeAll, describe, expect, it } from "vitest";

import type { StripeServer } from "../../scripts/local/stripe.ts";
import { failureOf, idOf, openStage, periodOf, Tenant } from "./stripe-model-support.ts";

let stage: StripeServer;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage.close());

const label = "A local model of Stripe: no money moves";
const hostile = `<script>alert("1")</script>&'`;

async function open(url: string | null | undefined) {
  const response = await fetch(url ?? "", { redirect: "manual" });
  return { status: response.status, headers: response.headers, text: await response.text() };
}

/** As a browser sends a form of that page. */
async function press(
  url: string | null | undefined,
  fields: Record<string, string>,
  headers: Record<string, string> = {},
) {
  const init = { method: "POST", body: new URLSearchParams(fields), headers, redirect: "manual" } as const;
  const response = await fetch(url ?? "", init);
  return { status: response.status, location: response.headers.get("location"), text: await response.text() };
}

describe("the checkout page", () => {
  it("shows what is bought, and leads back when it is paid", async () => {
    const tenant = new Tenant(stage);
    const session = await tenant.openCheckout(await tenant.newPrice());
    const page = await open(session.url);
    expect(page.status).toBe(200);
    for (const part of [label, "2 × Plan for 1200", "$12.00 / month", "$24.00", "Seats", "http://app.example/plans"]) {
      expect(page.text).toContain(part);
    }
    expect(page.text).not.toContain("Promotion code");
    const paid = await press(session.url, { action: "pay" });
    expect([paid.status, paid.location]).toEqual([303, `http://app.example/billing?session=${session.id}`]);
    expect((await tenant.stripe.subscriptions.list()).data).toMatchObject([{ status: "active" }]);
    expect((await open(session.url)).text).toContain("This checkout is done");
    expect((await press(session.url, { action: "pay" })).status).toBe(400);
    expect((await tenant.stripe.subscriptions.list()).data).toHaveLength(1);
  });

  it("says that the card was declined, and can be paid with another", async () => {
    const tenant = new Tenant(stage);
    const session = await tenant.openCheckout(await tenant.newPrice());
    const declined = await press(session.url, { action: "decline" });
    expect([declined.status, declined.text]).toEqual([400, expect.stringContaining("Your card was declined.")]);
    expect((await press(session.url, { action: "pay" })).status).toBe(303);
  });

  it("takes a promotion code, shows the trial and the tax", async () => {
    const tenant = new Tenant(stage);
    const { id: coupon } = await tenant.stripe.coupons.create({ percent_off: 50, duration: "once" });
    await tenant.stripe.promotionCodes.create({ promotion: { type: "coupon", coupon }, code: "HALF" });
    const price = await tenant.newPrice();
    const options = { automatic_tax: { enabled: true }, customer_update: { address: "auto" } } as const;
    const session = await tenant.openCheckout(price, { allow_promotion_codes: true, ...options });
    expect((await press(session.url, { action: "code", code: "NONE" })).text).toContain("This code is invalid.");
    const page = (await press(session.url, { action: "code", code: "half" })).text;
    for (const part of ["-$12.00", "$2.40", "$14.40"]) expect(page).toContain(part);
    const trial = await tenant.openCheckout(price, { subscription_data: { trial_period_days: 14 } });
    const trialPage = (await open(trial.url)).text;
    expect(trialPage).toMatch(/Free for 14 days, then \$24\.00 every\s+month/);
    expect(trialPage).toContain("Start the trial");
  });

  it("escapes what others have named, and lets nothing run but its forms", async () => {
    const tenant = new Tenant(stage);
    const { id: customer } = await tenant.stripe.customers.create({ name: hostile });
    const price = await tenant.newPrice(1, { product_data: { name: hostile } });
    const session = await tenant.openCheckout(price, { customer, cancel_url: `http://app.example/?a="><script>` });
    const { text, headers } = await open(session.url);
    expect(text).not.toContain("<script>");
    expect(text).toContain("&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;&#39;");
    const policy = headers.get("content-security-policy");
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("form-action 'self' http://app.example");
    expect(policy).not.toContain("script-src");
    expect(headers.get("x-content-type-options")).toBe("nosniff");
  });

  it("takes no form from another site, nor one without a known button", async () => {
    const tenant = new Tenant(stage);
    const session = await tenant.openCheckout(await tenant.newPrice());
    expect((await press(session.url, { action: "pay" }, { "sec-fetch-site": "cross-site" })).status).toBe(403);
    expect((await press(session.url, { action: "steal" })).status).toBe(400);
    expect((await tenant.stripe.checkout.sessions.retrieve(session.id)).status).toBe("open");
  });
});

describe("the portal page", () => {
  async function openPortal(name = "Ada") {
    const tenant = new Tenant(stage);
    const customer = (await tenant.stripe.customers.create({ name })).id;
    await tenant.setCard(customer, "good");
    const price = await tenant.newPrice();
    const { id } = await tenant.stripe.subscriptions.create({ customer, items: [{ price: price.id }] });
    const { url } = await tenant.stripe.billingPortal.sessions.create({
      customer,
      return_url: "http://app.example/back",
    });
    return { tenant, customer, id, url, read: () => tenant.stripe.subscriptions.retrieve(id) };
  }

  it("shows the subscription, the card, the invoices and the way back", async () => {
    const { url } = await openPortal(hostile);
    const { status, text } = await open(url);
    expect(status).toBe(200);
    for (const part of [label, "Plan for 1200", "active", "It is good.", "-0001", "http://app.example/back"]) {
      expect(text).toContain(part);
    }
    expect(text).not.toContain("<script>");
  });

  it("cancels, and takes that back", async () => {
    const { url, id, read } = await openPortal();
    expect((await press(url, { action: "cancel", subscription: id })).status).toBe(303);
    expect(await read()).toMatchObject({ cancel_at_period_end: true });
    await press(url, { action: "keep", subscription: id });
    expect(await read()).toMatchObject({ cancel_at_period_end: false });
  });

  it("moves the clock on, declines, and pays what is open", async () => {
    const { tenant, url, id, read } = await openPortal();
    const [, end] = periodOf(await read());
    await press(url, { action: "card-declining" });
    await press(url, { action: "period-end" });
    expect([(await read()).status, periodOf(await read())[0]]).toEqual(["past_due", end]);
    const invoice = (await tenant.invoicesOf({ id })).at(-1)?.id ?? "";
    expect((await press(url, { action: "pay", invoice })).text).toContain("Your card was declined.");
    await press(url, { action: "card-good" });
    expect((await press(url, { action: "pay", invoice })).status).toBe(303);
    expect((await read()).status).toBe("active");
    const before = (await tenant.control("GET", "clock")).body;
    await press(url, { action: "day" });
    const after = (await tenant.control("GET", "clock")).body;
    expect(after.now - before.now).toBeGreaterThanOrEqual(86_400);
    expect(after.frozen).toBe(false);
  });

  it("does nothing to what another customer has", async () => {
    const [one, other] = [await openPortal(), await openPortal()];
    expect((await press(one.url, { action: "cancel", subscription: other.id })).status).toBe(400);
    const stranger = await one.tenant.subscribe(await one.tenant.newPrice());
    expect((await press(one.url, { action: "cancel", subscription: stranger.id })).status).toBe(400);
    const invoice = idOf(stranger.latest_invoice);
    expect((await press(one.url, { action: "pay", invoice })).status).toBe(400);
  });
});

describe("the invoice page", () => {
  it("shows the invoice, and is where it can be paid", async () => {
    const tenant = new Tenant(stage);
    const { id, customer } = await tenant.subscribe(await tenant.newPrice(), { card: "declining" });
    const [invoice] = await tenant.invoicesOf({ id });
    const url = invoice?.hosted_invoice_url;
    const { text } = await open(url);
    for (const part of [label, "-0001", "open", "$12.00"]) expect(text).toContain(part);
    expect((await press(url, { action: "pay" })).text).toContain("Your card was declined.");
    await tenant.setCard(idOf(customer), "good");
    expect((await press(url, { action: "pay" })).status).toBe(303);
    expect((await tenant.stripe.subscriptions.retrieve(id)).status).toBe("active");
    expect((await open(url)).text).not.toContain("<button");
  });
});

describe("other pages", () => {
  it("are not there, but for the start and the style", async () => {
    expect((await open(stage.url)).text).toContain(label);
    expect((await open(`${stage.url}/assets/style.css`)).headers.get("content-type")).toContain("text/css");
    for (const path of ["/c/pay/cs_test_none", "/p/session/bps_none", "/i/in_none", "/assets/../stripe.ts", "/x"]) {
      expect((await open(stage.url + path)).status).toBe(404);
    }
  });

  it("are no way around the names that the SDK needs", async () => {
    const error = await failureOf(new Tenant(stage).stripe.billingPortal.sessions.create({ customer: "cus_none" }));
    expect([error.statusCode, error.param]).toEqual([400, "customer"]);
  });
});
