import { z } from "@hono/zod-openapi";
import { createRouter, json, jsonRequest, PageQuery, pageOf, personRoute, publicRoute } from "../openapi.ts";
import {
  acceptInvitation,
  acceptReceivedInvitation,
  declineInvitation,
  declineReceivedInvitation,
  findInvitation,
  listReceivedInvitations,
} from "../services/received-invitations.ts";
import { Organization, RoleName } from "./organizations.ts";
import { MailedToken } from "./mailed-tokens.ts";

const mine = "/v1/users/me/invitations";

const InvitationToken = jsonRequest(z.strictObject({ token: MailedToken }).openapi("InvitationToken"));

const previewParts = {
  organizationName: z.string().openapi({ example: "Acme" }),
  inviterName: z.string().openapi({ example: "Ada Lovelace" }),
  roles: z.array(RoleName).openapi({ example: ["member"] }),
  expiresAt: z.iso.datetime().openapi({ example: "2026-01-08T09:30:00.000Z" }),
};

const InvitationPreview = z
  .object({ email: z.email().openapi({ example: "grace@example.com" }), ...previewParts })
  .openapi("InvitationPreview");

const ReceivedInvitation = z
  .object({ id: z.uuid().openapi({ example: "019ab0de-8f6c-7cc4-9e6f-6f2b7f0f1a09" }), ...previewParts })
  .openapi("ReceivedInvitation");

const ReceivedParams = z.object({
  receivedInvitationId: z
    .uuid()
    .openapi({ param: { name: "receivedInvitationId", in: "path" }, example: "019ab0de-8f6c-7cc4-9e6f-6f2b7f0f1a09" }),
});

const lookupRoute = publicRoute({
  method: "post",
  path: "/v1/invitations/lookup",
  tags: ["Invitations"],
  summary: "Look up an invitation",
  description: "What to show to whoever opens the link, before they sign up or in.",
  request: { body: InvitationToken },
  responses: { 200: json(InvitationPreview, "The invitation.") },
  errors: ["invalid_token"],
  failClosed: true,
});

const acceptRoute = personRoute({
  method: "post",
  path: "/v1/invitations/accept",
  tags: ["Invitations"],
  summary: "Accept an invitation",
  description:
    "With the account whose address it is for, which it verifies. Whoever has none signs up with `invitationToken`. It is good while whoever sent it may still give its roles.",
  request: { body: InvitationToken },
  responses: { 201: json(Organization, "The organization, which the caller is a member of now.") },
  errors: ["invalid_token", "invitation_email_mismatch", "already_member", "member_limit"],
  unverified: true,
  failClosed: true,
  creates: true,
});

const declineRoute = publicRoute({
  method: "post",
  path: "/v1/invitations/decline",
  tags: ["Invitations"],
  summary: "Decline an invitation",
  request: { body: InvitationToken },
  responses: { 204: { description: "Declined." } },
  errors: ["invalid_token"],
  failClosed: true,
});

const listRoute = personRoute({
  method: "get",
  path: mine,
  tags: ["Invitations"],
  summary: "List my invitations",
  description: "Those to your verified address that you can accept now, oldest first.",
  verified: true,
  request: { query: PageQuery },
  responses: { 200: json(pageOf(ReceivedInvitation).openapi("ReceivedInvitationPage"), "A page of invitations.") },
});

const acceptMineRoute = personRoute({
  method: "post",
  path: `${mine}/{receivedInvitationId}/accept`,
  tags: ["Invitations"],
  summary: "Accept one of my invitations",
  verified: true,
  request: { params: ReceivedParams },
  responses: { 201: json(Organization, "The organization, which the caller is a member of now.") },
  errors: ["not_found", "already_member", "member_limit"],
  creates: true,
});

const declineMineRoute = personRoute({
  method: "post",
  path: `${mine}/{receivedInvitationId}/decline`,
  tags: ["Invitations"],
  summary: "Decline one of my invitations",
  verified: true,
  request: { params: ReceivedParams },
  responses: { 204: { description: "Declined." } },
  errors: ["not_found"],
});

export const receivedInvitationRoutes = createRouter()
  .openapi(lookupRoute, async (c) => c.json(await findInvitation(c.var.database, c.req.valid("json").token), 200))
  .openapi(acceptRoute, async (c) => c.json(await acceptInvitation(c.var.database, c.req.valid("json").token), 201))
  .openapi(declineRoute, async (c) => {
    await declineInvitation(c.var.database, c.req.valid("json").token);
    return c.body(null, 204);
  })
  .openapi(listRoute, async (c) => c.json(await listReceivedInvitations(c.var.database, c.req.valid("query")), 200))
  .openapi(acceptMineRoute, async (c) =>
    c.json(await acceptReceivedInvitation(c.var.database, c.req.valid("param").receivedInvitationId), 201),
  )
  .openapi(declineMineRoute, async (c) => {
    await declineReceivedInvitation(c.var.database, c.req.valid("param").receivedInvitationId);
    return c.body(null, 204);
  });
