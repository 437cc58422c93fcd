import type { z } from "zod";

import type { Account } from "../account.ts";
import { chooseCard } from "../cards.ts";
import { newId, newInvoicePrefix } from "../ids.ts";
import type { Customer } from "../objects.ts";
import { mergeMetadata, operation, type Operation } from "../operation.ts";
import { emptyable, metadata, object, text } from "../params.ts";

const address = object({
  city: emptyable.optional(),
  country: emptyable.optional(),
  line1: emptyable.optional(),
  line2: emptyable.optional(),
  postal_code: emptyable.optional(),
  state: emptyable.optional(),
});
const shape = {
  name: emptyable.optional(),
  email: emptyable.optional(),
  description: emptyable.optional(),
  phone: emptyable.optional(),
  address: address.optional(),
  metadata: metadata.optional(),
};

const invoice_settings = object({ default_payment_method: text.optional() }).optional();

type Given = z.output<z.ZodObject<typeof shape>>;

export const customerOperations: Operation[] = [
  operation("POST", "/v1/customers", { ...shape, test_clock: text.optional() }, ({ account }, params) => {
    const customer = newCustomer(account);
    if (params.test_clock !== undefined) account.find("testClocks", "test clock", params.test_clock, "test_clock");
    setFields(customer, params);
    account.state.customers.set(customer.id, customer);
    account.emit("customer.created", customer);
    return customer;
  }),
  operation("GET", "/v1/customers/:id", {}, ({ account, id }) => account.find("customers", "customer", id)),
  operation("POST", "/v1/customers/:id", { ...shape, invoice_settings }, ({ account, id }, params) => {
    const customer = account.find("customers", "customer", id);
    account.change(customer, "customer.updated", (changed) => {
      const method = params.invoice_settings?.default_payment_method;
      if (method !== undefined) chooseCard(account, changed, method);
      setFields(changed, params);
    });
    return customer;
  }),
];

function setFields(customer: Customer, given: Given): void {
  for (const name of ["name", "email", "description", "phone"] as const) {
    const value = given[name];
    if (value !== undefined) customer[name] = value || null;
  }
  if (given.address) {
    const { city, country, line1, line2, postal_code, state } = given.address;
    customer.address = {
      city: city || null,
      country: country || null,
      line1: line1 || null,
      line2: line2 || null,
      postal_code: postal_code || null,
      state: state || null,
    };
  }
  customer.metadata = mergeMetadata(customer.metadata, given.metadata);
}

function newCustomer(account: Account): Customer {
  return {
    id: newId("cus_", 14),
    object: "customer",
    address: null,
    balance: 0,
    created: account.now(),
    currency: null,
    customer_account: null,
    default_source: null,
    delinquent: false,
    description: null,
    discount: null,
    email: null,
    invoice_prefix: newInvoicePrefix(),
    invoice_settings: { custom_fields: null, default_payment_method: null, footer: null, rendering_options: null },
    livemode: false,
    metadata: {},
    name: null,
    next_invoice_sequence: 1,
    phone: null,
    preferred_locales: [],
    shipping: null,
    tax_exempt: "none",
    test_clock: account.state.clock.id,
  } satisfies Customer;
}
