import { createHmac, randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";

import { canReach, findBinaries, reachableTwin, sharedFolder, type PostgresBinaries } from "./postgres-binaries.ts";
import { createCluster, releaseCluster } from "./postgres-cluster.ts";
import { runServer, stopServer, unrefServer, type Server } from "./postgres-server.ts";
import { findFreePort, processIdentity } from "./processes.ts";

export interface LocalPostgres {
  port: number;
  /**
   * A connection string on 127.0.0.1. By default the superuser `postgres` and the database
   * `postgres`. Another user's password is {@link passwordOf} that user.
   */
  url(user?: string, database?: string): string;
  /** The password that belongs to a user name here; the same after a restart on the same data. */
  passwordOf(user: string): string;
  /** Resolves when the server has ended, with its last output lines; also after `stop`. */
  ended: Promise<string>;
  /** Stops the server, waits for its exit, and removes a throw-away data folder. */
  stop(): Promise<void>;
}

export interface PostgresOptions {
  /** Keeps the data here, durably, for the next start; absent: a throw-away cluster, not durable. */
  dataDirectory?: string;
  /** Absent: a free one. */
  port?: number;
  /** More settings, as in postgresql.conf. */
  settings?: Record<string, string>;
}

const alwaysSettings = {
  listen_addresses: "127.0.0.1",
  unix_socket_directories: "",
  max_connections: "300",
  timezone: "UTC",
  log_timezone: "UTC",
};
const throwAwaySettings = { fsync: "off", synchronous_commit: "off", full_page_writes: "off" };

interface Place {
  /** The cluster itself (PGDATA). */
  cluster: string;
  superuserPassword: string;
  /** Names the process that runs the server, so that a later one can tell an orphan. */
  ownerFile?: string;
  /** Removed after the stop. */
  throwAway?: string;
}

/**
 * Starts a real Postgres of this process's own on 127.0.0.1, making its data folder where needed.
 * It ends when this process ends, in whatever way.
 *
 * @throws Error when it does not start, with its last output lines; or when another living process
 *   has the same data folder in use
 */
export async function startPostgres(options: PostgresOptions = {}): Promise<LocalPostgres> {
  const binaries = await findBinaries();
  const place = options.dataDirectory
    ? await findPersistentPlace(path.resolve(options.dataDirectory), binaries)
    : await makeThrowAwayPlace(binaries);
  try {
    await createCluster({ ...binaries, ...place, durable: !place.throwAway });
    if (place.ownerFile) await writeFile(place.ownerFile, processIdentity(process.pid) ?? "");
    return await startServer(binaries, place, options);
  } catch (error) {
    if (place.throwAway) await rm(place.throwAway, { recursive: true, force: true });
    throw error;
  }
}

async function makeThrowAwayPlace({ runAs }: PostgresBinaries): Promise<Place> {
  const base = canReach(tmpdir(), runAs) ? tmpdir() : sharedFolder();
  const throwAway = await mkdtemp(path.join(base, "saas-backend-layer-postgres-"));
  // mkdtemp lets nobody else in, not even the user that Postgres runs as.
  await chmod(throwAway, 0o711);
  return {
    throwAway,
    cluster: path.join(throwAway, "cluster"),
    superuserPassword: newPassword(),
  };
}

async function findPersistentPlace(folder: string, { runAs }: PostgresBinaries): Promise<Place> {
  await mkdir(folder, { recursive: true });
  let cluster = path.join(folder, "cluster");
  const passwordFile = path.join(folder, "superuser-password");
  const isNew = !existsSync(passwordFile);
  if (!canReach(folder, runAs)) {
    cluster = reachableTwin(folder);
    await writeFile(
      path.join(folder, "LOCATION.txt"),
      `The user that runs Postgres cannot reach this folder, so the data lies in\n${cluster}\n` +
        "To start afresh, remove this folder: the data there is then made anew.\n",
    );
  }
  const ownerFile = path.join(folder, "owner");
  await releaseCluster(cluster, ownerFile);
  if (isNew) {
    if (cluster.startsWith(folder) && existsSync(cluster)) {
      throw new Error(`${passwordFile} is missing. Remove ${folder} to start afresh.`);
    }
    await rm(cluster, { recursive: true, force: true });
    await writeFile(passwordFile, newPassword(), { mode: 0o600 });
  }
  const superuserPassword = (await readFile(passwordFile, "utf8")).trim();
  return { cluster, superuserPassword, ownerFile };
}

function newPassword(): string {
  return randomBytes(24).toString("base64url");
}

async function startServer(binaries: PostgresBinaries, place: Place, options: PostgresOptions): Promise<LocalPostgres> {
  const attempts = options.port ? 1 : 5;
  for (let attempt = 1; ; attempt++) {
    const port = options.port ?? (await findFreePort());
    const settings = {
      ...alwaysSettings,
      ...(place.throwAway ? throwAwaySettings : {}),
      ...options.settings,
      port: String(port),
    };
    const server = runServer(binaries, place, settings);
    const started = await Promise.race([server.ready.then(() => true), server.ended.then(() => false)]);
    if (started) return describeServer(server, place, port);
    const output = await server.ended;
    // Between looking for a free port and binding it, another program may have taken it.
    if (attempt < attempts && output.includes("Address already in use")) continue;
    throw new Error(`Postgres did not start. ${output}`);
  }
}

function describeServer(server: Server, place: Place, port: number): LocalPostgres {
  unrefServer(server);
  const passwordOf = (user: string): string =>
    user === "postgres"
      ? place.superuserPassword
      : createHmac("sha256", place.superuserPassword).update(user).digest("base64url").slice(0, 32);
  return {
    port,
    passwordOf,
    url: (user = "postgres", database = "postgres") =>
      `postgresql://${encodeURIComponent(user)}:${passwordOf(user)}@127.0.0.1:${port}/${encodeURIComponent(database)}`,
    ended: server.ended,
    stop: async () => {
      await stopServer(server);
      if (place.ownerFile) await rm(place.ownerFile, { force: true });
      if (place.throwAway) await rm(place.throwAway, { recursive: true, force: true });
    },
  };
}
