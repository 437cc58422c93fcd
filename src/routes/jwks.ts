import { z } from "@hono/zod-openapi";
import { createRouter, publicRoute } from "../openapi.ts";
import { readPublicKeys } from "../services/jwks.ts";

const PublicKey = z
  .object({
    kty: z.literal("OKP"),
    crv: z.literal("Ed25519"),
    x: z.string().openapi({ example: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" }),
    kid: z.string().openapi({ example: "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k" }),
    alg: z.literal("EdDSA"),
    use: z.literal("sig"),
  })
  .openapi("PublicKey");

const PublicKeySet = z
  .object({ keys: z.array(PublicKey).openapi({ description: "None where access tokens are signed with a secret." }) })
  .openapi("PublicKeySet");

const jwksRoute = publicRoute({
  method: "get",
  path: "/.well-known/jwks.json",
  tags: ["Auth"],
  summary: "The public keys of access tokens",
  description:
    "A JWK Set (RFC 7517), for services that verify access tokens by themselves; keep it for 5 minutes. The key that signs next is in it before it signs, and the last one until its tokens have expired; the `kid` in a token's header names its own.",
  responses: {
    200: { description: "The keys.", content: { "application/jwk-set+json": { schema: PublicKeySet } } },
  },
});

export const jwksRoutes = createRouter().openapi(jwksRoute, async (c) =>
  c.json({ keys: await readPublicKeys(c.var.settings) }, 200, {
    "cache-control": "public, max-age=300",
    "content-type": "application/jwk-set+json",
  }),
);
