import { hmac, toBytea } from "../crypto.ts";
import type { Settings } from "../env.ts";
import { AppError } from "../errors.ts";

/** A counter's name, as bytea: by the secret, so that injected SQL can neither use up, forget nor look for it. */
export async function attemptScope(settings: Settings, name: string): Promise<string> {
  return toBytea(await hmac(settings.JWT_SECRET, "throttle", name));
}

/** @throws AppError `too_many_attempts` with Retry-After when there are seconds to wait. */
export function refuseWhileWaiting(seconds: number): void {
  if (seconds > 0) throw new AppError("too_many_attempts", { headers: { "retry-after": String(seconds) } });
}
