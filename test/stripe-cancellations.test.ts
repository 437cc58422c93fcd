import { describe, expect, it } from "vitest";
import { expectProblem } from "./support/problems.ts";
import { newStripePayer } from "./support/stripe-accounts.ts";
import { givePrice } from "./support/subscriptions.ts";

const cheaper = () => givePrice({}, { unitAmount: 500 });

describe("POST /v1/organizations/{organizationId}/subscription/cancel and resume, with Stripe", () => {
  it("ends it with its period, unless it is resumed before (12)", async () => {
    const payer = await newStripePayer();
    const canceled = await payer.cancel();
    expect(canceled.body).toMatchObject({ status: "active", cancelAtPeriodEnd: true });
    expect(await payer.cancel()).toMatchObject({ status: 200, body: { cancelAtPeriodEnd: true } });
    await payer.goOnTo(canceled.body.currentPeriodEnd, -1);
    expect((await payer.resume()).body).toMatchObject({ status: "active", cancelAtPeriodEnd: false, canceledAt: null });
    await payer.cancel();
    await payer.goOnTo(canceled.body.currentPeriodEnd, 1);
    await payer.deliverAll();
    expect(await payer.read()).toMatchObject({ status: "free", isTrialAvailable: true });
    expectProblem(await payer.resume(), "no_subscription");
  });

  it("refuses to resume what Stripe has ended, of which it has not told (12)", async () => {
    const payer = await newStripePayer();
    const { body } = await payer.cancel();
    await payer.goOnTo(body.currentPeriodEnd, 1);
    expectProblem(await payer.resume(), "subscription_not_active");
    expect((await payer.read()).status).toBe("free");
  });

  it("refuses to cancel what Stripe has ended, of which it has not told, and has the other that lives there", async () => {
    const payer = await newStripePayer();
    const [customer, ended] = [await payer.customerId(), await payer.providerId()];
    const { items } = await payer.stripe.subscriptions.retrieve(ended);
    const price = items.data[0]?.price.id ?? "";
    const other = await payer.stripe.subscriptions.create({ customer, items: [{ price, quantity: 2 }] });
    await payer.stripe.subscriptions.cancel(ended);
    expectProblem(await payer.cancel(), "subscription_not_active");
    expect((await payer.read()).status).toBe("active");
    expect(await payer.providerId()).toBe(other.id);
  });

  it("is resumed where Stripe's dashboard has set a day for it, and ends on that day where it is not", async () => {
    const payer = await newStripePayer();
    const { currentPeriodEnd } = await payer.read();
    const id = await payer.providerId();
    const end = (cancel_at: number) => payer.stripe.subscriptions.update(id, { cancel_at });
    const lastDay = Date.parse(currentPeriodEnd) / 1000 - 86_400;
    await end(lastDay);
    await payer.deliverAll();
    expect(await payer.read()).toMatchObject({ status: "active", cancelAtPeriodEnd: true });
    expect((await payer.resume()).body).toMatchObject({ cancelAtPeriodEnd: false, canceledAt: null });
    expect((await payer.stripe.subscriptions.retrieve(id)).cancel_at).toBeNull();
    await end(lastDay);
    await payer.deliverAll();
    await payer.goOnTo(lastDay);
    await payer.deliverAll();
    expect((await payer.read()).status).toBe("free");
  });

  it("goes on where that day is in a later period, until it comes", async () => {
    const payer = await newStripePayer();
    const { currentPeriodEnd } = await payer.read();
    const lastDay = Date.parse(currentPeriodEnd) / 1000 + 10 * 86_400;
    await payer.stripe.subscriptions.update(await payer.providerId(), { cancel_at: lastDay });
    await payer.deliverAll();
    expect(await payer.read()).toMatchObject({ status: "active", cancelAtPeriodEnd: false });
    await payer.goOnTo(lastDay, -1);
    await payer.deliverAll();
    expect(await payer.read()).toMatchObject({ status: "active", cancelAtPeriodEnd: true });
    await payer.goOnTo(lastDay);
    await payer.deliverAll();
    expect((await payer.read()).status).toBe("free");
  });

  it("takes back what was to come with the next period (13)", async () => {
    const payer = await newStripePayer();
    await payer.change((await cheaper()).priceId);
    expect((await payer.cancel()).body).toMatchObject({ cancelAtPeriodEnd: true, scheduledPriceId: null });
    const { schedule } = await payer.stripe.subscriptions.retrieve(await payer.providerId());
    expect(schedule).toBeNull();
  });

  it("ends at once what is not paid for", async () => {
    const payer = await newStripePayer();
    await payer.setCard(await payer.customerId(), "declining");
    await payer.goOnTo((await payer.read()).currentPeriodEnd, 7_200);
    await payer.deliverAll();
    expect((await payer.read()).status).toBe("past_due");
    expect((await payer.cancel()).body.status).toBe("free");
  });
});
