import type { Stripe } from "stripe";

import type { PlannedLine } from "./account-state.ts";
import type { Account } from "./account.ts";
import type { Coupon, Discount, Price } from "./objects.ts";

/** A line with what discounts and taxes do to it. All amounts are in the currency's smallest unit. */
export interface PricedLine extends PlannedLine {
  discountAmounts: { amount: number; discount: string }[];
  tax: Stripe.InvoiceLineItem.Tax | undefined;
}

export interface Totals {
  lines: PricedLine[];
  subtotal: number;
  discounts: { amount: number; discount: string }[];
  taxes: Stripe.Invoice.TotalTax[];
  totalExcludingTax: number;
  total: number;
}

/** The model's one rate of tax: a fifth, wherever the customer is. */
const taxRate = { id: "txr_model", fraction: 0.2 };

/** What lines come to. Discounts reduce only what is owed in all, never a credit. */
export function computeTotals(account: Account, lines: PlannedLine[], discounts: Discount[], isTaxed: boolean): Totals {
  const subtotal = sum(lines.map(({ amount }) => amount));
  const priced: PricedLine[] = lines.map((line) => ({ ...line, discountAmounts: [], tax: undefined }));
  let left = Math.max(0, subtotal);
  const totalDiscounts = discounts.map((discount) => {
    const amount = Math.min(left, discountOf(couponOf(account, discount), left));
    left -= amount;
    spread(priced, amount, subtotal, discount.id);
    return { amount, discount: discount.id };
  });
  if (isTaxed) for (const line of priced) line.tax = taxOf(line, line.price);
  const taxes = sumTaxes(priced);
  const exclusive = sum(taxes.filter((tax) => tax.tax_behavior === "exclusive").map(({ amount }) => amount));
  const inclusive = sum(taxes.filter((tax) => tax.tax_behavior === "inclusive").map(({ amount }) => amount));
  const net = subtotal - sum(totalDiscounts.map(({ amount }) => amount));
  return {
    lines: priced,
    subtotal,
    discounts: totalDiscounts,
    taxes,
    totalExcludingTax: net - inclusive,
    total: net + exclusive,
  };
}

export function couponOf(account: Account, { source }: Discount): Coupon {
  // Stored discounts hold ids.
  return account.find("coupons", "coupon", source.coupon as string);
}

function discountOf({ percent_off, amount_off }: Coupon, amount: number): number {
  return percent_off === null ? (amount_off ?? 0) : Math.round((amount * percent_off) / 100);
}

/** In proportion to the amounts; the last line takes what rounding leaves. */
function spread(lines: PricedLine[], amount: number, subtotal: number, discount: string): void {
  let left = amount;
  lines.forEach((line, i) => {
    const share = i === lines.length - 1 ? left : Math.round((amount * line.amount) / (subtotal || 1));
    left -= share;
    line.discountAmounts.push({ amount: share, discount });
  });
}

function taxOf(line: PricedLine, price: Price): Stripe.InvoiceLineItem.Tax {
  const isInclusive = price.tax_behavior === "inclusive";
  const amount = line.amount - sum(line.discountAmounts.map((discount) => discount.amount));
  const tax = Math.round(amount * (isInclusive ? taxRate.fraction / (1 + taxRate.fraction) : taxRate.fraction));
  return {
    amount: tax,
    tax_behavior: isInclusive ? "inclusive" : "exclusive",
    tax_rate_details: { tax_rate: taxRate.id },
    taxability_reason: "standard_rated",
    taxable_amount: isInclusive ? amount - tax : amount,
    type: "tax_rate_details",
  };
}

function sumTaxes(lines: PricedLine[]): Stripe.Invoice.TotalTax[] {
  const totals = new Map<string, Stripe.Invoice.TotalTax>();
  for (const { tax } of lines) {
    if (!tax) continue;
    const total = totals.get(tax.tax_behavior);
    if (total) {
      total.amount += tax.amount;
      total.taxable_amount = (total.taxable_amount ?? 0) + (tax.taxable_amount ?? 0);
    } else totals.set(tax.tax_behavior, { ...tax });
  }
  return [...totals.values()];
}

function sum(numbers: number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
