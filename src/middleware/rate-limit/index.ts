import type { Context } from "hono";
import { createMiddleware } from "hono/factory";
import { AppError } from "../../errors.ts";
import { type KeyLimits, rememberLimit, subjectOfKey } from "../../services/key-limits.ts";
import type { ApiKeyIdentity, AppEnv, Bindings } from "../../types.ts";
import { toNetwork } from "../client-address.ts";
import type { CountedDecision } from "./rate-limiter.ts";
import { type Decision, SlidingLog, WINDOW_MS } from "./sliding-log.ts";

/** What the limiter may take of a request's time, in milliseconds: longer where its failure is a refusal. */
const BUDGET_MS = { open: 250, closed: 2_000 };

/** Subjects the fallback remembers in one isolate. */
const MAX_FALLBACK_SUBJECTS = 10_000;

const fallbackLogs = new Map<string, SlidingLog>();

/** Hashes of keys that the database has let in, as many as one isolate remembers. */
const MAX_PROVEN_KEYS = 10_000;

const provenKeys = new Set<string>();

interface RateLimitOptions {
  /** When the limiter does not answer: `open` counts in this isolate alone, `closed` refuses with 503. */
  onFailure: "open" | "closed";
}

/**
 * At most RATE_LIMIT_PER_MINUTE requests in any 60 seconds for a signed-in person, for an API key, which may have a lower
 * limit of its own, or for an IPv4 address or IPv6 /64. Answers carry RateLimit and RateLimit-Policy
 * (draft-ietf-httpapi-ratelimit-headers).
 *
 * @throws AppError `rate_limited` with Retry-After; `unavailable` when failing closed.
 */
export const rateLimit = ({ onFailure }: RateLimitOptions) =>
  createMiddleware<AppEnv>(async (c, next) => {
    const { identity } = c.var;
    const network = `ip:${toNetwork(c.var.clientAddress ?? "unknown")}`;
    if (identity?.by !== "apiKey") {
      await count(c, identity ? `user:${identity.userId}` : network, onFailure);
      return next();
    }
    // Anybody can make up what looks like a key: until one has proven to be, its caller counts.
    if (!provenKeys.has(identity.handle)) await count(c, network, onFailure);
    const { ownLimit } = await count(c, subjectOfKey(identity.handle), onFailure);
    await next();
    learn(c, identity, ownLimit);
  });

/** The limiters of all subjects. */
export const limitersOf =
  ({ RATE_LIMITER }: Bindings): KeyLimits =>
  (subject) =>
    RATE_LIMITER.get(RATE_LIMITER.idFromName(subject));

/** What the database has said of a key, for its next request. */
function learn(c: Context<AppEnv>, { handle, admitted }: ApiKeyIdentity, ownLimit: number | null): void {
  if (!admitted) return;
  if (!provenKeys.has(handle)) {
    const oldest = provenKeys.size >= MAX_PROVEN_KEYS ? provenKeys.values().next().value : undefined;
    if (oldest !== undefined) provenKeys.delete(oldest);
    provenKeys.add(handle);
  }
  if (admitted.rateLimitPerMinute === ownLimit) return;
  c.executionCtx.waitUntil(rememberLimit(limitersOf(c.env), handle, admitted.rateLimitPerMinute));
}

/** Counts a request of the subject's. @throws AppError `rate_limited`, `unavailable`. */
async function count(c: Context<AppEnv>, subject: string, onFailure: "open" | "closed"): Promise<CountedDecision> {
  const decision = await decide(c, subject, c.var.settings.RATE_LIMIT_PER_MINUTE, onFailure);
  const seconds = Math.ceil(decision.resetMs / 1000);
  c.header("RateLimit-Policy", `"default";q=${decision.limit};w=${WINDOW_MS / 1000}`);
  c.header("RateLimit", `"default";r=${decision.remaining};t=${seconds}`);
  if (!decision.accepted) throw new AppError("rate_limited", { headers: { "retry-after": String(seconds) } });
  return decision;
}

async function decide(
  c: Context<AppEnv>,
  subject: string,
  limit: number,
  onFailure: "open" | "closed",
): Promise<CountedDecision> {
  let timer: ReturnType<typeof setTimeout> | null = null;
  try {
    const namespace = c.env.RATE_LIMITER;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error("the rate limiter took too long")), BUDGET_MS[onFailure]);
    });
    return await Promise.race([namespace.get(namespace.idFromName(subject)).check(limit), late]);
  } catch (error) {
    console.error(
      JSON.stringify({ level: "error", message: "rate limiter failed", requestId: c.var.requestId, onFailure }),
    );
    if (onFailure === "closed") throw new AppError("unavailable", { headers: { "retry-after": "2" }, cause: error });
    return { ...checkInIsolate(subject, limit), limit, ownLimit: null };
  } finally {
    clearTimeout(timer);
  }
}

function checkInIsolate(subject: string, limit: number): Decision {
  let log = fallbackLogs.get(subject);
  if (!log) {
    // The oldest is dropped: an isolate's memory must not grow with the number of its callers.
    const oldest = fallbackLogs.size >= MAX_FALLBACK_SUBJECTS ? fallbackLogs.keys().next().value : undefined;
    if (oldest !== undefined) fallbackLogs.delete(oldest);
    log = new SlidingLog();
    fallbackLogs.set(subject, log);
  }
  return log.check(limit, Date.now());
}
