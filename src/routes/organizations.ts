import { z } from "@hono/zod-openapi";
import { createRouter, json, jsonRequest, PageQuery, pageOf, personRoute, tenantRoute } from "../openapi.ts";
import { builtInRoles } from "../permissions.ts";
import {
  createOrganization,
  deleteOrganization,
  findOrganization,
  listOrganizations,
  readOrganization,
  updateOrganization,
} from "../services/organizations.ts";

/** What names a role that is the organization's own. */
export const RoleKey = z
  .string()
  .min(2)
  .max(50)
  .regex(/^[a-z0-9]+(-[a-z0-9]+)*$/, "must be lower-case letters and digits, with single hyphens between them")
  .openapi({ example: "billing" });

export const RoleName = z
  .union([z.enum(builtInRoles), RoleKey])
  .openapi({ description: "A built-in role, or the key of one of the organization's own.", example: "owner" });

export const OrganizationParams = z.object({
  organizationId: z
    .uuid()
    .openapi({ param: { name: "organizationId", in: "path" }, example: "019ab0de-8f6c-7cc4-9e6f-6f2b7f0f1a04" }),
});

const OrganizationName = z.string().trim().min(1).max(100).openapi({ example: "Acme" });

const Slug = z
  .string()
  .min(2)
  .max(63)
  .regex(/^[a-z0-9]+(-[a-z0-9]+)*$/, "must be lower-case letters and digits, with single hyphens between them")
  .openapi({ example: "acme" });

const MfaRequired = z
  .boolean()
  .openapi({ description: "Whether members reach it only in sessions with a second factor.", example: false });

export const Organization = z
  .object({
    id: z.uuid().openapi({ example: "019ab0de-8f6c-7cc4-9e6f-6f2b7f0f1a04" }),
    name: z.string().openapi({ example: "Acme" }),
    slug: z.string().openapi({ example: "acme" }),
    mfaRequired: MfaRequired,
    roles: z.array(RoleName).openapi({ description: "The caller's own roles." }),
    createdAt: z.iso.datetime().openapi({ example: "2026-01-01T09:30:00.000Z" }),
    updatedAt: z.iso.datetime().openapi({ example: "2026-01-01T09:30:00.000Z" }),
  })
  .openapi("Organization");

const OrganizationCreate = z
  .strictObject({
    name: OrganizationName,
    slug: Slug.optional().openapi({ description: "Made from the name when absent." }),
  })
  .openapi("OrganizationCreate");

const OrganizationUpdate = z
  .strictObject({ name: OrganizationName.optional(), slug: Slug.optional(), mfaRequired: MfaRequired.optional() })
  .refine((body) => Object.values(body).some((value) => value !== undefined), "must have something to change")
  .openapi("OrganizationUpdate", { minProperties: 1 });

const listRoute = personRoute({
  method: "get",
  path: "/v1/organizations",
  tags: ["Organizations"],
  summary: "List my organizations",
  description: "With the caller's roles in each, oldest first.",
  request: { query: PageQuery },
  responses: { 200: json(pageOf(Organization).openapi("OrganizationPage"), "A page of organizations.") },
});

const createRoute = personRoute({
  method: "post",
  path: "/v1/organizations",
  tags: ["Organizations"],
  summary: "Create an organization",
  description: "The caller becomes its owner.",
  request: { body: jsonRequest(OrganizationCreate) },
  responses: { 201: json(Organization, "The new organization.") },
  errors: ["slug_taken"],
  creates: true,
});

const readRoute = tenantRoute("organization:read", {
  method: "get",
  path: "/v1/organizations/{organizationId}",
  tags: ["Organizations"],
  summary: "Read an organization",
  request: { params: OrganizationParams },
  responses: { 200: json(Organization, "The organization.") },
});

const slugPath = "/v1/organization-slugs/{organizationSlug}";

const findRoute = personRoute({
  method: "get",
  path: slugPath,
  tags: ["Organizations"],
  summary: "Find an organization by its slug",
  description: "A slug that it had in the last 90 days leads to the one it has now: the last ten of them do.",
  request: {
    params: z.object({ organizationSlug: Slug.openapi({ param: { name: "organizationSlug", in: "path" } }) }),
  },
  responses: {
    200: json(Organization, "The organization."),
    308: { description: "It has another slug now: that of `Location`." },
  },
  errors: ["not_found"],
});

const updateRoute = tenantRoute("organization:update", {
  method: "patch",
  path: "/v1/organizations/{organizationId}",
  tags: ["Organizations"],
  summary: "Update an organization",
  description: "Nobody else gets the slug that it had for 90 days, in which it leads to the new one.",
  request: { params: OrganizationParams, body: jsonRequest(OrganizationUpdate) },
  responses: { 200: json(Organization, "The organization as it is now.") },
  errors: ["slug_taken"],
});

const deleteRoute = tenantRoute("organization:delete", {
  method: "delete",
  path: "/v1/organizations/{organizationId}",
  tags: ["Organizations"],
  summary: "Delete an organization",
  description:
    "At once it is gone for everybody, and so is what leads into it: invitations, share links, domains, single sign-on. For 30 days those who may delete it can restore it; afterwards it is purged, with everything that belongs to it.",
  request: { params: OrganizationParams },
  responses: { 204: { description: "Deleted." } },
});

export const organizationRoutes = createRouter()
  .openapi(listRoute, async (c) => c.json(await listOrganizations(c.var.database, c.req.valid("query")), 200))
  .openapi(createRoute, async (c) => c.json(await createOrganization(c.var.database, c.req.valid("json")), 201))
  .openapi(readRoute, async (c) => c.json(await readOrganization(c.var.database), 200))
  .openapi(findRoute, async (c) => {
    const { organizationSlug } = c.req.valid("param");
    const organization = await findOrganization(c.var.database, organizationSlug);
    if (organization.slug === organizationSlug) return c.json(organization, 200);
    return c.redirect(slugPath.replace("{organizationSlug}", organization.slug), 308);
  })
  .openapi(updateRoute, async (c) => c.json(await updateOrganization(c.var.database, c.req.valid("json")), 200))
  .openapi(deleteRoute, async (c) => {
    await deleteOrganization(c.var.database);
    return c.body(null, 204);
  });
