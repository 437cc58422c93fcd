import type { Stripe } from "stripe";

import type { PlannedLine } from "./account-state.ts";
import type { Account } from "./account.ts";
import { currentDiscounts } from "./discounts.ts";
import { newId } from "./ids.ts";
import { decimalOf, wholeList, type Discount, type Invoice, type Subscription } from "./objects.ts";
import { computeTotals, type PricedLine } from "./totals.ts";

export interface InvoicePlan {
  id?: string;
  reason: "subscription_create" | "subscription_cycle" | "subscription_update";
  lines: PlannedLine[];
  period: { start: number; end: number };
  /** Whether it is finalized and charged for without anybody's doing. */
  autoAdvance?: boolean;
  discounts?: Discount[];
}

/** Makes a draft of what the subscription owes, and makes it the subscription's latest. */
export function draftInvoice(account: Account, subscription: Subscription, plan: InvoicePlan): Invoice {
  const discounts = plan.discounts ?? currentDiscounts(account, subscription);
  const totals = computeTotals(account, plan.lines, discounts, subscription.automatic_tax.enabled);
  const customer = account.find("customers", "customer", subscription.customer);
  const id = plan.id ?? newId("in_");
  const lines = totals.lines.map((line) => invoiceLine(line, id, subscription));
  const due = Math.max(0, totals.total);
  const invoice = {
    id,
    object: "invoice",
    account_country: "US",
    account_name: "A local model of Stripe",
    account_tax_ids: null,
    amount_due: due,
    amount_overpaid: 0,
    amount_paid: 0,
    amount_remaining: due,
    amount_shipping: 0,
    application: null,
    attempt_count: 0,
    attempted: false,
    auto_advance: plan.autoAdvance ?? true,
    automatic_tax: {
      disabled_reason: null,
      enabled: subscription.automatic_tax.enabled,
      liability: subscription.automatic_tax.liability,
      provider: subscription.automatic_tax.enabled ? "stripe" : null,
      status: subscription.automatic_tax.enabled ? "complete" : null,
    },
    automatically_finalizes_at: null,
    billing_reason: plan.reason,
    collection_method: "charge_automatically",
    created: account.now(),
    currency: subscription.currency,
    custom_fields: null,
    customer: customer.id,
    customer_account: null,
    customer_address: customer.address ?? null,
    customer_email: customer.email,
    customer_name: customer.name ?? null,
    customer_phone: customer.phone ?? null,
    customer_shipping: null,
    customer_tax_exempt: "none",
    customer_tax_ids: [],
    default_payment_method: null,
    default_source: null,
    default_tax_rates: [],
    description: null,
    discounts: totals.discounts.map(({ discount }) => discount),
    due_date: null,
    effective_at: null,
    ending_balance: null,
    footer: null,
    from_invoice: null,
    hosted_invoice_url: null,
    invoice_pdf: null,
    issuer: { type: "self" },
    last_finalization_error: null,
    latest_revision: null,
    lines: wholeList(lines, `/v1/invoices/${id}/lines`),
    livemode: false,
    metadata: {},
    next_payment_attempt: null,
    number: null,
    on_behalf_of: null,
    parent: {
      quote_details: null,
      subscription_details: { metadata: { ...subscription.metadata }, subscription: subscription.id },
      type: "subscription_details",
    },
    payment_settings: { default_mandate: null, payment_method_options: null, payment_method_types: null },
    period_end: plan.period.end,
    period_start: plan.period.start,
    post_payment_credit_notes_amount: 0,
    pre_payment_credit_notes_amount: 0,
    receipt_number: null,
    rendering: null,
    shipping_cost: null,
    shipping_details: null,
    starting_balance: 0,
    statement_descriptor: null,
    status: "draft",
    status_transitions: { finalized_at: null, marked_uncollectible_at: null, paid_at: null, voided_at: null },
    subtotal: totals.subtotal,
    subtotal_excluding_tax: totals.subtotal - (totals.total - totals.totalExcludingTax) + exclusiveTax(totals.taxes),
    test_clock: account.state.clock.id,
    total: totals.total,
    total_discount_amounts: totals.discounts,
    total_excluding_tax: totals.totalExcludingTax,
    total_pretax_credit_amounts: totals.discounts.map((discount) => ({ ...discount, type: "discount" })),
    total_taxes: totals.taxes,
    webhooks_delivered_at: null,
  } satisfies Invoice;
  account.state.invoices.set(id, invoice);
  return invoice;
}

function exclusiveTax(taxes: Stripe.Invoice.TotalTax[]): number {
  return taxes.reduce((total, tax) => total + (tax.tax_behavior === "exclusive" ? tax.amount : 0), 0);
}

function invoiceLine(line: PricedLine, invoice: string, subscription: Subscription): Stripe.InvoiceLineItem {
  return {
    id: newId("il_"),
    object: "line_item",
    amount: line.amount,
    currency: subscription.currency,
    description: line.description,
    discount_amounts: line.discountAmounts,
    discountable: !line.proration,
    discounts: line.discountAmounts.map(({ discount }) => discount),
    invoice,
    livemode: false,
    metadata: { ...subscription.metadata },
    parent: {
      invoice_item_details: null,
      subscription_item_details: {
        invoice_item: line.proration ? newId("ii_") : null,
        proration: line.proration,
        proration_details: line.proration ? { credited_items: null } : null,
        subscription: subscription.id,
        subscription_item: line.item,
      },
      type: "subscription_item_details",
    },
    period: line.period,
    pretax_credit_amounts: line.discountAmounts.map((discount) => ({ ...discount, type: "discount" })),
    pricing: {
      price_details: { price: line.price.id, product: line.price.product },
      type: "price_details",
      unit_amount_decimal: decimalOf(line.price.unit_amount ?? 0),
    },
    quantity: line.quantity,
    quantity_decimal: decimalOf(line.quantity),
    subscription: subscription.id,
    subtotal: line.amount,
    taxes: line.tax ? [line.tax] : [],
  };
}
