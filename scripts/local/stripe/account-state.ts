import type { Stripe } from "stripe";

import type {
  CheckoutSession,
  Coupon,
  Customer,
  Discount,
  Event,
  Invoice,
  PortalSession,
  Price,
  Product,
  PromotionCode,
  Subscription,
  SubscriptionItem,
  SubscriptionSchedule,
  TestClock,
} from "./objects.ts";

export type Card = "good" | "declining";

/** A card that a customer has, and may be charged by. */
export interface AttachedCard {
  id: string;
  customer: string;
  card: Card;
}

/** A line of an invoice that has still to be made. */
export interface PlannedLine {
  description: string;
  /** In the currency's smallest unit; negative for a credit. */
  amount: number;
  quantity: number;
  price: Price;
  item: string;
  period: { start: number; end: number };
  proration: boolean;
}

/** What an update would do to a subscription, once its invoice is paid. */
export interface PendingChange {
  invoice: string;
  items: SubscriptionItem[];
  anchor: number;
}

export interface CheckoutLine {
  id: string;
  price: string;
  quantity: number;
}

/** What a checkout session asks for, beyond what its object shows. */
export interface CheckoutOrder {
  lines: CheckoutLine[];
  /** The same as they are shown, with what they come to. */
  lineItems: Stripe.LineItem[];
  trialDays: number;
  subscriptionMetadata: Record<string, string>;
  missingPaymentMethod: "cancel" | "create_invoice" | "pause";
  promotionCode: string | null;
  /** Whether Checkout keeps the address that it asks the buyer for. */
  savesAddress: boolean;
}

export interface Delivery {
  id: string;
  event: string;
  type: string;
  body: string;
  /** `lost` ones were never sent, though Stripe thinks it tried. */
  state: "waiting" | "taken" | "delivered" | "failed" | "lost";
  attempts: number;
  /** Of the last attempt; 0 when there was no answer. */
  lastStatus: number | null;
}

/** Deterministic: a seed and the number of deliveries so far decide everything. */
export interface DeliveryFaults {
  /** How often each is sent. */
  copies: number;
  /** So many are gathered, and sent in the opposite order. */
  reorderWindow: number;
  delayMs: number;
  /** Every so-manieth is lost; none when 0. */
  loseEvery: number;
  /** 0 to 1. */
  loseProbability: number;
  seed: number;
}

export interface WebhookEndpoint {
  /** None: deliveries wait to be taken. */
  url: string | null;
  /** Each signs; the first is the newest. */
  secrets: string[];
  enabled: boolean;
  /** As in Stripe's `enabled_events`, where `*` stands for all. */
  events: string[];
  /** Before each attempt after the first. */
  retryDelaysMs: number[];
  faults: DeliveryFaults;
}

export interface Settings {
  /** What becomes of a subscription when every retry has failed. */
  afterRetries: "canceled" | "unpaid" | "past_due";
  /** How long a renewal's invoice stays a draft: about 3600 at Stripe, and 0 here unless a test says otherwise. */
  draftSeconds: number;
}

/** All that one secret key has. Plain data, so that it can be saved. */
export interface AccountState {
  key: string;
  /** `frozen` while there is a test clock; else real time, moved by `offset` seconds. */
  clock: { frozen: number | null; offset: number; id: string | null };
  customers: Map<string, Customer>;
  /** What each customer is charged by. */
  cards: Map<string, Card>;
  paymentMethods: Map<string, AttachedCard>;
  products: Map<string, Product>;
  prices: Map<string, Price>;
  coupons: Map<string, Coupon>;
  promotionCodes: Map<string, PromotionCode>;
  discounts: Map<string, Discount>;
  subscriptions: Map<string, Subscription>;
  schedules: Map<string, SubscriptionSchedule>;
  invoices: Map<string, Invoice>;
  checkoutSessions: Map<string, CheckoutSession>;
  orders: Map<string, CheckoutOrder>;
  /** The subscription that a session has begun, by session. */
  checkoutSubscriptions: Map<string, string>;
  portalSessions: Map<string, PortalSession>;
  testClocks: Map<string, TestClock>;
  events: Map<string, Event>;
  deliveries: Map<string, Delivery>;
  deliveryCount: number;
  /** By subscription. */
  plannedLines: Map<string, PlannedLine[]>;
  pendingChanges: Map<string, PendingChange>;
  trialNotices: Map<string, true>;
  endpoint: WebhookEndpoint | null;
  settings: Settings;
}

export const noFaults: DeliveryFaults = {
  copies: 1,
  reorderWindow: 1,
  delayMs: 0,
  loseEvery: 0,
  loseProbability: 0,
  seed: 1,
};

/** One that takes everything, from which deliveries are pulled. */
export function newEndpoint(secrets: string[]): WebhookEndpoint {
  return { url: null, secrets, enabled: true, events: ["*"], retryDelaysMs: [1_000, 5_000, 30_000], faults: noFaults };
}

export function newAccountState(key: string): AccountState {
  return {
    key,
    clock: { frozen: null, offset: 0, id: null },
    customers: new Map(),
    cards: new Map(),
    paymentMethods: new Map(),
    products: new Map(),
    prices: new Map(),
    coupons: new Map(),
    promotionCodes: new Map(),
    discounts: new Map(),
    subscriptions: new Map(),
    schedules: new Map(),
    invoices: new Map(),
    checkoutSessions: new Map(),
    orders: new Map(),
    checkoutSubscriptions: new Map(),
    portalSessions: new Map(),
    testClocks: new Map(),
    events: new Map(),
    deliveries: new Map(),
    deliveryCount: 0,
    plannedLines: new Map(),
    pendingChanges: new Map(),
    trialNotices: new Map(),
    endpoint: null,
    settings: { afterRetries: "canceled", draftSeconds: 0 },
  };
}
