/** How often a price is paid. */
export interface Interval {
  unit: string;
  count: number;
}

const unitSeconds: Record<string, number> = { day: 86_400, week: 7 * 86_400 };
const unitMonths: Record<string, number> = { month: 1, year: 12 };

/**
 * The time `times` intervals after the anchor, in UTC. Always counted from the anchor itself: from 31 January come
 * 28 February and 31 March, where going on from the day before would leave 28 March.
 */
export function addIntervals(anchor: number, { unit, count }: Interval, times: number): number {
  const seconds = unitSeconds[unit];
  if (seconds !== undefined) return anchor + seconds * count * times;
  const date = new Date(anchor * 1000);
  const month = date.getUTCMonth() + (unitMonths[unit] ?? 1) * count * times;
  const lastDay = new Date(Date.UTC(date.getUTCFullYear(), month + 1, 0)).getUTCDate();
  const day = Math.min(date.getUTCDate(), lastDay);
  return anchor + (Date.UTC(date.getUTCFullYear(), month, day) - startOfDay(date)) / 1000;
}

function startOfDay(date: Date): number {
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate());
}

/** The first boundary of a period after `time`. */
export function nextBoundary(anchor: number, interval: Interval, time: number): number {
  if (anchor > time) return anchor;
  const length = addIntervals(anchor, interval, 1) - anchor;
  // February makes months look longer than they are, so the guess begins before where it may be.
  let times = Math.max(1, Math.floor((time - anchor) / (length * 1.2)));
  while (addIntervals(anchor, interval, times) <= time) times += 1;
  return addIntervals(anchor, interval, times);
}
