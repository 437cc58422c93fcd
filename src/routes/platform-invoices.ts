import { z } from "@hono/zod-openapi";
import { createRouter, json, optionalJsonRequest, PageQuery, pageOf, platformRoute } from "../openapi.ts";
import { listPlatformInvoices, payInvoice } from "../services/platform-invoices.ts";
import { Invoice } from "./invoices.ts";
import { tags } from "./platform.ts";

const collection = "/v1/platform/invoices";

const PlatformInvoice = Invoice.extend({
  organizationId: z.uuid().openapi({ example: "019ab0de-8f6c-7cc4-9e6f-6f2b7f0f1a04" }),
}).openapi("PlatformInvoice");

const InvoiceParams = z.object({
  invoiceId: z
    .uuid()
    .openapi({ param: { name: "invoiceId", in: "path" }, example: "019ab0de-8f6c-7cc4-9e6f-6f2b7f0f1a53" }),
});

const Payment = z
  .strictObject({
    reference: z.string().trim().min(1).max(100).optional().openapi({
      description: "By what it is found again, such as a bank's; the organization sees it.",
      example: "RF18 5390 0754 7034",
    }),
  })
  .openapi("Payment");

const listRoute = platformRoute({
  method: "get",
  path: collection,
  tags,
  summary: "List the invoices",
  description: "Of all organizations, newest first.",
  request: {
    query: PageQuery.extend({
      organizationId: z
        .uuid()
        .optional()
        .openapi({ description: "Of one organization.", example: "019ab0de-8f6c-7cc4-9e6f-6f2b7f0f1a04" }),
      open: z
        .enum(["true", "false"])
        .default("false")
        .transform((value) => value === "true")
        .openapi({ description: "Those alone that are to be paid.", example: "true" }),
    }),
  },
  responses: { 200: json(pageOf(PlatformInvoice).openapi("PlatformInvoicePage"), "A page of invoices.") },
});

const payRoute = platformRoute({
  method: "post",
  path: `${collection}/{invoiceId}/pay`,
  tags,
  summary: "Note that an invoice was paid",
  description:
    "The subscription begins with its first payment, and its period with it; one that is past due or unpaid is active again once nothing is open; to another plan it moves now.",
  request: { params: InvoiceParams, body: optionalJsonRequest(Payment) },
  responses: { 200: json(PlatformInvoice, "The invoice.") },
  fresh: true,
  errors: ["invoice_not_open"],
});

export const platformInvoiceRoutes = createRouter()
  .openapi(listRoute, async (c) => c.json(await listPlatformInvoices(c.var.database, c.req.valid("query")), 200))
  .openapi(payRoute, async (c) => {
    const { reference } = c.req.valid("json");
    return c.json(await payInvoice(c.var.database, c.req.valid("param").invoiceId, reference ?? null), 200);
  });
