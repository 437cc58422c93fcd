import { z } from "@hono/zod-openapi";
import { readClient } from "../middleware/client-address.ts";
import { createRouter, json, jsonRequest, personRoute, publicRoute } from "../openapi.ts";
import { checkCarrier } from "../refresh-cookie.ts";
import {
  beginPasskeyFactor,
  beginPasskeySignIn,
  givePasskey,
  signInWithPasskey,
} from "../services/passkey-sign-ins.ts";
import { bytes, challenge, clientData, CredentialDescriptor, CredentialId, timeout } from "./passkeys.ts";
import { answerSignIn, RefreshTokenIn, signInResponses } from "./sign-in-answers.ts";

const AuthenticationOptions = z
  .object({
    challenge,
    rpId: z.string().openapi({ example: "app.example.com" }),
    timeout,
    allowCredentials: z.array(CredentialDescriptor),
    userVerification: z.literal("required"),
  })
  .openapi("PasskeyAuthenticationOptions");

// Not strict, unlike other bodies: browsers add members to it as their standard grows.
const GivenCredential = z
  .object({
    id: CredentialId,
    rawId: CredentialId,
    type: z.literal("public-key"),
    response: z.object({
      clientDataJSON: clientData,
      authenticatorData: bytes(4096, "SZYN5YgOjGh0NBcPZHZgW4_krrmihjLHmVzzuoMdl2MFAAAAAQ"),
      signature: bytes(4096, "MEUCIQDx1c2hQ7fJ0s9kXwR3mZ"),
      userHandle: bytes(86, "AZqw3o9sfMSeb28rfw8aAg")
        .nullish()
        .transform((handle) => handle ?? undefined),
    }),
  })
  .openapi("GivenCredential");

const GivenPasskey = z
  .strictObject({ credential: GivenCredential, refreshTokenIn: RefreshTokenIn })
  .openapi("GivenPasskey");

const beginSignInRoute = publicRoute({
  method: "post",
  path: "/v1/auth/passkeys/authentication-options",
  tags: ["Passkeys"],
  summary: "Begin to sign in with a passkey",
  description:
    "For `PublicKeyCredential.parseRequestOptionsFromJSON()`, and then `navigator.credentials.get()`. The same for everybody: the person chooses among the passkeys that they have.",
  responses: { 200: json(AuthenticationOptions, "What the browser needs.") },
  errors: ["passkeys_off"],
});

const signInRoute = publicRoute({
  method: "post",
  path: "/v1/auth/passkeys/authentication",
  tags: ["Passkeys"],
  summary: "Sign in with a passkey",
  description:
    "With `toJSON()` of the credential that the browser has got. It is both factors, since it has verified the person. After 20 attempts from a network the next ones must wait, as for passwords.",
  request: { body: jsonRequest(GivenPasskey) },
  responses: signInResponses,
  errors: ["invalid_passkey", "too_many_attempts", "origin_not_allowed", "passkeys_off"],
  setsCookie: [200],
  failClosed: true,
});

const beginFactorRoute = personRoute({
  method: "post",
  path: "/v1/auth/mfa/passkey-options",
  tags: ["MFA"],
  summary: "Begin to give a passkey as the second factor",
  description: "As for a sign-in, among the person's own passkeys. The challenge is good in this session.",
  unverified: true,
  pending: true,
  responses: { 200: json(AuthenticationOptions, "What the browser needs.") },
  errors: ["passkeys_off"],
});

const giveFactorRoute = personRoute({
  method: "post",
  path: "/v1/auth/mfa/passkey",
  tags: ["MFA"],
  summary: "Give a passkey as the second factor",
  description: "Completes the session of the `mfaToken`, which is good for nothing from then on.",
  unverified: true,
  pending: true,
  request: { body: jsonRequest(GivenPasskey) },
  responses: signInResponses,
  errors: ["invalid_passkey", "origin_not_allowed", "passkeys_off"],
  setsCookie: [200],
  failClosed: true,
});

export const passkeySignInRoutes = createRouter()
  .openapi(beginSignInRoute, async (c) => c.json(await beginPasskeySignIn(c.var.settings), 200))
  .openapi(signInRoute, async (c) => {
    const { credential, refreshTokenIn: carrier } = c.req.valid("json");
    checkCarrier(c, carrier);
    const input = { credential, carrier, ...readClient(c.var) };
    return answerSignIn(c, carrier, await signInWithPasskey(c.var.database, c.var.settings, input));
  })
  .openapi(beginFactorRoute, async (c) => c.json(await beginPasskeyFactor(c.var.database, c.var.settings), 200))
  .openapi(giveFactorRoute, async (c) => {
    const { credential, refreshTokenIn: carrier } = c.req.valid("json");
    checkCarrier(c, carrier);
    return answerSignIn(c, carrier, await givePasskey(c.var.database, c.var.settings, { credential, carrier }));
  });
