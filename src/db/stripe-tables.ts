import { sql } from "drizzle-orm";
import { bigint, check, index, integer, pgTable, text, uniqueIndex, uuid } from "drizzle-orm/pg-core";
import { planPrices } from "./plan-tables.ts";
import { createdAt, instant, organizations, updatedAt } from "./schema.ts";

/**
 * Whom Stripe collects an organization's money from, and what of them is to be looked at. Outlives the organization, until nothing is
 * collected any more. Changed by functions of the fence alone.
 */
export const stripeCustomers = pgTable(
  "stripe_customers",
  {
    id: uuid("id")
      .primaryKey()
      .default(sql`uuidv7()`),
    organizationId: uuid("organization_id").references(() => organizations.id, { onDelete: "set null" }),
    /** Stripe's; null until the first checkout has made it. */
    customerId: text("customer_id"),
    /** The last that was given out: whoever asks Stripe takes one before. */
    ticket: bigint("ticket", { mode: "number" }).notNull().default(0),
    /** That of the state that was written last: what was asked for with an earlier one comes too late. */
    appliedTicket: bigint("applied_ticket", { mode: "number" }).notNull().default(0),
    /** How many checkouts were begun: the last one alone may be paid. */
    checkouts: integer("checkouts").notNull().default(0),
    // Of the session that may be paid still, and where that can be done for the price that was asked for last.
    checkoutPriceId: uuid("checkout_price_id").references(() => planPrices.id),
    checkoutSessionId: text("checkout_session_id"),
    checkoutUrl: text("checkout_url"),
    checkoutExpiresAt: instant("checkout_expires_at"),
    /** When Stripe is to be asked for it next, whatever it has told. */
    dueAt: instant("due_at"),
    /** How often the Cron Trigger has looked at it since that last came to something. */
    looks: integer("looks").notNull().default(0),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (table) => [
    uniqueIndex("stripe_customers_organization_id_key").on(table.organizationId),
    uniqueIndex("stripe_customers_customer_id_key").on(table.customerId),
    index("stripe_customers_due_at_idx")
      .on(table.dueAt)
      .where(sql`due_at is not null`),
    index("stripe_customers_checkout_price_id_idx")
      .on(table.checkoutPriceId)
      .where(sql`checkout_price_id is not null`),
    check("stripe_customers_customer_id_length", sql`length(customer_id) between 1 and 255`),
    check("stripe_customers_tickets_given", sql`applied_ticket between 0 and ticket`),
    check("stripe_customers_checkout_whole", sql`num_nulls(checkout_url, checkout_expires_at) in (0, 2)`),
  ],
).enableRLS();

/** What Stripe has told, by its event's id: each is heeded once, by whoever holds its lease. */
export const stripeEvents = pgTable(
  "stripe_events",
  {
    id: text("id").primaryKey(),
    type: text("type").notNull(),
    status: text("status", { enum: ["processing", "done", "failed", "ignored"] }).notNull(),
    attempts: integer("attempts").notNull().default(1),
    leasedUntil: instant("leased_until"),
    createdAt: createdAt(),
  },
  (table) => [
    index("stripe_events_created_at_idx").on(table.createdAt),
    check("stripe_events_id_length", sql`length(id) between 1 and 255`),
    check("stripe_events_type_length", sql`length(type) between 1 and 255`),
    check("stripe_events_status_known", sql`status in ('processing', 'done', 'failed', 'ignored')`),
    check("stripe_events_lease_of_what_is_processed", sql`(status = 'processing') = (leased_until is not null)`),
  ],
).enableRLS();
