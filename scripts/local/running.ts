import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";

import { localDirectory } from "./paths.ts";
import { processIdentity } from "./processes.ts";

/** What a running `npm run dev` tells about itself; the URLs are there once it has them. */
export interface Running {
  pid: number;
  /** Tells the process from a later one with the same number. */
  identity: string;
  /** Of the service. */
  url?: string;
  /** Connection strings of the local database; absent when it uses one elsewhere. */
  ownerUrl?: string;
  databaseUrl?: string;
}

const file = path.join(localDirectory, "dev.json");

/** The `npm run dev` that runs on this folder now; what a killed one has left behind is none. */
export function findRunning(): Running | undefined {
  return read(file);
}

function read(name: string): Running | undefined {
  try {
    const running = JSON.parse(readFileSync(name, "utf8")) as Running;
    return processIdentity(running.pid) === running.identity ? running : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Makes this process the one that runs.
 *
 * @returns the other one when there is one already; nothing has changed then
 */
export function claimRunning(): Running | undefined {
  mkdirSync(localDirectory, { recursive: true });
  const own: Running = { pid: process.pid, identity: processIdentity(process.pid) ?? "" };
  const draft = `${file}.${process.pid}`;
  for (;;) {
    writeFileSync(draft, JSON.stringify(own), { mode: 0o600 });
    try {
      // A link appears whole and only where nothing is, so that of two at once one wins.
      linkSync(draft, file);
      return undefined;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    } finally {
      rmSync(draft, { force: true });
    }
    const other = findRunning();
    if (other) return other;
    removeStale();
  }
}

// Moving it away first shows whether it is still the stale one: another process may have put its
// own in its place since it was read.
function removeStale(): void {
  const moved = `${file}.stale.${process.pid}`;
  try {
    renameSync(file, moved);
    if (read(moved)) linkSync(moved, file);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "ENOENT" && code !== "EEXIST") throw error;
  } finally {
    rmSync(moved, { force: true });
  }
}

/** Adds what has become known since. Only for the process that runs. */
export function updateRunning(news: Partial<Running>): void {
  const draft = `${file}.${process.pid}`;
  writeFileSync(draft, JSON.stringify({ ...findRunning(), ...news }), { mode: 0o600 });
  renameSync(draft, file);
}

/** Only for the process that runs. */
export function releaseRunning(): void {
  if (findRunning()?.pid === process.pid) rmSync(file, { force: true });
}
