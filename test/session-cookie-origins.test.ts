import { describe, expect, it } from "vitest";
import { storedSessions } from "./support/accounts.ts";
import {
  browserHeaders,
  cookieOf,
  expectUntouched,
  frontend,
  openForBrowsers,
  own,
  readCookie,
  refreshByCookie,
  signInBrowser,
  signInForCookie,
} from "./support/cookies.ts";
import { withoutProviders } from "./support/oauth.ts";
import { expectProblem } from "./support/problems.ts";
import { type Answer, openService, type Person, type Service, signUpPerson } from "./support/service.ts";

const service = openForBrowsers();

/** Headers of pages that may not use the cookie; the first is no page at all. */
const foreign: [string, Record<string, string>][] = [
  ["no Origin", {}],
  ["null", { origin: "null" }],
  ["an empty Origin", { origin: "" }],
  ["another site", { origin: "https://evil.com" }],
  ["another subdomain", { origin: "https://blog.example.com" }],
  ["a name that begins the same", { origin: "https://app.example.com.evil.com" }],
  ["a name that ends the same", { origin: "https://evil-app.example.com" }],
  ["another port", { origin: "https://app.example.com:8443" }],
  ["another scheme", { origin: "http://app.example.com" }],
  ["upper case", { origin: "HTTPS://APP.EXAMPLE.COM" }],
  ["a slash at its end", { origin: "https://app.example.com/" }],
  ["two origins", { origin: "https://app.example.com, https://evil.com" }],
  ["*", { origin: "*" }],
  ["undefined", { origin: "undefined" }],
  ["no Origin, but a Referer", { referer: "https://app.example.com/" }],
  ["no Origin, but Sec-Fetch-Site", { "sec-fetch-site": "same-origin" }],
  [
    "another site, that names the Host",
    { origin: "https://evil.com", host: "evil.com", "x-forwarded-host": "evil.com" },
  ],
  [
    "a known Origin, of which the browser says that it is another site",
    { origin: frontend, "sec-fetch-site": "cross-site" },
  ],
];

/** What uses the cookie or asks for it. */
const uses: [string, (by: Service, ada: Person, token: string, cookie: string, headers: object) => Promise<Answer>][] =
  [
    ["sign-in", (by, ada, _, __, headers) => signInForCookie(by, ada, { ...headers })],
    ["refresh", (by, _, __, cookie, headers) => refreshByCookie(by, cookie, { ...headers, cookie: cookieOf(cookie) })],
    [
      "sign-out",
      (by, _, token, cookie, headers) =>
        by.call("POST", "/v1/auth/sign-out", { token, headers: { ...headers, cookie: cookieOf(cookie) } }),
    ],
  ];

describe.each(uses)("The cookie at %s", (_, use) => {
  it.each(foreign)("is refused with 403 to %s, before the database is asked", async (__, headers) => {
    const { ada, token, cookie } = await signInBrowser(service);
    const counted = openForBrowsers();
    const answer = await use(counted, ada, token, cookie, headers);
    expectProblem(answer, "origin_not_allowed");
    expectUntouched(answer);
    expect(await counted.databaseRequests()).toEqual([]);
    const sessions = await storedSessions(ada.id);
    expect(sessions.map((session) => [session["refresh_generation"], session["revoked_at"]])).toEqual([
      [1, null],
      [1, null],
    ]);
    expect((await refreshByCookie(service, cookie)).status).toBe(200);
  });

  it.each([frontend, own])("is for pages of %s", async (origin) => {
    for (const site of [{}, { "sec-fetch-site": "same-site" }, { "sec-fetch-site": "same-origin" }]) {
      const { ada, token, cookie } = await signInBrowser(service);
      const answer = await use(service, ada, token, cookie, { origin, ...site });
      expect(answer.status).toBeLessThan(300);
      expect(readCookie(answer).value === "").toBe(answer.status === 204);
    }
  });

  it("is for nobody where neither CORS_ORIGINS nor PUBLIC_ORIGIN is set", async () => {
    const { ada, token, cookie } = await signInBrowser(service);
    for (const CORS_ORIGINS of [undefined, ""]) {
      const closed = openForBrowsers({ CORS_ORIGINS, PUBLIC_ORIGIN: undefined, ...withoutProviders });
      for (const headers of [{ origin: frontend }, { origin: own }, { origin: "" }, { origin: "undefined" }, {}]) {
        expectProblem(await use(closed, ada, token, cookie, headers), "origin_not_allowed");
      }
    }
  });
});

describe("Without the cookie", () => {
  it("sign-in, refresh and sign-out ask for no Origin, and take any", async () => {
    for (const headers of [{}, { origin: "https://evil.com" }, { origin: "null" }]) {
      const ada = await signUpPerson(service);
      const body = { email: ada.email, password: ada.password };
      expect((await service.call("POST", "/v1/auth/sign-in", { body, headers })).status).toBe(200);
      const { refreshToken } = ada;
      expect((await service.call("POST", "/v1/auth/refresh", { body: { refreshToken }, headers })).status).toBe(200);
      expect((await service.call("POST", "/v1/auth/sign-out", { token: ada.token, headers })).status).toBe(204);
    }
  });
});

describe("CORS with the cookie", () => {
  it("allows credentials to listed origins alone, and to none by a wildcard", async () => {
    for (const origin of [frontend, own, "https://evil.com", "null", "*", undefined]) {
      for (const method of ["POST", "OPTIONS"]) {
        const headers = { ...browserHeaders(undefined, origin), "access-control-request-method": "POST" };
        if (origin === undefined) delete (headers as Record<string, string>)["origin"];
        const answer = await service.call(method, "/v1/auth/refresh", { headers });
        const isListed = origin === frontend;
        expect(answer.headers.get("access-control-allow-credentials")).toBe(isListed ? "true" : null);
        expect(answer.headers.get("access-control-allow-origin")).toBe(isListed ? frontend : null);
      }
    }
  });

  it("lets the page read a refusal of its cookie", async () => {
    const answer = await refreshByCookie(service, "garbage");
    expectProblem(answer, "unauthenticated");
    expect(answer.headers.get("access-control-allow-credentials")).toBe("true");
  });

  it("gives no credentials where nothing is listed", async () => {
    const { headers } = await openService().call("POST", "/v1/auth/refresh", { headers: { origin: frontend } });
    expect(headers.has("access-control-allow-credentials")).toBe(false);
  });
});
