import { type RouteConfig, z } from "@hono/zod-openapi";
import { AppError, type ErrorCode, errorTable } from "./errors.ts";

const exampleRequestId = "019ab0de-8f6c-7cc4-9e6f-6f2b7f0f1a01";

const exampleOrganization = { id: "019ab0de-8f6c-7cc4-9e6f-6f2b7f0f1a04", name: "Acme", slug: "acme" };

const examplePlan = { id: "019ab0de-8f6c-7cc4-9e6f-6f2b7f0f1a50", key: "pro", name: "Pro" };

const exampleUsage = {
  meter: "api-requests",
  used: "9990",
  reserved: "5",
  limit: "10000",
  remaining: "5",
  resetsAt: "2026-02-01T09:30:00.000Z",
};

const ProblemSchema = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: z.enum(Object.keys(errorTable) as [ErrorCode, ...ErrorCode[]]),
    requestId: z.string(),
    errors: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
    organizations: z
      .array(z.object({ id: z.uuid(), name: z.string(), slug: z.string() }))
      .max(20)
      .optional()
      .openapi({ description: "With `sole_owner`: those that need another owner first, 20 at most." }),
    feature: z
      .string()
      .optional()
      .openapi({ description: "With `entitlement_required`: what the plan does not have." }),
    plans: z
      .array(z.object({ id: z.uuid(), key: z.string(), name: z.string() }))
      .max(20)
      .optional()
      .openapi({ description: "With `entitlement_required`: the plans for everybody that have it, or more of it." }),
    usage: z
      .object({
        meter: z.string(),
        used: z.string(),
        reserved: z.string(),
        limit: z.string(),
        remaining: z.string(),
        resetsAt: z.iso.datetime().nullable(),
      })
      .optional()
      .openapi({ description: "With `quota_exceeded`: how much is left, and when it is counted anew." }),
  })
  .openapi("Problem", { description: "RFC 9457 problem details." });

/** A response for each status that one of the codes has, with an example of each code. */
export function errorResponses(codes: readonly ErrorCode[]): RouteConfig["responses"] {
  const byStatus = Map.groupBy(new Set(codes), (code) => errorTable[code][0]);
  return Object.fromEntries(
    [...byStatus].map(([status, group]) => [
      status,
      {
        description: group.map((code) => errorTable[code][1]).join(", or: "),
        content: {
          "application/problem+json": {
            schema: ProblemSchema,
            examples: Object.fromEntries(group.map((code) => [code, { value: exampleProblem(code) }])),
          },
        },
      },
    ]),
  );
}

function exampleProblem(code: ErrorCode) {
  const errors = code === "invalid_request" ? [{ path: "body.name", message: "Required" }] : undefined;
  const organizations = code === "sole_owner" ? [exampleOrganization] : undefined;
  const missing = code === "entitlement_required" ? { feature: "sso", plans: [examplePlan] } : undefined;
  return new AppError(code, {
    ...(errors && { errors }),
    ...(organizations && { organizations }),
    ...missing,
    ...(code === "quota_exceeded" && { usage: exampleUsage }),
  }).toProblem(exampleRequestId);
}
