import { env } from "cloudflare:test";
import { inject } from "vitest";
import { Stripe } from "stripe";
import { asOwner } from "./database.ts";

/** What the tests that are not about Stripe have in common: an account of the local model. */
const { STRIPE_SECRET_KEY: sharedKey, STRIPE_WEBHOOK_SECRET: sharedSecret } = env as unknown as Record<string, string>;

/** An event as Stripe sends it, signed for real. */
export interface SignedEvent {
  body: Record<string, unknown>;
  signature: string;
}

/** As Stripe signs what it sends. @param at seconds; now where there is none */
export const signPayload = (payload: string, secret: string, at = Math.floor(Date.now() / 1000)): Promise<string> =>
  new Stripe("sk_test_signs_nothing_else").webhooks.generateTestHeaderStringAsync({
    payload,
    secret,
    timestamp: at,
    cryptoProvider: Stripe.createSubtleCryptoProvider(),
  });

/** As whoever has the secret of the shared account. */
export const signAsShared = (payload: string): Promise<string> => signPayload(payload, String(sharedSecret));

/** An event of nobody's that is known here. */
export async function makeSignedEvent(): Promise<SignedEvent> {
  const body = {
    id: `evt_${crypto.randomUUID()}`,
    object: "event",
    type: "customer.subscription.updated",
    livemode: false,
    data: { object: { id: "sub_of_nobody", object: "subscription", customer: "cus_nobody" } },
  };
  return { body, signature: await signAsShared(JSON.stringify(body)) };
}

/** Makes an organization a customer of the shared account, at Stripe too. */
export async function giveStripeCustomer(organizationId: string): Promise<string> {
  const response = await fetch(`${inject("stripeUrl")}/v1/customers`, {
    method: "POST",
    headers: { authorization: `Bearer ${sharedKey}` },
  });
  const { id } = (await response.json()) as { id: string };
  await asOwner([
    "insert into stripe_customers (organization_id, customer_id) values ($1, $2) on conflict (organization_id) do update set customer_id = $2",
    [organizationId, id],
  ]);
  return id;
}
