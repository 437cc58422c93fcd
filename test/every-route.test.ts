import { beforeAll, describe, expect, it } from "vitest";
import { verifyAddress, makeStale } from "./support/accounts.ts";
import { expectContract, type Operation } from "./support/contract.ts";
import { addMember, asOwner } from "./support/database.ts";
import { asksVerified } from "./support/factors.ts";
import {
  contract,
  databaseFreeRoutes,
  fillPath,
  targetOf,
  operations,
  optionsOf,
  strangePath,
  takesPending,
} from "./support/operations.ts";
import { prepare, prepareFor } from "./support/prepare.ts";
import { takesAdmin } from "./support/platform.ts";
import { expectProblem } from "./support/problems.ts";
import { openService, signUpPerson } from "./support/service.ts";

const { document } = contract;

/** Where bcrypt, or somebody else's server, runs between two requests to the database. */
const bcryptRoutes = new Set([
  "POST /v1/auth/sign-in",
  "POST /v1/auth/change-password",
  "POST /v1/auth/reauthenticate",
  // A provider's server.
  "POST /v1/organizations/{organizationId}/sso-connections",
  // Here it is the signature's verification.
  "POST /v1/auth/passkeys/authentication",
  "POST /v1/auth/mfa/passkey",
]);

/** Where the Worker compares a code in between, whose attempt must stay counted. */
const codeRoutes = new Set(["POST /v1/auth/mfa/totp/activate", "POST /v1/auth/mfa/verify"]);

/** Answers that may give a browser its refresh token, or a flow, in a cookie, or take it back. */
const cookieStatuses: Record<string, string[]> = {
  "POST /v1/auth/sign-in": ["200"],
  "POST /v1/auth/email-sign-in/verify": ["200"],
  "POST /v1/auth/passkeys/authentication": ["200"],
  "POST /v1/auth/mfa/passkey": ["200"],
  "POST /v1/auth/refresh": ["200", "401"],
  "POST /v1/auth/oauth/token": ["200"],
  "GET /v1/auth/oauth/{provider}": ["302"],
  "GET /v1/auth/oauth/{provider}/callback": ["302"],
  "POST /v1/auth/oauth/{provider}/callback": ["302"],
  "GET /v1/auth/sso": ["302"],
  "GET /v1/auth/sso/callback": ["302"],
  "POST /v1/auth/mfa/verify": ["200"],
  "POST /v1/auth/sign-out": ["204"],
  "POST /v1/auth/reset-password": ["204"],
  "DELETE /v1/auth/sessions": ["204"],
  "DELETE /v1/auth/sessions/{sessionId}": ["204"],
  "DELETE /v1/users/me": ["204"],
};

/** Whether the contract has this error. */
const says = ({ responses }: Operation, code: string) =>
  Object.values(responses).some(({ content = {} }) =>
    Object.hasOwn(content["application/problem+json"]?.examples ?? {}, code),
  );

/** Stripe's are not, since it signs them, and sends them as fast as they happen. */
const isCountedOperation = ({ path }: Operation) => path !== "/health" && path !== "/v1/webhooks/stripe";

