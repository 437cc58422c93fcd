import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import path from "node:path";

import { root } from "../local/paths.ts";
import { makeDirectUrl } from "./connection.ts";

const program = path.join(path.dirname(createRequire(import.meta.url).resolve("drizzle-kit")), "bin.cjs");

interface Outcome {
  /** Of drizzle-kit; null when a signal ended it, as Ctrl-C does. */
  code: number | null;
  /** What it wrote to stderr, which is shown as well. */
  errors: string;
}

/** Runs a drizzle-kit command on a database, in this terminal, until it ends. */
export function runDrizzleKit(args: string[], ownerUrl: string): Promise<Outcome> {
  // stdout stays the terminal, since drizzle-kit draws its questions there.
  const child = spawn(process.execPath, [program, ...args], {
    cwd: root,
    env: { ...process.env, DATABASE_OWNER_URL: makeDirectUrl(ownerUrl), NODE_NO_WARNINGS: "1" },
    stdio: ["inherit", "inherit", "pipe"],
  });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => child.kill(signal));
  }
  let errors = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    errors += text;
    process.stderr.write(text);
  });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, errors }));
  });
}
