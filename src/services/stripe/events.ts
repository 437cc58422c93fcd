import { sql } from "drizzle-orm";
import { Stripe } from "stripe";
import { toBytea } from "../../crypto.ts";
import type { SystemDatabase } from "../../db/index.ts";
import { bodyOf } from "../../db/json.ts";
import type { Settings } from "../../env.ts";
import { AppError } from "../../errors.ts";
import { workerKeys } from "../worker-keys.ts";
import { openStripe, refuseFor } from "./client.ts";
import { syncCustomer } from "./customers.ts";

/** Seconds by which an event's time may differ from ours, in either direction. */
const TOLERANCE = 300;

/** Of what may have changed what a customer pays for. */
const heeded = /^(checkout\.session|customer\.subscription|customer|invoice|subscription_schedule)\.[\w.]+$/;

type Claim = { outcome: "claimed"; ticket: number } | { outcome: "processing" | "done" | "ignored" };

/**
 * Takes what Stripe tells: that something has changed; what it is, Stripe is asked. Whatever is not done with when this
 * throws, Stripe tells again. Asks the database twice, since Stripe is asked in between.
 *
 * @param payload as it was sent: the signature is of its bytes.
 * @throws AppError `invalid_signature`; `unavailable`, also while another delivery of the same is worked at; `stripe_off`.
 */
export async function receiveEvent(
  database: SystemDatabase,
  settings: Settings,
  payload: string,
  signature: string,
): Promise<void> {
  const event = await verifyEvent(settings, payload, signature);
  // Of the other of an account's two halves: a deployment has one of them.
  if (event.livemode !== isLive(settings)) return;
  const keys = toBytea(await workerKeys(settings));
  const customerId = customerOf(event);
  const [answer] = await database.run((queries) => [
    queries.execute<{ body: Claim }>(
      sql`select app.claim_stripe_event(${keys}::bytea, ${event.id}, ${event.type}, ${customerId}::text) as body`,
    ),
  ]);
  const claim = bodyOf(answer);
  if (claim.outcome === "processing") throw new AppError("unavailable");
  if (claim.outcome !== "claimed" || customerId === null) return;
  try {
    const isGone = event.type === "customer.deleted";
    await syncCustomer(database, settings, { customerId, ticket: claim.ticket, eventId: event.id, isGone });
  } catch (error) {
    // Else the next delivery would be refused for a minute. Without the database its lease ends by itself.
    await database
      .run((queries) => [queries.execute(sql`select app.fail_stripe_event(${keys}::bytea, ${event.id})`)])
      .catch(() => undefined);
    throw error;
  }
}

const isLive = ({ STRIPE_SECRET_KEY: key }: Settings) => /^[rs]k_live_/.test(key ?? "");

/** By either secret; of several signatures one must be right. @throws AppError `invalid_signature`; `stripe_off`. */
async function verifyEvent(settings: Settings, payload: string, signature: string): Promise<Stripe.Event> {
  const { webhooks } = openStripe(settings);
  const crypto = Stripe.createSubtleCryptoProvider();
  const time = Number(/(?:^|,)t=(\d{1,12})(?:,|$)/.exec(signature)?.[1]);
  // The SDK refuses the past alone.
  if (!(time <= Date.now() / 1000 + TOLERANCE)) throw new AppError("invalid_signature");
  for (const secret of settings.STRIPE_WEBHOOK_SECRET ?? []) {
    try {
      return await webhooks.constructEventAsync(payload, signature, secret, TOLERANCE, crypto);
    } catch (error) {
      if (!(error instanceof Stripe.errors.StripeSignatureVerificationError)) {
        throw new AppError("invalid_signature", { cause: error });
      }
    }
  }
  throw new AppError("invalid_signature");
}

/** Null of an event that says nothing of what a customer pays for. */
function customerOf({ type, data: { object } }: Stripe.Event): string | null {
  if (!heeded.test(type)) return null;
  // Each of these kinds names its customer so, beside customers themselves.
  const {
    object: kind,
    id,
    customer,
  } = object as { object: string; id?: string; customer?: string | { id: string } | null };
  const named = kind === "customer" ? id : customer;
  return typeof named === "string" ? named : (named?.id ?? null);
}

/** Has the customers looked at of whom Stripe could not tell within three days. */
export async function findUndelivered(database: SystemDatabase, settings: Settings): Promise<void> {
  const since = Math.floor(Date.now() / 1000) - 3 * 86_400;
  const events = await openStripe(settings)
    .events.list({ delivery_success: false, created: { gte: since }, limit: 100 })
    .autoPagingToArray({ limit: 2_000 })
    .catch(refuseFor);
  const customers = [...new Set(events.map(customerOf).filter((id) => id !== null))];
  if (customers.length === 0) return;
  const keys = toBytea(await workerKeys(settings));
  await database.run((queries) => [
    queries.execute(sql`select app.hasten_stripe_customers(${keys}::bytea, ${sql.param(customers)}::text[])`),
  ]);
}
