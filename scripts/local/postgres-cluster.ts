import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { chown, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";

import type { RunAs } from "./postgres-binaries.ts";
import { poll, processCommand, processIdentity, sendSignal } from "./processes.ts";

interface ClusterOptions {
  initdb: string;
  runAs: RunAs;
  /** Where it shall lie. */
  cluster: string;
  superuserPassword: string;
  durable: boolean;
}

/**
 * Makes a cluster (initdb) unless it is there: UTF-8, scram-sha-256, superuser `postgres`.
 *
 * @throws Error with the last output lines; or when the cluster is of another Postgres version
 */
export async function createCluster(options: ClusterOptions): Promise<void> {
  const { cluster, runAs } = options;
  if (existsSync(path.join(cluster, "PG_VERSION"))) return;
  // One that was interrupted half-way must never be mistaken for a whole one, hence the rename.
  const unfinished = `${cluster}.unfinished`;
  const passwordFile = `${cluster}.password`;
  await rm(unfinished, { recursive: true, force: true });
  await rm(passwordFile, { force: true });
  await mkdir(unfinished, { recursive: true, mode: 0o700 });
  await writeFile(passwordFile, options.superuserPassword, { mode: 0o600, flag: "wx" });
  try {
    if ("uid" in runAs) {
      await chown(unfinished, runAs.uid, runAs.gid);
      await chown(passwordFile, runAs.uid, runAs.gid);
    }
    await runInitdb(options, unfinished, passwordFile);
    await rename(unfinished, cluster);
  } finally {
    await rm(passwordFile, { force: true });
  }
}

function runInitdb(options: ClusterOptions, folder: string, passwordFile: string): Promise<void> {
  const child = spawn(
    options.initdb,
    [
      `--pgdata=${folder}`,
      "--username=postgres",
      `--pwfile=${passwordFile}`,
      "--auth=scram-sha-256",
      "--encoding=UTF8",
      // Postgres's own C.UTF-8 exists everywhere; the operating system's does not.
      "--locale=C",
      "--locale-provider=builtin",
      "--builtin-locale=C.UTF-8",
      "--no-instructions",
      ...(options.durable ? [] : ["--no-sync"]),
    ],
    {
      ...options.runAs,
      cwd: "/",
      env: { PATH: process.env["PATH"], LC_ALL: "C" },
      stdio: ["ignore", "pipe", "pipe"],
    },
  );
  let output = "";
  const collect = (text: string): void => {
    output = (output + text).slice(-4000);
  };
  child.stdout.setEncoding("utf8").on("data", collect);
  child.stderr.setEncoding("utf8").on("data", collect);
  return new Promise((resolve, reject) => {
    child.once("error", (error) => {
      reject(
        new Error(
          `Postgres's initdb could not be run: ${error.message}. ` +
            "Its programs need glibc on Linux (not Alpine's musl).",
        ),
      );
    });
    child.once("close", (code, signal) => {
      if (code === 0) resolve();
      else {
        const how = signal ?? `exit code ${code}`;
        reject(new Error(`Postgres's initdb ended with ${how}. Its last lines:\n${output}`));
      }
    });
  });
}

/**
 * Makes sure that no server runs on a cluster: one whose owner has died is stopped.
 *
 * @throws Error when its owner lives, or it does not stop
 */
export async function releaseCluster(cluster: string, ownerFile: string): Promise<void> {
  const lockFile = path.join(cluster, "postmaster.pid");
  const lock = await readFile(lockFile, "utf8").catch(() => "");
  const pid = Number.parseInt(lock, 10);
  const identity = processIdentity(pid);
  if (identity === undefined) return;
  if (!processCommand(pid).includes(cluster)) {
    // After a restart of the machine the number may belong to another program, and Postgres,
    // which looks at the number only, would refuse to start.
    await rm(lockFile, { force: true });
    return;
  }
  const owner = await readFile(ownerFile, "utf8").catch(() => "");
  if (owner !== "" && processIdentity(Number.parseInt(owner, 10)) === owner) {
    throw new Error(`The Postgres data in ${cluster} is in use by process ${Number.parseInt(owner, 10)}.`);
  }
  const isGone = (): boolean => processIdentity(pid) !== identity;
  for (const signal of ["SIGINT", "SIGQUIT", "SIGKILL"] as const) {
    sendSignal(pid, signal);
    if (await poll(signal === "SIGINT" ? 15_000 : 5_000, isGone)) return;
  }
  throw new Error(`The Postgres on ${cluster} (process ${pid}) does not stop.`);
}
