import { z } from "@hono/zod-openapi";
import { createRouter, json, jsonRequest, tenantRoute } from "../openapi.ts";
import {
  acceptOwnership,
  declineOwnership,
  offerOwnership,
  readOwnershipTransfer,
  withdrawOwnership,
} from "../services/ownership-transfers.ts";
import { OrganizationParams } from "./organizations.ts";

const path = "/v1/organizations/{organizationId}/ownership-transfer";

const RecipientId = z.uuid().openapi({ example: "019ab0de-8f6c-7cc4-9e6f-6f2b7f0f1a09" });

export const OwnershipTransfer = z
  .object({
    id: z.uuid().openapi({ example: "019ab0de-8f6c-7cc4-9e6f-6f2b7f0f1a0c" }),
    fromUserId: z
      .uuid()
      .openapi({ description: "An owner until it is accepted.", example: "019ab0de-8f6c-7cc4-9e6f-6f2b7f0f1a02" }),
    toUserId: RecipientId,
    createdAt: z.iso.datetime().openapi({ example: "2026-01-01T09:30:00.000Z" }),
    expiresAt: z.iso.datetime().openapi({ example: "2026-01-08T09:30:00.000Z" }),
  })
  .openapi("OwnershipTransfer");

const offerRoute = tenantRoute("organization:own", {
  method: "post",
  path,
  tags: ["Members"],
  summary: "Offer my ownership",
  description:
    "To another member, who is told by mail and has 7 days to accept. Until then nothing changes; one offer at a time is open.",
  request: {
    params: OrganizationParams,
    body: jsonRequest(z.strictObject({ userId: RecipientId }).openapi("OwnershipOffer")),
  },
  responses: { 201: json(OwnershipTransfer, "The offer.") },
  errors: ["already_owner", "ownership_transfer_pending"],
  fresh: true,
  creates: true,
});

const readRoute = tenantRoute("organization:read", {
  method: "get",
  path,
  tags: ["Members"],
  summary: "Read the offer of ownership",
  description: "The open one, for owners and whoever it is made to. It ends with the ownership of whoever made it.",
  request: { params: OrganizationParams },
  responses: { 200: json(OwnershipTransfer, "The offer.") },
});

const withdrawRoute = tenantRoute("organization:own", {
  method: "delete",
  path,
  tags: ["Members"],
  summary: "Withdraw the offer of ownership",
  description: "Whichever owner made it.",
  inPerson: true,
  request: { params: OrganizationParams },
  responses: { 204: { description: "Withdrawn." } },
});

const acceptRoute = tenantRoute("organization:read", {
  method: "post",
  path: `${path}/accept`,
  tags: ["Members"],
  summary: "Accept the offer of ownership",
  description:
    "The caller is an owner then. Whoever made the offer is none any more, but an admin, and is told by mail.",
  request: { params: OrganizationParams },
  responses: { 204: { description: "Accepted." } },
  fresh: true,
});

const declineRoute = tenantRoute("organization:read", {
  method: "post",
  path: `${path}/decline`,
  tags: ["Members"],
  summary: "Decline the offer of ownership",
  inPerson: true,
  request: { params: OrganizationParams },
  responses: { 204: { description: "Declined." } },
});

export const ownershipTransferRoutes = createRouter()
  .openapi(offerRoute, async (c) =>
    c.json(await offerOwnership(c.var.database, c.var.settings, c.req.valid("json").userId), 201),
  )
  .openapi(readRoute, async (c) => c.json(await readOwnershipTransfer(c.var.database), 200))
  .openapi(withdrawRoute, async (c) => {
    await withdrawOwnership(c.var.database);
    return c.body(null, 204);
  })
  .openapi(acceptRoute, async (c) => {
    await acceptOwnership(c.var.database, c.var.settings);
    return c.body(null, 204);
  })
  .openapi(declineRoute, async (c) => {
    await declineOwnership(c.var.database);
    return c.body(null, 204);
  });
