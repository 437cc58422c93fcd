import { z } from "@hono/zod-openapi";
import { createRouter, jsonRequest, publicRoute } from "../openapi.ts";
import { forgetCookie } from "../refresh-cookie.ts";
import { requestPasswordReset, resetPassword } from "../services/password-resets.ts";
import { MailedToken } from "./mailed-tokens.ts";
import { NewPassword } from "./auth.ts";
import { Email } from "./users.ts";

const forgotPasswordRoute = publicRoute({
  method: "post",
  path: "/v1/auth/forgot-password",
  tags: ["Auth"],
  summary: "Ask for a new password",
  description:
    "Mails a link with a token to the address, if it has an account: good for an hour, and for one use. The answer is the same for every address.",
  request: { body: jsonRequest(z.strictObject({ email: Email }).openapi("ForgotPassword")) },
  responses: { 202: { description: "A mail is on its way, if the address has an account." } },
  errors: ["email_off"],
  failClosed: true,
});

const resetPasswordRoute = publicRoute({
  method: "post",
  path: "/v1/auth/reset-password",
  tags: ["Auth"],
  summary: "Set a new password",
  description: "With the token of the mail. Ends every session of the account, and mails a notice to it.",
  request: {
    body: jsonRequest(z.strictObject({ token: MailedToken, password: NewPassword }).openapi("ResetPassword")),
  },
  responses: { 204: { description: "The password is set. Sign in with it." } },
  errors: ["invalid_token", "email_off"],
  setsCookie: [204],
  failClosed: true,
});

export const passwordResetRoutes = createRouter()
  .openapi(forgotPasswordRoute, async (c) => {
    await requestPasswordReset(c.var.database, c.var.settings, c.req.valid("json").email);
    return c.body(null, 202);
  })
  .openapi(resetPasswordRoute, async (c) => {
    const ipAddress = c.var.clientAddress;
    await resetPassword(c.var.database, c.var.settings, { ...c.req.valid("json"), ipAddress });
    forgetCookie(c);
    return c.body(null, 204);
  });
