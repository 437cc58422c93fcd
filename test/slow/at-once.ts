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

const repeated = new WeakSet<object>();

/**
 * Calls again, as `Retry-After` asks, while the answer is 503: of fifty at one lock the last wait for longer than the three
 * seconds that they may, where a machine is slow.
 */
async function patiently<T>(call: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    const answer = await call();
    if ((answer as Partial<Answer> | undefined)?.status === 503 && tries < 5) continue;
    if (tries > 1) repeated.add(answer as object);
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

/**
 * How often each outcome came, as `201` or `409 slug_taken`.
 *
 * @param ifDone the outcome that a repeated call means by its own, where the first may have been done after it was given up
 */
export function tally(answers: Answer[], ifDone: Record<string, string> = {}): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const answer of answers) {
    const { status, body } = answer;
    const own = status >= 400 ? `${status} ${body?.code}` : String(status);
    const outcome = (repeated.has(answer) && ifDone[own]) || own;
    counts[outcome] = (counts[outcome] ?? 0) + 1;
  }
  return counts;
}
