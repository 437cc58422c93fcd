import * as fc from "fast-check";
import type { Operation, Parameter } from "./contract.ts";
import type { Schema, SchemaReader } from "./json-schema.ts";
import { hostileStrings, spoil } from "./json-text.ts";
import { nearMisses } from "./near-misses.ts";

/** A request before it is sent: `«email»` and its like stand for what the sender has. */
export interface RequestPlan {
  parameters: Record<string, string>;
  query: [name: string, value: string][];
  headers: Record<string, string>;
  body: string | undefined;
  contentType: string | undefined;
  /** Made from the schemas alone, and changed nowhere. */
  isUnspoiled: boolean;
}

/** Fields whose right value only the sender knows. */
const own = [
  "email",
  "password",
  "currentPassword",
  "refreshToken",
  "organizationId",
  "organizationSlug",
  "sessionId",
  "connectionId",
  "identityId",
  "passkeyId",
  "userId",
  "roleId",
  "invitationId",
  "receivedInvitationId",
  "shareLinkId",
  "domainId",
  "apiKeyId",
  "webhookEndpointId",
  "webhookMessageId",
  "impersonationId",
  "planId",
  "priceId",
  "invoiceId",
  "meter",
  "reservationId",
  "teamId",
  "suggestedOrganizationId",
  "deletedOrganizationId",
];

/** Those of which a service refuses any other, whatever it looks like. */
const secrets = ["token", "code", "codeVerifier", "issuer", "domain", "url", "timezone"];

/** What no sender has, and may leave out. */
const neverRight = ["invitationToken"];

/** Ids and texts of the planted account, as a thief could have learnt them. */
export const stolen = fc.constantFrom(
  "«canary.userId»",
  "«canary.organizationId»",
  "«canary.sessionId»",
  "«canary.email»",
);

const words = fc.string({ unit: "grapheme", minLength: 1, maxLength: 30 });

/** Values that fit the schema, and that a service has no other reason to refuse. */
export function valuesOf(given: Schema, schemas: SchemaReader, name = ""): fc.Arbitrary<any> {
  const schema = schemas.resolve(given);
  if (schema["const"] !== undefined) return fc.constant(schema["const"]);
  if (schema["enum"]) return fc.constantFrom(...schema["enum"]);
  const branches: Schema[] | undefined = schema["anyOf"] ?? schema["oneOf"];
  if (branches) return fc.oneof(...branches.map((branch) => valuesOf(branch, schemas, name)));
  if (schema["allOf"]) {
    const parts: Schema[] = schema["allOf"];
    return fc.tuple(...parts.map((part) => valuesOf(part, schemas))).map((values) => Object.assign({}, ...values));
  }
  if (Array.isArray(schema["type"])) {
    const types: string[] = schema["type"];
    return fc.oneof(...types.map((type) => valuesOf({ ...schema, type }, schemas, name)));
  }
  return valuesOfType(schema, schemas, name);
}

/** By what each item of such a list is told apart, beside the rest of it. */
const keyed: Record<string, string[]> = { prices: ["currency", "interval"], features: ["key"] };

const selectorOf = (name: string) => (item: unknown) =>
  keyed[name] ? keyed[name].map((key) => (item as Record<string, unknown>)[key]).join(" ") : item;

const listsOf = (
  name: string,
  items: fc.Arbitrary<unknown>,
  isUnique: boolean,
  length: { minLength: number; maxLength: number },
) => (isUnique ? fc.uniqueArray(items, { ...length, selector: selectorOf(name) }) : fc.array(items, length));

function valuesOfType(schema: Schema, schemas: SchemaReader, name: string): fc.Arbitrary<unknown> {
  const { minimum = -(2 ** 31), maximum = 2 ** 31 - 1, minItems = 0, maxItems = 10 } = schema;
  switch (schema["type"]) {
    case "null":
      return fc.constant(null);
    case "boolean":
      return fc.boolean();
    case "integer":
      return fc.integer({ min: minimum, max: maximum });
    case "number":
      return fc.double({ min: minimum, max: maximum, noNaN: true });
    case "string":
      return ownOr(
        name,
        stringsOf(schema, name).filter((text) => schemas.findErrors(schema, text, name).length === 0),
      );
    case "array":
      return listsOf(name, valuesOf(schema["items"], schemas, name), !!schema["uniqueItems"], {
        minLength: minItems,
        maxLength: maxItems,
      });
    case "object":
      // What an authenticator answers, which nothing else makes.
      if (name === "credential") return fc.constant("«credential»");
      return fc
        .record(
          Object.fromEntries(
            Object.entries<Schema>(schema["properties"] ?? {})
              .filter(([key]) => !neverRight.includes(key))
              .map(([key, part]) => [key, valuesOf(part, schemas, key)]),
          ),
          { requiredKeys: schema["required"] ?? [] },
        )
        .filter((value) => Object.keys(value).length >= (schema["minProperties"] ?? 0));
    default:
      throw new Error(`${name}: no values are known for the type ${schema["type"]}`);
  }
}

