// Not import.meta.env, which is written into the code and kept with it from one run to the next.
const { env } = (globalThis as unknown as { process: { env: Record<string, string | undefined> } }).process;

/**
 * VITE_FUZZ_RUNS and VITE_FUZZ_SEED (a number, or `random`) of the environment: workerd is handed what begins so.
 * The seed stays the same by default, so that a change alone can make a test fail.
 */
export const fuzzSettings = {
  numRuns: Number(env["VITE_FUZZ_RUNS"] ?? 50),
  seed: readSeed(env["VITE_FUZZ_SEED"] ?? "20260101"),
};

function readSeed(text: string): number {
  return text === "random" ? Math.floor(Math.random() * 2 ** 31) : Number(text);
}
