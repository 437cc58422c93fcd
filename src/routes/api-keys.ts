import { z } from "@hono/zod-openapi";
import { createRouter, json, jsonRequest, optionalJsonRequest, PageQuery, pageOf, tenantRoute } from "../openapi.ts";
import {
  createApiKey,
  listApiKeys,
  readApiKey,
  revokeApiKey,
  rotateApiKey,
  updateApiKey,
} from "../services/api-keys.ts";
import { limitersOf } from "../middleware/rate-limit/index.ts";
import { OrganizationParams } from "./organizations.ts";
import { Permissions } from "./roles.ts";

const collection = "/v1/organizations/{organizationId}/api-keys";

const ApiKeyParams = OrganizationParams.extend({
  apiKeyId: z
    .uuid()
    .openapi({ param: { name: "apiKeyId", in: "path" }, example: "019ab0de-8f6c-7cc4-9e6f-6f2b7f0f1a0e" }),
});

const Name = z.string().trim().min(1).max(100).openapi({ example: "Nightly import" });

const Scopes = Permissions.openapi({
  description:
    "Permissions, of those that the caller has; `organization:read` is always one. At each use a key of a member may do no more than the member may.",
  example: ["members:read", "organization:read"],
});

const RateLimit = z.int().min(1).max(100_000).nullable().openapi({
  description: "Requests in any 60 seconds, where that is less than the service's own limit.",
  example: 60,
});

const Instant = z.iso.datetime().openapi({ example: "2026-01-01T09:30:00.000Z" });

export const ApiKey = z
  .object({
    id: z.uuid().openapi({ example: "019ab0de-8f6c-7cc4-9e6f-6f2b7f0f1a0e" }),
    name: z.string().openapi({ example: "Nightly import" }),
    userId: z.uuid().nullable().openapi({
      description: "Whose it is, and with whose membership it goes; null of the organization's own.",
      example: "019ab0de-8f6c-7cc4-9e6f-6f2b7f0f1a02",
    }),
    createdBy: z.uuid().nullable().openapi({
      description: "Null when their account is gone.",
      example: "019ab0de-8f6c-7cc4-9e6f-6f2b7f0f1a02",
    }),
    scopes: z.array(z.string()).openapi({ example: ["members:read", "organization:read"] }),
    hint: z.string().openapi({ description: "The key's last four characters.", example: "7Yq2" }),
    rateLimitPerMinute: RateLimit,
    createdAt: Instant,
    updatedAt: Instant,
    rotatedAt: Instant.nullable(),
    previousExpiresAt: Instant.nullable().openapi({
      description: "Until when the key of before the last rotation is good.",
    }),
    expiresAt: Instant.nullable().openapi({ description: "Null of one that is good for good." }),
    lastUsedAt: Instant.nullable().openapi({ description: "To the minute." }),
  })
  .openapi("ApiKey");

const NewApiKey = ApiKey.extend({
  key: z.string().openapi({
    description: "`sbl_`, the environment, 43 random letters and digits, and a checksum of six. It is told here alone.",
    example: "sbl_live_0000000000000000000000000000000000000000000_000000",
  }),
}).openapi("NewApiKey");

const ApiKeyCreate = z
  .strictObject({
    name: Name,
    scopes: Scopes,
    owner: z.enum(["member", "organization"]).default("member").openapi({
      description:
        "`member`: it is the caller's, and ends with their membership. `organization`: it stays when they leave, and only an owner makes one; nothing is done with it that somebody has to answer for, such as to invite people.",
    }),
    rateLimitPerMinute: RateLimit.default(null),
    expiresInDays: z
      .int()
      .min(1)
      .max(365)
      .nullable()
      .default(90)
      .openapi({ description: "1 to 365; null for a key that is good for good.", example: 90 }),
  })
  .openapi("ApiKeyCreate");

const ApiKeyUpdate = z
  .strictObject({ name: Name.optional(), scopes: Scopes.optional(), rateLimitPerMinute: RateLimit.optional() })
  .refine((body) => Object.values(body).some((value) => value !== undefined), "must have something to change")
  .openapi("ApiKeyUpdate", { minProperties: 1 });

