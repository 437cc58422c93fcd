/**
 * What the environment has of names that begin with VITE_, which is what workerd is handed of it. Not import.meta.env, which is
 * written into the code and kept with it from one run to the next.
 */
export const environment = (globalThis as unknown as { process: { env: Record<`VITE_${string}`, string | undefined> } })
  .process.env;
