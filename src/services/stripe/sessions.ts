import type { Stripe } from "stripe";
import { isRefusal, refuseFor } from "./client.ts";

/** Ends a checkout. Whether nobody has paid it, and nobody can any more. */
export async function endSession(stripe: Stripe, id: string): Promise<boolean> {
  try {
    await stripe.checkout.sessions.expire(id);
    return true;
  } catch (error) {
    // One that is not open any more.
    if (!isRefusal(error)) refuseFor(error);
  }
  const { status } = await stripe.checkout.sessions.retrieve(id).catch(refuseFor);
  return status !== "complete";
}
