import { describe, expect, it } from "vitest";
import { asOwner } from "./support/database.ts";
import { expectProblem } from "./support/problems.ts";
import { openService, withoutFrontend } from "./support/service.ts";
import { makeSignedEvent, signPayload } from "./support/stripe.ts";
import { newStripePayer, newUntold, ofType, openAccount, statusOf } from "./support/stripe-accounts.ts";

const auditOf = async (organizationId: string): Promise<string[]> => {
  const [rows = []] = await asOwner([
    "select action from audit_events where organization_id = $1 and action ~ '^(subscription|invoice)' order by id",
    [organizationId],
  ]);
  return rows.map(({ action }) => action);
};

describe("POST /v1/webhooks/stripe", () => {
  it("has one effect of one event, however often and however much at once it is told (1)", async () => {
    const { deliveries, receive, read, id } = await newUntold();
    const told = ofType(deliveries, "customer.subscription.created");
    const answers = await Promise.all(Array.from({ length: 8 }, () => receive(told)));
    // One of them does it. Whoever comes meanwhile is told to come again.
    expect(answers.filter(({ status }) => status === 200).length).toBeGreaterThan(0);
    for (const answer of answers.filter(({ status }) => status !== 200)) expectProblem(answer, "unavailable");
    expect(await statusOf(told.eventId)).toEqual(["done", 1]);
    expect((await receive(told)).status).toBe(200);
    expect((await read()).status).toBe("active");
    expect(await auditOf(id)).toEqual(["subscription.created", "invoice.created"]);
  });

  it("heeds an event again whose Worker died in between, once its lease has ended (2)", async () => {
    const { deliveries, receive, read } = await newUntold();
    const told = ofType(deliveries, "customer.subscription.created");
    await asOwner([
      "insert into stripe_events (id, type, status, leased_until) values ($1, $2, 'processing', now() + interval '1 minute')",
      [told.eventId, told.type],
    ]);
    expectProblem(await receive(told), "unavailable");
    expect((await read()).status).toBe("free");
    await asOwner([
      "update stripe_events set leased_until = now() - interval '1 second' where id = $1",
      [told.eventId],
    ]);
    expect((await receive(told)).status).toBe(200);
    expect([await statusOf(told.eventId), (await read()).status]).toEqual([["done", 2], "active"]);
  });

  it("heeds an event again of which nothing came, since Stripe or the database did not answer (2)", async () => {
    const { deliveries, receive, read, fail, service } = await newUntold();
    const told = ofType(deliveries, "customer.subscription.created");
    await fail({ path: "/v1/subscriptions" });
    expectProblem(await receive(told), "unavailable");
    expect([await statusOf(told.eventId), (await read()).status]).toEqual([["failed", 1], "free"]);
    await service.injectFault({ fault: "refuse" });
    expectProblem(await receive(told), "unavailable");
    expect((await receive(told)).status).toBe(200);
    expect([await statusOf(told.eventId), (await read()).status]).toEqual([["done", 2], "active"]);
  });

  it("has what Stripe has, in whichever order it tells: the change before the beginning (3)", async () => {
    const buyer = await newUntold();
    await buyer.stripe.subscriptions.update((await buyer.stripe.subscriptions.list()).data[0]?.id ?? "", {
      cancel_at_period_end: true,
    });
    const deliveries = [...buyer.deliveries, ...(await buyer.take())];
    for (const delivery of deliveries.toReversed()) {
      expect((await buyer.receive(delivery)).status).toBe(200);
      expect(await buyer.read()).toMatchObject({ status: "active", cancelAtPeriodEnd: true });
    }
  });

  it("leaves canceled what a late change tells of, which the end has overtaken (4)", async () => {
    const buyer = await newStripePayer();
    const id = await buyer.providerId();
    await buyer.stripe.subscriptions.update(id, { cancel_at_period_end: true });
    const [late] = await buyer.take();
    if (!late) throw new Error("nothing was told");
    await buyer.stripe.subscriptions.cancel(id);
    await buyer.deliverAll();
    expect((await buyer.read()).status).toBe("free");
    expect((await buyer.receive(late)).status).toBe(200);
    expect((await buyer.read()).status).toBe("free");
  });

  it("has the last of two changes within the same second, whichever is told last (5)", async () => {
    const buyer = await newStripePayer();
    const id = await buyer.providerId();
    for (const cancel_at_period_end of [true, false, true])
      await buyer.stripe.subscriptions.update(id, { cancel_at_period_end });
    const told = (await buyer.take()).filter(({ type }) => type === "customer.subscription.updated");
    expect(told).toHaveLength(3);
    for (const delivery of [told[2], told[0], told[1]]) if (delivery) await buyer.receive(delivery);
    expect((await buyer.read()).cancelAtPeriodEnd).toBe(true);
  });

  it("writes nothing that was asked for before what is written (6)", async () => {
    const buyer = await newStripePayer();
    const id = await buyer.providerId();
    await buyer.stripe.subscriptions.update(id, { cancel_at_period_end: true });
    const [first] = await buyer.take();
    if (!first) throw new Error("nothing was told");
    // Stripe answers the first one late, with what it had: the wait is after it was done.
    await buyer.control("POST", "faults", {
      method: "GET",
      path: "/v1/subscriptions",
      delayMs: 1_500,
      afterDoing: true,
    });
    const slow = buyer.receive(first);
    await expect.poll(async () => (await statusOf(first.eventId))[0]).toBe("processing");
    const isAsked = ({ path, status }: { path: string; status: number }) =>
      path === "/v1/subscriptions" && status === 0;
    await expect.poll(async () => (await buyer.control("GET", "requests")).requests.some(isAsked)).toBe(true);
    await buyer.stripe.subscriptions.update(id, { cancel_at_period_end: false });
    const [second] = await buyer.take();
    if (!second) throw new Error("nothing was told");
    expect((await buyer.receive(second)).status).toBe(200);
    expect((await slow).status).toBe(200);
    expect((await buyer.read()).cancelAtPeriodEnd).toBe(false);
    expect([await statusOf(first.eventId), await statusOf(second.eventId)]).toEqual([
      ["done", 1],
      ["done", 1],
    ]);
  });

  it("leaves the new subscription as it is when the end of the old one is told (8)", async () => {
    const buyer = await newStripePayer();
    await buyer.stripe.subscriptions.cancel(await buyer.providerId());
    const told = await buyer.take();
    await buyer.refresh();
    await buyer.subscribe(buyer.priceId);
    await buyer.pay(await buyer.sessionId());
    await buyer.deliverAll();
    const body = await buyer.read();
    expect(body.status).toBe("active");
    for (const delivery of told) expect((await buyer.receive(delivery)).status).toBe(200);
    expect(await buyer.read()).toEqual(body);
  });

  it("grants nothing for an event of a customer that is nobody's here, and keeps that it was told", async () => {
    const account = await openAccount();
    const customer = await account.stripe.customers.create({ metadata: { organization_id: crypto.randomUUID() } });
    const price = await account.stripe.prices.create({
      currency: "usd",
      unit_amount: 1,
      recurring: { interval: "month" },
      product_data: { name: "Elsewhere" },
    });
    await account.setCard(customer.id, "good");
    await account.stripe.subscriptions.create({ customer: customer.id, items: [{ price: price.id }] });
    const deliveries = await account.take();
    await account.control("DELETE", "requests");
    for (const delivery of deliveries) {
      expect((await account.receive(delivery)).status).toBe(200);
      expect(await statusOf(delivery.eventId)).toEqual(["ignored", 1]);
    }
    expect((await account.control("GET", "requests")).count).toBe(0);
  });

  it("grants nothing for an event of another account, which its secret does not sign", async () => {
    const { deliveries, read } = await newUntold();
    const { receive } = await openAccount();
    for (const delivery of deliveries) expectProblem(await receive(delivery), "invalid_signature");
    expect((await read()).status).toBe("free");
  });

  it("does not apply what an event says, but what Stripe has", async () => {
    const { deliveries, receive, read, secret } = await newUntold();
    const { body, headers } = ofType(deliveries, "customer.subscription.created");
    const forged = JSON.stringify({
      ...JSON.parse(body),
      data: { object: { ...JSON.parse(body).data.object, status: "canceled", metadata: { price_id: "another" } } },
    });
    const signature = await signPayload(forged, secret);
    expect((await receive({ body: forged, headers: { ...headers, "stripe-signature": signature } })).status).toBe(200);
    expect((await read()).status).toBe("active");
  });

  it("is off without Stripe, and refuses what is no event", async () => {
    const off = openService(withoutFrontend);
    const { body: event } = await makeSignedEvent();
    const headers = { "content-type": "application/json", "stripe-signature": "t=0,v1=00" };
    expectProblem(await off.call("POST", "/v1/webhooks/stripe", { body: event, headers }), "stripe_off");
    const { service } = await openAccount();
    const lacking = ["id", "type", "livemode", "data"].map((name) => JSON.stringify({ ...event, [name]: undefined }));
    for (const rawBody of ["", "null", "[]", "{", ...lacking])
      expectProblem(await service.call("POST", "/v1/webhooks/stripe", { rawBody, headers }), "invalid_request");
    const text = { ...headers, "content-type": "text/plain" };
    const answer = await service.call("POST", "/v1/webhooks/stripe", { rawBody: JSON.stringify(event), headers: text });
    expectProblem(answer, "unsupported_media_type");
    for (const signature of [undefined, "", " "]) {
      const signed = signature === undefined ? {} : { headers: { "stripe-signature": signature } };
      expectProblem(await service.call("POST", "/v1/webhooks/stripe", { body: event, ...signed }), "invalid_request");
    }
  });
});
