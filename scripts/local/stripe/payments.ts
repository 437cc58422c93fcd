import type { Account } from "./account.ts";
import { withoutUsedDiscounts } from "./discounts.ts";
import { cardDeclined, StripeError } from "./errors.ts";
import { day, type Invoice } from "./objects.ts";
import { isRetried, standAfterFailure, standAfterPayment, standAfterVoid, subscriptionOf } from "./standing.ts";

/** How long after each failed attempt the next one comes; after the last there is none. */
const retryDays = [3, 5, 7];

/** Gives it a number, uses up the customer's balance, and leaves it open, or paid when nothing is due. */
export function finalizeInvoice(account: Account, invoice: Invoice): void {
  const customer = account.find("customers", "customer", invoice.customer ?? "");
  const before = structuredClone(customer);
  const sequence = customer.next_invoice_sequence ?? 1;
  customer.next_invoice_sequence = sequence + 1;
  invoice.number = `${customer.invoice_prefix}-${String(sequence).padStart(4, "0")}`;
  invoice.starting_balance = customer.balance;
  // A balance below 0 is the customer's credit.
  const owed = invoice.total + customer.balance;
  invoice.amount_due = Math.max(0, owed);
  invoice.amount_remaining = invoice.amount_due;
  invoice.ending_balance = Math.min(0, owed);
  customer.balance = invoice.ending_balance;
  invoice.status = "open";
  invoice.status_transitions.finalized_at = account.now();
  invoice.effective_at = account.now();
  invoice.automatically_finalizes_at = null;
  invoice.hosted_invoice_url = `${account.origin}/i/${invoice.id}`;
  account.emit("invoice.finalized", invoice);
  if (before.balance !== customer.balance) account.emit("customer.updated", customer, before);
  useUpDiscounts(account, invoice);
  if (invoice.amount_due === 0) markPaid(account, invoice);
}

/** One-off discounts are over once an invoice has had them. */
function useUpDiscounts(account: Account, invoice: Invoice): void {
  const subscription = subscriptionOf(account, invoice);
  if (!subscription || !invoice.total_discount_amounts?.some(({ amount }) => amount > 0)) return;
  account.change(subscription, "customer.subscription.updated", (changed) => {
    changed.discounts = withoutUsedDiscounts(account, changed);
  });
}

/** Charges the card without anybody's doing. Whether it is paid then. */
export function attemptPayment(account: Account, invoice: Invoice): boolean {
  if (invoice.status !== "open") return invoice.status === "paid";
  if (account.card(invoice.customer) === "good") {
    invoice.attempt_count += 1;
    markPaid(account, invoice);
    return true;
  }
  fail(account, invoice);
  return false;
}

/**
 * Charges the card as somebody asks for it: unless it is the first attempt, it does not count, and the plan of further
 * ones stays as it is.
 *
 * @throws StripeError 402 when the card is declined, 400 when there is none
 */
export function payInvoice(account: Account, invoice: Invoice): void {
  requirePayable(invoice);
  if (invoice.status === "draft") finalizeInvoice(account, invoice);
  if (isPaid(invoice)) return;
  const card = account.card(invoice.customer);
  if (!card) {
    const message = "There is no default_payment_method set on this Customer or Invoice.";
    throw new StripeError(400, message, { code: "resource_missing" });
  }
  invoice.attempt_count = Math.max(1, invoice.attempt_count);
  if (card === "good") return markPaid(account, invoice);
  invoice.attempted = true;
  account.emit("invoice.payment_failed", invoice);
  throw cardDeclined();
}

function isPaid({ status }: Invoice): boolean {
  return status === "paid";
}

function requirePayable({ status }: Invoice): void {
  if (status === "open" || status === "draft") return;
  throw new StripeError(400, status === "paid" ? "Invoice is already paid" : `The invoice is ${status}.`);
}

/** @throws StripeError 400 unless it is open */
export function voidInvoice(account: Account, invoice: Invoice): void {
  if (invoice.status !== "open" && invoice.status !== "uncollectible") {
    const message = `You can only pass in open or uncollectible invoices. This one is ${invoice.status}.`;
    throw new StripeError(400, message, { code: "invoice_not_editable" });
  }
  const before = structuredClone(invoice);
  invoice.status = "void";
  invoice.auto_advance = false;
  invoice.next_payment_attempt = null;
  invoice.status_transitions.voided_at = account.now();
  account.emit("invoice.voided", invoice);
  account.emit("invoice.updated", invoice, before);
  standAfterVoid(account, invoice);
}

function markPaid(account: Account, invoice: Invoice): void {
  const before = structuredClone(invoice);
  invoice.status = "paid";
  invoice.amount_paid = invoice.amount_due;
  invoice.amount_remaining = 0;
  invoice.attempted = true;
  invoice.auto_advance = false;
  invoice.next_payment_attempt = null;
  invoice.status_transitions.paid_at = account.now();
  account.emit("invoice.updated", invoice, before);
  account.emit("invoice.paid", invoice);
  account.emit("invoice.payment_succeeded", invoice);
  standAfterPayment(account, invoice);
}

function fail(account: Account, invoice: Invoice): void {
  const before = structuredClone(invoice);
  const retries = isRetried(account, invoice);
  invoice.attempt_count += 1;
  invoice.attempted = true;
  const days = retries ? retryDays[invoice.attempt_count - 1] : undefined;
  invoice.next_payment_attempt = days === undefined ? null : account.now() + days * day;
  if (days === undefined) invoice.auto_advance = false;
  account.emit("invoice.updated", invoice, before);
  account.emit("invoice.payment_failed", invoice);
  standAfterFailure(account, invoice, retries && days === undefined);
}
