import { z } from "@hono/zod-openapi";
import { createRouter, json, jsonRequest, optionalJsonRequest, tenantRoute } from "../openapi.ts";
import { commitUsage, releaseUsage, reserveUsage } from "../services/usage-reservations.ts";
import { collection, Decimal, Instant, MeterParams, tags, Usage } from "./usage.ts";

const reservations = `${collection}/{meter}/reservations`;

const ReservationParams = MeterParams.extend({
  reservationId: z
    .uuid()
    .openapi({ param: { name: "reservationId", in: "path" }, example: "019ab0de-8f6c-7cc4-9e6f-6f2b7f0f1a60" }),
});

const Value = z
  .string()
  .regex(/^\d{1,21}(\.\d{1,9})?$/, "must be a decimal number")
  .openapi({ example: "5" });

const NewReservation = z
  .strictObject({
    value: Value.openapi({ description: "How much, above 0." }),
    expiresInSeconds: z
      .int()
      .min(1)
      .max(86_400)
      .default(300)
      .openapi({ description: "After which the room is anybody's again.", example: 300 }),
  })
  .openapi("NewUsageReservation");

const UsageReservation = z
  .object({
    id: z.uuid().openapi({ example: "019ab0de-8f6c-7cc4-9e6f-6f2b7f0f1a60" }),
    meter: z.string().openapi({ example: "api-requests" }),
    value: Decimal.openapi({ example: "5" }),
    createdAt: Instant.openapi({ example: "2026-01-01T09:30:00.000Z" }),
    expiresAt: Instant.openapi({ example: "2026-01-01T09:35:00.000Z" }),
    usage: Usage,
  })
  .openapi("UsageReservation");

const Commitment = z
  .strictObject({ value: Value.optional().openapi({ description: "What was used of it; all, where it is missing." }) })
  .openapi("UsageCommitment");

const reserveRoute = tenantRoute("usage:write", {
  method: "post",
  path: reservations,
  tags,
  summary: "Reserve usage",
  description:
    "Keeps room for so much in the present period, before it is used: nobody else gets it until this is committed, released, or expires. Of meters that sum, 1,000 at a time.",
  request: { params: MeterParams, body: jsonRequest(NewReservation) },
  responses: { 201: json(UsageReservation, "The reservation.") },
  creates: true,
  errors: ["entitlement_required", "value_refused", "quota_exceeded", "reservation_limit"],
});

const commitRoute = tenantRoute("usage:write", {
  method: "post",
  path: `${reservations}/{reservationId}/commit`,
  tags,
  summary: "Commit a reservation",
  description:
    "Records what was used, as of when it was reserved, and gives the rest back. Again it records nothing, and answers the same. One that has expired is refused: what was used then is told as an event, where there still is room.",
  request: { params: ReservationParams, body: optionalJsonRequest(Commitment) },
  responses: { 200: json(Usage, "How much was used.") },
  errors: ["entitlement_required", "reservation_expired", "value_refused", "event_id_reused"],
});

const releaseRoute = tenantRoute("usage:write", {
  method: "post",
  path: `${reservations}/{reservationId}/release`,
  tags,
  summary: "Release a reservation",
  description: "What is not used after all is anybody's again.",
  request: { params: ReservationParams },
  responses: { 204: { description: "Released." } },
});

export const usageReservationRoutes = createRouter()
  .openapi(reserveRoute, async (c) =>
    c.json(await reserveUsage(c.var.database, c.req.valid("param").meter, c.req.valid("json")), 201),
  )
  .openapi(commitRoute, async (c) => {
    const { meter, reservationId } = c.req.valid("param");
    return c.json(await commitUsage(c.var.database, meter, reservationId, c.req.valid("json").value ?? null), 200);
  })
  .openapi(releaseRoute, async (c) => {
    const { meter, reservationId } = c.req.valid("param");
    await releaseUsage(c.var.database, meter, reservationId);
    return c.body(null, 204);
  });
