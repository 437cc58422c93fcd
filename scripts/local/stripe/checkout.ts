import type { Stripe } from "stripe";

import type { CheckoutOrder, PlannedLine } from "./account-state.ts";
import type { Account } from "./account.ts";
import { addIntervals } from "./calendar.ts";
import { setCard } from "./cards.ts";
import { couponOfCode, draftDiscount, findPromotionCode, redeem } from "./discounts.ts";
import { invalidRequest, StripeError } from "./errors.ts";
import type { CheckoutSession, Invoice, Subscription } from "./objects.ts";
import { payInvoice } from "./payments.ts";
import { startSubscription } from "./subscribing.ts";
import { productName } from "./subscription-items.ts";
import { computeTotals, type PricedLine, type Totals } from "./totals.ts";

/** What the page's form, which asks for none, would have been filled in with. */
const typedAddress = {
  city: "San Francisco",
  country: "US",
  line1: "1 Model Street",
  line2: null,
  postal_code: "94110",
  state: "CA",
};

/** What the buyer owes today; a trial's price comes later. */
export function priceOrder(account: Account, session: CheckoutSession, order: CheckoutOrder): Totals {
  const code = order.promotionCode === null ? undefined : findPromotionCode(account, order.promotionCode);
  const discounts = code ? [draftDiscount(account, code, session.id)] : [];
  const lines = order.lines.map((line) => planLine(account, order, line));
  return computeTotals(account, lines, discounts, session.automatic_tax.enabled);
}

function planLine(
  account: Account,
  order: CheckoutOrder,
  line: { id: string; price: string; quantity: number },
): PlannedLine {
  const price = account.find("prices", "price", line.price);
  const now = account.now();
  return {
    description: productName(account, price),
    amount: order.trialDays > 0 ? 0 : (price.unit_amount ?? 0) * line.quantity,
    quantity: line.quantity,
    price,
    item: line.id,
    period: { start: now, end: now },
    proration: false,
  };
}

/** Writes what the order comes to into the session. */
export function updateTotals(account: Account, session: CheckoutSession, order: CheckoutOrder): void {
  const totals = priceOrder(account, session, order);
  order.lineItems = totals.lines.map(lineItem);
  session.amount_subtotal = totals.subtotal;
  session.amount_total = totals.total;
  session.total_details = {
    amount_discount: totals.discounts.reduce((sum, { amount }) => sum + amount, 0),
    amount_shipping: 0,
    amount_tax: totals.taxes.reduce((sum, { amount }) => sum + amount, 0),
  };
}

/**
 * Takes a promotion code from the buyer.
 *
 * @throws StripeError 400 when there is no such code
 */
export function enterPromotionCode(account: Account, session: CheckoutSession, code: string): void {
  const order = orderOf(account, session);
  if (!session.allow_promotion_codes) throw invalidRequest("This session takes no promotion codes.");
  const found = findPromotionCode(account, code);
  const currency = found && couponOfCode(account, found).currency;
  if (!found || (currency !== null && currency !== session.currency)) {
    throw invalidRequest("This code is invalid.", "promotion_code");
  }
  order.promotionCode = code;
  updateTotals(account, session, order);
}

/**
 * What the buyer's pressing "Pay" does. A declined card leaves the session open, and, where something was to be paid,
 * an incomplete subscription; paying after all in the same session pays for that one.
 *
 * @returns whether the session is complete
 * @throws StripeError 400 unless it is open
 */
export function submitCheckout(account: Account, session: CheckoutSession, outcome: "paid" | "declined"): boolean {
  if (session.status !== "open") throw invalidRequest(`This Checkout Session is ${session.status}.`);
  const order = orderOf(account, session);
  const customer = session.customer ?? "";
  // A card that cannot even be set up leaves nothing behind.
  if (outcome === "declined" && order.trialDays > 0) return false;
  const needsCard = session.payment_method_collection === "always" || session.amount_total !== 0;
  if (needsCard) setCard(account, customer, outcome === "paid" ? "good" : "declining");
  const begun = incompleteSubscription(account, session);
  const subscription = begun?.subscription ?? begin(account, session, order);
  if (begun) payIfPossible(account, begun.invoice);
  if (subscription.status === "incomplete") return false;
  complete(account, session, subscription);
  return true;
}

