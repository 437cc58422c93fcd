import { z } from "@hono/zod-openapi";
import { createRouter, json, personRoute } from "../openapi.ts";
import { forgetCookie } from "../refresh-cookie.ts";
import { deleteAccount, exportAccount } from "../services/accounts.ts";
import { ApiKey } from "./api-keys.ts";
import { Identity } from "./identities.ts";
import { Invitation } from "./invitations.ts";
import { JoinedBy } from "./members.ts";
import { RoleName } from "./organizations.ts";
import { OwnershipTransfer } from "./ownership-transfers.ts";
import { ShareLink } from "./share-links.ts";
import { Passkey } from "./passkeys.ts";
import { TeamRole } from "./team-members.ts";
import { TeamId } from "./teams.ts";
import { User } from "./users.ts";

const Instant = z.iso.datetime().openapi({ example: "2026-01-01T09:30:00.000Z" });

const StoredSession = z.object({
  id: z.uuid().openapi({ example: "019ab0de-8f6c-7cc4-9e6f-6f2b7f0f1a03" }),
  ipAddress: z.string().nullable().openapi({ example: "203.0.113.7" }),
  userAgent: z.string().nullable().openapi({ example: "curl/8.14.1" }),
  createdAt: Instant,
  authenticatedAt: Instant.openapi({ description: "When the password was last given." }),
  secondFactor: z
    .enum(["given", "pending"])
    .nullable()
    .openapi({ description: "Null where none was asked for.", example: "given" }),
  lastUsedAt: Instant.openapi({ description: "When its tokens were last refreshed." }),
  idleExpiresAt: Instant.openapi({ description: "When it ends unless its tokens are refreshed." }),
  expiresAt: Instant,
  revokedAt: Instant.nullable(),
  impersonatorId: z.uuid().nullable().openapi({
    description: "The administrator of the platform who acted as me in it; null in one of my own.",
    example: null,
  }),
  impersonationReason: z.string().nullable().openapi({ example: null }),
});

const ExportedApp = z.object({
  id: z.uuid().openapi({ example: "019ab0de-8f6c-7cc4-9e6f-6f2b7f0f1a06" }),
  createdAt: Instant,
  activatedAt: Instant.nullable(),
});

const ExportedMembership = z.object({
  organizationId: z.uuid().openapi({ example: "019ab0de-8f6c-7cc4-9e6f-6f2b7f0f1a04" }),
  name: z.string().openapi({ example: "Acme" }),
  slug: z.string().openapi({ example: "acme" }),
  roles: z.array(RoleName),
  joinedBy: JoinedBy,
  since: Instant,
});

const ExportedTeam = z.object({
  organizationId: z.uuid().openapi({ example: "019ab0de-8f6c-7cc4-9e6f-6f2b7f0f1a04" }),
  teamId: TeamId,
  name: z.string().openapi({ example: "Support" }),
  role: TeamRole,
  since: Instant,
});

const ExportedToken = z.object({
  purpose: z.string().openapi({ example: "reset_password" }),
  email: z.string().nullable().openapi({ description: "The address that it confirms.", example: "ada@example.com" }),
  createdAt: Instant,
  expiresAt: Instant,
});

const ExportedMessage = z.object({
  template: z.string().openapi({ example: "password_changed" }),
  recipient: z.string().nullable().openapi({ example: "ada@example.com" }),
  data: z
    .record(z.string(), z.string().nullable())
    .openapi({ description: "What the mail says of them.", example: { name: "Ada Lovelace" } }),
  attempts: z.int().openapi({ example: 0 }),
  createdAt: Instant,
});

const AccountExport = z
  .object({
    exportedAt: Instant,
    account: User,
    sessions: z.array(StoredSession).openapi({ description: "Live ones, and ended ones for 30 days." }),
    identities: z.array(Identity),
    passkeys: z.array(Passkey),
    authenticatorApps: z.array(ExportedApp).openapi({ description: "Without their secrets." }),
    recoveryCodes: z
      .array(z.object({ createdAt: Instant }))
      .openapi({ description: "Those that are left; without the codes." }),
    memberships: z.array(ExportedMembership),
    teams: z.array(ExportedTeam),
    sentInvitations: z
      .array(
        Invitation.omit({ invitedBy: true }).extend({
          organizationId: z.uuid().openapi({ example: "019ab0de-8f6c-7cc4-9e6f-6f2b7f0f1a04" }),
        }),
      )
      .openapi({ description: "`pending` too after their 7 days." }),
    shareLinks: z
      .array(
        ShareLink.omit({ createdBy: true }).extend({
          organizationId: z.uuid().openapi({ example: "019ab0de-8f6c-7cc4-9e6f-6f2b7f0f1a04" }),
        }),
      )
      .openapi({ description: "Without their tokens." }),
    apiKeys: z
      .array(
        ApiKey.omit({ createdBy: true, userId: true }).extend({
          organizationId: z.uuid().openapi({ example: "019ab0de-8f6c-7cc4-9e6f-6f2b7f0f1a04" }),
          isOrganizations: z
            .boolean()
            .openapi({ description: "Whether it is the organization's own, and not theirs.", example: false }),
        }),
      )
      .openapi({ description: "Those that they made; without the keys themselves." }),
    ownershipTransfers: z
      .array(
        OwnershipTransfer.extend({
          organizationId: z.uuid().openapi({ example: "019ab0de-8f6c-7cc4-9e6f-6f2b7f0f1a04" }),
        }),
      )
      .openapi({ description: "Offers of ownership, made by the person or to them." }),
    oneTimeTokens: z.array(ExportedToken).openapi({ description: "Of links in mails; without the token." }),
    messages: z.array(ExportedMessage).openapi({ description: "Mails on their way, or that could not be sent." }),
  })
  .openapi("AccountExport");

const exportAccountRoute = personRoute({
  method: "get",
  path: "/v1/users/me/export",
  tags: ["Me"],
  summary: "Export my data",
  description:
    "Everything that is kept of the signed-in person, as an attachment: of each list the newest 10,000. No password, token or hash is in it, and nothing of other people.",
  fresh: true,
  responses: { 200: json(AccountExport, "All of it.") },
});

const deleteAccountRoute = personRoute({
  method: "delete",
  path: "/v1/users/me",
  tags: ["Me"],
  summary: "Delete my account",
  description:
    "For good, and at once: the account, its sessions and memberships, and the organizations in which nobody else is. Refused while others would be left in an organization without an owner. A notice is mailed to the address, which is then free for a new account.",
  fresh: true,
  unverified: true,
  responses: { 204: { description: "Deleted; every token of it is refused." } },
  errors: ["sole_owner"],
  setsCookie: [204],
});

export const accountRoutes = createRouter()
  .openapi(exportAccountRoute, async (c) =>
    c.json(await exportAccount(c.var.database), 200, {
      "content-disposition": 'attachment; filename="account-export.json"',
    }),
  )
  .openapi(deleteAccountRoute, async (c) => {
    await deleteAccount(c.var.database, c.var.settings);
    forgetCookie(c);
    return c.body(null, 204);
  });
