import { environment } from "./environment.ts";

/**
 * VITE_FUZZ_RUNS and VITE_FUZZ_SEED (a number, or `random`) of the environment.
 * The seed stays the same by default, so that a change alone can make a test fail.
 */
export const fuzzSettings = {
  numRuns: Number(environment["VITE_FUZZ_RUNS"] ?? 50),
  seed: readSeed(environment["VITE_FUZZ_SEED"] ?? "20260101"),
};

function readSeed(text: string): number {
  return text === "random" ? Math.floor(Math.random() * 2 ** 31) : Number(text);
}
