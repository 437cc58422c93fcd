import { z } from "@hono/zod-openapi";
import { createRouter, json, PageQuery, pageOf, personRoute } from "../openapi.ts";
import { listDeletedOrganizations, restoreOrganization } from "../services/deleted-organizations.ts";
import { Organization } from "./organizations.ts";

const collection = "/v1/users/me/deleted-organizations";

const DeletedOrganization = z
  .object({
    id: z.uuid().openapi({ example: "019ab0de-8f6c-7cc4-9e6f-6f2b7f0f1a04" }),
    name: z.string().openapi({ example: "Acme" }),
    slug: z.string().openapi({ example: "acme" }),
    deletedAt: z.iso.datetime().openapi({ example: "2026-01-01T09:30:00.000Z" }),
    restorableUntil: z.iso
      .datetime()
      .openapi({ description: "30 days after its deletion.", example: "2026-01-31T09:30:00.000Z" }),
  })
  .openapi("DeletedOrganization");

const DeletedParams = z.object({
  deletedOrganizationId: z.uuid().openapi({
    param: { name: "deletedOrganizationId", in: "path" },
    example: "019ab0de-8f6c-7cc4-9e6f-6f2b7f0f1a04",
  }),
});

const listRoute = personRoute({
  method: "get",
  path: collection,
  tags: ["Me"],
  summary: "List the deleted organizations that I can restore",
  description: "Those whose deletion is less than 30 days ago, where the caller has organization:delete; oldest first.",
  request: { query: PageQuery },
  responses: { 200: json(pageOf(DeletedOrganization).openapi("DeletedOrganizationPage"), "A page of them.") },
});

const restoreRoute = personRoute({
  method: "post",
  path: `${collection}/{deletedOrganizationId}/restore`,
  tags: ["Me"],
  summary: "Restore one of them",
  description:
    "As it was, with its members, teams, domains and connections. An invitation or share link is good again, if it has not expired meanwhile; a domain that another organization has verified meanwhile is theirs. One that is not deleted stays as it is.",
  request: { params: DeletedParams },
  responses: { 200: json(Organization, "The organization.") },
  errors: ["not_found", "mfa_enrollment_required"],
});

export const deletedOrganizationRoutes = createRouter()
  .openapi(listRoute, async (c) => c.json(await listDeletedOrganizations(c.var.database, c.req.valid("query")), 200))
  .openapi(restoreRoute, async (c) =>
    c.json(await restoreOrganization(c.var.database, c.req.valid("param").deletedOrganizationId), 200),
  );
