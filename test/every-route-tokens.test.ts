import { env } from "cloudflare:test";
import { base64url, generateKeyPair } from "jose";
import { describe, expect, it } from "vitest";
import { expectContract, type Operation } from "./support/contract.ts";
import { asOwner } from "./support/database.ts";
import { bodyOf, contract, operations, optionsOf, targetOf } from "./support/operations.ts";
import { prepare, type Prepared, prepareFor } from "./support/prepare.ts";
import { expectProblem } from "./support/problems.ts";
import { type Answer, openService, type Service } from "./support/service.ts";
import { claimsOf, forge, forgeUnsigned, rawNumber } from "./support/tokens.ts";

const now = () => Math.floor(Date.now() / 1000);

/** The service's secret, used as though it were the key of an algorithm that has key pairs. */
async function signUnderAnotherName(token: string, alg: string): Promise<string> {
  const secret = new TextEncoder().encode((env as unknown as { JWT_SECRET: string }).JWT_SECRET);
  const key = await crypto.subtle.importKey("raw", secret, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  const header = base64url.encode(JSON.stringify({ alg, typ: "at+jwt" }));
  const input = `${header}.${token.split(".")[1]}`;
  const signature = await crypto.subtle.sign("HMAC", key, new TextEncoder().encode(input));
  return `${input}.${base64url.encode(new Uint8Array(signature))}`;
}

const rsa = generateKeyPair("RS256");

/** Authorization headers, each from a token that would be taken. */
const forgeries: Record<string, (token: string, refreshToken: string) => string | Promise<string>> = {
  garbage: () => "Bearer garbage",
  "garbage in three parts": () => "Bearer eyJh.eyJz.c2ln",
  "another scheme": (token) => `Basic ${token}`,
  "no scheme": (token) => token,
  "alg none": (token) => `Bearer ${forgeUnsigned(token)}`,
  "alg none with a signature": (token) => `Bearer ${forgeUnsigned(token, token.split(".")[2])}`,
  HS512: async (token) => `Bearer ${await forge(token, { header: { alg: "HS512" } })}`,
  "RS256 with the secret as key": async (token) => `Bearer ${await signUnderAnotherName(token, "RS256")}`,
  "RS256 with a key of its own": async (token) =>
    `Bearer ${await forge(token, { header: { alg: "RS256" }, key: (await rsa).privateKey })}`,
  "another secret": async (token) =>
    `Bearer ${await forge(token, { key: new TextEncoder().encode("another-secret-for-tests-alone-Zq8vT3nLw5") })}`,
  "another audience": async (token) =>
    `Bearer ${await forge(token, { claims: { aud: "saas-backend-layer/refresh" } })}`,
  "another type": async (token) => `Bearer ${await forge(token, { header: { typ: "JWT" } })}`,
  "an exp in the past": async (token) => `Bearer ${await forge(token, { claims: { exp: now() - 60 } })}`,
  "no exp": async (token) => `Bearer ${await forge(token, { claims: { exp: undefined } })}`,
  "an exp of 1e400": async (token) => `Bearer ${await forge(token, { claims: { exp: rawNumber("1e400") } })}`,
  "a refresh token": (_, refreshToken) => `Bearer ${refreshToken}`,
};

function expectRefusal(operation: Operation, answer: Answer, context: string): void {
  expectContract(contract, operation, answer, context);
  expectProblem(answer, "unauthenticated");
  expect(answer.headers.get("www-authenticate")).toBe("Bearer");
}

const signedIn = new Set(operations.signedIn.map(([name]) => name));

/** What ends a session, each with what undoes it: what is refused changes nothing, so that one person can suffer all. */
const lapses: [change: string, undo: string][] = [
  ["update users set suspended_at = now() where id = $1", "update users set suspended_at = null where id = $1"],
  ...["expires_at", "idle_expires_at"].map((column): [string, string] => [
    `update sessions set ${column} = now() - interval '1 second' where user_id = $1`,
    `update sessions set ${column} = now() + interval '1 hour' where user_id = $1`,
  ]),
];

describe("Every guarded operation", () => {
  it.each(operations.guarded)(
    "%s answers 401 without a token and to every forged one, and asks no database",
    async (_, operation) => {
      const { service, person, ids } = await prepareFor(operation);
      const smuggled = { userId: person.id, organizationId: ids.organizationId, role: "owner" };
      for (const body of [bodyOf(operation, person), operation.method === "GET" ? undefined : smuggled]) {
        const answer = await service.call(operation.method, targetOf(operation, ids), { body });
        expectRefusal(operation, answer, JSON.stringify(body));
      }
      expect(claimsOf(person.token).aud).toBe("saas-backend-layer/api");
      for (const [name, forgeHeader] of Object.entries(forgeries)) {
        const headers = { authorization: await forgeHeader(person.token, person.refreshToken) };
        const body = bodyOf(operation, person);
        expectRefusal(
          operation,
          await service.call(operation.method, targetOf(operation, ids), { headers, body }),
          name,
        );
      }
      expect(await service.databaseRequests()).toEqual([]);
    },
  );

  it.each(operations.guarded)(
    "%s answers 401 to a disabled person, and to an expired or ended session",
    async (_, operation) => {
      const service = openService();
      const { person, ids } = await prepare(service, undefined, operation);
      const refuse = async (context: string) => {
        const answer = await service.call(operation.method, targetOf(operation, ids), optionsOf(operation, person));
        expectRefusal(operation, answer, context);
      };
      for (const [change, undo] of lapses) {
        await asOwner([change, [person.id]]);
        await refuse(change);
        await asOwner([undo, [person.id]]);
      }
      if (!signedIn.has(operation.name)) return;
      expect((await service.call("POST", "/v1/auth/sign-out", { token: person.token })).status).toBe(204);
      await refuse("on the very next request after a sign-out");
    },
  );
});

const lastSlash = /\/(?=[^/]*$)/;

const spellings: Record<string, (path: string) => string> = {
  "two slashes before": (path) => `/${path}`,
  "two slashes within": (path) => path.replace("/v1/", "/v1//"),
  "two slashes before the end": (path) => path.replace(lastSlash, "//"),
  "an encoded slash": (path) => path.replace(lastSlash, "%2F"),
  "a slash encoded twice": (path) => path.replace(lastSlash, "%252F"),
  "an encoded letter": (path) => path.replace("/v1", "/%761"),
  "upper case": (path) => path.toUpperCase(),
  "a capital letter": (path) => path.replace("/v1/", "/V1/"),
  "a slash at the end": (path) => `${path}/`,
  "a dot segment": (path) => path.replace("/v1/", "/v1/./"),
  "two dots": (path) => path.replace("/v1/", "/v1/x/../"),
  "encoded dots": (path) => path.replace("/v1/", "/v1/x/%2e%2e/"),
  "a semicolon": (path) => `${path};x`,
  "a semicolon within": (path) => path.replace("/v1/", "/v1;x/"),
  "a backslash": (path) => path.replace(lastSlash, "\\"),
  "an encoded question mark": (path) => `${path}%3F`,
  "an encoded NUL": (path) => `${path}%00`,
  "an extension": (path) => `${path}.json`,
};

const origin = "https://api.example.com";

/** The statements that a request sent, and what its transaction was admitted to. */
async function traceOf(service: Service, { permission }: Operation) {
  const [request] = await service.databaseRequests();
  // The handle, the tenant if there is one, what is asked of the session, where the request came from, and what is asked of
  // the tenant's plan.
  const params = (request?.statements[0]?.params ?? []).slice(1, permission ? undefined : -2);
  if (permission) params.splice(-3, 2);
  const admission = params.filter((value) => typeof value === "string").map((value) => value.toLowerCase());
  return {
    statements: request?.statements.map(({ query }) => query),
    admission: admission.filter((value) => value !== "true" && value !== "false"),
  };
}

async function callAs({ person, ids }: Prepared, service: Service, operation: Operation, path: string) {
  await service.databaseRequests();
  const answer = await service.call(operation.method, path, optionsOf(operation, person));
  return {
    answer,
    trace: await traceOf(service, operation),
    permitted: operation.permission ? [ids.organizationId] : [],
  };
}

describe("Another way of writing a path", () => {
  it.each(operations.guarded)("passes by no guard of %s without a token", async (_, operation) => {
    const { service, person, ids } = await prepareFor(operation);
    for (const [spelling, respell] of Object.entries(spellings)) {
      const path = respell(targetOf(operation, ids));
      const answer = await service.call(operation.method, path, { body: bodyOf(operation, person) });
      expect([401, 404, 405], `${spelling}: ${path}`).toContain(answer.status);
      expect(Object.keys(answer.body)).toContain("code");
    }
    expect(await service.databaseRequests()).toEqual([]);
  });

  it.each(operations.guarded)("leads to %s itself or nowhere", async (_, operation) => {
    const service = openService();
    const usual = await prepare(service, undefined, operation);
    const expected = await callAs(usual, service, operation, targetOf(operation, usual.ids));
    let prepared = await prepare(service, undefined, operation);
    for (const [spelling, respell] of Object.entries(spellings)) {
      const path = respell(targetOf(operation, prepared.ids));
      // No client sends dot segments: the Worker would be asked for the path itself.
      if (new URL(path, origin).pathname === new URL(targetOf(operation, prepared.ids), origin).pathname) continue;
      const { answer, trace, permitted } = await callAs(prepared, service, operation, path);
      if (trace.statements) {
        expectContract(contract, operation, answer, spelling);
        expect(trace.statements, `${spelling}: ${path}`).toEqual(expected.trace.statements);
        const { permission, entitlement } = operation;
        expect(trace.admission).toEqual([...permitted, permission, entitlement].filter((asked) => asked !== undefined));
        prepared = await prepare(service, undefined, operation);
      } else {
        expect([400, 404, 405], `${spelling}: ${path}`).toContain(answer.status);
      }
    }
  });
});