function ownOr(name: string, others: fc.Arbitrary<string>): fc.Arbitrary<string> {
  const theirs = fc.constant(`«${name}»`);
  if (secrets.includes(name)) return theirs;
  if (!own.includes(name)) return others;
  return fc.oneof({ weight: 3, arbitrary: theirs }, { weight: 1, arbitrary: others });
}

function stringsOf(schema: Schema, name: string): fc.Arbitrary<string> {
  const { format, pattern, minLength = 0, maxLength = 60, example } = schema;
  if (pattern) return fc.stringMatching(new RegExp(pattern, "u"), { size: "small" });
  switch (format) {
    case "uuid":
      return fc.uuid({ version: [4, 7] });
    case "email":
      return fc.uuid().map((id) => `${id}@example.com`);
    case "password":
      return fc.uuid();
    case "date-time":
      return fc
        .date({ noInvalidDate: true, min: new Date(0), max: new Date("9999-01-01") })
        .map((date) => date.toISOString());
    case undefined:
      // To the schema any string is a cursor; the example is more modest.
      if (name === "cursor") return fc.constant(example);
      return words.filter((text) => text.trim().length >= minLength && text.length <= maxLength);
    default:
      throw new Error(`${name}: no values are known for the format ${format}`);
  }
}

/** Requests to the operation: a third as the document asks for, the others wrong somewhere. */
export function requestsTo(operation: Operation, schemas: SchemaReader): fc.Arbitrary<RequestPlan> {
  const { parameters, bodySchema } = operation;
  const valid = fc.record({
    ...partsOf(parameters, (schema, name) => valuesOf(schema, schemas, name).map(String)),
    body: bodySchema ? valuesOf(bodySchema, schemas).map((value) => JSON.stringify(value)) : fc.constant(undefined),
    contentType: fc.constant(bodySchema ? "application/json" : undefined),
    isUnspoiled: fc.constant(true),
  });
  const near = (schema: Schema) => nearMisses(schema, schemas, (part) => valuesOf(part, schemas));
  const wrong = partsOf(parameters, (schema) => fc.oneof(hostileStrings, stolen, near(schema).map(String)));
  const extra = fc.tuple(fc.constantFrom("sort", "userId", "organizationId", "limit", "__proto__", ""), hostileStrings);
  const spoiled = fc
    .tuple(
      valid,
      fc.array(fc.constantFrom(...placesOf(operation)), { minLength: 1, maxLength: 2 }),
      fc.record({
        ...wrong,
        query: fc.tuple(wrong.query, fc.array(extra, { maxLength: 1 })).map((lists) => lists.flat()),
        body: bodySchema
          ? fc.oneof(
              { weight: 3, arbitrary: spoil(valuesOf(bodySchema, schemas), stolen) },
              { weight: 1, arbitrary: near(bodySchema).map((value) => JSON.stringify(value)) },
            )
          : fc.option(hostileStrings, { nil: undefined }),
        contentType: fc.constantFrom(undefined, "text/plain", "application/json; charset=utf-16", "*/*"),
      }),
    )
    .map(([request, places, other]) => ({
      ...request,
      ...Object.fromEntries(places.map((place) => [place, other[place]])),
      isUnspoiled: false,
    }));
  return fc.oneof({ weight: 1, arbitrary: valid }, { weight: 2, arbitrary: spoiled });
}

type Place = "parameters" | "query" | "headers" | "body" | "contentType";

/** Where a request to this operation can go wrong; a body can in more ways than all the rest. */
function placesOf({ method, parameters, bodySchema }: Operation): Place[] {
  const has = (place: Parameter["in"]) => parameters.some((parameter) => parameter.in === place);
  const places: Place[] = ["query"];
  if (has("path")) places.push("parameters");
  if (has("query")) places.push("query", "query");
  if (has("header")) places.push("headers");
  if (method !== "GET") places.push("contentType", "body");
  if (bodySchema) places.push("body", "body", "body", "body");
  return places;
}

function partsOf(parameters: Parameter[], values: (schema: Schema, name: string) => fc.Arbitrary<string>) {
  const at = (place: Parameter["in"]) => parameters.filter((parameter) => parameter.in === place);
  const record = (place: Parameter["in"]) =>
    fc.record(Object.fromEntries(at(place).map(({ name, schema }) => [name, values(schema, name)])), {
      requiredKeys: at(place)
        .filter(({ required }) => required)
        .map(({ name }) => name),
    });
  return {
    parameters: record("path"),
    // A cursor is of one search alone, and the example is of none.
    query: record("query").map(({ cursor, ...values }) =>
      Object.entries<string>(cursor && !values["search"] ? { ...values, cursor } : values),
    ),
    headers: record("header").map((values) =>
      // What no client can send in a header is no matter of the service's.
      Object.fromEntries(
        Object.entries<string>(values).map(([name, value]) => [name, value.replaceAll(/[^\x20-\x7e]/g, "")]),
      ),
    ),
  };
}
