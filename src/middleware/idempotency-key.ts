import { createMiddleware } from "hono/factory";
import { hmac, toBytea } from "../crypto.ts";
import { AppError } from "../errors.ts";
import type { AppEnv } from "../types.ts";

/**
 * Reads the Idempotency-Key of a creating request. The hash of the request is keyed, because a body
 * may hold a password; the key itself is claimed in the request's own transaction.
 */
export const idempotencyKey = () =>
  createMiddleware<AppEnv>(async (c, next) => {
    const key = c.req.header("idempotency-key");
    if (key !== undefined) {
      if (!/^[\x21-\x7e]{1,255}$/.test(key)) {
        throw new AppError("invalid_request", {
          errors: [
            { path: "headers.idempotency-key", message: "must have 1 to 255 printable ASCII characters and no space" },
          ],
        });
      }
      const { settings, identity, clientAddress } = c.var;
      const request = `${c.req.method}\n${c.req.path}\n${await c.req.text()}`;
      c.set("idempotencyKey", {
        key,
        requestHash: toBytea(await hmac(settings.JWT_SECRET, "idempotent request", request)),
        anonymousScope: identity
          ? null
          : toBytea(await hmac(settings.JWT_SECRET, "idempotency scope", clientAddress ?? "unknown")),
      });
    }
    await next();
  });
