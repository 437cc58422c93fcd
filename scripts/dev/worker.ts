import { spawn, type ChildProcess } from "node:child_process";
import { createRequire } from "node:module";
import path from "node:path";

import { localDirectory, root } from "../local/paths.ts";
import { findFreePort, groupRuns, poll, sendSignal } from "../local/processes.ts";
import { dismissWatchdog, startWatchdog } from "../local/watchdog.ts";

const wranglerPackage = createRequire(import.meta.url).resolve("wrangler/package.json");
const wrangler = path.join(path.dirname(wranglerPackage), "bin/wrangler.js");

export interface WorkerOptions {
  port: number;
  envFile: string;
  /** The settings in that file, which must not come from this process's environment instead. */
  settingNames: string[];
}

export interface RunningWorker {
  url: string;
  /** Resolves when it has ended, with how. */
  ended: Promise<string>;
  stop(): Promise<void>;
}

/** Where a Worker on this port is; known before it starts, for those that have to be told of it. */
export function workerUrl(port: number): string {
  return `http://localhost:${port}`;
}

/** Starts `wrangler dev` on the loopback address; its output goes to this terminal. */
export async function startWorker({ port, envFile, settingNames }: WorkerOptions): Promise<RunningWorker> {
  const options = {
    ip: "127.0.0.1",
    port,
    "inspector-ip": "127.0.0.1",
    "inspector-port": await findFreePort(9229),
    "env-file": envFile,
    "persist-to": path.join(localDirectory, "wrangler"),
    "show-interactive-dev-session": false,
  };
  const args = Object.entries(options).map(([name, value]) => `--${name}=${value}`);
  const env: NodeJS.ProcessEnv = {
    ...process.env,
    // The build command in wrangler.toml calls `node`, and the machine's own may be too old.
    PATH: [path.dirname(process.execPath), process.env["PATH"]].join(path.delimiter),
    WRANGLER_SEND_METRICS: "false",
    WRANGLER_SEND_ERROR_REPORTS: "false",
    WRANGLER_HIDE_BANNER: "true",
    WRANGLER_WRITE_LOGS: "false",
    // Else it asks Cloudflare for a sample of request.cf, and warns at length when offline.
    CLOUDFLARE_CF_FETCH_ENABLED: "false",
    // Else a Worker of the same name in another clone would be found as this one.
    WRANGLER_REGISTRY_PATH: path.join(localDirectory, "wrangler/registry"),
  };
  // With `secrets` in wrangler.toml, a variable of the shell would win over the file.
  for (const name of settingNames) delete env[name];

  const child = spawn(process.execPath, [wrangler, "dev", ...args], {
    cwd: root,
    env,
    // A group of its own, so that one signal ends workerd too and Ctrl-C comes to this process only.
    detached: true,
    stdio: ["ignore", "inherit", "inherit"],
  });
  const ended = new Promise<string>((resolve) => {
    child.once("error", (error) => resolve(`could not be run: ${error.message}`));
    child.once("exit", (code, signal) => resolve(`ended with ${signal ?? `exit code ${code}`}`));
  });
  const group = -(child.pid ?? Number.MAX_SAFE_INTEGER);
  const watchdog = startWatchdog({ pid: group, force: "KILL" });
  return {
    url: workerUrl(port),
    ended: ended.then((how) => `wrangler dev ${how}`),
    stop: async () => {
      await stopGroup(child);
      dismissWatchdog(watchdog);
    },
  };
}

async function stopGroup(child: ChildProcess): Promise<void> {
  if (!child.pid) return;
  const group = child.pid;
  for (const signal of ["SIGINT", "SIGKILL"] as const) {
    sendSignal(-group, signal);
    if (await poll(8_000, () => !groupRuns(group))) return;
  }
}

/**
 * Waits until the service answers, whatever it answers.
 *
 * @throws Error after two minutes
 */
export async function waitForAnswer(url: string, signal: AbortSignal): Promise<void> {
  const end = Date.now() + 120_000;
  const answers = async (): Promise<boolean> => {
    signal.throwIfAborted();
    try {
      const patience = AbortSignal.timeout(Math.max(1, end - Date.now()));
      await fetch(`${url}/health`, { signal: AbortSignal.any([signal, patience]) });
      return true;
    } catch {
      return false;
    }
  };
  if (!(await poll(120_000, answers, 200))) {
    signal.throwIfAborted();
    throw new Error("The service did not answer within two minutes; see wrangler's output above.");
  }
}
