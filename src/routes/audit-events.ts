import { z } from "@hono/zod-openapi";
import type { TypedResponse } from "hono";
import { createRouter, json, PageQuery, pageOf, personRoute, tenantRoute } from "../openapi.ts";
import {
  actorTypes,
  EXPORT_LIMIT,
  exportAuditEvents,
  listAuditEvents,
  listMyAuditEvents,
} from "../services/audit-events.ts";
import { OrganizationParams } from "./organizations.ts";

const collection = "/v1/organizations/{organizationId}/audit-events";

const Id = z.uuid().openapi({ example: "019ab0de-8f6c-7cc4-9e6f-6f2b7f0f1a21" });
const PersonId = z.uuid().openapi({ example: "019ab0de-8f6c-7cc4-9e6f-6f2b7f0f1a02" });
const Instant = z.iso.datetime().openapi({ example: "2026-01-01T09:30:00.000Z" });
const Changed = z.record(z.string(), z.unknown()).nullable();

const AuditEvent = z
  .object({
    id: Id,
    action: z.string().openapi({
      description: "What was done to which kind of thing, as `subject.verb`.",
      example: "member.role_granted",
    }),
    actor: z.object({
      type: z.enum(actorTypes).openapi({
        description:
          "`platform_admin`: the platform's own people. `anonymous`: without a session, such as by the token of a mail. `system`: nobody asked for it, or whoever runs the service did it in the database.",
        example: "user",
      }),
      id: PersonId.nullable().openapi({ description: "Of the person or of the API key; null of nobody." }),
      impersonatorId: PersonId.nullable().openapi({
        description: "The administrator of the platform who really did it, acting as the actor; null where nobody did.",
        example: null,
      }),
    }),
    subject: z.object({
      type: z.string().openapi({ example: "member" }),
      id: PersonId,
    }),
    before: Changed.openapi({
      description:
        "What was changed, as it was, by the names that this API has for it; null where there was nothing. A secret, and a person's name or address, is told as `[redacted]`.",
      example: null,
    }),
    after: Changed.openapi({ description: "The same as it is since.", example: { role: "admin" } }),
    requestId: z.string().nullable().openapi({
      description: "`x-request-id` of the request; null where none did it.",
      example: "019ab0de-8f6c-7cc4-9e6f-6f2b7f0f1a22",
    }),
    ipAddress: z.string().nullable().openapi({
      description: "Where the request came from; null of the platform's own people.",
      example: "203.0.113.7",
    }),
    createdAt: Instant,
  })
  .openapi("AuditEvent");

const Filter = z.strictObject({
  action: z
    .string()
    .regex(/^[a-z_]{1,40}\.[a-z_]{1,40}$/, "must be an action, such as member.added")
    .optional()
    .openapi({ description: "Those of this action alone.", example: "member.role_granted" }),
  actorId: PersonId.optional().openapi({ description: "What this person or API key did." }),
  subjectId: PersonId.optional().openapi({ description: "What was done to this." }),
  from: Instant.optional().openapi({ description: "Since then." }),
  to: Instant.optional().openapi({ description: "Before then.", example: "2026-01-02T09:30:00.000Z" }),
});

const ListQuery = z.strictObject({ ...PageQuery.shape, ...Filter.shape });

const ExportQuery = Filter.extend({
  limit: z
    .string()
    .regex(/^[1-9]\d{0,3}$/, "must be a whole number")
    .transform(Number)
    .pipe(z.int().max(EXPORT_LIMIT))
    .default(EXPORT_LIMIT)
    .openapi({
      type: "integer",
      minimum: 1,
      maximum: EXPORT_LIMIT,
      default: EXPORT_LIMIT,
      description: `1 to ${EXPORT_LIMIT}.`,
      example: EXPORT_LIMIT,
    }),
  startingAfter: Id.optional().openapi({
    description: "`id` of the last line of the export before. None is left where fewer come than were asked for.",
  }),
});

const Page = json(pageOf(AuditEvent).openapi("AuditEventPage"), "A page of events.");

const listRoute = tenantRoute("audit-events:read", {
  method: "get",
  path: collection,
  tags: ["Audit trail"],
  summary: "List the audit trail",
  description:
    "Everything that was changed in the organization, newest first, for 365 days. The database writes it with the change, and nobody changes it.",
  request: { params: OrganizationParams, query: ListQuery },
  responses: { 200: Page },
});

const exportRoute = tenantRoute("audit-events:read", {
  method: "get",
  path: `${collection}/export`,
  tags: ["Audit trail"],
  summary: "Export the audit trail",
  description:
    "The same as JSON Lines: one event a line, as the list has it. For a whole period ask with `to`, and again with `startingAfter` until fewer lines come than `limit`.",
  request: { params: OrganizationParams, query: ExportQuery },
  responses: {
    200: {
      description: "One event a line, newest first.",
      content: {
        "application/jsonl": {
          schema: z
            .string()
            .openapi({ example: '{"id":"019ab0de-8f6c-7cc4-9e6f-6f2b7f0f1a21","action":"member.added"}\n' }),
        },
      },
    },
  },
});

const listMineRoute = personRoute({
  method: "get",
  path: "/v1/users/me/audit-events",
  tags: ["Audit trail"],
  summary: "List my account's audit trail",
  description:
    "Sign-ins, also those that failed, and whatever was changed of the account, newest first, for 365 days. What the person did in an organization is in its trail.",
  unverified: true,
  request: { query: ListQuery },
  responses: { 200: Page },
});

export const auditEventRoutes = createRouter()
  .openapi(listRoute, async (c) => c.json(await listAuditEvents(c.var.database, c.req.valid("query")), 200))
  .openapi(exportRoute, async (c) => {
    const lines = await exportAuditEvents(c.var.database, c.req.valid("query"));
    // The type takes JSON Lines for JSON, and knows nothing of the text.
    return c.body(lines, 200, {
      "content-type": "application/jsonl",
      "content-disposition": 'attachment; filename="audit-events.jsonl"',
    }) as unknown as TypedResponse<string, 200, "json">;
  })
  .openapi(listMineRoute, async (c) => c.json(await listMyAuditEvents(c.var.database, c.req.valid("query")), 200));
