import { inject } from "vitest";
import { readContract, type Operation } from "./contract.ts";
import { goodPassword, type Person } from "./service.ts";
import { deafUrl } from "./webhooks.ts";

/** The service's contract as /openapi.json states it, so that a new route is held to everything by being mounted. */
export const contract = await readContract();

const named = contract.operations.map((operation): [string, Operation] => [operation.name, operation]);

/** Rows for it.each. */
export const operations = {
  all: named,
  guarded: named.filter(([, { isGuarded }]) => isGuarded),
  /** Those that a complete session may call, and its end ends. */
  signedIn: named.filter(
    ([name, { isGuarded }]) => isGuarded && !["POST /v1/auth/mfa/passkey", "POST /v1/auth/mfa/verify"].includes(name),
  ),
  /** Those of an organization. */
  tenant: named.filter(([, { permission }]) => permission),
  withBody: named.filter(([, { bodySchema }]) => bodySchema),
  withParameters: named.filter(([, { parameters }]) => parameters.some(({ in: place }) => place !== "header")),
  /** Whose path names something that is somebody's. */
  owned: named.filter(([, { path }]) => /\{(?!provider\})/.test(path)),
};

/** Those that ask no database. */
export const databaseFreeRoutes = new Set([
  "GET /health",
  "GET /.well-known/jwks.json",
  "POST /v1/auth/passkeys/authentication-options",
  "GET /v1/permissions",
  "GET /v1/auth/providers",
  "GET /v1/auth/oauth/{provider}",
  // Without the flow's cookie; with it, see oauth-token.test.ts.
  "GET /v1/auth/oauth/{provider}/callback",
  "POST /v1/auth/oauth/{provider}/callback",
  "GET /v1/auth/sso/callback",
]);

/** The query without which an operation does not succeed. */
const queries: Record<string, string> = {
  "GET /v1/auth/oauth/{provider}": "?codeChallenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
  "GET /v1/users/me/permissions": "?organizationId={organizationId}",
  "GET /v1/auth/sso": "?email=ada@acme.example&codeChallenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
};

