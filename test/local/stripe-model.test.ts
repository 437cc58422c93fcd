import { request } from "node:http";
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

describe("accounts", () => {
  it("keeps what one secret key has from every other", async () => {
    const [one, other] = [newTenant(), newTenant()];
    const { id } = await one.stripe.customers.create({ name: "Ada" });
    expect((await one.stripe.customers.retrieve(id)).id).toBe(id);
    const error = await failureOf(other.stripe.customers.retrieve(id));
    expect([error.statusCode, error.code, error.param]).toEqual([404, "resource_missing", "id"]);
  });

  it("is there for the SDK's client for Workers too", async () => {
    const { key } = newTenant();
    const stripe = sdkFor(stage, key, { httpClient: Stripe.createFetchHttpClient() });
    const { id } = await stripe.customers.create({ name: "Ada" });
    expect((await stripe.customers.retrieve(id)).lastResponse.requestId).toMatch(/^req_/);
  });

  it("takes the key as the user name of basic authentication too", async () => {
    const tenant = newTenant();
    const authorization = `Basic ${Buffer.from(`${tenant.key}:`).toString("base64")}`;
    expect((await tenant.call("GET", "/v1/prices", "", { authorization })).status).toBe(200);
  });

  it.each(["sk_live_abc", "pk_test_abc", "sk_test_", "sk_test_a b", "nonsense"])("refuses the key %s", async (key) => {
    const error = await failureOf(sdkFor(stage, key).prices.list());
    expect(error).toBeInstanceOf(Stripe.errors.StripeAuthenticationError);
    expect(error.statusCode).toBe(401);
  });

  it("refuses a request without any key in Stripe's shape, with an id", async () => {
    const response = await fetch(`${stage.url}/v1/prices`);
    expect([response.status, await response.json()]).toEqual([
      401,
      { error: { type: "invalid_request_error", message: expect.stringContaining("API key") } },
    ]);
    expect(response.headers.get("request-id")).toMatch(/^req_\w{14}$/);
  });

  it("refuses another version of the API than the SDK's, whose shapes it would not have", async () => {
    const error = await failureOf(newTenant().stripe.prices.list({}, { apiVersion: "2020-08-27" }));
    expect([error.statusCode, error.message]).toEqual([400, expect.stringContaining("2020-08-27")]);
  });

  it("answers to no name but the machine's own", async () => {
    const statusFor = (host: string) =>
      new Promise((resolve, reject) => {
        const message = request(`${stage.url}/`, { headers: { host } }, (response) => {
          response.resume();
          resolve(response.statusCode);
        });
        message.once("error", reject).end();
      });
    expect(await statusFor(`attacker.example:${stage.port}`)).toBe(403);
    expect(await statusFor(`localhost:${stage.port}`)).toBe(200);
  });
});

describe("parameters", () => {
  it.each([
    ["an unknown one", "customers", "nme=Ada", "nme", "parameter_unknown"],
    [
      "an unknown one inside another",
      "prices",
      "currency=usd&unit_amount=1&product_data[nme]=a",
      "product_data[nme]",
      "parameter_unknown",
    ],
    [
      "an unknown one of a list",
      "checkout/sessions",
      "line_items[0][prise]=x",
      "line_items[0][prise]",
      "parameter_unknown",
    ],
    ["a missing one", "billing_portal/sessions", "return_url=http://a.example", "customer", "parameter_missing"],
    ["an empty one", "billing_portal/sessions", "customer=", "customer", "parameter_invalid_empty"],
    [
      "a number that is none",
      "prices",
      "currency=usd&unit_amount=1.5&product=p",
      "unit_amount",
      "parameter_invalid_integer",
    ],
    ["a word that is not among those there are", "subscriptions?status=asleep", "", "status", undefined],
    ["a boolean that is none", "prices?active=1", "", "active", undefined],
    ["a limit above 100", "prices?limit=101", "", "limit", "parameter_invalid_integer"],
    [
      "an address that is none",
      "billing_portal/sessions",
      "customer=c&return_url=javascript:alert(1)",
      "return_url",
      "url_invalid",
    ],
  ])("refuses %s with 400", async (_, path, form, param, code) => {
    const { status, body } = await newTenant().call(form ? "POST" : "GET", `/v1/${path}`, form);
    expect([status, body]).toEqual([
      400,
      { error: { type: "invalid_request_error", message: expect.any(String), param, ...(code && { code }) } },
    ]);
  });

  it.each(["a=1&a=2", "a=1&a[b]=2", "a[b]=1&a=2", "[a]=1", "a[b=1"])("refuses the form %s", async (form) => {
    const { status, body } = await newTenant().call("POST", "/v1/customers", form);
    expect([status, body.error.type]).toEqual([400, "invalid_request_error"]);
  });

  it("takes names that mean something to JavaScript for what they are", async () => {
    const tenant = newTenant();
    const { status, body } = await tenant.call(
      "POST",
      "/v1/customers",
      "metadata[__proto__]=x&metadata[constructor]=y",
    );
    expect(status).toBe(200);
    expect(body.metadata).toEqual({ constructor: "y" });
  });

  it("refuses an operation that it does not have with 404", async () => {
    for (const [method, path] of [
      ["GET", "/v1/charges"],
      ["POST", "/v1/events"],
      ["DELETE", "/v1/customers/cus_1"],
    ] as const) {
      expect((await newTenant().call(method, path)).status).toBe(404);
    }
  });

  it("expands what is asked for, and refuses what cannot be", async () => {
    const tenant = newTenant();
    const { id } = await tenant.subscribe(await tenant.newPrice());
    const expand = ["customer", "latest_invoice", "items.data.price.product"];
    const found: any = await tenant.stripe.subscriptions.retrieve(id, { expand });
    expect(found.customer.name).toBe("Ada");
    expect(found.latest_invoice.status).toBe("paid");
    expect(found.items.data[0].price.product.name).toBe("Plan for 1200");
    for (const path of ["nothing", "status", "customer.nothing", "a.b.c.d.e.f"]) {
      const error = await failureOf(tenant.stripe.subscriptions.retrieve(id, { expand: [path] }));
      expect([error.statusCode, error.param]).toEqual([400, "expand"]);
    }
  });
});

