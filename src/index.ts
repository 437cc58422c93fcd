import type { Context } from "hono";
import { cors } from "hono/cors";
import { methodNotAllowed } from "hono/method-not-allowed";
import { requestId } from "hono/request-id";
import { secureHeaders } from "hono/secure-headers";
import { v7 as uuidv7 } from "uuid";
import { openSystemDatabase } from "./db/index.ts";
import { readSettings } from "./env.ts";
import { AppError, ReplayedResponse } from "./errors.ts";
import { readClientAddress } from "./middleware/client-address.ts";
import { log, logFailure } from "./middleware/log.ts";
import { outbox } from "./middleware/outbox.ts";
import { webhooks } from "./middleware/webhooks.ts";
import { bodyLimit } from "./middleware/request-body.ts";
import { challenges } from "./headers.ts";
import { createRouter } from "./openapi.ts";
import { describeApi } from "./openapi-document.ts";
import { accountRoutes } from "./routes/accounts.ts";
import { apiKeyRoutes } from "./routes/api-keys.ts";
import { auditEventRoutes } from "./routes/audit-events.ts";
import { authRoutes } from "./routes/auth.ts";
import { changePasswordRoutes } from "./routes/change-password.ts";
import { docsRoutes } from "./routes/docs.ts";
import { jwksRoutes } from "./routes/jwks.ts";
import { impersonationRoutes } from "./routes/impersonations.ts";
import { invitationRoutes } from "./routes/invitations.ts";
import { memberRoutes } from "./routes/members.ts";
import { receivedInvitationRoutes } from "./routes/received-invitations.ts";
import { roleRoutes } from "./routes/roles.ts";
import { mfaRoutes } from "./routes/mfa.ts";
import { deletedOrganizationRoutes } from "./routes/deleted-organizations.ts";
import { domainRoutes } from "./routes/domains.ts";
import { emailAddressRoutes } from "./routes/email-addresses.ts";
import { emailSignInRoutes } from "./routes/email-sign-in.ts";
import { identityRoutes } from "./routes/identities.ts";
import { oauthRoutes } from "./routes/oauth.ts";
import { healthRoutes, operationRoutes } from "./routes/operations.ts";
import { organizationExportRoutes } from "./routes/organization-exports.ts";
import { organizationRoutes } from "./routes/organizations.ts";
import { ownershipTransferRoutes } from "./routes/ownership-transfers.ts";
import { passkeySignInRoutes } from "./routes/passkey-sign-ins.ts";
import { passkeyRoutes } from "./routes/passkeys.ts";
import { passwordResetRoutes } from "./routes/password-resets.ts";
import { invoiceRoutes } from "./routes/invoices.ts";
import { planRoutes } from "./routes/plans.ts";
import { platformInvoiceRoutes } from "./routes/platform-invoices.ts";
import { platformPlanRoutes } from "./routes/platform-plans.ts";
import { platformUsageRoutes } from "./routes/platform-usage.ts";
import { platformOrganizationRoutes } from "./routes/platform-organizations.ts";
import { platformUserRoutes } from "./routes/platform-users.ts";
import { reauthenticationRoutes } from "./routes/reauthentication.ts";
import { receivedShareLinkRoutes } from "./routes/received-share-links.ts";
import { shareLinkRoutes } from "./routes/share-links.ts";
import { sessionRoutes } from "./routes/sessions.ts";
import { stripeWebhookRoutes } from "./routes/stripe-webhooks.ts";
import { subscriptionRoutes } from "./routes/subscriptions.ts";
import { usageEventRoutes } from "./routes/usage-events.ts";
import { usageReservationRoutes } from "./routes/usage-reservations.ts";
import { usageRoutes } from "./routes/usage.ts";
import { suggestedOrganizationRoutes } from "./routes/suggested-organizations.ts";
import { teamMemberRoutes } from "./routes/team-members.ts";
import { teamRoutes } from "./routes/teams.ts";
import { totpRoutes } from "./routes/totp.ts";
import { ssoConnectionRoutes } from "./routes/sso-connections.ts";
import { ssoRoutes } from "./routes/sso.ts";
import { userRoutes } from "./routes/users.ts";
import { webhookEndpointRoutes } from "./routes/webhook-endpoints.ts";
import { webhookMessageRoutes } from "./routes/webhook-messages.ts";
import { importSigningKeys } from "./services/jwks.ts";
import { purgeExpired } from "./services/maintenance.ts";
import { sendDueMessages } from "./services/outbox.ts";
import { advanceSubscriptions, findUndeliveredEvents, followStripe } from "./services/subscriptions.ts";
import type { AppEnv, Bindings } from "./types.ts";

