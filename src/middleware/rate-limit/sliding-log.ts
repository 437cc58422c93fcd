/** Milliseconds that a limit is counted over. */
export const WINDOW_MS = 60_000;

export interface Decision {
  accepted: boolean;
  /** Requests left in the window. */
  remaining: number;
  /** Milliseconds until the oldest accepted request leaves the window, and a refused one may try again. */
  resetMs: number;
}

/**
 * The times of accepted requests of the last minute: at most `limit` in any 60 seconds, whatever the
 * rhythm. The limit comes with each call, so that a changed setting holds at once.
 */
export class SlidingLog {
  #times: number[] = [];

  check(limit: number, now: number): Decision {
    const start = this.#times.findIndex((time) => time > now - WINDOW_MS);
    this.#times = start === -1 ? [] : this.#times.slice(start);
    const accepted = this.#times.length < limit;
    if (accepted) this.#times.push(now);
    // With a limit that was lowered, as many must leave as are too many.
    const next = this.#times[Math.max(0, this.#times.length - limit)] ?? now;
    return {
      accepted,
      remaining: Math.max(0, limit - this.#times.length),
      resetMs: Math.max(1, next + WINDOW_MS - now),
    };
  }
}
