import type { Answer } from "../support/service.ts";

/** How many meet in a race. */
export const crowd = 50;

/** Every race is run this often; vitest counts the runs after the first. */
export const tenRounds = { repeats: 9 };

/** Begins all the calls before it waits for any. */
export function atOnce<T>(call: (index: number) => Promise<T>, times = crowd): Promise<T[]> {
  return Promise.all(Array.from({ length: times }, (_, index) => call(index)));
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
