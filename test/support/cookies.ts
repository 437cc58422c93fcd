import { expect } from "vitest";
import { asOwner } from "./database.ts";
import {
  type Answer,
  goodPassword,
  openService,
  type Person,
  type Service,
  type SettingsOverride,
  signUpPerson,
} from "./service.ts";

/** A frontend on the API's site, and the API's own origin. */
export const frontend = "https://app.example.com";
export const own = "https://api.example.com";

export const openForBrowsers = (overrides: SettingsOverride = {}): Service =>
  openService({ CORS_ORIGINS: frontend, PUBLIC_ORIGIN: own, ...overrides });

export const cookieOf = (token: string) => `__Host-refresh=${token}`;

/** What a browser sends with a request of a page: undefined leaves a header out. */
export const browserHeaders = (token?: string, origin: string | undefined = frontend): Record<string, string> => ({
  ...(origin !== undefined && { origin }),
  ...(token !== undefined && { cookie: cookieOf(token) }),
});

export const signInForCookie = (service: Service, { email }: { email: string }, headers = browserHeaders()) =>
  service.call("POST", "/v1/auth/sign-in", {
    body: { email, password: goodPassword, refreshTokenIn: "cookie" },
    headers,
  });

export const refreshByCookie = (service: Service, token: string, headers = browserHeaders(token)) =>
  service.call("POST", "/v1/auth/refresh", { headers });

/** The cookie that an answer sets, in its only Set-Cookie. */
export function readCookie({ headers }: Answer): { value: string; attributes: string[] } {
  const cookies = headers.getSetCookie();
  expect(cookies).toHaveLength(1);
  const [pair = "", ...attributes] = (cookies[0] ?? "").split("; ");
  expect(pair).toMatch(/^__Host-refresh=/);
  return { value: pair.slice("__Host-refresh=".length), attributes };
}

/** Somebody's session in a browser. */
export async function startBrowserSession(
  service: Service,
  person: Person,
): Promise<{ token: string; cookie: string }> {
  const answer = await signInForCookie(service, person);
  expect(answer.status).toBe(200);
  return { token: answer.body.accessToken, cookie: readCookie(answer).value };
}

/** A person with a session in a browser, beside the one that they have signed up in. */
export async function signInBrowser(service: Service): Promise<{ ada: Person; token: string; cookie: string }> {
  const ada = await signUpPerson(service);
  return { ada, ...(await startBrowserSession(service, ada)) };
}

/** The same without any other session. */
export async function signInBrowserAlone(service: Service): ReturnType<typeof signInBrowser> {
  const signedIn = await signInBrowser(service);
  // Of the two, this is the older.
  await asOwner([
    "delete from sessions where id = (select id from sessions where user_id = $1 order by id limit 1)",
    [signedIn.ada.id],
  ]);
  return signedIn;
}

export const cleared = {
  value: "",
  attributes: ["Max-Age=0", "Path=/", "HttpOnly", "Secure", "SameSite=Strict"],
};

export const expectCleared = (answer: Answer) => expect(readCookie(answer)).toEqual(cleared);
export const expectUntouched = ({ headers }: Answer) => expect(headers.getSetCookie()).toEqual([]);
