import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Stripe } from "stripe";

import { readBody } from "../../scripts/local/http.ts";
import { closeServer, listenOnLoopback } from "../../scripts/local/listen.ts";
import type { StripeServer } from "../../scripts/local/stripe.ts";
import { openStage, Tenant } from "./stripe-model-support.ts";

let stage: StripeServer;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage.close());

const secret = "whsec_one";

async function newTenant(endpoint: object = {}): Promise<Tenant> {
  const tenant = new Tenant(stage);
  expect((await tenant.control("PUT", "webhook", { secrets: [secret], ...endpoint })).status).toBe(200);
  return tenant;
}

async function makeCustomers(tenant: Tenant, count: number): Promise<string[]> {
  const ids = [];
  for (let n = 0; n < count; n += 1) ids.push((await tenant.stripe.customers.create({ name: `${n}` })).id);
  return ids;
}

const take = async (tenant: Tenant, limit?: number): Promise<any[]> =>
  (await tenant.control("POST", "deliveries/take", { limit })).body.deliveries;
const customerOf = ({ body }: { body: string }) => JSON.parse(body).data.object.id;

describe("deliveries that are pulled", () => {
  it("are signed for real, with each of the endpoint's secrets", async () => {
    const tenant = await newTenant({ secrets: ["whsec_new", "whsec_old"] });
    const [id] = await makeCustomers(tenant, 1);
    const [{ body, headers, eventId, type }] = (await tenant.control("GET", "deliveries")).body.deliveries;
    const signature = headers["stripe-signature"];
    for (const known of ["whsec_new", "whsec_old"]) {
      const event = tenant.stripe.webhooks.constructEvent(body, signature, known);
      expect(event).toMatchObject({
        id: eventId,
        type,
        livemode: false,
        api_version: Stripe.API_VERSION,
        data: { object: { id } },
      });
    }
    expect(signature).toMatch(/^t=\d+,v1=\w{64},v1=\w{64}$/);
    expect(() => tenant.stripe.webhooks.constructEvent(body, signature, "whsec_other")).toThrow(/signature/i);
    expect(() => tenant.stripe.webhooks.constructEvent(`${body} `, signature, "whsec_new")).toThrow(/signature/i);
  });

  it("wait until they are taken, and again when they were not acknowledged, and in the end no more", async () => {
    const tenant = await newTenant();
    await makeCustomers(tenant, 1);
    const states = [];
    for (const status of [500, 0, 302, 503]) {
      const [delivery] = await take(tenant);
      expect(await take(tenant)).toEqual([]);
      states.push((await tenant.control("POST", `deliveries/${delivery.id}`, { status })).body);
    }
    expect(states.map(({ state }) => state)).toEqual(["waiting", "waiting", "waiting", "failed"]);
    expect(await take(tenant)).toEqual([]);
    const { deliveries } = (await tenant.control("GET", "deliveries?state=all")).body;
    expect(deliveries).toMatchObject([{ state: "failed", attempts: 4, lastStatus: 503, type: "customer.created" }]);
  });

  it("have their outcome in what events list as delivered", async () => {
    const tenant = await newTenant();
    await makeCustomers(tenant, 2);
    const [first, second] = await take(tenant);
    await tenant.control("POST", `deliveries/${first.id}`, { status: 200 });
    await tenant.control("POST", `deliveries/${second.id}`, { status: 500 });
    const list = async (delivery_success: boolean) =>
      (await tenant.stripe.events.list({ delivery_success })).data.map(({ id, pending_webhooks }) => [
        id,
        pending_webhooks,
      ]);
    expect(await list(true)).toEqual([[first.eventId, 0]]);
    expect(await list(false)).toEqual([[second.eventId, 1]]);
  });

  it("come in the order of the events, unless they are copied and reordered", async () => {
    const tenant = await newTenant();
    const ids = await makeCustomers(tenant, 4);
    expect((await take(tenant)).map(customerOf)).toEqual(ids);
    const shuffled = await newTenant({ faults: { copies: 2, reorderWindow: 4 } });
    const [one, two, three, four] = await makeCustomers(shuffled, 4);
    const deliveries = await take(shuffled);
    expect(deliveries.map(customerOf)).toEqual([two, two, one, one, four, four, three, three]);
    expect(new Set(deliveries.map(({ eventId }) => eventId)).size).toBe(4);
    expect(new Set(deliveries.map(({ id }) => id)).size).toBe(8);
  });

  it("are lost as the faults have it, and events list them as not delivered", async () => {
    const tenant = await newTenant({ faults: { loseEvery: 3 } });
    const ids = await makeCustomers(tenant, 6);
    const taken = await take(tenant);
    expect(taken.map(customerOf)).toEqual([0, 1, 3, 4].map((n) => ids[n]));
    for (const { id } of taken) await tenant.control("POST", `deliveries/${id}`, { status: 200 });
    const { data } = await tenant.stripe.events.list({ delivery_success: false });
    expect(data.map((event) => (event.data.object as Stripe.Customer).id)).toEqual([ids[5], ids[2]]);
  });

  it("are lost by chance, and by the same chance for the same seed", async () => {
    const lost = async (seed: number) => {
      const tenant = await newTenant({ faults: { loseProbability: 0.5, seed } });
      await makeCustomers(tenant, 24);
      const { deliveries } = (await tenant.control("GET", "deliveries?state=all")).body;
      return deliveries.map(({ state }: { state: string }) => (state === "lost" ? "x" : ".")).join("");
    };
    const [one, again, other] = [await lost(7), await lost(7), await lost(8)];
    expect(one).toBe(again);
    expect(other).not.toBe(one);
    expect(one).toMatch(/x.*\.|\..*x/);
  });

  it("are made only while the endpoint is there, enabled, and wants the type", async () => {
    const tenant = await newTenant({ events: ["customer.*", "invoice.paid"] });
    await tenant.newPrice();
    await makeCustomers(tenant, 1);
    expect((await take(tenant)).map(({ type }) => type)).toEqual(["customer.created"]);
    await tenant.control("PUT", "webhook", { secrets: [secret], enabled: false });
    await makeCustomers(tenant, 1);
    await tenant.control("DELETE", "webhook");
    await makeCustomers(tenant, 1);
    expect(await take(tenant)).toEqual([]);
    expect((await tenant.stripe.events.list({ delivery_success: false })).data).toHaveLength(1);
  });
});

