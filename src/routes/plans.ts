import { z } from "@hono/zod-openapi";
import { createRouter, json, publicRoute } from "../openapi.ts";
import { listPlans } from "../services/plans.ts";

export const Price = z
  .object({
    id: z.uuid().openapi({ example: "019ab0de-8f6c-7cc4-9e6f-6f2b7f0f1a51" }),
    currency: z.string().openapi({ description: "ISO 4217, in small letters.", example: "usd" }),
    interval: z.enum(["month", "year"]),
    unitAmount: z.int().openapi({ description: "In the currency's smallest unit.", example: 1200 }),
    perSeat: z.boolean().openapi({ description: "Whether it is for each seat.", example: true }),
  })
  .openapi("Price");

const label = (key: string, name: string) => ({
  key: z.string().openapi({ example: key }),
  name: z.string().openapi({ example: name }),
});

export const BooleanFeature = z.object({ ...label("sso", "Single sign-on"), kind: z.literal("boolean") });

export const NumberFeature = z.object({
  ...label("members", "Members"),
  kind: z.literal("number"),
  limit: z.int().nullable().openapi({ description: "How many at most; null for any number.", example: 50 }),
});

export const MeteredFeature = z.object({
  ...label("api-requests", "API requests"),
  kind: z.literal("metered"),
  limit: z
    .string()
    .nullable()
    .openapi({ description: "How much in each period, or ever, as a decimal number; null for any.", example: "10000" }),
  per: z.enum(["day", "month", "year", "lifetime"]),
  unit: z.string().nullable().openapi({
    description: "What one of it is; null of what had no meter when it was sold.",
    example: "request",
  }),
});

const PlanFeature = z
  .discriminatedUnion("kind", [BooleanFeature, NumberFeature, MeteredFeature])
  .openapi("PlanFeature");

export const Plan = z
  .object({
    id: z.uuid().openapi({ example: "019ab0de-8f6c-7cc4-9e6f-6f2b7f0f1a50" }),
    key: z.string().openapi({ description: "The same for all its versions.", example: "pro" }),
    version: z.int().openapi({ example: 1 }),
    name: z.string().openapi({ example: "Pro" }),
    description: z.string().openapi({ example: "For teams that work with it every day." }),
    trialDays: z.int().openapi({ description: "0 for none.", example: 14 }),
    isDefault: z
      .boolean()
      .openapi({ description: "Whether organizations have it without a subscription.", example: false }),
    prices: z.array(Price),
    features: z.array(PlanFeature),
  })
  .openapi("Plan");

const listRoute = publicRoute({
  method: "get",
  path: "/v1/plans",
  tags: ["Billing"],
  summary: "List the plans",
  description:
    "That anybody can have, in the order in which they are shown, with their prices and what they have. What a plan is made of never changes: other terms are another version, and whoever has the one before keeps it.",
  responses: { 200: json(z.object({ data: z.array(Plan) }).openapi("Plans"), "The plans that are sold.") },
});

export const planRoutes = createRouter().openapi(listRoute, async (c) =>
  c.json({ data: await listPlans(c.var.database) }, 200),
);
