import { z } from "@hono/zod-openapi";
import { createRouter, json, PageQuery, pageOf, tenantRoute } from "../openapi.ts";
import { listMembers } from "../services/members.ts";
import { OrganizationParams, RoleName } from "./organizations.ts";

const Member = z
  .object({
    userId: z.uuid().openapi({ example: "019ab0de-8f6c-7cc4-9e6f-6f2b7f0f1a02" }),
    email: z.email().openapi({ example: "ada@example.com" }),
    name: z.string().openapi({ example: "Ada Lovelace" }),
    role: RoleName,
    joinedAt: z.iso.datetime().openapi({ example: "2026-01-01T09:30:00.000Z" }),
  })
  .openapi("Member");

const listRoute = tenantRoute("members:read", {
  method: "get",
  path: "/v1/organizations/{organizationId}/members",
  tags: ["Members"],
  summary: "List the members",
  request: { params: OrganizationParams, query: PageQuery },
  responses: { 200: json(pageOf(Member).openapi("MemberPage"), "A page of members.") },
});

export const memberRoutes = createRouter().openapi(listRoute, async (c) =>
  c.json(await listMembers(c.var.database, c.req.valid("query")), 200),
);
