import { type SQL, sql } from "drizzle-orm";
import type { BatchResponse } from "drizzle-orm/batch";
import type { CreatedStatus } from "../errors.ts";
import type { Permission } from "../permissions.ts";
import type { Feature } from "../plans.ts";
import { builder, type DatabaseMeter, type Query, send } from "./connection.ts";
import { passGate } from "./gate.ts";
import { type IdempotencyKey, keepAnswer, unlessAnswered } from "./idempotency.ts";

export type { DatabaseMeter, IdempotencyKey };

type Queries = readonly Query[];
type Results<T extends Queries> = BatchResponse<T>;

export type QueryBuilder = Omit<typeof builder, "batch" | "transaction">;

/** What the audit trail says of where a change came from. */
export interface RequestOrigin {
  requestId: string;
  clientAddress: string | null;
}

export interface DatabaseOptions {
  url: string;
  /** Null of what no request has asked for. */
  origin: RequestOrigin | null;
  /** GET and HEAD: the transaction is read-only, and a lost connection is tried again. */
  readOnly: boolean;
  meter: DatabaseMeter;
  /** Ids of messages that the request may have written to the outbox: sent after its answer. */
  messages: string[];
  idempotencyKey?: IdempotencyKey | undefined;
  /** Is told of a change that was made in an organization with webhooks. */
  onWebhooks?: ((organizationId: string) => void) | undefined;
}

/** One request to the database: a transaction whose first statement says who is asking. */
export interface Database {
  readonly messages: string[];
  /**
   * Runs the queries in one transaction, in order, and returns their results.
   *
   * @throws AppError as the database's SQLSTATE says; `unavailable` when it did not answer.
   */
  run<const T extends Queries>(build: (queries: QueryBuilder) => T): Promise<Results<T>>;
  /**
   * Runs a statement that creates something and selects its JSON as `body`. Under an
   * Idempotency-Key the answer is kept in the same transaction, and a repetition gets it with its status.
   *
   * @throws ReplayedResponse when this key and request were answered before.
   */
  create<T>(statement: SQL, status?: CreatedStatus): Promise<T>;
  /**
   * Runs a statement that begins what a later `create` ends, and selects its JSON as `body`.
   *
   * @throws ReplayedResponse as `create`.
   */
  begin<T>(statement: SQL): Promise<T>;
}

/** Runs as nobody: reaches the functions that come before sign-in, and no row. */
export interface SystemDatabase extends Database {
  readonly as: "system";
}

/** Runs as a signed-in person, outside of any organization. */
export interface PersonDatabase extends Database {
  readonly as: "person";
  /** What the session is known by, until it has another handle. */
  readonly session: string;
}

/** Runs as an administrator of the platform: reaches the functions that are theirs, and no more rows than any person. */
export interface PlatformDatabase extends Database {
  readonly as: "platform";
  readonly adminId: string;
}

/** Runs as a member of one organization who holds the route's permission. */
export interface TenantDatabase extends Database {
  readonly as: "tenant";
  readonly organizationId: string;
}

/**
 * How each transaction begins: past the gate, as app_user should the Worker run on the owner's URL, and
 * with settings of its own, since a pooled connection may come with somebody else's. Raw, as all of it is ours.
 */
const beginning = sql.raw(
  [
    passGate,
    ...Object.entries({
      role: "app_user",
      search_path: "public",
      statement_timeout: "5s",
      lock_timeout: "3s",
      TimeZone: "UTC",
      DateStyle: "ISO",
    }).map(([name, value]) => `set_config('${name}', '${value}', true)`),
  ].join(", "),
);

const originOf = ({ origin }: DatabaseOptions) =>
  sql`${origin?.requestId ?? null}::text, ${origin?.clientAddress ?? null}::text`;

export function openSystemDatabase(options: DatabaseOptions): SystemDatabase {
  return {
    as: "system",
    ...openDatabase(options, sql`select ${beginning}, app.admit_nobody(${originOf(options)})`),
  };
}

/** What a route asks of the session, beside that it lives. */
export interface SessionRequirements {
  /** That the person's address is verified. */
  verified: boolean;
  /** That the person proved who they are within 10 minutes. */
  fresh: boolean;
  /** That it may still wait for its second factor. */
  pending: boolean;
}

/** What a route asks of the organization, beside. */
export interface TenantRequirements {
  /** That its plan has this. */
  feature: Feature | null;
}

