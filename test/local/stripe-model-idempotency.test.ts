import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Stripe } from "stripe";

import type { StripeServer } from "../../scripts/local/stripe.ts";
import { failureOf, idOf, openStage, sdkFor, Tenant } from "./stripe-model-support.ts";

let stage: StripeServer;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage.close());
const newTenant = () => new Tenant(stage);
const key = { idempotencyKey: "one" };

describe("Idempotency-Key", () => {
  it("brings the first answer again, and does nothing again", async () => {
    const tenant = newTenant();
    const first = await tenant.stripe.customers.create({ name: "Ada" }, key);
    const second = await tenant.stripe.customers.create({ name: "Ada" }, key);
    expect(second.id).toBe(first.id);
    expect([first, second].map(({ lastResponse }) => lastResponse.headers["idempotent-replayed"])).toEqual([
      undefined,
      "true",
    ]);
    expect(second.lastResponse.requestId).not.toBe(first.lastResponse.requestId);
    expect(await tenant.events("customer.created")).toMatchObject([{ request: { idempotency_key: "one" } }]);
  });

  it.each([
    ["other parameters", "POST", "/v1/customers", "name=Grace"],
    ["another operation", "POST", "/v1/products", "name=Ada"],
  ])("refuses %s under a used key", async (_, method, path, form) => {
    const tenant = newTenant();
    await tenant.call("POST", "/v1/customers", "name=Ada", { "idempotency-key": "one" });
    const { status, body } = await tenant.call(method, path, form, { "idempotency-key": "one" });
    expect([status, body.error.type]).toEqual([400, "idempotency_error"]);
  });

  it("is another one for another account", async () => {
    const [one, other] = [newTenant(), newTenant()];
    const { id } = await one.stripe.customers.create({ name: "Ada" }, key);
    expect((await other.stripe.customers.create({ name: "Ada" }, key)).id).not.toBe(id);
  });

  it("is free again after a request that was refused for its parameters", async () => {
    const { stripe } = newTenant();
    await failureOf(stripe.customers.create({ nme: "Ada" } as object, key));
    expect((await stripe.customers.create({ name: "Ada" }, key)).name).toBe("Ada");
  });

  it("refuses a second request while the first is being worked on, and has the answer for it later", async () => {
    const tenant = newTenant();
    await tenant.control("POST", "faults", { delayMs: 300 });
    const slow = tenant.stripe.customers.create({ name: "Ada" }, key);
    await expect.poll(async () => (await tenant.control("GET", "requests")).body.count).toBe(1);
    const error = await failureOf(tenant.stripe.customers.create({ name: "Ada" }, key));
    expect([error.statusCode, error.code]).toEqual([409, "idempotency_key_in_use"]);
    const { id } = await slow;
    expect((await tenant.stripe.customers.create({ name: "Ada" }, key)).id).toBe(id);
    expect(await tenant.events("customer.created")).toHaveLength(1);
  });

  it("keeps a declined payment as declined", async () => {
    const tenant = newTenant();
    const subscription = await tenant.subscribe(await tenant.newPrice(), { card: "declining" });
    const invoice = idOf(subscription.latest_invoice);
    const declined = await failureOf(tenant.stripe.invoices.pay(invoice, {}, key));
    expect(declined).toBeInstanceOf(Stripe.errors.StripeCardError);
    await tenant.setCard(idOf(subscription.customer), "good");
    expect((await failureOf(tenant.stripe.invoices.pay(invoice, {}, key))).statusCode).toBe(402);
    expect((await tenant.stripe.invoices.pay(invoice)).status).toBe("paid");
  });

  it("saves the SDK from doing twice what it tries twice", async () => {
    const tenant = newTenant();
    await tenant.control("POST", "faults", { method: "POST", drop: true, afterDoing: true });
    const { id } = await sdkFor(stage, tenant.key, { maxNetworkRetries: 1 }).customers.create({ name: "Ada" });
    const { requests } = (await tenant.control("GET", "requests")).body;
    expect(requests.map(({ status }: { status: number }) => status)).toEqual([0, 200]);
    expect(new Set(requests.map(({ idempotencyKey }: any) => idempotencyKey)).size).toBe(1);
    expect(await tenant.events("customer.created")).toMatchObject([{ data: { object: { id } } }]);
  });
});

