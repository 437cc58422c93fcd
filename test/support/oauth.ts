import { expect, inject } from "vitest";
import { toBase64url } from "./bytes.ts";
import type { Answer, Service, SettingsOverride } from "./service.ts";

/** Nobody else's, at the real provider. */
export const newLogin = () => `ada-${crypto.randomUUID()}`;

export const codeVerifier = "a-verifier-that-the-frontend-keeps-0123456789abcdef";

export const challengeOf = async (verifier: string) =>
  toBase64url(new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier))));

/** A flow that has begun: where the browser is sent, and the cookie that it keeps. */
export interface Flow {
  provider: string;
  url: URL;
  cookie: string;
  state: string;
}

export async function beginFlow(service: Service, provider: string, redirectTo?: string): Promise<Flow> {
  const query = new URLSearchParams({
    codeChallenge: await challengeOf(codeVerifier),
    ...(redirectTo && { redirectTo }),
  });
  const answer = await service.call("GET", `/v1/auth/oauth/${provider}?${query.toString()}`);
  expect([answer.status, answer.body]).toEqual([302, undefined]);
  const url = new URL(answer.headers.get("location") ?? "");
  const [cookie = ""] = answer.headers.getSetCookie();
  return { provider, url, cookie: cookie.split(";")[0] ?? "", state: url.searchParams.get("state") ?? "" };
}

/** A page of the provider, with the cookies of this browser. */
async function visit(jar: Map<string, string>, url: string, form?: Record<string, string>): Promise<Response> {
  const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join("; ");
  const response = await fetch(url, {
    redirect: "manual",
    headers: { cookie },
    ...(form && { method: "POST", body: new URLSearchParams(form) }),
  });
  for (const line of response.headers.getSetCookie()) {
    const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
    jar.set(name, value);
  }
  return response;
}

/** Signs in at the real provider under a name, consents, and returns what it sends the browser back with. */
export async function signInAtProvider({ url }: Flow, login: string): Promise<URLSearchParams> {
  const jar = new Map<string, string>();
  let response = await visit(jar, url.href);
  for (let step = 0; step < 12; step++) {
    const location = response.headers.get("location");
    if (location) {
      const next = new URL(location, url);
      if (next.origin !== url.origin) return next.searchParams;
      response = await visit(jar, next.href);
      continue;
    }
    const page = await response.text();
    const action = /<form[^>]* action="([^"]+)"/.exec(page)?.[1];
    if (!action) throw new Error(`${response.status} at the provider: ${page}`);
    const isLogin = page.includes('name="login"');
    const form = isLogin ? { prompt: "login", login, password: "any" } : { prompt: "consent" };
    response = await visit(jar, new URL(action, url).href, form);
  }
  throw new Error("the provider does not let go");
}

/** How the scripted provider exchanges the code: see scripted-provider.ts. */
export type Script = Record<string, unknown>;

/** What the scripted provider sends the browser back with, to do as told; the flow's nonce is in the ID token. */
export function scriptAnswer({ url, state, provider }: Flow, script: Script): URLSearchParams {
  const { searchParams } = url;
  const usual = {
    nonce: searchParams.get("nonce"),
    ...(provider === "microsoft" && { iss: `${inject("scriptedProviderUrl")}/microsoft/${tenant}/v2.0`, tid: tenant }),
  };
  const claims = { ...usual, ...(script["claims"] as object) };
  const whole = { codeChallenge: searchParams.get("code_challenge"), ...script, claims };
  return new URLSearchParams({ code: toBase64url(new TextEncoder().encode(JSON.stringify(whole))), state });
}

export const tenant = "11111111-2222-4333-8444-555555555555";

/** The browser comes back: by its address, or with a form. */
export function comeBack(
  service: Service,
  { provider, cookie }: { provider: string; cookie: string },
  parameters: URLSearchParams,
  { form = provider === "apple" }: { form?: boolean } = {},
): Promise<Answer> {
  const path = `/v1/auth/oauth/${provider}/callback`;
  const headers = { cookie };
  return form
    ? service.call("POST", path, {
        rawBody: parameters.toString(),
        headers: { ...headers, "content-type": "application/x-www-form-urlencoded" },
      })
    : service.call("GET", `${path}?${parameters.toString()}`, { headers });
}

/** What the frontend finds in its fragment. */
export function readFragment(answer: Answer): Record<string, string> {
  expect(answer.status, JSON.stringify(answer.body)).toBe(302);
  const location = answer.headers.get("location") ?? "";
  expect(location).toMatch(/^https:\/\/app\.acme\.example\/oauth\/callback#/);
  return Object.fromEntries(new URLSearchParams(location.slice(location.indexOf("#") + 1)));
}

/** A whole flow at the real provider, up to the code that the frontend is given. */
export async function getCode(service: Service, login: string): Promise<string> {
  const flow = await beginFlow(service, "google");
  const { code } = readFragment(await comeBack(service, flow, await signInAtProvider(flow, login)));
  if (!code) throw new Error("the flow gave no code");
  return code;
}

/** The same at the scripted one. */
export async function getScriptedCode(service: Service, provider: string, script: Script): Promise<string> {
  const flow = await beginFlow(service, provider);
  const { code } = readFragment(await comeBack(service, flow, scriptAnswer(flow, script)));
  if (!code) throw new Error("the flow gave no code");
  return code;
}

export const exchangeCode = (service: Service, code: string, verifier = codeVerifier) =>
  service.call("POST", "/v1/auth/oauth/token", { body: { code, codeVerifier: verifier } });

export const signInWith = async (service: Service, login: string) =>
  exchangeCode(service, await getCode(service, login));

/** For deployments that lack what a provider needs. */
export const withoutProviders: SettingsOverride = {
  GOOGLE_CLIENT_ID: undefined,
  GOOGLE_CLIENT_SECRET: undefined,
  GITHUB_CLIENT_ID: undefined,
  GITHUB_CLIENT_SECRET: undefined,
  MICROSOFT_CLIENT_ID: undefined,
  MICROSOFT_CLIENT_SECRET: undefined,
  APPLE_CLIENT_ID: undefined,
  APPLE_TEAM_ID: undefined,
  APPLE_KEY_ID: undefined,
  APPLE_PRIVATE_KEY: undefined,
};

/** The scripted provider in Google's place, for what a real one does not do. */
export const scriptedGoogle = (): SettingsOverride => ({
  GOOGLE_CLIENT_SECRET: "a-client-secret-of-the-scripted-provider",
  GOOGLE_ISSUER: `${inject("scriptedProviderUrl")}/scripted`,
});
