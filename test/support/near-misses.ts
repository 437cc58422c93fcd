import * as fc from "fast-check";
import type { Schema, SchemaReader } from "./json-schema.ts";

const misspelt: Record<string, string[]> = {
  uuid: [
    "019ab0de-8f6c-7cc4-9e6f-6f2b7f0f1a0",
    "019ab0de8f6c7cc49e6f6f2b7f0f1a04",
    "{019ab0de-8f6c-7cc4-9e6f-6f2b7f0f1a04}",
  ],
  email: ["ada", "ada@", "@example.com", "ada@@example.com", "ada@exam ple.com", `${"a".repeat(250)}@example.com`],
  "date-time": ["2026-01-01", "2026-02-30T00:00:00.000Z", "2026-01-01T00:00:00"],
  uri: ["example.com", "http://"],
};

/** Values that miss the schema by as little as can be: one more than the maximum, the other case, a line feed at the end. */
export function nearMisses(
  given: Schema,
  schemas: SchemaReader,
  valid: (schema: Schema) => fc.Arbitrary<unknown>,
): fc.Arbitrary<unknown> {
  const schema = schemas.resolve(given);
  const branches: Schema[] | undefined = schema["anyOf"] ?? schema["oneOf"];
  // What misses a branch may fit another one.
  if (branches) {
    return fc
      .oneof(...branches.map((branch) => nearMisses(branch, schemas, valid)))
      .filter((value) => schemas.findErrors(schema, value, "").length > 0);
  }
  const { minimum, maximum, minLength, maxLength, minItems, maxItems, uniqueItems, format, pattern } = schema;
  const properties = Object.entries<Schema>(schema["properties"] ?? {});
  const near: fc.Arbitrary<unknown>[] = [];
  if (minimum !== undefined) near.push(fc.constantFrom(minimum - 1, minimum + 0.5));
  if (maximum !== undefined) near.push(fc.constantFrom(maximum + 1, maximum + 0.5));
  if (maxLength !== undefined) near.push(fc.constant("x".repeat(maxLength + 1)));
  if (minLength > 0) near.push(fc.constantFrom("x".repeat(minLength - 1), " ".repeat(minLength)));
  if (pattern) {
    const fitting = fc.stringMatching(new RegExp(pattern, "u"), { size: "small" });
    near.push(
      fitting.map((text) => `${text}\n`),
      fitting.map((text) => text.toUpperCase()),
      fitting.map((text) => `-${text}`),
    );
  }
  if (format && misspelt[format]) near.push(fc.constantFrom(...misspelt[format]));
  for (const item of [...(schema["enum"] ?? []), schema["const"]].filter((value) => typeof value === "string"))
    near.push(fc.constantFrom(item.toUpperCase(), `${item} `, [item]));
  if (minItems > 0) near.push(fc.constant([]));
  if (uniqueItems) near.push(valid(schema["items"]).map((item) => [item, item]));
  if (maxItems !== undefined) near.push(valid(schema["items"]).map((item) => Array(maxItems + 1).fill(item)));
  for (const [key, part] of properties) {
    near.push(
      fc
        .tuple(valid(schema), nearMisses(part, schemas, valid))
        .map(([value, miss]) => ({ ...(value as object), [key]: miss })),
    );
  }
  return near.length > 0 ? fc.oneof(...near) : fc.constant(null);
}
