import { z } from "@hono/zod-openapi";
import { createRouter, json, PageQuery, pageOf, tenantRoute } from "../openapi.ts";
import { listInvoices } from "../services/invoices.ts";
import { OrganizationParams } from "./organizations.ts";

const Instant = z.iso.datetime().openapi({ example: "2026-01-01T09:30:00.000Z" });

export const Invoice = z
  .object({
    id: z.uuid().openapi({ example: "019ab0de-8f6c-7cc4-9e6f-6f2b7f0f1a53" }),
    subscriptionId: z.uuid().openapi({ example: "019ab0de-8f6c-7cc4-9e6f-6f2b7f0f1a52" }),
    priceId: z.uuid().nullable().openapi({
      description: "To which the subscription moves once it is paid; null of what it costs as it is.",
      example: null,
    }),
    number: z.int().openapi({ description: "The organization's first is 1.", example: 1 }),
    providerNumber: z
      .string()
      .nullable()
      .openapi({ description: "What Stripe says on it, where it collects the money.", example: null }),
    url: z.url().nullable().openapi({ description: "A page of Stripe's, where it can be paid.", example: null }),
    status: z.enum(["open", "paid", "uncollectible", "void"]).openapi({ description: "`open`: it is to be paid." }),
    currency: z.string().openapi({ description: "ISO 4217, in small letters.", example: "usd" }),
    total: z.int().openapi({ description: "In the currency's smallest unit.", example: 6000 }),
    lines: z.array(
      z.object({
        description: z.string().openapi({ example: "Pro" }),
        quantity: z.int().openapi({ example: 5 }),
        unitAmount: z.int().openapi({ example: 1200 }),
        amount: z.int().openapi({ example: 6000 }),
      }),
    ),
    periodStart: Instant,
    periodEnd: Instant.openapi({ example: "2026-02-01T09:30:00.000Z" }),
    dueAt: Instant,
    paidAt: Instant.nullable().openapi({ example: null }),
    paymentReference: z
      .string()
      .nullable()
      .openapi({ description: "By what the payment is found again, such as a bank's.", example: null }),
    createdAt: Instant,
  })
  .openapi("Invoice");

const listRoute = tenantRoute("billing:read", {
  method: "get",
  path: "/v1/organizations/{organizationId}/invoices",
  tags: ["Billing"],
  summary: "List the invoices",
  description: "Newest first.",
  request: { params: OrganizationParams, query: PageQuery },
  responses: { 200: json(pageOf(Invoice).openapi("InvoicePage"), "A page of invoices.") },
});

export const invoiceRoutes = createRouter().openapi(listRoute, async (c) =>
  c.json(await listInvoices(c.var.database, c.req.valid("query")), 200),
);
