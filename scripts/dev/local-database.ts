import { existsSync, writeFileSync } from "node:fs";
import path from "node:path";

import { bringUpToDate, setWorkerPassword } from "../db/steps.ts";
import { startNeonEndpoint } from "../local/neon-endpoint.ts";
import { createNeonLikeDatabase } from "../local/neon-like-database.ts";
import { localDirectory } from "../local/paths.ts";
import { startPostgres, type LocalPostgres } from "../local/postgres.ts";
import { findFreePort } from "../local/processes.ts";

const dataDirectory = path.join(localDirectory, "postgres");
const demoMark = path.join(dataDirectory, "demo-made");

/** Starts the Postgres whose data `npm run dev` keeps. */
export function startDevPostgres(): Promise<LocalPostgres> {
  return startPostgres({ dataDirectory });
}

/** Starts the Neon endpoint in front of it. Its one port takes HTTP and Postgres connections. */
export async function startDevEndpoint(postgres: LocalPostgres): Promise<{ port: number; stop(): Promise<void> }> {
  const port = await findFreePort(54_330);
  const endpoint = await startNeonEndpoint({
    postgres: { host: "127.0.0.1", port: postgres.port },
    port,
  });
  return { port, stop: () => endpoint.close() };
}

/** Makes database, roles, tables and policies where they are missing, as on Neon. */
export async function prepareDatabase(
  postgres: LocalPostgres,
  port: number,
): Promise<{ ownerUrl: string; databaseUrl: string }> {
  const { ownerUrl } = await createNeonLikeDatabase(postgres, "app");
  await bringUpToDate(ownerUrl);
  const password = postgres.passwordOf("app_user");
  await setWorkerPassword(ownerUrl, password);
  const atEndpoint = new URL(ownerUrl);
  atEndpoint.host = `localhost:${port}`;
  return {
    ownerUrl: atEndpoint.href,
    databaseUrl: `postgresql://app_user:${password}@localhost:${port}/app`,
  };
}

/** The mark lies beside the data, so that whoever removes the data gets a new demo tenant. */
export function isDemoMade(): boolean {
  return existsSync(demoMark);
}

export function markDemoMade(): void {
  writeFileSync(demoMark, "");
}
