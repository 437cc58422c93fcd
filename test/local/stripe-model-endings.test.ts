import { afterAll, beforeAll, describe, expect, it } from "vitest";

import type { StripeServer } from "../../scripts/local/stripe.ts";
import { at, failureOf, openStage, type SubscribeOptions, subscriberAt } from "./stripe-model-support.ts";

let stage: StripeServer;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage.close());

const begin = (iso: string, options: SubscribeOptions = {}, price: object = {}) =>
  subscriberAt(stage, iso, options, price);

describe("a declined renewal", () => {
  it("is past due, is tried again after 3, 5 and 7 days, and then ends the subscription", async () => {
    const { tenant, customer, read, invoices } = await begin("2027-01-31T00:00:00Z");
    await tenant.setCard(customer, "declining");
    await tenant.moveTo("2027-02-28T00:00:00Z");
    expect((await read()).status).toBe("past_due");
    const attempts = [];
    for (const days of [3, 5, 7]) {
      const last = (await invoices()).at(-1);
      attempts.push([last?.attempt_count, last?.next_payment_attempt]);
      await tenant.passDays(days);
    }
    expect(attempts).toEqual([
      [1, at("2027-03-03T00:00:00Z")],
      [2, at("2027-03-08T00:00:00Z")],
      [3, at("2027-03-15T00:00:00Z")],
    ]);
    expect(await read()).toMatchObject({
      status: "canceled",
      ended_at: at("2027-03-15T00:00:00Z"),
      cancellation_details: { reason: "payment_failed" },
    });
    expect((await invoices()).at(-1)).toMatchObject({ status: "open", attempt_count: 4, next_payment_attempt: null });
    expect(await tenant.events("invoice.payment_failed")).toHaveLength(4);
    expect((await tenant.eventTypes()).at(-1)).toBe("customer.subscription.deleted");
    await tenant.passDays(60);
    expect(await invoices()).toHaveLength(2);
  });

  it("is paid by the next attempt when the card is good again", async () => {
    const { tenant, customer, read } = await begin("2027-01-31T00:00:00Z");
    await tenant.setCard(customer, "declining");
    await tenant.moveTo("2027-02-28T00:00:00Z");
    await tenant.setCard(customer, "good");
    await tenant.passDays(3);
    expect((await read()).status).toBe("active");
  });

  it("is paid by whoever pays the invoice, and refused while the card is no good", async () => {
    const { tenant, customer, read, invoices } = await begin("2027-01-31T00:00:00Z");
    await tenant.setCard(customer, "declining");
    await tenant.moveTo("2027-02-28T00:00:00Z");
    const { id } = (await invoices()).at(-1) ?? { id: "" };
    const error = await failureOf(tenant.stripe.invoices.pay(id));
    expect([error.statusCode, error.type, error.code]).toEqual([402, "StripeCardError", "card_declined"]);
    await tenant.setCard(customer, null);
    expect((await failureOf(tenant.stripe.invoices.pay(id))).statusCode).toBe(400);
    await tenant.setCard(customer, "good");
    expect(await tenant.stripe.invoices.pay(id)).toMatchObject({ status: "paid", amount_remaining: 0 });
    expect((await read()).status).toBe("active");
    expect((await failureOf(tenant.stripe.invoices.pay(id))).message).toContain("already paid");
  });

  it("is tried again as planned, however often somebody tries in between", async () => {
    const { tenant, customer, invoices } = await begin("2027-01-31T00:00:00Z");
    await tenant.setCard(customer, "declining");
    await tenant.moveTo("2027-02-28T00:00:00Z");
    const before = (await invoices()).at(-1);
    for (const _ of [1, 2, 3]) await failureOf(tenant.stripe.invoices.pay(before?.id ?? ""));
    const { attempt_count, next_payment_attempt } = before ?? {};
    expect((await invoices()).at(-1)).toMatchObject({ status: "open", attempt_count, next_payment_attempt });
  });

  it("leaves the subscription unpaid where that is set, with drafts from then on, until it is paid", async () => {
    const { tenant, customer, read, invoices } = await begin("2027-01-31T00:00:00Z");
    await tenant.control("POST", "settings", { afterRetries: "unpaid" });
    await tenant.setCard(customer, "declining");
    await tenant.moveTo("2027-04-01T00:00:00Z");
    expect((await read()).status).toBe("unpaid");
    expect((await invoices()).map(({ status }) => status)).toEqual(["paid", "open", "draft"]);
    await tenant.setCard(customer, "good");
    await tenant.stripe.invoices.pay((await invoices()).at(-1)?.id ?? "");
    expect((await read()).status).toBe("active");
  });

  it("is forgiven by voiding the invoice", async () => {
    const { tenant, customer, read, invoices } = await begin("2027-01-31T00:00:00Z");
    await tenant.setCard(customer, "declining");
    await tenant.moveTo("2027-02-28T00:00:00Z");
    const { id } = (await invoices()).at(-1) ?? { id: "" };
    expect(await tenant.stripe.invoices.voidInvoice(id)).toMatchObject({ status: "void", next_payment_attempt: null });
    expect((await read()).status).toBe("active");
    expect((await failureOf(tenant.stripe.invoices.voidInvoice(id))).statusCode).toBe(400);
  });
});

