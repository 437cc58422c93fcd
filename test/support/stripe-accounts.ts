import { createScheduledController, env } from "cloudflare:test";
import { Stripe } from "stripe";
import { expect, inject } from "vitest";
import worker from "../../src/index.ts";
import { addMember, asOwner, workerUrl } from "./database.ts";
import { type Answer, openService, type Service, signUpPerson } from "./service.ts";
import { givePrice, newCustomer } from "./subscriptions.ts";

/** What the model of Stripe sends, as tests take it: a Worker in a test has no port. */
export interface Delivery {
  id: string;
  eventId: string;
  type: string;
  headers: Record<string, string>;
  body: string;
}

/** An account at the local model of Stripe, with nothing in it, and a deployment of the Worker that has its keys. */
export async function openAccount() {
  const key = `sk_test_${crypto.randomUUID().replaceAll("-", "")}`;
  const secret = `whsec_${crypto.randomUUID()}`;
  const settings = { BILLING_PROVIDER: "stripe", STRIPE_SECRET_KEY: key, STRIPE_WEBHOOK_SECRET: secret };
  const service = openService(settings);

  const control = async <T = any>(method: string, path: string, body?: object): Promise<T> => {
    const response = await fetch(`${inject("stripeUrl")}/control/${path}`, {
      method,
      headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
      ...(body && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return (text === "" ? undefined : JSON.parse(text)) as T;
  };
  await control("PUT", "webhook", { secrets: [secret] });

  const take = async (limit?: number): Promise<Delivery[]> =>
    (await control("POST", "deliveries/take", limit === undefined ? {} : { limit })).deliveries;
  const receive = ({ headers, body }: Pick<Delivery, "headers" | "body">): Promise<Answer> =>
    service.call("POST", "/v1/webhooks/stripe", { rawBody: body, headers });
  /** Sends it, and tells Stripe what became of it. */
  const deliver = async (delivery: Delivery): Promise<Answer> => {
    const answer = await receive(delivery);
    await control("POST", `deliveries/${delivery.id}`, { status: answer.status });
    return answer;
  };
  return {
    key,
    secret,
    service,
    control,
    take,
    receive,
    deliver,
    /** All that waits, one after another, until nothing does. */
    async deliverAll(): Promise<void> {
      for (let waiting = await take(); waiting.length > 0; waiting = await take())
        for (const delivery of waiting)
          expect([delivery.type, (await deliver(delivery)).status]).toEqual([delivery.type, 200]);
    },
    /** What whoever has the account does in Stripe's dashboard. */
    stripe: openSdk(key),
    pay: (session: string, outcome: "paid" | "declined" = "paid") => control("POST", "checkout", { session, outcome }),
    setCard: (customer: string, card: "good" | "declining" | null) => control("POST", "card", { customer, card }),
    /** The account's clock, on to that time. @param to ISO 8601, or seconds */
    goOnTo: (to: string | number, seconds = 0) =>
      control("POST", "clock", { to: (typeof to === "number" ? to : Math.ceil(Date.parse(to) / 1000)) + seconds }),
    goOnBy: (seconds: number) => control("POST", "clock", { by: seconds }),
    /** The next requests to Stripe, as many as the SDK sends before it gives up. */
    fail: (fault: object) => control("POST", "faults", { times: 3, status: 500, ...fault }),
    /** The Cron Trigger of each minute, or of each hour. */
    runCron: (cron: "* * * * *" | "17 * * * *" = "* * * * *") => runCronOf(settings, cron),
  };
}

/** The Cron Trigger of a deployment with these settings. */
export async function runCronOf(settings: object, cron = "* * * * *"): Promise<void> {
  // The bindings of wrangler.toml, which the types of the tests do not know.
  const bindings = { ...env, ...settings, DATABASE_URL: workerUrl() } as never;
  await worker.scheduled(createScheduledController({ cron }), bindings);
}

/** Stripe's SDK, at the model of Stripe or elsewhere. */
export function openSdk(key: string, address = inject("stripeUrl")): Stripe {
  const { protocol, hostname, port } = new URL(address);
  return new Stripe(key, {
    host: hostname,
    port: port || 443,
    protocol: protocol === "http:" ? "http" : "https",
    httpClient: Stripe.createFetchHttpClient(),
    telemetry: false,
  });
}

export type Account = Awaited<ReturnType<typeof openAccount>>;

/** An organization with a member beside its owner, that has paid nothing yet, and a price. */
export const newBuyer = async (plan: object = {}, price: object = {}, opened?: Account) =>
  newBuyerAt(opened ?? (await openAccount()), plan, price);

/** The same, of an account that may be at Stripe itself. */
export async function newBuyerAt<A extends { service: Service }>(account: A, plan: object = {}, price: object = {}) {
  const customer = await newCustomer(account.service);
  const member = await signUpPerson(account.service);
  await addMember(customer.id, member.id, "member");
  const refresh = () => customer.call("POST", "subscription/refresh");
  const stored = async (): Promise<Record<string, any>> => {
    const [rows] = await asOwner(["select * from stripe_customers where organization_id = $1", [customer.id]]);
    return rows?.[0] ?? {};
  };
  return {
    ...customer,
    // With its Cron Trigger.
    ...account,
    ...(await givePrice(plan, price)),
    member,
    refresh,
    stored,
    /** What it is known by at Stripe. */
    customerId: async (): Promise<string> => (await stored())["customer_id"],
    sessionId: async (): Promise<string> => (await stored())["checkout_session_id"],
    /** Stripe's id of its subscription. */
    providerId: async (): Promise<string> => {
      const [rows] = await asOwner([
        "select provider_id from subscriptions where organization_id = $1 and ended_at is null",
        [customer.id],
      ]);
      return rows?.[0]?.["provider_id"];
    },
  };
}

/** One that has paid for its first period, or is on trial, and of which Stripe has told all. */
export async function newStripePayer(plan: object = {}, price: object = {}, opened?: Account) {
  const buyer = await newBuyer(plan, price, opened);
  expect((await buyer.subscribe(buyer.priceId)).status).toBe(201);
  await buyer.pay(await buyer.sessionId());
  await buyer.deliverAll();
  return buyer;
}

/** Somebody who has paid, of which Stripe has told nothing yet. */
export async function newUntold(plan: object = {}) {
  const buyer = await newBuyer(plan);
  await buyer.subscribe(buyer.priceId);
  await buyer.pay(await buyer.sessionId());
  return { ...buyer, deliveries: await buyer.take() };
}

/** The first of a type. */
export const ofType = (deliveries: Delivery[], type: string): Delivery => {
  const found = deliveries.find((delivery) => delivery.type === type);
  if (!found) throw new Error(`no ${type} among ${deliveries.map((delivery) => delivery.type).join()}`);
  return found;
};

/** What is kept of an event: what became of it, and how often it was taken up. */
export const statusOf = async (eventId: string): Promise<unknown[]> => {
  const [rows = []] = await asOwner(["select status, attempts from stripe_events where id = $1", [eventId]]);
  return rows.flatMap(({ status, attempts }) => [status, attempts]);
};
