import { z } from "@hono/zod-openapi";
import { createRouter, json, jsonRequest, personRoute, publicRoute } from "../openapi.ts";
import { acceptShareLink, findShareLink } from "../services/received-share-links.ts";
import { Organization, RoleName } from "./organizations.ts";
import { ShareLinkToken } from "./share-links.ts";

const ShareLinkTokenBody = jsonRequest(z.strictObject({ token: ShareLinkToken }).openapi("ShareLinkToken"));

const ShareLinkPreview = z
  .object({
    organizationName: z.string().openapi({ example: "Acme" }),
    roles: z.array(RoleName).openapi({ example: ["member"] }),
    allowedDomains: z.array(z.string()).openapi({
      description: "Of whose e-mail addresses it is; of all where there are none.",
      example: ["acme.example"],
    }),
    expiresAt: z.iso.datetime().openapi({ example: "2026-01-08T09:30:00.000Z" }),
  })
  .openapi("ShareLinkPreview");

const lookupRoute = publicRoute({
  method: "post",
  path: "/v1/share-links/lookup",
  tags: ["Invitations"],
  summary: "Look up a share link",
  description:
    "What to show to whoever opens the link. One that is unknown, revoked, used up or expired, or whose maker may not give its roles any more, is not found.",
  request: { body: ShareLinkTokenBody },
  responses: { 200: json(ShareLinkPreview, "The share link.") },
  errors: ["not_found"],
  failClosed: true,
});

const acceptRoute = personRoute({
  method: "post",
  path: "/v1/share-links/accept",
  tags: ["Invitations"],
  summary: "Join by a share link",
  description: "With an account whose address is verified, since the link proves no mailbox.",
  verified: true,
  request: { body: ShareLinkTokenBody },
  responses: { 201: json(Organization, "The organization, which the caller is a member of now.") },
  errors: ["not_found", "email_domain_not_allowed", "already_member", "member_limit"],
  failClosed: true,
  creates: true,
});

export const receivedShareLinkRoutes = createRouter()
  .openapi(lookupRoute, async (c) => c.json(await findShareLink(c.var.database, c.req.valid("json").token), 200))
  .openapi(acceptRoute, async (c) => c.json(await acceptShareLink(c.var.database, c.req.valid("json").token), 201));
