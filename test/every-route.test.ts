import { beforeAll, describe, expect, it } from "vitest";
import { addMember, asOwner } from "./support/database.ts";
import {
  createOrganization,
  goodPassword,
  newEmail,
  openService,
  type Person,
  type Service,
  signUpPerson,
} from "./support/service.ts";

/**
 * Promises that hold for every operation of /openapi.json, so that a new route is held to them by
 * being mounted. A route whose request cannot be guessed from its examples gets its body here.
 */
interface Operation {
  method: string;
  path: string;
  permission: string | undefined;
  isPublic: boolean;
  hasBody: boolean;
  creates: boolean;
  responses: Record<string, { content?: Record<string, { schema?: unknown; examples?: unknown }> }>;
  parameters: { name: string; in: string; required?: boolean; example?: unknown; schema?: Record<string, unknown> }[];
  spec: Record<string, any>;
}

const bodies: Record<string, (person: Person) => unknown> = {
  "POST /v1/auth/sign-up": () => ({ email: newEmail(), password: goodPassword, name: "Ada" }),
  "POST /v1/auth/sign-in": (person) => ({ email: person.email, password: person.password }),
  "POST /v1/auth/refresh": (person) => ({ refreshToken: person.refreshToken }),
  "PATCH /v1/users/me": () => ({ name: "Ada King" }),
  "POST /v1/organizations": () => ({ name: "Acme" }),
  "PATCH /v1/organizations/{organizationId}": () => ({ name: "Acme" }),
};

const bcryptRoutes = new Set(["POST /v1/auth/sign-in"]);

async function readDocument() {
  const { body } = await openService().call("GET", "/openapi.json");
  return body;
}

function listOperations(document: any): Operation[] {
  return Object.entries<Record<string, any>>(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, spec]) => ({
      method: method.toUpperCase(),
      path,
      permission: spec["x-permission"],
      isPublic: !spec.security?.length,
      hasBody: !!spec.requestBody,
      creates: !!spec.parameters?.some((parameter: any) => parameter.name === "idempotency-key"),
      responses: spec.responses,
      parameters: spec.parameters ?? [],
      spec,
    })),
  );
}

const nameOf = ({ method, path }: Operation) => `${method} ${path}`;

/** A person with an organization and a second session, and the real ids for a path. */
async function prepare(service: Service) {
  const person = await signUpPerson(service);
  const organization = await createOrganization(service, person);
  const [rows] = await asOwner(["select id from sessions where user_id = $1", [person.id]]);
  const ids: Record<string, string> = { organizationId: organization.id, sessionId: String(rows?.[0]?.["id"]) };
  const pathOf = (path: string) =>
    path.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
      const id = ids[name];
      if (!id) throw new Error(`prepare() makes no ${name}`);
      return id;
    });
  return { person, organization, pathOf };
}

function requestOf(operation: Operation, person: Person) {
  if (!operation.hasBody) return {};
  const body = bodies[nameOf(operation)];
  if (!body) throw new Error(`give ${nameOf(operation)} a body in every-route.test.ts`);
  return { body: body(person) };
}

const document = await readDocument();
const operations = listOperations(document);
const named = operations.map((operation): [string, Operation] => [nameOf(operation), operation]);
const guarded = named.filter(([, { isPublic }]) => !isPublic);
const tenant = named.filter(([, { permission }]) => permission);

