import { env } from "cloudflare:test";
import { afterEach, describe, expect, inject, it, vi } from "vitest";
import { closeEnvelope, openEnvelope } from "../src/envelopes.ts";
import { readSettings } from "../src/env.ts";
import {
  beginFlow,
  challengeOf,
  codeVerifier,
  comeBack,
  exchangeCode,
  type Flow,
  getCode,
  newLogin,
  readFragment,
  signInAtProvider,
  signInWith,
} from "./support/oauth.ts";
import { asWorker } from "./support/database.ts";
import { openService } from "./support/service.ts";

const service = openService();

const settings = readSettings(env);

afterEach(() => vi.restoreAllMocks());

/** The flow with other contents in its cookie, as only the service could write it. */
async function rewrite(flow: Flow, changes: object, lifetime = 600): Promise<Flow> {
  const content = await openEnvelope(settings, "oauth flow", flow.cookie.replace("__Host-oauth=", ""));
  const cookie = await closeEnvelope(settings, "oauth flow", { ...(content as object), ...changes }, lifetime);
  return { ...flow, cookie: `__Host-oauth=${cookie}` };
}

const at = async (flow: Flow) => signInAtProvider(flow, newLogin());

const errorOf = async (flow: Flow, parameters: URLSearchParams, by = service) =>
  readFragment(await comeBack(by, flow, parameters))["error"];

describe("A flow that comes back", () => {
  it("with another state, none, two or that of another flow is refused, and asks no database", async () => {
    const asked = openService();
    const [flow, other] = [await beginFlow(asked, "google"), await beginFlow(asked, "google")];
    const parameters = await at(flow);
    const withState = (...states: string[]) => {
      const changed = new URLSearchParams(parameters);
      changed.delete("state");
      for (const state of states) changed.append("state", state);
      return changed;
    };
    const wrong = [[], [""], [other.state], [flow.state, flow.state], [flow.state.toLowerCase()], [`${flow.state}x`]];
    for (const states of wrong) expect(await errorOf(flow, withState(...states), asked)).toBe("invalid_state");
    expect(await errorOf(other, parameters, asked)).toBe("invalid_state");
    expect(await asked.databaseRequests()).toEqual([]);
    // None of it has used the flow up.
    expect(await errorOf(flow, parameters, asked)).toBeUndefined();
  });

  it("without its cookie, with two of them, or with one that is not ours is refused, and it is taken back", async () => {
    const asked = openService();
    const flow = await beginFlow(asked, "google");
    const parameters = await at(flow);
    const other = openService({ JWT_SECRET: "another-secret-for-this-test-Zq8vT3nLw5x" });
    const foreign = await beginFlow(other, "google");
    const cookies = [
      "",
      "__Host-oauth=",
      "__Host-oauth=x",
      `${flow.cookie}x`,
      `${flow.cookie}; ${flow.cookie}`,
      flow.cookie.replace("__Host-", "__Secure-"),
      flow.cookie.replace("__Host-oauth", "oauth"),
      foreign.cookie,
    ];
    for (const cookie of cookies) {
      const answer = await comeBack(asked, { ...flow, cookie }, parameters);
      expect([cookie, readFragment(answer)]).toEqual([cookie, { error: "invalid_state" }]);
      expect(answer.headers.getSetCookie()[0]).toMatch(/^__Host-oauth=; Max-Age=0;/);
    }
    expect(await asked.databaseRequests()).toEqual([]);
  });

  it("later than 10 minutes is refused, and asks no database", async () => {
    const asked = openService();
    const flow = await beginFlow(asked, "google");
    const parameters = await at(flow);
    expect(await errorOf(await rewrite(flow, {}, -1), parameters, asked)).toBe("invalid_state");
    expect(await asked.databaseRequests()).toEqual([]);
  });

  it("a second time is refused, whatever it brings", async () => {
    const flow = await beginFlow(service, "google");
    const parameters = await at(flow);
    expect(await errorOf(flow, parameters)).toBeUndefined();
    expect(await errorOf(flow, parameters)).toBe("invalid_state");
    parameters.set("code", "another");
    expect(await errorOf(flow, parameters)).toBe("invalid_state");
  });

  it("to another provider's callback is refused, and asks no database", async () => {
    const asked = openService();
    for (const [from, to] of [
      ["google", "github"],
      ["google", "microsoft"],
      ["github", "google"],
      ["google", "apple"],
    ] as const) {
      const flow = await beginFlow(asked, from);
      const parameters = new URLSearchParams({ code: "a-code", state: flow.state });
      expect(await errorOf({ ...flow, provider: to }, parameters, asked)).toBe("invalid_state");
    }
    expect(await asked.databaseRequests()).toEqual([]);
  });

  it("from another issuer is refused before the code is sent anywhere (RFC 9207)", async () => {
    for (const issuer of ["https://evil.example", "", inject("scriptedProviderUrl")]) {
      const flow = await beginFlow(service, "google");
      const parameters = await at(flow);
      expect(parameters.get("iss")).toBe(inject("identityProviderUrl"));
      parameters.set("iss", issuer);
      expect(await errorOf(flow, parameters)).toBe("provider_failed");
    }
  });

  it("without the issuer, of a provider that says it names it, is refused", async () => {
    const flow = await beginFlow(service, "google");
    const parameters = await at(flow);
    parameters.delete("iss");
    expect(await errorOf(flow, parameters)).toBe("provider_failed");
  });

  it("is refused by the provider with another verifier (RFC 7636), or with a code that it did not give", async () => {
    const flow = await beginFlow(service, "google");
    const parameters = await at(flow);
    const verifier = "another-verifier-0123456789-0123456789-0123456789";
    expect(await errorOf(await rewrite(flow, { verifier }), parameters)).toBe("provider_failed");
    const next = await beginFlow(service, "google");
    const made = await at(next);
    made.set("code", "a-code-of-nobody");
    expect(await errorOf(next, made)).toBe("provider_failed");
  });

  it("with a code of another flow is refused, whoever's it is (code injection)", async () => {
    const [mine, theirs] = [await beginFlow(service, "google"), await beginFlow(service, "google")];
    const [own, stolen] = [await at(mine), await at(theirs)];
    own.set("code", stolen.get("code") ?? "");
    expect(await errorOf(mine, own)).toBe("provider_failed");
  });

  it("is refused with another nonce", async () => {
    const flow = await beginFlow(service, "google");
    const parameters = await at(flow);
    const nonce = "another-nonce-0123456789-0123456789-0123456789";
    expect(await errorOf(await rewrite(flow, { nonce }), parameters)).toBe("provider_failed");
  });

  it("signs nobody in to the account of who sent them the link", async () => {
    // The attacker's own flow, up to the code; the victim's page has another verifier.
    const flow = await beginFlow(service, "google");
    const { code = "" } = readFragment(await comeBack(service, flow, await at(flow)));
    const victims = "the-victims-verifier-0123456789-0123456789-0123456789";
    const answer = await exchangeCode(service, code, victims);
    expect([answer.status, answer.body.code]).toEqual([400, "invalid_oauth_code"]);
    expect(await challengeOf(victims)).not.toBe(await challengeOf(codeVerifier));
  });
});

