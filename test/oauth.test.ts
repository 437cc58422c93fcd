import { describe, expect, inject, it } from "vitest";
import { asOwner } from "./support/database.ts";
import {
  beginFlow,
  challengeOf,
  codeVerifier,
  comeBack,
  getCode,
  newLogin,
  readFragment,
  signInAtProvider,
} from "./support/oauth.ts";
import { expectProblem } from "./support/problems.ts";
import { openService } from "./support/service.ts";

const service = openService();

describe("GET /v1/auth/providers", () => {
  it("lists those that are set up", async () => {
    expect((await service.call("GET", "/v1/auth/providers")).body).toEqual({
      data: ["google", "github", "microsoft", "apple"],
    });
    const settings = { GOOGLE_CLIENT_ID: undefined, GOOGLE_CLIENT_SECRET: undefined };
    expect((await service.call("GET", "/v1/auth/providers", { settings })).body.data).not.toContain("google");
  });
});

describe("GET /v1/auth/oauth/{provider}", () => {
  it("sends the browser to the provider, with PKCE, a state and a nonce of 256 bits, and asks no database", async () => {
    const asked = openService();
    const { url } = await beginFlow(asked, "google");
    expect(url.origin).toBe(inject("identityProviderUrl"));
    expect(Object.fromEntries(url.searchParams)).toEqual({
      response_type: "code",
      client_id: "a-client",
      redirect_uri: "https://api.example.com/v1/auth/oauth/google/callback",
      scope: "openid email profile",
      state: expect.stringMatching(/^[\w-]{43}$/),
      nonce: expect.stringMatching(/^[\w-]{43}$/),
      code_challenge: expect.stringMatching(/^[\w-]{43}$/),
      code_challenge_method: "S256",
    });
    expect(await asked.databaseRequests()).toEqual([]);
  });

  it.each([
    ["google", "Lax"],
    ["apple", "None"],
  ])("keeps the flow of %s in a cookie of this host for 10 minutes, that is unlike any other", async (name, site) => {
    const query = `codeChallenge=${await challengeOf(codeVerifier)}`;
    const answers = [1, 2].map(() => service.call("GET", `/v1/auth/oauth/${name}?${query}`));
    const cookies = (await Promise.all(answers)).map(({ headers }) => headers.getSetCookie());
    for (const cookie of cookies) {
      expect(cookie).toEqual([
        expect.stringMatching(/^__Host-oauth=[\w-]{300,}; Max-Age=600; Path=\/; HttpOnly; Secure; SameSite=\w+$/),
      ]);
      expect(cookie[0]?.endsWith(`SameSite=${site}`)).toBe(true);
    }
    expect(cookies[0]).not.toEqual(cookies[1]);
  });

  it("says with 501 which setting is missing where the provider is off", async () => {
    const settings = { GITHUB_CLIENT_ID: undefined, GITHUB_CLIENT_SECRET: undefined };
    for (const [method, path] of [
      ["GET", `/v1/auth/oauth/github?codeChallenge=${await challengeOf(codeVerifier)}`],
      ["GET", "/v1/auth/oauth/github/callback"],
      ["POST", "/v1/auth/oauth/github/callback"],
    ] as const) {
      const answer = await service.call(method, path, { settings });
      expectProblem(answer, "provider_off");
      expect(answer.body.detail).toContain("GITHUB_CLIENT_ID");
    }
  });

  it("refuses a challenge that is none, and a flow without one", async () => {
    for (const challenge of ["", "x", "a".repeat(42), "a".repeat(44), `${"a".repeat(42)}=`, `${"a".repeat(42)}+`]) {
      const answer = await service.call("GET", `/v1/auth/oauth/google?codeChallenge=${encodeURIComponent(challenge)}`);
      expectProblem(answer, "invalid_request");
    }
    expectProblem(await service.call("GET", "/v1/auth/oauth/google"), "invalid_request");
  });

  it("takes no path that leads a browser to another host", async () => {
    const codeChallenge = await challengeOf(codeVerifier);
    const attacks = [
      "https://evil.example",
      "//evil.example",
      "///evil.example",
      "/\\evil.example",
      "\\/evil.example",
      "/\t/evil.example",
      "/\n/evil.example",
      "/.//evil.example",
      "/..//evil.example",
      "/a//evil.example",
      "/a/..//evil.example",
      "/%5c/evil.example\\",
      " //evil.example",
      "javascript:alert(1)",
      "@evil.example",
      "evil.example",
      ".evil.example",
      "/a#b",
      "/\u0000",
      "/ａ",
      "/a b",
      `/${"a".repeat(1000)}`,
    ];
    for (const redirectTo of attacks) {
      const query = new URLSearchParams({ codeChallenge, redirectTo });
      const answer = await service.call("GET", `/v1/auth/oauth/google?${query.toString()}`);
      expect([redirectTo, answer.status, answer.body?.code]).toEqual([redirectTo, 400, "invalid_request"]);
    }
  });

  it("hands any path of the frontend back to it, which is its own for a browser", async () => {
    for (const path of ["/", "/settings", "/a/b/", "/a?next=/b&x=%2F%2Fevil.example", "/a/../b", "/x:y@z"]) {
      const flow = await beginFlow(service, "google", path);
      const { redirectTo } = readFragment(await comeBack(service, flow, await signInAtProvider(flow, newLogin())));
      expect(redirectTo).toBe(path);
      const url = new URL(redirectTo ?? "", "https://app.acme.example");
      expect([url.origin, url.pathname.startsWith("//")]).toEqual(["https://app.acme.example", false]);
    }
  });
});

