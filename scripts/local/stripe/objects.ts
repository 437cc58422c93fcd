import type { Stripe } from "stripe";

/** As stored, these fields hold ids; only answers expand them. */
type WithIds<T, K extends keyof T> = Omit<T, K> & { [P in K]: Extract<T[P], string | null> };

export type Customer = Stripe.Customer;
export type Product = Stripe.Product;
export type Price = WithIds<Stripe.Price, "product">;
export type Coupon = Stripe.Coupon;
export type PromotionCode = Stripe.PromotionCode;
export type Discount = Stripe.Discount;
export type SubscriptionItem = Omit<Stripe.SubscriptionItem, "price"> & { price: Price; quantity: number };
export type Subscription = Omit<
  WithIds<Stripe.Subscription, "customer" | "latest_invoice" | "schedule">,
  "discounts" | "items"
> & { discounts: string[]; items: List<SubscriptionItem> };
export type SubscriptionSchedule = WithIds<Stripe.SubscriptionSchedule, "customer" | "subscription">;
export type Invoice = WithIds<Stripe.Invoice, "customer">;
export type CheckoutSession = WithIds<Stripe.Checkout.Session, "customer" | "subscription" | "invoice">;
export type PortalSession = Stripe.BillingPortal.Session;
export type PaymentMethod = WithIds<Stripe.PaymentMethod, "customer">;
export type TestClock = Stripe.TestHelpers.TestClock;
/** Its type is wider here: the SDK has one type for each kind of event. */
export type Event = Stripe.EventBase;
export type EventType = Stripe.Event["type"];

export interface List<T> {
  object: "list";
  data: T[];
  has_more: boolean;
  url: string;
}

/** All of it on one page, as in an object's own lists. */
export function wholeList<T>(data: T[], url: string): List<T> {
  return { object: "list", data, has_more: false, url };
}

/** Seconds. */
export const hour = 3600;
export const day = 24 * hour;

/** A decimal is text in JSON; the SDK makes its Decimal of it only as it reads the answer. */
export function decimalOf(value: number): Stripe.Decimal {
  return String(value) as unknown as Stripe.Decimal;
}
