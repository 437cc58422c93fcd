import { z } from "zod";

import type { CheckoutOrder } from "../account-state.ts";
import type { Account } from "../account.ts";
import { expireSession, updateTotals } from "../checkout.ts";
import { invalidRequest } from "../errors.ts";
import { newId } from "../ids.ts";
import { day, hour, type CheckoutSession, type Customer } from "../objects.ts";
import { listPage } from "../listing.ts";
import { mergeMetadata, operation, type Operation } from "../operation.ts";
import { boolean, integer, list, metadata, object, page, text, timestamp, url } from "../params.ts";
import { commonInterval, usablePrice } from "../subscription-items.ts";

const missingPaymentMethod = z.enum(["cancel", "create_invoice", "pause"]);
const enabled = object({ enabled: boolean });
const shape = {
  mode: z.literal("subscription"),
  customer: text,
  line_items: list(object({ price: text, quantity: integer(1).optional() })),
  success_url: url,
  cancel_url: url.optional(),
  client_reference_id: text.max(200).optional(),
  metadata: metadata.optional(),
  subscription_data: object({
    trial_period_days: integer(1, 730).optional(),
    metadata: metadata.optional(),
    trial_settings: object({ end_behavior: object({ missing_payment_method: missingPaymentMethod }) }).optional(),
  }).optional(),
  allow_promotion_codes: boolean.optional(),
  automatic_tax: enabled.optional(),
  tax_id_collection: enabled.optional(),
  customer_update: object({
    address: z.enum(["auto", "never"]).optional(),
    name: z.enum(["auto", "never"]).optional(),
  }).optional(),
  billing_address_collection: z.enum(["auto", "required"]).optional(),
  payment_method_collection: z.enum(["always", "if_required"]).optional(),
  expires_at: timestamp.optional(),
  locale: text.optional(),
};
type Params = z.output<z.ZodObject<typeof shape>>;

export const checkoutSessionOperations: Operation[] = [
  operation("POST", "/v1/checkout/sessions", shape, ({ account }, params) => {
    const customer = account.find("customers", "customer", params.customer, "customer");
    requireUpdates(customer, params);
    const { order, currency } = readOrder(account, params);
    const session = newSession(account, params, currency);
    account.state.checkoutSessions.set(session.id, session);
    account.state.orders.set(session.id, order);
    updateTotals(account, session, order);
    return session;
  }),
  operation(
    "GET",
    "/v1/checkout/sessions",
    {
      ...page,
      customer: text.optional(),
      subscription: text.optional(),
      status: z.enum(["open", "complete", "expired"]).optional(),
    },
    ({ account }, { customer, subscription, status, ...cursor }) => {
      const sessions = [...account.state.checkoutSessions.values()].filter(
        (session) =>
          (customer === undefined || session.customer === customer) &&
          (subscription === undefined || session.subscription === subscription) &&
          (status === undefined || session.status === status),
      );
      return listPage(sessions, "/v1/checkout/sessions", cursor);
    },
  ),
  operation("GET", "/v1/checkout/sessions/:id", {}, ({ account, id }) => findSession(account, id)),
  operation("POST", "/v1/checkout/sessions/:id/expire", {}, ({ account, id }) => {
    const session = findSession(account, id);
    if (session.status !== "open") {
      const message = `Only Checkout Sessions with a status in ["open"] can be expired. This Checkout Session has a status of ${session.status}.`;
      throw invalidRequest(message);
    }
    expireSession(account, session);
    return session;
  }),
];

function findSession(account: Account, id: string): CheckoutSession {
  return account.find("checkoutSessions", "checkout.session", id, "id");
}

/** What Checkout needs to know of a customer that was there before, it has to be let save. */
function requireUpdates(customer: Customer, params: Params): void {
  const { address, name } = params.customer_update ?? {};
  if (params.automatic_tax?.enabled && !customer.address?.country && address !== "auto") {
    const message =
      "Automatic tax calculation in Checkout requires a valid address on the Customer. Add a valid address to the " +
      "Customer or set either `customer_update[address]` to 'auto' or `customer_update[shipping]` to 'auto'.";
    throw invalidRequest(message, "customer", "customer_tax_location_invalid");
  }
  if (params.tax_id_collection?.enabled && name !== "auto") {
    const message =
      "Tax ID collection requires updating business name on the customer. To enable tax ID collection for an existing " +
      "customer, please set `customer_update[name]` to `auto`.";
    throw invalidRequest(message, "customer_update[name]");
  }
}

