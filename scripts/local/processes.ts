import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/**
 * A text that is the same for as long as one process lives and differs for a later process that
 * got the same number; undefined when no such process runs (a zombie does not count).
 */
export function processIdentity(pid: number): string | undefined {
  if (!Number.isSafeInteger(pid) || pid <= 0) return undefined;
  if (process.platform === "linux") {
    const fields = statusFields(pid);
    const ended = !fields || fields[0] === "Z" || fields[0] === "X";
    return ended ? undefined : `${pid}@${fields[19]}`;
  }
  try {
    const line = execFileSync("ps", ["-o", "stat=,lstart=", "-p", String(pid)], {
      encoding: "utf8",
      env: { ...process.env, LC_ALL: "C" },
      stdio: ["ignore", "pipe", "ignore"],
    }).trim();
    const [state = "", ...started] = line.split(/\s+/);
    return line === "" || state.startsWith("Z") ? undefined : `${pid}@${started.join(" ")}`;
  } catch {
    return undefined;
  }
}

// The fields of /proc/<pid>/stat from the state on: state, parent, process group, …, start time.
function statusFields(pid: number): string[] | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The name in parentheses may hold spaces and parentheses itself, so cut after the last one.
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  } catch {
    return undefined;
  }
}

/** The command line of a process, its arguments parted by spaces; "" when it cannot be read. */
export function processCommand(pid: number): string {
  try {
    if (process.platform === "linux") {
      return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
    }
    return execFileSync("ps", ["-o", "command=", "-p", String(pid)], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
  } catch {
    return "";
  }
}

/** Sends a signal to a process, or to a process group for a negative number. False: it is gone. */
export function sendSignal(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}

/** Asks again and again, at most `milliseconds` long. False when the answer never became true. */
export async function poll(
  milliseconds: number,
  answer: () => boolean | Promise<boolean>,
  every = 25,
): Promise<boolean> {
  const end = Date.now() + milliseconds;
  while (!(await answer())) {
    if (Date.now() >= end) return false;
    await sleep(every);
  }
  return true;
}

/**
 * A TCP port that is free on the loopback addresses.
 *
 * @param preferred the first port to try; then the ones above it. 0 or absent: any free port.
 * @throws Error when the 100 ports from `preferred` on are all taken
 */
export async function findFreePort(preferred = 0): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const wanted = preferred === 0 ? 0 : preferred + attempt;
    const free = wanted > 65_535 ? undefined : await tryPort(wanted);
    if (free !== undefined) return free;
  }
  throw new Error(`No free port from ${preferred} on.`);
}

// A program on 0.0.0.0 or [::1] alone would still answer for "localhost", so all are tried.
async function tryPort(wanted: number): Promise<number | undefined> {
  let port = wanted;
  for (const host of ["127.0.0.1", "::1", "0.0.0.0"]) {
    const found = await listenOnce(port, host);
    if (found === "taken") return undefined;
    if (found !== "no such address") port = found;
  }
  return port;
}

function listenOnce(port: number, host: string): Promise<number | "taken" | "no such address"> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", (error: NodeJS.ErrnoException) => {
      const missing = error.code === "EADDRNOTAVAIL" || error.code === "EAFNOSUPPORT";
      resolve(missing ? "no such address" : "taken");
    });
    server.listen({ port, host, exclusive: true }, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address ? address.port : port));
    });
  });
}

/** Whether any process of a group runs; zombies do not count. */
export function groupRuns(group: number): boolean {
  if (!sendSignal(-group, 0)) return false;
  if (process.platform !== "linux") return true;
  return readdirSync("/proc").some((name) => {
    if (!/^\d+$/.test(name)) return false;
    const [state = "Z", , processGroup] = statusFields(Number(name)) ?? [];
    return Number(processGroup) === group && state !== "Z" && state !== "X";
  });
}
