import { z } from "@hono/zod-openapi";
import { createRouter, jsonRequest, personRoute } from "../openapi.ts";
import { changePassword } from "../services/change-password.ts";
import { NewPassword, Password } from "./auth.ts";

const ChangePasswordBody = z
  .strictObject({
    currentPassword: Password,
    newPassword: NewPassword.openapi({ example: "another harbour at dusk" }),
  })
  .openapi("ChangePassword");

const changePasswordRoute = personRoute({
  method: "post",
  path: "/v1/auth/change-password",
  tags: ["Auth"],
  summary: "Change my password",
  description:
    "Ends every other session of the account, and links in mails to a new password or another address; this session stays. Mails a notice. Wrong passwords are limited as in /v1/auth/reauthenticate, together with it.",
  unverified: true,
  request: { body: jsonRequest(ChangePasswordBody) },
  responses: { 204: { description: "The password is changed." } },
  errors: ["wrong_password", "password_missing", "too_many_attempts"],
  failClosed: true,
});

export const changePasswordRoutes = createRouter().openapi(changePasswordRoute, async (c) => {
  await changePassword(c.var.database, c.var.settings, { ...c.req.valid("json"), ipAddress: c.var.clientAddress });
  return c.body(null, 204);
});
