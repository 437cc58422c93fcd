import { z } from "@hono/zod-openapi";
import { createRouter, json, jsonRequest, platformRoute, refusal } from "../openapi.ts";
import { correctUsage, refusalCodes } from "../services/platform-usage.ts";
import { OrganizationParams } from "./organizations.ts";
import { Reason, tags } from "./platform.ts";
import { NamedEvent } from "./usage-events.ts";
import { Usage } from "./usage.ts";

const UsageCorrections = z
  .strictObject({
    reason: Reason.openapi({ description: "The organization sees it.", example: "Ticket 4711" }),
    corrections: z
      .array(
        z.strictObject({
          ...NamedEvent.shape,
          value: z
            .string()
            .regex(/^\d{1,21}(\.\d{1,9})?$/, "must be a decimal number")
            .nullable()
            .openapi({
              description:
                "Null, and it counts no longer. Of meters that count events, or different ones, nothing else.",
              example: "1",
            }),
        }),
      )
      .min(1)
      .max(1000),
  })
  .openapi("UsageCorrections");

const CorrectionResults = z
  .object({
    results: z.array(
      z.union([
        NamedEvent.extend({ status: z.literal(200).openapi({ example: 200 }) }),
        NamedEvent.extend(refusal(refusalCodes, "not_found")),
      ]),
    ),
    usage: z.array(Usage).openapi({ description: "Of the meters of what was corrected, in the present period." }),
  })
  .openapi("UsageCorrectionResults");

const correctRoute = platformRoute({
  method: "post",
  path: "/v1/platform/organizations/{organizationId}/usage/corrections",
  tags,
  summary: "Correct what was recorded",
  description:
    "By the `source` and `id` of the events: each counts by another value from now on, or no longer, in the period that it is of, whatever the limit. What was told is kept, and each correction is in the organization's audit trail.",
  request: { params: OrganizationParams, body: jsonRequest(UsageCorrections) },
  responses: { 207: json(CorrectionResults, "What became of each, in their order.") },
  fresh: true,
  creates: true,
});

export const platformUsageRoutes = createRouter().openapi(correctRoute, async (c) => {
  const { corrections, reason } = c.req.valid("json");
  const { organizationId } = c.req.valid("param");
  return c.json(await correctUsage(c.var.database, organizationId, corrections, reason), 207);
});
