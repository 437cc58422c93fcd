import { sql } from "drizzle-orm";
import { check, foreignKey, index, integer, json, pgTable, primaryKey, text, unique, uuid } from "drizzle-orm/pg-core";
import {
  bytea,
  createdAt,
  instant,
  membershipRoles,
  memberships,
  ownOrganizationId,
  ownUserId,
  users,
} from "./schema.ts";

// Reached by functions of the fence alone: apart from the tables that services query, so that the Worker does not load them.

/** Who administers the platform: beside all tenants, and put here by whoever has the database. */
export const platformAdmins = pgTable("platform_admins", {
  userId: ownUserId().primaryKey(),
  createdAt: createdAt(),
}).enableRLS();

/** Each slug is one organization's: the one it has, and for 90 days the last ten that it had. */
export const organizationSlugs = pgTable(
  "organization_slugs",
  {
    slug: text("slug").primaryKey(),
    organizationId: ownOrganizationId(),
    /** Null of the one it has. */
    replacedAt: instant("replaced_at"),
  },
  (table) => [
    index("organization_slugs_organization_id_replaced_at_idx").on(table.organizationId, table.replacedAt),
    index("organization_slugs_replaced_at_idx")
      .on(table.replacedAt)
      .where(sql`replaced_at is not null`),
  ],
).enableRLS();

/**
 * What a search finds a member by, folded: their address, its domain, and their name from each of its words on. In bytes,
 * which every database orders alike, so that a prefix is a range of the key. Triggers keep it.
 */
export const memberTerms = pgTable(
  "member_terms",
  {
    organizationId: uuid("organization_id").notNull(),
    userId: uuid("user_id").notNull(),
    term: bytea("term").notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.organizationId, table.term, table.userId] }),
    foreignKey({
      name: "member_terms_membership_fkey",
      columns: [table.organizationId, table.userId],
      foreignColumns: [memberships.organizationId, memberships.userId],
    }).onDelete("cascade"),
    index("member_terms_organization_id_user_id_idx").on(table.organizationId, table.userId, table.term),
    check("member_terms_term_length", sql`length(term) between 1 and 400`),
  ],
).enableRLS();

/**
 * An owner's offer to leave the organization to another member: one of each organization at most, gone once it is
 * answered. It goes with the recipient's membership, and with the owner's role of whoever made it.
 */
export const ownershipTransfers = pgTable(
  "ownership_transfers",
  {
    organizationId: uuid("organization_id").notNull(),
    id: uuid("id").notNull(),
    fromUserId: uuid("from_user_id").notNull(),
    /** For the foreign key alone. */
    fromRole: text("from_role")
      .notNull()
      .generatedAlwaysAs(sql`'owner'`),
    toUserId: uuid("to_user_id").notNull(),
    createdAt: createdAt(),
    expiresAt: instant("expires_at")
      .notNull()
      .default(sql`now() + interval '7 days'`),
  },
  (table) => [
    primaryKey({ columns: [table.organizationId, table.id] }),
    unique("ownership_transfers_organization_id_key").on(table.organizationId),
    foreignKey({
      name: "ownership_transfers_from_owner_fkey",
      columns: [table.organizationId, table.fromUserId, table.fromRole],
      foreignColumns: [membershipRoles.organizationId, membershipRoles.userId, membershipRoles.role],
    }).onDelete("cascade"),
    foreignKey({
      name: "ownership_transfers_to_member_fkey",
      columns: [table.organizationId, table.toUserId],
      foreignColumns: [memberships.organizationId, memberships.userId],
    }).onDelete("cascade"),
    // For whoever asks for all that is kept of them.
    index("ownership_transfers_from_user_id_id_idx").on(table.fromUserId, table.id),
    index("ownership_transfers_to_user_id_id_idx").on(table.toUserId, table.id),
    // For the clean-up.
    index("ownership_transfers_expires_at_idx").on(table.expiresAt),
    check("ownership_transfers_to_another", sql`from_user_id <> to_user_id`),
  ],
).enableRLS();

/**
 * Who was a member of an organization and is none any more: neither the account nor whoever has its address comes back by
 * a domain. `personHash` is a keyed hash of either, so that nobody is named, and an account that is deleted leaves no trace.
 */
export const domainBars = pgTable(
  "domain_bars",
  {
    organizationId: ownOrganizationId(),
    personHash: bytea("person_hash").notNull(),
    createdAt: createdAt(),
  },
  (table) => [
    primaryKey({ columns: [table.organizationId, table.personHash] }),
    check("domain_bars_person_hash_length", sql`length(person_hash) = 32`),
  ],
).enableRLS();