export { RateLimiter } from "./middleware/rate-limit/rate-limiter.ts";

const app = createRouter();

app.use(requestId({ generator: () => uuidv7() }));
app.use(async (c, next) => {
  c.set("meter", { requests: 0, milliseconds: 0 });
  c.set("clientAddress", readClientAddress(c.req.header("cf-connecting-ip")));
  c.set("userAgent", c.req.header("user-agent")?.slice(0, 512).toWellFormed() ?? null);
  await next();
});
app.use(log());
app.use(
  secureHeaders({
    contentSecurityPolicy: { defaultSrc: ["'none'"], baseUri: ["'none'"], frameAncestors: ["'none'"] },
    strictTransportSecurity: "max-age=31536000; includeSubDomains",
    xFrameOptions: "DENY",
    overwrite: false,
  }),
);
app.use(async (c, next) => {
  await next();
  if (!c.res.headers.has("cache-control")) c.header("cache-control", "no-store");
});
app.use(
  methodNotAllowed({
    app,
    onMethodNotAllowed: (c: Context<AppEnv>, methods) =>
      answerProblem(c, new AppError("method_not_allowed", { headers: { allow: methods.join(", ") } })),
  }),
);

app.route("/", healthRoutes);

app.use(async (c, next) => {
  const settings = readSettings(c.env);
  // Here, so that keys that are none are named by every answer, as any setting is.
  await importSigningKeys(settings);
  c.set("settings", settings);
  const readOnly = c.req.method === "GET" || c.req.method === "HEAD";
  const { meter, requestId, clientAddress } = c.var;
  const origin = { requestId, clientAddress };
  const onWebhooks = (organizationId: string) => c.set("changedOrganizationId", organizationId);
  c.set("databaseOptions", { url: settings.DATABASE_URL, origin, readOnly, meter, messages: [], onWebhooks });
  await next();
});
app.use(async (c, next) => {
  await next();
  // For the refresh cookie, and only beside an origin that is listed.
  if (c.res.headers.has("access-control-allow-origin")) c.header("access-control-allow-credentials", "true");
});
app.use(
  cors({
    origin: (origin, c: Context<AppEnv>) => (c.var.settings.CORS_ORIGINS.includes(origin) ? origin : null),
    allowMethods: ["GET", "POST", "PATCH", "PUT", "DELETE"],
    allowHeaders: ["authorization", "content-type", "idempotency-key", "x-request-id"],
    exposeHeaders: [
      "x-request-id",
      "retry-after",
      "ratelimit",
      "ratelimit-policy",
      "idempotent-replayed",
      "server-timing",
    ],
    maxAge: 86_400,
  }),
);
app.use(bodyLimit());
app.use(outbox());
app.use(webhooks());

