import { z } from "@hono/zod-openapi";
import {
  createRouter,
  isEachOnce,
  json,
  jsonRequest,
  PageQuery,
  pageOf,
  personRoute,
  publicRoute,
  tenantRoute,
} from "../openapi.ts";
import { builtInRoles, grantablePermissions, permissions } from "../permissions.ts";
import {
  createRole,
  deleteRole,
  listPermissions,
  listRoles,
  readMyPermissions,
  readRole,
  updateRole,
} from "../services/roles.ts";
import { OrganizationParams, RoleKey, RoleName } from "./organizations.ts";

const collection = "/v1/organizations/{organizationId}/roles";

const PermissionName = z.enum(permissions).openapi({ example: "members:read" });

export const Permissions = z
  .array(z.enum(grantablePermissions).openapi({ example: "members:read" }))
  .min(1)
  .max(grantablePermissions.length)
  .refine(isEachOnce, "must name each permission once")
  .openapi({ example: ["members:read", "organization:read"], uniqueItems: true });

const Title = z.string().trim().min(1).max(100).openapi({ example: "Billing" });

export const Role = z
  .object({
    id: z.uuid().openapi({ example: "019ab0de-8f6c-7cc4-9e6f-6f2b7f0f1a07" }),
    key: RoleKey.openapi({ description: "What members' roles name; it stays." }),
    name: z.string().openapi({ example: "Billing" }),
    permissions: z.array(z.string()).openapi({ example: ["members:read", "organization:read"] }),
    createdAt: z.iso.datetime().openapi({ example: "2026-01-01T09:30:00.000Z" }),
    updatedAt: z.iso.datetime().openapi({ example: "2026-01-01T09:30:00.000Z" }),
  })
  .openapi("Role");

const RoleParams = OrganizationParams.extend({
  roleId: z.uuid().openapi({ param: { name: "roleId", in: "path" }, example: "019ab0de-8f6c-7cc4-9e6f-6f2b7f0f1a07" }),
});

const KnownPermissions = z
  .object({
    data: z.array(
      z.object({
        name: PermissionName,
        description: z.string().openapi({ example: "Read the members" }),
        roles: z
          .array(z.enum(builtInRoles))
          .openapi({ description: "The built-in roles that have it.", example: ["owner"] }),
      }),
    ),
  })
  .openapi("Permissions");

const listPermissionsRoute = publicRoute({
  method: "get",
  path: "/v1/permissions",
  tags: ["Roles"],
  summary: "List the permissions",
  description: "Of the product, with the built-in roles that have each: all that a role can be made of.",
  responses: { 200: json(KnownPermissions, "The permissions.") },
});

const readMineRoute = personRoute({
  method: "get",
  path: "/v1/users/me/permissions",
  tags: ["Me"],
  summary: "Read what I may do in an organization",
  description: "For showing and hiding: each request is looked at anew.",
  request: {
    query: z.strictObject({
      organizationId: z
        .uuid()
        .openapi({ param: { name: "organizationId", in: "query" }, example: "019ab0de-8f6c-7cc4-9e6f-6f2b7f0f1a04" }),
    }),
  },
  responses: {
    200: json(
      z.object({ roles: z.array(RoleName), permissions: z.array(PermissionName) }).openapi("MyPermissions"),
      "My roles, and their permissions together.",
    ),
  },
  errors: ["not_found"],
});

const listRoute = tenantRoute("organization:read", {
  method: "get",
  path: collection,
  tags: ["Roles"],
  summary: "List the organization's own roles",
  description: "Oldest first. The built-in ones, of which an organization needs to make none, are at /v1/permissions.",
  request: { params: OrganizationParams, query: PageQuery },
  responses: { 200: json(pageOf(Role).openapi("RolePage"), "A page of roles.") },
});

const createRoute = tenantRoute("roles:write", {
  method: "post",
  path: collection,
  tags: ["Roles"],
  summary: "Make a role",
  description:
    "Of permissions that the caller has; `organization:read` is in every role. An organization has 100 roles at most.",
  request: {
    params: OrganizationParams,
    body: jsonRequest(z.strictObject({ key: RoleKey, name: Title, permissions: Permissions }).openapi("RoleCreate")),
  },
  responses: { 201: json(Role, "The new role.") },
  errors: ["role_above_own", "role_taken", "role_limit"],
  creates: true,
});

const readRoute = tenantRoute("organization:read", {
  method: "get",
  path: `${collection}/{roleId}`,
  tags: ["Roles"],
  summary: "Read a role",
  request: { params: RoleParams },
  responses: { 200: json(Role, "The role.") },
});

const updateRoute = tenantRoute("roles:write", {
  method: "patch",
  path: `${collection}/{roleId}`,
  tags: ["Roles"],
  summary: "Change a role",
  description: "For all who have it, from their next request on. The caller has all that it may do before and after.",
  request: {
    params: RoleParams,
    body: jsonRequest(
      z
        .strictObject({ name: Title.optional(), permissions: Permissions.optional() })
        .refine((body) => Object.values(body).some((value) => value !== undefined), "must have something to change")
        .openapi("RoleUpdate", { minProperties: 1 }),
    ),
  },
  responses: { 200: json(Role, "The role as it is now.") },
  errors: ["role_above_own"],
});

const deleteRoute = tenantRoute("roles:write", {
  method: "delete",
  path: `${collection}/{roleId}`,
  tags: ["Roles"],
  summary: "Delete a role",
  description: "Where members have it, name the role that they get instead.",
  request: {
    params: RoleParams,
    query: z.strictObject({
      replacement: RoleName.optional().openapi({ param: { name: "replacement", in: "query" }, example: "member" }),
    }),
  },
  responses: { 204: { description: "Deleted." } },
  errors: ["unknown_role", "role_above_own", "role_in_use"],
});

export const roleRoutes = createRouter()
  .openapi(listPermissionsRoute, (c) => c.json({ data: listPermissions() }, 200))
  .openapi(readMineRoute, async (c) =>
    c.json(await readMyPermissions(c.var.database, c.req.valid("query").organizationId), 200),
  )
  .openapi(listRoute, async (c) => c.json(await listRoles(c.var.database, c.req.valid("query")), 200))
  .openapi(createRoute, async (c) => c.json(await createRole(c.var.database, c.req.valid("json")), 201))
  .openapi(readRoute, async (c) => c.json(await readRole(c.var.database, c.req.valid("param").roleId), 200))
  .openapi(updateRoute, async (c) =>
    c.json(await updateRole(c.var.database, c.req.valid("param").roleId, c.req.valid("json")), 200),
  )
  .openapi(deleteRoute, async (c) => {
    await deleteRole(c.var.database, c.req.valid("param").roleId, c.req.valid("query").replacement);
    return c.body(null, 204);
  });
