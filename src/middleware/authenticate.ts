import { createMiddleware } from "hono/factory";
import { AppError } from "../errors.ts";
import { hashApiKey, isApiKey } from "../services/api-key-format.ts";
import { hashHandle, isMfaToken, verifyAccessToken, verifyMfaToken } from "../services/tokens.ts";
import type { AppEnv } from "../types.ts";

/**
 * Verifies the access token, or an API key's checksum, as a bearer token (RFC 6750), and sets `identity`. Asks no
 * database: whether the session or the key still lives is for it to say in the batch that answers the request.
 *
 * @param pending whether the token of a session before its second factor is taken as well
 */
export const authenticate = ({ pending }: { pending: boolean }) =>
  createMiddleware<AppEnv>(async (c, next) => {
    const [scheme = "", token = "", ...rest] = (c.req.header("authorization") ?? "").split(" ");
    if (scheme.toLowerCase() !== "bearer" || rest.length > 0) throw new AppError("unauthenticated");
    const { settings } = c.var;
    if (isApiKey(token)) {
      c.set("identity", { by: "apiKey", handle: await hashApiKey(settings, token) });
      return next();
    }
    const isPending = isMfaToken(token);
    const { userId, handle, impersonatorId } = await (isPending ? verifyMfaToken : verifyAccessToken)(settings, token);
    if (isPending && !pending) throw new AppError("mfa_required");
    c.set("identity", { by: "session", userId, handle: await hashHandle(handle), impersonatorId });
    return next();
  });
