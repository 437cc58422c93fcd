import { z } from "zod";

import { invalidRequest } from "./errors.ts";
import type { FormTree } from "./form.ts";

/** Readers of parameters, which all come as text. An empty one stands for "unset". */
export const text = z.string().min(1).max(5000);
export const emptyable = z.string().max(5000);
export const boolean = z.enum(["true", "false"]).transform((value) => value === "true");
export const timestamp = z
  .string()
  .regex(/^\d{1,11}$/)
  .transform(Number);
export const decimal = z
  .string()
  .regex(/^\d+(\.\d+)?$/)
  .transform(Number);
export const metadata = z.union([
  z.literal("").transform(() => "unset" as const),
  z.record(z.string().max(40), z.string().max(500)),
]);
export const url = z.string().refine((value) => URL.canParse(value) && /^https?:/i.test(value), {
  params: { code: "url_invalid", message: "Not a valid URL" },
});

export function integer(min = 0, max = 99_999_999) {
  return z
    .string()
    .regex(/^-?\d+$/)
    .transform(Number)
    .refine((value) => value >= min && value <= max);
}

export function list<S extends z.ZodType>(item: S) {
  return z.preprocess(
    (value) => (typeof value === "object" && value !== null ? Object.values(value) : value),
    z.array(item),
  );
}

export function object<S extends z.ZodRawShape>(shape: S) {
  return z.strictObject(shape);
}

export const page = {
  limit: integer(1, 100).optional(),
  starting_after: text.optional(),
  ending_before: text.optional(),
};

export const range = z.union([
  timestamp,
  object({
    gt: timestamp.optional(),
    gte: timestamp.optional(),
    lt: timestamp.optional(),
    lte: timestamp.optional(),
  }),
]);

/** @throws StripeError 400 for the first thing that is wrong, in Stripe's words where they are known */
export function readParams<S extends z.ZodType>(schema: S, tree: FormTree): z.output<S> {
  const result = schema.safeParse(tree);
  if (result.success) return result.data;
  const issues = result.error.issues.flatMap((issue) => flatten(issue));
  // Unknown names first, as what is missing is often just misspelt.
  const issue = issues.find(({ code }) => code === "unrecognized_keys") ?? issues[0];
  throw issue ? describe(issue, tree) : invalidRequest("Invalid request");
}

/** Of a union, what is wrong with the alternative that is an object, which says most. */
function flatten(issue: z.core.$ZodIssue): z.core.$ZodIssue[] {
  if (issue.code !== "invalid_union") return [issue];
  const inner = issue.errors.at(-1)?.[0];
  return inner ? [{ ...inner, path: [...issue.path, ...inner.path] }] : [issue];
}

function describe(issue: z.core.$ZodIssue, tree: FormTree): Error {
  const param = nameOf(issue.path);
  if (issue.code === "unrecognized_keys") {
    const unknown = nameOf([...issue.path, issue.keys[0] ?? ""]);
    return invalidRequest(`Received unknown parameter: ${unknown}`, unknown, "parameter_unknown");
  }
  const given = issue.path.reduce<unknown>(
    // Anything that is no object has no members.
    (value, key) => (typeof value === "object" && value !== null ? (value as FormTree)[String(key)] : undefined),
    tree,
  );
  if (given === undefined) return invalidRequest(`Missing required param: ${param}.`, param, "parameter_missing");
  if (given === "") {
    const message = `You passed an empty string for '${param}'.`;
    return invalidRequest(message, param, "parameter_invalid_empty");
  }
  if (issue.code === "custom" && typeof issue.params?.["code"] === "string") {
    return invalidRequest(String(issue.params["message"]), param, issue.params["code"]);
  }
  if (issue.code === "invalid_value") {
    return invalidRequest(`Invalid ${param}: must be one of ${issue.values.join(", ")}`, param);
  }
  const shown = typeof given === "string" ? given : "an object";
  return invalidRequest(`Invalid ${param}: ${shown}`, param, "parameter_invalid_integer");
}

function nameOf([first, ...rest]: PropertyKey[]): string {
  return String(first ?? "") + rest.map((part) => `[${String(part)}]`).join("");
}
