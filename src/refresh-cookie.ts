import type { Context } from "hono";
import { deleteCookie, setCookie } from "hono/cookie";
import type { Settings } from "./env.ts";
import { AppError } from "./errors.ts";
import type { PresentedToken } from "./services/auth.ts";
import type { TokenSet } from "./services/session-starts.ts";
import type { RefreshTokenCarrier } from "./services/tokens.ts";

const NAME = "refresh";

/** `__Host-`: of this host alone, so that no other can set it, a subdomain neither (RFC 6265bis §4.1.3.2). */
const attributes = { prefix: "host", path: "/", secure: true, httpOnly: true, sameSite: "Strict" } as const;

/** As requests name it. */
export const REFRESH_COOKIE = `__Host-${NAME}`;

/** Every value that was sent under the cookie's name. A browser sends one at most. */
function readCookies(c: Context): string[] {
  // Not trim(): it takes off spaces of Unicode too, which would pass a browser's check of the prefix.
  const pairs = (c.req.header("cookie") ?? "").split(/;[ \t]*/);
  return pairs
    .filter((pair) => pair.startsWith(`${REFRESH_COOKIE}=`))
    .map((pair) => pair.slice(REFRESH_COOKIE.length + 1));
}

/**
 * For whatever a browser does with a cookie by itself, whoever made it send the request: only pages of known
 * origins may. Browsers send Origin with every request that is not a GET.
 *
 * @throws AppError `origin_not_allowed`
 */
function checkOrigin(c: Context): void {
  // Context is typed for any environment, since it cannot be for several.
  const { CORS_ORIGINS, PUBLIC_ORIGIN }: Settings = c.var.settings;
  const origin = c.req.header("origin");
  if (!origin || ![PUBLIC_ORIGIN, ...CORS_ORIGINS].includes(origin)) throw new AppError("origin_not_allowed");
  // A browser would not keep the cookie, nor send it.
  if (c.req.header("sec-fetch-site") === "cross-site") {
    throw new AppError("origin_not_allowed", {
      detail:
        "The cookie is for pages of the same site as the API: https://app.example.com and https://api.example.com.",
    });
  }
}

/** @throws AppError `origin_not_allowed` where the refresh token is to be kept in a cookie. */
export function checkCarrier(c: Context, carrier: RefreshTokenCarrier): void {
  if (carrier === "cookie") checkOrigin(c);
}

/** @throws AppError `origin_not_allowed` where the request carries the cookie. */
export function checkCookie(c: Context): void {
  if (readCookies(c).length > 0) checkOrigin(c);
}

/** The tokens as they are answered: in cookie mode no script sees the refresh token. */
export function handOver<T extends TokenSet>(
  c: Context,
  carrier: RefreshTokenCarrier,
  tokens: T,
): T | Omit<T, "refreshToken"> {
  if (carrier === "body") return tokens;
  const { refreshToken, ...visible } = tokens;
  const maxAge = Math.max(0, Math.floor((Date.parse(tokens.sessionExpiresAt) - Date.now()) / 1000));
  setCookie(c, NAME, refreshToken, { ...attributes, maxAge });
  return visible;
}

/** Takes the cookie from a browser that has sent it, where its session `isOver`. */
export function forgetCookie(c: Context, isOver = true): void {
  if (isOver && readCookies(c).length > 0) deleteCookie(c, NAME, attributes);
}

/**
 * Exchanges the body's refresh token, or without one the cookie's, and answers where it came from. A cookie that
 * is refused is taken back.
 *
 * @throws AppError `unauthenticated` where there is neither; `origin_not_allowed`; what `exchange` throws.
 */
export async function exchangeToken(
  c: Context,
  inBody: string | undefined,
  exchange: (presented: PresentedToken) => Promise<TokenSet>,
): Promise<TokenSet | Omit<TokenSet, "refreshToken">> {
  if (inBody !== undefined) return exchange({ refreshToken: inBody, carrier: "body" });
  checkCookie(c);
  const [refreshToken, ...others] = readCookies(c);
  try {
    // Which of several is the browser's own, nobody knows.
    if (!refreshToken || others.length > 0) throw new AppError("unauthenticated");
    return handOver(c, "cookie", await exchange({ refreshToken, carrier: "cookie" }));
  } catch (error) {
    if (error instanceof AppError && error.status === 401) forgetCookie(c);
    throw error;
  }
}
