import { z } from "zod";

import { listPage } from "../listing.ts";
import { operation, type Operation } from "../operation.ts";
import { boolean, page, text } from "../params.ts";
import { payInvoice, voidInvoice } from "../payments.ts";

export const invoiceOperations: Operation[] = [
  operation(
    "GET",
    "/v1/invoices",
    {
      ...page,
      customer: text.optional(),
      subscription: text.optional(),
      status: z.enum(["draft", "open", "paid", "uncollectible", "void"]).optional(),
    },
    ({ account }, { customer, subscription, status, ...cursor }) => {
      if (customer !== undefined) account.find("customers", "customer", customer, "customer");
      if (subscription !== undefined) account.find("subscriptions", "subscription", subscription, "subscription");
      const invoices = [...account.state.invoices.values()].filter(
        (invoice) =>
          (customer === undefined || invoice.customer === customer) &&
          (subscription === undefined || invoice.parent?.subscription_details?.subscription === subscription) &&
          (status === undefined || invoice.status === status),
      );
      return listPage(invoices, "/v1/invoices", cursor);
    },
  ),
  operation("GET", "/v1/invoices/:id", {}, ({ account, id }) => account.find("invoices", "invoice", id)),
  operation("POST", "/v1/invoices/:id/pay", { off_session: boolean.optional() }, ({ account, id }) => {
    const invoice = account.find("invoices", "invoice", id);
    payInvoice(account, invoice);
    return invoice;
  }),
  operation("POST", "/v1/invoices/:id/void", {}, ({ account, id }) => {
    const invoice = account.find("invoices", "invoice", id);
    voidInvoice(account, invoice);
    return invoice;
  }),
];
