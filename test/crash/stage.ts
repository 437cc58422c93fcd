import { cpSync } from "node:fs";
import path from "node:path";

import { bringUpToDate, setWorkerPassword } from "../../scripts/db/steps.ts";
import { createNeonLikeDatabase } from "../../scripts/local/neon-like-database.ts";
import { type LocalPostgres, startPostgres } from "../../scripts/local/postgres.ts";
import { dismissWatchdog, startWatchdog } from "../../scripts/local/watchdog.ts";
import { cloneProject, removeClone, root, Script } from "../local/process-support.ts";

type Stops = (() => Promise<unknown>)[];

/** Starts service.ts in a clone, on a database that is set up, in a process of its own. */
export async function startService(
  clone: string,
  postgres: LocalPostgres,
  stops: Stops,
  settings: Record<string, string> = {},
): Promise<{ service: Script; url: string }> {
  const file = "test/crash/service.ts";
  cpSync(path.join(root, file), path.join(clone, file), { recursive: true });
  const own = { APP_USER_PASSWORD: postgres.passwordOf("app_user"), POSTGRES_PORT: String(postgres.port) };
  const service = new Script([file], clone, { ...own, ...settings });
  const watchdog = startWatchdog({ pid: service.pid, force: "KILL" });
  stops.push(async () => {
    service.kill("SIGTERM");
    await service.ended;
    dismissWatchdog(watchdog);
  });
  return { service, url: (await service.prints(/^Service (\S+)/m))[1] ?? "" };
}

/** Runs all of them, the last first. */
export async function stopAll(stops: Stops): Promise<void> {
  const failures: unknown[] = [];
  for (const stop of stops.toReversed()) await stop().catch((error: unknown) => failures.push(error));
  if (failures.length > 0) throw new AggregateError(failures, "not everything was stopped");
}

/** A clone with a database that is set up, beside which the service is started, and may be killed. */
export interface Stage {
  clone: string;
  postgres: LocalPostgres;
  startService(settings?: Record<string, string>): ReturnType<typeof startService>;
  /** What was started, and more that the test has started. */
  stops: Stops;
  stop(): Promise<void>;
}

export async function openStage(): Promise<Stage> {
  const stops: Stops = [];
  const clone = cloneProject();
  stops.push(async () => removeClone(clone));
  const postgres = await startPostgres({ dataDirectory: path.join(clone, ".local/postgres") });
  const { ownerUrl } = await createNeonLikeDatabase(postgres);
  await bringUpToDate(ownerUrl);
  await setWorkerPassword(ownerUrl, postgres.passwordOf("app_user"));
  return {
    clone,
    postgres,
    stops,
    startService: (settings) => startService(clone, postgres, stops, settings),
    stop: () => stopAll(stops),
  };
}
