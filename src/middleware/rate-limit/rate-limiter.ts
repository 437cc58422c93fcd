import { DurableObject } from "cloudflare:workers";
import type { Bindings } from "../../types.ts";
import { type Decision, SlidingLog } from "./sliding-log.ts";

export interface CountedDecision extends Decision {
  /** Requests a minute that were counted by: the limit given, or the subject's own where that is less. */
  limit: number;
  /** The subject's own, as far as it is known; null for none. */
  ownLimit: number | null;
}

/**
 * One object a subject, so one count wherever requests arrive. The log lives in memory: an object is
 * evicted only after being idle for longer than the window, and a deployment forgets one minute.
 * An API key's own limit is stored, since it has to be known before the database is asked.
 */
export class RateLimiter extends DurableObject {
  readonly #log = new SlidingLog();
  #ownLimit: number | null;

  constructor(state: DurableObjectState, env: Bindings) {
    super(state, env);
    this.#ownLimit = state.storage.kv.get<number>("limit") ?? null;
  }

  check(limit: number): CountedDecision {
    const least = Math.min(limit, this.#ownLimit ?? limit);
    return { ...this.#log.check(least, Date.now()), limit: least, ownLimit: this.#ownLimit };
  }

  setOwnLimit(perMinute: number | null): void {
    this.#ownLimit = perMinute;
    if (perMinute === null) this.ctx.storage.kv.delete("limit");
    else this.ctx.storage.kv.put("limit", perMinute);
  }
}
