import { sql } from "drizzle-orm";
import {
  bigint,
  boolean,
  check,
  foreignKey,
  index,
  jsonb,
  numeric,
  pgTable,
  primaryKey,
  text,
  uniqueIndex,
  uuid,
} from "drizzle-orm/pg-core";
import { features } from "./plan-tables.ts";
import { bytea, createdAt, instant, ownOrganizationId } from "./schema.ts";

// Read by functions of the fence alone: apart from the tables that services query, so that the Worker does not load them.

/**
 * What was used, as it was told: rows are only added, and what is told is never changed; `correctedValue` and `isVoid` say by what it
 * counts instead. What tells of it names each by an id of its own, and the same again is the
 * same event (CloudEvents 1.0, `source` and `id`).
 */
export const usageEvents = pgTable(
  "usage_events",
  {
    organizationId: ownOrganizationId(),
    source: text("source").notNull(),
    /** What the source calls it. */
    sourceId: text("source_id").notNull(),
    /** A feature's key. No foreign key: each event would lock the one row of its meter, and that row stays. */
    meter: text("meter").notNull(),
    occurredAt: instant("occurred_at").notNull(),
    /** How much, where the meter sums values, or takes the greatest or the last. */
    value: numeric("value"),
    /** By which it counts since it was corrected. */
    correctedValue: numeric("corrected_value"),
    /** Whether it counts no longer. */
    isVoid: boolean("is_void").notNull().default(false),
    /** What, where the meter counts different ones. */
    uniqueValue: text("unique_value"),
    /** By which usage is told apart, as `{ name: text }`. */
    dimensions: jsonb("dimensions").$type<Record<string, string>>().notNull(),
    /** Whatever the source says that it is about. */
    subject: text("subject"),
    /** SHA-256 of all that was told, by which another event with the same id is known. */
    digest: bytea("digest").notNull(),
    createdAt: createdAt(),
  },
  (table) => [
    primaryKey({ columns: [table.organizationId, table.source, table.sourceId] }),
    index("usage_events_organization_id_meter_occurred_at_idx").on(table.organizationId, table.meter, table.occurredAt),
    index("usage_events_organization_id_meter_unique_value_idx")
      .on(table.organizationId, table.meter, table.uniqueValue, table.occurredAt)
      .where(sql`unique_value is not null`),
    check("usage_events_source_length", sql`length(source) between 1 and 200`),
    check("usage_events_source_id_length", sql`length(source_id) between 1 and 200`),
    check("usage_events_unique_value_length", sql`length(unique_value) between 1 and 200`),
    check("usage_events_subject_length", sql`length(subject) between 1 and 200`),
    check("usage_events_value_bounded", sql`value >= 0 and value < 1e21 and scale(value) <= 9`),
    check(
      "usage_events_corrected_value_bounded",
      sql`corrected_value >= 0 and corrected_value < 1e21 and scale(corrected_value) <= 9`,
    ),
    check("usage_events_one_value", sql`num_nonnulls(value, unique_value) <= 1`),
    check("usage_events_corrected_kind", sql`corrected_value is null or value is not null and not is_void`),
    check("usage_events_dimensions_object", sql`jsonb_typeof(dimensions) = 'object'`),
  ],
).enableRLS();

/** Of what is kept of a meter beside its events. */
const ofMeter = () => ({
  id: uuid("id")
    .primaryKey()
    .default(sql`uuidv7()`),
  organizationId: ownOrganizationId(),
  meter: text("meter")
    .notNull()
    .references(() => features.key),
});

/**
 * What the events of a meter come to that occurred from `startedAt` until before `endsAt`: changed in the transaction of each such
 * event, whichever period it is that the plan counts by now. From minus infinity to infinity where nothing is counted anew.
 */
