import { invalidRequest, resourceMissing } from "./errors.ts";
import type { List } from "./objects.ts";

export interface Page {
  limit?: number | undefined;
  starting_after?: string | undefined;
  ending_before?: string | undefined;
}

export type Range =
  | number
  | { gt?: number | undefined; gte?: number | undefined; lt?: number | undefined; lte?: number | undefined };

/**
 * A page of what was made last first, as every list of Stripe's is. Those before `ending_before` are the ones next to
 * it, still the newest first.
 *
 * @param all in the order in which they were made
 * @throws StripeError 400 when a cursor is not among them
 */
export function listPage<T extends { id: string }>(all: Iterable<T>, url: string, page: Page): List<T> {
  const { limit = 10, starting_after, ending_before } = page;
  const newestFirst = [...all].toReversed();
  if (starting_after !== undefined && ending_before !== undefined) {
    throw invalidRequest("You can pass only one of starting_after and ending_before.", "ending_before");
  }
  if (ending_before !== undefined) {
    const end = indexOf(newestFirst, ending_before, "ending_before");
    const start = Math.max(0, end - limit);
    return { object: "list", data: newestFirst.slice(start, end), has_more: start > 0, url };
  }
  const start = starting_after === undefined ? 0 : indexOf(newestFirst, starting_after, "starting_after") + 1;
  const data = newestFirst.slice(start, start + limit);
  return { object: "list", data, has_more: start + limit < newestFirst.length, url };
}

function indexOf(rows: { id: string }[], id: string, param: string): number {
  const index = rows.findIndex((row) => row.id === id);
  if (index < 0) throw resourceMissing("object", id, param);
  return index;
}

export function isWithin(value: number, range: Range | undefined): boolean {
  if (range === undefined) return true;
  if (typeof range === "number") return value === range;
  const { gt = -Infinity, gte = -Infinity, lt = Infinity, lte = Infinity } = range;
  return value > gt && value >= gte && value < lt && value <= lte;
}
