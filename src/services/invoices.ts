import { and, desc, eq, lt } from "drizzle-orm";
import { alias } from "drizzle-orm/pg-core";
import { type InvoiceLine, invoices } from "../db/billing-tables.ts";
import type { TenantDatabase } from "../db/index.ts";
import { type Page, type PageInput, readCursor, toPage } from "./paging.ts";

export interface Invoice {
  id: string;
  subscriptionId: string;
  /** To which the subscription moves once it is paid; null of what it costs as it is. */
  priceId: string | null;
  /** The organization's first is 1. */
  number: number;
  /** What Stripe says there, where it collects the money. */
  providerNumber: string | null;
  /** Where it can be seen and paid there. */
  url: string | null;
  status: "open" | "paid" | "uncollectible" | "void";
  /** ISO 4217, in small letters. */
  currency: string;
  /** In the currency's smallest unit. */
  total: number;
  lines: InvoiceLine[];
  periodStart: string;
  periodEnd: string;
  dueAt: string;
  paidAt: string | null;
  /** By what the payment is found again. */
  paymentReference: string | null;
  createdAt: string;
}

/** The last of the page before. */
const last = alias(invoices, "last");

/** Newest first. */
export async function listInvoices(database: TenantDatabase, { limit, cursor }: PageInput): Promise<Page<Invoice>> {
  const before = readCursor(cursor);
  const { organizationId } = database;
  const [rows] = await database.run((queries) => [
    queries
      .select({
        id: invoices.id,
        subscriptionId: invoices.subscriptionId,
        priceId: invoices.priceId,
        number: invoices.number,
        providerNumber: invoices.providerNumber,
        url: invoices.url,
        status: invoices.status,
        currency: invoices.currency,
        total: invoices.total,
        lines: invoices.lines,
        periodStart: invoices.periodStartsAt,
        periodEnd: invoices.periodEndsAt,
        dueAt: invoices.dueAt,
        paidAt: invoices.paidAt,
        paymentReference: invoices.paymentReference,
        createdAt: invoices.createdAt,
      })
      .from(invoices)
      .where(
        and(
          eq(invoices.organizationId, organizationId),
          before
            ? lt(
                invoices.number,
                queries
                  .select({ number: last.number })
                  .from(last)
                  .where(and(eq(last.organizationId, organizationId), eq(last.id, before))),
              )
            : undefined,
        ),
      )
      // Their numbers' index is there anyway, and with one index of the organization's the planner has no other to take.
      .orderBy(desc(invoices.number))
      .limit(limit + 1),
  ]);
  return toPage(rows, limit, ({ id }) => id);
}
