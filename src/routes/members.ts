import { z } from "@hono/zod-openapi";
import { createRouter, isEachOnce, json, jsonRequest, PageQuery, pageOf, tenantRoute } from "../openapi.ts";
import { builtInRoles } from "../permissions.ts";
import {
  joiningWays,
  leaveOrganization,
  listMembers,
  readMember,
  removeMember,
  setMemberRoles,
} from "../services/members.ts";
import { OrganizationParams, RoleKey, RoleName } from "./organizations.ts";

const collection = "/v1/organizations/{organizationId}/members";

export const MemberRoles = z
  .array(RoleName)
  .min(1)
  .max(10)
  .refine(isEachOnce, "must name each role once")
  .openapi({ description: "One at least; their permissions are joined.", example: ["admin"], uniqueItems: true });

/** Those that people come in with by themselves: nobody becomes an owner so. */
export const JoiningRoles = z
  .array(z.union([z.enum(builtInRoles).exclude(["owner"]), RoleKey]).openapi({ example: "member" }))
  .min(1)
  .max(10)
  .refine(isEachOnce, "must name each role once")
  .openapi({
    description: "Any but the owner's; their permissions are joined.",
    example: ["member"],
    uniqueItems: true,
  });

export const JoinedBy = z.enum(joiningWays).openapi({
  description:
    "`creation` of the organization, `sso`: its own identity provider, `invitation`, `share_link`, or `domain`: that of a verified address.",
  example: "creation",
});

const MemberParams = OrganizationParams.extend({
  userId: z.uuid().openapi({ param: { name: "userId", in: "path" }, example: "019ab0de-8f6c-7cc4-9e6f-6f2b7f0f1a02" }),
});

export const Member = z
  .object({
    userId: z.uuid().openapi({ example: "019ab0de-8f6c-7cc4-9e6f-6f2b7f0f1a02" }),
    email: z.email().openapi({ example: "ada@example.com" }),
    name: z.string().openapi({ example: "Ada Lovelace" }),
    roles: MemberRoles,
    joinedBy: JoinedBy,
    invitedBy: z.uuid().nullable().openapi({
      description: "Whose invitation or share link it was; null for none, and where their account is gone.",
      example: null,
    }),
    joinedAt: z.iso.datetime().openapi({ example: "2026-01-01T09:30:00.000Z" }),
  })
  .openapi("Member");

const MemberQuery = PageQuery.extend({
  search: z
    .string()
    .trim()
    .min(1)
    .max(100)
    .refine((text) => !text.includes("\0"), "must not have U+0000")
    .optional()
    .openapi({
      description:
        "What an address, a word of a name, or with an @ an address's domain starts with; without regard to case and accents.",
      example: "ada",
    }),
  cursor: z.string().max(1000).optional().openapi({
    description: "`nextCursor` of the page before, of the same `search`.",
    example: "AZqw3o9sfMSeb28rfw8aAQ",
  }),
});

const listRoute = tenantRoute("members:read", {
  method: "get",
  path: collection,
  tags: ["Members"],
  summary: "List the members",
  description: "By their ids; those who are searched for, by what they are found by.",
  request: { params: OrganizationParams, query: MemberQuery },
  responses: { 200: json(pageOf(Member).openapi("MemberPage"), "A page of members.") },
});

const readRoute = tenantRoute("members:read", {
  method: "get",
  path: `${collection}/{userId}`,
  tags: ["Members"],
  summary: "Read a member",
  request: { params: MemberParams },
  responses: { 200: json(Member, "The member.") },
});

const updateRoute = tenantRoute("members:write", {
  method: "patch",
  path: `${collection}/{userId}`,
  tags: ["Members"],
  summary: "Change a member's roles",
  description:
    "In place of those before, from the member's next request on. Nobody gives roles, or takes them from somebody, that may do more than they may themselves, and one owner stays.",
  request: {
    params: MemberParams,
    body: jsonRequest(z.strictObject({ roles: MemberRoles }).openapi("MemberUpdate")),
  },
  responses: { 200: json(Member, "The member as they are now.") },
  errors: ["unknown_role", "role_above_own", "last_owner"],
});

const removeRoute = tenantRoute("members:write", {
  method: "delete",
  path: `${collection}/{userId}`,
  tags: ["Members"],
  summary: "Remove a member",
  description:
    "Their next request finds no organization. Whoever signs in with the organization's own identity provider comes back with it: take them out there first.",
  request: { params: MemberParams },
  responses: { 204: { description: "Removed." } },
  errors: ["role_above_own", "last_owner"],
});

const leaveRoute = tenantRoute("organization:read", {
  method: "post",
  path: "/v1/organizations/{organizationId}/leave",
  tags: ["Members"],
  summary: "Leave an organization",
  description: "An only owner first makes somebody else one, or deletes the organization.",
  inPerson: true,
  request: { params: OrganizationParams },
  responses: { 204: { description: "Left." } },
  errors: ["last_owner"],
});

export const memberRoutes = createRouter()
  .openapi(listRoute, async (c) => c.json(await listMembers(c.var.database, c.req.valid("query")), 200))
  .openapi(readRoute, async (c) => c.json(await readMember(c.var.database, c.req.valid("param").userId), 200))
  .openapi(updateRoute, async (c) => {
    const { userId } = c.req.valid("param");
    return c.json(await setMemberRoles(c.var.database, userId, c.req.valid("json").roles), 200);
  })
  .openapi(removeRoute, async (c) => {
    await removeMember(c.var.database, c.req.valid("param").userId);
    return c.body(null, 204);
  })
  .openapi(leaveRoute, async (c) => {
    await leaveOrganization(c.var.database);
    return c.body(null, 204);
  });
