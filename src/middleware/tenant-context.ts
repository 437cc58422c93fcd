import { createMiddleware } from "hono/factory";
import {
  type AdmittedKey,
  openKeyDatabase,
  openPersonDatabase,
  openPlatformDatabase,
  openSystemDatabase,
  openTenantDatabase,
  type SessionRequirements,
} from "../db/index.ts";
import { AppError } from "../errors.ts";
import type { Permission } from "../permissions.ts";
import type { Feature } from "../plans.ts";
import type {
  Identity,
  PersonEnv,
  PlatformEnv,
  RequestVariables,
  SessionIdentity,
  SystemEnv,
  TenantEnv,
} from "../types.ts";

const optionsOf = ({ databaseOptions, idempotencyKey }: RequestVariables) => ({ ...databaseOptions, idempotencyKey });

function identityOf({ identity }: RequestVariables): Identity {
  if (!identity) throw new AppError("unauthenticated");
  return identity;
}

/** @throws AppError `session_required` with an API key. */
function sessionOf(variables: RequestVariables): SessionIdentity {
  const identity = identityOf(variables);
  if (identity.by === "apiKey") throw new AppError("session_required");
  return identity;
}

/** For routes that come before sign-in. */
export const systemContext = ({ writes }: { writes?: boolean | undefined } = {}) =>
  createMiddleware<SystemEnv>(async (c, next) => {
    const options = optionsOf(c.var);
    c.set("database", openSystemDatabase({ ...options, readOnly: options.readOnly && !writes }));
    await next();
  });

/** What a route's contract says of the session: see openapi.ts. */
export interface SessionRules {
  /** Open before the address is verified. */
  unverified?: boolean | undefined;
  /** Closed before that wherever mail can verify it, also where `EMAIL_VERIFICATION` is optional. */
  verified?: boolean | undefined;
  /** Asks the person to prove who they are again after 10 minutes. */
  fresh?: boolean | undefined;
  /** Open before the session's second factor: for what gives it, and nothing else. */
  pending?: boolean | undefined;
  /** For a person alone, and no API key: what they do for themselves. So is all that is `fresh`. */
  inPerson?: boolean | undefined;
}

/** What a route's contract says of the organization. */
export interface TenantRules {
  /** What its plan must have: else 402, with the plans that have it. */
  entitlement?: Feature | undefined;
}

/** Whether an API key can do what a route does, where its scopes allow it. */
export const takesApiKeys = ({ fresh, inPerson }: SessionRules): boolean => !fresh && !inPerson;

const requirementsOf = (
  { unverified, verified, fresh, pending }: SessionRules,
  { settings }: RequestVariables,
): SessionRequirements => ({
  verified:
    (settings.EMAIL_VERIFICATION === "required" && !unverified) ||
    (settings.EMAIL_PROVIDER !== undefined && verified === true),
  fresh: fresh === true,
  pending: pending === true,
});

/** For routes about the signed-in person. */
export const personContext = (rules: SessionRules) =>
  createMiddleware<PersonEnv>(async (c, next) => {
    const { handle } = sessionOf(c.var);
    c.set("database", openPersonDatabase(optionsOf(c.var), handle, requirementsOf(rules, c.var)));
    await next();
  });

/** For routes of the platform's administrators. */
export const platformContext = (rules: SessionRules) =>
  createMiddleware<PlatformEnv>(async (c, next) => {
    c.set("database", openPlatformDatabase(optionsOf(c.var), sessionOf(c.var), requirementsOf(rules, c.var)));
    await next();
  });

/** For routes below `/organizations/{organizationId}`: the path names the tenant, never the session. */
export const tenantContext = (permission: Permission, rules: SessionRules & TenantRules) =>
  createMiddleware<TenantEnv>(async (c, next) => {
    const organizationId = c.req.param("organizationId") ?? "";
    const identity = identityOf(c.var);
    const requirements = { ...requirementsOf(rules, c.var), feature: rules.entitlement ?? null };
    const options = optionsOf(c.var);
    if (identity.by === "session") {
      c.set("database", openTenantDatabase(options, identity.handle, organizationId, permission, requirements));
    } else {
      if (!takesApiKeys(rules)) throw new AppError("session_required");
      const keep = (key: AdmittedKey) => void (identity.admitted = key);
      c.set("database", openKeyDatabase(options, identity.handle, organizationId, permission, requirements, keep));
    }
    await next();
  });