describe("Every operation", () => {
  it("is one of those that the product has", () => {
    expect(contract.operations.map(({ name }) => name).toSorted()).toEqual([
      "DELETE /v1/auth/mfa/totp",
      "DELETE /v1/auth/passkeys/{passkeyId}",
      "DELETE /v1/auth/sessions",
      "DELETE /v1/auth/sessions/{sessionId}",
      "DELETE /v1/organizations/{organizationId}",
      "DELETE /v1/organizations/{organizationId}/api-keys/{apiKeyId}",
      "DELETE /v1/organizations/{organizationId}/domains/{domainId}",
      "DELETE /v1/organizations/{organizationId}/invitations/{invitationId}",
      "DELETE /v1/organizations/{organizationId}/members/{userId}",
      "DELETE /v1/organizations/{organizationId}/ownership-transfer",
      "DELETE /v1/organizations/{organizationId}/roles/{roleId}",
      "DELETE /v1/organizations/{organizationId}/share-links/{shareLinkId}",
      "DELETE /v1/organizations/{organizationId}/sso-connections/{connectionId}",
      "DELETE /v1/organizations/{organizationId}/teams/{teamId}",
      "DELETE /v1/organizations/{organizationId}/teams/{teamId}/members/{userId}",
      "DELETE /v1/organizations/{organizationId}/webhook-endpoints/{webhookEndpointId}",
      "DELETE /v1/platform/impersonations/{impersonationId}",
      "DELETE /v1/users/me",
      "DELETE /v1/users/me/identities/{identityId}",
      "GET /.well-known/jwks.json",
      "GET /health",
      "GET /ready",
      "GET /v1/auth/mfa",
      "GET /v1/auth/oauth/{provider}",
      "GET /v1/auth/oauth/{provider}/callback",
      "GET /v1/auth/passkeys",
      "GET /v1/auth/providers",
      "GET /v1/auth/sessions",
      "GET /v1/auth/sso",
      "GET /v1/auth/sso/callback",
      "GET /v1/organization-slugs/{organizationSlug}",
      "GET /v1/organizations",
      "GET /v1/organizations/{organizationId}",
      "GET /v1/organizations/{organizationId}/api-keys",
      "GET /v1/organizations/{organizationId}/api-keys/{apiKeyId}",
      "GET /v1/organizations/{organizationId}/audit-events",
      "GET /v1/organizations/{organizationId}/audit-events/export",
      "GET /v1/organizations/{organizationId}/domains",
      "GET /v1/organizations/{organizationId}/domains/{domainId}",
      "GET /v1/organizations/{organizationId}/entitlements",
      "GET /v1/organizations/{organizationId}/export",
      "GET /v1/organizations/{organizationId}/invitations",
      "GET /v1/organizations/{organizationId}/invoices",
      "GET /v1/organizations/{organizationId}/members",
      "GET /v1/organizations/{organizationId}/members/{userId}",
      "GET /v1/organizations/{organizationId}/ownership-transfer",
      "GET /v1/organizations/{organizationId}/roles",
      "GET /v1/organizations/{organizationId}/roles/{roleId}",
      "GET /v1/organizations/{organizationId}/share-links",
      "GET /v1/organizations/{organizationId}/sso-connections",
      "GET /v1/organizations/{organizationId}/sso-connections/{connectionId}",
      "GET /v1/organizations/{organizationId}/subscription",
      "GET /v1/organizations/{organizationId}/teams",
      "GET /v1/organizations/{organizationId}/teams/{teamId}",
      "GET /v1/organizations/{organizationId}/teams/{teamId}/members",
      "GET /v1/organizations/{organizationId}/usage",
      "GET /v1/organizations/{organizationId}/usage/{meter}",
      "GET /v1/organizations/{organizationId}/webhook-endpoints",
      "GET /v1/organizations/{organizationId}/webhook-endpoints/{webhookEndpointId}",
      "GET /v1/organizations/{organizationId}/webhook-endpoints/{webhookEndpointId}/messages",
      "GET /v1/organizations/{organizationId}/webhook-endpoints/{webhookEndpointId}/messages/{webhookMessageId}",
      "GET /v1/permissions",
      "GET /v1/plans",
      "GET /v1/platform/impersonations",
      "GET /v1/platform/invoices",
      "GET /v1/platform/organizations",
      "GET /v1/platform/organizations/{organizationId}",
      "GET /v1/platform/plans",
      "GET /v1/platform/users",
      "GET /v1/platform/users/{userId}",
      "GET /v1/users/me",
      "GET /v1/users/me/audit-events",
      "GET /v1/users/me/deleted-organizations",
      "GET /v1/users/me/export",
      "GET /v1/users/me/identities",
      "GET /v1/users/me/invitations",
      "GET /v1/users/me/permissions",
      "GET /v1/users/me/suggested-organizations",
      "PATCH /v1/auth/passkeys/{passkeyId}",
      "PATCH /v1/organizations/{organizationId}",
      "PATCH /v1/organizations/{organizationId}/api-keys/{apiKeyId}",
      "PATCH /v1/organizations/{organizationId}/domains/{domainId}",
      "PATCH /v1/organizations/{organizationId}/members/{userId}",
      "PATCH /v1/organizations/{organizationId}/roles/{roleId}",
      "PATCH /v1/organizations/{organizationId}/sso-connections/{connectionId}",
      "PATCH /v1/organizations/{organizationId}/teams/{teamId}",
      "PATCH /v1/organizations/{organizationId}/webhook-endpoints/{webhookEndpointId}",
      "PATCH /v1/platform/plans/{planId}",
      "PATCH /v1/users/me",
      "POST /v1/auth/change-email",
      "POST /v1/auth/change-email/confirm",
      "POST /v1/auth/change-password",
      "POST /v1/auth/email-sign-in",
      "POST /v1/auth/email-sign-in/verify",
      "POST /v1/auth/forgot-password",
      "POST /v1/auth/mfa/passkey",
      "POST /v1/auth/mfa/passkey-options",
      "POST /v1/auth/mfa/recovery-codes",
      "POST /v1/auth/mfa/totp",
      "POST /v1/auth/mfa/totp/activate",
      "POST /v1/auth/mfa/verify",
      "POST /v1/auth/oauth/token",
      "POST /v1/auth/oauth/{provider}/callback",
      "POST /v1/auth/passkeys",
      "POST /v1/auth/passkeys/authentication",
      "POST /v1/auth/passkeys/authentication-options",
      "POST /v1/auth/passkeys/registration-options",
      "POST /v1/auth/reauthenticate",
      "POST /v1/auth/refresh",
      "POST /v1/auth/resend-verification",
      "POST /v1/auth/reset-password",
      "POST /v1/auth/sign-in",
      "POST /v1/auth/sign-out",
      "POST /v1/auth/sign-up",
      "POST /v1/auth/verify-email",
      "POST /v1/invitations/accept",
      "POST /v1/invitations/decline",
      "POST /v1/invitations/lookup",
      "POST /v1/organizations",
      "POST /v1/organizations/{organizationId}/api-keys",
      "POST /v1/organizations/{organizationId}/api-keys/{apiKeyId}/rotate",
      "POST /v1/organizations/{organizationId}/domains",
      "POST /v1/organizations/{organizationId}/domains/{domainId}/verify",
      "POST /v1/organizations/{organizationId}/invitations",
      "POST /v1/organizations/{organizationId}/invitations/{invitationId}/resend",
      "POST /v1/organizations/{organizationId}/leave",
      "POST /v1/organizations/{organizationId}/ownership-transfer",
      "POST /v1/organizations/{organizationId}/ownership-transfer/accept",
      "POST /v1/organizations/{organizationId}/ownership-transfer/decline",
      "POST /v1/organizations/{organizationId}/roles",
      "POST /v1/organizations/{organizationId}/share-links",
      "POST /v1/organizations/{organizationId}/sso-connections",
      "POST /v1/organizations/{organizationId}/sso-connections/{connectionId}/verify-domain",
      "POST /v1/organizations/{organizationId}/subscription/cancel",
      "POST /v1/organizations/{organizationId}/subscription/change",
      "POST /v1/organizations/{organizationId}/subscription/checkout",
      "POST /v1/organizations/{organizationId}/subscription/portal",
      "POST /v1/organizations/{organizationId}/subscription/refresh",
      "POST /v1/organizations/{organizationId}/subscription/resume",
      "POST /v1/organizations/{organizationId}/teams",
      "POST /v1/organizations/{organizationId}/usage/events",
      "POST /v1/organizations/{organizationId}/usage/{meter}/check",
      "POST /v1/organizations/{organizationId}/usage/{meter}/reservations",
      "POST /v1/organizations/{organizationId}/usage/{meter}/reservations/{reservationId}/commit",
      "POST /v1/organizations/{organizationId}/usage/{meter}/reservations/{reservationId}/release",
      "POST /v1/organizations/{organizationId}/webhook-endpoints",
      "POST /v1/organizations/{organizationId}/webhook-endpoints/{webhookEndpointId}/messages/{webhookMessageId}/replay",
      "POST /v1/organizations/{organizationId}/webhook-endpoints/{webhookEndpointId}/recover",
      "POST /v1/organizations/{organizationId}/webhook-endpoints/{webhookEndpointId}/rotate-secret",
      "POST /v1/platform/impersonations",
      "POST /v1/platform/invoices/{invoiceId}/pay",
      "POST /v1/platform/organizations/{organizationId}/suspend",
      "POST /v1/platform/organizations/{organizationId}/unsuspend",
      "POST /v1/platform/organizations/{organizationId}/usage/corrections",
      "POST /v1/platform/plans",
      "POST /v1/platform/plans/{planId}/archive",
      "POST /v1/platform/users/{userId}/suspend",
      "POST /v1/platform/users/{userId}/unsuspend",
      "POST /v1/share-links/accept",
      "POST /v1/share-links/lookup",
      "POST /v1/users/me/deleted-organizations/{deletedOrganizationId}/restore",
      "POST /v1/users/me/identities",
      "POST /v1/users/me/invitations/{receivedInvitationId}/accept",
      "POST /v1/users/me/invitations/{receivedInvitationId}/decline",
      "POST /v1/users/me/suggested-organizations/{suggestedOrganizationId}/join",
      "POST /v1/webhooks/stripe",
      "PUT /v1/organizations/{organizationId}/teams/{teamId}/members/{userId}",
    ]);
  });

  it.each(operations.all)(
    "%s asks the database once (with bcrypt or a code in between: at most twice)",
    async (name, operation) => {
      const { service, person, ids } = await prepareFor(operation);
      const answer = await service.call(operation.method, targetOf(operation, ids), optionsOf(operation, person));
      expect(answer.status, JSON.stringify(answer.body)).toBeLessThan(400);
      expectContract(contract, operation, answer);
      const requests = await service.databaseRequests();
      if (databaseFreeRoutes.has(name)) expect(requests).toHaveLength(0);
      else if (bcryptRoutes.has(name) || codeRoutes.has(name)) expect(requests.length).toBeLessThanOrEqual(2);
      else expect(requests).toHaveLength(1);
      for (const request of requests) expect(request.readOnly).toBe(operation.method === "GET");
    },
  );

  it.each(operations.guarded)(
    "%s begins its transaction with app.admit, and hands it what the contract says",
    async (_, operation) => {
      const { service, person, organization, ids } = await prepareFor(operation);
      const answer = await service.call(operation.method, targetOf(operation, ids), optionsOf(operation, person));
      const origin = [answer.headers.get("x-request-id"), service.address];
      const [request] = await service.databaseRequests();
      expect(request?.batch).toBe(true);
      expect(request?.isolationLevel).toBe("ReadCommitted");
      expect(request?.statements[0]?.query).toMatch(
        /^select (.*, )?set_config\('role', 'app_user', true\), .*\bapp\.admit(_platform_admin)?\([^()]*\)( as "hasWebhooks")?$/,
      );
      const [handle, ...rest] = request?.statements[0]?.params ?? [];
      expect(handle).toMatch(/^\\x[\da-f]{64}$/);
      const fresh = String(says(operation, "reauthentication_required"));
      const pending = String(takesPending(operation));
      const verified = String(asksVerified(operation.name));
      const isForAdmins = request?.statements[0]?.query.includes("app.admit_platform_admin");
      expect(isForAdmins).toBe(takesAdmin(operation.name));
      if (isForAdmins) return expect(rest).toEqual([fresh, ...origin]);
      expect(rest).toEqual(
        operation.permission
          ? [organization.id, operation.permission, verified, fresh, ...origin, operation.entitlement ?? null]
          : [verified, fresh, pending, ...origin],
      );
    },
  );

  it.each(operations.guarded)("%s is open to an unverified address only where the contract says so", async (_, op) => {
    const service = openService({ EMAIL_VERIFICATION: "required" });
    const { person, ids } = await prepare(openService(), undefined, op);
    await asOwner(["update users set email_verified_at = null where id = $1", [person.id]]);
    const call = () => service.call(op.method, targetOf(op, ids), optionsOf(op, person));
    const answer = await call();
    expectContract(contract, op, answer);
    if (says(op, "email_unverified")) {
      expectProblem(answer, "email_unverified");
      await verifyAddress(person);
      expect((await call()).status).toBeLessThan(300);
    } else expect(answer.status).toBeLessThan(300);
  });

  it.each(operations.guarded)("%s asks for the password again only where the contract says so", async (_, op) => {
    const service = openService();
    const { person, ids } = await prepare(service, undefined, op);
    await makeStale(person);
    const answer = await service.call(op.method, targetOf(op, ids), optionsOf(op, person));
    expectContract(contract, op, answer);
    if (!says(op, "reauthentication_required")) expect(answer.status).toBeLessThan(300);
    else {
      expectProblem(answer, "reauthentication_required");
      expect(answer.headers.get("www-authenticate")).toBe(
        'Bearer error="insufficient_user_authentication", max_age="600"',
      );
    }
  });

  it.each(operations.all)("%s has every error that follows from its shape, with an example", (_, operation) => {
    if (operation.path === "/health") return;
    const documented = Object.keys(operation.responses);
    const hasInput = operation.bodySchema || operation.parameters.length > 0;
    const creates = operation.parameters.some(({ name }) => name === "idempotency-key");
    expect(documented).toEqual(
      expect.arrayContaining([
        "413",
        ...(isCountedOperation(operation) ? ["429"] : []),
        "500",
        "503",
        ...(hasInput ? ["400"] : []),
        ...(operation.bodySchema ? ["415"] : []),
        ...(creates ? ["422"] : []),
        ...(operation.isGuarded ? ["401"] : []),
        ...(operation.permission ? ["403", "404"] : []),
      ]),
    );
    for (const [code, response] of Object.entries(operation.responses)) {
      if (Number(code) < 400) continue;
      const problem = response.content?.["application/problem+json"];
      expect(problem?.schema).toEqual({ $ref: "#/components/schemas/Problem" });
      expect(Object.keys(problem?.examples ?? {})).not.toHaveLength(0);
    }
  });

  it.each(operations.all)("%s documents the headers of each of its answers", (name, operation) => {
    const creates = operation.parameters.some(({ name }) => name === "idempotency-key");
    for (const [status, { headers }] of Object.entries(operation.responses)) {
      const isEarly = status >= "500" || (status === "401" && operation.isGuarded);
      const isCounted = isCountedOperation(operation) && status !== "413";
      const required = [
        "x-request-id",
        "Server-Timing",
        ...(isCounted && !isEarly ? ["RateLimit-Policy", "RateLimit"] : []),
        ...(status === "302" ? ["Location"] : []),
        ...(status === "401" ? ["WWW-Authenticate"] : []),
        ...(status === "429" || status === "503" ? ["Retry-After"] : []),
      ];
      const optional = [
        ...(isCounted && isEarly ? ["RateLimit-Policy", "RateLimit"] : []),
        ...(creates && ["201", "202", "207"].includes(status) ? ["Idempotent-Replayed"] : []),
        ...(cookieStatuses[name]?.includes(status) ? ["Set-Cookie"] : []),
      ];
      const documented = Object.entries(headers).map(([name, header]) => [name, header.required ?? false]);
      const expected = [...required.map((name) => [name, true]), ...optional.map((name) => [name, false])];
      expect(Object.fromEntries(documented), status).toEqual(Object.fromEntries(expected));
    }
  });

  it.each(operations.all)("%s gives an example of everything that it takes and returns", (_, operation) => {
    const missing: string[] = [];
    const visit = (given: any, where: string): void => {
      const schema = contract.requests.resolve(given);
      if (schema["example"] !== undefined || schema["enum"] || schema["const"]) return;
      const parts = ["allOf", "anyOf", "oneOf"].flatMap((of) => schema[of] ?? []);
      for (const part of parts) visit(part, where);
      if (schema["type"] === "array") visit(schema["items"], `${where}[]`);
      else if (schema["properties"])
        for (const [key, value] of Object.entries(schema["properties"])) visit(value, `${where}.${key}`);
      else if (parts.length === 0 && !where.endsWith("nextCursor")) missing.push(where);
    };
    for (const parameter of operation.parameters) {
      if (parameter.example === undefined) visit(parameter.schema, `${parameter.in} ${parameter.name}`);
    }
    if (operation.bodySchema) visit(operation.bodySchema, "request");
    for (const [status, response] of Object.entries(operation.responses)) {
      const schema = response.content?.["application/json"]?.schema;
      if (schema) visit(schema, status);
    }
    expect(missing).toEqual([]);
  });
});