describe("a first payment that is declined", () => {
  it("leaves the subscription incomplete for 23 hours, and then expired", async () => {
    const { tenant, id, read, invoices } = await begin("2027-01-31T00:00:00Z", { card: "declining" });
    expect((await read()).status).toBe("incomplete");
    const error = await failureOf(tenant.stripe.subscriptions.update(id, { cancel_at_period_end: true }));
    expect(error.statusCode).toBe(400);
    expect((await tenant.stripe.subscriptions.update(id, { metadata: { a: "b" } })).metadata).toEqual({ a: "b" });
    await tenant.moveTo("2027-01-31T22:59:59Z");
    expect((await read()).status).toBe("incomplete");
    await tenant.moveTo("2027-01-31T23:00:00Z");
    expect(await read()).toMatchObject({ status: "incomplete_expired", ended_at: at("2027-01-31T23:00:00Z") });
    expect(await invoices()).toMatchObject([{ status: "void", attempt_count: 1 }]);
    const listed = async (status?: "all" | "ended") =>
      (await tenant.stripe.subscriptions.list({ ...(status && { status }) })).data.length;
    expect([await listed(), await listed("all"), await listed("ended")]).toEqual([0, 1, 1]);
  });

  it("can be made up for by paying the invoice in time", async () => {
    const { tenant, customer, read, invoices } = await begin("2027-01-31T00:00:00Z", { card: "declining" });
    await tenant.setCard(customer, "good");
    await tenant.stripe.invoices.pay((await invoices())[0]?.id ?? "");
    expect((await read()).status).toBe("active");
  });
});

describe("cancellation", () => {
  it("at the period's end can be taken back until then, and not after", async () => {
    const { tenant, id, read, invoices } = await begin("2027-01-31T00:00:00Z");
    const cancel = (cancel_at_period_end: boolean) => tenant.stripe.subscriptions.update(id, { cancel_at_period_end });
    expect(await cancel(true)).toMatchObject({
      status: "active",
      cancel_at: at("2027-02-28T00:00:00Z"),
      canceled_at: at("2027-01-31T00:00:00Z"),
    });
    expect(await cancel(false)).toMatchObject({
      cancel_at: null,
      canceled_at: null,
      cancellation_details: { reason: null },
    });
    await cancel(true);
    await tenant.moveTo("2027-02-27T23:59:59Z");
    expect((await read()).status).toBe("active");
    await tenant.moveTo("2027-02-28T00:00:00Z");
    expect(await read()).toMatchObject({
      status: "canceled",
      ended_at: at("2027-02-28T00:00:00Z"),
      cancellation_details: { reason: "cancellation_requested" },
    });
    expect(await invoices()).toHaveLength(1);
    expect((await failureOf(cancel(false))).statusCode).toBe(400);
    expect((await failureOf(tenant.stripe.subscriptions.cancel(id))).code).toBe("resource_missing");
  });

  it("at once ends it, and nobody is charged for what is open", async () => {
    const { tenant, id, customer, invoices } = await begin("2027-01-31T00:00:00Z");
    await tenant.setCard(customer, "declining");
    await tenant.moveTo("2027-02-28T00:00:00Z");
    expect(await tenant.stripe.subscriptions.cancel(id, { cancellation_details: { comment: "Bye" } })).toMatchObject({
      status: "canceled",
      cancellation_details: { comment: "Bye", reason: "cancellation_requested" },
    });
    await tenant.setCard(customer, "good");
    await tenant.passDays(30);
    expect((await invoices()).at(-1)).toMatchObject({ status: "open", auto_advance: false });
    expect((await tenant.events("customer.subscription.deleted")).length).toBe(1);
  });

  it("at once leaves a draft that nobody finalizes", async () => {
    const { tenant, id, invoices } = await begin("2027-01-31T00:00:00Z");
    await tenant.control("POST", "settings", { draftSeconds: 3600 });
    await tenant.moveTo("2027-02-28T00:00:00Z");
    await tenant.stripe.subscriptions.cancel(id);
    await tenant.passDays(1);
    expect((await invoices()).at(-1)).toMatchObject({ status: "draft", auto_advance: false });
  });

  it("at once can give back what is left of the period, as credit", async () => {
    const { tenant, id, customer, invoices } = await begin("2027-03-01T00:00:00Z");
    await tenant.moveTo("2027-03-16T12:00:00Z");
    await tenant.stripe.subscriptions.cancel(id, { invoice_now: true, prorate: true });
    expect((await invoices()).at(-1)).toMatchObject({
      total: -600,
      amount_due: 0,
      status: "paid",
      ending_balance: -600,
    });
    expect(await tenant.stripe.customers.retrieve(customer)).toMatchObject({ balance: -600 });
  });
});

