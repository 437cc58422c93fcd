import { sql } from "drizzle-orm";
import type { PlatformDatabase } from "../db/index.ts";
import { bodyOf } from "../db/json.ts";
import type { Invoice } from "./invoices.ts";
import { type Page, type PageInput, readCursor, toPage } from "./paging.ts";

/** An invoice, as the platform's administrators see it. */
export interface PlatformInvoice extends Invoice {
  organizationId: string;
}

export interface InvoiceFilter {
  organizationId?: string | undefined;
  /** Those alone that are to be paid. */
  open: boolean;
}

/** Newest first. */
export async function listPlatformInvoices(
  database: PlatformDatabase,
  { organizationId, open, limit, cursor }: PageInput & InvoiceFilter,
): Promise<Page<PlatformInvoice>> {
  const [{ rows }] = await database.run((queries) => [
    queries.execute<{ invoice: PlatformInvoice }>(
      sql`select invoice from app.platform_invoices(${organizationId ?? null}::uuid, ${open}::boolean, ${readCursor(cursor)}::uuid, ${limit + 1}::int)`,
    ),
  ]);
  return toPage(
    rows.map(({ invoice }) => invoice),
    limit,
    ({ id }) => id,
  );
}

/**
 * Notes that it was paid, by which its subscription begins or goes on.
 *
 * @param reference by what the payment is found again, such as a bank's.
 * @throws AppError `not_found`; `invoice_not_open`.
 */
export async function payInvoice(
  database: PlatformDatabase,
  id: string,
  reference: string | null,
): Promise<PlatformInvoice> {
  const [paid] = await database.run((queries) => [
    queries.execute<{ body: PlatformInvoice }>(sql`select app.pay_invoice(${id}::uuid, ${reference}) as body`),
  ]);
  return bodyOf(paid);
}
