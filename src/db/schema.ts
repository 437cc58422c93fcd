import { sql } from "drizzle-orm";
import {
  bigint,
  boolean,
  check,
  customType,
  type ExtraConfigColumn,
  foreignKey,
  index,
  integer,
  json,
  jsonb,
  pgTable,
  primaryKey,
  smallint,
  text,
  unique,
  uniqueIndex,
  uuid,
} from "drizzle-orm/pg-core";

/** `timestamptz(3)`, read as ISO 8601 UTC with milliseconds: the form every answer uses. */
export const instant = customType<{ data: string; driverData: string }>({
  dataType: () => "timestamp(3) with time zone",
  fromDriver: (value) => new Date(value).toISOString(),
});

export const bytea = customType<{ data: Uint8Array; driverData: string }>({
  dataType: () => "bytea",
});

export const createdAt = () =>
  instant("created_at")
    .notNull()
    .default(sql`now()`);
export const updatedAt = () =>
  instant("updated_at")
    .notNull()
    .default(sql`now()`);

/** Of rows that go with their organization. */
export const ownOrganizationId = () =>
  uuid("organization_id")
    .notNull()
    .references(() => organizations.id, { onDelete: "cascade" });
/** Of rows that go with their person. */
export const ownUserId = () =>
  uuid("user_id")
    .notNull()
    .references(() => users.id, { onDelete: "cascade" });

/** Of what an administrator of the platform can suspend, with a reason that administrators alone see. */
const suspension = () => ({ suspendedAt: instant("suspended_at"), suspensionReason: text("suspension_reason") });
/** What holds of it, and the indexes of the platform's list, whose entries are found by what `column` begins with. */
const suspensionRules = (table: string, name: string, column: ExtraConfigColumn) => [
  index(`${table}_${name}_idx`).on(column.op("text_pattern_ops")),
  index(`${table}_suspended_idx`)
    .on(column.op("text_pattern_ops"))
    .where(sql`suspended_at is not null`),
  check(`${table}_suspension_reason_known`, sql`suspended_at is not null or suspension_reason is null`),
  check(`${table}_suspension_reason_length`, sql`length(suspension_reason) between 1 and 500`),
];

/**
 * People. `passwordSalt` holds bcrypt's own salt string (version, cost, 22 characters of salt) and
 * `passwordVerifier` the SHA-256 of the whole bcrypt hash, so what is stored cannot be replayed. Who signs in in
 * other ways alone has neither.
 */