/** A right body for every operation that takes one; a new route gets its own here. `mark` names what it makes. */
const bodies: Record<string, (person: Person, mark: string) => Record<string, unknown>> = {
  "POST /v1/auth/sign-up": (_, mark) => ({ email: `${mark}@example.com`, password: goodPassword, name: mark }),
  "POST /v1/auth/sign-in": ({ email, password }) => ({ email, password }),
  "POST /v1/auth/refresh": ({ refreshToken }) => ({ refreshToken }),
  "POST /v1/auth/forgot-password": ({ email }) => ({ email }),
  "POST /v1/auth/reset-password": (person) => ({
    token: person.mailedTokens?.reset_password,
    password: "another harbour at dusk",
  }),
  "POST /v1/auth/email-sign-in": ({ email }) => ({ email }),
  "POST /v1/auth/email-sign-in/verify": (person) => ({ token: person.mailedTokens?.sign_in }),
  "POST /v1/auth/verify-email": (person) => ({ token: person.mailedTokens?.verify_email }),
  "POST /v1/auth/change-email": (_, mark) => ({ newEmail: `${mark}@example.com` }),
  "POST /v1/auth/change-email/confirm": (person) => ({ token: person.mailedTokens?.change_email_new }),
  "POST /v1/auth/change-password": ({ password }) => ({
    currentPassword: password,
    newPassword: "another harbour at dusk",
  }),
  "POST /v1/auth/reauthenticate": ({ password }) => ({ password }),
  "POST /v1/auth/oauth/token": ({ flowProofs }) => ({ ...flowProofs?.own }),
  "POST /v1/users/me/identities": ({ flowProofs }) => ({ ...flowProofs?.new }),
  "POST /v1/auth/mfa/totp/activate": ({ totpCode = "123456" }) => ({ code: totpCode }),
  "POST /v1/auth/mfa/verify": ({ totpCode = "123456" }) => ({ code: totpCode }),
  "POST /v1/auth/passkeys": ({ passkeyAnswer: credential }) => ({ credential }),
  "PATCH /v1/auth/passkeys/{passkeyId}": (_, mark) => ({ name: mark }),
  "POST /v1/auth/passkeys/authentication": ({ passkeyAnswer: credential }) => ({ credential }),
  "POST /v1/auth/mfa/passkey": ({ passkeyAnswer: credential }) => ({ credential }),
  "PATCH /v1/users/me": (_, mark) => ({ name: mark }),
  "POST /v1/organizations": (_, mark) => ({ name: mark, slug: mark }),
  "POST /v1/organizations/{organizationId}/sso-connections": (_, mark) => ({
    domain: `${mark}.example`,
    issuer: inject("identityProviderUrl"),
    clientId: "a-client",
    clientSecret: "a-client-secret",
  }),
  "PATCH /v1/organizations/{organizationId}/sso-connections/{connectionId}": (_, mark) => ({ clientId: mark }),
  "PATCH /v1/organizations/{organizationId}": (_, mark) => ({ name: mark, slug: mark }),
  "PATCH /v1/organizations/{organizationId}/members/{userId}": () => ({ roles: ["member", "viewer"] }),
  "POST /v1/organizations/{organizationId}/roles": (_, mark) => ({
    key: mark,
    name: mark,
    permissions: ["organization:read"],
  }),
  "PATCH /v1/organizations/{organizationId}/roles/{roleId}": (_, mark) => ({ name: mark }),
  "POST /v1/organizations/{organizationId}/invitations": (_, mark) => ({
    invitations: [{ email: `${mark}@example.com`, roles: ["member"] }],
  }),
  "POST /v1/organizations/{organizationId}/share-links": (_, mark) => ({
    roles: ["viewer"],
    allowedDomains: [`${mark}.example`],
    maxUses: 10,
  }),
  "POST /v1/organizations/{organizationId}/ownership-transfer": ({ colleagueId }) => ({
    userId: colleagueId ?? crypto.randomUUID(),
  }),
  "POST /v1/organizations/{organizationId}/domains": (_, mark) => ({ domain: `${mark}.example` }),
  "PATCH /v1/organizations/{organizationId}/domains/{domainId}": () => ({ roles: ["viewer"] }),
  "POST /v1/organizations/{organizationId}/teams": (_, mark) => ({ name: mark }),
  "PATCH /v1/organizations/{organizationId}/teams/{teamId}": (_, mark) => ({ name: mark }),
  "PUT /v1/organizations/{organizationId}/teams/{teamId}/members/{userId}": () => ({ role: "lead" }),
  "POST /v1/organizations/{organizationId}/api-keys": (_, mark) => ({ name: mark, scopes: ["organization:read"] }),
  "PATCH /v1/organizations/{organizationId}/api-keys/{apiKeyId}": (_, mark) => ({ name: mark }),
  "POST /v1/organizations/{organizationId}/api-keys/{apiKeyId}/rotate": () => ({ overlapSeconds: 60 }),
  "POST /v1/organizations/{organizationId}/webhook-endpoints": (_, mark) => ({ url: deafUrl, description: mark }),
  "PATCH /v1/organizations/{organizationId}/webhook-endpoints/{webhookEndpointId}": (_, mark) => ({
    description: mark,
  }),
  "POST /v1/organizations/{organizationId}/webhook-endpoints/{webhookEndpointId}/rotate-secret": () => ({
    overlapSeconds: 60,
  }),
  "POST /v1/organizations/{organizationId}/webhook-endpoints/{webhookEndpointId}/recover": () => ({
    since: "2026-01-01T00:00:00.000Z",
  }),
  "POST /v1/platform/users/{userId}/suspend": (_, mark) => ({ reason: mark }),
  "POST /v1/platform/organizations/{organizationId}/suspend": (_, mark) => ({ reason: mark }),
  "POST /v1/platform/impersonations": ({ colleagueId }, mark) => ({
    userId: colleagueId ?? crypto.randomUUID(),
    reason: mark,
  }),
  "POST /v1/organizations/{organizationId}/subscription/checkout": ({ priceId }) => ({
    priceId: priceId ?? crypto.randomUUID(),
  }),
  "POST /v1/organizations/{organizationId}/subscription/change": ({ priceId }) => ({
    priceId: priceId ?? crypto.randomUUID(),
  }),
  "POST /v1/organizations/{organizationId}/usage/events": (_, mark) => ({
    events: [{ specversion: "1.0", source: "/operations", id: mark, type: "api-requests", data: { value: "1" } }],
  }),
  "POST /v1/organizations/{organizationId}/usage/{meter}/check": () => ({ value: "1" }),
  "POST /v1/organizations/{organizationId}/usage/{meter}/reservations": () => ({ value: "1" }),
  "POST /v1/organizations/{organizationId}/usage/{meter}/reservations/{reservationId}/commit": () => ({ value: "1" }),
  "POST /v1/platform/organizations/{organizationId}/usage/corrections": ({ usageEventId }, mark) => ({
    corrections: [{ source: "/given", id: usageEventId ?? mark, value: "3" }],
    reason: mark,
  }),
  "POST /v1/webhooks/stripe": ({ signedEvent }) =>
    signedEvent?.body ?? {
      id: "evt_of_nobody",
      type: "customer.updated",
      livemode: false,
      data: { object: {} },
    },
  "POST /v1/platform/invoices/{invoiceId}/pay": (_, mark) => ({ reference: mark }),
  "POST /v1/platform/plans": (_, mark) => ({ key: mark, name: mark }),
  "PATCH /v1/platform/plans/{planId}": (_, mark) => ({ name: mark }),
  "POST /v1/share-links/lookup": (person) => ({ token: person.mailedTokens?.shareLink }),
  "POST /v1/share-links/accept": (person) => ({ token: person.mailedTokens?.shareLink }),
  "POST /v1/invitations/lookup": (person) => ({ token: person.mailedTokens?.invitation }),
  "POST /v1/invitations/accept": (person) => ({ token: person.mailedTokens?.invitation }),
  "POST /v1/invitations/decline": (person) => ({ token: person.mailedTokens?.invitation }),
};

