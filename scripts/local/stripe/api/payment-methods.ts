import type { Card } from "../account-state.ts";
import { resourceMissing } from "../errors.ts";
import { newId } from "../ids.ts";
import type { PaymentMethod } from "../objects.ts";
import { operation, type Operation } from "../operation.ts";
import { text } from "../params.ts";

/** Of Stripe's cards for tests (https://docs.stripe.com/testing) these, each of which can be attached any number of times. */
const testCards = new Map<string, { card: Card; last4: string }>([
  ["pm_card_visa", { card: "good", last4: "4242" }],
  ["pm_card_chargeCustomerFail", { card: "declining", last4: "0341" }],
]);

export const paymentMethodOperations: Operation[] = [
  operation("POST", "/v1/payment_methods/:id/attach", { customer: text }, ({ account, id }, params) => {
    const { id: customer } = account.find("customers", "customer", params.customer, "customer");
    const found = testCards.get(id);
    if (!found) throw resourceMissing("PaymentMethod", id, "id");
    const method = newCard(account.now(), customer, found.last4);
    account.state.paymentMethods.set(method.id, { ...found, id: method.id, customer });
    account.emit("payment_method.attached", method);
    return method;
  }),
];

function newCard(created: number, customer: string, last4: string): PaymentMethod {
  return {
    id: newId("pm_"),
    object: "payment_method",
    billing_details: { address: null, email: null, name: null, phone: null, tax_id: null },
    card: {
      brand: "visa",
      checks: null,
      country: "US",
      display_brand: "visa",
      exp_month: 12,
      exp_year: 2099,
      funding: "credit",
      generated_from: null,
      last4,
      networks: null,
      regulated_status: null,
      three_d_secure_usage: null,
      wallet: null,
    },
    created,
    customer,
    customer_account: null,
    livemode: false,
    metadata: {},
    type: "card",
  } satisfies PaymentMethod;
}
