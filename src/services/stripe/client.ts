import { Stripe } from "stripe";
import type { Settings } from "../../env.ts";
import { AppError } from "../../errors.ts";

const clients = new WeakMap<Settings, Stripe>();

/** Stripe's own SDK, with the account of the settings. @throws AppError `stripe_off`. */
export function openStripe(settings: Settings): Stripe {
  if (!settings.STRIPE_SECRET_KEY) throw new AppError("stripe_off");
  const known = clients.get(settings);
  if (known) return known;
  const { protocol, hostname, port } = new URL(settings.STRIPE_API_URL);
  const stripe = new Stripe(settings.STRIPE_SECRET_KEY, {
    protocol: protocol === "http:" ? "http" : "https",
    host: hostname,
    port: port || (protocol === "http:" ? 80 : 443),
    httpClient: Stripe.createFetchHttpClient(),
    // Each with the idempotency key of the first.
    maxNetworkRetries: 2,
    timeout: 10_000,
    telemetry: false,
  });
  clients.set(settings, stripe);
  return stripe;
}

/** Whether what Stripe said is about what was asked of it, and not about whether it could be asked. */
export const isRefusal = (error: unknown): boolean => error instanceof Stripe.errors.StripeInvalidRequestError;

/** Whether what Stripe does not know is what this parameter names. */
export const isMissing = (error: unknown, param: string): boolean =>
  error instanceof Stripe.errors.StripeInvalidRequestError &&
  error.code === "resource_missing" &&
  error.param === param;

/**
 * What becomes of a call that failed.
 *
 * @throws AppError `misconfigured` where Stripe does not take the key; `internal` of what it does not understand; else
 *   `unavailable`.
 */
export function refuseFor(error: unknown): never {
  if (error instanceof AppError) throw error;
  if (
    error instanceof Stripe.errors.StripeAuthenticationError ||
    error instanceof Stripe.errors.StripePermissionError
  ) {
    throw new AppError("misconfigured", { detail: "STRIPE_SECRET_KEY is not taken by Stripe.", cause: error });
  }
  throw new AppError(isRefusal(error) ? "internal" : "unavailable", { cause: error });
}
