import type { Context } from "hono";
import { deleteCookie, setCookie } from "hono/cookie";
import { FLOW_LIFETIME } from "./services/oauth/flow.ts";

const NAME = "oauth";

/** As requests name it; `__Host-` keeps others from setting it. */
export const FLOW_COOKIE = `__Host-${NAME}`;

/** Not Strict: the browser brings it back from the provider's site. */
const attributes = { prefix: "host", path: "/", secure: true, httpOnly: true, sameSite: "Lax" } as const;

/** @param crossSite for a provider that sends people back with a form, whose POST brings no Lax cookie. */
export function setFlowCookie(c: Context, content: string | null, { crossSite }: { crossSite: boolean }): void {
  if (content === null) return;
  setCookie(c, NAME, content, { ...attributes, sameSite: crossSite ? "None" : "Lax", maxAge: FLOW_LIFETIME });
}

/** Takes the cookie back, and returns what it held: undefined where there is none, or several. */
export function takeFlowCookie(c: Context): string | undefined {
  const pairs = (c.req.header("cookie") ?? "").split(/;[ \t]*/).filter((pair) => pair.startsWith(`${FLOW_COOKIE}=`));
  deleteCookie(c, NAME, attributes);
  return pairs.length === 1 ? pairs[0]?.slice(FLOW_COOKIE.length + 1) : undefined;
}
