import { z } from "@hono/zod-openapi";
import { createRouter, json, optionalJsonRequest, tenantRoute } from "../openapi.ts";
import { checkUsage, readUsage, readUsageSeries, usageWindows } from "../services/usage.ts";
import { isTimezone } from "../services/timezones.ts";
import { OrganizationParams } from "./organizations.ts";

export const collection = "/v1/organizations/{organizationId}/usage";
export const tags: [string] = ["Usage"];

export const Instant = z.iso.datetime();

/** A text of one line, by a pattern that says the same to whoever reads it with Unicode's surrogates or without. */
export const Line = z
  .string()
  .regex(/^[ -~\u00a0-\ud7ff\ue000-\uffff]{1,200}$/, "must be 1 to 200 characters of one line");

export const Meter = z
  .string()
  .regex(/^[a-z0-9]+(-[a-z0-9]+)*$/, "must be a meter's key")
  .max(50);

export const Decimal = z.string().openapi({ description: "A decimal number." });

export const Usage = z
  .object({
    meter: z.string().openapi({ example: "api-requests" }),
    name: z.string().openapi({ example: "API requests" }),
    unit: z.string().openapi({ example: "request" }),
    aggregation: z.enum(["sum", "count", "max", "last", "unique"]),
    used: Decimal.openapi({ example: "2500" }),
    reserved: Decimal.openapi({ description: "For what is about to be used.", example: "0" }),
    limit: Decimal.nullable().openapi({ description: "Null for any.", example: "10000" }),
    remaining: Decimal.nullable().openapi({
      description: "Null without a limit, and of a meter that takes the greatest or the last.",
      example: "7500",
    }),
    per: z.enum(["day", "month", "year", "lifetime"]).openapi({ example: "month" }),
    startedAt: Instant.nullable().openapi({
      description: "When it began to be counted; null where it is never counted anew.",
      example: "2026-01-01T09:30:00.000Z",
    }),
    resetsAt: Instant.nullable().openapi({
      description: "When it is counted anew: what is used at that moment is of the next period.",
      example: "2026-02-01T09:30:00.000Z",
    }),
  })
  .openapi("Usage");

export const MeterParams = OrganizationParams.extend({
  meter: Meter.openapi({ param: { name: "meter", in: "path" }, example: "api-requests" }),
});

const Demand = z
  .strictObject({
    value: Line.optional().openapi({
      description:
        "How much more, as a decimal number, 1 where it is missing; of a meter that counts different ones what it is.",
      example: "1",
    }),
  })
  .openapi("UsageDemand");

const UsageCheck = Usage.extend({ allowed: z.boolean().openapi({ example: true }) }).openapi("UsageCheck");

const Time = z.iso.datetime({ offset: true }).optional();

const WindowQuery = z.strictObject({
  from: Time.openapi({
    description: "Since the window that this is of; where it is missing, the last 30 windows.",
    example: "2026-01-01T00:00:00.000Z",
  }),
  to: Time.openapi({
    description: "Until the end of the window that has what is before this; now, where it is missing.",
    example: "2026-01-31T00:00:00.000Z",
  }),
  window: z.enum(usageWindows).default("day"),
  groupBy: z
    .string()
    .regex(/^\w{1,50}(,\w{1,50}){0,9}$/, "must be names, with commas between them")
    .transform((names) => [...new Set(names.split(","))])
    .optional()
    .openapi({
      type: "string",
      pattern: "^\\w{1,50}(,\\w{1,50}){0,9}$",
      description: "Dimensions of the meter, with commas between them.",
      example: "region",
    }),
  timezone: z
    .string()
    // Postgres takes what has no / for an abbreviation, which is none of a place.
    .regex(/^(UTC|[A-Za-z]\w*(\/[\w+-]+)+)$/, "must be the name of a time zone")
    .max(50)
    .refine(isTimezone, "must be the name of a time zone")
    .default("UTC")
    .openapi({ description: "By whose calendar, as IANA names it.", example: "Europe/Berlin" }),
});

const UsageSeries = Usage.pick({ meter: true, name: true, unit: true, aggregation: true })
  .extend({
    data: z.array(
      z.object({
        startedAt: Instant.openapi({ example: "2026-01-01T00:00:00.000Z" }),
        endsAt: Instant.openapi({ example: "2026-01-02T00:00:00.000Z" }),
        dimensions: z
          .record(z.string(), z.string().nullable())
          .openapi({ description: "Those of `groupBy`; null of what was told without.", example: {} }),
        value: Decimal.nullable().openapi({
          description: "Null where nothing was told, of a meter that takes the greatest or the last.",
          example: "120",
        }),
      }),
    ),
  })
  .openapi("UsageSeries");

const readRoute = tenantRoute("usage:read", {
  method: "get",
  path: collection,
  tags,
  summary: "Read how much was used",
  description: "Of each meter that the plan has, in the present period.",
  request: { params: OrganizationParams },
  responses: { 200: json(z.object({ data: z.array(Usage) }).openapi("UsageOfMeters"), "All meters.") },
});

const seriesRoute = tenantRoute("usage:read", {
  method: "get",
  path: `${collection}/{meter}`,
  tags,
  summary: "Read what was used in time",
  description:
    "In each window, oldest first, by the calendar of a time zone: a day on which the clocks change has 23 or 25 hours. With `groupBy` one value for each of what the dimensions say, where there is any. What was told a moment ago is in it. At most 1,000 windows and 10,000 values.",
  request: { params: MeterParams, query: WindowQuery },
  responses: { 200: json(UsageSeries, "The windows.") },
  errors: ["unknown_dimension", "too_many_windows"],
});

const checkRoute = tenantRoute("usage:read", {
  method: "post",
  path: `${collection}/{meter}/check`,
  tags,
  summary: "Check whether there is room",
  description:
    "For so much more in the present period; of a meter that takes the greatest or the last, whether that may be it. It takes nothing: what is recorded afterwards is refused all the same where others came before.",
  request: { params: MeterParams, body: optionalJsonRequest(Demand) },
  responses: { 200: json(UsageCheck, "Whether there is, and how much was used.") },
  errors: ["entitlement_required", "value_refused"],
});

export const usageRoutes = createRouter()
  .openapi(readRoute, async (c) => c.json({ data: await readUsage(c.var.database) }, 200))
  .openapi(seriesRoute, async (c) => {
    const { groupBy = [], ...query } = c.req.valid("query");
    return c.json(await readUsageSeries(c.var.database, c.req.valid("param").meter, { ...query, groupBy }), 200);
  })
  .openapi(checkRoute, async (c) =>
    c.json(await checkUsage(c.var.database, c.req.valid("param").meter, c.req.valid("json").value), 200),
  );
