import { DurableObject } from "cloudflare:workers";
import { type Decision, SlidingLog } from "./sliding-log.ts";

/**
 * One object a subject, so one count wherever requests arrive. The log lives in memory: an object is
 * evicted only after being idle for longer than the window, and a deployment forgets one minute.
 */
export class RateLimiter extends DurableObject {
  readonly #log = new SlidingLog();

  check(limit: number): Decision {
    return this.#log.check(limit, Date.now());
  }
}
