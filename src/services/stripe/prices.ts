import type { Stripe } from "stripe";

/** A price of a plan, as the fence says it: what it says never changes. */
export interface SoldPrice {
  id: string;
  planId: string;
  planName: string;
  /** ISO 4217, in small letters. */
  currency: string;
  interval: "month" | "year";
  /** In the currency's smallest unit. */
  unitAmount: number;
}

const uuid = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/;

/** The id that one of Stripe's has here; null of one that was not made here. */
export function priceIdOf(metadata: Stripe.Metadata | null | undefined): string | null {
  const id = metadata?.["price_id"];
  return id && uuid.test(id) ? id : null;
}

/** What Stripe knows a price by: it is told of it when somebody first pays it. Of two at once both may make one; either is right. */
export async function ensurePrice(
  stripe: Stripe,
  { id, planId, planName, currency, interval, unitAmount }: SoldPrice,
): Promise<string> {
  const { data } = await stripe.prices.list({ lookup_keys: [id], active: true, limit: 1 });
  const [known] = data;
  if (known) return known.id;
  const made = await stripe.prices.create({
    currency,
    unit_amount: unitAmount,
    recurring: { interval },
    lookup_key: id,
    // From one that was archived there.
    transfer_lookup_key: true,
    metadata: { price_id: id },
    product_data: { name: planName, metadata: { plan_id: planId } },
  });
  return made.id;
}
