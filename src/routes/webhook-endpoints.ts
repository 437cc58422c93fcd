import { z } from "@hono/zod-openapi";
import {
  createRouter,
  isEachOnce,
  json,
  jsonRequest,
  optionalJsonRequest,
  PageQuery,
  pageOf,
  tenantRoute,
} from "../openapi.ts";
import {
  createWebhookEndpoint,
  deleteWebhookEndpoint,
  listWebhookEndpoints,
  readWebhookEndpoint,
  rotateWebhookSecret,
  updateWebhookEndpoint,
} from "../services/webhook-endpoints.ts";
import { webhookEventTypes } from "../services/webhook-event-types.ts";
import { OrganizationParams } from "./organizations.ts";

export const endpointCollection = "/v1/organizations/{organizationId}/webhook-endpoints";

export const EndpointParams = OrganizationParams.extend({
  webhookEndpointId: z
    .uuid()
    .openapi({ param: { name: "webhookEndpointId", in: "path" }, example: "019ab0de-8f6c-7cc4-9e6f-6f2b7f0f1a31" }),
});

const Instant = z.iso.datetime().openapi({ example: "2026-01-01T09:30:00.000Z" });

const Url = z.string().min(8).max(2048).openapi({
  description: "https on a public host's name; the service's own machine, by http, outside of production.",
  example: "https://hooks.example.com/events",
});

const Description = z.string().trim().max(200).openapi({ example: "Keeps our CRM up to date" });

const EventTypes = z
  .array(z.enum(webhookEventTypes))
  .max(webhookEventTypes.length)
  .refine(isEachOnce, "must name each once")
  .openapi({
    description: "Those that it is told of; all where none is named.",
    example: ["member.added"],
    uniqueItems: true,
  });

export const WebhookEndpoint = z
  .object({
    id: z.uuid().openapi({ example: "019ab0de-8f6c-7cc4-9e6f-6f2b7f0f1a31" }),
    url: z.string().openapi({ example: "https://hooks.example.com/events" }),
    description: z.string().openapi({ example: "Keeps our CRM up to date" }),
    eventTypes: z
      .array(z.string().openapi({ example: "member.added" }))
      .openapi({ description: "Of all where there is none." }),
    enabled: z.boolean().openapi({ example: true }),
    disabledAt: Instant.nullable(),
    disabledReason: z.enum(["failing", "gone"]).nullable().openapi({
      description:
        "Why the service has disabled it: for five days nothing was answered with success, or the answer was 410. Null where a member has.",
      example: null,
    }),
    failingSince: Instant.nullable().openapi({ description: "Since when no attempt has succeeded." }),
    previousSecretExpiresAt: Instant.nullable().openapi({
      description: "Until when messages are signed with the secret of before the last rotation, too.",
    }),
    createdAt: Instant,
    updatedAt: Instant,
  })
  .openapi("WebhookEndpoint");

const NewWebhookEndpoint = WebhookEndpoint.extend({
  secret: z.string().openapi({
    description: "What messages are verified with. It is told here alone.",
    example: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo=",
  }),
}).openapi("NewWebhookEndpoint");

const WebhookEndpointCreate = z
  .strictObject({ url: Url, description: Description.default(""), eventTypes: EventTypes.default([]) })
  .openapi("WebhookEndpointCreate");

const WebhookEndpointUpdate = z
  .strictObject({
    url: Url.optional(),
    description: Description.optional(),
    eventTypes: EventTypes.optional(),
    enabled: z.boolean().optional().openapi({
      description:
        "`false`: nothing more is queued for it, and what it was not sent is dead. `true`: from now on it is told again; see the recovery of messages for those of before.",
      example: true,
    }),
  })
  .refine((body) => Object.values(body).some((value) => value !== undefined), "must have something to change")
  .openapi("WebhookEndpointUpdate", { minProperties: 1 });

const SecretRotation = z
  .strictObject({
    overlapSeconds: z.int().min(0).max(604_800).optional().openapi({
      default: 86_400,
      description: "How long messages are signed with the secret of before, too: 7 days at most, and a day by itself.",
      example: 3600,
    }),
  })
  .openapi("WebhookSecretRotation");

