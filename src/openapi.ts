import { createRoute, OpenAPIHono, type RouteConfig, z } from "@hono/zod-openapi";
import type { MiddlewareHandler } from "hono";
import { AppError, type ErrorCode, errorTable } from "./errors.ts";
import { withHeaders } from "./headers.ts";
import { authenticate } from "./middleware/authenticate.ts";
import { idempotencyKey } from "./middleware/idempotency-key.ts";
import { rateLimit } from "./middleware/rate-limit/index.ts";
import { jsonBody } from "./middleware/request-body.ts";
import { queryNames } from "./middleware/request-query.ts";
import {
  personContext,
  platformContext,
  type SessionRules,
  systemContext,
  takesApiKeys,
  tenantContext,
  type TenantRules,
} from "./middleware/tenant-context.ts";
import type { Permission } from "./permissions.ts";
import { errorResponses } from "./problem-responses.ts";
import type { AppEnv, PersonEnv, PlatformEnv, SystemEnv, TenantEnv } from "./types.ts";

/** A route as its file writes it. Who may call it, and every error it shares with others, is added here. */
type Contract = Omit<RouteConfig, "middleware" | "security" | "tags"> &
  SessionRules &
  TenantRules & {
    summary: string;
    tags: [string];
    /** Errors of this route's own, beside those that follow from its shape. */
    errors?: readonly ErrorCode[];
    /** Sign-in and its like: refuses when the rate limiter is down. */
    failClosed?: boolean;
    /** A creating POST: honours Idempotency-Key. */
    creates?: boolean;
    /** Takes the cookie in place of a refresh token in its body. */
    takesCookie?: boolean;
    /** Statuses of answers that may set the refresh cookie or take it back. */
    setsCookie?: readonly number[];
    /** Its redirects may set the cookie of a flow, or take it back. */
    setsFlowCookie?: boolean;
    /** For a service that signs what it sends, and sends it as fast as it happens: no requests are counted. */
    isSigned?: boolean;
    /** A GET that writes all the same, since a browser is sent to it: its transaction is not read-only. */
    writes?: boolean;
  };

/** A contract with its guard. The guard is inside the route, so no other way of writing a path passes by it. */
type Guarded<R extends Contract, M extends MiddlewareHandler> = R & { middleware: M; getRoutingPath(): string };

function defineRoute(
  contract: Contract,
  extra: { guards: MiddlewareHandler[]; security: boolean; permission?: Permission; errors: ErrorCode[] },
) {
  const {
    errors = [],
    failClosed,
    creates,
    unverified,
    verified: _verified,
    fresh,
    pending,
    inPerson,
    entitlement,
    takesCookie,
    setsCookie,
    setsFlowCookie,
    isSigned = false,
    writes: _writes,
    ...route
  } = contract;
  const body = route.request?.body;
  const withApiKeys = extra.permission !== undefined && takesApiKeys({ fresh, inPerson });
  const hasInput = !!(body || route.request?.params || route.request?.query || creates);
  const codes: ErrorCode[] = [
    ...(hasInput ? (["invalid_request"] as const) : []),
    ...extra.errors,
    ...(entitlement ? (["entitlement_required"] as const) : []),
    ...(extra.security && !pending ? (["mfa_required"] as const) : []),
    ...(extra.permission ? (["mfa_enrollment_required", "organization_suspended"] as const) : []),
    ...(extra.security && !withApiKeys ? (["session_required"] as const) : []),
    ...(extra.security && fresh ? (["reauthentication_required"] as const) : []),
    ...(extra.security && (fresh || route.method !== "get") ? (["impersonation_refused"] as const) : []),
    ...(extra.security && !unverified ? (["email_unverified"] as const) : []),
    ...errors,
    "payload_too_large",
    ...(body ? (["unsupported_media_type"] as const) : []),
    ...(creates ? (["idempotency_key_reused"] as const) : []),
    ...(isSigned ? [] : (["rate_limited"] as const)),
    "internal",
    "misconfigured",
    "unavailable",
  ];
  return createRoute({
    ...route,
    ...(creates && { request: { ...route.request, headers: IdempotencyHeaders } }),
    ...(extra.security && { security: [{ bearer: [] }, ...(withApiKeys ? [{ apiKey: [] }] : [])] }),
    ...(takesCookie && { security: [{}, { refreshCookie: [] }] }),
    ...(extra.permission && { "x-permission": extra.permission }),
    ...(entitlement && { "x-entitlement": entitlement }),
    responses: withHeaders(
      { ...route.responses, ...errorResponses(codes) },
      { counted: !isSigned, security: extra.security, creates, setsCookie, setsFlowCookie },
    ),
    middleware: [
      ...(extra.security ? [authenticate({ pending: pending === true })] : []),
      ...(isSigned ? [] : [rateLimit({ onFailure: failClosed ? "closed" : "open" })]),
      ...(route.request?.query ? [queryNames()] : []),
      ...(body ? [jsonBody({ isOptional: !body.required })] : []),
      ...(creates ? [idempotencyKey()] : []),
      ...extra.guards,
    ],
  });
}

