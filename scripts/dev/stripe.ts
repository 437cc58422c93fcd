import path from "node:path";

import { localDirectory } from "../local/paths.ts";
import { findFreePort } from "../local/processes.ts";
import { startStripe } from "../local/stripe.ts";
import type { StripeSettings } from "./settings.ts";
import type { State } from "./state.ts";

export interface DevStripe {
  /** For browsers. */
  url: string;
  settings: StripeSettings;
  stop(): Promise<void>;
}

/** Starts the model of Stripe, on port 8026 or the next that is free: it tells the Worker at `apiUrl`, and keeps what was paid. */
export async function startDevStripe(
  apiUrl: string,
  { stripeSecretKey, stripeWebhookSecret }: State,
): Promise<DevStripe> {
  const stripe = await startStripe({ port: await findFreePort(8026), file: path.join(localDirectory, "stripe.json") });
  stripe.setWebhook(stripeSecretKey, { url: `${apiUrl}/v1/webhooks/stripe`, secrets: [stripeWebhookSecret] });
  return {
    url: `http://localhost:${stripe.port}`,
    settings: {
      BILLING_PROVIDER: "stripe",
      STRIPE_SECRET_KEY: stripeSecretKey,
      STRIPE_WEBHOOK_SECRET: stripeWebhookSecret,
      STRIPE_API_URL: stripe.url,
      STRIPE_PROMOTION_CODES: "on",
    },
    stop: () => stripe.close(),
  };
}