const ApiKeyRotation = z
  .strictObject({
    overlapSeconds: z.int().min(0).max(604_800).optional().openapi({
      default: 0,
      description: "How long the key of before is good beside the new one: 7 days at most, and none by itself.",
      example: 3600,
    }),
  })
  .openapi("ApiKeyRotation");

const createRoute = tenantRoute("api-keys:write", {
  method: "post",
  path: collection,
  tags: ["API keys"],
  summary: "Make an API key",
  description:
    "Send it as `Authorization: Bearer …` to the organization's routes. It is in this answer alone; since no answer with a secret is kept, the request takes no Idempotency-Key. An organization has 100 at most.",
  fresh: true,
  request: { params: OrganizationParams, body: jsonRequest(ApiKeyCreate) },
  responses: { 201: json(NewApiKey, "The new key.") },
  errors: ["role_above_own", "api_key_limit"],
});

const listRoute = tenantRoute("api-keys:read", {
  method: "get",
  path: collection,
  tags: ["API keys"],
  summary: "List the API keys",
  description:
    "Everybody's, newest first, without the keys themselves. Each is listed until 30 days after it has expired.",
  request: { params: OrganizationParams, query: PageQuery },
  responses: { 200: json(pageOf(ApiKey).openapi("ApiKeyPage"), "A page of API keys.") },
});

const readRoute = tenantRoute("api-keys:read", {
  method: "get",
  path: `${collection}/{apiKeyId}`,
  tags: ["API keys"],
  summary: "Read an API key",
  request: { params: ApiKeyParams },
  responses: { 200: json(ApiKey, "The API key, without the key itself.") },
});

const updateRoute = tenantRoute("api-keys:write", {
  method: "patch",
  path: `${collection}/{apiKeyId}`,
  tags: ["API keys"],
  summary: "Change an API key",
  description: "One of the caller's own; an owner changes those of the organization too.",
  inPerson: true,
  request: { params: ApiKeyParams, body: jsonRequest(ApiKeyUpdate) },
  responses: { 200: json(ApiKey, "The API key as it is now.") },
  errors: ["role_above_own"],
});

const revokeRoute = tenantRoute("api-keys:write", {
  method: "delete",
  path: `${collection}/{apiKeyId}`,
  tags: ["API keys"],
  summary: "Revoke an API key",
  description: "Anybody's, at once: its next request is refused with 401.",
  request: { params: ApiKeyParams },
  responses: { 204: { description: "Revoked." } },
});

const rotateRoute = tenantRoute("api-keys:write", {
  method: "post",
  path: `${collection}/{apiKeyId}/rotate`,
  tags: ["API keys"],
  summary: "Rotate an API key",
  description:
    "Another key in its place, for as many days as it was made for: one of the caller's own; an owner rotates those of the organization too. One that was to go already goes at once.",
  fresh: true,
  request: { params: ApiKeyParams, body: optionalJsonRequest(ApiKeyRotation) },
  responses: { 200: json(NewApiKey, "The API key, with its new key.") },
  errors: ["role_above_own"],
});

export const apiKeyRoutes = createRouter()
  .openapi(createRoute, async (c) => {
    const { database, settings } = c.var;
    return c.json(await createApiKey(database, settings, limitersOf(c.env), c.req.valid("json")), 201);
  })
  .openapi(listRoute, async (c) => c.json(await listApiKeys(c.var.database, c.req.valid("query")), 200))
  .openapi(readRoute, async (c) => c.json(await readApiKey(c.var.database, c.req.valid("param").apiKeyId), 200))
  .openapi(updateRoute, async (c) => {
    const { apiKeyId } = c.req.valid("param");
    return c.json(await updateApiKey(c.var.database, apiKeyId, c.req.valid("json")), 200);
  })
  .openapi(revokeRoute, async (c) => {
    await revokeApiKey(c.var.database, c.req.valid("param").apiKeyId);
    return c.body(null, 204);
  })
  .openapi(rotateRoute, async (c) => {
    const { database, settings } = c.var;
    const { overlapSeconds = 0 } = c.req.valid("json");
    const { apiKeyId } = c.req.valid("param");
    return c.json(await rotateApiKey(database, settings, limitersOf(c.env), apiKeyId, overlapSeconds), 200);
  });
