import { and, desc, eq, lt, sql } from "drizzle-orm";
import type { TenantDatabase } from "../db/index.ts";
import { webhookEndpoints, webhookMessages } from "../db/schema.ts";
import { AppError } from "../errors.ts";
import { type Page, type PageInput, readCursor, toPage } from "./paging.ts";

export const webhookMessageStatuses = ["pending", "delivered", "dead"] as const;

export type WebhookMessageStatus = (typeof webhookMessageStatuses)[number];

export interface WebhookAttempt {
  attemptedAt: string;
  /** Of the receiver's answer; null where there was none. */
  status: number | null;
  error: string | null;
  durationMs: number;
}

export interface WebhookMessage {
  /** What the receiver gets as `webhook-id`. */
  id: string;
  type: string;
  subjectId: string;
  status: WebhookMessageStatus;
  /** Since it was queued, or sent again. */
  attempts: number;
  /** Null of what is settled, and of what waits for messages before it. */
  nextAttemptAt: string | null;
  settledAt: string | null;
}

export type WholeWebhookMessage = WebhookMessage & {
  /** What the receiver gets as the body. */
  payload: unknown;
  /** The last 20, oldest first. */
  log: WebhookAttempt[];
};

const fields = {
  id: webhookMessages.id,
  type: webhookMessages.type,
  subjectId: webhookMessages.subjectId,
  status: sql<WebhookMessageStatus>`${webhookMessages.status}`,
  attempts: webhookMessages.attempts,
  nextAttemptAt: webhookMessages.nextAttemptAt,
  settledAt: webhookMessages.settledAt,
};

/** An endpoint's messages of the last 30 days, newest first. @throws AppError `not_found` for no endpoint. */
export async function listWebhookMessages(
  database: TenantDatabase,
  webhookEndpointId: string,
  { limit, cursor, status }: PageInput & { status?: WebhookMessageStatus | undefined },
): Promise<Page<WebhookMessage>> {
  const before = readCursor(cursor);
  const ours = eq(webhookMessages.organizationId, database.organizationId);
  const [[endpoint], rows] = await database.run((queries) => {
    const one = and(
      eq(webhookEndpoints.organizationId, database.organizationId),
      eq(webhookEndpoints.id, webhookEndpointId),
    );
    // The page first, from an index alone: see listInvitations.
    const page = queries
      .select({ id: webhookMessages.id })
      .from(webhookMessages)
      .where(
        and(
          ours,
          eq(webhookMessages.endpointId, webhookEndpointId),
          status && eq(webhookMessages.status, status),
          before ? lt(webhookMessages.id, before) : undefined,
        ),
      )
      .orderBy(desc(webhookMessages.id))
      .limit(limit + 1);
    const isOnPage = sql`${webhookMessages.id} = any (array(${page}))`;
    return [
      queries.select({ id: webhookEndpoints.id }).from(webhookEndpoints).where(one),
      queries.select(fields).from(webhookMessages).where(and(ours, isOnPage)).orderBy(desc(webhookMessages.id)),
    ];
  });
  if (!endpoint) throw new AppError("not_found");
  return toPage(rows, limit, ({ id }) => id);
}

/** @throws AppError `not_found`. */
export async function readWebhookMessage(
  database: TenantDatabase,
  webhookEndpointId: string,
  webhookMessageId: string,
): Promise<WholeWebhookMessage> {
  const [[row]] = await database.run((queries) => [
    queries
      .select({
        ...fields,
        payload: webhookMessages.payload,
        // As app.settle_webhooks builds it.
        log: sql<WebhookAttempt[]>`${webhookMessages.log}`,
      })
      .from(webhookMessages)
      .where(
        and(
          eq(webhookMessages.organizationId, database.organizationId),
          eq(webhookMessages.endpointId, webhookEndpointId),
          eq(webhookMessages.id, webhookMessageId),
        ),
      ),
  ]);
  if (!row) throw new AppError("not_found");
  return row;
}

/**
 * Sends a message again, whatever became of it.
 *
 * @throws AppError `not_found`; `webhook_message_pending`; `webhook_endpoint_disabled`.
 */
export async function replayWebhookMessage(
  database: TenantDatabase,
  webhookEndpointId: string,
  webhookMessageId: string,
): Promise<void> {
  await database.run((queries) => [
    queries.execute(sql`select app.replay_webhook(${webhookEndpointId}::uuid, ${webhookMessageId}::uuid)`),
  ]);
}

/**
 * Sends again what is dead since then: 5,000 messages at most, the oldest first.
 *
 * @returns how many.
 * @throws AppError `not_found`; `webhook_endpoint_disabled`.
 */
export async function recoverWebhookMessages(
  database: TenantDatabase,
  webhookEndpointId: string,
  since: string,
): Promise<{ messages: number }> {
  const [result] = await database.run((queries) => [
    queries.execute<{ messages: number }>(
      sql`select app.recover_webhooks(${webhookEndpointId}::uuid, ${since}::timestamptz) as messages`,
    ),
  ]);
  return { messages: result.rows[0]?.messages ?? 0 };
}