const createRoute = tenantRoute("webhooks:write", {
  method: "post",
  path: endpointCollection,
  tags: ["Webhooks"],
  summary: "Make a webhook endpoint",
  description:
    "It is told of what changes in the organization, as the audit trail has it, in requests after [Standard Webhooks](https://www.standardwebhooks.com). The secret is in this answer alone; since no answer with a secret is kept, the request takes no Idempotency-Key. An organization has 20 at most.",
  request: { params: OrganizationParams, body: jsonRequest(WebhookEndpointCreate) },
  responses: { 201: json(NewWebhookEndpoint, "The new endpoint.") },
  errors: ["webhook_endpoint_limit", "encryption_off"],
});

const listRoute = tenantRoute("webhooks:read", {
  method: "get",
  path: endpointCollection,
  tags: ["Webhooks"],
  summary: "List the webhook endpoints",
  description: "Newest first, without their secrets.",
  request: { params: OrganizationParams, query: PageQuery },
  responses: { 200: json(pageOf(WebhookEndpoint).openapi("WebhookEndpointPage"), "A page of endpoints.") },
});

const readRoute = tenantRoute("webhooks:read", {
  method: "get",
  path: `${endpointCollection}/{webhookEndpointId}`,
  tags: ["Webhooks"],
  summary: "Read a webhook endpoint",
  request: { params: EndpointParams },
  responses: { 200: json(WebhookEndpoint, "The endpoint, without its secret.") },
});

const updateRoute = tenantRoute("webhooks:write", {
  method: "patch",
  path: `${endpointCollection}/{webhookEndpointId}`,
  tags: ["Webhooks"],
  summary: "Change a webhook endpoint",
  request: { params: EndpointParams, body: jsonRequest(WebhookEndpointUpdate) },
  responses: { 200: json(WebhookEndpoint, "The endpoint as it is now.") },
});

const deleteRoute = tenantRoute("webhooks:write", {
  method: "delete",
  path: `${endpointCollection}/{webhookEndpointId}`,
  tags: ["Webhooks"],
  summary: "Delete a webhook endpoint",
  description: "With all of its messages, also those that are still to be delivered.",
  request: { params: EndpointParams },
  responses: { 204: { description: "Deleted." } },
});

const rotateRoute = tenantRoute("webhooks:write", {
  method: "post",
  path: `${endpointCollection}/{webhookEndpointId}/rotate-secret`,
  tags: ["Webhooks"],
  summary: "Rotate a webhook endpoint's secret",
  description: "Another secret, which is in this answer alone. One that was to go already goes at once.",
  request: { params: EndpointParams, body: optionalJsonRequest(SecretRotation) },
  responses: { 200: json(NewWebhookEndpoint, "The endpoint, with its new secret.") },
  errors: ["encryption_off"],
});

/** Of a rotation that does not say: a receiver has a day to take the new secret up. */
const DEFAULT_OVERLAP = 86_400;

export const webhookEndpointRoutes = createRouter()
  .openapi(createRoute, async (c) => {
    const { database, settings } = c.var;
    return c.json(await createWebhookEndpoint(database, settings, c.req.valid("json")), 201);
  })
  .openapi(listRoute, async (c) => c.json(await listWebhookEndpoints(c.var.database, c.req.valid("query")), 200))
  .openapi(readRoute, async (c) => {
    const { webhookEndpointId } = c.req.valid("param");
    return c.json(await readWebhookEndpoint(c.var.database, webhookEndpointId), 200);
  })
  .openapi(updateRoute, async (c) => {
    const { database, settings } = c.var;
    const { webhookEndpointId } = c.req.valid("param");
    return c.json(await updateWebhookEndpoint(database, settings, webhookEndpointId, c.req.valid("json")), 200);
  })
  .openapi(deleteRoute, async (c) => {
    await deleteWebhookEndpoint(c.var.database, c.req.valid("param").webhookEndpointId);
    return c.body(null, 204);
  })
  .openapi(rotateRoute, async (c) => {
    const { database, settings } = c.var;
    const { overlapSeconds = DEFAULT_OVERLAP } = c.req.valid("json");
    const { webhookEndpointId } = c.req.valid("param");
    return c.json(await rotateWebhookSecret(database, settings, webhookEndpointId, overlapSeconds), 200);
  });
