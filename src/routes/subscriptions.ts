import { z } from "@hono/zod-openapi";
import { createRouter, json, jsonRequest, tenantRoute } from "../openapi.ts";
import {
  cancelSubscription,
  changeSubscription,
  openPortal,
  readEntitlements,
  readSubscription,
  refreshSubscription,
  resumeSubscription,
  startSubscription,
} from "../services/subscriptions.ts";
import { OrganizationParams } from "./organizations.ts";
import { BooleanFeature, MeteredFeature, NumberFeature, Plan, Price } from "./plans.ts";

const organization = "/v1/organizations/{organizationId}";
const collection = `${organization}/subscription`;
const tags: [string] = ["Billing"];

const Instant = z.iso.datetime().openapi({ example: "2026-01-01T09:30:00.000Z" });

const PlanLabel = Plan.pick({ id: true, key: true, version: true, name: true }).openapi("PlanLabel");

export const Subscription = z
  .object({
    id: z.uuid().nullable().openapi({ example: "019ab0de-8f6c-7cc4-9e6f-6f2b7f0f1a52" }),
    status: z
      .enum([
        "free",
        "incomplete",
        "incomplete_expired",
        "trialing",
        "active",
        "past_due",
        "unpaid",
        "paused",
        "canceled",
      ])
      .openapi({
        description:
          "`free` without a subscription; otherwise as Stripe has it. `incomplete` waits for its first payment. `past_due` is had until `graceEndsAt`; `unpaid` is not.",
        example: "active",
      }),
    plan: PlanLabel.openapi({ description: "That is subscribed to, or the default one." }),
    // Not by its name, of which the document says nothing that may be null.
    price: z.object(Price.shape).nullable(),
    scheduledPriceId: z
      .uuid()
      .nullable()
      .openapi({ description: "Of the next period, where it is to be another one.", example: null }),
    provider: z.enum(["manual", "stripe"]).nullable().openapi({
      description: "Who collects the money: with `manual`, the platform's administrators note what was paid.",
      example: "manual",
    }),
    quantity: z.int().nullable().openapi({ description: "Seats, which are the members, or 1.", example: 5 }),
    trialEndsAt: Instant.nullable().openapi({ example: null }),
    currentPeriodStart: Instant.nullable(),
    currentPeriodEnd: Instant.nullable().openapi({ example: "2026-02-01T09:30:00.000Z" }),
    graceEndsAt: Instant.nullable().openapi({
      description: "Until when what is past due is had all the same.",
      example: null,
    }),
    cancelAtPeriodEnd: z.boolean().openapi({ example: false }),
    canceledAt: Instant.nullable().openapi({ example: null }),
    createdAt: Instant.nullable(),
    checkoutUrl: z.url().nullable().openapi({
      description: "A page of Stripe's, where it can be begun by paying: for a day.",
      example: null,
    }),
    isTrialAvailable: z
      .boolean()
      .openapi({ description: "There is one in an organization's life, of whichever plan.", example: false }),
  })
  .openapi("Subscription");

const PriceChoice = z
  .strictObject({
    priceId: z.uuid().openapi({
      description: "Of GET /v1/plans: it says the plan, the currency and the interval.",
      example: "019ab0de-8f6c-7cc4-9e6f-6f2b7f0f1a51",
    }),
  })
  .openapi("PriceChoice");

const Portal = z
  .object({ url: z.url().openapi({ example: "https://billing.stripe.com/p/session/test_YWNjdF8xRkk5" }) })
  .openapi("BillingPortal");

const Entitlement = z
  .discriminatedUnion("kind", [
    BooleanFeature,
    NumberFeature.extend({
      used: z.int().nullable().openapi({
        description:
          "How many there are. Null where they are not limited, of what your product alone can count, and of `members` for whoever has no `members:read`.",
        example: 8,
      }),
    }),
    MeteredFeature.extend({
      resetsAt: Instant.nullable().openapi({
        description:
          "When it is counted anew: by the month or year from the beginning of the subscription on, however that is paid; by the day, or by the calendar's month, in UTC. Null where it never is.",
        example: "2026-02-01T09:30:00.000Z",
      }),
    }),
  ])
  .openapi("Entitlement");

const Entitlements = z.object({ plan: PlanLabel, data: z.array(Entitlement) }).openapi("Entitlements");

const readRoute = tenantRoute("billing:read", {
  method: "get",
  path: collection,
  tags,
  summary: "Read the subscription",
  request: { params: OrganizationParams },
  responses: { 200: json(Subscription, "The one that lives, or `free`.") },
});