export const usageCounters = pgTable(
  "usage_counters",
  {
    ...ofMeter(),
    startedAt: instant("started_at").notNull(),
    endsAt: instant("ends_at").notNull(),
    used: numeric("used").notNull(),
  },
  (table) => [
    // No constraint, whose columns db:push would take for others unless they were in the order of the alphabet.
    uniqueIndex("usage_counters_organization_id_meter_period_key").on(
      table.organizationId,
      table.meter,
      table.startedAt,
      table.endsAt,
    ),
    check("usage_counters_period_whole", sql`started_at < ends_at`),
    check("usage_counters_used_positive", sql`used >= 0`),
  ],
).enableRLS();

/**
 * What the events of a meter come to that occurred in a quarter of an hour, or in a day in UTC, told apart by their dimensions and by what
 * is counted once: changed in the transaction of each such event, so that no reading needs the events.
 */
export const usageRollups = pgTable(
  "usage_rollups",
  {
    ...ofMeter(),
    size: text("size").notNull(),
    startedAt: instant("started_at").notNull(),
    /** SHA-256 of what tells it apart. */
    key: bytea("key").notNull(),
    dimensions: jsonb("dimensions").$type<Record<string, string>>().notNull(),
    uniqueValue: text("unique_value"),
    events: bigint("events", { mode: "number" }).notNull(),
    sum: numeric("sum"),
    max: numeric("max"),
    last: numeric("last"),
    // When that was, and what its event is called: of two at the same time the one whose name comes last.
    lastAt: instant("last_at"),
    lastName: text("last_name"),
  },
  (table) => [
    // No constraint, whose columns db:push would take for others unless they were in the order of the alphabet.
    uniqueIndex("usage_rollups_organization_id_meter_size_started_at_key").on(
      table.organizationId,
      table.meter,
      table.size,
      table.startedAt,
      table.key,
    ),
    check("usage_rollups_size_known", sql`size in ('quarter', 'day')`),
    check("usage_rollups_events_positive", sql`events >= 0`),
    check("usage_rollups_last_whole", sql`num_nonnulls(last, last_at, last_name) in (0, 3)`),
  ],
).enableRLS();

/** By what an event counts since somebody corrected it: another value, or nothing. Rows are only added. */
export const usageCorrections = pgTable(
  "usage_corrections",
  {
    organizationId: ownOrganizationId(),
    id: uuid("id")
      .notNull()
      .default(sql`uuidv7()`),
    source: text("source").notNull(),
    sourceId: text("source_id").notNull(),
    /** A decimal number, as it is told; null of what counts no longer. */
    value: text("value"),
    reason: text("reason").notNull(),
    createdAt: createdAt(),
  },
  (table) => [
    primaryKey({ columns: [table.id, table.organizationId] }),
    index("usage_corrections_organization_id_source_source_id_idx").on(
      table.organizationId,
      table.source,
      table.sourceId,
    ),
    foreignKey({
      name: "usage_corrections_event_fkey",
      columns: [table.organizationId, table.source, table.sourceId],
      foreignColumns: [usageEvents.organizationId, usageEvents.source, usageEvents.sourceId],
    }).onDelete("cascade"),
    check("usage_corrections_reason_length", sql`length(reason) between 1 and 500`),
    check("usage_corrections_value_shape", sql`value ~ '^[0-9]{1,21}([.][0-9]{1,9})?$'`),
  ],
).enableRLS();

/** Room that is kept for what is about to be used, until it is recorded, given back, or `expiresAt`. */
export const usageReservations = pgTable(
  "usage_reservations",
  {
    organizationId: ownOrganizationId(),
    id: uuid("id").notNull(),
    meter: text("meter")
      .notNull()
      .references(() => features.key),
    value: numeric("value").notNull(),
    createdAt: createdAt(),
    expiresAt: instant("expires_at").notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.id, table.organizationId] }),
    index("usage_reservations_organization_id_meter_expires_at_idx").on(
      table.organizationId,
      table.meter,
      table.expiresAt,
    ),
    index("usage_reservations_expires_at_idx").on(table.expiresAt),
    check("usage_reservations_value_bounded", sql`value > 0 and value < 1e21 and scale(value) <= 9`),
  ],
).enableRLS();
