import type { Answer } from "../support/service.ts";

/** How many meet in a race. */
export const crowd = 50;

/** Every race is run this often; vitest counts the runs after the first. */
export const tenRounds = { repeats: 9 };

/** Begins all the calls before it waits for any. */
export function atOnce<T>(call: (index: number) => Promise<T>, times = crowd): Promise<T[]> {
  return Promise.all(Array.from({ length: times }, (_, index) => patiently(() => call(index))));
}

/**
 * Calls again, as `Retry-After` asks, while the answer is 503: of fifty at one lock the last wait for longer than the three
 * seconds that they may, where a machine is slow.
 */
async function patiently<T>(call: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    const answer = await call();
    if (tries === 5 || (answer as Partial<Answer> | undefined)?.status !== 503) return answer;
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