export const users = pgTable(
  "users",
  {
    id: uuid("id").primaryKey(),
    email: text("email").notNull(),
    emailVerifiedAt: instant("email_verified_at"),
    name: text("name").notNull(),
    passwordScheme: smallint("password_scheme"),
    passwordSalt: text("password_salt"),
    passwordVerifier: bytea("password_verifier"),
    ...suspension(),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (table) => [
    unique("users_email_key").on(table.email),
    ...suspensionRules("users", "email", table.email),
    check("users_email_canonical", sql`email = lower(email) and length(email) between 3 and 254`),
    check("users_name_length", sql`length(name) between 1 and 100`),
    check("users_password_salt_shape", sql`password_salt ~ '^\\$2[aby]\\$[0-9]{2}\\$[./A-Za-z0-9]{22}$'`),
    check("users_password_whole", sql`num_nulls(password_scheme, password_salt, password_verifier) in (0, 3)`),
    check("users_password_verifier_length", sql`length(password_verifier) = 32`),
  ],
).enableRLS();

/**
 * One row a sign-in; a refresh rotates `refreshGeneration` within it, so the row is also the
 * refresh tokens' family. `handleHash` is SHA-256 of what the Worker sends, itself SHA-256 of `sid`.
 * `authenticatedAt` is when the person last proved who they are; a session ends at `expiresAt`, or when it was not
 * refreshed until `idleExpiresAt`. `secondFactor` is 'pending' until it is given, 'given' then, and null for
 * whoever has none. `impersonatorId` is a platform administrator who acts as the person; without a foreign key, so that
 * it outlives their account.
 */
export const sessions = pgTable(
  "sessions",
  {
    id: uuid("id").primaryKey(),
    userId: ownUserId(),
    handleHash: bytea("handle_hash").notNull(),
    refreshGeneration: integer("refresh_generation").notNull().default(1),
    refreshedAt: instant("refreshed_at")
      .notNull()
      .default(sql`now()`),
    ipAddress: text("ip_address"),
    userAgent: text("user_agent"),
    createdAt: createdAt(),
    authenticatedAt: instant("authenticated_at")
      .notNull()
      .default(sql`now()`),
    secondFactor: text("second_factor"),
    idleExpiresAt: instant("idle_expires_at").notNull(),
    expiresAt: instant("expires_at").notNull(),
    revokedAt: instant("revoked_at"),
    impersonatorId: uuid("impersonator_id"),
    impersonationReason: text("impersonation_reason"),
  },
  (table) => [
    unique("sessions_handle_hash_key").on(table.handleHash),
    index("sessions_impersonations_idx")
      .on(table.id)
      .where(sql`impersonator_id is not null`),
    check("sessions_impersonation_whole", sql`(impersonator_id is null) = (impersonation_reason is null)`),
    check("sessions_impersonation_reason_length", sql`length(impersonation_reason) between 1 and 500`),
    // A person's sessions are kept for 30 days after their end; only those that live are listed.
    index("sessions_user_id_id_idx")
      .on(table.userId, table.id)
      .where(sql`revoked_at is null`),
    index("sessions_user_id_idx").on(table.userId),
    // For the clean-up: whichever end came first, where least() passes over null.
    index("sessions_ended_at_idx").on(sql`least(revoked_at, idle_expires_at, expires_at)`),
    check("sessions_second_factor_known", sql`second_factor in ('pending', 'given')`),
    check("sessions_handle_hash_length", sql`length(handle_hash) = 32`),
    check("sessions_user_agent_length", sql`length(user_agent) <= 512`),
  ],
).enableRLS();

export const organizations = pgTable(
  "organizations",
  {
    id: uuid("id").primaryKey(),
    name: text("name").notNull(),
    slug: text("slug").notNull(),
    mfaRequired: boolean("mfa_required").notNull().default(false),
    /** Null where there is none. */
    memberLimit: integer("member_limit"),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
    /** For 30 days it can be restored, and is nowhere to be seen. */
    deletedAt: instant("deleted_at"),
    ...suspension(),
  },
  (table) => [
    unique("organizations_slug_key").on(table.slug),
    ...suspensionRules("organizations", "slug", table.slug),
    check("organizations_member_limit_positive", sql`member_limit > 0`),
    check("organizations_name_length", sql`length(name) between 1 and 100`),
    index("organizations_deleted_at_idx")
      .on(table.deletedAt)
      .where(sql`deleted_at is not null`),
    check("organizations_slug_shape", sql`slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$' and length(slug) between 2 and 63`),
  ],
).enableRLS();

/** Who belongs to an organization, since when, by what way, and whose invitation or share link. */
export const memberships = pgTable(
  "memberships",
  {
    organizationId: ownOrganizationId(),
    userId: uuid("user_id")
      .notNull()
      .references(() => users.id, { onDelete: "restrict" }),
    joinedBy: text("joined_by").notNull(),
    invitedBy: uuid("invited_by").references(() => users.id, { onDelete: "set null" }),
    createdAt: createdAt(),
  },
  (table) => [
    primaryKey({ columns: [table.organizationId, table.userId] }),
    // Serves "list mine", which leads with the person, not the organisation.
    index("memberships_user_id_organization_id_idx").on(table.userId, table.organizationId),
    index("memberships_invited_by_idx").on(table.invitedBy),
    check("memberships_joined_by_known", sql`joined_by in ('creation', 'sso', 'invitation', 'share_link', 'domain')`),
    check("memberships_invited_by_given", sql`joined_by in ('invitation', 'share_link') or invited_by is null`),
  ],
).enableRLS();

/** Roles that an organization has made for itself, beside the built-in ones. `key` is what members' roles name. */
export const roles = pgTable(
  "roles",
  {
    organizationId: ownOrganizationId(),
    id: uuid("id").notNull(),
    key: text("key").notNull(),
    name: text("name").notNull(),
    permissions: text("permissions").array().notNull(),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (table) => [
    // In the order of the alphabet: drizzle-kit push reads it so, and would make it anew, which members' roles forbid.
    primaryKey({ name: "roles_organization_id_key_pk", columns: [table.key, table.organizationId] }),
    uniqueIndex("roles_organization_id_id_key").on(table.organizationId, table.id),
    check("roles_key_shape", sql`key ~ '^[a-z0-9]+(-[a-z0-9]+)*$' and length(key) between 2 and 50`),
    check("roles_key_not_built_in", sql`key not in ('owner', 'admin', 'member', 'viewer')`),
    check("roles_name_length", sql`length(name) between 1 and 100`),
    check(
      "roles_permissions_bounded",
      sql`'organization:read' = any (permissions) and not 'organization:own' = any (permissions)`,
    ),
  ],
).enableRLS();

/** A member's roles, whose permissions are joined. `customRole` is `role` where that is no built-in one. */
export const membershipRoles = pgTable(
  "membership_roles",
  {
    organizationId: uuid("organization_id").notNull(),
    userId: uuid("user_id").notNull(),
    role: text("role").notNull(),
    customRole: text("custom_role").generatedAlwaysAs(
      sql`case when role in ('owner', 'admin', 'member', 'viewer') then null else role end`,
    ),
  },
  (table) => [
    // Finds an organization's owners, and who has a role. drizzle-kit reads a key's columns by their names, and a key
    // that another table refers to cannot be made anew: so they stand in that order.
    primaryKey({ columns: [table.organizationId, table.role, table.userId] }),
    foreignKey({
      name: "membership_roles_custom_role_fkey",
      columns: [table.organizationId, table.customRole],
      foreignColumns: [roles.organizationId, roles.key],
    }),
    foreignKey({
      name: "membership_roles_membership_fkey",
      columns: [table.organizationId, table.userId],
      foreignColumns: [memberships.organizationId, memberships.userId],
    }).onDelete("cascade"),
    index("membership_roles_organization_id_user_id_idx").on(table.organizationId, table.userId, table.role),
  ],
).enableRLS();

/** Groups of an organization's members. */
export const teams = pgTable(
  "teams",
  {
    organizationId: ownOrganizationId(),
    id: uuid("id").notNull(),
    name: text("name").notNull(),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (table) => [
    // In the order of the alphabet, as the key of roles.
    primaryKey({ columns: [table.id, table.organizationId] }),
    index("teams_organization_id_id_idx").on(table.organizationId, table.id),
    // Not led by the organization, so that a page is read by its ids.
    uniqueIndex("teams_organization_id_name_key").on(sql`lower(name)`, table.organizationId),
    check("teams_name_length", sql`length(name) between 1 and 100`),
  ],
).enableRLS();

/** Who is in a team, and with which role of its own: a `lead` says who else is. It goes with the team, and with the membership. */
export const teamMemberships = pgTable(
  "team_memberships",
  {
    organizationId: uuid("organization_id").notNull(),
    teamId: uuid("team_id").notNull(),
    userId: uuid("user_id").notNull(),
    role: text("role").notNull(),
    createdAt: createdAt(),
  },
  (table) => [
    primaryKey({ columns: [table.organizationId, table.teamId, table.userId] }),
    foreignKey({
      name: "team_memberships_team_fkey",
      columns: [table.teamId, table.organizationId],
      foreignColumns: [teams.id, teams.organizationId],
    }).onDelete("cascade"),
    foreignKey({
      name: "team_memberships_membership_fkey",
      columns: [table.organizationId, table.userId],
      foreignColumns: [memberships.organizationId, memberships.userId],
    }).onDelete("cascade"),
    index("team_memberships_organization_id_user_id_idx").on(table.organizationId, table.userId, table.teamId),
    // For whoever asks for all that is kept of them.
    index("team_memberships_user_id_idx").on(table.userId, table.teamId),
    check("team_memberships_role_known", sql`role in ('lead', 'member')`),
  ],
).enableRLS();

/**
 * Whom an organization has asked to become a member, with which roles. `keyHash` is SHA-256 of what the Worker sends,
 * itself SHA-256 of the token in the mail's link. Those that have ended are kept for 30 days.
 */
export const invitations = pgTable(
  "invitations",
  {
    organizationId: ownOrganizationId(),
    id: uuid("id").notNull(),
    email: text("email").notNull(),
    roles: text("roles").array().notNull(),
    /** Those that the person comes into, of those that are there by then. */
    teamIds: uuid("team_ids")
      .array()
      .notNull()
      .default(sql`'{}'`),
    status: text("status").notNull().default("pending"),
    keyHash: bytea("key_hash").notNull(),
    /** Who sent it last, and answers for its roles; null when their account is gone. */
    invitedBy: uuid("invited_by").references(() => users.id, { onDelete: "set null" }),
    createdAt: createdAt(),
    sentAt: instant("sent_at")
      .notNull()
      .default(sql`now()`),
    expiresAt: instant("expires_at").notNull(),
    endedAt: instant("ended_at"),
  },
  (table) => [
    primaryKey({ columns: [table.organizationId, table.id] }),
    unique("invitations_key_hash_key").on(table.keyHash),
    uniqueIndex("invitations_organization_id_email_pending_key")
      .on(table.organizationId, table.email)
      .where(sql`status = 'pending'`),
    // With all that a page is chosen by, so that it is chosen from the index alone.
    index("invitations_organization_id_status_id_idx").on(
      table.organizationId,
      table.status,
      table.id,
      table.expiresAt,
    ),
    // Serves "list mine", which leads with the address.
    index("invitations_email_pending_idx")
      .on(table.email, table.id)
      .where(sql`status = 'pending'`),
    index("invitations_invited_by_id_idx").on(table.invitedBy, table.id),
    // For the clean-up.
    index("invitations_ended_at_idx").on(sql`least(ended_at, expires_at)`),
    check("invitations_email_canonical", sql`email = lower(email) and length(email) between 3 and 254`),
    check("invitations_roles_given", sql`cardinality(roles) between 1 and 10`),
    check("invitations_team_ids_bounded", sql`cardinality(team_ids) <= 20`),
    check("invitations_status_known", sql`status in ('pending', 'accepted', 'declined', 'revoked', 'expired')`),
    check("invitations_ended", sql`(status = 'pending') = (ended_at is null)`),
    check("invitations_key_hash_length", sql`length(key_hash) = 32`),
  ],
).enableRLS();

/**
 * Links by which people join an organization, until they have expired, or `uses` has come to `maxUses`. `keyHash` is
 * SHA-256 of what the Worker sends, itself SHA-256 of the token in the link, which no table holds.
 */
export const shareLinks = pgTable(
  "share_links",
  {
    organizationId: ownOrganizationId(),
    id: uuid("id").notNull(),
    roles: text("roles").array().notNull(),
    keyHash: bytea("key_hash").notNull(),
    /** Of whose e-mail addresses it is; of all where there are none. */
    allowedDomains: text("allowed_domains").array().notNull(),
    maxUses: integer("max_uses").notNull(),
    uses: integer("uses").notNull().default(0),
    /** Who answers for its roles; null when their account is gone. */
    createdBy: uuid("created_by").references(() => users.id, { onDelete: "set null" }),
    createdAt: createdAt(),
    expiresAt: instant("expires_at").notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.organizationId, table.id] }),
    unique("share_links_key_hash_key").on(table.keyHash),
    index("share_links_created_by_id_idx").on(table.createdBy, table.id),
    // For the clean-up.
    index("share_links_expires_at_idx").on(table.expiresAt),
    check("share_links_roles_given", sql`cardinality(roles) between 1 and 10 and not 'owner' = any (roles)`),
    check("share_links_allowed_domains_bounded", sql`cardinality(allowed_domains) <= 20`),
    check("share_links_uses_bounded", sql`uses between 0 and max_uses and max_uses between 1 and 1000`),
    check("share_links_expires_in_time", sql`expires_at <= created_at + interval '30 days'`),
    check("share_links_key_hash_length", sql`length(key_hash) = 32`),
  ],
).enableRLS();

