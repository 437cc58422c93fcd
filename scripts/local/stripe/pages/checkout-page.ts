import { html, type Html } from "../../html.ts";
import type { Account } from "../account.ts";
import { enterPromotionCode, orderOf, priceOrder, submitCheckout } from "../checkout.ts";
import { StripeError } from "../errors.ts";
import type { CheckoutSession } from "../objects.ts";
import { describePrice, formatMoney, intervalOf, productName } from "../subscription-items.ts";
import type { PageAnswer } from "./pages.ts";
import { renderButtons, renderMessage, renderPage } from "./page.ts";

export function showCheckout(account: Account, session: CheckoutSession, failure?: string): PageAnswer {
  const formTargets = [session.success_url, session.cancel_url].flatMap((url) => (url ? [new URL(url).origin] : []));
  return { status: failure === undefined ? 200 : 400, page: renderCheckout(account, session, failure), formTargets };
}

/** What pressing one of the page's buttons does. */
export function useCheckout(account: Account, session: CheckoutSession, form: URLSearchParams): PageAnswer {
  try {
    switch (form.get("action")) {
      case "code":
        enterPromotionCode(account, session, form.get("code") ?? "");
        return showCheckout(account, session);
      case "pay":
        submitCheckout(account, session, "paid");
        return { redirect: (session.success_url ?? "/").replaceAll("{CHECKOUT_SESSION_ID}", session.id) };
      case "decline":
        submitCheckout(account, session, "declined");
        return showCheckout(account, session, "Your card was declined.");
      default:
        return showCheckout(account, session, "There is no such button.");
    }
  } catch (error) {
    if (!(error instanceof StripeError)) throw error;
    return showCheckout(account, session, error.message);
  }
}

function renderCheckout(account: Account, session: CheckoutSession, failure: string | undefined): string {
  if (session.status !== "open") {
    return renderPage(
      "Checkout",
      html`<h1>This checkout is ${session.status === "complete" ? "done" : "over"}</h1>
        <p>${session.status === "complete" ? "It has been paid." : "It has expired. Begin another one."}</p>`,
    );
  }
  const order = orderOf(account, session);
  const customer = account.find("customers", "customer", session.customer ?? "");
  return renderPage(
    "Checkout",
    html`<h1>Subscribe</h1>
      <p>${customer.name ?? customer.email ?? customer.id}</p>
      ${renderMessage("failure", failure)}
      <ul>
        ${order.lines.map(({ price: id, quantity }) => {
          const price = account.find("prices", "price", id);
          return html`<li>${quantity} × ${productName(account, price)} (${describePrice(price)})</li>`;
        })}
      </ul>
      ${renderTotals(account, session)} ${renderCodeForm(session)}
      ${renderButtons(`/c/pay/${session.id}`, [
        ["pay", order.trialDays > 0 ? "Start the trial" : "Pay"],
        ["decline", "Pay with a card that is declined"],
      ])}
      ${session.cancel_url !== null && html`<p><a href="${session.cancel_url}">Go back</a></p>`}`,
  );
}

function renderTotals(account: Account, session: CheckoutSession): Html {
  const order = orderOf(account, session);
  const totals = priceOrder(account, session, order);
  const currency = session.currency ?? "usd";
  const first = order.lines[0] && account.find("prices", "price", order.lines[0].price);
  const later = order.lines.reduce((sum, { price, quantity }) => {
    return sum + (account.find("prices", "price", price).unit_amount ?? 0) * quantity;
  }, 0);
  const rows: [string, string][] = [["Subtotal", formatMoney(totals.subtotal, currency)]];
  for (const { amount } of totals.discounts) {
    rows.push([`Promotion code ${order.promotionCode ?? ""}`, formatMoney(-amount, currency)]);
  }
  for (const { amount, tax_behavior } of totals.taxes) {
    rows.push([`Tax${tax_behavior === "inclusive" ? " (included)" : ""}`, formatMoney(amount, currency)]);
  }
  rows.push(["Total due today", formatMoney(totals.total, currency)]);
  const seats = order.lines.reduce((sum, { quantity }) => sum + quantity, 0);
  return html`<dl>
      <dt>Seats</dt>
      <dd>${seats}</dd>
      ${rows.map(
        ([name, value]) =>
          html`<dt>${name}</dt>
            <dd>${value}</dd>`,
      )}
    </dl>
    ${
      order.trialDays > 0 &&
      first &&
      html`<p>
        Free for ${order.trialDays} days, then ${formatMoney(later, currency)} every
        ${intervalOf(first).count === 1 ? "" : `${intervalOf(first).count} `}${intervalOf(first).unit}, before taxes.
      </p>`
    }`;
}

function renderCodeForm(session: CheckoutSession): Html | undefined {
  if (!session.allow_promotion_codes) return undefined;
  const field = html`<label>Promotion code<input name="code" autocomplete="off" required /></label>`;
  return renderButtons(`/c/pay/${session.id}`, [["code", "Apply"]], field);
}
