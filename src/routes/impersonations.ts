import { z } from "@hono/zod-openapi";
import { createRouter, json, jsonRequest, PageQuery, pageOf, platformRoute } from "../openapi.ts";
import { endImpersonation, impersonate, listImpersonations } from "../services/impersonations.ts";
import { Instant, Reason, tags } from "./platform.ts";

const collection = "/v1/platform/impersonations";

const Id = z.uuid().openapi({ example: "019ab0de-8f6c-7cc4-9e6f-6f2b7f0f1a41" });
const UserId = z.uuid().openapi({ example: "019ab0de-8f6c-7cc4-9e6f-6f2b7f0f1a02" });

const ImpersonationParams = z.object({
  impersonationId: Id.openapi({ param: { name: "impersonationId", in: "path" } }),
});

const NewImpersonation = z
  .strictObject({
    userId: UserId,
    reason: Reason.openapi({ description: "The person reads it in their own audit trail." }),
    minutes: z
      .int()
      .min(1)
      .max(60)
      .default(15)
      .openapi({ description: "After which it ends, whatever happens.", example: 15 }),
  })
  .openapi("NewImpersonation");

const StartedImpersonation = z
  .object({
    id: Id,
    userId: UserId,
    accessToken: z.string().openapi({
      description:
        "A JWT, sent as `Authorization: Bearer …`: its `sub` is the person, `act.sub` the administrator (RFC 8693).",
      example: "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIuLi4ifQ.c2ln",
    }),
    tokenType: z.literal("Bearer"),
    expiresIn: z.int().openapi({ description: "Seconds until it ends. Nothing refreshes it.", example: 900 }),
    expiresAt: Instant,
  })
  .openapi("StartedImpersonation");

const Impersonation = z
  .object({
    id: Id,
    userId: UserId,
    impersonatorId: z.uuid().openapi({ example: "019ab0de-8f6c-7cc4-9e6f-6f2b7f0f1a05" }),
    reason: z.string().openapi({ example: "Ticket 4711" }),
    createdAt: Instant,
    expiresAt: Instant,
    endedAt: Instant.nullable().openapi({ description: "When it was ended before that.", example: null }),
  })
  .openapi("Impersonation");

const startRoute = platformRoute({
  method: "post",
  path: collection,
  tags,
  summary: "Act as somebody",
  description:
    "Begins a session of the person's, for the administrator. In it all is done that the person may do, but for what they are known by: passwords, second factors, addresses, identities, sessions, API keys and other secrets, and whatever asks who they are again. Every audit event of it names the administrator as `impersonatorId`.",
  request: { body: jsonRequest(NewImpersonation) },
  responses: { 201: json(StartedImpersonation, "The session.") },
  fresh: true,
  errors: ["platform_admin", "user_suspended"],
});

const listRoute = platformRoute({
  method: "get",
  path: collection,
  tags,
  summary: "List who acts and acted as whom",
  description: "Newest first, until 30 days after their end; the trails of the people know of them for 365.",
  request: { query: PageQuery },
  responses: { 200: json(pageOf(Impersonation).openapi("ImpersonationPage"), "A page of them.") },
});

const endRoute = platformRoute({
  method: "delete",
  path: `${collection}/{impersonationId}`,
  tags,
  summary: "End an impersonation",
  description: "Any administrator's. Whoever acts as the person signs out to end their own.",
  request: { params: ImpersonationParams },
  responses: { 204: { description: "Ended; its next request is refused." } },
});

export const impersonationRoutes = createRouter()
  .openapi(startRoute, async (c) => c.json(await impersonate(c.var.database, c.var.settings, c.req.valid("json")), 201))
  .openapi(listRoute, async (c) => c.json(await listImpersonations(c.var.database, c.req.valid("query")), 200))
  .openapi(endRoute, async (c) => {
    await endImpersonation(c.var.database, c.req.valid("param").impersonationId);
    return c.body(null, 204);
  });
