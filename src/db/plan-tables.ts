import { sql } from "drizzle-orm";
import {
  bigint,
  boolean,
  check,
  foreignKey,
  index,
  integer,
  numeric,
  pgTable,
  primaryKey,
  text,
  unique,
  uniqueIndex,
  uuid,
} from "drizzle-orm/pg-core";
import { createdAt, instant } from "./schema.ts";

// Read by functions of the fence alone: apart from the tables that services query, so that the Worker does not load them.

/**
 * What plans are made of: a `boolean` one is had or not, a `number` is a ceiling, a `metered` one is what a meter counts. As
 * src/plans.ts has them.
 */
export const features = pgTable(
  "features",
  {
    key: text("key").primaryKey(),
    kind: text("kind").notNull(),
    name: text("name").notNull(),
    /** Of the list. */
    position: integer("position").notNull(),
    /** Since when the file does not have it; plans of before do. */
    archivedAt: instant("archived_at"),
    /** Of what is metered: what one of it is, how many become one number, by what they are told apart, and when they are counted anew. */
    unit: text("unit"),
    aggregation: text("aggregation"),
    dimensions: text("dimensions").array(),
    reset: text("reset"),
  },
  (table) => [
    unique("features_key_kind_key").on(table.key, table.kind),
    check("features_key_shape", sql`key ~ '^[a-z0-9]+(-[a-z0-9]+)*$' and length(key) <= 50`),
    check("features_kind_known", sql`kind in ('boolean', 'number', 'metered')`),
    check("features_name_length", sql`length(name) between 1 and 100`),
    // None of a feature of before there were meters, until npm run db:plans, which each other command of the database runs.
    check(
      "features_meter_whole",
      sql`num_nonnulls(unit, aggregation, dimensions, reset) in (0, case kind when 'metered' then 4 else 0 end)`,
    ),
    check("features_unit_length", sql`length(unit) between 1 and 50`),
    check("features_aggregation_known", sql`aggregation in ('sum', 'count', 'max', 'last', 'unique')`),
    check("features_reset_known", sql`reset in ('period', 'month', 'never')`),
    check("features_dimensions_few", sql`cardinality(dimensions) <= 10`),
  ],
).enableRLS();

/**
 * A version of what is sold under `key`. What its subscribers were promised (trial, prices, features) never changes: other
 * terms are another version, and the one before is archived, which is to say no longer sold.
 */
export const plans = pgTable(
  "plans",
  {
    id: uuid("id")
      .primaryKey()
      .default(sql`uuidv7()`),
    key: text("key").notNull(),
    version: integer("version").notNull(),
    name: text("name").notNull(),
    description: text("description").notNull(),
    trialDays: integer("trial_days").notNull(),
    /** What an organization has without a subscription. */
    isDefault: boolean("is_default").notNull(),
    /** Whether anybody sees it; others are for whom they were made. */
    isPublic: boolean("is_public").notNull(),
    /** Of the list. */
    position: integer("position").notNull(),
    /** Who says what it is: src/plans.ts, or the platform's administrators. */
    managedBy: text("managed_by").notNull(),
    createdAt: createdAt(),
    archivedAt: instant("archived_at"),
  },
  (table) => [
    unique("plans_key_version_key").on(table.key, table.version),
    uniqueIndex("plans_sold_key")
      .on(table.key)
      .where(sql`archived_at is null`),
    // Of which there are a few, whatever was made for single customers.
    index("plans_public_idx")
      .on(table.id)
      .where(sql`archived_at is null and is_public`),
    uniqueIndex("plans_default_key")
      .on(table.isDefault)
      .where(sql`is_default and archived_at is null`),
    check("plans_key_shape", sql`key ~ '^[a-z0-9]+(-[a-z0-9]+)*$' and length(key) <= 50`),
    check("plans_version_positive", sql`version > 0`),
    check("plans_name_length", sql`length(name) between 1 and 100`),
    check("plans_description_length", sql`length(description) <= 500`),
    check("plans_trial_days_bounded", sql`trial_days between 0 and 730`),
    check("plans_managed_by_known", sql`managed_by in ('file', 'platform')`),
  ],
).enableRLS();

/** What a plan costs: once a period, or for each seat. `unitAmount` is in the currency's smallest unit. */
export const planPrices = pgTable(
  "plan_prices",
  {
    id: uuid("id")
      .primaryKey()
      .default(sql`uuidv7()`),
    planId: uuid("plan_id")
      .notNull()
      .references(() => plans.id),
    currency: text("currency").notNull(),
    interval: text("interval").notNull(),
    unitAmount: bigint("unit_amount", { mode: "number" }).notNull(),
    perSeat: boolean("per_seat").notNull(),
  },
  (table) => [
    // No constraint, whose columns db:push would take for others unless they were in the order of the alphabet.
    uniqueIndex("plan_prices_plan_id_currency_interval_key").on(table.planId, table.currency, table.interval),
    check("plan_prices_currency_shape", sql`currency ~ '^[a-z]{3}$'`),
    check("plan_prices_interval_known", sql`interval in ('month', 'year')`),
    check("plan_prices_unit_amount_bounded", sql`unit_amount between 1 and 99999999`),
  ],
).enableRLS();

/**
 * What a plan has: of a number how many at most, of a metered one how much in each period, or null for any amount. A whole
 * number where it is a `number`.
 */
export const planFeatures = pgTable(
  "plan_features",
  {
    planId: uuid("plan_id")
      .notNull()
      .references(() => plans.id),
    featureKey: text("feature_key").notNull(),
    kind: text("kind").notNull(),
    limit: numeric("limit"),
    per: text("per"),
  },
  (table) => [
    primaryKey({ columns: [table.featureKey, table.planId] }),
    // A feature stays of its kind while any plan has it.
    foreignKey({
      name: "plan_features_feature_fkey",
      columns: [table.featureKey, table.kind],
      foreignColumns: [features.key, features.kind],
    }),
    index("plan_features_plan_id_idx").on(table.planId),
    check(
      "plan_features_kind_kept",
      sql`case kind when 'boolean' then "limit" is null and per is null
        when 'number' then per is null and "limit" = trunc("limit") is not false and "limit" <= 9007199254740991 is not false
        else per is not null end`,
    ),
    check("plan_features_limit_bounded", sql`"limit" >= 0 and "limit" < 1e30 and scale("limit") <= 9`),
    check("plan_features_per_known", sql`per in ('day', 'month', 'year', 'lifetime')`),
  ],
).enableRLS();
