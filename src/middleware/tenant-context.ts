import { createMiddleware } from "hono/factory";
import { openPersonDatabase, openSystemDatabase, openTenantDatabase } from "../db/index.ts";
import { AppError } from "../errors.ts";
import type { Permission } from "../permissions.ts";
import type { Identity, PersonEnv, RequestVariables, SystemEnv, TenantEnv } from "../types.ts";

const optionsOf = ({ databaseOptions, idempotencyKey }: RequestVariables) => ({ ...databaseOptions, idempotencyKey });

function identityOf({ identity }: RequestVariables): Identity {
  if (!identity) throw new AppError("unauthenticated");
  return identity;
}

/** For routes that come before sign-in. */
export const systemContext = () =>
  createMiddleware<SystemEnv>(async (c, next) => {
    c.set("database", openSystemDatabase(optionsOf(c.var)));
    await next();
  });

/** For routes about the signed-in person. */
export const personContext = () =>
  createMiddleware<PersonEnv>(async (c, next) => {
    c.set("database", openPersonDatabase(optionsOf(c.var), identityOf(c.var).handle));
    await next();
  });

/** For routes below `/organizations/{organizationId}`: the path names the tenant, never the session. */
export const tenantContext = (permission: Permission) =>
  createMiddleware<TenantEnv>(async (c, next) => {
    const organizationId = c.req.param("organizationId") ?? "";
    c.set("database", openTenantDatabase(optionsOf(c.var), identityOf(c.var).handle, organizationId, permission));
    await next();
  });
