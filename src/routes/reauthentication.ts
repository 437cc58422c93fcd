import { z } from "@hono/zod-openapi";
import { createRouter, jsonRequest, personRoute } from "../openapi.ts";
import { reauthenticate } from "../services/reauthentication.ts";
import { Password } from "./auth.ts";

const reauthenticateRoute = personRoute({
  method: "post",
  path: "/v1/auth/reauthenticate",
  tags: ["Auth"],
  summary: "Give the password again",
  description:
    "For 10 minutes this session then passes where the password must have been given recently. Wrong passwords are limited: after five, each must wait twice as long as the one before.",
  unverified: true,
  request: { body: jsonRequest(z.strictObject({ password: Password }).openapi("Reauthentication")) },
  responses: { 204: { description: "The session counts as freshly authenticated." } },
  errors: ["wrong_password", "password_missing", "too_many_attempts"],
  failClosed: true,
});

export const reauthenticationRoutes = createRouter().openapi(reauthenticateRoute, async (c) => {
  await reauthenticate(c.var.database, c.var.settings, c.req.valid("json").password);
  return c.body(null, 204);
});
