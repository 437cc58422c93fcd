import { z } from "@hono/zod-openapi";
import { readClient } from "../middleware/client-address.ts";
import { createRouter, json, jsonRequest, personRoute } from "../openapi.ts";
import { replaceRecoveryCodes } from "../services/recovery-codes.ts";
import { activateTotp, enrollTotp, removeTotp } from "../services/totp.ts";
import { TotpCode } from "./mfa.ts";

const TotpEnrollment = z
  .object({
    secret: z
      .string()
      .openapi({ description: "Base32, for typing it in.", example: "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP" }),
    uri: z.string().openapi({
      description: "For a QR code, which is best made on the device that shows it.",
      example:
        "otpauth://totp/app.example.com:ada%40example.com?issuer=app.example.com&secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP&algorithm=SHA1&digits=6&period=30",
    }),
  })
  .openapi("TotpEnrollment");

const RecoveryCode = z.string().openapi({ example: "K7QW-2MZP-LD4X-6RTA" });

const RecoveryCodes = z.object({ recoveryCodes: z.array(RecoveryCode) }).openapi("RecoveryCodes");

const TotpActivated = z
  .object({
    recoveryCodes: z
      .array(RecoveryCode)
      .nullable()
      .openapi({
        example: ["K7QW-2MZP-LD4X-6RTA"],
        description:
          "With the first second factor: 10 codes, each good once in place of it. Else null: those of before stay.",
      }),
  })
  .openapi("TotpActivated");

const enrollTotpRoute = personRoute({
  method: "post",
  path: "/v1/auth/mfa/totp",
  tags: ["MFA"],
  summary: "Set up an authenticator app",
  description:
    "Answers the secret for the app, which nobody sees again, and asks for it once the app is activated: until then another one stays, and a repetition begins with a new secret. It takes no Idempotency-Key, since answers are kept under it.",
  verified: true,
  fresh: true,
  responses: { 200: json(TotpEnrollment, "The new secret.") },
  errors: ["encryption_off"],
});

const activateTotpRoute = personRoute({
  method: "post",
  path: "/v1/auth/mfa/totp/activate",
  tags: ["MFA"],
  summary: "Activate the authenticator app",
  description:
    "With a code of the new app, which replaces another one. From then on a sign-in asks for a second factor; this session counts as having given it. With the first second factor every other session of the account ends, and recovery codes are answered, which nobody sees again. Mails a notice. Wrong codes are limited together with those of /v1/auth/mfa/verify.",
  verified: true,
  fresh: true,
  request: { body: jsonRequest(z.strictObject({ code: TotpCode }).openapi("TotpActivation")) },
  responses: { 200: json(TotpActivated, "The app is active.") },
  errors: ["wrong_code", "not_found", "too_many_attempts", "encryption_off"],
  failClosed: true,
});

const removeTotpRoute = personRoute({
  method: "delete",
  path: "/v1/auth/mfa/totp",
  tags: ["MFA"],
  summary: "Remove the authenticator app",
  description:
    "With the last second factor the recovery codes go, and organizations that ask for one are out of reach. Mails a notice.",
  fresh: true,
  responses: { 204: { description: "Removed." } },
  errors: ["not_found"],
});

const replaceRecoveryCodesRoute = personRoute({
  method: "post",
  path: "/v1/auth/mfa/recovery-codes",
  tags: ["MFA"],
  summary: "Replace my recovery codes",
  description:
    "Answers 10 new codes, which nobody sees again; those of before are good for nothing. It takes no Idempotency-Key, since answers are kept under it.",
  fresh: true,
  responses: { 200: json(RecoveryCodes, "The new codes.") },
  errors: ["second_factor_missing"],
});

export const totpRoutes = createRouter()
  .openapi(enrollTotpRoute, async (c) => c.json(await enrollTotp(c.var.database, c.var.settings), 200))
  .openapi(activateTotpRoute, async (c) => {
    const input = { ...c.req.valid("json"), ...readClient(c.var) };
    return c.json({ recoveryCodes: await activateTotp(c.var.database, c.var.settings, input) }, 200);
  })
  .openapi(removeTotpRoute, async (c) => {
    await removeTotp(c.var.database, c.var.settings, readClient(c.var));
    return c.body(null, 204);
  })
  .openapi(replaceRecoveryCodesRoute, async (c) =>
    c.json({ recoveryCodes: await replaceRecoveryCodes(c.var.database) }, 200),
  );