/** @param handle SHA-256 of the session's handle, as bytea. */
export function openPersonDatabase(
  options: DatabaseOptions,
  handle: string,
  { verified, fresh, pending }: SessionRequirements,
): PersonDatabase {
  const admit = sql`select ${beginning}, app.admit(${handle}::bytea, null, null, ${verified}::boolean, ${fresh}::boolean, ${pending}::boolean, ${originOf(options)})`;
  return { as: "person", session: handle, ...openDatabase(options, admit) };
}

/** @param handle SHA-256 of the session's handle, as bytea. */
export function openTenantDatabase(
  options: DatabaseOptions,
  handle: string,
  organizationId: string,
  permission: Permission,
  { verified, fresh, feature }: SessionRequirements & TenantRequirements,
): TenantDatabase {
  const admit = sql`select ${beginning}, app.admit(${handle}::bytea, ${organizationId}::uuid, ${permission}, ${verified}::boolean, ${fresh}::boolean, false, ${originOf(options)}, ${feature}::text) as "hasWebhooks"`;
  const onAdmission = (row: Record<string, unknown>) => {
    if (row["hasWebhooks"] === true && !options.readOnly) options.onWebhooks?.(organizationId);
  };
  return { as: "tenant", organizationId, ...openDatabase(options, admit, { onAdmission }) };
}

/** What `app.admit_key` says of a key. */
export interface AdmittedKey {
  id: string;
  /** Null where the key has no limit of its own. */
  rateLimitPerMinute: number | null;
  /** Whether its organization has any. */
  hasWebhooks: boolean;
}

/**
 * As a member does, with an API key: its person's or the organization's own.
 *
 * @param handle SHA-256 of the key, as bytea.
 * @param keep is told what the database has let in.
 */
export function openKeyDatabase(
  options: DatabaseOptions,
  handle: string,
  organizationId: string,
  permission: Permission,
  { verified, feature }: Pick<SessionRequirements, "verified"> & TenantRequirements,
  keep: (key: AdmittedKey) => void,
): TenantDatabase {
  const admit = sql`select ${beginning}, app.admit_key(${handle}::bytea, ${organizationId}::uuid, ${permission}, ${verified}::boolean, ${options.readOnly}::boolean, ${originOf(options)}, ${feature}::text) as admitted`;
  const onAdmission = (row: Record<string, unknown>) => {
    // As app.admit_key builds it.
    const admitted = row["admitted"] as AdmittedKey;
    keep(admitted);
    if (admitted.hasWebhooks && !options.readOnly) options.onWebhooks?.(organizationId);
  };
  // A key's first statement notes that it was used, and ends with the transaction reading only where it shall.
  return { as: "tenant", organizationId, ...openDatabase(options, admit, { onAdmission, alwaysWrites: true }) };
}

/**
 * As an administrator of the platform, outside of any organization.
 *
 * @param session whose, and SHA-256 of its handle, as bytea.
 */
export function openPlatformDatabase(
  options: DatabaseOptions,
  { userId: adminId, handle }: { userId: string; handle: string },
  { fresh }: Pick<SessionRequirements, "fresh">,
): PlatformDatabase {
  const admit = sql`select ${beginning}, app.admit_platform_admin(${handle}::bytea, ${fresh}::boolean, ${originOf(options)})`;
  return { as: "platform", adminId, ...openDatabase(options, admit) };
}

interface AdmissionOptions {
  /** Is given the row of the first statement, once all is committed. */
  onAdmission?: (row: Record<string, unknown>) => void;
  /** Whether the first statement writes, whatever comes after it. */
  alwaysWrites?: boolean;
}

function openDatabase(
  options: DatabaseOptions,
  admit: SQL,
  { onAdmission, alwaysWrites = false }: AdmissionOptions = {},
): Database {
  const request = async (queries: Query[]): Promise<unknown[]> => {
    const isReadOnly = options.readOnly && !alwaysWrites;
    const [first, ...results] = await send(options, isReadOnly, [builder.execute(admit), ...queries]);
    onAdmission?.((first as { rows: [Record<string, unknown>] }).rows[0]);
    return results;
  };
  const lastBody = async <T>(statements: SQL[]): Promise<T> => {
    const results = await request(statements.map((statement) => builder.execute(statement)));
    const row = (results.at(-1) as { rows: { body: T }[] }).rows[0];
    if (!row) throw new Error("a statement that selects a body returned no row");
    return row.body;
  };
  return {
    messages: options.messages,
    async run(build) {
      // The results of the caller's queries, in their order.
      return (await request([...build(builder)])) as Results<ReturnType<typeof build>>;
    },
    create: (statement, status = 201) => lastBody(keepAnswer(statement, status, options.idempotencyKey)),
    begin: (statement) => lastBody(unlessAnswered(statement, options.idempotencyKey)),
  };
}
