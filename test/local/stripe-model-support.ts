import { randomUUID } from "node:crypto";
import { Stripe } from "stripe";

import { startStripe, type StripeOptions, type StripeServer } from "../../scripts/local/stripe.ts";

export interface Answer {
  status: number;
  // The tests assert on the shape, which is theirs to know.
  body: any;
}

export const day = 86_400;

/** Seconds, of a date in ISO 8601. */
export const at = (iso: string): number => Date.parse(iso) / 1000;

export const openStage = (options: StripeOptions = {}): Promise<StripeServer> =>
  startStripe({ control: true, ...options });

export const newKey = (): string => `sk_test_${randomUUID().replaceAll("-", "")}`;

export const sdkFor = ({ port }: StripeServer, key: string, more: object = {}): Stripe =>
  new Stripe(key, { host: "127.0.0.1", port, protocol: "http", maxNetworkRetries: 0, ...more });

/** An account that no other test has, with its SDK and its control. */
export class Tenant {
  readonly stage: StripeServer;
  readonly key: string;
  readonly stripe: Stripe;

  constructor(stage: StripeServer, key = newKey()) {
    this.stage = stage;
    this.key = key;
    this.stripe = sdkFor(stage, key);
  }

  async control(method: string, path: string, body?: unknown): Promise<Answer> {
    const response = await fetch(`${this.stage.url}/control/${path}`, {
      method,
      headers: { authorization: `Bearer ${this.key}` },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    return { status: response.status, body: response.status === 204 ? undefined : await response.json() };
  }

  /** What the control must not refuse. */
  private async order(path: string, body: object): Promise<void> {
    const answer = await this.control("POST", path, body);
    if (answer.status >= 300) throw new Error(`${path}: ${JSON.stringify(answer.body)}`);
  }

  /** A request with exactly this form, where the SDK would not send it. */
  async call(method: string, path: string, form = "", headers: Record<string, string> = {}): Promise<Answer> {
    const response = await fetch(`${this.stage.url}${path}`, {
      method,
      headers: { authorization: `Bearer ${this.key}`, ...headers },
      ...(form && { body: form }),
    });
    return { status: response.status, body: await response.json() };
  }

  async moveTo(iso: string): Promise<void> {
    await this.order("clock", { to: at(iso) });
  }

  async passDays(days: number): Promise<void> {
    await this.order("clock", { by: days * day });
  }

  async setCard(customer: string, card: "good" | "declining" | null): Promise<void> {
    await this.order("card", { customer, card });
  }

  newPrice(unit_amount = 1200, more: Partial<Stripe.PriceCreateParams> = {}): Promise<Stripe.Price> {
    return this.stripe.prices.create({
      currency: "usd",
      unit_amount,
      recurring: { interval: "month" },
      product_data: { name: `Plan for ${unit_amount}` },
      ...more,
    });
  }

  async newCustomer(card: "good" | "declining" | null = "good"): Promise<Stripe.Customer> {
    const customer = await this.stripe.customers.create({ name: "Ada", email: "ada@example.com" });
    if (card) await this.setCard(customer.id, card);
    return customer;
  }

  /** A subscription that was begun without Checkout, of a customer with that card. */
  async subscribe(
    price: Stripe.Price,
    { card = "good", quantity = 1, ...more }: SubscribeOptions = {},
  ): Promise<Stripe.Subscription> {
    const customer = await this.newCustomer(card);
    return this.stripe.subscriptions.create({ customer: customer.id, items: [{ price: price.id, quantity }], ...more });
  }

  async openCheckout(
    price: Stripe.Price,
    more: Partial<Stripe.Checkout.SessionCreateParams> = {},
  ): Promise<Stripe.Checkout.Session> {
    const customer = more.customer ?? (await this.newCustomer(null)).id;
    return this.stripe.checkout.sessions.create({
      mode: "subscription",
      customer,
      line_items: [{ price: price.id, quantity: 2 }],
      success_url: "http://app.example/billing?session={CHECKOUT_SESSION_ID}",
      cancel_url: "http://app.example/plans",
      ...more,
    });
  }

  /** Oldest first. */
  async eventTypes(): Promise<string[]> {
    const events = await this.stripe.events.list({ limit: 100 }).autoPagingToArray({ limit: 1000 });
    return events.map(({ type }) => type).toReversed();
  }

  /** Oldest first, of those types. */
  async events(...types: string[]): Promise<any[]> {
    const events = await this.stripe.events.list({ limit: 100, types }).autoPagingToArray({ limit: 1000 });
    return events.toReversed();
  }

  async invoicesOf(subscription: { id: string }): Promise<Stripe.Invoice[]> {
    return (await this.stripe.invoices.list({ subscription: subscription.id, limit: 100 })).data.toReversed();
  }
}

export type SubscribeOptions = Omit<Stripe.SubscriptionCreateParams, "customer" | "items"> & {
  card?: "good" | "declining" | null;
  quantity?: number;
};

export const periodOf = ({ items }: Stripe.Subscription): [string, string] => {
  const [item] = items.data;
  const date = (seconds = 0) => new Date(seconds * 1000).toISOString().slice(0, 10);
  return [date(item?.current_period_start), date(item?.current_period_end)];
};

/** What the SDK throws. */
export const failureOf = (promise: Promise<unknown>): Promise<any> =>
  promise.then(
    () => {
      throw new Error("it did not fail");
    },
    (error: unknown) => error,
  );

/** Of what is an id as long as nobody expands it. */
export const idOf = (reference: string | { id: string } | null | undefined): string =>
  typeof reference === "object" ? (reference?.id ?? "") : (reference ?? "");

/** An account at a time of its own. */
export async function tenantAt(stage: StripeServer, iso = "2027-01-10T12:00:00Z"): Promise<Tenant> {
  const tenant = new Tenant(stage);
  await tenant.moveTo(iso);
  return tenant;
}

/** One that subscribes at that time, to 12 dollars a month. */
export async function subscriberAt(
  stage: StripeServer,
  iso: string,
  options: SubscribeOptions = {},
  price: object = {},
) {
  const tenant = await tenantAt(stage, iso);
  const { id, customer } = await tenant.subscribe(await tenant.newPrice(1200, price), options);
  const read = () => tenant.stripe.subscriptions.retrieve(id);
  return { tenant, id, customer: idOf(customer), read, invoices: () => tenant.invoicesOf({ id }) };
}