/**
 * Keys of a member, or of the organization's own where `userId` is null. `keyHash` is SHA-256 of what the Worker sends,
 * itself SHA-256 of the key; so is that of the one before, which a rotation leaves good until `previousExpiresAt`.
 * `scopes` are permissions. `rateLimit` is of requests a minute; `hint` is the end of the key, to tell it by.
 */
export const apiKeys = pgTable(
  "api_keys",
  {
    organizationId: ownOrganizationId(),
    id: uuid("id").notNull(),
    userId: uuid("user_id"),
    createdBy: uuid("created_by").references(() => users.id, { onDelete: "set null" }),
    name: text("name").notNull(),
    scopes: text("scopes").array().notNull(),
    rateLimit: integer("rate_limit"),
    /** Null of one that is good for good. */
    lifetimeDays: integer("lifetime_days"),
    hint: text("hint").notNull(),
    keyHash: bytea("key_hash").notNull(),
    previousKeyHash: bytea("previous_key_hash"),
    previousExpiresAt: instant("previous_expires_at"),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
    rotatedAt: instant("rotated_at"),
    expiresAt: instant("expires_at"),
    lastUsedAt: instant("last_used_at"),
  },
  (table) => [
    primaryKey({ columns: [table.organizationId, table.id] }),
    unique("api_keys_key_hash_key").on(table.keyHash),
    unique("api_keys_previous_key_hash_key").on(table.previousKeyHash),
    foreignKey({
      name: "api_keys_membership_fkey",
      columns: [table.organizationId, table.userId],
      foreignColumns: [memberships.organizationId, memberships.userId],
    }).onDelete("cascade"),
    // Not led by the organization, so that a page is read by the primary key, in its order.
    index("api_keys_user_id_organization_id_idx").on(table.userId, table.organizationId),
    index("api_keys_created_by_id_idx").on(table.createdBy, table.id),
    // For the clean-up.
    index("api_keys_expires_at_idx").on(table.expiresAt),
    check("api_keys_name_length", sql`length(name) between 1 and 100`),
    check("api_keys_scopes_bounded", sql`cardinality(scopes) >= 1 and not 'organization:own' = any (scopes)`),
    check("api_keys_rate_limit_bounded", sql`rate_limit between 1 and 100000`),
    check("api_keys_lifetime_days_bounded", sql`lifetime_days between 1 and 365`),
    check("api_keys_expires_at_given", sql`(lifetime_days is null) = (expires_at is null)`),
    check("api_keys_previous_whole", sql`num_nulls(previous_key_hash, previous_expires_at) in (0, 2)`),
    check("api_keys_hint_length", sql`length(hint) = 4`),
    check("api_keys_key_hash_length", sql`length(key_hash) = 32`),
    check("api_keys_previous_key_hash_length", sql`length(previous_key_hash) = 32`),
  ],
).enableRLS();

