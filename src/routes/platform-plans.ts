import { z } from "@hono/zod-openapi";
import { createRouter, isEachOnce, json, jsonRequest, PageQuery, pageOf, platformRoute } from "../openapi.ts";
import { archivePlan, createPlan, listPlatformPlans, updatePlan } from "../services/platform-plans.ts";
import { Plan } from "./plans.ts";
import { Instant, tags } from "./platform.ts";

const collection = "/v1/platform/plans";

const Key = z
  .string()
  .regex(/^[a-z0-9]+(-[a-z0-9]+)*$/, "must be words of small letters and digits, joined by hyphens")
  .max(50)
  .openapi({ description: "The same for all its versions.", example: "acme-2027" });

const appearance = {
  name: z.string().trim().min(1).max(100).openapi({ example: "Acme" }),
  description: z.string().trim().max(500).openapi({ example: "As we agreed with Acme." }),
  isPublic: z.boolean().openapi({ description: "Whether anybody sees it.", example: false }),
  position: z
    .int()
    .min(0)
    .max(10_000)
    .openapi({ description: "Of the list: those of src/plans.ts count from 0.", example: 100 }),
};

const PlatformPlan = Plan.extend({
  isPublic: appearance.isPublic,
  position: z.int().openapi({ example: 100 }),
  managedBy: z
    .enum(["file", "platform"])
    .openapi({ description: "Who says what it is: src/plans.ts, or administrators.", example: "platform" }),
  createdAt: Instant,
  archivedAt: Instant.nullable().openapi({ description: "Since when it is no longer sold.", example: null }),
}).openapi("PlatformPlan");

const NewPrice = z
  .strictObject({
    currency: z
      .string()
      .regex(/^[a-z]{3}$/, "must be three small letters")
      .openapi({ description: "ISO 4217, in small letters.", example: "usd" }),
    interval: z.enum(["month", "year"]).openapi({ description: "One price for each, in each currency." }),
    unitAmount: z
      .int()
      .min(1)
      .max(99_999_999)
      .openapi({ description: "In the currency's smallest unit.", example: 90_000 }),
    perSeat: z.boolean().default(false).openapi({ description: "Whether it is for each seat.", example: false }),
  })
  .openapi("NewPrice");

const featureKey = {
  key: Key.openapi({ description: "Of a feature of src/plans.ts; each once.", example: "members" }),
};

const NewPlanFeature = z
  .discriminatedUnion("kind", [
    z.strictObject({ ...featureKey, kind: z.literal("boolean") }),
    z.strictObject({
      ...featureKey,
      kind: z.literal("number"),
      limit: z.int().min(0).nullable().openapi({ description: "How many at most; null for any number.", example: 50 }),
    }),
    z.strictObject({
      ...featureKey,
      kind: z.literal("metered"),
      limit: z
        .string()
        .regex(/^(0|[1-9]\d{0,29})(\.\d{1,9})?$/, "must be a decimal number of up to 30 digits and 9 after the point")
        .nullable()
        .openapi({
          description: "How much in each period, or ever, as a decimal number; null for any.",
          example: "10000",
        }),
      per: z.enum(["day", "month", "year", "lifetime"]).openapi({
        description:
          "As its meter is reset, or else `unknown_feature`: `month` of a calendar's month, `lifetime` of never.",
      }),
    }),
  ])
  .openapi("NewPlanFeature");

const NewPlan = z
  .strictObject({
    key: Key,
    name: appearance.name,
    description: appearance.description.default(""),
    isPublic: appearance.isPublic.default(false),
    position: appearance.position.default(1000),
    trialDays: z.int().min(0).max(730).default(0).openapi({ description: "0 for none.", example: 14 }),
    prices: z
      .array(NewPrice)
      .max(100)
      .refine(
        (prices) => isEachOnce(prices.map(({ currency, interval }) => `${currency} ${interval}`)),
        "must have one price for each currency and interval",
      )
      .default([])
      .openapi({ uniqueItems: true }),
    features: z
      .array(NewPlanFeature)
      .max(100)
      .refine((features) => isEachOnce(features.map(({ key }) => key)), "must name each feature once")
      .default([])
      .openapi({ uniqueItems: true }),
  })
  .openapi("NewPlan");

const PlanParams = z.object({
  planId: z.uuid().openapi({ param: { name: "planId", in: "path" }, example: "019ab0de-8f6c-7cc4-9e6f-6f2b7f0f1a50" }),
});

const listRoute = platformRoute({
  method: "get",
  path: collection,
  tags,
  summary: "List all versions of all plans",
  description: "Newest first: those too that are for nobody else to see, or no longer sold.",
  request: {
    query: PageQuery.extend({ key: Key.optional().openapi({ description: "Of one plan.", example: "pro" }) }),
  },
  responses: { 200: json(pageOf(PlatformPlan).openapi("PlatformPlanPage"), "A page of plans.") },
});

const createRoute = platformRoute({
  method: "post",
  path: collection,
  tags,
  summary: "Add a plan, or another version of it",
  description:
    "Under a key that is sold already it is the next version; the one before is no longer sold, and who has it keeps it. Trial, prices and features of a version never change. Plans of src/plans.ts are changed there.",
  request: { body: jsonRequest(NewPlan) },
  responses: { 201: json(PlatformPlan, "The plan.") },
  fresh: true,
  creates: true,
  errors: ["plan_managed_by_file", "unknown_feature"],
});

const updateRoute = platformRoute({
  method: "patch",
  path: `${collection}/{planId}`,
  tags,
  summary: "Show a plan otherwise",
  description: "Its terms stay: for other ones, add a version.",
  request: {
    params: PlanParams,
    body: jsonRequest(
      z
        .strictObject(appearance)
        .partial()
        .refine((body) => Object.values(body).some((value) => value !== undefined), "must have something to change")
        .openapi("PlanUpdate", { minProperties: 1 }),
    ),
  },
  responses: { 200: json(PlatformPlan, "The plan as it is now.") },
  fresh: true,
  errors: ["plan_managed_by_file"],
});

const archiveRoute = platformRoute({
  method: "post",
  path: `${collection}/{planId}/archive`,
  tags,
  summary: "Sell a plan no longer",
  description: "Who has it keeps it. One that is archived stays so; to sell it again, add a version.",
  request: { params: PlanParams },
  responses: { 200: json(PlatformPlan, "The plan.") },
  fresh: true,
  errors: ["plan_managed_by_file"],
});

export const platformPlanRoutes = createRouter()
  .openapi(listRoute, async (c) => c.json(await listPlatformPlans(c.var.database, c.req.valid("query")), 200))
  .openapi(createRoute, async (c) => c.json(await createPlan(c.var.database, c.req.valid("json")), 201))
  .openapi(updateRoute, async (c) =>
    c.json(await updatePlan(c.var.database, c.req.valid("param").planId, c.req.valid("json")), 200),
  )
  .openapi(archiveRoute, async (c) => c.json(await archivePlan(c.var.database, c.req.valid("param").planId), 200));