describe("faults of the API", () => {
  it("answers with the status that is set, without doing anything, so often and there only", async () => {
    const tenant = newTenant();
    await tenant.control("POST", "faults", { status: 500, times: 2, method: "POST", path: "/v1/customers" });
    await tenant.stripe.prices.list();
    for (const _ of [1, 2]) {
      const error = await failureOf(tenant.stripe.customers.create({ name: "Ada" }, key));
      expect([error.statusCode, error.type]).toEqual([500, "StripeAPIError"]);
    }
    expect(await tenant.events("customer.created")).toEqual([]);
    expect((await tenant.stripe.customers.create({ name: "Ada" }, key)).name).toBe("Ada");
  });

  it("can do it all the same, and answer with an error", async () => {
    const tenant = newTenant();
    await tenant.control("POST", "faults", { status: 500, afterDoing: true });
    await failureOf(tenant.stripe.customers.create({ name: "Ada" }, key));
    const [event] = await tenant.events("customer.created");
    expect((await tenant.stripe.customers.create({ name: "Ada" }, key)).id).toBe(event.data.object.id);
  });

  it("tells of too many requests as Stripe does", async () => {
    const tenant = newTenant();
    await tenant.control("POST", "faults", { status: 429 });
    expect(await failureOf(tenant.stripe.prices.list())).toBeInstanceOf(Stripe.errors.StripeRateLimitError);
  });

  it("drops the connection before doing anything, until the orders are taken back", async () => {
    const tenant = newTenant();
    await tenant.control("POST", "faults", { drop: true, times: 99 });
    const error = await failureOf(tenant.stripe.customers.create({ name: "Ada" }));
    expect(error).toBeInstanceOf(Stripe.errors.StripeConnectionError);
    await tenant.control("DELETE", "faults");
    expect(await tenant.events("customer.created")).toEqual([]);
  });

  it("counts requests by account, and forgets them", async () => {
    const [tenant, other] = [newTenant(), newTenant()];
    await tenant.stripe.prices.list({ limit: 1 });
    await other.stripe.prices.list();
    expect((await tenant.control("GET", "requests")).body).toEqual({
      count: 1,
      requests: [
        { method: "GET", path: "/v1/prices", idempotencyKey: null, requestId: expect.any(String), status: 200 },
      ],
    });
    await tenant.control("DELETE", "requests");
    expect((await tenant.control("GET", "requests")).body.count).toBe(0);
  });

  it.each([
    ["POST", "faults", {}],
    ["POST", "faults", { status: 200 }],
    ["POST", "faults", { status: 500, tims: 1 }],
    ["POST", "clock", { to: 1.5 }],
    ["POST", "checkout", { session: "cs_1", outcome: "stolen" }],
    ["PUT", "webhook", { secrets: [] }],
    ["PUT", "webhook", { secrets: ["whsec_a"], faults: { dublicate: 2 } }],
    ["PUT", "webhook", { secrets: ["whsec_a"], url: "ftp://a.example" }],
  ])("refuses the order %s %s %j with 400", async (method, path, order) => {
    expect((await newTenant().control(method, path, order)).status).toBe(400);
  });

  it("takes no orders for no account, nor where there is no control", async () => {
    expect((await fetch(`${stage.url}/control/requests`)).status).toBe(400);
    const closed = await openStage({ control: false });
    try {
      expect((await new Tenant(closed).control("GET", "requests").catch(() => ({ status: 404 }))).status).toBe(404);
    } finally {
      await closed.close();
    }
  });
});