app.route("/", authRoutes);
app.route("/", passwordResetRoutes);
app.route("/", emailSignInRoutes);
app.route("/", emailAddressRoutes);
app.route("/", changePasswordRoutes);
app.route("/", reauthenticationRoutes);
app.route("/", oauthRoutes);
app.route("/", identityRoutes);
app.route("/", mfaRoutes);
app.route("/", totpRoutes);
app.route("/", sessionRoutes);
app.route("/", passkeySignInRoutes);
app.route("/", passkeyRoutes);
app.route("/", userRoutes);
app.route("/", accountRoutes);
app.route("/", organizationRoutes).route("/", deletedOrganizationRoutes).route("/", organizationExportRoutes);
app.route("/", memberRoutes).route("/", roleRoutes).route("/", ownershipTransferRoutes);
app.route("/", apiKeyRoutes).route("/", auditEventRoutes);
app.route("/", webhookEndpointRoutes).route("/", webhookMessageRoutes);
app.route("/", teamRoutes).route("/", teamMemberRoutes);
app.route("/", invitationRoutes).route("/", receivedInvitationRoutes);
app.route("/", shareLinkRoutes).route("/", receivedShareLinkRoutes);
app.route("/", domainRoutes).route("/", suggestedOrganizationRoutes);
app.route("/", ssoRoutes);
app.route("/", ssoConnectionRoutes);
app.route("/", planRoutes).route("/", subscriptionRoutes).route("/", invoiceRoutes).route("/", stripeWebhookRoutes);
app
  .route("/", usageEventRoutes)
  .route("/", usageReservationRoutes)
  .route("/", usageRoutes)
  .route("/", platformUsageRoutes);
app.route("/", platformPlanRoutes).route("/", platformInvoiceRoutes);
app.route("/", platformUserRoutes).route("/", platformOrganizationRoutes).route("/", impersonationRoutes);
app.route("/", jwksRoutes);
app.route("/", operationRoutes);
app.route("/", docsRoutes);
app.get("/openapi.json", (c) => c.body(describeApi(app), 200, { "content-type": "application/json" }));

app.notFound((c) => answerProblem(c, new AppError("not_found")));

app.onError((error, c) => {
  if (error instanceof ReplayedResponse) return c.json(error.body, error.status, { "idempotent-replayed": "true" });
  return answerProblem(c, error instanceof AppError ? error : new AppError("internal", { cause: error }));
});

function answerProblem(c: Context<AppEnv>, error: AppError): Response {
  const { status } = error;
  const expected =
    status === 401 ? { "www-authenticate": challengeOf(error) } : status === 503 ? { "retry-after": "2" } : undefined;
  return c.json(error.toProblem(c.var.requestId), status, {
    ...expected,
    ...error.headers,
    "content-type": "application/problem+json",
  });
}

/** RFC 6750 §3; RFC 9470 §3 where the person must prove more, or again. */
const challengeOf = ({ code }: AppError) => challenges[code] ?? challenges.unauthenticated;

/**
 * By the Cron Triggers of wrangler.toml: each minute mails and webhooks that are still to be sent and subscriptions whose
 * period has ended, once an hour the clean-up.
 */
async function scheduled({ cron }: ScheduledController, env: Bindings): Promise<void> {
  const settings = readSettings(env);
  const meter = { requests: 0, milliseconds: 0 };
  const database = openSystemDatabase({
    url: settings.DATABASE_URL,
    origin: null,
    readOnly: false,
    meter,
    messages: [],
  });
  if (cron === "* * * * *") {
    const { deliverDueWebhooks } = await import("./services/webhook-deliveries.ts");
    const outcomes = await Promise.allSettled([
      sendDueMessages(database, settings, env.EMAIL),
      deliverDueWebhooks(database, settings).catch((error: unknown) =>
        logFailure("webhooks were not delivered", error),
      ),
      advanceSubscriptions(database),
      followStripe(database, settings).catch((error: unknown) => logFailure("customers were not looked at", error)),
    ]);
    throwFirst(outcomes);
    return;
  }
  const [purged, found] = await Promise.allSettled([purgeExpired(database), findUndeliveredEvents(database, settings)]);
  console.log(
    JSON.stringify({
      level: "info",
      message: "purged what has expired",
      rows: purged.status === "fulfilled" ? purged.value : null,
      databaseMs: meter.milliseconds,
    }),
  );
  throwFirst([purged, found]);
}

/** Whichever it was, the others are done with. */
function throwFirst(outcomes: PromiseSettledResult<unknown>[]): void {
  for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
}

export default { fetch: app.fetch, scheduled } satisfies ExportedHandler<Bindings>;
