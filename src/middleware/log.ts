import type { Context } from "hono";
import { createMiddleware } from "hono/factory";
import { matchedRoutes } from "hono/route";
import { AppError } from "../errors.ts";
import type { AppEnv, Identity } from "../types.ts";

/**
 * One JSON line a request, of allow-listed fields: the route's pattern and never the URL, so that no
 * query, token or address can be in it. Sets Server-Timing from the same figures.
 * Strangers are not told the database's part, which could tell them whether an address has an account.
 */
export const log = () =>
  createMiddleware<AppEnv>(async (c, next) => {
    const started = Date.now();
    await next();
    const durationMs = Date.now() - started;
    const { requests, milliseconds } = c.var.meter;
    const database = c.var.identity ? `db;dur=${milliseconds};desc="${requests} requests", ` : "";
    c.header("Server-Timing", `${database}total;dur=${durationMs}`);
    const { status } = c.res;
    const level = status >= 500 ? "error" : "info";
    console.log(
      JSON.stringify({
        time: new Date(started).toISOString(),
        level,
        requestId: c.var.requestId,
        method: c.req.method,
        route: matchedRoutes(c).findLast(({ path }) => path !== "/*")?.path,
        status,
        durationMs,
        databaseMs: milliseconds,
        databaseRequests: requests,
        ...describeCaller(c.var.identity),
        organizationId: readOrganizationId(c),
        ...(status >= 400 && describeError(c)),
      }),
    );
  });

function describeCaller(identity: Identity | undefined) {
  if (!identity) return {};
  if (identity.by === "apiKey") return { apiKeyId: identity.admitted?.id };
  return { userId: identity.userId, impersonatorId: identity.impersonatorId };
}

/** Logged when it is an identifier: a path can hold anything. */
function readOrganizationId(c: Context<AppEnv>): string | undefined {
  const organizationId = c.req.param("organizationId");
  return organizationId && /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i.test(organizationId)
    ? organizationId
    : undefined;
}

function describeError(c: Context<AppEnv>) {
  const { error } = c;
  if (!error) return {};
  const cause = error.cause instanceof Error ? error.cause : undefined;
  return {
    error: "code" in error ? error.code : "internal",
    // The text of a failure that is ours to mend; refusals explain themselves by their code.
    ...(c.res.status >= 500 && {
      message: redact([error.message, cause?.message].filter(Boolean).join(": ")),
      stack: redact((cause ?? error).stack ?? ""),
    }),
  };
}

/** Takes out what could be a secret or say who somebody is: connection strings, tokens, e-mail and IP addresses. */
export function redact(text: string): string {
  return text
    .replace(/\b[a-z][a-z+]*:\/\/[^\s/@]*@/gi, "[credentials]@")
    .replace(/\beyJ[\w-]+\.[\w-]+\.[\w-]+/g, "[token]")
    .replace(/\$2[aby]\$\d\d\$[./\w]+/g, "[hash]")
    .replace(/[^\s"'<>(),;:=/]+@[^\s"'<>(),;:=]+/g, "[e-mail]")
    .replace(/\b\d{1,3}(\.\d{1,3}){3}\b/g, "[address]")
    .replace(/\b(?:[\da-f]{1,4}:){3,7}[\da-f]{1,4}\b|(?<![\w:$])(?=:*[\da-f])[\da-f:]*::[\da-f:]*(?!\w)/gi, "[address]")
    .replace(/\b[\w-]{40,}\b/g, "[secret]");
}

/** In the log, and nowhere else: whatever it is in the way of has nothing to do with it, and it is tried again. */
export function logFailure(message: string, error: unknown, requestId?: string): void {
  const reason = error instanceof AppError ? error.code : error instanceof Error ? error.name : "unknown";
  console.error(JSON.stringify({ level: "error", message, requestId, reason }));
}