describe("events", () => {
  it("are found by type, and by when they were", async () => {
    const tenant = new Tenant(stage);
    await tenant.moveTo("2027-01-01T00:00:00Z");
    await makeCustomers(tenant, 1);
    await tenant.passDays(1);
    const [, id] = [await tenant.newPrice(), ...(await makeCustomers(tenant, 1))];
    const list = async (params: Stripe.EventListParams) =>
      (await tenant.stripe.events.list(params)).data.map(({ type }) => type);
    expect(await list({ type: "customer.created" })).toHaveLength(2);
    expect(await list({ type: "price.*" })).toEqual(["price.created"]);
    expect(await list({ types: ["price.created", "product.created"] })).toEqual(["price.created", "product.created"]);
    const [latest] = (await tenant.stripe.events.list({ limit: 1 })).data;
    expect(latest?.data.object).toMatchObject({ id });
    expect(await list({ created: { gte: latest?.created ?? 0 }, type: "customer.created" })).toHaveLength(1);
    expect(await tenant.stripe.events.retrieve(latest?.id ?? "")).toMatchObject({ id: latest?.id });
  });

  it("are in the order of time with ending_before, as the SDK pages through them", async () => {
    const tenant = new Tenant(stage);
    const ids = await makeCustomers(tenant, 5);
    const oldest = (await tenant.stripe.events.list()).data.at(-1)?.id ?? "";
    const later = await tenant.stripe.events.list({ ending_before: oldest, limit: 2 }).autoPagingToArray({ limit: 99 });
    expect(later.map((event) => (event.data.object as Stripe.Customer).id)).toEqual(ids.slice(1));
  });

  it("are kept for 30 days", async () => {
    const tenant = new Tenant(stage);
    await makeCustomers(tenant, 1);
    const [event] = await tenant.events("customer.created");
    await tenant.passDays(31);
    await makeCustomers(tenant, 1);
    expect(await tenant.events("customer.created")).toHaveLength(1);
    await expect(tenant.stripe.events.retrieve(event.id)).rejects.toMatchObject({ statusCode: 404 });
  });
});

