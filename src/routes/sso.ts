import { setFlowCookie, takeFlowCookie } from "../oauth-cookie.ts";
import { createRouter, publicRoute } from "../openapi.ts";
import { completeFlow } from "../services/oauth/flow.ts";
import { beginSso, requireOrigins, ssoStateTaker } from "../services/sso.ts";
import { FlowQuery, flowResponses } from "./oauth.ts";
import { Email } from "./users.ts";

const beginRoute = publicRoute({
  method: "get",
  path: "/v1/auth/sso",
  tags: ["Auth"],
  summary: "Begin to sign in with a company's identity provider",
  description:
    "For the browser to open: it is sent to the provider of the address's domain, and afterwards to `APP_URL/oauth/callback`, as with GET /v1/auth/oauth/{provider}. A domain without one leads there at once, with `#error=sso_not_found`.",
  request: { query: FlowQuery.extend({ email: Email }) },
  responses: flowResponses,
  errors: ["provider_off"],
  setsFlowCookie: true,
  failClosed: true,
});

const callbackRoute = publicRoute({
  method: "get",
  path: "/v1/auth/sso/callback",
  tags: ["Auth"],
  summary: "Come back from a company's identity provider",
  description:
    "Where all of them send the browser back to, with `code` and `state` or with `error`. It is sent on to the frontend in every case, and its cookie is taken back.",
  responses: { 302: { description: "To the frontend, with a code or an error." } },
  errors: ["provider_off", "encryption_off"],
  writes: true,
  failClosed: true,
  setsFlowCookie: true,
});

export const ssoRoutes = createRouter()
  .openapi(beginRoute, async (c) => {
    const { location, cookie } = await beginSso(c.var.database, c.var.settings, c.req.valid("query"));
    setFlowCookie(c, cookie, { crossSite: false });
    return c.redirect(location, 302);
  })
  .openapi(callbackRoute, async (c) => {
    const { database, settings } = c.var;
    requireOrigins(settings);
    const input = { cookie: takeFlowCookie(c), parameters: new URL(c.req.url).searchParams };
    return c.redirect(await completeFlow(settings, "sso", ssoStateTaker(database, settings), input), 302);
  });