describe("a request that is refused", () => {
  it("has done nothing, even where only the answer shows what is wrong with it", async () => {
    const tenant = newTenant();
    const params = { name: "Ada", expand: ["nothing"] };
    expect((await failureOf(tenant.stripe.customers.create(params))).statusCode).toBe(400);
    expect(await tenant.eventTypes()).toEqual([]);
    expect((await tenant.newCustomer()).name).toBe("Ada");
  });
});

describe("lists", () => {
  it("come newest first, page by page in both directions", async () => {
    const { stripe } = newTenant();
    const ids: string[] = [];
    for (const n of [1, 2, 3, 4, 5]) {
      const product_data = { name: `${n}` };
      ids.unshift((await stripe.prices.create({ currency: "usd", unit_amount: n, product_data })).id);
    }
    const idsOf = ({ data }: { data: { id: string }[] }) => data.map(({ id }) => id);
    const first = await stripe.prices.list({ limit: 2 });
    expect([idsOf(first), first.has_more]).toEqual([ids.slice(0, 2), true]);
    const last = await stripe.prices.list({ limit: 2, starting_after: ids[3] ?? "" });
    expect([idsOf(last), last.has_more]).toEqual([ids.slice(4), false]);
    const before = await stripe.prices.list({ limit: 2, ending_before: ids[3] ?? "" });
    expect([idsOf(before), before.has_more]).toEqual([ids.slice(1, 3), true]);
    expect((await stripe.prices.list({ limit: 2 }).autoPagingToArray({ limit: 99 })).map(({ id }) => id)).toEqual(ids);
    const error = await failureOf(stripe.prices.list({ starting_after: "price_none" }));
    expect([error.statusCode, error.param]).toEqual([400, "starting_after"]);
  });
});

describe("customers", () => {
  it("are made, changed and found, and say what changed", async () => {
    const tenant = newTenant();
    const { customers } = tenant.stripe;
    const { id, metadata } = await customers.create({
      name: "Ada",
      email: "a@b.example",
      metadata: { org: 7, plan: "x" },
    });
    expect(id).toMatch(/^cus_\w{14}$/);
    expect(metadata).toEqual({ org: "7", plan: "x" });
    await customers.update(id, { name: "Grace", metadata: { plan: "", more: "1" } });
    expect(await customers.retrieve(id)).toMatchObject({ name: "Grace", metadata: { org: "7", more: "1" } });
    const [created, updated] = await tenant.events("customer.created", "customer.updated");
    expect(created.data.object.name).toBe("Ada");
    expect(updated.data.previous_attributes).toEqual({ name: "Ada", metadata: { plan: "x", more: null } });
    expect(updated.request.id).toMatch(/^req_/);
    await customers.update(id, { metadata: "" });
    expect(await customers.retrieve(id)).toMatchObject({ metadata: {} });
  });
});

describe("prices", () => {
  it("come with a product, and are found by their lookup keys", async () => {
    const tenant = newTenant();
    const price = await tenant.newPrice(1200, { lookup_key: "pro_month", metadata: { plan: "pro" }, nickname: "Pro" });
    expect(price).toMatchObject({
      unit_amount: 1200,
      recurring: { interval: "month", interval_count: 1 },
      active: true,
    });
    expect(price.unit_amount_decimal?.toString()).toBe("1200");
    await tenant.newPrice(2400, { lookup_key: "max_month" });
    const params = { lookup_keys: ["pro_month", "none"], active: true, limit: 10, expand: ["data.product"] };
    const { data } = await tenant.stripe.prices.list(params);
    expect(data).toMatchObject([{ id: price.id, product: { name: "Plan for 1200" } }]);
    expect(await tenant.stripe.products.retrieve(idOf(data[0]?.product))).toMatchObject({
      active: true,
    });
  });

  it("have a lookup key alone, until another takes it", async () => {
    const tenant = newTenant();
    const first = await tenant.newPrice(1, { lookup_key: "pro" });
    const error = await failureOf(tenant.newPrice(2, { lookup_key: "pro" }));
    expect([error.statusCode, error.param]).toEqual([400, "lookup_key"]);
    const second = await tenant.newPrice(2, { lookup_key: "pro", transfer_lookup_key: true });
    expect((await tenant.stripe.prices.retrieve(first.id)).lookup_key).toBeNull();
    expect((await tenant.stripe.prices.list({ lookup_keys: ["pro"] })).data.map(({ id }) => id)).toEqual([second.id]);
  });
});
