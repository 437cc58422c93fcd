import { z } from "@hono/zod-openapi";
import { createRouter, json, jsonRequest, PageQuery, pageOf, tenantRoute } from "../openapi.ts";
import {
  listWebhookMessages,
  readWebhookMessage,
  recoverWebhookMessages,
  replayWebhookMessage,
  webhookMessageStatuses,
} from "../services/webhook-messages.ts";
import { endpointCollection, EndpointParams } from "./webhook-endpoints.ts";

const collection = `${endpointCollection}/{webhookEndpointId}/messages` as const;

const MessageParams = EndpointParams.extend({
  webhookMessageId: z
    .uuid()
    .openapi({ param: { name: "webhookMessageId", in: "path" }, example: "019ab0de-8f6c-7cc4-9e6f-6f2b7f0f1a32" }),
});

const Instant = z.iso.datetime().openapi({ example: "2026-01-01T09:30:00.000Z" });

const Status = z.enum(webhookMessageStatuses).openapi({
  description: "`pending`: still to be delivered. `dead`: given up, after ten attempts in three days.",
  example: "delivered",
});

const WebhookMessage = z
  .object({
    id: z.uuid().openapi({
      description: "The header `webhook-id` of every attempt: a receiver knows a repetition by it.",
      example: "019ab0de-8f6c-7cc4-9e6f-6f2b7f0f1a32",
    }),
    type: z.string().openapi({ example: "member.added" }),
    subjectId: z.uuid().openapi({
      description: "Of what the event tells of. Messages of one subject go one after another.",
      example: "019ab0de-8f6c-7cc4-9e6f-6f2b7f0f1a02",
    }),
    status: Status,
    attempts: z.int().openapi({ description: "Since it was queued, or sent again.", example: 1 }),
    nextAttemptAt: Instant.nullable().openapi({
      description: "Null of what is settled, and of what waits for messages before it.",
    }),
    settledAt: Instant.nullable(),
  })
  .openapi("WebhookMessage");

const WholeWebhookMessage = WebhookMessage.extend({
  payload: z
    .object({
      type: z.string().openapi({ example: "member.added" }),
      timestamp: Instant,
      data: z
        .record(z.string(), z.unknown())
        .openapi({ description: "The event, as the audit trail has it, without its address.", example: {} }),
    })
    .openapi({ description: "The body of every attempt." }),
  log: z
    .array(
      z.object({
        attemptedAt: Instant,
        status: z.int().nullable().openapi({ description: "Of the answer; null where there was none.", example: 204 }),
        error: z.string().nullable().openapi({ example: null }),
        durationMs: z.int().openapi({ example: 87 }),
      }),
    )
    .openapi({ description: "What came of each attempt, oldest first: the last 20." }),
}).openapi("WholeWebhookMessage");

const ListQuery = PageQuery.extend({
  status: Status.optional().openapi({ description: "Those with this status alone.", example: "dead" }),
});

const Recovery = z
  .strictObject({ since: Instant.openapi({ description: "What is dead since then." }) })
  .openapi("WebhookRecovery");

const Recovered = z
  .object({ messages: z.int().openapi({ description: "How many are sent again.", example: 17 }) })
  .openapi("RecoveredWebhooks");

const listRoute = tenantRoute("webhooks:read", {
  method: "get",
  path: collection,
  tags: ["Webhooks"],
  summary: "List a webhook endpoint's messages",
  description: "Those of the last 30 days, newest first.",
  request: { params: EndpointParams, query: ListQuery },
  responses: { 200: json(pageOf(WebhookMessage).openapi("WebhookMessagePage"), "A page of messages.") },
});

const readRoute = tenantRoute("webhooks:read", {
  method: "get",
  path: `${collection}/{webhookMessageId}`,
  tags: ["Webhooks"],
  summary: "Read a webhook message",
  description: "With its body, and what came of each attempt.",
  request: { params: MessageParams },
  responses: { 200: json(WholeWebhookMessage, "The message.") },
});

const replayRoute = tenantRoute("webhooks:write", {
  method: "post",
  path: `${collection}/{webhookMessageId}/replay`,
  tags: ["Webhooks"],
  summary: "Send a webhook message again",
  description: "Whatever became of it, under its own `webhook-id`, and without waiting for others.",
  request: { params: MessageParams },
  responses: { 202: { description: "It is sent at once." } },
  errors: ["webhook_message_pending", "webhook_endpoint_disabled"],
});

const recoverRoute = tenantRoute("webhooks:write", {
  method: "post",
  path: `${endpointCollection}/{webhookEndpointId}/recover`,
  tags: ["Webhooks"],
  summary: "Send a webhook endpoint's dead messages again",
  description: "In their order, 5,000 at most; ask again while any are left.",
  request: { params: EndpointParams, body: jsonRequest(Recovery) },
  responses: { 202: json(Recovered, "They are sent, one after another.") },
  errors: ["webhook_endpoint_disabled"],
});

export const webhookMessageRoutes = createRouter()
  .openapi(listRoute, async (c) => {
    const { webhookEndpointId } = c.req.valid("param");
    return c.json(await listWebhookMessages(c.var.database, webhookEndpointId, c.req.valid("query")), 200);
  })
  .openapi(readRoute, async (c) => {
    const { webhookEndpointId, webhookMessageId } = c.req.valid("param");
    const message = await readWebhookMessage(c.var.database, webhookEndpointId, webhookMessageId);
    // As app_private.queue_webhooks builds it.
    return c.json({ ...message, payload: message.payload as z.infer<typeof WholeWebhookMessage>["payload"] }, 200);
  })
  .openapi(replayRoute, async (c) => {
    const { webhookEndpointId, webhookMessageId } = c.req.valid("param");
    await replayWebhookMessage(c.var.database, webhookEndpointId, webhookMessageId);
    return c.body(null, 202);
  })
  .openapi(recoverRoute, async (c) => {
    const { webhookEndpointId } = c.req.valid("param");
    const { since } = c.req.valid("json");
    return c.json(await recoverWebhookMessages(c.var.database, webhookEndpointId, since), 202);
  });
