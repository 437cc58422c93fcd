import { z } from "@hono/zod-openapi";
import { readClient } from "../middleware/client-address.ts";
import { createRouter, json, jsonRequest, PageQuery, pageOf, personRoute } from "../openapi.ts";
import { addPasskey, beginRegistration, listPasskeys, removePasskey, renamePasskey } from "../services/passkeys.ts";

/** base64url, in which browsers write bytes. */
export const bytes = (maxLength: number, example: string) =>
  z
    .string()
    .max(maxLength)
    .regex(/^[\w-]+$/, "must be base64url")
    .openapi({ example });

export const CredentialId = bytes(1364, "kW4XbQ9sTzqYl0uN2c8RjA");

export const clientData = bytes(4096, "eyJ0eXBlIjoid2ViYXV0aG4uY3JlYXRlIn0");

const transports = z
  .array(z.string().regex(/^[a-z-]{1,20}$/))
  .max(10)
  .openapi({ description: "How a browser reaches the authenticator.", example: ["internal", "hybrid"] });

export const CredentialDescriptor = z
  .object({ type: z.literal("public-key"), id: CredentialId, transports })
  .openapi("CredentialDescriptor");

export const challenge = z
  .string()
  .openapi({ description: "Good once, and for 5 minutes.", example: "mZ3vQ0c5T1uYk9bXw7RjNfLhPsDgAeIo" });

export const timeout = z.int().openapi({ description: "Milliseconds.", example: 300_000 });

const RegistrationOptions = z
  .object({
    rp: z.object({
      id: z.string().openapi({ example: "app.example.com" }),
      name: z.string().openapi({ example: "app.example.com" }),
    }),
    user: z.object({
      id: z.string().openapi({ example: "AZqw3o9sfMSeb28rfw8aAg" }),
      name: z.string().openapi({ example: "ada@example.com" }),
      displayName: z.string().openapi({ example: "Ada Lovelace" }),
    }),
    challenge,
    pubKeyCredParams: z.array(z.object({ type: z.literal("public-key"), alg: z.int().openapi({ example: -7 }) })),
    timeout,
    excludeCredentials: z.array(CredentialDescriptor),
    authenticatorSelection: z.object({
      residentKey: z.literal("required"),
      requireResidentKey: z.literal(true),
      userVerification: z.literal("required"),
    }),
    attestation: z.literal("none"),
  })
  .openapi("PasskeyRegistrationOptions");

// Not strict, unlike other bodies: browsers add members to it as their standard grows.
const RegisteredCredential = z
  .object({
    id: CredentialId,
    rawId: CredentialId,
    type: z.literal("public-key"),
    response: z.object({
      clientDataJSON: clientData,
      attestationObject: bytes(16_384, "o2NmbXRkbm9uZWdhdHRTdG10oGhhdXRoRGF0YVg"),
      transports: transports.default([]),
    }),
  })
  .openapi("RegisteredCredential");

const PasskeyName = z.string().trim().min(1).max(100).openapi({ example: "Ada's laptop" });

export const Passkey = z
  .object({
    id: z.uuid().openapi({ example: "019ab0de-8f6c-7cc4-9e6f-6f2b7f0f1a05" }),
    name: z.string().openapi({ example: "Ada's laptop" }),
    backedUp: z.boolean().openapi({
      description: "Whether its authenticator keeps it elsewhere too, as password managers do.",
      example: true,
    }),
    createdAt: z.iso.datetime().openapi({ example: "2026-01-01T09:30:00.000Z" }),
    lastUsedAt: z.iso.datetime().nullable().openapi({ example: "2026-01-02T09:30:00.000Z" }),
  })
  .openapi("Passkey");

const PasskeyId = z
  .uuid()
  .openapi({ param: { name: "passkeyId", in: "path" }, example: "019ab0de-8f6c-7cc4-9e6f-6f2b7f0f1a05" });

const beginRegistrationRoute = personRoute({
  method: "post",
  path: "/v1/auth/passkeys/registration-options",
  tags: ["Passkeys"],
  summary: "Begin to add a passkey",
  description:
    "For `PublicKeyCredential.parseCreationOptionsFromJSON()`, and then `navigator.credentials.create()`. The challenge is good in this session.",
  verified: true,
  fresh: true,
  responses: { 200: json(RegistrationOptions, "What the browser needs.") },
  errors: ["passkeys_off"],
});

const addPasskeyRoute = personRoute({
  method: "post",
  path: "/v1/auth/passkeys",
  tags: ["Passkeys"],
  summary: "Add a passkey",
  description:
    "With `toJSON()` of the credential that the browser has made. Whoever gets their first factor by it gets 10 recovery codes, shown this once, and their other sessions end. From then on sign-in with the password asks for a second factor.",
  verified: true,
  fresh: true,
  request: {
    body: jsonRequest(
      z
        .strictObject({ name: PasskeyName.default("Passkey"), credential: RegisteredCredential })
        .openapi("PasskeyRegistration"),
    ),
  },
  responses: {
    201: json(
      Passkey.extend({
        recoveryCodes: z.array(z.string().openapi({ example: "K7QF-2MZD-XW4T-HB6N" })).optional(),
      }).openapi("PasskeyAdded"),
      "The passkey; with recovery codes where it is the first factor.",
    ),
  },
  errors: ["passkey_refused", "passkey_taken", "passkey_limit", "passkeys_off"],
});

const listPasskeysRoute = personRoute({
  method: "get",
  path: "/v1/auth/passkeys",
  tags: ["Passkeys"],
  summary: "List my passkeys",
  description: "Newest first.",
  request: { query: PageQuery },
  responses: { 200: json(pageOf(Passkey).openapi("PasskeyPage"), "A page of passkeys.") },
});

const renamePasskeyRoute = personRoute({
  method: "patch",
  path: "/v1/auth/passkeys/{passkeyId}",
  tags: ["Passkeys"],
  summary: "Rename one of my passkeys",
  request: {
    params: z.object({ passkeyId: PasskeyId }),
    body: jsonRequest(z.strictObject({ name: PasskeyName }).openapi("PasskeyUpdate")),
  },
  responses: { 200: json(Passkey, "The passkey as it is now.") },
  errors: ["not_found"],
});

const removePasskeyRoute = personRoute({
  method: "delete",
  path: "/v1/auth/passkeys/{passkeyId}",
  tags: ["Passkeys"],
  summary: "Remove one of my passkeys",
  description: "With the last factor, the recovery codes go too, and sign-in asks for the password alone.",
  fresh: true,
  request: { params: z.object({ passkeyId: PasskeyId }) },
  responses: { 204: { description: "Removed; it no longer signs in." } },
  errors: ["not_found"],
});

export const passkeyRoutes = createRouter()
  .openapi(beginRegistrationRoute, async (c) => c.json(await beginRegistration(c.var.database, c.var.settings), 200))
  .openapi(addPasskeyRoute, async (c) => {
    const input = { ...c.req.valid("json"), ...readClient(c.var) };
    return c.json(await addPasskey(c.var.database, c.var.settings, input), 201);
  })
  .openapi(listPasskeysRoute, async (c) => c.json(await listPasskeys(c.var.database, c.req.valid("query")), 200))
  .openapi(renamePasskeyRoute, async (c) => {
    const { passkeyId } = c.req.valid("param");
    return c.json(await renamePasskey(c.var.database, passkeyId, c.req.valid("json").name), 200);
  })
  .openapi(removePasskeyRoute, async (c) => {
    await removePasskey(c.var.database, c.var.settings, { ...c.req.valid("param"), ...readClient(c.var) });
    return c.body(null, 204);
  });
