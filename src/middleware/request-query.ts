import { createMiddleware } from "hono/factory";
import { AppError } from "../errors.ts";
import type { AppEnv } from "../types.ts";

/**
 * Refuses the names of query parameters that are lost before a strict schema could: Hono reads over an
 * empty one, and a validator may strip `__proto__`.
 */
export const queryNames = () =>
  createMiddleware<AppEnv>(async (c, next) => {
    for (const name of new URL(c.req.url).searchParams.keys()) {
      if (name === "" || name === "__proto__") {
        throw new AppError("invalid_request", {
          errors: [{ path: "query", message: `Unrecognized key: ${JSON.stringify(name)}` }],
        });
      }
    }
    await next();
  });