function payIfPossible(account: Account, invoice: Invoice): void {
  try {
    payInvoice(account, invoice);
  } catch (error) {
    if (!(error instanceof StripeError)) throw error;
  }
}

/** The one that an earlier, declined attempt in this session has left, while it can still be paid for. */
function incompleteSubscription(account: Account, session: CheckoutSession) {
  const subscription = [...account.state.subscriptions.values()].find(
    ({ id, status }) => status === "incomplete" && account.state.checkoutSubscriptions.get(session.id) === id,
  );
  const invoice = account.state.invoices.get(subscription?.latest_invoice ?? "");
  return subscription && invoice?.status === "open" ? { subscription, invoice } : undefined;
}

function begin(account: Account, session: CheckoutSession, order: CheckoutOrder): Subscription {
  const code = order.promotionCode === null ? undefined : findPromotionCode(account, order.promotionCode);
  const discount = code && draftDiscount(account, code, session.id);
  const now = account.now();
  const subscription = startSubscription(account, {
    customer: session.customer ?? "",
    items: order.lines.map(({ price, quantity }) => ({ price: account.find("prices", "price", price), quantity })),
    trialEnd: addIntervals(now, { unit: "day", count: 1 }, order.trialDays),
    metadata: order.subscriptionMetadata,
    isTaxed: session.automatic_tax.enabled,
    missingPaymentMethod: order.missingPaymentMethod,
    isCharged: true,
    ...(discount && { discounts: [discount] }),
  });
  account.state.checkoutSubscriptions.set(session.id, subscription.id);
  if (discount && code) redeem(account, account.find("discounts", "discount", discount.id), code, subscription);
  return subscription;
}

function complete(account: Account, session: CheckoutSession, subscription: Subscription): void {
  const invoice: Invoice | undefined = account.state.invoices.get(subscription.latest_invoice ?? "");
  const customer = account.find("customers", "customer", subscription.customer);
  if (orderOf(account, session).savesAddress) {
    account.change(customer, "customer.updated", (changed) => {
      changed.address = typedAddress;
    });
  }
  session.status = "complete";
  session.payment_status = (invoice?.amount_paid ?? 0) > 0 ? "paid" : "no_payment_required";
  session.subscription = subscription.id;
  session.invoice = subscription.latest_invoice;
  session.url = null;
  session.customer_details = {
    address: customer.address ?? null,
    business_name: null,
    email: customer.email,
    individual_name: null,
    name: customer.name ?? null,
    phone: customer.phone ?? null,
    tax_exempt: "none",
    tax_ids: [],
  };
  account.emit("checkout.session.completed", session);
}

export function expireSession(account: Account, session: CheckoutSession): void {
  session.status = "expired";
  session.url = null;
  account.emit("checkout.session.expired", session);
}

export function orderOf(account: Account, { id }: CheckoutSession): CheckoutOrder {
  const order = account.state.orders.get(id);
  if (!order) throw new Error(`${id} has no order`);
  return order;
}

/** As `expand[]=line_items` shows them. */
function lineItem(line: PricedLine): Stripe.LineItem {
  const discount = line.discountAmounts.reduce((sum, { amount }) => sum + amount, 0);
  const tax = line.tax?.amount ?? 0;
  return {
    id: line.item,
    object: "item",
    adjustable_quantity: null,
    amount_discount: discount,
    amount_subtotal: line.amount,
    amount_tax: tax,
    amount_total: line.amount - discount + (line.tax?.tax_behavior === "inclusive" ? 0 : tax),
    currency: line.price.currency,
    description: line.description,
    metadata: {},
    price: line.price,
    quantity: line.quantity,
  } satisfies Stripe.LineItem;
}
