import type { RouteConfig } from "@hono/zod-openapi";
import type { ErrorCode } from "./errors.ts";

type Responses = RouteConfig["responses"];

interface Header {
  description: string;
  schema: {
    type: "string" | "integer";
    pattern?: string;
    enum?: string[];
    minimum?: number;
    example?: string | number;
  };
}

const moreNeeded = 'Bearer error="insufficient_user_authentication"';

/** What WWW-Authenticate says (RFC 6750 §3, RFC 9470 §3). */
export const challenges: { unauthenticated: string } & Partial<Record<ErrorCode, string>> = {
  unauthenticated: "Bearer",
  reauthentication_required: `${moreNeeded}, max_age="600"`,
  mfa_required: `${moreNeeded}, acr_values="http://schemas.openid.net/pape/policies/2007/06/multi-factor"`,
};

/** Every response header that the document promises. */
const headers = {
  "x-request-id": {
    description: "The request's own, or one made for it.",
    schema: { type: "string", pattern: "^[\\w=-]{1,255}$", example: "019ab0de-8f6c-7cc4-9e6f-6f2b7f0f1a01" },
  },
  "Server-Timing": {
    description: "Milliseconds that all of it took and, to a good access token, the database.",
    schema: { type: "string", example: 'db;dur=12;desc="1 requests", total;dur=15' },
  },
  "RateLimit-Policy": {
    description: "How many requests (q) may be made in how many seconds (w).",
    schema: { type: "string", pattern: '^"default";q=\\d+;w=\\d+$', example: '"default";q=300;w=60' },
  },
  RateLimit: {
    description: "How many requests are left (r), and the seconds until there are more (t).",
    schema: { type: "string", pattern: '^"default";r=\\d+;t=\\d+$', example: '"default";r=299;t=60' },
  },
  "Retry-After": {
    description: "Seconds to wait before trying again.",
    schema: { type: "integer", minimum: 1, example: 2 },
  },
  "WWW-Authenticate": {
    description: "The scheme to authenticate with; with an error where more must be proven, or again (RFC 9470).",
    schema: {
      type: "string",
      enum: Object.values(challenges),
    },
  },
  "Idempotent-Replayed": {
    description: "Set when this is the first answer again, to a request with the same Idempotency-Key.",
    schema: { type: "string", enum: ["true"] as string[] },
  },
  "Set-Cookie": {
    description: "The refresh token, until the session ends; or nothing for 0 seconds, which takes it back.",
    schema: {
      type: "string",
      pattern: "^__Host-refresh=[\\w.-]*; Max-Age=\\d+; Path=/; HttpOnly; Secure; SameSite=Strict$",
      example: "__Host-refresh=; Max-Age=0; Path=/; HttpOnly; Secure; SameSite=Strict",
    },
  },
  Location: {
    description: "Where the browser goes on.",
    schema: { type: "string", example: "https://app.example.com/oauth/callback#code=Y29kZQ&redirectTo=%2F" },
  },
  "Flow-Set-Cookie": {
    description: "What comes back from the provider with the browser, encrypted; or nothing, which takes it back.",
    schema: {
      type: "string",
      pattern: "^__Host-oauth=[\\w-]*; Max-Age=\\d+; Path=/; HttpOnly; Secure; SameSite=(Lax|None)$",
      example: "__Host-oauth=; Max-Age=0; Path=/; HttpOnly; Secure; SameSite=Lax",
    },
  },
} satisfies Record<string, Header>;

type HeaderName = keyof typeof headers;

/** What `components.headers` holds: each header as it is always there, and as it may be missing. */
export const headerComponents = Object.entries(headers).flatMap(([name, header]) => [
  { name, component: { ...header, required: true } },
  { name: `Optional-${name}`, component: header },
]);

interface Shape {
  /** Counted by the rate limiter: every route but /health. */
  counted: boolean;
  /** Asks for a token, before it is counted. */
  security?: boolean;
  /** Honours Idempotency-Key. */
  creates?: boolean | undefined;
  /** Statuses of answers that may set a cookie. */
  setsCookie?: readonly number[] | undefined;
  /** Its redirects may set the cookie of a flow, or take it back. */
  setsFlowCookie?: boolean | undefined;
}

/** The responses with the headers that each of them carries. */
export function withHeaders<const R extends Responses>(responses: R, shape: Shape): R {
  // The same statuses and bodies: headers are beside what a handler may return.
  return Object.fromEntries(
    Object.entries(responses).map(([status, response]) => [
      status,
      { ...response, headers: headersOf(Number(status), shape) },
    ]),
  ) as R;
}

/** The body's size is looked at before the request is counted; a missing token and some failures end it before, too. */
function headersOf(
  status: number,
  { counted, security, creates, setsCookie, setsFlowCookie }: Shape,
): Record<string, { $ref: string }> {
  const isCounted = counted && status !== 413;
  const mayBeEarly = status >= 500 || (status === 401 && security);
  const limits: HeaderName[] = isCounted ? ["RateLimit-Policy", "RateLimit"] : [];
  const always: HeaderName[] = [
    "x-request-id",
    "Server-Timing",
    ...(mayBeEarly ? [] : limits),
    ...(status === 401 ? (["WWW-Authenticate"] as const) : []),
    ...(status === 302 ? (["Location"] as const) : []),
    ...(status === 429 || status === 503 ? (["Retry-After"] as const) : []),
  ];
  const sometimes: HeaderName[] = [
    ...(mayBeEarly ? limits : []),
    ...(creates && status < 300 ? (["Idempotent-Replayed"] as const) : []),
    ...(setsCookie?.includes(status) ? (["Set-Cookie"] as const) : []),
  ];
  const flowCookie = { "Set-Cookie": { $ref: "#/components/headers/Optional-Flow-Set-Cookie" } };
  return Object.fromEntries([
    ...(setsFlowCookie && status === 302 ? Object.entries(flowCookie) : []),
    ...always.map((name) => [name, { $ref: `#/components/headers/${name}` }]),
    ...sometimes.map((name) => [name, { $ref: `#/components/headers/Optional-${name}` }]),
  ]);
}