describe("Every path", () => {
  it.each(Object.keys(document.paths))("%s refuses every other method with 405 and Allow", async (path) => {
    const service = openService();
    const { person, ids } = await prepare(service, undefined, { name: path });
    await service.databaseRequests();
    // Of two patterns that the path fits, each has its methods.
    const fitting = Object.keys(document.paths).filter((pattern) =>
      new RegExp(`^${pattern.replaceAll(/\{\w+\}/g, "[^/]+")}$`).test(path),
    );
    const known = fitting.flatMap((pattern) => Object.keys(document.paths[pattern]).map((verb) => verb.toUpperCase()));
    if (known.includes("GET")) known.push("HEAD");
    for (const method of ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "PROPFIND"]) {
      if (known.includes(method)) continue;
      for (const authorization of [`Bearer ${person.token}`, ""]) {
        const { status, headers } = await service.fetch(
          new Request(`https://api.example.com${fillPath(path, ids)}`, {
            method,
            headers: { authorization, "content-type": "application/json" },
            body: method === "GET" || method === "HEAD" ? null : '{"name":"Acme"}',
          }),
        );
        expect([method, status, headers.get("allow")?.split(", ").sort()]).toEqual([method, 405, known.sort()]);
      }
    }
    expect(await service.databaseRequests()).toEqual([]);
  });

  it.each(Object.entries(document.paths))("%s says so in a problem", async (path, methods) => {
    const { ids } = await prepare(openService(), undefined, { name: path });
    const method = Object.hasOwn(methods as object, "put") ? "PATCH" : "PUT";
    expectProblem(await openService().call(method, fillPath(path, ids)), "method_not_allowed");
  });
});

