const environment = (import.meta as { env?: Record<string, string | undefined> }).env ?? {};

/**
 * VITE_FUZZ_RUNS and VITE_FUZZ_SEED (a number, or `random`) of the environment, since Vite hands on what begins
 * so. The seed stays the same by default, so that a change alone can make a test fail.
 */
export const fuzzSettings = {
  numRuns: Number(environment["VITE_FUZZ_RUNS"] ?? 200),
  seed: readSeed(environment["VITE_FUZZ_SEED"] ?? "20260101"),
};

function readSeed(text: string): number {
  return text === "random" ? Math.floor(Math.random() * 2 ** 31) : Number(text);
}