const checkoutRoute = tenantRoute("billing:write", {
  method: "post",
  path: `${collection}/checkout`,
  tags,
  summary: "Subscribe",
  description:
    "On trial, where the plan has one and the organization never had any. Otherwise `incomplete`, with an invoice, until that is paid: for 14 days. With Stripe it begins once somebody has paid at `checkoutUrl`, which is the same for the same price; another price ends the checkout before.",
  request: { params: OrganizationParams, body: jsonRequest(PriceChoice) },
  responses: { 201: json(Subscription, "The subscription.") },
  creates: true,
  errors: ["price_not_sold", "subscription_exists", "checkout_superseded"],
});

const refreshRoute = tenantRoute("billing:write", {
  method: "post",
  path: `${collection}/refresh`,
  tags,
  summary: "Ask Stripe for the subscription",
  description:
    "For whoever comes back from a checkout before Stripe has told of it. Of this organization alone: what the address of the page says proves nothing.",
  request: { params: OrganizationParams },
  responses: { 200: json(Subscription, "The subscription, as Stripe has it.") },
  errors: ["stripe_off"],
});

const portalRoute = tenantRoute("billing:write", {
  method: "post",
  path: `${collection}/portal`,
  tags,
  summary: "Open the billing portal",
  description:
    "A page of Stripe's, on which invoices are seen, and how they are paid is changed. Good for a few minutes.",
  request: { params: OrganizationParams },
  responses: { 200: json(Portal, "Where it is.") },
  errors: ["no_subscription", "stripe_off"],
});

const changeRoute = tenantRoute("billing:write", {
  method: "post",
  path: `${collection}/change`,
  tags,
  summary: "Change the plan",
  description:
    "To another price in the same currency. Where that costs more for the rest of the period, there is an invoice of it, and the subscription moves once it is paid; with another interval the period then begins anew. On trial it moves at once, to a plan with a trial. Otherwise with the next period. Each takes back what was to come, and so does the present price.",
  request: { params: OrganizationParams, body: jsonRequest(PriceChoice) },
  responses: { 200: json(Subscription, "The subscription.") },
  errors: [
    "no_subscription",
    "subscription_not_active",
    "price_not_sold",
    "currency_mismatch",
    "plan_too_small",
    "stripe_off",
  ],
});

const cancelRoute = tenantRoute("billing:write", {
  method: "post",
  path: `${collection}/cancel`,
  tags,
  summary: "Cancel the subscription",
  description: "With the period that is on trial or paid for; where none is, at once. One that is canceled stays so.",
  request: { params: OrganizationParams },
  responses: { 200: json(Subscription, "The subscription, or `free` once it has ended.") },
  errors: ["no_subscription", "subscription_not_active", "stripe_off"],
});

const resumeRoute = tenantRoute("billing:write", {
  method: "post",
  path: `${collection}/resume`,
  tags,
  summary: "Take a cancellation back",
  description: "Until the period ends.",
  request: { params: OrganizationParams },
  responses: { 200: json(Subscription, "The subscription.") },
  errors: ["no_subscription", "subscription_not_canceled", "subscription_not_active", "stripe_off"],
});

const entitlementsRoute = tenantRoute("organization:read", {
  method: "get",
  path: `${organization}/entitlements`,
  tags,
  summary: "Read what the organization has",
  description:
    "By its plan, now. What is missing here is answered with 402 `entitlement_required`, and the plans that have it.",
  request: { params: OrganizationParams },
  responses: { 200: json(Entitlements, "What its plan has.") },
});

export const subscriptionRoutes = createRouter()
  .openapi(readRoute, async (c) => c.json(await readSubscription(c.var.database), 200))
  .openapi(checkoutRoute, async (c) =>
    c.json(await startSubscription(c.var.database, c.var.settings, c.req.valid("json").priceId), 201),
  )
  .openapi(refreshRoute, async (c) => c.json(await refreshSubscription(c.var.database, c.var.settings), 200))
  .openapi(portalRoute, async (c) => c.json(await openPortal(c.var.database, c.var.settings), 200))
  .openapi(changeRoute, async (c) =>
    c.json(await changeSubscription(c.var.database, c.var.settings, c.req.valid("json").priceId), 200),
  )
  .openapi(cancelRoute, async (c) => c.json(await cancelSubscription(c.var.database, c.var.settings), 200))
  .openapi(resumeRoute, async (c) => c.json(await resumeSubscription(c.var.database, c.var.settings), 200))
  .openapi(entitlementsRoute, async (c) => c.json(await readEntitlements(c.var.database), 200));
