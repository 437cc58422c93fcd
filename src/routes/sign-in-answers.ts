import { z } from "@hono/zod-openapi";
import type { Context } from "hono";
import { json } from "../openapi.ts";
import { handOver } from "../refresh-cookie.ts";
import { type MfaRequired, type SignedIn } from "../services/session-starts.ts";
import type { RefreshTokenCarrier } from "../services/tokens.ts";
import { User } from "./users.ts";

export const RefreshTokenIn = z.enum(["body", "cookie"]).default("body").openapi({
  description:
    "Where the refresh token comes, and is to be sent. `cookie` is for pages in browsers: their scripts cannot read it.",
  example: "body",
});

export const TokenSet = z
  .object({
    accessToken: z.string().openapi({
      description: "A JWT, sent as `Authorization: Bearer …`.",
      example: "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIuLi4ifQ.c2ln",
    }),
    tokenType: z.literal("Bearer"),
    expiresIn: z.int().openapi({ description: "Seconds until the access token expires.", example: 900 }),
    refreshToken: z.string().optional().openapi({
      description: "Good for one refresh. Missing where it is in the cookie.",
      example: "eyJhbGciOiJIUzI1NiJ9.eyJnZW4iOjF9.c2ln",
    }),
    sessionExpiresAt: z.iso
      .datetime()
      .openapi({ description: "When the session ends.", example: "2026-01-08T09:30:00.000Z" }),
  })
  .openapi("TokenSet");

const SignedInBody = TokenSet.extend({ user: User }).openapi("SignedIn");

const MfaRequiredBody = z
  .object({
    status: z.literal("mfa_required"),
    mfaToken: z.string().openapi({
      description: "Sent as `Authorization: Bearer …` to the routes that take the second factor.",
      example: "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIuLi4ifQ.c2ln",
    }),
    tokenType: z.literal("Bearer"),
    expiresIn: z.int().openapi({ description: "Seconds until it expires.", example: 600 }),
    factors: z.array(z.enum(["passkey", "recovery_code", "totp"])).openapi({ example: ["recovery_code", "totp"] }),
  })
  .openapi("MfaRequired");

/** What every way of signing in answers. */
export const signInResponses = {
  200: json(SignedInBody, "Tokens of a new session."),
  202: json(MfaRequiredBody, "The second factor is still to be given."),
};

/** Its handler's last step: the refresh token goes where it was asked for. */
export function answerSignIn(c: Context, carrier: RefreshTokenCarrier, answer: SignedIn | MfaRequired) {
  return "status" in answer ? c.json(answer, 202) : c.json(handOver(c, carrier, answer), 200);
}