/**
 * E-mail domains that are an organization's own, once a TXT record says `txtRecord`. Whoever has a verified address of one
 * is told of the organization (`suggest`), or taken in as well when the address is verified (`auto_join`), with `roles`.
 */
export const organizationDomains = pgTable(
  "organization_domains",
  {
    organizationId: ownOrganizationId(),
    id: uuid("id").notNull(),
    domain: text("domain").notNull(),
    txtRecord: text("txt_record").notNull(),
    verifiedAt: instant("verified_at"),
    enrollment: text("enrollment").notNull().default("none"),
    roles: text("roles")
      .array()
      .notNull()
      .default(sql`'{member}'`),
    /** Who set the enrollment last, and answers for its roles; null before, and when their account is gone. */
    enrollmentSetBy: uuid("enrollment_set_by").references(() => users.id, { onDelete: "set null" }),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (table) => [
    primaryKey({ columns: [table.organizationId, table.id] }),
    // Not led by the organization, so that a page is read by the primary key, in its order.
    unique("organization_domains_organization_id_domain_key").on(table.domain, table.organizationId),
    uniqueIndex("organization_domains_verified_domain_key")
      .on(table.domain)
      .where(sql`verified_at is not null`),
    index("organization_domains_enrollment_set_by_idx").on(table.enrollmentSetBy),
    check("organization_domains_domain_canonical", sql`domain = lower(domain) and length(domain) between 3 and 253`),
    check("organization_domains_txt_record_length", sql`length(txt_record) between 20 and 100`),
    check("organization_domains_enrollment_known", sql`enrollment in ('none', 'suggest', 'auto_join')`),
    check("organization_domains_roles_given", sql`cardinality(roles) between 1 and 10 and not 'owner' = any (roles)`),
  ],
).enableRLS();

/**
 * Authenticator apps (RFC 6238): the one that is active, and one that is being set up. `sealedSeed` can be read by
 * the Worker alone, which shows that it has by what `keyHash` is the SHA-256 of; `lastStep` is the time step of the last
 * code that was taken, and none at or before it is.
 */
export const totpFactors = pgTable(
  "totp_factors",
  {
    id: uuid("id").primaryKey(),
    userId: ownUserId(),
    sealedSeed: bytea("sealed_seed").notNull(),
    keyHash: bytea("key_hash").notNull(),
    lastStep: bigint("last_step", { mode: "number" }),
    createdAt: createdAt(),
    activatedAt: instant("activated_at"),
  },
  (table) => [
    // One of each. Not two partial ones: the deletion of an account would use neither.
    uniqueIndex("totp_factors_user_id_active_key").on(table.userId, sql`(activated_at is not null)`),
    check("totp_factors_sealed_seed_length", sql`length(sealed_seed) <= 256`),
    check("totp_factors_key_hash_length", sql`length(key_hash) = 32`),
  ],
).enableRLS();

/** Those that are left. `keyHash` is SHA-256 of what the Worker sends, itself SHA-256 of the code. */
export const recoveryCodes = pgTable(
  "recovery_codes",
  {
    userId: ownUserId(),
    keyHash: bytea("key_hash").notNull(),
    createdAt: createdAt(),
  },
  (table) => [
    primaryKey({ columns: [table.userId, table.keyHash] }),
    check("recovery_codes_key_hash_length", sql`length(key_hash) = 32`),
  ],
).enableRLS();

/** Public keys of WebAuthn credentials; `publicKey` is a COSE_Key (RFC 9052 §7), `signCount` the last one seen. */
export const passkeys = pgTable(
  "passkeys",
  {
    id: uuid("id").primaryKey(),
    userId: ownUserId(),
    name: text("name").notNull(),
    credentialId: bytea("credential_id").notNull(),
    publicKey: bytea("public_key").notNull(),
    signCount: bigint("sign_count", { mode: "number" }).notNull(),
    transports: text("transports").notNull(),
    backedUp: boolean("backed_up").notNull(),
    createdAt: createdAt(),
    lastUsedAt: instant("last_used_at"),
  },
  (table) => [
    unique("passkeys_credential_id_key").on(table.credentialId),
    index("passkeys_user_id_id_idx").on(table.userId, table.id),
    check("passkeys_name_length", sql`length(name) between 1 and 100`),
    check("passkeys_credential_id_length", sql`length(credential_id) between 1 and 1023`),
    check("passkeys_public_key_length", sql`length(public_key) <= 2048`),
  ],
).enableRLS();

/**
 * Companies' own identity providers (OpenID Connect), each for the addresses of one domain. `txtRecord` is what a TXT
 * record of the domain has to say before anybody signs in by it; `sealedClientSecret` the Worker alone can read.
 */
export const ssoConnections = pgTable(
  "sso_connections",
  {
    organizationId: ownOrganizationId(),
    id: uuid("id").notNull(),
    domain: text("domain").notNull(),
    txtRecord: text("txt_record").notNull(),
    domainVerifiedAt: instant("domain_verified_at"),
    issuer: text("issuer").notNull(),
    clientId: text("client_id").notNull(),
    sealedClientSecret: bytea("sealed_client_secret").notNull(),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (table) => [
    primaryKey({ columns: [table.organizationId, table.id] }),
    unique("sso_connections_id_key").on(table.id),
    unique("sso_connections_organization_id_domain_key").on(table.organizationId, table.domain),
    uniqueIndex("sso_connections_verified_domain_key")
      .on(table.domain)
      .where(sql`domain_verified_at is not null`),
    check("sso_connections_domain_canonical", sql`domain = lower(domain) and length(domain) between 3 and 253`),
    check("sso_connections_txt_record_length", sql`length(txt_record) between 20 and 100`),
    check("sso_connections_issuer_length", sql`length(issuer) between 8 and 255`),
    check("sso_connections_client_id_length", sql`length(client_id) between 1 and 255`),
    check("sso_connections_sealed_client_secret_length", sql`length(sealed_client_secret) <= 1024`),
  ],
).enableRLS();

/**
 * Accounts at identity providers that a person signs in with: `subject` is the provider's own name for them, for
 * good. `email` is what the provider last said, to be shown. Of a company's provider `connectionId` says which.
 */
export const identities = pgTable(
  "identities",
  {
    id: uuid("id").primaryKey(),
    userId: ownUserId(),
    provider: text("provider").notNull(),
    connectionId: uuid("connection_id").references(() => ssoConnections.id, { onDelete: "cascade" }),
    subject: text("subject").notNull(),
    email: text("email"),
    createdAt: createdAt(),
    lastUsedAt: instant("last_used_at"),
  },
  (table) => [
    unique("identities_provider_connection_id_subject_key")
      .on(table.provider, table.connectionId, table.subject)
      .nullsNotDistinct(),
    index("identities_user_id_id_idx").on(table.userId, table.id),
    index("identities_connection_id_idx").on(table.connectionId),
    check("identities_provider_known", sql`provider in ('google', 'github', 'microsoft', 'apple', 'sso')`),
    check("identities_connection_given", sql`(provider = 'sso') = (connection_id is not null)`),
    check("identities_subject_length", sql`length(subject) between 1 and 255`),
    check("identities_email_length", sql`length(email) <= 254`),
  ],
).enableRLS();

/**
 * Of an event of either trail. `id` is the time as well (UUIDv7). `before` and `after` are what was changed, by the names
 * that the API has for it, without secrets, and without names and addresses of people.
 */
const eventColumns = () => ({
  id: uuid("id")
    .primaryKey()
    .default(sql`uuidv7()`),
  action: text("action").notNull(),
  actorType: text("actor_type").notNull(),
  actorId: uuid("actor_id"),
  /** The platform administrator who acted as the actor. */
  impersonatorId: uuid("impersonator_id"),
  subjectType: text("subject_type").notNull(),
  subjectId: uuid("subject_id").notNull(),
  before: jsonb("before"),
  after: jsonb("after"),
  requestId: text("request_id"),
  ipAddress: text("ip_address"),
});

/** What was done in an organization. Without a foreign key: it outlives what it tells of, and is never changed. */
export const auditEvents = pgTable(
  "audit_events",
  { organizationId: uuid("organization_id").notNull(), ...eventColumns() },
  (table) => [
    index("audit_events_organization_id_id_idx").on(table.organizationId, table.id),
    index("audit_events_organization_id_action_id_idx").on(table.organizationId, table.action, table.id),
    index("audit_events_organization_id_actor_id_id_idx").on(table.organizationId, table.actorId, table.id),
    index("audit_events_organization_id_subject_id_id_idx").on(table.organizationId, table.subjectId, table.id),
    check("audit_events_actor_known", sql`actor_type in ('user', 'api_key', 'platform_admin', 'anonymous', 'system')`),
    check(
      "audit_events_actor_given",
      sql`(actor_type in ('user', 'api_key', 'platform_admin')) = (actor_id is not null)`,
    ),
  ],
).enableRLS();

/** The same of a person's account: their sessions, factors, and whatever else is theirs alone. */
export const userAuditEvents = pgTable(
  "user_audit_events",
  { userId: uuid("user_id").notNull(), ...eventColumns() },
  (table) => [
    index("user_audit_events_user_id_id_idx").on(table.userId, table.id),
    check(
      "user_audit_events_actor_known",
      sql`actor_type in ('user', 'api_key', 'platform_admin', 'anonymous', 'system')`,
    ),
    check(
      "user_audit_events_actor_given",
      sql`(actor_type in ('user', 'api_key', 'platform_admin')) = (actor_id is not null)`,
    ),
  ],
).enableRLS();

/**
 * Where an organization is told of its events: of those types, or of all where none is named. Secrets the Worker alone can
 * read; the one before a rotation signs beside the present one until `previousExpiresAt`. `failingSince` is when the
 * first attempt since the last success failed.
 */
export const webhookEndpoints = pgTable(
  "webhook_endpoints",
  {
    organizationId: ownOrganizationId(),
    id: uuid("id").notNull(),
    url: text("url").notNull(),
    description: text("description").notNull(),
    eventTypes: text("event_types").array().notNull(),
    sealedSecret: bytea("sealed_secret").notNull(),
    previousSealedSecret: bytea("previous_sealed_secret"),
    previousExpiresAt: instant("previous_expires_at"),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
    failingSince: instant("failing_since"),
    disabledAt: instant("disabled_at"),
    /** Null where a member has disabled it. */
    disabledReason: text("disabled_reason"),
  },
  (table) => [
    // In the order of the alphabet, as the key of roles.
    primaryKey({ columns: [table.id, table.organizationId] }),
    index("webhook_endpoints_organization_id_id_idx").on(table.organizationId, table.id),
    check("webhook_endpoints_url_length", sql`length(url) between 8 and 2048`),
    check("webhook_endpoints_description_length", sql`length(description) <= 200`),
    check(
      "webhook_endpoints_event_types_bounded",
      sql`cardinality(event_types) <= 100 and length(event_types::text) <= 8000`,
    ),
    index("webhook_endpoints_disabled_at_idx")
      .on(table.disabledAt)
      .where(sql`disabled_at is not null`),
    check("webhook_endpoints_sealed_secret_length", sql`length(sealed_secret) <= 256`),
    check("webhook_endpoints_previous_sealed_secret_length", sql`length(previous_sealed_secret) <= 256`),
    check("webhook_endpoints_previous_whole", sql`num_nulls(previous_sealed_secret, previous_expires_at) in (0, 2)`),
    check("webhook_endpoints_disabled_reason_known", sql`disabled_reason in ('failing', 'gone')`),
  ],
).enableRLS();

/**
 * An event on its way to an endpoint, and for 30 days what became of it. Of one subject they go one after another: where
 * `nextAttemptAt` is null, a pending one waits for those before it. `log` is what came of each attempt, the last 20.
 */
export const webhookMessages = pgTable(
  "webhook_messages",
  {
    organizationId: uuid("organization_id").notNull(),
    id: uuid("id")
      .notNull()
      .default(sql`uuidv7()`),
    endpointId: uuid("endpoint_id").notNull(),
    type: text("type").notNull(),
    subjectId: uuid("subject_id").notNull(),
    payload: json("payload").notNull(),
    status: text("status").notNull().default("pending"),
    attempts: integer("attempts").notNull().default(0),
    nextAttemptAt: instant("next_attempt_at"),
    /** While somebody is at it. */
    leasedUntil: instant("leased_until"),
    settledAt: instant("settled_at"),
    log: jsonb("log")
      .notNull()
      .default(sql`'[]'`),
  },
  (table) => [
    primaryKey({ columns: [table.organizationId, table.id] }),
    foreignKey({
      name: "webhook_messages_endpoint_fkey",
      columns: [table.endpointId, table.organizationId],
      foreignColumns: [webhookEndpoints.id, webhookEndpoints.organizationId],
    }).onDelete("cascade"),
    index("webhook_messages_organization_id_endpoint_id_id_idx").on(table.organizationId, table.endpointId, table.id),
    index("webhook_messages_organization_id_endpoint_id_status_id_idx").on(
      table.organizationId,
      table.endpointId,
      table.status,
      table.id,
    ),
    // In the order of their events.
    index("webhook_messages_pending_idx")
      .on(table.organizationId, table.endpointId, table.subjectId, table.id)
      .where(sql`status = 'pending'`),
    index("webhook_messages_due_idx")
      .on(table.organizationId, table.endpointId, table.nextAttemptAt)
      .where(sql`status = 'pending'`),
    // For the clean-up.
    index("webhook_messages_id_idx").on(table.id),
    check("webhook_messages_status_known", sql`status in ('pending', 'delivered', 'dead')`),
    check("webhook_messages_settled", sql`(status = 'pending') = (settled_at is null)`),
  ],
).enableRLS();
