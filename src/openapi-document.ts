import type { OpenAPIHono } from "@hono/zod-openapi";
import { headerComponents } from "./headers.ts";
import { REFRESH_COOKIE } from "./refresh-cookie.ts";
import type { AppEnv } from "./types.ts";

const documentInfo = {
  openapi: "3.1.0",
  info: {
    title: "SaaS Backend Layer",
    version: "1.0.0",
    description:
      "Authentication, organizations and roles in front of Postgres, which fences every row itself. Sign up, sign in, and send the access token as `Authorization: Bearer …`; programs send an API key there.",
    license: { name: "MIT", identifier: "MIT" },
  },
  tags: [
    { name: "Auth", description: "Accounts, tokens and sessions." },
    { name: "MFA", description: "Second factors: authenticator apps, passkeys, recovery codes." },
    { name: "Passkeys", description: "WebAuthn credentials, which sign in without a password." },
    { name: "Me", description: "The signed-in person." },
    { name: "Organizations", description: "The tenants." },
    { name: "Members", description: "Who belongs to an organization." },
    { name: "Roles", description: "The product's permissions, and an organization's own roles of them." },
    { name: "API keys", description: "What programs come with, in place of a person's access token." },
    {
      name: "Webhooks",
      description: "Where an organization's servers are told of its events, after Standard Webhooks.",
    },
    {
      name: "Audit trail",
      description: "Who changed what, when, and from where: written by the database, changed by nobody.",
    },
    { name: "Teams", description: "Groups of an organization's members." },
    { name: "Invitations", description: "How people come into an organization: by mail, or by a link." },
    { name: "Domains", description: "A company's own e-mail domains, whose people may join." },
    { name: "SSO", description: "A company's own identity provider, for the people of its domain." },
    { name: "Billing", description: "What is sold, and what an organization has of it." },
    { name: "Usage", description: "What an organization has used, and how much its plan has." },
    { name: "Platform", description: "For the platform's administrators, whom `npm run db:admins` appoints." },
    { name: "Operations", description: "For those who run the service." },
  ],
  security: [],
};

/** The OpenAPI 3.1 document of everything that is mounted on `app`, as JSON. Made once, at the first request. */
export function describeApi(app: OpenAPIHono<AppEnv>): string {
  document ??= JSON.stringify(makeDocument(app));
  return document;
}

let document: string | undefined;

function makeDocument(app: OpenAPIHono<AppEnv>) {
  app.openAPIRegistry.registerComponent("securitySchemes", "bearer", {
    type: "http",
    scheme: "bearer",
    bearerFormat: "JWT",
    description: "`accessToken` of POST /v1/auth/sign-in.",
  });
  app.openAPIRegistry.registerComponent("securitySchemes", "apiKey", {
    type: "http",
    scheme: "bearer",
    description:
      "`key` of POST /v1/organizations/{organizationId}/api-keys, in place of an access token: good in its organization, where its scopes have the route's `x-permission`.",
  });
  app.openAPIRegistry.registerComponent("securitySchemes", "refreshCookie", {
    type: "apiKey",
    in: "cookie",
    name: REFRESH_COOKIE,
    description:
      "Set by POST /v1/auth/sign-in with `refreshTokenIn: cookie`. Good for POST /v1/auth/refresh alone, from pages of PUBLIC_ORIGIN and CORS_ORIGINS.",
  });
  for (const { name, component } of headerComponents) app.openAPIRegistry.registerComponent("headers", name, component);
  return app.getOpenAPI31Document({ ...documentInfo, servers: [{ url: "/" }] });
}
