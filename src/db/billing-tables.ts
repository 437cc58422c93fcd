import { sql } from "drizzle-orm";
import {
  bigint,
  boolean,
  check,
  foreignKey,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  text,
  uniqueIndex,
  uuid,
} from "drizzle-orm/pg-core";
import { planPrices } from "./plan-tables.ts";
import { createdAt, instant, ownOrganizationId, updatedAt } from "./schema.ts";

/**
 * What an organization has agreed to pay for. It lives until `endedAt`, and one alone does; without one an organization has
 * the default plan. Changed by functions of the fence alone.
 */
export const subscriptions = pgTable(
  "subscriptions",
  {
    organizationId: ownOrganizationId(),
    id: uuid("id").notNull(),
    /** Of a plan's version, which it stays on. */
    priceId: uuid("price_id")
      .notNull()
      .references(() => planPrices.id),
    /** Of the next period, where it is to be another one. */
    scheduledPriceId: uuid("scheduled_price_id").references(() => planPrices.id),
    /** Who collects the money. */
    provider: text("provider").notNull(),
    /** What that one knows it by; null where that is the platform itself. */
    providerId: text("provider_id"),
    /** As Stripe names them. */
    status: text("status").notNull(),
    /** Seats, or 1. */
    quantity: integer("quantity").notNull(),
    /** Also once it is over: there is one in an organization's life. */
    trialEndsAt: instant("trial_ends_at"),
    /** From which all periods are counted. */
    anchorAt: instant("anchor_at").notNull(),
    periodStartedAt: instant("period_started_at").notNull(),
    periodEndsAt: instant("period_ends_at").notNull(),
    /** Until when what is past due is had all the same. */
    graceEndsAt: instant("grace_ends_at"),
    cancelAtPeriodEnd: boolean("cancel_at_period_end").notNull().default(false),
    canceledAt: instant("canceled_at"),
    endedAt: instant("ended_at"),
    /** When time changes it next; null where the provider says so. */
    dueAt: instant("due_at"),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (table) => [
    primaryKey({ columns: [table.id, table.organizationId] }),
    index("subscriptions_organization_id_id_idx").on(table.organizationId, table.id),
    uniqueIndex("subscriptions_live_key")
      .on(table.organizationId)
      .where(sql`ended_at is null`),
    // Whoever collects the money elsewhere may give another one there, by hand.
    uniqueIndex("subscriptions_trial_key")
      .on(table.organizationId)
      .where(sql`trial_ends_at is not null and provider = 'manual'`),
    uniqueIndex("subscriptions_provider_id_key")
      .on(table.providerId)
      .where(sql`provider_id is not null`),
    index("subscriptions_due_at_idx")
      .on(table.dueAt)
      .where(sql`due_at is not null`),
    index("subscriptions_price_id_idx").on(table.priceId),
    index("subscriptions_scheduled_price_id_idx")
      .on(table.scheduledPriceId)
      .where(sql`scheduled_price_id is not null`),
    check("subscriptions_provider_known", sql`provider in ('manual', 'stripe')`),
    check("subscriptions_provider_id_given", sql`(provider_id is null) = (provider = 'manual')`),
    check(
      "subscriptions_status_known",
      sql`status in ('incomplete', 'incomplete_expired', 'trialing', 'active', 'past_due', 'unpaid', 'paused', 'canceled')`,
    ),
    check("subscriptions_quantity_positive", sql`quantity > 0`),
    check("subscriptions_period_lasts", sql`period_ends_at > period_started_at`),
    check("subscriptions_trial_ends", sql`status <> 'trialing' or trial_ends_at is not null`),
    check("subscriptions_grace_given", sql`status <> 'past_due' or grace_ends_at is not null`),
    check(
      "subscriptions_schedule_lives",
      sql`scheduled_price_id is null or ended_at is null and not cancel_at_period_end`,
    ),
    check("subscriptions_end_kept", sql`(ended_at is not null) = (status in ('incomplete_expired', 'canceled'))`),
    check("subscriptions_ended_not_due", sql`ended_at is null or due_at is null`),
  ],
).enableRLS();

/** What is asked for, in the currency's smallest unit. */
export interface InvoiceLine {
  description: string;
  quantity: number;
  unitAmount: number;
  amount: number;
}

/** What an organization is asked to pay for a period of its subscription. Amounts are in the currency's smallest unit. */
export const invoices = pgTable(
  "invoices",
  {
    organizationId: ownOrganizationId(),
    id: uuid("id").primaryKey(),
    subscriptionId: uuid("subscription_id").notNull(),
    /** To which the subscription moves once it is paid; null of what it costs as it is. */
    priceId: uuid("price_id").references(() => planPrices.id),
    /** The organization's first is 1. */
    number: integer("number").notNull(),
    /** What the provider of its subscription knows it by, what it says there, and where it can be seen and paid. */
    providerId: text("provider_id"),
    providerNumber: text("provider_number"),
    url: text("url"),
    status: text("status", { enum: ["open", "paid", "uncollectible", "void"] }).notNull(),
    currency: text("currency").notNull(),
    total: bigint("total", { mode: "number" }).notNull(),
    lines: jsonb("lines").$type<InvoiceLine[]>().notNull(),
    periodStartsAt: instant("period_starts_at").notNull(),
    periodEndsAt: instant("period_ends_at").notNull(),
    dueAt: instant("due_at").notNull(),
    paidAt: instant("paid_at"),
    /** By what the payment is found again, such as a bank's. */
    paymentReference: text("payment_reference"),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (table) => [
    uniqueIndex("invoices_organization_id_number_key").on(table.organizationId, table.number),
    // Of what is still to be paid, for whoever looks for the money.
    index("invoices_open_idx")
      .on(table.id)
      .where(sql`status = 'open'`),
    foreignKey({
      name: "invoices_subscription_fkey",
      columns: [table.subscriptionId, table.organizationId],
      foreignColumns: [subscriptions.id, subscriptions.organizationId],
    }).onDelete("cascade"),
    index("invoices_price_id_idx")
      .on(table.priceId)
      .where(sql`price_id is not null`),
    // Not led by the organization, so that a page is read by its numbers, in their order.
    index("invoices_subscription_id_organization_id_idx").on(table.subscriptionId, table.organizationId),
    check("invoices_number_positive", sql`number > 0`),
    uniqueIndex("invoices_provider_id_key")
      .on(table.providerId)
      .where(sql`provider_id is not null`),
    check("invoices_status_known", sql`status in ('open', 'paid', 'uncollectible', 'void')`),
    check("invoices_paid_at_given", sql`(status = 'paid') = (paid_at is not null)`),
    check("invoices_payment_reference_length", sql`length(payment_reference) between 1 and 100`),
    // Elsewhere there are such of a trial, and of a credit.
    check("invoices_total_positive", sql`total > 0 or provider_id is not null`),
  ],
).enableRLS();
