import { z } from "@hono/zod-openapi";
import { PASSWORD_MIN_LENGTH } from "../env.ts";
import { readClient } from "../middleware/client-address.ts";
import { createRouter, json, jsonRequest, optionalJsonRequest, personRoute, publicRoute } from "../openapi.ts";
import { refreshSession, signIn, signUp } from "../services/auth.ts";
import { checkCarrier, checkCookie, exchangeToken, forgetCookie } from "../refresh-cookie.ts";
import { PASSWORD_MAX_LENGTH } from "../services/passwords/index.ts";
import { signOut } from "../services/sessions.ts";
import { answerSignIn, RefreshTokenIn, signInResponses, TokenSet } from "./sign-in-answers.ts";
import { MailedToken } from "./mailed-tokens.ts";
import { Email, PersonName, User } from "./users.ts";

export const Password = z.string().max(1024).openapi({ format: "password", example: "correct horse battery" });

/** Documented as the service refuses it, with its reason and by its setting. */
export const NewPassword = Password.openapi({
  minLength: PASSWORD_MIN_LENGTH,
  maxLength: PASSWORD_MAX_LENGTH,
  description: `${PASSWORD_MIN_LENGTH} to ${PASSWORD_MAX_LENGTH} characters; a deployment can ask for more than ${PASSWORD_MIN_LENGTH}.`,
});

const SignUpBody = z
  .strictObject({
    email: Email,
    password: NewPassword,
    name: PersonName,
    invitationToken: MailedToken.optional().openapi({
      description: "From the link of an invitation to this address: the account is verified, and a member at once.",
    }),
  })
  .openapi("SignUp");

const SignUpAccepted = z
  .object({ status: z.literal("verification_sent").openapi({ example: "verification_sent" }) })
  .openapi("SignUpAccepted");

const SignInBody = z
  .strictObject({
    email: Email,
    password: Password,
    refreshTokenIn: RefreshTokenIn,
  })
  .openapi("SignIn");

const RefreshBody = z
  .strictObject({
    refreshToken: z.string().max(4096).optional().openapi({
      description: "Without it the cookie's is taken.",
      example: "eyJhbGciOiJIUzI1NiJ9.eyJnZW4iOjF9.c2ln",
    }),
  })
  .openapi("Refresh");

const signUpRoute = publicRoute({
  method: "post",
  path: "/v1/auth/sign-up",
  tags: ["Auth"],
  summary: "Sign up",
  description:
    "Creates an account, and mails a link to verify its address. The password is refused when it is short or among the most used ones. Where addresses must be verified, the answer is 202 for every address, and whoever has an account is told by mail. With the token of an invitation it is 201, or tells why not.",
  request: { body: jsonRequest(SignUpBody) },
  responses: {
    201: json(User, "The new account. Sign in to get tokens."),
    202: json(SignUpAccepted, "Accepted, where addresses must be verified: read the mail."),
  },
  errors: ["invalid_token", "invitation_email_mismatch", "email_taken", "member_limit"],
  failClosed: true,
  creates: true,
});

const signInRoute = publicRoute({
  method: "post",
  path: "/v1/auth/sign-in",
  tags: ["Auth"],
  summary: "Sign in",
  description:
    "Starts a session, or for whoever has a second factor (202) one that waits for it for 10 minutes. A wrong password and an unknown address get the same answer. After 5 attempts for an account, or 20 from a network, the next ones must wait: 2 seconds, 4, 8 and so on, 15 minutes at most. With `refreshTokenIn: cookie` the Origin must be PUBLIC_ORIGIN or one of CORS_ORIGINS.",
  request: { body: jsonRequest(SignInBody) },
  responses: signInResponses,
  errors: ["invalid_credentials", "too_many_attempts", "origin_not_allowed"],
  setsCookie: [200],
  failClosed: true,
});

const refreshRoute = publicRoute({
  method: "post",
  path: "/v1/auth/refresh",
  tags: ["Auth"],
  summary: "Refresh the tokens",
  description:
    "Exchanges a refresh token for new tokens. Each is good once; for 10 seconds a repetition gets the same successor, after that it revokes the session (RFC 9700). A token of the cookie is answered in the cookie, to pages of PUBLIC_ORIGIN and CORS_ORIGINS; one that is refused is taken back.",
  request: { body: optionalJsonRequest(RefreshBody) },
  responses: { 200: json(TokenSet, "New tokens of the same session.") },
  errors: ["unauthenticated", "refresh_token_reused", "origin_not_allowed"],
  takesCookie: true,
  setsCookie: [200, 401],
  failClosed: true,
});

const signOutRoute = personRoute({
  method: "post",
  path: "/v1/auth/sign-out",
  tags: ["Auth"],
  summary: "Sign out",
  description:
    "Revokes the session of the request; its tokens are refused from then on. A refresh token in the cookie is taken back; it is not enough to sign out, but gets an access token that is.",
  unverified: true,
  responses: { 204: { description: "Signed out." } },
  errors: ["origin_not_allowed"],
  setsCookie: [204],
});

export const authRoutes = createRouter()
  .openapi(signUpRoute, async (c) => {
    const answer = await signUp(c.var.database, c.var.settings, c.req.valid("json"));
    return answer.status === 201 ? c.json(answer.body, 201) : c.json(answer.body, 202);
  })
  .openapi(signInRoute, async (c) => {
    const { refreshTokenIn: carrier, ...credentials } = c.req.valid("json");
    checkCarrier(c, carrier);
    const input = { ...credentials, ...readClient(c.var), carrier };
    return answerSignIn(c, carrier, await signIn(c.var.database, c.var.settings, input));
  })
  .openapi(refreshRoute, async (c) => {
    const { refreshToken } = c.req.valid("json");
    const { database, settings } = c.var;
    return c.json(
      await exchangeToken(c, refreshToken, (presented) => refreshSession(database, settings, presented)),
      200,
    );
  })
  .openapi(signOutRoute, async (c) => {
    checkCookie(c);
    await signOut(c.var.database);
    forgetCookie(c);
    return c.body(null, 204);
  });
