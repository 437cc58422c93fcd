import * as fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { openOwnDatabase } from "../support/database.ts";
import { fuzzSettings } from "../support/fuzz-settings.ts";
import { beginHistory, runHistory, steps } from "../support/stripe-histories.ts";

// The Cron Trigger would else look at other files' customers.
beforeAll(openOwnDatabase);

/** Of 50 runs, which are the default, 500 histories. */
const seeds = [1, 2, 3, 4, 5].map((part) => fuzzSettings.seed + part);
const numRuns = fuzzSettings.numRuns * 2;

describe("Whatever people do, Stripe tells late, twice, in another order or never, and breaks down on the way,", () => {
  it.concurrent.each(seeds)(
    "what is written in the end is what Stripe has (seed %i)",
    async (seed) => {
      await fc.assert(
        fc.asyncProperty(steps, async (history) => {
          const { expected, found, odd } = await runHistory(await beginHistory(), history);
          expect({ found, odd }).toEqual({ found: expected, odd: [] });
        }),
        { seed, numRuns },
      );
      expect.hasAssertions();
    },
    60_000 + numRuns * 5_000,
  );
});
