import { z } from "@hono/zod-openapi";
import { readClient } from "../middleware/client-address.ts";
import { setFlowCookie, takeFlowCookie } from "../oauth-cookie.ts";
import { createRouter, json, jsonRequest, publicRoute } from "../openapi.ts";
import { socialProviders } from "../provider-settings.ts";
import { checkCarrier } from "../refresh-cookie.ts";
import { signInWithProvider } from "../services/identities.ts";
import { beginFlow, completeFlow, stateTakerOf } from "../services/oauth/flow.ts";
import { findProvider, listProviders } from "../services/oauth/providers.ts";
import { answerSignIn, RefreshTokenIn, signInResponses } from "./sign-in-answers.ts";

const ProviderName = z.enum(socialProviders).openapi({ example: "google" });

const ProviderParams = z.object({
  provider: ProviderName.openapi({ param: { name: "provider", in: "path" } }),
});

const CodeChallenge = z
  .string()
  .regex(/^[\w-]{43}$/, "must be the SHA-256 of a verifier, in base64url")
  .openapi({
    description: "S256 of a verifier that the frontend keeps until it has the code (RFC 7636 §4.2).",
    example: "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
  });

/** A path that no browser takes for a host: no segment is empty, and no backslash counts as a slash. */
const RedirectPath = z
  .string()
  .max(1000)
  .regex(/^\/([\w.~!$&'()*+,;=:@%-]+\/)*[\w.~!$&'()*+,;=:@%-]*(\?[\w.~!$&'()*+,;=:@%/?-]*)?$/, {
    message: "must be a path of the frontend, such as /settings?tab=profile",
  })
  .default("/")
  .openapi({ description: "Where the frontend goes on afterwards: handed back to it.", example: "/settings" });

export const FlowQuery = z.strictObject({ codeChallenge: CodeChallenge, redirectTo: RedirectPath });

export const flowResponses = {
  302: { description: "To the provider; or where it cannot be reached, back to the frontend with `#error=…`." },
};

const FlowProof = z.strictObject({
  code: z.string().min(1).max(4096).openapi({
    description: "From the fragment of `APP_URL/oauth/callback`: good for a minute, and once.",
    example: "Y29kZSBvZiBhIGZsb3c",
  }),
  codeVerifier: z
    .string()
    .regex(/^[\w.~-]{43,128}$/, "must have 43 to 128 letters, digits and -._~")
    .openapi({
      description: "The verifier of the flow's `codeChallenge`.",
      example: "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
    }),
});

export const IdentityProof = FlowProof.openapi("IdentityProof");

const listProvidersRoute = publicRoute({
  method: "get",
  path: "/v1/auth/providers",
  tags: ["Auth"],
  summary: "List the providers to sign in with",
  description: "Those that are set up here, for the buttons of a sign-in page.",
  responses: {
    200: json(z.object({ data: z.array(ProviderName) }).openapi("Providers"), "The providers that are on."),
  },
});

const beginRoute = publicRoute({
  method: "get",
  path: "/v1/auth/oauth/{provider}",
  tags: ["Auth"],
  summary: "Begin to sign in with a provider",
  description:
    "For the browser to open: it is sent to the provider, and afterwards to `APP_URL/oauth/callback`, with `#code=…&redirectTo=…` for POST /v1/auth/oauth/token, or with `#error=` and access_denied, invalid_state, provider_failed or unavailable.",
  request: { params: ProviderParams, query: FlowQuery },
  responses: flowResponses,
  errors: ["provider_off"],
  setsFlowCookie: true,
});

const callbackDescription =
  "Where the provider sends the browser back to, with `code` and `state` or with `error`. It is sent on to the frontend in every case, and its cookie is taken back.";

const callbackResponses = { 302: { description: "To the frontend, with a code or an error." } };

const callbackRoute = publicRoute({
  method: "get",
  path: "/v1/auth/oauth/{provider}/callback",
  tags: ["Auth"],
  summary: "Come back from a provider",
  description: callbackDescription,
  request: { params: ProviderParams },
  responses: callbackResponses,
  errors: ["provider_off"],
  writes: true,
  failClosed: true,
  setsFlowCookie: true,
});

const callbackFormRoute = publicRoute({
  method: "post",
  path: "/v1/auth/oauth/{provider}/callback",
  tags: ["Auth"],
  summary: "Come back from a provider, with a form",
  description: `${callbackDescription} In a body of application/x-www-form-urlencoded (OAuth 2.0 Form Post Response Mode), as Apple does.`,
  request: { params: ProviderParams },
  responses: callbackResponses,
  errors: ["provider_off"],
  failClosed: true,
  setsFlowCookie: true,
});

const tokenRoute = publicRoute({
  method: "post",
  path: "/v1/auth/oauth/token",
  tags: ["Auth"],
  summary: "Sign in with a provider",
  description:
    "Exchanges the flow's code for a session: of who has linked the identity; else of the account with the address, if the provider has verified it, which is made where there is none. An account with the address whose owner is told by mail is linked to it; one that never verified it is handed over, without its password, sessions, links and identities, or, with a second factor, refused until its address is verified. A company's own provider signs in to accounts of its domain alone, and makes each person a member.",
  request: { body: jsonRequest(FlowProof.extend({ refreshTokenIn: RefreshTokenIn }).openapi("ProviderSignIn")) },
  responses: signInResponses,
  errors: [
    "invalid_oauth_code",
    "invalid_credentials",
    "provider_email_unverified",
    "email_unverified",
    "sso_domain_mismatch",
    "sso_not_found",
    "origin_not_allowed",
  ],
  setsCookie: [200],
  failClosed: true,
});

export const oauthRoutes = createRouter()
  .openapi(listProvidersRoute, (c) => c.json({ data: listProviders(c.var.settings) }, 200))
  .openapi(beginRoute, async (c) => {
    const provider = findProvider(c.var.settings, c.req.valid("param").provider);
    const { location, cookie } = await beginFlow(c.var.settings, provider, c.req.valid("query"));
    setFlowCookie(c, cookie, { crossSite: provider.responseMode === "form_post" });
    return c.redirect(location, 302);
  })
  .openapi(callbackRoute, async (c) => {
    const provider = findProvider(c.var.settings, c.req.valid("param").provider);
    const parameters = new URL(c.req.url).searchParams;
    const input = { cookie: takeFlowCookie(c), parameters };
    const takeState = stateTakerOf(c.var.database, provider);
    return c.redirect(await completeFlow(c.var.settings, provider.key, takeState, input), 302);
  })
  .openapi(callbackFormRoute, async (c) => {
    const provider = findProvider(c.var.settings, c.req.valid("param").provider);
    const parameters = new URLSearchParams(new TextDecoder().decode(await c.req.arrayBuffer()));
    const input = { cookie: takeFlowCookie(c), parameters };
    const takeState = stateTakerOf(c.var.database, provider);
    return c.redirect(await completeFlow(c.var.settings, provider.key, takeState, input), 302);
  })
  .openapi(tokenRoute, async (c) => {
    const { refreshTokenIn: carrier, ...proof } = c.req.valid("json");
    checkCarrier(c, carrier);
    const input = { ...proof, ...readClient(c.var), carrier };
    return answerSignIn(c, carrier, await signInWithProvider(c.var.database, c.var.settings, input));
  });
