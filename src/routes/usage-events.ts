import { z } from "@hono/zod-openapi";
import { createRouter, json, jsonRequest, refusal, tenantRoute } from "../openapi.ts";
import { recordUsage, refusalCodes } from "../services/usage-events.ts";
import { OrganizationParams } from "./organizations.ts";
import { collection, Line, Meter, tags, Usage } from "./usage.ts";

/** The source of what reservations are committed as. */
const ownSource = "/reservations";

const Source = z
  .string()
  .regex(/^[\w\-.~:/?#[\]@!$&'()*+,;=%]{1,200}$/, "must be a URI reference of at most 200 characters")
  .openapi({ description: "Whatever tells of it, as a URI reference.", example: "/exports" });

const SourceId = Line.openapi({ description: "What the source calls it, and nothing else.", example: "export-4711" });

/** What an event is known by. */
export const NamedEvent = z.object({ source: Source, id: SourceId });

const UsageEvent = z
  .strictObject({
    specversion: z.literal("1.0"),
    ...NamedEvent.shape,
    source: Source.refine((source) => source !== ownSource, `must be another one than ${ownSource}`),
    type: Meter.openapi({ description: "The meter.", example: "api-requests" }),
    time: z.iso.datetime({ offset: true }).optional().openapi({
      description: "When it was used: 35 days ago at most, and no more than 5 minutes ahead. Now, where it is missing.",
      example: "2026-01-01T09:30:00.000Z",
    }),
    subject: Line.optional().openapi({ description: "Whatever you want to know of it.", example: "user-42" }),
    datacontenttype: z.literal("application/json").optional(),
    data: z
      .strictObject({
        value: z
          .union([Line, z.int().min(0)])
          .optional()
          .openapi({
            description:
              "How much: a decimal number of at most 21 digits and 9 behind the point, as text, or a whole number. Of a meter that counts different ones what it is, as text. Missing of one that counts events.",
            example: "1",
          }),
        dimensions: z
          .record(z.string().regex(/^\w{1,50}$/), Line)
          .optional()
          .openapi({ description: "By what usage is told apart: the meter says by which names.", example: {} }),
      })
      .optional(),
  })
  .openapi("UsageEvent");

const UsageEvents = z.strictObject({ events: z.array(UsageEvent).min(1).max(1000) }).openapi("UsageEvents");

const UsageResults = z
  .object({
    results: z.array(
      z.union([
        NamedEvent.extend({
          // The document generator writes the first of several literals alone.
          status: z
            .literal([201, 200])
            .openapi({ enum: [201, 200], description: "200 where it was recorded before.", example: 201 }),
        }),
        NamedEvent.extend(refusal(refusalCodes, "quota_exceeded")),
      ]),
    ),
    usage: z.array(Usage).openapi({ description: "Of the meters that the events were of, afterwards." }),
  })
  .openapi("UsageResults");

const recordRoute = tenantRoute("usage:write", {
  method: "post",
  path: `${collection}/events`,
  tags,
  summary: "Record what was used",
  description:
    "Up to 1,000 CloudEvents at once, in their order. An event is recorded once, however often it comes: the same `source` and `id` with anything else in it is 422. It counts in the period in which it was used, also when it comes late. One that cannot be recorded is in the way of no other, save that of a meter with a limit nothing counts after the first for which there is no room.",
  request: { params: OrganizationParams, body: jsonRequest(UsageEvents) },
  responses: { 207: json(UsageResults, "What became of each, in their order.") },
  creates: true,
});

export const usageEventRoutes = createRouter().openapi(recordRoute, async (c) =>
  c.json(await recordUsage(c.var.database, c.req.valid("json").events), 207),
);
