import { z } from "@hono/zod-openapi";
import { createRouter, json, jsonRequest, PageQuery, pageOf, tenantRoute } from "../openapi.ts";
import { createTeam, deleteTeam, listTeams, readTeam, updateTeam } from "../services/teams.ts";
import { OrganizationParams } from "./organizations.ts";

const collection = "/v1/organizations/{organizationId}/teams";

export const TeamId = z.uuid().openapi({ example: "019ab0de-8f6c-7cc4-9e6f-6f2b7f0f1a0d" });

export const TeamParams = OrganizationParams.extend({
  teamId: TeamId.openapi({ param: { name: "teamId", in: "path" } }),
});

const TeamName = z.string().trim().min(1).max(100).openapi({ example: "Support" });

export const Team = z
  .object({
    id: TeamId,
    name: z.string().openapi({ example: "Support" }),
    createdAt: z.iso.datetime().openapi({ example: "2026-01-01T09:30:00.000Z" }),
    updatedAt: z.iso.datetime().openapi({ example: "2026-01-01T09:30:00.000Z" }),
  })
  .openapi("Team");

const createRoute = tenantRoute("teams:write", {
  method: "post",
  path: collection,
  tags: ["Teams"],
  summary: "Make a team",
  description:
    "In which nobody is yet. No two have the same name, in whatever case; an organization has 1,000 teams at most.",
  request: {
    params: OrganizationParams,
    body: jsonRequest(z.strictObject({ name: TeamName }).openapi("TeamCreate")),
  },
  responses: { 201: json(Team, "The new team.") },
  errors: ["team_name_taken", "team_limit", "entitlement_required"],
  creates: true,
});

const listRoute = tenantRoute("organization:read", {
  method: "get",
  path: collection,
  tags: ["Teams"],
  summary: "List the teams",
  description: "Oldest first; with `userId` those that the member is in, who without `members:read` is the caller.",
  request: {
    params: OrganizationParams,
    query: PageQuery.extend({
      userId: z
        .uuid()
        .optional()
        .openapi({ param: { name: "userId", in: "query" }, example: "019ab0de-8f6c-7cc4-9e6f-6f2b7f0f1a02" }),
    }),
  },
  responses: { 200: json(pageOf(Team).openapi("TeamPage"), "A page of teams.") },
});

const readRoute = tenantRoute("organization:read", {
  method: "get",
  path: `${collection}/{teamId}`,
  tags: ["Teams"],
  summary: "Read a team",
  request: { params: TeamParams },
  responses: { 200: json(Team, "The team.") },
});

const updateRoute = tenantRoute("teams:write", {
  method: "patch",
  path: `${collection}/{teamId}`,
  tags: ["Teams"],
  summary: "Rename a team",
  request: { params: TeamParams, body: jsonRequest(z.strictObject({ name: TeamName }).openapi("TeamUpdate")) },
  responses: { 200: json(Team, "The team as it is now.") },
  errors: ["team_name_taken"],
});

const deleteRoute = tenantRoute("teams:write", {
  method: "delete",
  path: `${collection}/{teamId}`,
  tags: ["Teams"],
  summary: "Delete a team",
  description: "Who was in it stays a member of the organization.",
  request: { params: TeamParams },
  responses: { 204: { description: "Deleted." } },
});

export const teamRoutes = createRouter()
  .openapi(createRoute, async (c) => c.json(await createTeam(c.var.database, c.req.valid("json").name), 201))
  .openapi(listRoute, async (c) => c.json(await listTeams(c.var.database, c.req.valid("query")), 200))
  .openapi(readRoute, async (c) => c.json(await readTeam(c.var.database, c.req.valid("param").teamId), 200))
  .openapi(updateRoute, async (c) =>
    c.json(await updateTeam(c.var.database, c.req.valid("param").teamId, c.req.valid("json").name), 200),
  )
  .openapi(deleteRoute, async (c) => {
    await deleteTeam(c.var.database, c.req.valid("param").teamId);
    return c.body(null, 204);
  });
