import { describe, expect, it } from "vitest";
import { readMe, storedSessions } from "./support/accounts.ts";
import {
  browserHeaders,
  cookieOf,
  expectCleared,
  expectUntouched,
  openForBrowsers,
  own,
  readCookie,
  refreshByCookie,
  signInBrowserAlone,
  signInForCookie,
} from "./support/cookies.ts";
import { asOwner } from "./support/database.ts";
import { expectProblem } from "./support/problems.ts";
import { goodPassword, openService, type Person, signUpPerson } from "./support/service.ts";
import { claimsOf } from "./support/tokens.ts";

const service = openForBrowsers();

const tokenSet = {
  accessToken: expect.any(String),
  tokenType: "Bearer",
  expiresIn: 900,
  sessionExpiresAt: expect.stringMatching(/\.\d{3}Z$/),
};

async function passGrace({ id }: Person): Promise<void> {
  await asOwner(["update sessions set refreshed_at = refreshed_at - interval '11 seconds' where user_id = $1", [id]]);
}

const generationOf = async ({ id }: Person) => (await storedSessions(id)).map((session) => session.refresh_generation);

describe("POST /v1/auth/sign-in with refreshTokenIn: cookie", () => {
  it("keeps the refresh token out of the body, in a cookie until the session ends", async () => {
    const ada = await signUpPerson(service);
    const answer = await signInForCookie(service, ada);
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual({ ...tokenSet, user: expect.objectContaining({ id: ada.id }) });
    const { value, attributes } = readCookie(answer);
    const [maxAge = "", ...others] = attributes;
    expect(others).toEqual(["Path=/", "HttpOnly", "Secure", "SameSite=Strict"]);
    const seconds = Number(/^Max-Age=(\d+)$/.exec(maxAge)?.[1]);
    expect(seconds).toBeGreaterThan(7 * 86_400 - 10);
    expect(seconds).toBeLessThanOrEqual(7 * 86_400);
    expect(claimsOf(value)).toMatchObject({ sub: ada.id, sid: claimsOf(answer.body.accessToken).sid, gen: 1 });
    expect((await readMe(answer.body.accessToken)).status).toBe(200);
  });

  it("lets the cookie live until the session's end, also where it ends earlier when it is not used", async () => {
    const { email } = await signUpPerson(service);
    const answer = await signInForCookie(openForBrowsers({ SESSION_EXPIRATION: "30d/1h" }), { email });
    expect(readCookie(answer).attributes[0]).toMatch(/^Max-Age=(2592000|259199\d)$/);
  });

  it.each([{}, { refreshTokenIn: "body" }])("sets no cookie for %j, whatever the Origin", async (mode) => {
    const { email } = await signUpPerson(service);
    for (const headers of [browserHeaders(), browserHeaders(undefined, "https://evil.com"), {}]) {
      const body = { email, password: goodPassword, ...mode };
      const answer = await service.call("POST", "/v1/auth/sign-in", { body, headers });
      expect(answer.status).toBe(200);
      expect(answer.body).toEqual({ ...tokenSet, refreshToken: expect.any(String), user: expect.anything() });
      expectUntouched(answer);
    }
  });

  it.each(["Cookie", "both", "", null, true, ["cookie"]])("refuses %j with 400", async (refreshTokenIn) => {
    const { email } = await signUpPerson(service);
    const body = { email, password: goodPassword, refreshTokenIn };
    const answer = await service.call("POST", "/v1/auth/sign-in", { body, headers: browserHeaders() });
    expectProblem(answer, "invalid_request");
  });

  it("sets no cookie for a wrong password", async () => {
    const { email } = await signUpPerson(service);
    const body = { email, password: "another harbour at dusk", refreshTokenIn: "cookie" };
    const answer = await service.call("POST", "/v1/auth/sign-in", { body, headers: browserHeaders() });
    expectProblem(answer, "invalid_credentials");
    expectUntouched(answer);
  });
});