describe("Every operation whose path names something", () => {
  it.each(operations.owned)("%s answers an outsider with 404, the same as for an id that never was", async (_, op) => {
    const service = openService();
    const { person, ids } = await prepare(service, undefined, op);
    const outsider = await signUpPerson(service);
    if (asksVerified(op.name)) await verifyAddress(outsider);
    const call = (path: string) => service.call(op.method, path, optionsOf(op, outsider));
    const real = await call(targetOf(op, ids));
    const none = await call(strangePath(op.path));
    for (const answer of [real, none]) {
      expectProblem(answer, "not_found");
      expectContract(contract, op, answer);
    }
    expect({ ...real.body, requestId: "" }).toEqual({ ...none.body, requestId: "" });
    const kept = await service.call("GET", `/v1/organizations/${ids.organizationId}`, { token: person.token });
    if (!takesAdmin(op.name)) expect(kept.status).toBe(200);
  });
});

describe("Every operation of an organization", () => {
  const granted: Record<string, string[]> = {};

  beforeAll(async () => {
    const roles = ["owner", "admin", "member", "viewer"];
    for (const role of roles) {
      const [, rows] = await asOwner(
        ["set local role app_definer"],
        ["select app_private.role_permissions($1) as permissions", [role]],
      );
      granted[role] = rows?.[0]?.["permissions"];
    }
  });

  it.each(operations.tenant)("%s is open to the roles with its permission, and 403 for the others", async (_, op) => {
    const service = openService();
    for (const [role, permissions] of Object.entries(granted)) {
      const { person, organization, ids } = await prepare(service, undefined, op);
      const member = {
        ...(await signUpPerson(service)),
        ...(person.colleagueId && { colleagueId: person.colleagueId }),
        ...(person.priceId && { priceId: person.priceId }),
      };
      await addMember(organization.id, member.id, role);
      await asOwner(
        ["update ownership_transfers set to_user_id = $2 where organization_id = $1", [organization.id, member.id]],
        ["update api_keys set user_id = $2 where organization_id = $1", [organization.id, member.id]],
        [
          "insert into team_memberships (organization_id, team_id, user_id, role) select organization_id, id, $2, 'lead' from teams where organization_id = $1",
          [organization.id, member.id],
        ],
      );
      if (asksVerified(op.name)) await verifyAddress(member);
      const answer = await service.call(op.method, targetOf(op, ids), optionsOf(op, member));
      expectContract(contract, op, answer, role);
      if (permissions.includes(op.permission ?? "")) expect(answer.status, role).toBeLessThan(300);
      else expectProblem(answer, "forbidden");
    }
  });
});
