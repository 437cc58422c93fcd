import { spawn, type ChildProcess } from "node:child_process";

export interface WatchOptions {
  /** A process, or a process group as a negative number. */
  pid: number;
  /** What ends it when SIGINT has not done so within 15 seconds. */
  force: "QUIT" | "KILL";
  /** A file that the process removes as the last thing it does. */
  lockFile?: string;
  /** A folder to remove when the process has ended. */
  remove?: string;
}

// A pipe is closed by the kernel however its owner dies, kill -9 included, so a shell that waits on
// one can act even then. The lock file is looked at because a zombie that nobody collects, as in a
// container with no init, still has its number.
const script = `
read -r word && exit 0
kill -s INT -- "$1" 2>/dev/null
runs() { kill -s 0 -- "$1" 2>/dev/null && { [ -z "$3" ] || [ -e "$3" ]; }; }
tries=0
while runs "$@" && [ $tries -lt 150 ]; do
  sleep 0.1
  tries=$((tries + 1))
done
runs "$@" && kill -s "$2" -- "$1" 2>/dev/null
[ -z "$4" ] || { sleep 0.2; rm -rf -- "$4"; }
`;

/** Ends a process if this one dies in whatever way before it calls {@link dismissWatchdog}. */
export function startWatchdog({ pid, force, lockFile = "", remove = "" }: WatchOptions): ChildProcess {
  const watchdog = spawn("/bin/sh", ["-c", script, "sh", String(pid), force, lockFile, remove], {
    cwd: "/",
    // Out of reach of Ctrl-C, which goes to every process of the terminal's group.
    detached: true,
    stdio: ["pipe", "ignore", "ignore"],
  });
  watchdog.on("error", () => undefined);
  watchdog.stdin?.on("error", () => undefined);
  return watchdog;
}

export function dismissWatchdog(watchdog: ChildProcess): void {
  watchdog.stdin?.end("ended\n");
}
