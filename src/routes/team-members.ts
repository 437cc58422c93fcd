import { z } from "@hono/zod-openapi";
import { createRouter, json, jsonRequest, PageQuery, pageOf, tenantRoute } from "../openapi.ts";
import { listTeamMembers, removeTeamMember, setTeamMember, teamRoles } from "../services/team-members.ts";
import { TeamParams } from "./teams.ts";

const collection = "/v1/organizations/{organizationId}/teams/{teamId}/members";

const TeamMemberParams = TeamParams.extend({
  userId: z.uuid().openapi({ param: { name: "userId", in: "path" }, example: "019ab0de-8f6c-7cc4-9e6f-6f2b7f0f1a02" }),
});

export const TeamRole = z
  .enum(teamRoles)
  .openapi({ description: "In the team: a `lead` says who else is in it.", example: "member" });

export const TeamMember = z
  .object({
    userId: z.uuid().openapi({ example: "019ab0de-8f6c-7cc4-9e6f-6f2b7f0f1a02" }),
    email: z.email().openapi({ example: "ada@example.com" }),
    name: z.string().openapi({ example: "Ada Lovelace" }),
    role: TeamRole,
    addedAt: z.iso.datetime().openapi({ example: "2026-01-01T09:30:00.000Z" }),
  })
  .openapi("TeamMember");

const listRoute = tenantRoute("members:read", {
  method: "get",
  path: collection,
  tags: ["Teams"],
  summary: "List who is in a team",
  description: "By their ids.",
  request: { params: TeamParams, query: PageQuery },
  responses: { 200: json(pageOf(TeamMember).openapi("TeamMemberPage"), "A page of the team's members.") },
});

const setRoute = tenantRoute("members:read", {
  method: "put",
  path: `${collection}/{userId}`,
  tags: ["Teams"],
  summary: "Let a member into a team",
  description:
    "Or give them another role in it. For those with `teams:write`, and for the team's leads. Whoever leaves the organization leaves its teams.",
  request: {
    params: TeamMemberParams,
    body: jsonRequest(z.strictObject({ role: TeamRole }).openapi("TeamMemberUpdate")),
  },
  responses: { 200: json(TeamMember, "The member as they are in the team now.") },
});

const removeRoute = tenantRoute("organization:read", {
  method: "delete",
  path: `${collection}/{userId}`,
  tags: ["Teams"],
  summary: "Take somebody out of a team",
  description: "For those with `teams:write`, for the team's leads, and for whoever leaves it themselves.",
  request: { params: TeamMemberParams },
  responses: { 204: { description: "Not in the team any more." } },
});

export const teamMemberRoutes = createRouter()
  .openapi(listRoute, async (c) => {
    const { teamId } = c.req.valid("param");
    return c.json(await listTeamMembers(c.var.database, teamId, c.req.valid("query")), 200);
  })
  .openapi(setRoute, async (c) => {
    const { teamId, userId } = c.req.valid("param");
    return c.json(await setTeamMember(c.var.database, teamId, userId, c.req.valid("json").role), 200);
  })
  .openapi(removeRoute, async (c) => {
    const { teamId, userId } = c.req.valid("param");
    await removeTeamMember(c.var.database, teamId, userId);
    return c.body(null, 204);
  });
