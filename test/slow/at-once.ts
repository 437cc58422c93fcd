import { expect } from "vitest";
import { environment } from "../support/environment.ts";
import type { Answer } from "../support/service.ts";

/** How many meet in a race. */
export const crowd = 50;

/** Every race is run ten times, or VITE_RACE_ROUNDS; vitest counts the runs after the first. */
export const tenRounds = { repeats: Number(environment["VITE_RACE_ROUNDS"] ?? 10) - 1 };

/** Begins all the calls before it waits for any. */
export function atOnce<T>(call: (index: number) => Promise<T>, times = crowd): Promise<T[]> {
  return Promise.all(Array.from({ length: times }, (_, index) => patiently(() => call(index))));
}

/** Of whose first calls the Worker did not hear: what their repetition is told depends on whether they were done. */
const uncertain = new WeakSet<object>();

/**
 * Calls again, as `Retry-After` asks, while the answer is 503: of fifty at one lock the last wait for longer than the three
 * seconds that they may, where a machine is slow.
 */
async function patiently<T>(call: () => Promise<T>): Promise<T> {
  let isUncertain = false;
  for (let tries = 1; ; tries++) {
    const answer = await call();
    // Some calls answer with something else, which is never 503.
    const { status, body } = (answer ?? {}) as Partial<Answer>;
    isUncertain ||= status === 503 && /may or may not/.test(body?.detail);
    if (status === 503 && tries < 5) continue;
    // One that never was heard is no outcome at all.
    if (isUncertain && status !== 503) uncertain.add(answer as object);
    return answer;
  }
}

/** Knows how often it was called. */
export function counted<T>(call: (index: number) => Promise<T>) {
  const counting = (index: number) => {
    counting.calls++;
    return call(index);
  };
  counting.calls = 0;
  return counting;
}

/** How often each outcome came, as `201` or `409 slug_taken`. */
export function tally(answers: Answer[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { status, body } of answers) {
    const outcome = status >= 400 ? `${status} ${body?.code}` : String(status);
    counts[outcome] = (counts[outcome] ?? 0) + 1;
  }
  return counts;
}

/** Whether the Worker gave up on the call that was repeated, so that its answer may be about what the call itself did. */
export function isUncertain(answer: Answer): boolean {
  return uncertain.has(answer);
}

/** Outcomes are as often as expected. One that nobody knows, since the Worker gave up on it, may be any of them. */
export function expectTally(answers: Answer[], expected: Record<string, number>): void {
  const known = tally(answers.filter((answer) => !isUncertain(answer)));
  const missing = Object.entries(expected).map(([outcome, times]) => times - (known[outcome] ?? 0));
  const isPossible =
    missing.every((times) => times >= 0) && Object.keys(known).every((outcome) => Object.hasOwn(expected, outcome));
  const isWhole = answers.length === Object.values(expected).reduce((sum, times) => sum + times, 0);
  if (!isPossible || !isWhole) expect({ known, of: answers.length }).toEqual({ known: expected, of: answers.length });
}
