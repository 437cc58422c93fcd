import { z } from "@hono/zod-openapi";
import { createRouter, json, PageQuery, pageOf, personRoute } from "../openapi.ts";
import { forgetCookie } from "../refresh-cookie.ts";
import { listSessions, revokeSession, revokeSessions } from "../services/sessions.ts";

const SessionId = z
  .uuid()
  .openapi({ param: { name: "sessionId", in: "path" }, example: "019ab0de-8f6c-7cc4-9e6f-6f2b7f0f1a03" });

const Session = z
  .object({
    id: z.uuid().openapi({ example: "019ab0de-8f6c-7cc4-9e6f-6f2b7f0f1a03" }),
    current: z.boolean().openapi({ description: "Whether this request was made in it.", example: true }),
    ipAddress: z.string().nullable().openapi({ example: "203.0.113.7" }),
    userAgent: z.string().nullable().openapi({ example: "curl/8.14.1" }),
    createdAt: z.iso.datetime().openapi({ example: "2026-01-01T09:30:00.000Z" }),
    lastUsedAt: z.iso
      .datetime()
      .openapi({ description: "When its tokens were last refreshed.", example: "2026-01-01T09:45:00.000Z" }),
    idleExpiresAt: z.iso
      .datetime()
      .openapi({ description: "When it ends unless its tokens are refreshed.", example: "2026-01-08T09:45:00.000Z" }),
    expiresAt: z.iso
      .datetime()
      .openapi({ description: "When it ends, whatever is refreshed.", example: "2026-01-31T09:30:00.000Z" }),
    impersonatorId: z.uuid().nullable().openapi({
      description: "The administrator of the platform who acts as me in it; null in one of my own.",
      example: null,
    }),
  })
  .openapi("Session");

const listSessionsRoute = personRoute({
  method: "get",
  path: "/v1/auth/sessions",
  tags: ["Auth"],
  summary: "List my sessions",
  description: "Live sessions, newest first.",
  request: { query: PageQuery },
  responses: { 200: json(pageOf(Session).openapi("SessionPage"), "A page of sessions.") },
});

const RevokeSessionsQuery = z.strictObject({
  scope: z
    .enum(["others", "all"])
    .default("others")
    .openapi({ description: "All but this session, or all.", example: "others" }),
});

const revokeSessionsRoute = personRoute({
  method: "delete",
  path: "/v1/auth/sessions",
  tags: ["Auth"],
  summary: "Revoke my sessions",
  request: { query: RevokeSessionsQuery },
  responses: { 204: { description: "Revoked; their next request is refused." } },
  setsCookie: [204],
});

const revokeSessionRoute = personRoute({
  method: "delete",
  path: "/v1/auth/sessions/{sessionId}",
  tags: ["Auth"],
  summary: "Revoke one of my sessions",
  request: { params: z.object({ sessionId: SessionId }) },
  responses: { 204: { description: "Revoked; its next request is refused." } },
  setsCookie: [204],
  errors: ["not_found"],
});

export const sessionRoutes = createRouter()
  .openapi(listSessionsRoute, async (c) => c.json(await listSessions(c.var.database, c.req.valid("query")), 200))
  .openapi(revokeSessionsRoute, async (c) => {
    const { scope } = c.req.valid("query");
    await revokeSessions(c.var.database, scope);
    forgetCookie(c, scope === "all");
    return c.body(null, 204);
  })
  .openapi(revokeSessionRoute, async (c) => {
    const { isCurrent } = await revokeSession(c.var.database, c.req.valid("param").sessionId);
    forgetCookie(c, isCurrent);
    return c.body(null, 204);
  });