const IdempotencyHeaders = z.object({
  "idempotency-key": z.string().optional().openapi({
    // For the document: the middleware refuses what does not fit, before a schema would.
    minLength: 1,
    maxLength: 255,
    pattern: "^[!-~]+$",
    description:
      "1 to 255 printable ASCII characters of your own for this creation, such as a UUID: the same key and body gets the first answer again, for 24 hours.",
    example: "0d6f1b0e-4c1f-4a55-9b1f-1f3f2c8a7d11",
  }),
});

/** A route that anyone may call. */
export function publicRoute<const R extends Contract>(contract: R) {
  // createRoute's own type would carry the error responses too, which handlers throw and never return.
  return defineRoute(contract, {
    guards: [systemContext(contract)],
    security: false,
    errors: [],
  }) as unknown as Guarded<R, MiddlewareHandler<SystemEnv>>;
}

/** A route about the signed-in person. */
export function personRoute<const R extends Contract>(contract: R) {
  // As above.
  return defineRoute(contract, {
    guards: [personContext(contract)],
    security: true,
    errors: ["unauthenticated"],
  }) as unknown as Guarded<R, MiddlewareHandler<PersonEnv>>;
}

/** A route for the platform's administrators, with a second factor; for everybody else there is nothing. */
export function platformRoute<const R extends Contract>(contract: R) {
  // As above.
  return defineRoute(contract, {
    guards: [platformContext(contract)],
    security: true,
    errors: ["unauthenticated", "not_found", "mfa_enrollment_required", "impersonation_refused"],
  }) as unknown as Guarded<R, MiddlewareHandler<PlatformEnv>>;
}

/** A route below `/organizations/{organizationId}`, for members whose role has `permission`. */
export function tenantRoute<const R extends Contract>(permission: Permission, contract: R) {
  const errors: ErrorCode[] = ["unauthenticated", "forbidden", "not_found"];
  // As above.
  return defineRoute(contract, {
    guards: [tenantContext(permission, contract)],
    security: true,
    permission,
    errors,
  }) as unknown as Guarded<R, MiddlewareHandler<TenantEnv>>;
}

/** A JSON answer. */
export const json = <T extends z.ZodType>(schema: T, description: string) => ({
  description,
  content: { "application/json": { schema } },
});

/** A required JSON body. */
export const jsonRequest = <T extends z.ZodType>(schema: T) => ({
  required: true,
  content: { "application/json": { schema } },
});

/** A JSON body whose members are all optional, and which may be missing altogether. */
export const optionalJsonRequest = <T extends z.ZodType>(schema: T) => ({ ...jsonRequest(schema), required: false });

/** A resource's routes, refusing invalid input with every field's reason. */
export function createRouter(): OpenAPIHono<AppEnv> {
  return new OpenAPIHono<AppEnv>({
    defaultHook: (result) => {
      if (result.success) return;
      const target = {
        json: "body",
        param: "path",
        query: "query",
        header: "headers",
        form: "body",
        cookie: "cookies",
      }[result.target];
      throw new AppError("invalid_request", {
        errors: result.error.issues.map(({ path, message }) => ({ path: [target, ...path].join("."), message })),
      });
    },
  });
}

export const PageQuery = z.strictObject({
  limit: z
    .string()
    .regex(/^[1-9]\d{0,2}$/, "must be a whole number")
    .transform(Number)
    .pipe(z.int().max(100))
    .default(20)
    .openapi({ type: "integer", minimum: 1, maximum: 100, default: 20, description: "1 to 100.", example: 20 }),
  cursor: z
    .string()
    .max(200)
    .optional()
    .openapi({ description: "`nextCursor` of the page before.", example: "AZqw3o9sfMSeb28rfw8aAQ" }),
});

/** Of what is done for each of several: the members that say why one of them was not. */
export function refusal<Code extends ErrorCode>(codes: readonly Code[], example: Code) {
  const statuses = [...new Set(codes.map((code) => errorTable[code][0]))];
  const [status, title] = errorTable[example];
  return {
    // The document generator writes the first of several literals alone.
    status: z.literal(statuses).openapi({ enum: statuses, example: status }),
    code: z.enum(codes).openapi({ example }),
    title: z.string().openapi({ example: title }),
  };
}

/** Whether a list names nothing twice. */
export const isEachOnce = (names: string[]): boolean => new Set(names).size === names.length;

/** The shape of every list. */
export const pageOf = <T extends z.ZodType>(item: T) =>
  z.object({ data: z.array(item), nextCursor: z.string().nullable() });
