import { and, desc, eq, lt, type SQL, sql } from "drizzle-orm";
import { v7 as uuidv7 } from "uuid";
import type { TenantDatabase } from "../db/index.ts";
import { webhookEndpoints } from "../db/schema.ts";
import type { Settings } from "../env.ts";
import { AppError } from "../errors.ts";
import { seal } from "../sealing.ts";
import { type Page, type PageInput, readCursor, toPage } from "./paging.ts";
import { isWebhookUrl } from "./webhook-urls.ts";
import type { WebhookEventType } from "./webhook-event-types.ts";
import { newWebhookSecret, showSecret } from "./webhook-signatures.ts";

export interface WebhookEndpoint {
  id: string;
  url: string;
  description: string;
  /** Of all where there is none. */
  eventTypes: string[];
  /** Whether it is sent anything. */
  enabled: boolean;
  disabledAt: string | null;
  /** Why the service has disabled it; null where a member has. */
  disabledReason: "failing" | "gone" | null;
  /** Since when no attempt has succeeded. */
  failingSince: string | null;
  /** Until when the secret before the last rotation signs as well. */
  previousSecretExpiresAt: string | null;
  createdAt: string;
  updatedAt: string;
}

export interface WebhookEndpointInput {
  url: string;
  description: string;
  eventTypes: WebhookEventType[];
}

export type WebhookEndpointChanges = {
  [K in keyof WebhookEndpointInput]?: WebhookEndpointInput[K] | undefined;
} & { enabled?: boolean | undefined };

/** What an endpoint's secret is sealed for. */
export const secretOwner = (webhookEndpointId: string): string => `webhook_endpoints/${webhookEndpointId}`;

const fields = {
  id: webhookEndpoints.id,
  url: webhookEndpoints.url,
  description: webhookEndpoints.description,
  eventTypes: webhookEndpoints.eventTypes,
  enabled: sql<boolean>`${webhookEndpoints.disabledAt} is null`,
  disabledAt: webhookEndpoints.disabledAt,
  disabledReason: sql<"failing" | "gone" | null>`${webhookEndpoints.disabledReason}`,
  failingSince: webhookEndpoints.failingSince,
  previousSecretExpiresAt: webhookEndpoints.previousExpiresAt,
  createdAt: webhookEndpoints.createdAt,
  updatedAt: webhookEndpoints.updatedAt,
};

const one = (database: TenantDatabase, webhookEndpointId: string) =>
  and(eq(webhookEndpoints.organizationId, database.organizationId), eq(webhookEndpoints.id, webhookEndpointId));

/** Runs a statement that makes or changes it, and reads it in the same request. */
async function changeEndpoint(database: TenantDatabase, id: string, change: SQL): Promise<WebhookEndpoint> {
  const [, [row]] = await database.run((queries) => [
    queries.execute(change),
    queries.select(fields).from(webhookEndpoints).where(one(database, id)),
  ]);
  if (!row) throw new AppError("not_found");
  return row;
}

/** @throws AppError `invalid_request` for a URL that no message goes to. */
function checkUrl(settings: Settings, url: string): void {
  if (isWebhookUrl(settings, url)) return;
  const message =
    "must be an https URL on a public host's name, in its canonical form, without credentials or a fragment";
  throw new AppError("invalid_request", { errors: [{ path: "body.url", message }] });
}

/**
 * Makes an endpoint. Its secret is told here alone.
 *
 * @throws AppError `invalid_request` for the URL; `webhook_endpoint_limit`; `encryption_off`.
 */
export async function createWebhookEndpoint(
  database: TenantDatabase,
  settings: Settings,
  { url, description, eventTypes }: WebhookEndpointInput,
): Promise<WebhookEndpoint & { secret: string }> {
  checkUrl(settings, url);
  const id = uuidv7();
  const secret = newWebhookSecret();
  const sealed = await seal(settings, secretOwner(id), secret);
  const made = sql`${id}::uuid, ${url}, ${description}, ${sql.param(eventTypes)}::text[], ${sealed}::bytea`;
  const created = await changeEndpoint(database, id, sql`select app.create_webhook_endpoint(${made})`);
  return { ...created, secret: showSecret(secret) };
}

/** The organization's, newest first. */
export async function listWebhookEndpoints(
  database: TenantDatabase,
  { limit, cursor }: PageInput,
): Promise<Page<WebhookEndpoint>> {
  const before = readCursor(cursor);
  const ours = eq(webhookEndpoints.organizationId, database.organizationId);
  const [rows] = await database.run((queries) => {
    // The page first, from its index alone: see listInvitations.
    const page = queries
      .select({ id: webhookEndpoints.id })
      .from(webhookEndpoints)
      .where(and(ours, before ? lt(webhookEndpoints.id, before) : undefined))
      .orderBy(desc(webhookEndpoints.id))
      .limit(limit + 1);
    const isOnPage = sql`${webhookEndpoints.id} = any (array(${page}))`;
    return [
      queries.select(fields).from(webhookEndpoints).where(and(ours, isOnPage)).orderBy(desc(webhookEndpoints.id)),
    ];
  });
  return toPage(rows, limit, ({ id }) => id);
}

/** @throws AppError `not_found`. */
export async function readWebhookEndpoint(database: TenantDatabase, id: string): Promise<WebhookEndpoint> {
  const [[row]] = await database.run((queries) => [
    queries.select(fields).from(webhookEndpoints).where(one(database, id)),
  ]);
  if (!row) throw new AppError("not_found");
  return row;
}

/**
 * One that is disabled is queued nothing more, and what it was not sent is dead.
 *
 * @throws AppError `not_found`; `invalid_request` for the URL.
 */
export async function updateWebhookEndpoint(
  database: TenantDatabase,
  settings: Settings,
  id: string,
  { enabled, ...changes }: WebhookEndpointChanges,
): Promise<WebhookEndpoint> {
  if (changes.url !== undefined) checkUrl(settings, changes.url);
  const disabledAt = sql`case when not ${enabled ?? null}::boolean then coalesce(${webhookEndpoints.disabledAt}, now()) end`;
  const [[row]] = await database.run((queries) => [
    queries
      .update(webhookEndpoints)
      .set({ ...changes, ...(enabled !== undefined && { disabledAt }) })
      .where(one(database, id))
      .returning(fields),
  ]);
  if (!row) throw new AppError("not_found");
  return row;
}

/** With all of its messages. @throws AppError `not_found`. */
export async function deleteWebhookEndpoint(database: TenantDatabase, id: string): Promise<void> {
  const [result] = await database.run((queries) => [queries.delete(webhookEndpoints).where(one(database, id))]);
  if (result.rowCount === 0) throw new AppError("not_found");
}

/**
 * Gives it another secret, which is told here alone.
 *
 * @param overlapSeconds how long the one before signs beside it.
 * @throws AppError `not_found`; `encryption_off`.
 */
export async function rotateWebhookSecret(
  database: TenantDatabase,
  settings: Settings,
  id: string,
  overlapSeconds: number,
): Promise<WebhookEndpoint & { secret: string }> {
  const secret = newWebhookSecret();
  const sealed = await seal(settings, secretOwner(id), secret);
  const rotated = await changeEndpoint(
    database,
    id,
    sql`select app.rotate_webhook_secret(${id}::uuid, ${sealed}::bytea, make_interval(secs => ${overlapSeconds}::int))`,
  );
  return { ...rotated, secret: showSecret(secret) };
}
