import { z } from "@hono/zod-openapi";
import { createRouter, json, jsonRequest, PageQuery, pageOf, tenantRoute } from "../openapi.ts";
import {
  createSsoConnection,
  deleteSsoConnection,
  listSsoConnections,
  readSsoConnection,
  updateSsoConnection,
  verifyDomain,
} from "../services/sso-connections.ts";
import { OrganizationParams } from "./organizations.ts";

const ConnectionParams = OrganizationParams.extend({
  connectionId: z
    .uuid()
    .openapi({ param: { name: "connectionId", in: "path" }, example: "019ab0de-8f6c-7cc4-9e6f-6f2b7f0f1a06" }),
});

export const DomainName = z
  .string()
  .min(4)
  .max(253)
  .openapi({ description: "That of the company's addresses, without subdomains.", example: "acme.example" });

const Issuer = z
  .string()
  .min(8)
  .max(255)
  .openapi({ description: "As the provider's metadata has it.", example: "https://login.acme.example" });

const ClientId = z
  .string()
  .min(1)
  .max(255)
  .regex(/^[!-~]+$/, "must be as the provider shows it, without spaces")
  .openapi({ example: "saas-backend" });

const ClientSecret = z
  .string()
  .min(1)
  .max(512)
  .regex(/^[!-~]+$/, "must be as the provider shows it, without spaces")
  .openapi({ format: "password", description: "Kept encrypted, and never shown.", example: "Zq8vT3nLw5xYmB5kWq2R" });

const Instant = z.iso.datetime().openapi({ example: "2026-01-01T09:30:00.000Z" });

export const TxtRecord = z
  .object({
    name: z.string().openapi({ example: "_saas-challenge.acme.example" }),
    value: z.string().openapi({ example: "saas-verification=pGZ1yb2N4mXq7cT0vH9sKdLwE3fRjUaB6nQzYiOxM8k" }),
  })
  .openapi({ description: "The DNS record that proves whose the domain is." });

export const Connection = z
  .object({
    id: z.uuid().openapi({ example: "019ab0de-8f6c-7cc4-9e6f-6f2b7f0f1a06" }),
    domain: z.string().openapi({ example: "acme.example" }),
    txtRecord: TxtRecord,
    domainVerifiedAt: Instant.nullable().openapi({ description: "Until then it signs nobody in." }),
    issuer: z.string().openapi({ example: "https://login.acme.example" }),
    clientId: z.string().openapi({ example: "saas-backend" }),
    redirectUri: z.string().openapi({
      description: "To be registered at the provider.",
      example: "https://api.example.com/v1/auth/sso/callback",
    }),
    createdAt: Instant,
    updatedAt: Instant,
  })
  .openapi("SsoConnection");

const ConnectionCreate = z
  .strictObject({ domain: DomainName, issuer: Issuer, clientId: ClientId, clientSecret: ClientSecret })
  .openapi("SsoConnectionCreate");

const ConnectionUpdate = z
  .strictObject({ issuer: Issuer.optional(), clientId: ClientId.optional(), clientSecret: ClientSecret.optional() })
  .refine((body) => Object.values(body).some((value) => value !== undefined), "must have something to change")
  .openapi("SsoConnectionUpdate", { minProperties: 1 });

const collection = "/v1/organizations/{organizationId}/sso-connections";

const listRoute = tenantRoute("sso:read", {
  method: "get",
  path: collection,
  tags: ["SSO"],
  summary: "List the connections",
  description: "Newest first.",
  request: { params: OrganizationParams, query: PageQuery },
  responses: { 200: json(pageOf(Connection).openapi("SsoConnectionPage"), "A page of connections.") },
});

const createRoute = tenantRoute("sso:write", {
  method: "post",
  path: collection,
  tags: ["SSO"],
  summary: "Connect an identity provider",
  description:
    "For the people of one domain, by OpenID Connect Discovery. It signs nobody in before the domain is verified: add the TXT record, then POST …/verify-domain.",
  request: { params: OrganizationParams, body: jsonRequest(ConnectionCreate) },
  responses: { 201: json(Connection, "The new connection.") },
  errors: ["domain_taken", "encryption_off", "provider_off"],
  entitlement: "sso",
  fresh: true,
  creates: true,
});

const readRoute = tenantRoute("sso:read", {
  method: "get",
  path: `${collection}/{connectionId}`,
  tags: ["SSO"],
  summary: "Read a connection",
  request: { params: ConnectionParams },
  responses: { 200: json(Connection, "The connection.") },
});

const updateRoute = tenantRoute("sso:write", {
  method: "patch",
  path: `${collection}/{connectionId}`,
  tags: ["SSO"],
  summary: "Update a connection",
  description: "Of another domain there is another connection.",
  request: { params: ConnectionParams, body: jsonRequest(ConnectionUpdate) },
  responses: { 200: json(Connection, "The connection as it is now.") },
  errors: ["encryption_off"],
  fresh: true,
});

const deleteRoute = tenantRoute("sso:write", {
  method: "delete",
  path: `${collection}/{connectionId}`,
  tags: ["SSO"],
  summary: "Delete a connection",
  description: "It signs nobody in any more. People keep their accounts and their memberships.",
  request: { params: ConnectionParams },
  responses: { 204: { description: "Deleted." } },
  fresh: true,
});

const verifyRoute = tenantRoute("sso:write", {
  method: "post",
  path: `${collection}/{connectionId}/verify-domain`,
  tags: ["SSO"],
  summary: "Verify the domain of a connection",
  description: "Looks for the connection's TXT record. Of one domain, the connection of one organization is verified.",
  request: { params: ConnectionParams },
  responses: { 200: json(Connection, "The connection, whose domain is verified.") },
  errors: ["domain_taken", "domain_unverified"],
});

export const ssoConnectionRoutes = createRouter()
  .openapi(listRoute, async (c) =>
    c.json(await listSsoConnections(c.var.database, c.var.settings, c.req.valid("query")), 200),
  )
  .openapi(createRoute, async (c) =>
    c.json(await createSsoConnection(c.var.database, c.var.settings, c.req.valid("json")), 201),
  )
  .openapi(readRoute, async (c) =>
    c.json(await readSsoConnection(c.var.database, c.var.settings, c.req.valid("param").connectionId), 200),
  )
  .openapi(updateRoute, async (c) => {
    const { connectionId } = c.req.valid("param");
    return c.json(await updateSsoConnection(c.var.database, c.var.settings, connectionId, c.req.valid("json")), 200);
  })
  .openapi(deleteRoute, async (c) => {
    await deleteSsoConnection(c.var.database, c.req.valid("param").connectionId);
    return c.body(null, 204);
  })
  .openapi(verifyRoute, async (c) =>
    c.json(await verifyDomain(c.var.database, c.var.settings, c.req.valid("param").connectionId), 200),
  );
