import { createMiddleware } from "hono/factory";
import { AppError } from "../errors.ts";
import { hashHandle, verifyAccessToken } from "../services/tokens.ts";
import type { AppEnv } from "../types.ts";

/**
 * Verifies the access token (RFC 6750) and sets `identity`. Asks no database: whether the session
 * still lives is for `app.admit` to say, in the batch that answers the request.
 */
export const authenticate = () =>
  createMiddleware<AppEnv>(async (c, next) => {
    const [scheme = "", token = "", ...rest] = (c.req.header("authorization") ?? "").split(" ");
    if (scheme.toLowerCase() !== "bearer" || rest.length > 0) throw new AppError("unauthenticated");
    const { userId, handle } = await verifyAccessToken(c.var.settings, token);
    c.set("identity", { userId, handle: await hashHandle(handle) });
    await next();
  });