/**
 * What mails to a person are good for, once. `keyHash` is SHA-256 of what the Worker sends, itself SHA-256
 * of the token in the mail's link; `id` is that of the mail. `email` is the address that it confirms; `codeHash`
 * is that of the code to type in, where the mail has one.
 */
export const oneTimeTokens = pgTable(
  "one_time_tokens",
  {
    id: uuid("id").primaryKey(),
    userId: ownUserId(),
    purpose: text("purpose").notNull(),
    email: text("email"),
    keyHash: bytea("key_hash").notNull(),
    codeHash: bytea("code_hash"),
    createdAt: createdAt(),
    expiresAt: instant("expires_at").notNull(),
  },
  (table) => [
    unique("one_time_tokens_key_hash_key").on(table.keyHash),
    index("one_time_tokens_user_id_created_at_idx").on(table.userId, table.createdAt),
    index("one_time_tokens_expires_at_idx").on(table.expiresAt),
    check("one_time_tokens_key_hash_length", sql`length(key_hash) = 32`),
    check(
      "one_time_tokens_purpose_known",
      sql`purpose in ('reset_password', 'verify_email', 'change_email_old', 'change_email_new', 'sign_in')`,
    ),
    check("one_time_tokens_email_given", sql`(purpose in ('reset_password', 'sign_in')) = (email is null)`),
    check("one_time_tokens_code_given", sql`(purpose = 'sign_in') = (code_hash is not null)`),
    check("one_time_tokens_code_hash_length", sql`length(code_hash) = 32`),
  ],
).enableRLS();

/**
 * Mails on their way: written with their cause, deleted when the provider has taken them. No secret is in
 * it: the Worker makes a link's token anew from `id`. Without `recipient` there is nothing to send.
 */
export const outbox = pgTable(
  "outbox",
  {
    id: uuid("id").primaryKey(),
    keyHash: bytea("key_hash").notNull(),
    userId: uuid("user_id").references(() => users.id, { onDelete: "cascade" }),
    recipient: text("recipient"),
    template: text("template").notNull(),
    data: json("data").notNull(),
    attempts: integer("attempts").notNull().default(0),
    nextAttemptAt: instant("next_attempt_at")
      .notNull()
      .default(sql`now()`),
    lastError: text("last_error"),
    createdAt: createdAt(),
    deadAt: instant("dead_at"),
  },
  (table) => [
    index("outbox_next_attempt_at_idx")
      .on(table.nextAttemptAt)
      .where(sql`dead_at is null`),
    index("outbox_user_id_idx").on(table.userId),
    index("outbox_dead_at_idx").on(table.deadAt),
    check("outbox_key_hash_length", sql`length(key_hash) = 32`),
    check("outbox_last_error_length", sql`length(last_error) <= 200`),
  ],
).enableRLS();

/**
 * Failed attempts to give a password, since the last success; none for a network that somebody is at home in.
 * `scope` is a keyed hash of whom or what they are counted for, so that nobody's address is kept.
 */
export const throttles = pgTable(
  "throttles",
  {
    scope: bytea("scope").primaryKey(),
    attempts: integer("attempts").notNull(),
    attemptedAt: instant("attempted_at")
      .notNull()
      .default(sql`now()`),
  },
  (table) => [
    // Homes are kept for longer, so the clean-up must not walk past them to reach the others.
    index("throttles_attempts_idx")
      .on(table.attemptedAt)
      .where(sql`attempts > 0`),
    index("throttles_homes_idx")
      .on(table.attemptedAt)
      .where(sql`attempts = 0`),
    check("throttles_scope_length", sql`length(scope) = 32`),
  ],
).enableRLS();

/**
 * First answers of creating requests, for 24 hours. `scope` names who may be answered with them:
 * a person, or a hash of the address of someone not signed in.
 */
export const idempotencyKeys = pgTable(
  "idempotency_keys",
  {
    scope: text("scope").notNull(),
    key: text("key").notNull(),
    requestHash: bytea("request_hash").notNull(),
    response: json("response"),
    createdAt: createdAt(),
  },
  (table) => [
    primaryKey({ columns: [table.scope, table.key] }),
    index("idempotency_keys_created_at_idx").on(table.createdAt),
    check("idempotency_keys_key_length", sql`length(key) between 1 and 255`),
  ],
).enableRLS();

/**
 * Challenges that were answered, until they would have expired: WebAuthn's, and OAuth's `state`. They are signed and
 * not written down before, so that whoever asks for one costs no row.
 */
export const spentChallenges = pgTable(
  "spent_challenges",
  {
    keyHash: bytea("key_hash").primaryKey(),
    createdAt: createdAt(),
  },
  (table) => [
    index("spent_challenges_created_at_idx").on(table.createdAt),
    check("spent_challenges_key_hash_length", sql`length(key_hash) = 32`),
  ],
).enableRLS();
