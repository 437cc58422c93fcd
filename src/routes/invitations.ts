import { z } from "@hono/zod-openapi";
import { createRouter, isEachOnce, json, jsonRequest, PageQuery, pageOf, refusal, tenantRoute } from "../openapi.ts";
import {
  createInvitations,
  invitationStatuses,
  listInvitations,
  refusalCodes,
  resendInvitation,
  revokeInvitation,
} from "../services/invitations.ts";
import { MemberRoles } from "./members.ts";
import { OrganizationParams } from "./organizations.ts";
import { TeamId } from "./teams.ts";
import { Email } from "./users.ts";

const collection = "/v1/organizations/{organizationId}/invitations";

const InvitationParams = OrganizationParams.extend({
  invitationId: z
    .uuid()
    .openapi({ param: { name: "invitationId", in: "path" }, example: "019ab0de-8f6c-7cc4-9e6f-6f2b7f0f1a09" }),
});

const Status = z.enum(invitationStatuses).openapi({
  description: "`expired` is what nobody answered in 7 days.",
  example: "pending",
});

export const Invitation = z
  .object({
    id: z.uuid().openapi({ example: "019ab0de-8f6c-7cc4-9e6f-6f2b7f0f1a09" }),
    email: z.email().openapi({ example: "grace@example.com" }),
    roles: MemberRoles,
    teamIds: z.array(TeamId).openapi({
      description: "Those that the person comes into, of those that are there by then, and still the sender's to fill.",
    }),
    status: Status,
    invitedBy: z.uuid().nullable().openapi({
      description: "Who sent it last, and answers for its roles; null when their account is gone.",
      example: "019ab0de-8f6c-7cc4-9e6f-6f2b7f0f1a02",
    }),
    createdAt: z.iso.datetime().openapi({ example: "2026-01-01T09:30:00.000Z" }),
    sentAt: z.iso.datetime().openapi({ example: "2026-01-01T09:30:00.000Z" }),
    expiresAt: z.iso.datetime().openapi({ example: "2026-01-08T09:30:00.000Z" }),
    endedAt: z.iso.datetime().nullable().openapi({ description: "When it was answered or revoked.", example: null }),
  })
  .openapi("Invitation");

const Results = z
  .object({
    results: z.array(
      z.union([
        z.object({
          email: z.email().openapi({ example: "grace@example.com" }),
          status: z.literal(201).openapi({ example: 201 }),
          invitation: Invitation,
        }),
        z.object({
          email: z.email().openapi({ example: "ada@example.com" }),
          ...refusal(refusalCodes, "already_member"),
        }),
      ]),
    ),
  })
  .openapi("InvitationResults");

const InvitationTeams = z.array(TeamId).max(20).refine(isEachOnce, "must name each team once").default([]).openapi({
  description: "Those that the person comes into, with the role `member`.",
  example: [],
  uniqueItems: true,
});

const InvitationCreate = z
  .strictObject({
    invitations: z
      .array(z.strictObject({ email: Email, roles: MemberRoles, teamIds: InvitationTeams }))
      .min(1)
      .max(100),
  })
  .openapi("InvitationCreate");

const createRoute = tenantRoute("invitations:write", {
  method: "post",
  path: collection,
  tags: ["Invitations"],
  summary: "Invite people",
  description:
    "Up to 100 at once, each with roles that the caller could give, and into teams that they could fill; one that cannot be invited is in the way of no other. Each gets a mail with a link to accept, good for 7 days: 500 an hour from one person, 10 an hour to one address. An organization has 1,000 pending ones at most.",
  verified: true,
  request: { params: OrganizationParams, body: jsonRequest(InvitationCreate) },
  responses: { 207: json(Results, "What became of each, in their order.") },
  errors: ["email_off"],
  creates: true,
});

const listRoute = tenantRoute("invitations:read", {
  method: "get",
  path: collection,
  tags: ["Invitations"],
  summary: "List the invitations",
  description: "Oldest first. Those that have ended are listed for another 30 days.",
  request: {
    params: OrganizationParams,
    query: PageQuery.extend({ status: Status.optional().openapi({ param: { name: "status", in: "query" } }) }),
  },
  responses: { 200: json(pageOf(Invitation).openapi("InvitationPage"), "A page of invitations.") },
});

const resendRoute = tenantRoute("invitations:write", {
  method: "post",
  path: `${collection}/{invitationId}/resend`,
  tags: ["Invitations"],
  summary: "Send an invitation again",
  description:
    "With a new link, good for 7 days; the one before is dead. From now on the caller answers for its roles: it is good while they may give them.",
  verified: true,
  request: { params: InvitationParams },
  responses: { 200: json(Invitation, "The invitation as it is now.") },
  errors: ["role_above_own", "unknown_role", "invitation_ended", "already_member", "email_off"],
});

const revokeRoute = tenantRoute("invitations:write", {
  method: "delete",
  path: `${collection}/{invitationId}`,
  tags: ["Invitations"],
  summary: "Revoke an invitation",
  description: "Its link is dead at once.",
  request: { params: InvitationParams },
  responses: { 204: { description: "Revoked." } },
  errors: ["role_above_own", "invitation_ended"],
});

export const invitationRoutes = createRouter()
  .openapi(createRoute, async (c) => {
    const { invitations } = c.req.valid("json");
    return c.json(await createInvitations(c.var.database, c.var.settings, invitations), 207);
  })
  .openapi(listRoute, async (c) => c.json(await listInvitations(c.var.database, c.req.valid("query")), 200))
  .openapi(resendRoute, async (c) => {
    const { invitationId } = c.req.valid("param");
    return c.json(await resendInvitation(c.var.database, c.var.settings, invitationId), 200);
  })
  .openapi(revokeRoute, async (c) => {
    await revokeInvitation(c.var.database, c.req.valid("param").invitationId);
    return c.body(null, 204);
  });
