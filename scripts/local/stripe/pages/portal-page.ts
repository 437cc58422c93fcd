import { html, type Html } from "../../html.ts";
import type { Account } from "../account.ts";
import { setCard } from "../cards.ts";
import { skipTime } from "../clock.ts";
import { StripeError } from "../errors.ts";
import { day, type Invoice, type PortalSession, type Subscription } from "../objects.ts";
import { payInvoice } from "../payments.ts";
import { isEnded } from "../standing.ts";
import { setCancelAtPeriodEnd } from "../ending.ts";
import { describePrice, formatMoney, periodOf, productName } from "../subscription-items.ts";
import type { PageAnswer } from "./pages.ts";
import { renderButtons, renderDate, renderMessage, renderPage } from "./page.ts";

export function showPortal(account: Account, session: PortalSession, failure?: string): PageAnswer {
  const customer = account.find("customers", "customer", session.customer);
  const path = `/p/session/${session.id}`;
  const invoices = [...account.state.invoices.values()].filter((invoice) => invoice.customer === customer.id);
  const page = renderPage(
    "Billing portal",
    html`<h1>Billing of ${customer.name ?? customer.email ?? customer.id}</h1>
      ${renderMessage("failure", failure)}
      ${subscriptionsOf(account, customer.id).map((subscription) => renderSubscription(account, subscription, path))}
      <h2>Card</h2>
      <p>${describeCard(account, customer.id)}</p>
      ${renderButtons(path, [
        ["card-good", "Have a card that is good"],
        ["card-declining", "Have a card that is declined"],
        ["card-none", "Have none"],
      ])}
      <h2>Invoices</h2>
      ${invoices.length === 0 ? html`<p>There are none.</p>` : invoices.toReversed().map((one) => renderInvoice(one, path))}
      <h2>Time</h2>
      <p>For Stripe it is ${renderDate(account.now())}. All customers of this key have one clock.</p>
      ${renderButtons(path, [
        ["day", "+1 day"],
        ["period-end", "Go on to the end of the period"],
      ])}
      ${session.return_url !== null && html`<p><a href="${session.return_url}">Go back</a></p>`}`,
  );
  return { status: failure === undefined ? 200 : 400, page };
}

function renderSubscription(account: Account, subscription: Subscription, path: string): Html {
  const { id, status, items, cancel_at, schedule } = subscription;
  const { end } = periodOf(subscription);
  const lastDay = subscription.cancel_at_period_end ? end : cancel_at;
  return html`<section>
    <h2>Subscription</h2>
    <p>
      ${items.data.map(
        ({ price, quantity }) => html`${quantity} × ${productName(account, price)} (${describePrice(price)}) `,
      )}:
      <strong>${status}</strong>
    </p>
    ${
      !isEnded(subscription) &&
      html`<p>${lastDay === null ? "It goes on" : "It ends"} on ${renderDate(lastDay ?? end)}.</p>
        ${
          schedule === null
            ? renderButtons(
                path,
                [lastDay === null ? ["cancel", "Cancel at the end of the period"] : ["keep", "Don't cancel"]],
                html`<input type="hidden" name="subscription" value="${id}" />`,
              )
            : html`<p>It changes by a schedule.</p>`
        }`
    }
  </section>`;
}

function renderInvoice({ id, number, created, total, currency, status }: Invoice, path: string): Html {
  const field = html`<input type="hidden" name="invoice" value="${id}" />`;
  return html`<p>
      <a href="/i/${id}">${number ?? "A draft"}</a>, ${renderDate(created)}, ${formatMoney(total, currency)}:
      ${status ?? "draft"}
    </p>
    ${status === "open" && renderButtons(path, [["pay", `Pay ${number ?? ""}`]], field)}`;
}

function describeCard(account: Account, customer: string): string {
  const card = account.card(customer);
  if (!card) return "There is none.";
  return card === "good" ? "It is good." : "It is declined whenever it is charged.";
}

function subscriptionsOf(account: Account, customer: string): Subscription[] {
  return [...account.state.subscriptions.values()].filter((subscription) => subscription.customer === customer);
}

/** What pressing one of the page's buttons does. */
export function usePortal(account: Account, session: PortalSession, form: URLSearchParams): PageAnswer {
  try {
    act(account, session.customer, form);
    return { redirect: `/p/session/${session.id}` };
  } catch (error) {
    if (!(error instanceof StripeError)) throw error;
    return showPortal(account, session, error.message);
  }
}

function act(account: Account, customer: string, form: URLSearchParams): void {
  switch (form.get("action")) {
    case "cancel":
    case "keep":
      return changeEnd(account, customer, form);
    case "card-good":
      return setCard(account, customer, "good");
    case "card-declining":
      return setCard(account, customer, "declining");
    case "card-none":
      return setCard(account, customer, null);
    case "pay":
      return payInvoice(account, ownInvoice(account, customer, form.get("invoice") ?? ""));
    case "day":
      return skipTime(account, account.now() + day);
    case "period-end":
      return skipTime(account, nextPeriodEnd(account, customer));
    default:
      throw new StripeError(400, "There is no such button.");
  }
}

function changeEnd(account: Account, customer: string, form: URLSearchParams): void {
  const id = form.get("subscription") ?? "";
  const subscription = account.find("subscriptions", "subscription", id);
  if (subscription.customer !== customer || isEnded(subscription) || subscription.schedule !== null) {
    throw new StripeError(400, "This subscription cannot be changed here.");
  }
  account.change(subscription, "customer.subscription.updated", (changed) => {
    setCancelAtPeriodEnd(changed, form.get("action") === "cancel", periodOf(changed).end, account.now());
  });
}

function ownInvoice(account: Account, customer: string, id: string): Invoice {
  const invoice = account.find("invoices", "invoice", id);
  if (invoice.customer !== customer) throw new StripeError(404, `No such invoice: '${id}'`);
  return invoice;
}

function nextPeriodEnd(account: Account, customer: string): number {
  const ends = subscriptionsOf(account, customer)
    .filter((subscription) => !isEnded(subscription))
    .map((subscription) => periodOf(subscription).end);
  const end = Math.min(...ends.filter((time) => time > account.now()));
  if (end === Infinity) throw new StripeError(400, "There is no period that could end.");
  return end;
}
