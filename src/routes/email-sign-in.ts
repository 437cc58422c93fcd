import { z } from "@hono/zod-openapi";
import { readClient } from "../middleware/client-address.ts";
import { createRouter, jsonRequest, publicRoute } from "../openapi.ts";
import { checkCarrier } from "../refresh-cookie.ts";
import { requestEmailSignIn, signInByEmail } from "../services/email-sign-in.ts";
import { MailedToken } from "./mailed-tokens.ts";
import { answerSignIn, RefreshTokenIn, signInResponses } from "./sign-in-answers.ts";
import { Email } from "./users.ts";

const MailedCode = z
  .string()
  .regex(/^\d{8}$/, "must be 8 digits")
  .openapi({ description: "From the mail.", example: "04718293" });

const VerifyBody = z
  .union(
    [
      z.strictObject({ token: MailedToken, refreshTokenIn: RefreshTokenIn }),
      z.strictObject({ email: Email, code: MailedCode, refreshTokenIn: RefreshTokenIn }),
    ],
    { error: "must have the link's token, or the e-mail address and the code of 8 digits" },
  )
  .openapi("VerifyEmailSignIn", { example: { email: "ada@example.com", code: "04718293", refreshTokenIn: "body" } });

const requestRoute = publicRoute({
  method: "post",
  path: "/v1/auth/email-sign-in",
  tags: ["Auth"],
  summary: "Ask for a mail to sign in with",
  description:
    "Mails a link and a code of 8 digits to the address, if it has an account: good for 10 minutes, and one of them for one use. The newest mail alone counts, and 5 an hour are sent at most. The answer is the same for every address.",
  request: { body: jsonRequest(z.strictObject({ email: Email }).openapi("RequestEmailSignIn")) },
  responses: { 202: { description: "A mail is on its way, if the address has an account." } },
  errors: ["email_off"],
  failClosed: true,
});

const verifyRoute = publicRoute({
  method: "post",
  path: "/v1/auth/email-sign-in/verify",
  tags: ["Auth"],
  summary: "Sign in with the mail",
  description:
    "With the token of the link, or the address and the code. Starts a session, or for whoever has a second factor (202) one that waits for it for 10 minutes. Verifies the address: where nobody had, the password, sessions and identities that the account had end. Codes are counted as passwords are at POST /v1/auth/sign-in, and a wrong one and an unknown address get the same answer. With `refreshTokenIn: cookie` the Origin must be PUBLIC_ORIGIN or one of CORS_ORIGINS.",
  request: { body: jsonRequest(VerifyBody) },
  responses: signInResponses,
  errors: ["invalid_token", "invalid_code", "too_many_attempts", "origin_not_allowed"],
  setsCookie: [200],
  failClosed: true,
});

export const emailSignInRoutes = createRouter()
  .openapi(requestRoute, async (c) => {
    await requestEmailSignIn(c.var.database, c.var.settings, c.req.valid("json").email);
    return c.body(null, 202);
  })
  .openapi(verifyRoute, async (c) => {
    const { refreshTokenIn: carrier, ...proof } = c.req.valid("json");
    checkCarrier(c, carrier);
    const input = { proof, ...readClient(c.var), carrier };
    return answerSignIn(c, carrier, await signInByEmail(c.var.database, c.var.settings, input));
  });
