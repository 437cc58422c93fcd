import { describe, expect, it } from "vitest";
import { expectContract, type Operation } from "./support/contract.ts";
import { bodyOf, contract, fillPath, operations, targetOf } from "./support/operations.ts";
import { prepareFor } from "./support/prepare.ts";
import { expectProblem } from "./support/problems.ts";
import type { ErrorCode } from "../src/errors.ts";

/** An operation ready to be called by somebody who may, and whether it has asked the database since. */
async function open(operation: Operation) {
  const { service, person, ids } = await prepareFor(operation);
  const body = bodyOf(operation, person);
  const send = (rawBody: string | null, contentType: string | null, path = targetOf(operation, ids)) =>
    service.call(operation.method, path, {
      ...(rawBody !== null && { rawBody: new TextEncoder().encode(rawBody) }),
      ...(contentType !== null && { headers: { "content-type": contentType } }),
      ...(operation.isGuarded && { token: person.token }),
    });
  const expectRefusal = async (code: ErrorCode, ...sent: Parameters<typeof send>) => {
    const answer = await send(...sent);
    expectContract(contract, operation, answer, JSON.stringify(sent));
    expectProblem(answer, code);
    return answer;
  };
  const valid = (path?: string) => send(body ? JSON.stringify(body) : null, body ? "application/json" : null, path);
  return { service, person, ids, body: body ?? {}, valid, expectRefusal };
}

/** What is signed is looked at once it is known whose it is: see stripe-webhooks.test.ts. */
const withBody = operations.withBody.filter(([name]) => name !== "POST /v1/webhooks/stripe");

describe("Every operation with a body", () => {
  const json = "application/json";

  it.each(withBody)("%s refuses a key that it does not know, and asks no database", async (_, operation) => {
    const { service, person, ids, body, expectRefusal } = await open(operation);
    const smuggled = {
      id: ids.organizationId,
      userId: person.id,
      ...ids,
      role: "owner",
      plan: "pro",
      createdAt: "now",
    };
    const { properties = {} } = contract.requests.resolve(operation.bodySchema ?? {});
    for (const [key, value] of Object.entries({ ...smuggled, extra: null, "": 1, constructor: {}, toString: "x" })) {
      if (Object.hasOwn(properties, key)) continue;
      const { body: problem } = await expectRefusal("invalid_request", JSON.stringify({ ...body, [key]: value }), json);
      expect(problem.errors[0].path).toBe("body");
    }
    await expectRefusal("invalid_request", JSON.stringify(body).replace("{", '{"__proto__":{"role":"owner"},'), json);
    expect(await service.databaseRequests()).toEqual([]);
  });

  it.each(withBody)("%s refuses another content type with 415, and asks no database", async (_, operation) => {
    const { service, body, expectRefusal } = await open(operation);
    const types = ["text/plain", "text/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"];
    for (const type of [...types, "application/jsonp", "application/json, text/plain", "application", "", null]) {
      await expectRefusal("unsupported_media_type", JSON.stringify(body), type);
    }
    expect(await service.databaseRequests()).toEqual([]);
  });

  it.each(withBody)("%s refuses what is no object, and asks no database", async (_, operation) => {
    const { service, body, expectRefusal } = await open(operation);
    const whole = JSON.stringify(body);
    const nothing = operation.isBodyOptional ? [] : [""];
    for (const text of [...nothing, " ", "null", "0", '"x"', "true", "[]", `[${whole}]`, JSON.stringify(whole)]) {
      await expectRefusal("invalid_request", text, json);
    }
    for (const text of [whole.slice(0, -1), `${whole},`, `${whole}${whole}`, whole.replaceAll('"', "'")]) {
      await expectRefusal("invalid_request", text, json);
    }
    expect(await service.databaseRequests()).toEqual([]);
  });

  it.each(withBody)("%s refuses null and every other type in each field", async (_, operation) => {
    const { service, body, expectRefusal } = await open(operation);
    for (const key of Object.keys(body)) {
      const scalars = [1, true, "1"].filter((value) => typeof value !== typeof body[key]);
      for (const value of [null, ...scalars, [body[key]], { value: body[key] }, 1e300]) {
        await expectRefusal("invalid_request", JSON.stringify({ ...body, [key]: value }), json);
      }
    }
    expect(await service.databaseRequests()).toEqual([]);
  });

  it.each(withBody)("%s refuses one that lacks what is required", async (_, operation) => {
    const { service, body, expectRefusal } = await open(operation);
    const { required = [] } = contract.requests.resolve(operation.bodySchema ?? {});
    for (const key of required)
      await expectRefusal("invalid_request", JSON.stringify({ ...body, [key]: undefined }), json);
    expect(await service.databaseRequests()).toEqual([]);
  });
});

/** Names that readers of queries lose on the way, so that a validator never sees them. */
const nameless = ["__proto__=1", "__proto__", "%5F_proto__=1", "__proto__[]=1", "=1", "=", "limit=1&=2", "%zz=1"];

describe("Every operation with parameters", () => {
  it.each(operations.withParameters)("%s refuses wrong ones with 400, and asks no database", async (_, operation) => {
    const { service, ids, valid } = await open(operation);
    const path = targetOf(operation, ids);
    const withQuery = (query: string) => `${path}${path.includes("?") ? "&" : "?"}${query}`;
    const paths = operation.parameters.flatMap(({ name, in: place, schema }) => {
      if (place === "header") return [];
      if (place === "query") {
        const wrong = [`${name}=`, `${name}[]=1`, `${name}=%00`, `${name}=${"x".repeat(201)}`, `${name}=1&${name}=1`];
        if (schema["type"] === "integer") wrong.push(`${name}=1.5`, `${name}=1e1`, `${name}=-1`, `${name}=${2 ** 53}`);
        return wrong.map(withQuery);
      }
      const others = [
        "0",
        "null",
        "%00",
        "undefined",
        `${"0".repeat(8)}-0`,
        `${crypto.randomUUID()}x`,
        "x".repeat(5000),
      ];
      // "null" and "undefined" are slugs like any other.
      const wrong = others.filter((other) => contract.requests.findErrors(schema, other, name).length > 0);
      return wrong.map((other) => operation.path.replace(`{${name}}`, other)).map((other) => fillPath(other, ids));
    });
    expect(paths).not.toEqual([]);
    for (const wrong of paths) {
      const answer = await valid(wrong);
      expectContract(contract, operation, answer, wrong);
      expectProblem(answer, "invalid_request");
      expect(answer.body.errors[0].path).toMatch(/^(path|query)/);
    }
    expect(await service.databaseRequests()).toEqual([]);
  });

  it.each(operations.withParameters)(
    "%s refuses a query that it does not know, if it knows any",
    async (_, operation) => {
      if (!operation.parameters.some(({ in: place }) => place === "query")) return;
      const { service, ids, valid } = await open(operation);
      for (const query of ["sort=id", "userId=1", "limit[]=1", "constructor=1", "Limit=1", ...nameless]) {
        const path = targetOf(operation, ids);
        const answer = await valid(`${path}${path.includes("?") ? "&" : "?"}${query}`);
        expectContract(contract, operation, answer, query);
        expectProblem(answer, "invalid_request");
      }
      expect(await service.databaseRequests()).toEqual([]);
    },
  );
});
