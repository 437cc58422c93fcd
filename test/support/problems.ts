import { expect } from "vitest";
import { errorTable, type ErrorCode } from "../../src/errors.ts";
import type { Answer } from "./service.ts";

/** Words that only an engine, a driver or a stack trace would use. */
const internals =
  /postgres|pg_|sqlstate|neon|drizzle|syntax error|violates|constraint|relation "|column "|schema "|compute node|app_user|select |insert |<html|\.ts:\d|node_modules/i;

/** Expects RFC 9457 problem details with the documented members and nothing of what lies behind them. */
export function expectProblem({ status, headers, body }: Answer, code: ErrorCode): void {
  expect({ status, code: body?.code }).toEqual({ status: errorTable[code][0], code });
  expect(headers.get("content-type")).toBe("application/problem+json");
  expect(body).toEqual({
    type: `urn:problem:${code.replaceAll("_", "-")}`,
    title: errorTable[code][1],
    status,
    detail: expect.any(String),
    code,
    requestId: headers.get("x-request-id"),
    ...(body.errors && { errors: expect.any(Array) }),
    ...(code === "sole_owner" && { organizations: expect.any(Array) }),
    ...(code === "quota_exceeded" && { usage: expect.objectContaining({ limit: expect.any(String) }) }),
    ...(code === "entitlement_required" && { feature: expect.any(String), plans: expect.any(Array) }),
  });
  for (const error of body.errors ?? []) {
    expect(error).toEqual({
      path: expect.stringMatching(/^(body|path|query|headers)(\.|$)/),
      message: expect.any(String),
    });
  }
  // This one says what a setting must look like, to whoever deploys.
  if (code !== "misconfigured") expect(JSON.stringify(body)).not.toMatch(internals);
}