export const newMark = () => `mark-${crypto.randomUUID()}`;

export function bodyOf(
  { name, bodySchema }: Operation,
  person: Person,
  mark = newMark(),
): Record<string, unknown> | undefined {
  if (!bodySchema) return undefined;
  const body = bodies[name];
  if (!body) throw new Error(`give ${name} a body in support/operations.ts`);
  return body(person, mark);
}

/** What to call the operation with as this person, or as nobody when it is open to all. */
export function optionsOf(operation: Operation, person: Person, mark?: string) {
  const body = bodyOf(operation, person, mark);
  const token = takesPending(operation) ? (person.mfaToken ?? person.token) : person.token;
  // Of whoever was not given one, that of nothing.
  const signature = person.signedEvent?.signature ?? "t=0,v1=00";
  const isSigned = operation.parameters.some(({ name }) => name === "stripe-signature");
  return {
    ...(body && { body }),
    ...(operation.isGuarded && { token }),
    ...(isSigned && { headers: { "stripe-signature": signature } }),
  };
}

/** A creating POST: it takes an Idempotency-Key. */
export const creates = ({ parameters }: Operation) => parameters.some(({ name }) => name === "idempotency-key");

/** Open to a session that waits for its second factor. */
export const takesPending = ({ isGuarded, responses }: Operation) =>
  isGuarded && !Object.hasOwn(responses["401"]?.content?.["application/problem+json"]?.examples ?? {}, "mfa_required");

/** Puts ids into a path; one that nobody has made is an error. */
export const fillPath = (path: string, ids: Record<string, string | undefined>) =>
  path.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
    const id = ids[name];
    if (!id) throw new Error(`nobody has made a ${name}`);
    return id;
  });

/** Where the operation is called. */
export const targetOf = ({ name, path }: Pick<Operation, "name" | "path">, ids: Record<string, string | undefined>) =>
  fillPath(`${path}${queries[name] ?? ""}`, ids);

/** The path with ids that nobody has. */
export const strangePath = (path: string) => path.replaceAll(/\{\w+\}/g, () => crypto.randomUUID());
