import { expect } from "vitest";
import { readSchemas, type Schema, type SchemaReader } from "./json-schema.ts";
import { type Answer, openService } from "./service.ts";

export interface Parameter {
  name: string;
  in: "path" | "query" | "header";
  required?: boolean;
  example?: unknown;
  schema: Schema;
}

interface Header {
  required?: boolean;
  schema: Schema;
}

interface ResponseSpec {
  content?: Record<string, { schema: Schema; examples?: Record<string, unknown> }>;
  headers: Record<string, Header>;
}

/** An operation of /openapi.json. */
export interface Operation {
  /** `GET /v1/users/me` */
  name: string;
  method: string;
  path: string;
  isGuarded: boolean;
  /** Whether an API key will do. */
  takesApiKeys: boolean;
  permission: string | undefined;
  /** What the organization's plan must have. */
  entitlement: string | undefined;
  parameters: Parameter[];
  bodySchema: Schema | undefined;
  isBodyOptional: boolean;
  responses: Record<string, ResponseSpec>;
}

export interface Contract {
  document: any;
  operations: Operation[];
  /** Judges requests: objects are closed where they say so. */
  requests: SchemaReader;
  /** What of an answer is not as the document has it; empty when all is. */
  findViolations(operation: Operation, answer: Answer): string[];
}

/** Headers that an answer has only where the document says so. */
const documentedHeaders =
  "x-request-id server-timing ratelimit ratelimit-policy retry-after www-authenticate idempotent-replayed allow location set-cookie".split(
    " ",
  );

const mapValues = <T, U>(values: Record<string, T>, change: (value: T) => U): Record<string, U> =>
  Object.fromEntries(Object.entries(values).map(([key, value]) => [key, change(value)]));

const verbs = ["get", "post", "put", "patch", "delete", "head", "options", "trace"];

/** Reads /openapi.json, and throws when it says something that could not be checked. */
export async function readContract(): Promise<Contract> {
  const { body: document } = await openService().call("GET", "/openapi.json");
  const requests = readSchemas(document, { isClosed: false });
  const answers = readSchemas(document, { isClosed: true });
  const operations = Object.entries<any>(document.paths).flatMap(([path, item]) =>
    Object.keys(item).map((verb) => {
      if (!verbs.includes(verb)) throw new Error(`${path}: ${verb} is not looked at`);
      return readOperation(verb.toUpperCase(), path, item[verb], requests);
    }),
  );
  for (const operation of operations) assertReadable(operation, requests);
  for (const [name, schema] of Object.entries<Schema>(document.components.schemas))
    requests.assertSupported(schema, name);

  return {
    document,
    operations,
    requests,
    findViolations: ({ responses }, { status, headers, body }) => {
      const response = responses[status];
      if (!response) return [`the status ${status} is not documented`];
      return [...findHeaderErrors(response, headers, answers), ...findBodyErrors(response, headers, body, answers)];
    },
  };
}

/** Expects an answer that the document has for this operation, in every respect. */
export function expectContract(contract: Contract, operation: Operation, answer: Answer, context = ""): void {
  const violations = contract.findViolations(operation, answer);
  const { status, body } = answer;
  if (status >= 500) violations.push("the service failed");
  expect(violations, `${operation.name} ${context} → ${status} ${JSON.stringify(body)}`).toEqual([]);
}

function readOperation(method: string, path: string, spec: any, schemas: SchemaReader): Operation {
  const body = spec.requestBody?.content;
  if (body && Object.keys(body).join() !== "application/json") throw new Error(`${path} takes what is not JSON`);
  return {
    name: `${method} ${path}`,
    method,
    path,
    isGuarded: spec.security?.some(({ bearer }: Schema) => bearer) === true,
    takesApiKeys: spec.security?.some(({ apiKey }: Schema) => apiKey) === true,
    permission: spec["x-permission"],
    entitlement: spec["x-entitlement"],
    parameters: spec.parameters ?? [],
    bodySchema: body?.["application/json"].schema,
    isBodyOptional: spec.requestBody?.required !== true,
    responses: mapValues<any, ResponseSpec>(spec.responses, ({ content, headers = {} }) => ({
      content,
      headers: mapValues<Schema, Header>(headers, (header) => schemas.resolve(header) as Header),
    })),
  };
}

function assertReadable({ name, parameters, bodySchema, responses }: Operation, schemas: SchemaReader) {
  for (const parameter of parameters) {
    if (!["path", "query", "header"].includes(parameter.in)) throw new Error(`${name}: ${parameter.name} is elsewhere`);
    schemas.assertSupported(parameter.schema, `${name} ${parameter.name}`);
  }
  if (bodySchema) schemas.assertSupported(bodySchema, `${name} body`);
  for (const [status, { content = {}, headers }] of Object.entries(responses)) {
    if (!/^\d{3}$/.test(status)) throw new Error(`${name}: ${status} is no status`);
    for (const { schema } of [...Object.values(content), ...Object.values(headers)])
      schemas.assertSupported(schema, `${name} ${status}`);
  }
}

function findHeaderErrors({ headers: documented }: ResponseSpec, headers: Headers, schemas: SchemaReader) {
  const names = new Set(Object.keys(documented).map((name) => name.toLowerCase()));
  const extra = documentedHeaders.filter((name) => headers.has(name) && !names.has(name));
  const wrong = Object.entries(documented).flatMap(([name, { required, schema }]) => {
    const text = headers.get(name);
    if (text === null) return required ? [`the header ${name} is missing`] : [];
    const { type } = schemas.resolve(schema);
    return schemas.findErrors(schema, type === "string" ? text : Number(text), `header ${name}`);
  });
  return [...extra.map((name) => `the header ${name} is not documented`), ...wrong];
}

function findBodyErrors({ content }: ResponseSpec, headers: Headers, body: any, schemas: SchemaReader): string[] {
  const type = headers.get("content-type")?.split(";")[0];
  if (!content) return body === undefined && type === undefined ? [] : [`a body of ${type} is not documented`];
  const documented = content[type ?? ""];
  if (!documented) return [`the content type ${type} is not documented`];
  const errors = schemas.findErrors(documented.schema, body, "body");
  if (type !== "application/problem+json") return errors;
  if (!Object.hasOwn(documented.examples ?? {}, body.code)) errors.push(`the code ${body.code} has no example`);
  if (body.requestId !== headers.get("x-request-id")) errors.push("requestId is not that of the header");
  return errors;
}
