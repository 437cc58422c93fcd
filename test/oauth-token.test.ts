import { describe, expect, it } from "vitest";
import { readMe, storedSessions } from "./support/accounts.ts";
import { asOwner } from "./support/database.ts";
import { makeProof } from "./support/identities.ts";
import { mailsTo } from "./support/mailbox.ts";
import { beginFlow, codeVerifier, exchangeCode, getCode, newLogin, signInWith } from "./support/oauth.ts";
import { expectProblem } from "./support/problems.ts";
import { openService } from "./support/service.ts";

const service = openService();

const identitiesOf = async (userId: string) => {
  const [rows] = await asOwner(["select * from identities where user_id = $1", [userId]]);
  return rows;
};

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