describe("a day on which it is to end", () => {
  it("ends it within a period, or in a later one", async () => {
    for (const day of ["2027-02-10T00:00:00Z", "2027-03-10T00:00:00Z"]) {
      const { tenant, id, read } = await begin("2027-01-31T00:00:00Z");
      const wished = await tenant.stripe.subscriptions.update(id, { cancel_at: at(day) });
      expect(wished).toMatchObject({
        cancel_at: at(day),
        cancel_at_period_end: false,
        canceled_at: expect.any(Number),
      });
      await tenant.moveTo(day.replace("10T00:00:00", "09T23:59:59"));
      expect((await read()).status).toBe("active");
      await tenant.moveTo(day);
      expect(await read()).toMatchObject({ status: "canceled", ended_at: at(day) });
    }
  });

  it("is taken back by an empty one, and by the end of the period instead", async () => {
    const { tenant, id, read } = await begin("2027-01-31T00:00:00Z");
    const update = (given: object) => tenant.stripe.subscriptions.update(id, given);
    await update({ cancel_at: at("2027-02-10T00:00:00Z") });
    expect(await update({ cancel_at: "" })).toMatchObject({ cancel_at: null, canceled_at: null });
    await update({ cancel_at: at("2027-02-10T00:00:00Z") });
    const end = at("2027-02-28T00:00:00Z");
    expect(await update({ cancel_at_period_end: true })).toMatchObject({ cancel_at: end, cancel_at_period_end: true });
    await tenant.moveTo("2027-02-27T23:59:59Z");
    expect((await read()).status).toBe("active");
  });

  it("is in the future, and wished for in one way", async () => {
    const { tenant, id } = await begin("2027-01-31T00:00:00Z");
    const refused = (given: object) => failureOf(tenant.stripe.subscriptions.update(id, given));
    const past = { cancel_at: at("2027-01-31T00:00:00Z") };
    expect(await refused(past)).toMatchObject({ statusCode: 400, param: "cancel_at" });
    const both = { cancel_at: at("2027-02-10T00:00:00Z"), cancel_at_period_end: true };
    expect(await refused(both)).toMatchObject({ statusCode: 400, param: "cancel_at" });
    await tenant.stripe.subscriptionSchedules.create({ from_subscription: id });
    expect(await refused({ cancel_at: "" })).toMatchObject({ statusCode: 400, param: "cancel_at" });
  });

  it("is the end of its period, also where that has moved since", async () => {
    const { tenant, id, read } = await begin("2027-01-01T00:00:00Z", { trial_period_days: 7 });
    await tenant.stripe.subscriptions.update(id, { cancel_at_period_end: true });
    await tenant.stripe.subscriptions.update(id, { trial_end: at("2027-01-20T00:00:00Z") });
    await tenant.moveTo("2027-01-19T23:59:59Z");
    expect((await read()).status).toBe("trialing");
    await tenant.moveTo("2027-01-20T00:00:00Z");
    expect((await read()).status).toBe("canceled");
  });
});
