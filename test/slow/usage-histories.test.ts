import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { newAdmin } from "../support/platform.ts";
import { at, days, meters, miscounted, newUser } from "../support/usage.ts";

const keys = ["given-metered", "given-monthly", "given-ever", "given-last", "given-unique"];

/** Few of each, so that events meet: the same ids, values and times again, and times at the edges of quarters, days and periods. */
const event = fc.record({
  id: fc.constantFrom("a", "b", "c", "d", "e", "f", "g", "h"),
  source: fc.constantFrom("/x", "/y"),
  type: fc.constantFrom(...keys),
  age: fc.constantFrom(
    0,
    1,
    899_999,
    900_000,
    86_400_000,
    days(4),
    days(5) - 1,
    days(5),
    days(5) + 1,
    days(20),
    days(34),
  ),
  value: fc.constantFrom("0", "1", "2.5", "7", "9007199254740993.000000001"),
  region: fc.constantFrom(undefined, "eu", "us"),
});

type Happening =
  | { kind: "told"; events: (typeof event extends fc.Arbitrary<infer E> ? E : never)[] }
  | { kind: "corrected"; source: string; id: string; value: string | null }
  | { kind: "moved"; per: "month" | "year" | "day"; limit: string | null; anchor: number };

const happening: fc.Arbitrary<Happening> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("told" as const),
      events: fc.array(event, { minLength: 1, maxLength: 8 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("corrected" as const),
      source: fc.constantFrom("/x", "/y"),
      id: fc.constantFrom("a", "b", "c", "d", "e", "f", "g", "h"),
      value: fc.constantFrom(null, "0", "3", "100"),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("moved" as const),
      per: fc.constantFrom("month" as const, "year" as const, "day" as const),
      limit: fc.constantFrom(null, "0", "10"),
      anchor: fc.constantFrom(days(5), days(4), days(36)),
    }),
  },
);

/** A decimal number, exactly. */
const billionths = (value: string): bigint => {
  const [whole, fraction = ""] = value.split(".");
  return BigInt(`${whole}${fraction.padEnd(9, "0")}`);
};

describe("Any sequence of events, duplicates, late ones, corrections and periods", () => {
  it("leaves counters and rollups that are what the events come to", async () => {
    const { call: administer } = await newAdmin();
    await fc.assert(
      fc.asyncProperty(fc.array(happening, { minLength: 1, maxLength: 12 }), async (history) => {
        const user = await newUser();
        // The same instant for what is of the same age.
        const now = Date.now() - 1000;
        await user.anchor(new Date(now - days(5)).toISOString());
        for (const step of history) {
          if (step.kind === "told") {
            const answer = await user.record(
              step.events.map(({ id, source, type, age, value, region }) => ({
                specversion: "1.0",
                id,
                source,
                type,
                time: new Date(now - age).toISOString(),
                data: {
                  ...(type !== "given-ever" && { value }),
                  ...(region && /unique|monthly/.test(type) && { dimensions: { region } }),
                },
              })),
            );
            expect(answer.status).toBe(207);
          } else if (step.kind === "corrected") {
            const { id, source, value } = step;
            const answer = await administer("POST", `organizations/${user.id}/usage/corrections`, {
              reason: "History",
              corrections: [{ id, source, value }],
            });
            expect(answer.status).toBe(207);
          } else {
            const { per, limit } = step;
            await user.move([
              { ...meters.sum, per, limit },
              meters.max,
              { ...meters.count, limit },
              { ...meters.last, per },
              { ...meters.unique, per, limit },
            ]);
            await user.anchor(new Date(now - step.anchor).toISOString());
          }
          expect(await miscounted(user.id)).toEqual([]);
        }
        // By the day somewhere, and by the month elsewhere, it is as much in all.
        const total = async (query: string) => {
          const { body } = await user.call("GET", `usage/given-metered?from=${at(-days(40))}&to=${at(0)}&${query}`);
          return body.data.reduce((sum: bigint, { value }: { value: string }) => sum + billionths(value), 0n);
        };
        expect(await total("window=day&timezone=Asia/Kolkata")).toBe(await total("window=hour&timezone=UTC"));
      }),
      { numRuns: 25 },
    );
  });
});