describe("deliveries that are pushed", () => {
  /** Answers with the statuses in turn, and then with 200. */
  async function openReceiver(statuses: number[] = []) {
    const bodies: any[] = [];
    const receive = async (request: IncomingMessage, response: ServerResponse) => {
      const signature = String(request.headers["stripe-signature"]);
      bodies.push(Stripe.webhooks.constructEvent((await readBody(request, 1_000_000)) ?? "", signature, secret));
      response.writeHead(statuses.shift() ?? 200).end();
    };
    const server = createServer((request, response) => void receive(request, response));
    const url = `http://127.0.0.1:${await listenOnLoopback(server)}/webhook`;
    return { url, customers: () => bodies.map(({ data }) => data.object.id), close: () => closeServer(server) };
  }
  const states = async (tenant: Tenant) =>
    (await tenant.control("GET", "deliveries?state=all")).body.deliveries.map(({ state }: any) => state);

  it("reach the endpoint in order, signed, and are delivered by 2xx", async () => {
    const receiver = await openReceiver();
    const tenant = await newTenant({ url: receiver.url });
    const ids = await makeCustomers(tenant, 3);
    await expect.poll(() => states(tenant)).toEqual(["delivered", "delivered", "delivered"]);
    expect(receiver.customers()).toEqual(ids);
    expect((await tenant.stripe.events.list({ delivery_success: false })).data).toEqual([]);
    await receiver.close();
  });

  it("are tried again until they are taken, or there have been too many attempts", async () => {
    const receiver = await openReceiver([500, 302, 200, 500, 500, 500, 500]);
    const tenant = await newTenant({ url: receiver.url, retryDelaysMs: [1] });
    const [one] = await makeCustomers(tenant, 1);
    await expect.poll(() => states(tenant)).toEqual(["delivered"]);
    const [two] = await makeCustomers(tenant, 1);
    await expect.poll(() => states(tenant)).toEqual(["delivered", "failed"]);
    expect(receiver.customers()).toEqual([one, one, one, two, two, two, two]);
    await receiver.close();
  });

  it("fail where nobody listens", async () => {
    const receiver = await openReceiver();
    await receiver.close();
    const tenant = await newTenant({ url: receiver.url, retryDelaysMs: [1] });
    await makeCustomers(tenant, 1);
    await expect.poll(() => states(tenant)).toEqual(["failed"]);
  });

  it("are copied and lost as those that are pulled", async () => {
    const receiver = await openReceiver();
    const tenant = await newTenant({ url: receiver.url, faults: { copies: 2, loseEvery: 2, delayMs: 1 } });
    const [one, , three] = await makeCustomers(tenant, 3);
    await expect.poll(() => states(tenant)).toEqual(["delivered", "delivered", "lost", "delivered", "delivered"]);
    expect(receiver.customers()).toEqual([one, one, three, three]);
    await receiver.close();
  });

  it("are sent in another order, of those that one request brought about", async () => {
    const receiver = await openReceiver();
    const tenant = await newTenant({
      url: receiver.url,
      faults: { reorderWindow: 2 },
      events: ["product.*", "price.*"],
    });
    await tenant.newPrice();
    await expect.poll(() => states(tenant)).toEqual(["delivered", "delivered"]);
    expect(receiver.customers().map((id: string) => id.split("_")[0])).toEqual(["price", "prod"]);
    await receiver.close();
  });
});
