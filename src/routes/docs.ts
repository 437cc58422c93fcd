import { Scalar } from "@scalar/hono-api-reference";
import { Hono } from "hono";
import { NONCE, secureHeaders } from "hono/secure-headers";
import type { AppEnv } from "../types.ts";

/** The browsable reference. Its script is an asset of ours, so the page works offline and tells nobody. */
export const docsRoutes = new Hono<AppEnv>()
  .get("/favicon.ico", (c) => c.body(null, 204))
  .get(
    "/docs",
    secureHeaders({
      // Left to what every answer gets.
      strictTransportSecurity: false,
      xFrameOptions: false,
      contentSecurityPolicy: {
        defaultSrc: ["'none'"],
        baseUri: ["'none'"],
        connectSrc: ["'self'"],
        fontSrc: ["'self'", "data:"],
        formAction: ["'none'"],
        frameAncestors: ["'none'"],
        imgSrc: ["'self'", "data:", "blob:"],
        scriptSrc: ["'self'", NONCE],
        // The reference writes style elements and attributes of its own, which carry no nonce.
        styleSrc: ["'self'", "'unsafe-inline'"],
        workerSrc: ["'self'", "blob:"],
      },
    }),
    Scalar<AppEnv>((c) => ({
      url: "/openapi.json",
      cdn: "/docs/reference.js",
      pageTitle: "SaaS Backend Layer",
      ...(c.var.secureHeadersNonce && { nonce: c.var.secureHeadersNonce }),
      defaultOpenAllTags: true,
      withDefaultFonts: false,
      telemetry: false,
      persistAuth: false,
      hideClientButton: true,
      showDeveloperTools: "never",
      agent: { disabled: true },
      mcp: { disabled: true },
      authentication: { preferredSecurityScheme: "bearer" },
    })),
  );
