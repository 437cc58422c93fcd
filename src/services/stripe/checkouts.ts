import { sql } from "drizzle-orm";
import type { Stripe } from "stripe";
import { toBytea } from "../../crypto.ts";
import type { TenantDatabase } from "../../db/index.ts";
import { bodyOf } from "../../db/json.ts";
import type { Settings } from "../../env.ts";
import { AppError } from "../../errors.ts";
import type { Subscription } from "../subscriptions.ts";
import { workerKeys } from "../worker-keys.ts";
import { isMissing, openStripe, refuseFor } from "./client.ts";
import { syncCustomer } from "./customers.ts";
import { ensurePrice, type SoldPrice } from "./prices.ts";
import { endSession } from "./sessions.ts";

/** What `app.start_subscription` says is to be asked. */
export interface CheckoutRequest {
  customerId: string | null;
  ticket: number;
  /** The organization's first is 1. */
  checkout: number;
  /** That of the checkout before, which must not be paid any more. */
  endedSessionId: string | null;
  organizationId: string;
  /** Of the organization. */
  name: string;
  /** The caller's, where it is verified. */
  email: string | null;
  price: SoldPrice;
  quantity: number;
  trialDays: number;
}

/**
 * Opens a page of Stripe's on which the organization can pay. Asks the database twice more: the customer is kept before
 * anything can be paid for it, so that what Stripe tells of it is never a stranger's.
 *
 * @throws AppError `subscription_exists` where the checkout before was paid; `checkout_superseded`; `unavailable`.
 */
export async function openCheckout(
  database: TenantDatabase,
  settings: Settings,
  request: CheckoutRequest,
): Promise<Subscription> {
  const stripe = openStripe(settings);
  const keys = toBytea(await workerKeys(settings));
  const customer = request.customerId ?? (await keepCustomer(database, keys, await makeCustomer(stripe, request)));
  if (request.endedSessionId && !(await endSession(stripe, request.endedSessionId))) {
    await syncCustomer(database, settings, { customerId: customer, ticket: request.ticket });
    throw new AppError("subscription_exists");
  }
  const { id, url, expires_at } = await makeSession(stripe, settings, customer, request).catch(
    async (error: unknown) => {
      if (!isMissing(error, "customer")) refuseFor(error);
      // Somebody has deleted it there: the next checkout makes another.
      await syncCustomer(database, settings, { customerId: customer, ticket: request.ticket, isGone: true });
      throw new AppError("unavailable", { cause: error });
    },
  );
  const expiresAt = new Date(expires_at * 1000).toISOString();
  try {
    return await database.create<Subscription>(
      sql`select app.keep_stripe_checkout(${keys}::bytea, ${request.checkout}::int, ${id}, ${url}, ${expiresAt}::timestamptz) as body`,
    );
  } catch (error) {
    if (error instanceof AppError && error.code === "checkout_superseded") await endSession(stripe, id);
    throw error;
  }
}

async function makeCustomer(stripe: Stripe, { name, email, organizationId }: CheckoutRequest): Promise<string> {
  const metadata = { organization_id: organizationId };
  const customer = await stripe.customers.create({ name, metadata, ...(email && { email }) }).catch(refuseFor);
  return customer.id;
}

/** The one that the organization has: of two that are made at once, the first. */
async function keepCustomer(database: TenantDatabase, keys: string, made: string): Promise<string> {
  const [answer] = await database.run((queries) => [
    queries.execute<{ body: string }>(sql`select app.keep_stripe_customer(${keys}::bytea, ${made}) as body`),
  ]);
  return bodyOf(answer);
}

async function makeSession(
  stripe: Stripe,
  settings: Settings,
  customer: string,
  { organizationId, price, quantity, trialDays }: CheckoutRequest,
) {
  const isTaxed = settings.STRIPE_AUTOMATIC_TAX === "on";
  const metadata = { organization_id: organizationId };
  const session = await stripe.checkout.sessions.create({
    mode: "subscription",
    customer,
    client_reference_id: organizationId,
    line_items: [{ price: await ensurePrice(stripe, price), quantity }],
    subscription_data: { metadata, ...(trialDays > 0 && { trial_period_days: trialDays }) },
    metadata,
    success_url: `${settings.APP_URL}/billing?checkout=success&session_id={CHECKOUT_SESSION_ID}`,
    cancel_url: `${settings.APP_URL}/billing?checkout=canceled`,
    allow_promotion_codes: settings.STRIPE_PROMOTION_CODES === "on",
    ...(isTaxed && {
      automatic_tax: { enabled: true },
      tax_id_collection: { enabled: true },
      // Where the taxes are, is asked there.
      customer_update: { address: "auto" as const, name: "auto" as const },
    }),
  });
  if (session.url === null) throw new Error("a checkout session without a page");
  return { ...session, url: session.url };
}
