import { z } from "@hono/zod-openapi";
import { createRouter, json, personRoute } from "../openapi.ts";
import { joinSuggestedOrganization, listSuggestedOrganizations } from "../services/suggested-organizations.ts";
import { Organization, RoleName } from "./organizations.ts";

const collection = "/v1/users/me/suggested-organizations";

const SuggestedOrganization = z
  .object({
    id: z.uuid().openapi({ example: "019ab0de-8f6c-7cc4-9e6f-6f2b7f0f1a04" }),
    name: z.string().openapi({ example: "Acme" }),
    domain: z.string().openapi({ description: "That of the caller's address.", example: "acme.example" }),
    roles: z.array(RoleName).openapi({ description: "What the caller would have.", example: ["member"] }),
  })
  .openapi("SuggestedOrganization");

const SuggestedParams = z.object({
  suggestedOrganizationId: z.uuid().openapi({
    param: { name: "suggestedOrganizationId", in: "path" },
    example: "019ab0de-8f6c-7cc4-9e6f-6f2b7f0f1a04",
  }),
});

const listRoute = personRoute({
  method: "get",
  path: collection,
  tags: ["Me"],
  summary: "List the organizations that I may join",
  description:
    "By the domain of your verified address: one at most. None that you are a member of, or have been a member of.",
  verified: true,
  responses: {
    200: json(
      z.object({ data: z.array(SuggestedOrganization) }).openapi("SuggestedOrganizations"),
      "The organizations.",
    ),
  },
});

const joinRoute = personRoute({
  method: "post",
  path: `${collection}/{suggestedOrganizationId}/join`,
  tags: ["Me"],
  summary: "Join one of them",
  verified: true,
  request: { params: SuggestedParams },
  responses: { 201: json(Organization, "The organization, which the caller is a member of now.") },
  errors: ["not_found", "already_member", "member_limit"],
  creates: true,
});

export const suggestedOrganizationRoutes = createRouter()
  .openapi(listRoute, async (c) => c.json(await listSuggestedOrganizations(c.var.database), 200))
  .openapi(joinRoute, async (c) =>
    c.json(await joinSuggestedOrganization(c.var.database, c.req.valid("param").suggestedOrganizationId), 201),
  );
