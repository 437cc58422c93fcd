import { afterEach, describe, expect, inject, it, vi } from "vitest";
import {
  beginFlow,
  challengeOf,
  codeVerifier,
  comeBack,
  type Flow,
  readFragment,
  scriptAnswer,
  scriptedGoogle,
  type Script,
} from "./support/oauth.ts";
import { openService } from "./support/service.ts";

const service = openService();

afterEach(() => vi.restoreAllMocks());

const errorOf = async (flow: Flow, parameters: URLSearchParams, by = service) =>
  readFragment(await comeBack(by, flow, parameters))["error"];

describe("An ID token", () => {
  const scripted = openService(scriptedGoogle());
  const now = Math.floor(Date.now() / 1000);
  const outcome = async (script: Script) => {
    const flow = await beginFlow(scripted, "google");
    return errorOf(flow, scriptAnswer(flow, script), scripted);
  };

  it.each(["ES256", "RS256", "EdDSA"])("signed by the provider with %s is taken", async (alg) => {
    expect(await outcome({ alg })).toBeUndefined();
  });

  it.each<[string, Script]>([
    ["that is not signed", { alg: "none" }],
    ["signed with the client secret", { alg: "HS256" }],
    ["signed with a key that is not the provider's", { isForged: true }],
    ["of another issuer", { claims: { iss: "https://accounts.google.com" } }],
    ["without an issuer", { claims: { iss: null } }],
    ["for another client", { claims: { aud: "another-client" } }],
    ["for several clients, by another one", { claims: { aud: ["a-client", "another"], azp: "another" } }],
    ["without an audience", { claims: { aud: null } }],
    ["that has expired", { claims: { exp: now - 60 } }],
    ["that never expires", { claims: { exp: null } }],
    ["that is not good yet", { claims: { nbf: now + 3600 } }],
    ["that does not say when it was made", { claims: { iat: null } }],
    ["without the nonce", { claims: { nonce: null } }],
    ["with another nonce", { claims: { nonce: "another" } }],
    ["of nobody", { claims: { sub: null } }],
    ["of somebody without a name", { claims: { sub: "" } }],
    ["of somebody with too long a name", { claims: { sub: "x".repeat(256) } }],
    ["of a number", { claims: { sub: 7 } }],
  ])("%s is refused", async (_, script) => {
    expect(await outcome(script)).toBe("provider_failed");
  });
});

describe("A provider", () => {
  const failures = ["error", "refused", "garbage", "html", "moved", "cut", "huge"];
  const scripted = openService(scriptedGoogle());

  it.each(failures)("whose token endpoint fails (%s) sends the browser back, in none of its words", async (failure) => {
    const logged = vi.spyOn(console, "error");
    const flow = await beginFlow(scripted, "google");
    const answer = await comeBack(scripted, flow, scriptAnswer(flow, { failure }));
    expect(readFragment(answer)).toEqual({ error: "provider_failed" });
    expect(answer.headers.getSetCookie()[0]).toMatch(/^__Host-oauth=; Max-Age=0;/);
    const lines = logged.mock.calls.map(([line]) => String(line));
    expect(lines.filter((line) => line.includes('"provider failed"'))).toHaveLength(1);
    expect(lines.join()).not.toMatch(/a secret of theirs|script/);
  });

  it.each(failures)("whose metadata fails (%s) sends nobody to it", async (failure) => {
    const broken = openService({ GOOGLE_ISSUER: `${inject("scriptedProviderUrl")}/broken/${failure}` });
    const answer = await broken.call("GET", `/v1/auth/oauth/google?codeChallenge=${await challengeOf(codeVerifier)}`);
    expect(readFragment(answer)).toEqual({ error: "provider_failed" });
    expect(answer.headers.getSetCookie()).toEqual([]);
  });

  it("that names another issuer in its metadata is none", async () => {
    const issuer = `${inject("scriptedProviderUrl")}/elsewhere`;
    const answer = await openService({ GOOGLE_ISSUER: issuer }).call(
      "GET",
      `/v1/auth/oauth/google?codeChallenge=${await challengeOf(codeVerifier)}`,
    );
    expect(readFragment(answer)).toEqual({ error: "provider_failed" });
  });

  it("that is not there is given up", async () => {
    const answer = await openService({ GOOGLE_ISSUER: "http://127.0.0.1:9" }).call(
      "GET",
      `/v1/auth/oauth/google?codeChallenge=${await challengeOf(codeVerifier)}`,
    );
    expect(readFragment(answer)).toEqual({ error: "provider_failed" });
  });

  it("that is silent is given up after 5 seconds in all", async () => {
    const flow = await beginFlow(scripted, "google");
    const asked: number[] = [];
    const real = AbortSignal.timeout.bind(AbortSignal);
    // The database's comes first.
    vi.spyOn(AbortSignal, "timeout").mockImplementation((milliseconds) => {
      asked.push(milliseconds);
      return asked.length === 2 ? real(50) : real(milliseconds);
    });
    expect(await errorOf(flow, scriptAnswer(flow, { failure: "silent" }), scripted)).toBe("provider_failed");
    expect(asked.slice(0, 2)).toEqual([5_000, 5_000]);
  });
});
