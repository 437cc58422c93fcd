import { z } from "@hono/zod-openapi";
import type { TypedResponse } from "hono";
import { createRouter, json, tenantRoute } from "../openapi.ts";
import { exportOrganization } from "../services/organization-exports.ts";
import { ApiKey } from "./api-keys.ts";
import { Domain } from "./domains.ts";
import { Invitation } from "./invitations.ts";
import { Invoice } from "./invoices.ts";
import { Member } from "./members.ts";
import { Organization, OrganizationParams } from "./organizations.ts";
import { OwnershipTransfer } from "./ownership-transfers.ts";
import { Role } from "./roles.ts";
import { ShareLink } from "./share-links.ts";
import { Connection } from "./sso-connections.ts";
import { Subscription } from "./subscriptions.ts";
import { TeamMember } from "./team-members.ts";
import { Team } from "./teams.ts";
import { WebhookEndpoint } from "./webhook-endpoints.ts";

const Instant = z.iso.datetime().openapi({ example: "2026-01-01T09:30:00.000Z" });

const ProviderId = z
  .string()
  .nullable()
  .openapi({ description: "What Stripe knows it by, where it collects the money.", example: null });

const ExportedSubscription = Subscription.omit({ price: true, checkoutUrl: true, isTrialAvailable: true })
  .extend({
    priceId: z.uuid().openapi({ example: "019ab0de-8f6c-7cc4-9e6f-6f2b7f0f1a51" }),
    providerId: ProviderId,
    anchorAt: Instant.openapi({ description: "From which all periods are counted." }),
    endedAt: Instant.nullable(),
    dueAt: Instant.nullable().openapi({ description: "When time changes it next." }),
    updatedAt: Instant,
  })
  .openapi("ExportedSubscription");

const OrganizationExport = z
  .object({
    exportedAt: Instant,
    organization: Organization.omit({ roles: true }).extend({
      memberLimit: z.int().nullable().openapi({ description: "Null where there is none.", example: null }),
    }),
    formerSlugs: z
      .array(z.object({ slug: z.string().openapi({ example: "acme" }), replacedAt: Instant }))
      .openapi({ description: "Those that lead to the present one." }),
    members: z.array(Member),
    roles: z.array(Role).openapi({ description: "The organization's own." }),
    teams: z.array(Team.extend({ members: z.array(TeamMember.omit({ email: true, name: true })) })),
    invitations: z
      .array(Invitation)
      .openapi({ description: "Ended ones for 30 days; `pending` too after their 7 days. Without their tokens." }),
    shareLinks: z.array(ShareLink).openapi({ description: "Without their tokens." }),
    apiKeys: z.array(ApiKey).openapi({ description: "Without the keys themselves." }),
    webhookEndpoints: z.array(WebhookEndpoint).openapi({ description: "Without their secrets." }),
    ownershipTransfers: z.array(OwnershipTransfer),
    subscriptions: z.array(ExportedSubscription).openapi({ description: "Those that have ended too." }),
    invoices: z.array(Invoice.extend({ providerId: ProviderId, updatedAt: Instant })),
    usage: z
      .array(
        z.object({
          meter: z.string().openapi({ example: "api-requests" }),
          startedAt: Instant.nullable(),
          endsAt: Instant.nullable(),
          used: z.string().openapi({ example: "2500" }),
        }),
      )
      .openapi({ description: "What each meter came to in each period; null where it is never counted anew." }),
    usageCorrections: z.array(
      z.object({
        id: z.uuid().openapi({ example: "019ab0de-8f6c-7cc4-9e6f-6f2b7f0f1a61" }),
        source: z.string().openapi({ example: "/exports" }),
        eventId: z.string().openapi({ example: "export-4711" }),
        value: z.string().nullable().openapi({ description: "Null of what counts no longer.", example: "1" }),
        reason: z.string().openapi({ example: "Ticket 4711" }),
        createdAt: Instant,
      }),
    ),
    domains: z.array(Domain),
    ssoConnections: z
      .array(Connection.omit({ redirectUri: true }))
      .openapi({ description: "Without their client secrets." }),
  })
  .openapi("OrganizationExport");

const exportRoute = tenantRoute("organization:export", {
  method: "get",
  path: "/v1/organizations/{organizationId}/export",
  tags: ["Organizations"],
  summary: "Export an organization",
  description:
    "All that is kept of it, as an attachment of 16 MiB at most, which is about 45,000 members. No secret, token or hash is in it. The audit trail has an export of its own, and of usage there is what it came to.",
  fresh: true,
  request: { params: OrganizationParams },
  responses: { 200: json(OrganizationExport, "All of it.") },
  errors: ["export_too_large"],
});

export const organizationExportRoutes = createRouter().openapi(exportRoute, async (c) => {
  const body = await exportOrganization(c.var.database);
  // As Postgres wrote it, which the type cannot know.
  return c.body(body, 200, {
    "content-type": "application/json",
    "content-disposition": 'attachment; filename="organization-export.json"',
  }) as unknown as TypedResponse<z.infer<typeof OrganizationExport>, 200, "json">;
});
