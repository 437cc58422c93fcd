import { z } from "@hono/zod-openapi";
import { readClient } from "../middleware/client-address.ts";
import { createRouter, json, jsonRequest, personRoute } from "../openapi.ts";
import { checkCarrier, handOver } from "../refresh-cookie.ts";
import { readMfaStatus, verifySecondFactor } from "../services/mfa.ts";
import { RefreshTokenIn, signInResponses } from "./sign-in-answers.ts";

export const TotpCode = z
  .string()
  .regex(/^[0-9]{6}$/, "must be 6 digits")
  .openapi({ description: "Of the authenticator app; each is good once.", example: "492039" });

const RecoveryCode = z
  .string()
  .regex(/^[A-Za-z2-7]{4}(-?[A-Za-z2-7]{4}){3}$/, "must look like K7QW-2MZP-LD4X-6RTA")
  .openapi({ description: "In any case, with or without hyphens.", example: "K7QW-2MZP-LD4X-6RTA" });

const MfaStatus = z
  .object({
    totp: z
      .object({ activatedAt: z.iso.datetime().openapi({ example: "2026-01-01T09:30:00.000Z" }) })
      .nullable()
      .openapi({ description: "The authenticator app; null without an active one." }),
    passkeys: z.int().openapi({ example: 2 }),
    recoveryCodesLeft: z.int().openapi({ example: 10 }),
  })
  .openapi("MfaStatus");

const ByCode = z.strictObject({ code: TotpCode, refreshTokenIn: RefreshTokenIn });
const ByRecoveryCode = z.strictObject({ recoveryCode: RecoveryCode, refreshTokenIn: RefreshTokenIn });

const readMfaStatusRoute = personRoute({
  method: "get",
  path: "/v1/auth/mfa",
  tags: ["MFA"],
  summary: "Read what second factors I have",
  responses: { 200: json(MfaStatus, "What there is.") },
});

const verifySecondFactorRoute = personRoute({
  method: "post",
  path: "/v1/auth/mfa/verify",
  tags: ["MFA"],
  summary: "Give the second factor",
  description:
    "With the mfaToken that a sign-in has answered, and a code of the authenticator app or a recovery code: completes the session, and the mfaToken is good for nothing any more. Using a recovery code mails a notice. After 5 wrong ones for an account, the next must wait: 2 seconds, 4, 8 and so on, 15 minutes at most. With `refreshTokenIn: cookie` the Origin must be PUBLIC_ORIGIN or one of CORS_ORIGINS.",
  pending: true,
  unverified: true,
  request: {
    body: jsonRequest(z.union([ByCode, ByRecoveryCode]).openapi("SecondFactor", { example: { code: "492039" } })),
  },
  responses: { 200: signInResponses[200] },
  errors: ["wrong_code", "mfa_not_required", "too_many_attempts", "encryption_off", "origin_not_allowed"],
  setsCookie: [200],
  failClosed: true,
});

export const mfaRoutes = createRouter()
  .openapi(readMfaStatusRoute, async (c) => c.json(await readMfaStatus(c.var.database), 200))
  .openapi(verifySecondFactorRoute, async (c) => {
    const { refreshTokenIn: carrier, ...proof } = c.req.valid("json");
    checkCarrier(c, carrier);
    const input = { proof, carrier, ...readClient(c.var) };
    return c.json(handOver(c, carrier, await verifySecondFactor(c.var.database, c.var.settings, input)), 200);
  });