describe("A statement that somebody injects", () => {
  const attempt = (ticket: string, email: string) =>
    asWorker([
      `select r.linked from app.sign_in_with_provider($1, 'google', null, 'made up', $2, true, 'Eve', gen_random_uuid(), gen_random_uuid(),
         gen_random_uuid(), '\\x01', '1 day', '1 day', null, null, null, null, null, null) r`,
      [ticket, email],
    ]).then(
      () => "signed in",
      (error: { code?: string }) => error.code,
    );

  it("signs in to nobody's account, since it has not the Worker's key", async () => {
    const { body } = await signInWith(service, newLogin());
    for (const ticket of ["", "0d", "0d".repeat(32), "0d".repeat(64), "0d".repeat(96), "0d".repeat(128)]) {
      expect(await attempt(`\\x${ticket}`, body.user.email)).toBe("APWRK");
      expect(await attempt(`\\x${ticket}`, `${newLogin()}@example.com`)).toBe("APWRK");
    }
  });

  it("reads no key of the Worker's, and gives it none", async () => {
    for (const statement of [
      "select * from app_private.worker_keys",
      "insert into app_private.worker_keys (key_hash) values (sha256('x'))",
      "delete from app_private.worker_keys",
      "select app_private.take_ticket('\\x01')",
    ]) {
      await expect(asWorker([statement])).rejects.toMatchObject({ code: "42501" });
    }
  });

  it("nor does a Worker with another secret", async () => {
    await signInWith(service, newLogin());
    const other = openService({ JWT_SECRET: "another-secret-for-this-test-Zq8vT3nLw5x" });
    const answer = await exchangeCode(other, await getCode(other, newLogin()));
    expect([answer.status, answer.body.code]).toEqual([500, "misconfigured"]);
  });
});
