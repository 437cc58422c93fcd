import { z } from "@hono/zod-openapi";
import { createRouter, json, jsonRequest, PageQuery, pageOf, platformRoute } from "../openapi.ts";
import {
  listPlatformOrganizations,
  readPlatformOrganization,
  suspendOrganization,
  unsuspendOrganization,
} from "../services/platform-organizations.ts";
import { OrganizationParams } from "./organizations.ts";
import { Instant, NewSuspension, Suspended, Suspension, tags, TermCursor } from "./platform.ts";

const collection = "/v1/platform/organizations";

const PlatformOrganization = z
  .object({
    id: z.uuid().openapi({ example: "019ab0de-8f6c-7cc4-9e6f-6f2b7f0f1a04" }),
    slug: z.string().openapi({ example: "acme" }),
    name: z.string().openapi({ example: "Acme" }),
    createdAt: Instant,
    deletedAt: Instant.nullable().openapi({ description: "It is purged 30 days later.", example: null }),
    ...Suspension,
  })
  .openapi("PlatformOrganization");

const WholePlatformOrganization = PlatformOrganization.extend({
  owners: z
    .array(
      z.object({
        id: z.uuid().openapi({ example: "019ab0de-8f6c-7cc4-9e6f-6f2b7f0f1a02" }),
        email: z.email().openapi({ example: "ada@example.com" }),
        name: z.string().openapi({ example: "Ada Lovelace" }),
      }),
    )
    .openapi({ description: "The first 100." }),
}).openapi("WholePlatformOrganization");

const ListQuery = PageQuery.extend({
  slug: z
    .string()
    .regex(/^[a-z0-9-]{1,63}$/, "must be what a slug can begin with")
    .optional()
    .openapi({ description: "What the slug begins with.", example: "ac" }),
  suspended: Suspended,
  cursor: TermCursor,
});

const listRoute = platformRoute({
  method: "get",
  path: collection,
  tags,
  summary: "List all organizations",
  description: "In the order of their slugs, deleted ones too until they are purged.",
  request: { query: ListQuery },
  responses: {
    200: json(pageOf(PlatformOrganization).openapi("PlatformOrganizationPage"), "A page of organizations."),
  },
});

const readRoute = platformRoute({
  method: "get",
  path: `${collection}/{organizationId}`,
  tags,
  summary: "Read any organization",
  request: { params: OrganizationParams },
  responses: { 200: json(WholePlatformOrganization, "The organization.") },
});

const suspendRoute = platformRoute({
  method: "post",
  path: `${collection}/{organizationId}/suspend`,
  tags,
  summary: "Suspend an organization",
  description:
    "Nobody is let into it from the next request on, neither members nor API keys. One that is suspended stays so, with the reason of before.",
  request: { params: OrganizationParams, body: jsonRequest(NewSuspension) },
  responses: { 200: json(PlatformOrganization, "The organization.") },
  fresh: true,
});

const unsuspendRoute = platformRoute({
  method: "post",
  path: `${collection}/{organizationId}/unsuspend`,
  tags,
  summary: "Take a suspension back",
  description: "All is as it was.",
  request: { params: OrganizationParams },
  responses: { 200: json(PlatformOrganization, "The organization.") },
  fresh: true,
});

export const platformOrganizationRoutes = createRouter()
  .openapi(listRoute, async (c) => {
    const { slug = "", ...input } = c.req.valid("query");
    return c.json(await listPlatformOrganizations(c.var.database, { ...input, startingWith: slug }), 200);
  })
  .openapi(readRoute, async (c) =>
    c.json(await readPlatformOrganization(c.var.database, c.req.valid("param").organizationId), 200),
  )
  .openapi(suspendRoute, async (c) => {
    const { reason } = c.req.valid("json");
    return c.json(await suspendOrganization(c.var.database, c.req.valid("param").organizationId, reason), 200);
  })
  .openapi(unsuspendRoute, async (c) =>
    c.json(await unsuspendOrganization(c.var.database, c.req.valid("param").organizationId), 200),
  );
