import { spawn, type ChildProcess } from "node:child_process";
import type { Socket } from "node:net";
import path from "node:path";
import { createInterface } from "node:readline";

import type { PostgresBinaries } from "./postgres-binaries.ts";
import { poll } from "./processes.ts";
import { dismissWatchdog, startWatchdog } from "./watchdog.ts";

export interface Server {
  child: ChildProcess;
  watchdog: ChildProcess;
  ready: Promise<void>;
  ended: Promise<string>;
}

/** Starts the server on a cluster. `ready` stays open when it does not come up; `ended` tells why. */
export function runServer(
  { postgres, runAs }: PostgresBinaries,
  place: { cluster: string; throwAway?: string },
  settings: Record<string, string>,
): Server {
  const flags = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  // A group of its own: Ctrl-C in a terminal must not reach it before its users have ended.
  const child = spawn(postgres, ["-D", place.cluster, ...flags], {
    ...runAs,
    cwd: "/",
    detached: true,
    env: { PATH: process.env["PATH"], LC_ALL: "C" },
    stdio: ["ignore", "ignore", "pipe"],
  });
  const lines: string[] = [];
  let isReady: () => void;
  const ready = new Promise<void>((resolve) => (isReady = resolve));
  createInterface({ input: child.stderr }).on("line", (line) => {
    lines.push(line);
    if (lines.length > 40) lines.shift();
    if (line.includes("ready to accept connections")) isReady();
  });
  const ended = new Promise<string>((resolve) => {
    child.once("error", (error) => resolve(`It could not be run: ${error.message}`));
    child.once("close", (code, signal) => {
      resolve([`It ended with ${signal ?? `exit code ${code}`}. Its last lines:`, ...lines].join("\n"));
    });
  });
  const watchdog = startWatchdog({
    // Without a number it could not be run at all, and `ended` says why.
    pid: child.pid ?? Number.MAX_SAFE_INTEGER,
    force: "QUIT",
    lockFile: path.join(place.cluster, "postmaster.pid"),
    ...(place.throwAway ? { remove: place.throwAway } : {}),
  });
  void ended.then(() => dismissWatchdog(watchdog));
  return { child, watchdog, ready, ended };
}

/** Lets this process end although the server runs; its end is what ends the server. */
export function unrefServer({ child, watchdog }: Server): void {
  for (const part of [child, watchdog]) part.unref();
  for (const pipe of [child.stderr, watchdog.stdin]) (pipe as Socket | null)?.unref();
}

/** Stops the server and waits until it has ended. */
export async function stopServer({ child, ended }: Server): Promise<void> {
  child.ref();
  const isOver = (): boolean => child.exitCode !== null || child.signalCode !== null;
  // Fast shutdown ends the sessions, immediate shutdown leaves a recovery to the next start.
  for (const signal of ["SIGINT", "SIGQUIT", "SIGKILL"] as const) {
    if (isOver()) break;
    child.kill(signal);
    if (await poll(signal === "SIGINT" ? 20_000 : 5_000, isOver, 10)) break;
  }
  await ended;
}
