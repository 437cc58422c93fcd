import { env } from "cloudflare:test";
import worker from "../../src/index.ts";
import { contract, strangePath } from "./operations.ts";
import type { Answer } from "./service.ts";

/** The service with these settings, which may be any that a deployment could get wrong. */
export async function callWith(changes: Record<string, unknown>, method: string, path: string): Promise<Answer> {
  const settings = Object.fromEntries(
    Object.entries({ ...env, ...changes }).filter(([, value]) => value !== undefined),
  );
  const request = new Request(`https://api.example.com${path}`, { method });
  const response = await worker.fetch(request, settings);
  return { status: response.status, headers: response.headers, body: await response.json() };
}

/** Every operation of the API but /health, and what lies beside them. */
export function listEverything(): { method: string; path: string }[] {
  const pages = ["/docs", "/openapi.json", "/nowhere"].map((path) => ({ method: "GET", path }));
  const operations = contract.operations.filter(({ path }) => path !== "/health");
  return [
    ...operations.map(({ method, path }) => ({ method, path: strangePath(path) })),
    ...pages,
    { method: "PUT", path: "/v1/users/me" },
  ];
}

export const secret = "Zq8vT3nLw5xYb7Rk2mPc9sDf4gHj6aWe";