describe("Coming back from a provider", () => {
  it("leads to the frontend, with the code in the fragment, and takes the cookie back", async () => {
    const asked = openService();
    const flow = await beginFlow(asked, "google");
    const answer = await comeBack(asked, flow, await signInAtProvider(flow, newLogin()));
    expect(readFragment(answer)).toEqual({ code: expect.stringMatching(/^[\w-]{200,2000}$/), redirectTo: "/" });
    expect(answer.headers.getSetCookie()).toEqual(["__Host-oauth=; Max-Age=0; Path=/; HttpOnly; Secure; SameSite=Lax"]);
    expect(answer.headers.get("cache-control")).toBe("no-store");
    expect(answer.headers.get("referrer-policy")).toBe("no-referrer");
    const requests = await asked.databaseRequests();
    expect(requests.map(({ readOnly }) => readOnly)).toEqual([false]);
  });

  it("writes nothing of the person, and nothing of theirs can be read from the code", async () => {
    const login = newLogin();
    const code = await getCode(service, login);
    const [rows] = await asOwner(["select from users where email = $1", [`${login}@example.com`]]);
    expect(rows).toEqual([]);
    expect(atob(code.replaceAll("-", "+").replaceAll("_", "/"))).not.toContain("ada");
  });

  it("tells the frontend of somebody who denies it, and of no text of the provider", async () => {
    for (const [error, told] of [
      ["access_denied", "access_denied"],
      ["user_cancelled_authorize", "access_denied"],
      ["server_error", "provider_failed"],
      ["<script>", "provider_failed"],
    ]) {
      const flow = await beginFlow(service, "google");
      const parameters = new URLSearchParams({
        error: error ?? "",
        state: flow.state,
        error_description: "<b>evil</b>",
      });
      const answer = await comeBack(service, flow, parameters);
      expect(readFragment(answer)).toEqual({ error: told });
      expect(answer.headers.getSetCookie()[0]).toMatch(/^__Host-oauth=; Max-Age=0;/);
    }
  });

  it("tells the frontend when the database does not answer, and nothing more", async () => {
    const faulty = openService();
    const flow = await beginFlow(faulty, "google");
    const parameters = await signInAtProvider(flow, newLogin());
    await faulty.injectFault({ fault: "refuse" });
    expect(readFragment(await comeBack(faulty, flow, parameters))).toEqual({ error: "unavailable" });
  });
});
