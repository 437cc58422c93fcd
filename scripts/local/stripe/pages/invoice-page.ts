import { html, type Html } from "../../html.ts";
import type { Account } from "../account.ts";
import { StripeError } from "../errors.ts";
import type { Invoice } from "../objects.ts";
import { payInvoice } from "../payments.ts";
import { formatMoney } from "../subscription-items.ts";
import type { PageAnswer } from "./pages.ts";
import { renderButtons, renderDate, renderMessage, renderPage } from "./page.ts";

export function showInvoice(account: Account, invoice: Invoice, failure?: string): PageAnswer {
  const customer = account.find("customers", "customer", invoice.customer ?? "");
  const { currency, status, number } = invoice;
  const title = `Invoice ${number ?? "(a draft)"}`;
  const page = renderPage(
    title,
    html`<h1>${title}</h1>
      <p>
        For ${customer.name ?? customer.email ?? customer.id}, of ${renderDate(invoice.created)}:
        <strong>${status ?? "draft"}</strong>
      </p>
      ${renderMessage("failure", failure)}
      <dl>
        ${invoice.lines.data.map(
          (line) =>
            html`<dt>${line.description ?? line.id}</dt>
              <dd>${formatMoney(line.amount, currency)}</dd>`,
        )}
        ${renderTotals(invoice)}
      </dl>
      ${status === "open" && renderButtons(`/i/${invoice.id}`, [["pay", "Pay"]])}`,
  );
  return { status: failure === undefined ? 200 : 400, page };
}

function renderTotals({ currency, total_discount_amounts, total_taxes, total, amount_due }: Invoice): Html {
  const rows = [
    ...(total_discount_amounts ?? []).map(({ amount }) => ["Discount", -amount] as const),
    ...(total_taxes ?? []).map(({ amount }) => ["Tax", amount] as const),
    ["Total", total] as const,
    ["Amount due", amount_due] as const,
  ];
  return html`${rows.map(
    ([name, amount]) =>
      html`<dt>${name}</dt>
        <dd>${formatMoney(amount, currency)}</dd>`,
  )}`;
}

/** The page is where a customer whose card was declined comes to pay: with a card that is good. */
export function useInvoice(account: Account, invoice: Invoice): PageAnswer {
  try {
    payInvoice(account, invoice);
    return { redirect: `/i/${invoice.id}` };
  } catch (error) {
    if (!(error instanceof StripeError)) throw error;
    return showInvoice(account, invoice, error.message);
  }
}
