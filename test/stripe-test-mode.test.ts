import { beforeAll, describe, expect, it } from "vitest";
import { addMember, asOwner, openOwnDatabase } from "./support/database.ts";
import { signUpPerson } from "./support/service.ts";
import { newTestModeBuyer, newTestModePayer, patience, whoAnswers } from "./support/stripe-test-mode.ts";
import { givePrice } from "./support/subscriptions.ts";

// The Cron Trigger would else look at the customers of other files.
beforeAll(openOwnDatabase);

const day = 86_400;
const seconds = (iso: string) => Math.ceil(Date.parse(iso) / 1000);
const dearer = () => givePrice({}, { unitAmount: 3000 });
const cheaper = () => givePrice({}, { unitAmount: 500 });

describe(`What an organization pays for, as ${whoAnswers} has it,`, { timeout: patience }, () => {
  it("is offered on a page of Stripe's, of one price at a time", async () => {
    const buyer = await newTestModeBuyer();
    const { body } = await buyer.subscribe(buyer.priceId);
    expect(body).toMatchObject({ status: "free", checkoutUrl: expect.stringMatching(/^https?:/) });
    const first = await buyer.sessionId();
    const offered = await buyer.stripe.checkout.sessions.retrieve(first, { expand: ["line_items"] });
    expect(offered).toMatchObject({ status: "open", mode: "subscription", customer: await buyer.customerId() });
    expect(offered.line_items?.data).toMatchObject([{ quantity: 2, price: { unit_amount: 1200, currency: "usd" } }]);
    await buyer.subscribe((await dearer()).priceId);
    expect((await buyer.stripe.checkout.sessions.retrieve(first)).status).toBe("expired");
  });

  it("is active once it is paid for, with its invoice", async () => {
    const payer = await newTestModePayer();
    expect(await payer.read()).toMatchObject({ status: "active", plan: { id: payer.planId }, quantity: 2 });
    expect(await payer.invoices()).toMatchObject([{ status: "paid", total: 2400, currency: "usd" }]);
    const { url } = (await payer.invoices())[0] ?? {};
    expect(url).toBe((await payer.stripeInvoices())[0]?.hosted_invoice_url);
  });

  it("is paid for with the end of its trial", async () => {
    const payer = await newTestModePayer({ trialDays: 7 });
    const { trialEndsAt } = await payer.read();
    await payer.goOnTo(seconds(trialEndsAt) + 2 * 3600);
    await payer.expectTold({ status: "active", trialEndsAt });
    expect((await payer.invoices())[0]).toMatchObject({ status: "paid", total: 2400 });
  });

  it("moves at once to what costs more, once the rest of the period is paid for", async () => {
    const payer = await newTestModePayer();
    await payer.goOnTo(seconds((await payer.read()).currentPeriodStart) + 10 * day);
    const { priceId } = await dearer();
    expect((await payer.change(priceId)).body).toMatchObject({ price: { id: priceId }, scheduledPriceId: null });
    const [latest] = await payer.stripeInvoices();
    expect(latest?.status).toBe("paid");
    // Of 36 dollars more, at least 17 and at most 21 of 28 to 31 days.
    expect(latest?.total).toBeGreaterThan(2_200);
    expect(latest?.total).toBeLessThan(2_600);
  });

  it("stays where it is while that is declined", async () => {
    const payer = await newTestModePayer();
    await payer.setCard("declining");
    await payer.change((await dearer()).priceId);
    await payer.expectTold({ status: "active", price: { id: payer.priceId } });
    expect((await payer.live()).pending_update).not.toBeNull();
  });

  it("moves to what costs less with the next period", async () => {
    const payer = await newTestModePayer();
    const { priceId } = await cheaper();
    const { body } = await payer.change(priceId);
    expect(body).toMatchObject({ price: { id: payer.priceId }, scheduledPriceId: priceId });
    await payer.goOnTo(seconds(body.currentPeriodEnd) + 2 * 3600);
    await payer.expectTold({ status: "active", price: { id: priceId }, scheduledPriceId: null });
    expect((await payer.invoices())[0]).toMatchObject({ total: 1000, status: "paid" });
  });

  it("takes that back with a cancellation, and ends with its period, unless it is resumed before", async () => {
    const payer = await newTestModePayer();
    const { priceId } = await cheaper();
    await payer.change(priceId);
    const { body } = await payer.cancel();
    expect(body).toMatchObject({ status: "active", cancelAtPeriodEnd: true, scheduledPriceId: null });
    expect((await payer.resume()).body).toMatchObject({ cancelAtPeriodEnd: false, canceledAt: null });
    expect((await payer.cancel()).status).toBe(200);
    await payer.goOnTo(seconds(body.currentPeriodEnd) + 60);
    await payer.expectTold({ status: "free" });
  });

  it("is past due when its card is declined, and active once that is paid", async () => {
    const payer = await newTestModePayer();
    await payer.setCard("declining");
    await payer.goOnTo(seconds((await payer.read()).currentPeriodEnd) + 2 * 3600);
    await payer.expectTold({ status: "past_due", graceEndsAt: expect.any(String) });
    expect((await payer.invoices())[0]?.status).toBe("open");
    await payer.setCard("good");
    const [open] = await payer.stripeInvoices();
    await payer.stripe.invoices.pay(open?.id ?? "");
    await payer.expectTold({ status: "active", graceEndsAt: null });
    expect((await payer.invoices())[0]?.status).toBe("paid");
  });

  it("is counted by the members that there are", async () => {
    const payer = await newTestModePayer();
    const joined = await signUpPerson(payer.service);
    await addMember(payer.id, joined.id, "member");
    await asOwner(["update stripe_customers set due_at = now() where organization_id = $1", [payer.id]]);
    await payer.runCron();
    expect((await payer.live()).items.data[0]?.quantity).toBe(3);
    await payer.expectTold({ status: "active", quantity: 3 });
  });

  it("is found without a word of Stripe's, by whoever asks", async () => {
    const buyer = await newTestModeBuyer();
    await buyer.subscribe(buyer.priceId);
    await buyer.payCheckout();
    expect((await buyer.refresh()).body).toMatchObject({ status: "active", plan: { id: buyer.planId } });
  });

  it("can be seen and paid at Stripe's portal", async () => {
    const payer = await newTestModePayer();
    expect(await payer.call("POST", "subscription/portal")).toMatchObject({
      status: 200,
      body: { url: expect.stringMatching(/^https?:/) },
    });
  });
});
