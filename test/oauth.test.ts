import { describe, expect, inject, it } from "vitest";
import { readMe, storedSessions } from "./support/accounts.ts";
import { asOwner } from "./support/database.ts";
import { makeProof } from "./support/identities.ts";
import { mailsTo } from "./support/mailbox.ts";
import {
  beginFlow,
  challengeOf,
  codeVerifier,
  comeBack,
  exchangeCode,
  getCode,
  readFragment,
  signInAtProvider,
  signInWith,
} from "./support/oauth.ts";
import { expectProblem } from "./support/problems.ts";
import { openService } from "./support/service.ts";

const service = openService();
const newLogin = () => `ada-${crypto.randomUUID()}`;

const identitiesOf = async (userId: string) => {
  const [rows] = await asOwner(["select * from identities where user_id = $1", [userId]]);
  return rows;
};

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

describe("POST /v1/auth/oauth/token", () => {
  it("makes an account with the verified address, without a password, and finds it again", async () => {
    const login = newLogin();
    const first = await signInWith(service, login);
    expect([first.status, first.body.user]).toMatchObject([
      200,
      { email: `${login}@example.com`, emailVerified: true, name: `Person ${login}`.slice(0, 60) },
    ]);
    const me = await readMe(first.body.accessToken);
    expect(me.body).toEqual(first.body.user);
    const again = await signInWith(service, login);
    expect(again.body.user.id).toBe(first.body.user.id);
    const [users] = await asOwner(["select password_verifier from users where id = $1", [me.body.id]]);
    expect(users).toEqual([{ password_verifier: null }]);
    expect(await identitiesOf(me.body.id)).toMatchObject([
      { provider: "google", subject: login, connection_id: null, email: `${login}@example.com` },
    ]);
    expect(await mailsTo(`${login}@example.com`)).toEqual([]);
  });

  it("starts a session like any other, in one request to the database", async () => {
    const asked = openService();
    const code = await getCode(asked, newLogin());
    await asked.databaseRequests();
    const { body } = await exchangeCode(asked, code);
    expect(await asked.databaseRequests()).toHaveLength(1);
    expect(body).toMatchObject({ tokenType: "Bearer", expiresIn: 900, refreshToken: expect.any(String) });
    expect(await storedSessions(body.user.id)).toMatchObject([{ revoked_at: null, second_factor: null }]);
    const refreshed = await asked.call("POST", "/v1/auth/refresh", { body: { refreshToken: body.refreshToken } });
    expect(refreshed.status).toBe(200);
  });

  it("keeps the refresh token in a cookie for pages of the frontend alone", async () => {
    const browsers = openService({ CORS_ORIGINS: "https://app.example.com" });
    const redeem = async (origin: string) =>
      browsers.call("POST", "/v1/auth/oauth/token", {
        body: { code: await getCode(browsers, newLogin()), codeVerifier, refreshTokenIn: "cookie" },
        headers: { origin },
      });
    const answer = await redeem("https://app.example.com");
    expect([answer.status, answer.body.refreshToken]).toEqual([200, undefined]);
    expect(answer.headers.getSetCookie()[0]).toMatch(/^__Host-refresh=[\w.-]{100,}; /);
    expectProblem(await redeem("https://evil.example"), "origin_not_allowed");
  });

  it("asks whoever has a second factor for it", async () => {
    const login = newLogin();
    const { body } = await signInWith(service, login);
    await asOwner([
      "insert into totp_factors (id, user_id, sealed_seed, key_hash, activated_at) values (gen_random_uuid(), $1, '\\x00', sha256('key'), now())",
      [body.user.id],
    ]);
    const answer = await signInWith(service, login);
    expect([answer.status, answer.body]).toMatchObject([202, { status: "mfa_required", factors: ["totp"] }]);
    expectProblem(await readMe(answer.body.mfaToken), "mfa_required");
  });

  it("signs in who has the identity, whatever has become of its address", async () => {
    const subject = `subject ${crypto.randomUUID()}`;
    const email = `${crypto.randomUUID()}@example.com`;
    const proof = async (changes: object) =>
      (await makeProof({ subject, email, emailVerified: true, ...changes })).code;
    const { body } = await exchangeCode(service, await proof({}));
    for (const changes of [
      { emailVerified: false },
      { email: null },
      { email: `${crypto.randomUUID()}@example.com` },
    ]) {
      const again = await exchangeCode(service, await proof(changes));
      expect([again.status, again.body.user]).toEqual([200, body.user]);
    }
  });

  it("names who has told the provider no name by their address", async () => {
    const proof = await makeProof({ subject: crypto.randomUUID(), email: "grace-1@example.com", emailVerified: true });
    await asOwner(["delete from users where email = 'grace-1@example.com'"]);
    expect((await exchangeCode(service, proof.code)).body.user.name).toBe("grace-1");
  });

  it("takes a code once", async () => {
    const code = await getCode(service, newLogin());
    expect((await exchangeCode(service, code)).status).toBe(200);
    expectProblem(await exchangeCode(service, code), "invalid_oauth_code");
  });

  it("takes it from nobody but who began the flow, and is good for them after that", async () => {
    const asked = openService();
    const code = await getCode(asked, newLogin());
    await asked.databaseRequests();
    for (const verifier of [codeVerifier.toUpperCase(), `${codeVerifier}0`, codeVerifier.slice(0, -1)]) {
      expectProblem(await exchangeCode(asked, code, verifier), "invalid_oauth_code");
    }
    expect(await asked.databaseRequests()).toEqual([]);
    expect((await exchangeCode(asked, code)).status).toBe(200);
  });

  it("takes none that was made for another purpose, by another secret, changed or cut", async () => {
    const asked = openService();
    const flow = await beginFlow(asked, "google");
    const code = await getCode(asked, newLogin());
    await asked.databaseRequests();
    const flipped = code.replace(/(?<=^.{50})./, (letter) => (letter === "A" ? "B" : "A"));
    const cookie = flow.cookie.replace("__Host-oauth=", "");
    for (const wrong of [cookie, flipped, code.slice(0, -4), code.slice(4), "x", "a.b.c", "%%%", "é"]) {
      expectProblem(await exchangeCode(asked, wrong), "invalid_oauth_code");
    }
    const other = openService({ JWT_SECRET: "another-secret-for-this-test-Zq8vT3nLw5x" });
    expectProblem(await exchangeCode(other, code), "invalid_oauth_code");
    expect(await asked.databaseRequests()).toEqual([]);
    const rotated = {
      JWT_SECRET: "another-secret-for-this-test-Zq8vT3nLw5x",
      JWT_SECRET_PREVIOUS: "a-secret-for-tests-alone-Zq8vT3nLw5xY",
    };
    expect((await exchangeCode(openService(rotated), code)).status).toBe(200);
  });
});
