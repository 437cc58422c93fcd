import { expect } from "vitest";

/**
 * Expects two requests, made in turn, to take the same time, to a tenth. Whatever else the machine does may
 * spoil one series of measurements; what somebody could tell two requests by shows in each.
 *
 * @param requests each makes its request and returns the milliseconds that it took.
 */
export async function expectSameTime(times: number, ...requests: [() => Promise<number>, () => Promise<number>]) {
  const ratios: number[] = [];
  for (let series = 0; series < 5; series++) {
    const taken: [number[], number[]] = [[], []];
    for (let i = 0; i < times; i++) {
      // Each is the first of the two as often as the other.
      for (const which of i % 2 ? ([1, 0] as const) : ([0, 1] as const)) taken[which].push(await requests[which]());
    }
    const [one, other] = [middle(taken[0]), middle(taken[1])];
    // A clock that stands still would make every ratio pass.
    expect(one).toBeGreaterThan(1);
    ratios.push(one / other);
    if (one / other > 1 / 1.1 && one / other < 1.1) return;
  }
  expect.fail(`the ratios of the times: ${ratios.join(", ")}`);
}

/** The mean of the middle half: workerd's clock has whole milliseconds, and so would the median. */
export function middle(values: number[]): number {
  const quarter = Math.floor(values.length / 4);
  const half = values.toSorted((a, b) => a - b).slice(quarter, -quarter);
  return half.reduce((sum, value) => sum + value, 0) / half.length;
}