function readOrder(account: Account, params: Params): { order: CheckoutOrder; currency: string } {
  const prices = params.line_items.map(({ price }, i) => usablePrice(account, price, `line_items[${i}][price]`));
  commonInterval(prices);
  const currency = prices[0]?.currency ?? "usd";
  if (prices.some((price) => price.currency !== currency)) {
    throw invalidRequest("All prices of a session must have the same currency.", "line_items");
  }
  const order: CheckoutOrder = {
    lines: params.line_items.map(({ price, quantity }) => ({ id: newId("li_"), price, quantity: quantity ?? 1 })),
    lineItems: [],
    trialDays: params.subscription_data?.trial_period_days ?? 0,
    subscriptionMetadata: mergeMetadata({}, params.subscription_data?.metadata),
    missingPaymentMethod:
      params.subscription_data?.trial_settings?.end_behavior.missing_payment_method ?? "create_invoice",
    promotionCode: null,
    savesAddress: params.customer_update?.address === "auto" && (params.automatic_tax?.enabled ?? false),
  };
  return { order, currency };
}

function readExpiry(account: Account, given: number | undefined): number {
  const now = account.now();
  const expiry = given ?? now + day;
  if (expiry < now + hour / 2 || expiry > now + day) {
    const message =
      "The `expires_at` timestamp must be between 30 minutes and 24 hours from Checkout Session creation.";
    throw invalidRequest(message, "expires_at");
  }
  return expiry;
}

function newSession(account: Account, params: Params, currency: string): CheckoutSession {
  const id = newId("cs_test_", 58);
  const isTaxed = params.automatic_tax?.enabled ?? false;
  return {
    id,
    object: "checkout.session",
    adaptive_pricing: null,
    after_expiration: null,
    allow_promotion_codes: params.allow_promotion_codes ?? null,
    allowed_payment_method_types: null,
    amount_subtotal: 0,
    amount_total: 0,
    automatic_tax: {
      enabled: isTaxed,
      liability: isTaxed ? { type: "self" } : null,
      provider: isTaxed ? "stripe" : null,
      status: isTaxed ? "complete" : null,
    },
    billing_address_collection: params.billing_address_collection ?? null,
    cancel_url: params.cancel_url ?? null,
    client_reference_id: params.client_reference_id ?? null,
    client_secret: null,
    collected_information: null,
    consent: null,
    consent_collection: null,
    created: account.now(),
    currency,
    currency_conversion: null,
    custom_fields: [],
    custom_text: { after_submit: null, shipping_address: null, submit: null, terms_of_service_acceptance: null },
    customer: params.customer,
    customer_account: null,
    customer_creation: null,
    customer_details: null,
    customer_email: null,
    discounts: [],
    expires_at: readExpiry(account, params.expires_at),
    integration_identifier: null,
    invoice: null,
    invoice_creation: null,
    livemode: false,
    locale: params.locale ?? null,
    managed_payments: null,
    metadata: mergeMetadata({}, params.metadata),
    mode: "subscription",
    origin_context: null,
    payment_intent: null,
    payment_link: null,
    payment_method_collection: params.payment_method_collection ?? "always",
    payment_method_configuration_details: null,
    payment_method_options: null,
    payment_method_types: ["card"],
    payment_status: "unpaid",
    permissions: null,
    phone_number_collection: { enabled: false },
    recovered_from: null,
    saved_payment_method_options: null,
    setup_intent: null,
    shipping_address_collection: null,
    shipping_cost: null,
    shipping_options: [],
    status: "open",
    submit_type: null,
    subscription: null,
    success_url: params.success_url,
    tax_id_collection: { enabled: params.tax_id_collection?.enabled ?? false, required: "never" },
    total_details: null,
    ui_mode: "hosted_page",
    url: `${account.origin}/c/pay/${id}`,
    wallet_options: null,
  } satisfies CheckoutSession;
}
