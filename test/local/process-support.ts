import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

import { poll, processIdentity } from "../../scripts/local/processes.ts";

export const root = path.resolve(import.meta.dirname, "../..");

/** A new folder that other users cannot enter, as a clone under root's home folder. */
export function makeFolder(): string {
  return realpathSync(mkdtempSync(path.join(tmpdir(), "saas-backend-layer-test-")));
}

/** Copies what a fresh clone holds; the packages are those of this one. */
export function cloneProject(): string {
  const clone = makeFolder();
  const files = ["drizzle.config.ts", "package.json", "tsconfig.json", "wrangler.toml"];
  for (const entry of ["scripts", "src", "drizzle", ...files]) {
    cpSync(path.join(root, entry), path.join(clone, entry), { recursive: true });
  }
  symlinkSync(path.join(root, "node_modules"), path.join(clone, "node_modules"));
  return clone;
}

/** Removes a clone, and its database where that lies elsewhere. */
export function removeClone(clone: string): void {
  const location = path.join(clone, ".local/postgres/LOCATION.txt");
  const elsewhere = existsSync(location) && /^\/.*$/m.exec(readFileSync(location, "utf8"))?.[0];
  if (elsewhere) rmSync(elsewhere, { recursive: true });
  rmSync(clone, { recursive: true });
}

/** A script of the project in a process of its own, and what it has printed so far. */
export class Script {
  output = "";
  readonly #child: ChildProcess;
  readonly #ended: Promise<number | NodeJS.Signals>;

  constructor(args: string[], folder: string, settings: Record<string, string> = {}) {
    this.#child = spawn(process.execPath, args, {
      cwd: folder,
      env: { PATH: process.env["PATH"], HOME: folder, TMPDIR: tmpdir(), ...settings },
      stdio: ["ignore", "pipe", "pipe"],
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => (this.output += text));
    }
    this.#ended = new Promise((resolve) => {
      this.#child.once("close", (code, signal) => resolve(signal ?? code ?? 1));
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** The exit code, or the signal that ended it. */
  get ended(): Promise<number | NodeJS.Signals> {
    return this.#ended;
  }

  /** @throws Error with everything it printed, when it ends or a minute and a half pass before */
  async prints(pattern: RegExp): Promise<RegExpExecArray> {
    const isOver = (): boolean => this.#child.exitCode !== null || this.#child.signalCode !== null;
    await poll(90_000, () => pattern.test(this.output) || isOver(), 50);
    const match = pattern.exec(this.output);
    if (!match) throw new Error(`It did not print ${pattern}, but:\n${this.output}`);
    return match;
  }
}

/** Every process below one, each as text that no later process has; those before come first. */
export function findDescendants(pid: number): { pid: number; identity: string; command: string }[] {
  const table = execFileSync("ps", ["-eo", "pid=,ppid=,args="], { encoding: "utf8" })
    .split("\n")
    .map((line) => /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line))
    .filter((match) => match !== null)
    .map(([, own, parent, command]) => ({ pid: Number(own), parent: Number(parent), command: command ?? "" }));
  const below = (parent: number): typeof table =>
    table.filter((row) => row.parent === parent).flatMap((row) => [row, ...below(row.pid)]);
  return below(pid).flatMap(({ pid: own, command }) => {
    const identity = processIdentity(own);
    return identity ? [{ pid: own, identity, command }] : [];
  });
}

/** The ones of these processes that still run after half a minute. */
export async function findSurvivors(
  processes: { pid: number; identity: string; command: string }[],
): Promise<string[]> {
  const alive = (): typeof processes => processes.filter(({ pid, identity }) => processIdentity(pid) === identity);
  await poll(30_000, () => alive().length === 0);
  return alive().map(({ command }) => command);
}
