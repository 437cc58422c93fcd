import { and, desc, eq, lt, type SQL, sql } from "drizzle-orm";
import { v7 as uuidv7 } from "uuid";
import type { TenantDatabase } from "../db/index.ts";
import { apiKeys } from "../db/schema.ts";
import type { Settings } from "../env.ts";
import { AppError } from "../errors.ts";
import { newApiKey } from "./api-key-format.ts";
import { type KeyLimits, rememberLimit } from "./key-limits.ts";
import { type Page, type PageInput, readCursor, toPage } from "./paging.ts";

export interface ApiKey {
  id: string;
  name: string;
  /** Whose it is; null of the organization's own. */
  userId: string | null;
  /** Null when their account is gone. */
  createdBy: string | null;
  /** Permissions, in alphabetical order. */
  scopes: string[];
  /** The key's last four characters. */
  hint: string;
  /** Null where RATE_LIMIT_PER_MINUTE alone counts. */
  rateLimitPerMinute: number | null;
  createdAt: string;
  updatedAt: string;
  rotatedAt: string | null;
  /** Until when the secret before the last rotation is good. */
  previousExpiresAt: string | null;
  expiresAt: string | null;
  /** To the minute. */
  lastUsedAt: string | null;
}

export interface ApiKeyInput {
  name: string;
  scopes: string[];
  /** `member`: it is the caller's, and goes with their membership. */
  owner: "member" | "organization";
  rateLimitPerMinute: number | null;
  expiresInDays: number | null;
}

export type ApiKeyChanges = { [K in "name" | "scopes" | "rateLimitPerMinute"]?: ApiKeyInput[K] | undefined };

const fields = {
  id: apiKeys.id,
  name: apiKeys.name,
  userId: apiKeys.userId,
  createdBy: apiKeys.createdBy,
  scopes: apiKeys.scopes,
  hint: apiKeys.hint,
  rateLimitPerMinute: apiKeys.rateLimit,
  createdAt: apiKeys.createdAt,
  updatedAt: apiKeys.updatedAt,
  rotatedAt: apiKeys.rotatedAt,
  previousExpiresAt: apiKeys.previousExpiresAt,
  expiresAt: apiKeys.expiresAt,
  lastUsedAt: apiKeys.lastUsedAt,
};

const one = (database: TenantDatabase, apiKeyId: string) =>
  and(eq(apiKeys.organizationId, database.organizationId), eq(apiKeys.id, apiKeyId));

/** Runs a statement that makes or changes it, and reads it in the same request. */
async function changeApiKey(database: TenantDatabase, apiKeyId: string, change: SQL): Promise<ApiKey> {
  const [, [row]] = await database.run((queries) => [
    queries.execute(change),
    queries.select(fields).from(apiKeys).where(one(database, apiKeyId)),
  ]);
  if (!row) throw new AppError("not_found");
  return row;
}

/**
 * Makes a key, which is told here alone.
 *
 * @throws AppError `role_above_own` for scopes that the caller has not; `forbidden` for the organization's own by no owner;
 *   `api_key_limit`.
 */
export async function createApiKey(
  database: TenantDatabase,
  settings: Settings,
  limits: KeyLimits,
  { name, scopes, owner, rateLimitPerMinute, expiresInDays }: ApiKeyInput,
): Promise<ApiKey & { key: string }> {
  const id = uuidv7();
  const { key, hint, hash } = await newApiKey(settings);
  const made = sql`${id}::uuid, ${name}, ${sql.param(scopes)}::text[], ${owner === "organization"}::boolean,
    ${rateLimitPerMinute}::int, ${expiresInDays}::int, ${hint}, ${hash}::bytea`;
  const created = await changeApiKey(database, id, sql`select app.create_api_key(${made})`);
  await rememberLimit(limits, hash, rateLimitPerMinute);
  return { ...created, key };
}

/** The organization's, newest first; each until 30 days after it has expired. */
export async function listApiKeys(database: TenantDatabase, { limit, cursor }: PageInput): Promise<Page<ApiKey>> {
  const before = readCursor(cursor);
  const ours = eq(apiKeys.organizationId, database.organizationId);
  const [rows] = await database.run((queries) => {
    // The page first, from its index alone: see listInvitations.
    const page = queries
      .select({ id: apiKeys.id })
      .from(apiKeys)
      .where(and(ours, before ? lt(apiKeys.id, before) : undefined))
      .orderBy(desc(apiKeys.id))
      .limit(limit + 1);
    const isOnPage = sql`${apiKeys.id} = any (array(${page}))`;
    return [queries.select(fields).from(apiKeys).where(and(ours, isOnPage)).orderBy(desc(apiKeys.id))];
  });
  return toPage(rows, limit, ({ id }) => id);
}

/** @throws AppError `not_found`. */
export async function readApiKey(database: TenantDatabase, apiKeyId: string): Promise<ApiKey> {
  const [[row]] = await database.run((queries) => [
    queries.select(fields).from(apiKeys).where(one(database, apiKeyId)),
  ]);
  if (!row) throw new AppError("not_found");
  return row;
}

/**
 * A limit is counted by from the key's next request on.
 *
 * @throws AppError `not_found`; `forbidden` for another's; `role_above_own`.
 */
export async function updateApiKey(
  database: TenantDatabase,
  apiKeyId: string,
  changes: ApiKeyChanges,
): Promise<ApiKey> {
  return changeApiKey(
    database,
    apiKeyId,
    sql`select app.update_api_key(${apiKeyId}::uuid, ${JSON.stringify(changes)}::jsonb)`,
  );
}

/** From the next request on it is nobody's. @throws AppError `not_found`. */
export async function revokeApiKey(database: TenantDatabase, apiKeyId: string): Promise<void> {
  const [result] = await database.run((queries) => [queries.delete(apiKeys).where(one(database, apiKeyId))]);
  if (result.rowCount === 0) throw new AppError("not_found");
}

/**
 * Gives it another secret, which is told here alone, and the days that it was made for.
 *
 * @param overlapSeconds how long the one before is good beside it.
 * @throws AppError `not_found`; `forbidden` for another's; `role_above_own` when its scopes are more than the caller's.
 */
export async function rotateApiKey(
  database: TenantDatabase,
  settings: Settings,
  limits: KeyLimits,
  apiKeyId: string,
  overlapSeconds: number,
): Promise<ApiKey & { key: string }> {
  const { key, hint, hash } = await newApiKey(settings);
  const change = sql`select app.rotate_api_key(${apiKeyId}::uuid, ${hint}, make_interval(secs => ${overlapSeconds}::int), ${hash}::bytea)`;
  const rotated = await changeApiKey(database, apiKeyId, change);
  await rememberLimit(limits, hash, rotated.rateLimitPerMinute);
  return { ...rotated, key };
}