describe("Every operation", () => {
  it("is one of those that the product has", () => {
    expect(operations.map(nameOf).toSorted()).toEqual([
      "DELETE /v1/auth/sessions",
      "DELETE /v1/auth/sessions/{sessionId}",
      "DELETE /v1/organizations/{organizationId}",
      "GET /health",
      "GET /ready",
      "GET /v1/auth/sessions",
      "GET /v1/organizations",
      "GET /v1/organizations/{organizationId}",
      "GET /v1/organizations/{organizationId}/members",
      "GET /v1/users/me",
      "PATCH /v1/organizations/{organizationId}",
      "PATCH /v1/users/me",
      "POST /v1/auth/refresh",
      "POST /v1/auth/sign-in",
      "POST /v1/auth/sign-out",
      "POST /v1/auth/sign-up",
      "POST /v1/organizations",
    ]);
  });

  it.each(named)("%s asks the database once (sign-in: at most twice)", async (name, operation) => {
    const service = openService();
    const { person, pathOf } = await prepare(service);
    await service.databaseRequests();
    const token = operation.isPublic ? undefined : person.token;
    const answer = await service.call(operation.method, pathOf(operation.path), {
      token,
      ...requestOf(operation, person),
    });
    expect(answer.status, JSON.stringify(answer.body)).toBeLessThan(300);
    const requests = await service.databaseRequests();
    if (name === "GET /health") expect(requests).toHaveLength(0);
    else if (bcryptRoutes.has(name)) expect(requests.length).toBeLessThanOrEqual(2);
    else expect(requests).toHaveLength(1);
    for (const request of requests) expect(request.readOnly).toBe(operation.method === "GET");
  });

  it.each(guarded)(
    "%s begins its transaction with app.admit, and hands it what the contract says",
    async (_, operation) => {
      const service = openService();
      const { person, organization, pathOf } = await prepare(service);
      await service.databaseRequests();
      await service.call(operation.method, pathOf(operation.path), {
        token: person.token,
        ...requestOf(operation, person),
      });
      const [request] = await service.databaseRequests();
      expect(request?.batch).toBe(true);
      expect(request?.isolationLevel).toBe("ReadCommitted");
      expect(request?.statements[0]?.query).toMatch(/^select set_config\('role', 'app_user', true\), app\.admit\(/);
      const [handle, ...rest] = request?.statements[0]?.params ?? [];
      expect(handle).toMatch(/^\\x[\da-f]{64}$/);
      expect(rest).toEqual(operation.permission ? [organization.id, operation.permission] : []);
    },
  );

  it.each(named)("%s answers as its contract says, with an example for each error", async (_, operation) => {
    const service = openService();
    const { person, pathOf } = await prepare(service);
    const token = operation.isPublic ? undefined : person.token;
    const { status } = await service.call(operation.method, pathOf(operation.path), {
      token,
      ...requestOf(operation, person),
    });
    expect(Object.keys(operation.responses)).toContain(String(status));
    if (operation.path === "/health") return;
    expect(Object.keys(operation.responses)).toEqual(expect.arrayContaining(["413", "429", "500", "503"]));
    for (const [code, response] of Object.entries(operation.responses)) {
      if (Number(code) < 400) continue;
      const problem = response.content?.["application/problem+json"];
      expect(problem?.schema).toEqual({ $ref: "#/components/schemas/Problem" });
      expect(Object.keys(problem?.examples ?? {})).not.toHaveLength(0);
    }
    if (operation.hasBody)
      expect(Object.keys(operation.responses)).toEqual(expect.arrayContaining(["400", "413", "415"]));
    if (operation.creates) expect(Object.keys(operation.responses)).toContain("422");
    if (operation.permission)
      expect(Object.keys(operation.responses)).toEqual(expect.arrayContaining(["401", "403", "404"]));
  });

  it.each(named)("%s gives an example of everything that it takes and returns", (_, operation) => {
    const resolve = (schema: any): any =>
      schema?.$ref ? document.components.schemas[schema.$ref.split("/").at(-1)] : schema;
    const missing: string[] = [];
    const visit = (given: any, where: string): void => {
      const schema = resolve(given);
      if (schema.example !== undefined || schema.enum || schema.const) return;
      for (const part of schema.allOf ?? []) visit(part, where);
      if (schema.type === "array") visit(schema.items, `${where}[]`);
      else if (schema.properties)
        for (const [key, value] of Object.entries(schema.properties)) visit(value, `${where}.${key}`);
      else if (!schema.allOf && !where.endsWith("nextCursor")) missing.push(where);
    };
    for (const parameter of operation.parameters) {
      if (parameter.example === undefined) visit(parameter.schema, `${parameter.in} ${parameter.name}`);
    }
    const body = operation.spec["requestBody"]?.content["application/json"].schema;
    if (body) visit(body, "request");
    for (const [status, response] of Object.entries(operation.responses)) {
      const schema = response.content?.["application/json"]?.schema;
      if (schema) visit(schema, status);
    }
    expect(missing).toEqual([]);
  });
});

describe("Every guarded operation", () => {
  it.each(guarded)("%s answers 401 without a token, and asks no database", async (_, operation) => {
    const service = openService();
    const { person, pathOf } = await prepare(service);
    await service.databaseRequests();
    const smuggled = { userId: person.id, organizationId: crypto.randomUUID(), role: "owner" };
    for (const options of [requestOf(operation, person), operation.hasBody ? { body: smuggled } : {}]) {
      const answer = await service.call(operation.method, pathOf(operation.path), options);
      expect([answer.status, answer.body.code]).toEqual([401, "unauthenticated"]);
      expect(answer.headers.get("www-authenticate")).toBe("Bearer");
    }
    expect(await service.databaseRequests()).toEqual([]);
  });

  it.each(guarded)("%s answers 401 on the very next request after the session is revoked", async (_, operation) => {
    const service = openService();
    const { person, pathOf } = await prepare(service);
    expect((await service.call("POST", "/v1/auth/sign-out", { token: person.token })).status).toBe(204);
    const answer = await service.call(operation.method, pathOf(operation.path), {
      token: person.token,
      ...requestOf(operation, person),
    });
    expect([answer.status, answer.body.code]).toEqual([401, "unauthenticated"]);
  });

  it.each(guarded)("%s answers 401 to a disabled person, and to an expired session", async (_, operation) => {
    const service = openService();
    for (const change of [
      "update users set disabled_at = now() where id = $1",
      "update sessions set expires_at = now() - interval '1 second' where user_id = $1",
    ]) {
      const { person, pathOf } = await prepare(service);
      await asOwner([change, [person.id]]);
      const answer = await service.call(operation.method, pathOf(operation.path), {
        token: person.token,
        ...requestOf(operation, person),
      });
      expect(answer.status).toBe(401);
    }
  });
});

describe("Every operation of an organization", () => {
  const granted: Record<string, string[]> = {};

  beforeAll(async () => {
    const roles = ["owner", "admin", "member", "viewer"];
    for (const role of roles) {
      const [rows] = await asOwner(
        ["set local role app_definer"],
        ["select app_private.role_permissions($1) as permissions", [role]],
      ).then(([, ...rest]) => rest);
      granted[role] = rows?.[0]?.["permissions"];
    }
  });

  it.each(tenant)("%s answers an outsider with 404, the same as for an id that never was", async (_, operation) => {
    const service = openService();
    const { person, pathOf } = await prepare(service);
    const outsider = await signUpPerson(service);
    const call = (path: string) =>
      service.call(operation.method, path, { token: outsider.token, ...requestOf(operation, outsider) });
    const real = await call(pathOf(operation.path));
    const none = await call(operation.path.replace("{organizationId}", crypto.randomUUID()));
    expect([real.status, real.body.code]).toEqual([404, "not_found"]);
    expect({ ...real.body, requestId: "" }).toEqual({ ...none.body, requestId: "" });
    expect(
      (await service.call("GET", pathOf("/v1/organizations/{organizationId}"), { token: person.token })).status,
    ).toBe(200);
  });

  it.each(tenant)("%s is open to the roles with its permission, and 403 for the others", async (_, operation) => {
    const service = openService();
    for (const [role, permissions] of Object.entries(granted)) {
      const { organization, pathOf } = await prepare(service);
      const member = await signUpPerson(service);
      await addMember(organization.id, member.id, role);
      const answer = await service.call(operation.method, pathOf(operation.path), {
        token: member.token,
        ...requestOf(operation, member),
      });
      if (permissions.includes(operation.permission ?? "")) expect(answer.status, role).toBeLessThan(300);
      else expect([role, answer.status, answer.body.code]).toEqual([role, 403, "forbidden"]);
    }
  });
});
