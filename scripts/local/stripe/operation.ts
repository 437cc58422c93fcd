import { z } from "zod";

import type { Account } from "./account.ts";
import type { FormTree } from "./form.ts";
import { list, readParams, text } from "./params.ts";

export interface Context {
  account: Account;
  /** What the path names. */
  id: string;
}

export interface Operation {
  method: "GET" | "POST" | "DELETE";
  path: RegExp;
  /** @throws StripeError for what Stripe would refuse */
  run(context: Context, tree: FormTree): object;
}

/**
 * An operation of the API: `shape` has every parameter that it knows, and any other is refused. `expand` is read
 * elsewhere, as every operation has it.
 *
 * @param path with `:id` where the path names an object
 */
export function operation<S extends z.ZodRawShape>(
  method: Operation["method"],
  path: string,
  shape: S,
  act: (context: Context, params: z.output<z.ZodObject<S>>) => object,
): Operation {
  const schema = z.strictObject({ ...shape, expand: list(text).optional() });
  return {
    method,
    path: new RegExp(`^${path.replace(":id", "([^/]+)")}$`),
    run: (context, tree) => {
      const params: Record<string, unknown> = { ...readParams(schema, tree) };
      delete params["expand"];
      // The shape's own parameters, now that the one which was added to them is gone.
      return act(context, params as z.output<z.ZodObject<S>>);
    },
  };
}

/** The new metadata: what is given replaces, an empty value removes, and an empty parameter removes all. */
export function mergeMetadata(
  before: Record<string, string>,
  given: "unset" | Record<string, string> | undefined,
): Record<string, string> {
  if (given === "unset") return {};
  return Object.fromEntries(Object.entries({ ...before, ...given }).filter(([, value]) => value !== ""));
}
