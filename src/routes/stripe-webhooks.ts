import { z } from "@hono/zod-openapi";
import { createRouter, json, publicRoute } from "../openapi.ts";
import { receiveStripeEvent } from "../services/subscriptions.ts";

const StripeEvent = z
  .looseObject({
    id: z
      .string()
      .regex(/^[\w.-]{1,255}$/)
      .openapi({ example: "evt_1RZ8Xk2eZvKYlo2C0aQp3bTn" }),
    type: z
      .string()
      .regex(/^[\w.-]{1,255}$/)
      .openapi({ example: "customer.subscription.updated" }),
    livemode: z.boolean().openapi({ example: false }),
    data: z.looseObject({ object: z.looseObject({}).openapi({ example: { object: "subscription" } }) }),
  })
  .openapi("StripeEvent");

const Received = z.object({ received: z.literal(true) }).openapi("Received");

const receiveRoute = publicRoute({
  method: "post",
  path: "/v1/webhooks/stripe",
  tags: ["Billing"],
  summary: "Receive an event of Stripe's",
  description:
    "For Stripe alone, which signs what it sends. An event says that something has changed; what it is, Stripe is asked. Whatever is not answered with 200, it sends again.",
  request: {
    headers: z.object({
      "stripe-signature": z
        .string()
        .regex(/^[!-~]+$/)
        .openapi({ example: "t=1767225600,v1=5257a869e7ecebeda32affa62cdca3fa51cad7e77a0e56ff536d0ce8e108d8bd" }),
    }),
    body: { required: true, content: { "application/json": { schema: StripeEvent } } },
  },
  responses: { 200: json(Received, "It is done with, or of nothing that matters here.") },
  errors: ["invalid_signature", "stripe_off"],
  isSigned: true,
});

export const stripeWebhookRoutes = createRouter().openapi(receiveRoute, async (c) => {
  const { database, settings } = c.var;
  await receiveStripeEvent(database, settings, await c.req.text(), c.req.valid("header")["stripe-signature"]);
  return c.json({ received: true as const }, 200);
});
