const LAST_INSTANT = Date.parse("9998-12-31T23:59:59.999Z");

/** An instant as Postgres reads it, to the millisecond; one before 1970 or after 9998 is that limit, which no usage is of. */
export const instantOf = (time: string | number) =>
  new Date(Math.min(Math.max(typeof time === "number" ? time : Date.parse(time), 0), LAST_INSTANT)).toISOString();
