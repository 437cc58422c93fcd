import { z } from "@hono/zod-openapi";
import { createRouter, json, jsonRequest, PageQuery, pageOf, tenantRoute } from "../openapi.ts";
import { createShareLink, listShareLinks, revokeShareLink } from "../services/share-links.ts";
import { MailedToken } from "./mailed-tokens.ts";
import { JoiningRoles } from "./members.ts";
import { OrganizationParams } from "./organizations.ts";

const collection = "/v1/organizations/{organizationId}/share-links";

const ShareLinkParams = OrganizationParams.extend({
  shareLinkId: z
    .uuid()
    .openapi({ param: { name: "shareLinkId", in: "path" }, example: "019ab0de-8f6c-7cc4-9e6f-6f2b7f0f1a0b" }),
});

const EmailDomain = z
  .string()
  .max(253)
  .regex(
    /^([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z0-9-]{2,63}$/,
    "must be a domain, such as acme.example",
  )
  .openapi({ example: "acme.example" });

export const ShareLinkToken = MailedToken.openapi({ description: "From the link." });

const MaxUses = z.int().min(1).max(1000);

export const ShareLink = z
  .object({
    id: z.uuid().openapi({ example: "019ab0de-8f6c-7cc4-9e6f-6f2b7f0f1a0b" }),
    roles: JoiningRoles,
    allowedDomains: z
      .array(z.string().openapi({ example: "acme.example" }))
      .openapi({ description: "Of whose e-mail addresses it is; of all where there are none." }),
    maxUses: MaxUses.openapi({ description: "How many people can join by it.", example: 50 }),
    uses: z.int().openapi({ description: "How many have joined by it.", example: 3 }),
    createdBy: z.uuid().nullable().openapi({
      description: "Who answers for its roles; null when their account is gone.",
      example: "019ab0de-8f6c-7cc4-9e6f-6f2b7f0f1a02",
    }),
    createdAt: z.iso.datetime().openapi({ example: "2026-01-01T09:30:00.000Z" }),
    expiresAt: z.iso.datetime().openapi({ example: "2026-01-08T09:30:00.000Z" }),
  })
  .openapi("ShareLink");

const CreatedShareLink = ShareLink.extend({ token: ShareLinkToken }).openapi("CreatedShareLink");

const ShareLinkCreate = z
  .strictObject({
    roles: JoiningRoles,
    allowedDomains: z
      .array(EmailDomain)
      .max(20)
      .default([])
      .openapi({ description: "Without any, every verified address will do. Subdomains are domains of their own." }),
    maxUses: MaxUses.openapi({ description: "1 to 1,000.", example: 50 }),
    expiresInDays: z.int().min(1).max(30).default(7).openapi({ description: "1 to 30.", example: 7 }),
  })
  .openapi("ShareLinkCreate");

const createRoute = tenantRoute("invitations:write", {
  method: "post",
  path: collection,
  tags: ["Invitations"],
  summary: "Make a share link",
  description:
    "For whoever is given it, with roles that the caller could give, but the owner's. Its token is in this answer alone; since no answer with a secret is kept, the request takes no Idempotency-Key. It is good while the caller may give its roles. An organization has 20 at most that are neither used up nor expired.",
  verified: true,
  request: { params: OrganizationParams, body: jsonRequest(ShareLinkCreate) },
  responses: { 201: json(CreatedShareLink, "The new link, with its token.") },
  errors: ["role_above_own", "unknown_role", "owner_role_refused", "share_link_limit"],
});

const listRoute = tenantRoute("invitations:read", {
  method: "get",
  path: collection,
  tags: ["Invitations"],
  summary: "List the share links",
  description: "Oldest first. Each is listed until 30 days after it has expired.",
  request: { params: OrganizationParams, query: PageQuery },
  responses: { 200: json(pageOf(ShareLink).openapi("ShareLinkPage"), "A page of share links.") },
});

const revokeRoute = tenantRoute("invitations:write", {
  method: "delete",
  path: `${collection}/{shareLinkId}`,
  tags: ["Invitations"],
  summary: "Revoke a share link",
  description: "Nobody joins by it any more. Those who have joined stay members.",
  request: { params: ShareLinkParams },
  responses: { 204: { description: "Revoked." } },
  errors: ["role_above_own"],
});

export const shareLinkRoutes = createRouter()
  .openapi(createRoute, async (c) => c.json(await createShareLink(c.var.database, c.req.valid("json")), 201))
  .openapi(listRoute, async (c) => c.json(await listShareLinks(c.var.database, c.req.valid("query")), 200))
  .openapi(revokeRoute, async (c) => {
    await revokeShareLink(c.var.database, c.req.valid("param").shareLinkId);
    return c.body(null, 204);
  });
