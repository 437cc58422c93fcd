import type { Card } from "./account-state.ts";
import type { Account } from "./account.ts";
import { newId } from "./ids.ts";

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
