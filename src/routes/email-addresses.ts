import { z } from "@hono/zod-openapi";
import { createRouter, json, jsonRequest, personRoute } from "../openapi.ts";
import {
  confirmEmailChange,
  requestEmailChange,
  resendVerification,
  verifyEmail,
} from "../services/email-addresses.ts";
import { MailedToken } from "./mailed-tokens.ts";
import { Email, User } from "./users.ts";

const resendVerificationRoute = personRoute({
  method: "post",
  path: "/v1/auth/resend-verification",
  tags: ["Auth"],
  summary: "Ask for another verification mail",
  description: "Mails a link with a token to your address, unless it is verified: five an hour at most.",
  responses: { 202: { description: "A mail is on its way, if the address is not verified." } },
  errors: ["email_off"],
  unverified: true,
  failClosed: true,
});

const verifyEmailRoute = personRoute({
  method: "post",
  path: "/v1/auth/verify-email",
  tags: ["Auth"],
  summary: "Verify my address",
  description:
    "With the token of the mail, good for 24 hours and once. It takes your session as well: who opens the link need not be who signed up.",
  request: { body: jsonRequest(z.strictObject({ token: MailedToken }).openapi("VerifyEmail")) },
  responses: { 200: json(User, "The account, with its address verified.") },
  errors: ["invalid_token"],
  unverified: true,
  failClosed: true,
});

const changeEmailRoute = personRoute({
  method: "post",
  path: "/v1/auth/change-email",
  tags: ["Auth"],
  summary: "Change my address",
  description:
    "Mails a link to the new address, and one to the present address if it is verified. The address changes once every link was confirmed, within an hour. The answer is the same for an address that is taken.",
  request: { body: jsonRequest(z.strictObject({ newEmail: Email }).openapi("ChangeEmail")) },
  responses: { 202: { description: "Mails are on their way." } },
  errors: ["email_off"],
  unverified: true,
  fresh: true,
  failClosed: true,
});

const EmailChange = z
  .object({
    status: z.enum(["pending", "changed"]).openapi({
      description: "`pending` while the other address is still to confirm.",
      example: "changed",
    }),
  })
  .openapi("EmailChange");

const confirmEmailChangeRoute = personRoute({
  method: "post",
  path: "/v1/auth/change-email/confirm",
  tags: ["Auth"],
  summary: "Confirm the change of my address",
  description: "With the token of one of the two mails. A notice goes to the old address.",
  request: { body: jsonRequest(z.strictObject({ token: MailedToken }).openapi("ConfirmEmailChange")) },
  responses: { 200: json(EmailChange, "The token was good.") },
  errors: ["invalid_token", "email_taken", "email_off"],
  unverified: true,
  failClosed: true,
});

export const emailAddressRoutes = createRouter()
  .openapi(resendVerificationRoute, async (c) => {
    await resendVerification(c.var.database, c.var.settings);
    return c.body(null, 202);
  })
  .openapi(verifyEmailRoute, async (c) => c.json(await verifyEmail(c.var.database, c.req.valid("json").token), 200))
  .openapi(changeEmailRoute, async (c) => {
    await requestEmailChange(c.var.database, c.var.settings, c.req.valid("json").newEmail);
    return c.body(null, 202);
  })
  .openapi(confirmEmailChangeRoute, async (c) => {
    const { token } = c.req.valid("json");
    return c.json({ status: await confirmEmailChange(c.var.database, c.var.settings, token) }, 200);
  });
