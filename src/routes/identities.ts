import { z } from "@hono/zod-openapi";
import { createRouter, json, jsonRequest, PageQuery, pageOf, personRoute } from "../openapi.ts";
import { linkIdentity, listIdentities, unlinkIdentity } from "../services/identities.ts";
import { IdentityProof } from "./oauth.ts";

const IdentityId = z
  .uuid()
  .openapi({ param: { name: "identityId", in: "path" }, example: "019ab0de-8f6c-7cc4-9e6f-6f2b7f0f1a05" });

export const Identity = z
  .object({
    id: z.uuid().openapi({ example: "019ab0de-8f6c-7cc4-9e6f-6f2b7f0f1a05" }),
    provider: z.enum(["google", "github", "microsoft", "apple", "sso"]).openapi({ example: "google" }),
    email: z
      .string()
      .nullable()
      .openapi({ description: "As the provider had it at the last sign-in.", example: "ada@example.com" }),
    createdAt: z.iso.datetime().openapi({ example: "2026-01-01T09:30:00.000Z" }),
    lastUsedAt: z.iso
      .datetime()
      .nullable()
      .openapi({ description: "When it last signed the person in.", example: "2026-01-01T09:30:00.000Z" }),
  })
  .openapi("Identity");

const listIdentitiesRoute = personRoute({
  method: "get",
  path: "/v1/users/me/identities",
  tags: ["Me"],
  summary: "List my identities",
  description: "Accounts at providers that sign me in, newest first.",
  request: { query: PageQuery },
  responses: { 200: json(pageOf(Identity).openapi("IdentityPage"), "A page of identities.") },
});

const linkIdentityRoute = personRoute({
  method: "post",
  path: "/v1/users/me/identities",
  tags: ["Me"],
  summary: "Link an identity",
  description:
    "With the code of a flow that this frontend began, as for signing in: whatever the identity's address, it signs me in from now on. A mail tells of it.",
  request: { body: jsonRequest(IdentityProof) },
  responses: { 200: json(Identity, "The identity, which may have been linked before.") },
  errors: ["invalid_oauth_code", "identity_taken", "sso_domain_mismatch", "sso_not_found"],
  fresh: true,
});

const unlinkIdentityRoute = personRoute({
  method: "delete",
  path: "/v1/users/me/identities/{identityId}",
  tags: ["Me"],
  summary: "Unlink an identity",
  description: "Refused while there is no password, no passkey and no other identity to sign in with.",
  request: { params: z.object({ identityId: IdentityId }) },
  responses: { 204: { description: "Unlinked: it signs nobody in." } },
  errors: ["not_found", "last_sign_in_method"],
  fresh: true,
});

export const identityRoutes = createRouter()
  .openapi(listIdentitiesRoute, async (c) => c.json(await listIdentities(c.var.database, c.req.valid("query")), 200))
  .openapi(linkIdentityRoute, async (c) =>
    c.json(await linkIdentity(c.var.database, c.var.settings, c.req.valid("json")), 200),
  )
  .openapi(unlinkIdentityRoute, async (c) => {
    await unlinkIdentity(c.var.database, c.req.valid("param").identityId);
    return c.body(null, 204);
  });
