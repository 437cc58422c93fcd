import type { Card } from "./account-state.ts";
import type { Account } from "./account.ts";
import { invalidRequest } from "./errors.ts";
import { newId } from "./ids.ts";
import type { Customer } from "./objects.ts";

/** Gives the customer a card that pays, or one that is declined whenever it is charged, or takes it away. */
export function setCard(account: Account, customer: string, card: Card | null): void {
  const changed = account.find("customers", "customer", customer);
  const hadOne = account.state.cards.has(customer);
  if (card === null) account.state.cards.delete(customer);
  else account.state.cards.set(customer, card);
  if (hadOne && card !== null) return;
  account.change(changed, "customer.updated", ({ invoice_settings }) => {
    invoice_settings.default_payment_method = card === null ? null : newId("pm_");
  });
}

/**
 * Has the customer charged by one of the cards that were attached to it.
 *
 * @throws StripeError 400 for any other
 */
export function chooseCard(account: Account, customer: Customer, id: string): void {
  const attached = account.find("paymentMethods", "PaymentMethod", id, "invoice_settings[default_payment_method]");
  if (attached.customer !== customer.id) {
    throw invalidRequest(`The customer does not have a payment method with the ID ${id}.`);
  }
  account.state.cards.set(customer.id, attached.card);
  customer.invoice_settings.default_payment_method = id;
}