describe("POST /v1/auth/refresh by cookie", () => {
  it.each([
    ["no body", {}],
    ["no body, of a type", { headers: { "content-type": "application/json" } }],
    ["no body, of a strange type", { headers: { "content-type": "text/plain" } }],
    ["an empty body", { rawBody: "" }],
    ["an empty body of a type", { rawBody: "", headers: { "content-type": "application/json" } }],
    ["{}", { body: {} }],
  ])("with %s answers new tokens, of which the body has no refresh token", async (_, options) => {
    const { ada, token, cookie } = await signInBrowserAlone(service);
    const headers = { ...browserHeaders(cookie), ...("headers" in options && options.headers) };
    const answer = await service.call("POST", "/v1/auth/refresh", { ...options, headers });
    expect(answer.body).toEqual(tokenSet);
    expect(answer.status).toBe(200);
    const { value } = readCookie(answer);
    expect(claimsOf(value)).toMatchObject({ sub: ada.id, sid: claimsOf(token).sid, gen: 2 });
    expect((await readMe(answer.body.accessToken)).status).toBe(200);
    expect(await generationOf(ada)).toEqual([2]);
  });

  it("rotates: each cookie leads to the next, however late", async () => {
    const { ada, ...first } = await signInBrowserAlone(service);
    let { cookie } = first;
    for (let generation = 2; generation <= 4; generation++) {
      await passGrace(ada);
      cookie = readCookie(await refreshByCookie(service, cookie)).value;
      expect(await generationOf(ada)).toEqual([generation]);
    }
  });

  it("asks the database once", async () => {
    const { cookie } = await signInBrowserAlone(service);
    const counted = openForBrowsers();
    await refreshByCookie(counted, cookie);
    expect(await counted.databaseRequests()).toHaveLength(1);
  });

  it("finds the cookie among others", async () => {
    const { cookie } = await signInBrowserAlone(service);
    const cookies = `theme=dark; ${cookieOf(cookie)};  __Host-refresher=x; refresh=y`;
    const answer = await refreshByCookie(service, "", { ...browserHeaders(), cookie: cookies });
    expect(answer.status).toBe(200);
  });

  it("takes a token in the body first, and leaves the cookie alone", async () => {
    const { cookie } = await signInBrowserAlone(service);
    const grace = await signUpPerson(service);
    const options = { body: { refreshToken: grace.refreshToken }, headers: browserHeaders(cookie) };
    const answer = await service.call("POST", "/v1/auth/refresh", options);
    expect(claimsOf(answer.body.refreshToken)).toMatchObject({ sub: grace.id, gen: 2 });
    expectUntouched(answer);
    const refused = await service.call("POST", "/v1/auth/refresh", { ...options, body: { refreshToken: "x" } });
    expectProblem(refused, "unauthenticated");
    expectUntouched(refused);
  });

  it("gives 50 at once one new generation and one lineage", async () => {
    const { ada, cookie } = await signInBrowserAlone(service);
    // The row is held for a moment, so that they meet at it.
    const held = asOwner(["select id from sessions where user_id = $1 for update", [ada.id]], ["select pg_sleep(0.3)"]);
    const answers = await Promise.all(Array.from({ length: 50 }, () => refreshByCookie(service, cookie)));
    await held;
    expect(answers.map(({ status }) => status)).toEqual(Array(50).fill(200));
    const cookies = answers.map((answer) => readCookie(answer).value);
    expect(cookies.map((value) => claimsOf(value).gen)).toEqual(Array(50).fill(2));
    expect(JSON.stringify(answers.map(({ body }) => body))).not.toContain("refreshToken");
    expect(await generationOf(ada)).toEqual([2]);
    expect((await refreshByCookie(service, cookies[7] ?? "")).status).toBe(200);
    expect((await refreshByCookie(service, cookies[31] ?? "")).status).toBe(200);
    expect(await generationOf(ada)).toEqual([3]);
  });

  it("of an older generation revokes the session, and takes the cookie back", async () => {
    const { ada, cookie } = await signInBrowserAlone(service);
    const newest = await refreshByCookie(service, cookie);
    await passGrace(ada);
    const stale = await refreshByCookie(service, cookie);
    expectProblem(stale, "refresh_token_reused");
    expectCleared(stale);
    const after = await refreshByCookie(service, readCookie(newest).value);
    expectProblem(after, "unauthenticated");
    expectCleared(after);
    expectProblem(await readMe(newest.body.accessToken), "unauthenticated");
  });
});

describe("POST /v1/auth/refresh without any token", () => {
  it.each([
    {},
    { body: {} },
    { body: {}, headers: browserHeaders() },
    { headers: { cookie: "theme=dark", origin: own } },
  ])("answers 401 to %j, before the database is asked", async (options) => {
    const counted = openService();
    const answer = await counted.call("POST", "/v1/auth/refresh", options);
    expectProblem(answer, "unauthenticated");
    expectUntouched(answer);
    expect(await counted.databaseRequests()).toEqual([]);
  });
});
