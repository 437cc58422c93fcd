import path from "node:path";
import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { type LocalPostgres, startPostgres } from "../../scripts/local/postgres.ts";
import { poll, processIdentity } from "../../scripts/local/processes.ts";
import { findDescendants, type Script } from "../local/process-support.ts";
import { clients, compare, type Differences, Load } from "./load.ts";
import { openStage, type Stage } from "./stage.ts";

let stage: Stage;
let postgres: LocalPostgres;
let service: Script;
let url: string;
let token: string;

beforeAll(async () => {
  stage = await openStage();
  ({ postgres } = stage);
  // Which of them runs at the end.
  stage.stops.push(() => postgres.stop());
  ({ service, url } = await stage.startService());
  token = await signIn();
});

afterAll(() => stage.stop());

async function signIn(): Promise<string> {
  const ada = { email: "ada@example.com", password: "a quiet harbour at dawn" };
  const post = (action: string, body: object) =>
    fetch(`${url}/v1/auth/${action}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
  await post("sign-up", { ...ada, name: "Ada" });
  const { accessToken } = (await (await post("sign-in", ada)).json()) as { accessToken: string };
  return accessToken;
}

async function query<T>(text: string): Promise<T[]> {
  const client = new Client({ connectionString: postgres.url("postgres", "app") });
  await client.connect();
  try {
    return (await client.query(text)).rows as T[];
  } finally {
    await client.end();
  }
}

const readStored = () => query<{ id: string; name: string }>("select id, name from organizations");

/** Kills every process of the server at the same moment, as the end of its machine would. */
async function killPostgres(): Promise<void> {
  const [postmaster] = findDescendants(process.pid).filter(({ command }) => command.includes("/bin/postgres "));
  if (!postmaster) throw new Error("Postgres does not run");
  // Stopped, it starts no process that the list does not have.
  process.kill(postmaster.pid, "SIGSTOP");
  const processes = findDescendants(postmaster.pid);
  for (const { pid } of [postmaster, ...processes]) process.kill(pid, "SIGKILL");
  await postgres.stop();
}

async function restartPostgres(settings: Record<string, string> = {}): Promise<void> {
  const { port } = postgres;
  postgres = await startPostgres({ dataDirectory: path.join(stage.clone, ".local/postgres"), port, settings });
}

/** Waits for more organizations to be acknowledged; it is false when that does not happen. */
const isAcknowledging = (load: Load, more: number): Promise<boolean> => {
  const enough = load.acknowledged.size + more;
  return poll(20_000, () => load.acknowledged.size >= enough || load.unexpected.length > 0, 1);
};

/** Has Postgres die, and be back with durable settings; how long the service then took to create again, in ms. */
async function crash(load: Load): Promise<number> {
  const unconfirmed = load.unconfirmed;
  await killPostgres();
  expect(await poll(10_000, () => load.unconfirmed > unconfirmed, 1)).toBe(true);
  await restartPostgres();
  const back = performance.now();
  expect(await isAcknowledging(load, 1)).toBe(true);
  return performance.now() - back;
}

/** The load while `act` lasts, and what is stored of it otherwise than it was promised. */
async function underLoad(act: (load: Load) => Promise<void>): Promise<{ load: Load; differences: Differences }> {
  const before = new Set((await readStored()).map(({ id }) => id));
  const load = new Load(url, token);
  try {
    await act(load);
  } finally {
    await load.stop();
  }
  expect(load.unexpected).toEqual([]);
  const stored = (await readStored()).filter(({ id }) => !before.has(id));
  return { load, differences: compare(load.acknowledged, stored) };
}

const nothing: Differences = { lost: [], twice: [], unknown: [] };

describe("Postgres killed with SIGKILL amid creating requests", () => {
  it("five times loses and doubles nothing, and the service creates again within 5 seconds", async () => {
    const own = findDescendants(service.pid);
    expect(own.map(({ command }) => command).join()).toMatch(/wrangler[^]*workerd/);
    const recoveries: number[] = [];
    const { load, differences } = await underLoad(async (load) => {
      for (let round = 0; round < 5; round++) {
        expect(await isAcknowledging(load, 120)).toBe(true);
        recoveries.push(await crash(load));
      }
    });
    const longest = Math.max(...recoveries);
    process.stdout.write(
      `acknowledged ${load.acknowledged.size}, answered with 503 ${load.unconfirmed}, lost ${differences.lost.length}, ` +
        `twice ${differences.twice.length}, longest recovery ${Math.round(longest)} ms\n`,
    );
    expect(differences).toEqual(nothing);
    expect(longest).toBeLessThan(5_000);
    const gone = own.filter(({ pid, identity }) => processIdentity(pid) !== identity);
    expect(gone.map(({ command }) => command)).toEqual([]);
    expect(processIdentity(service.pid)).toBeDefined();
  });

  it("between a commit and its answer doubles nothing: the repetition gets the answer", async () => {
    await postgres.stop();
    // A commit is written, and then waits for a standby that there is not.
    await restartPostgres({ synchronous_standby_names: "nobody" });
    const { load, differences } = await underLoad(async (load) => {
      const waiting = "select from pg_stat_activity where wait_event = 'SyncRep'";
      expect(await poll(4_000, async () => (await query(waiting)).length === clients)).toBe(true);
      expect(load.acknowledged.size).toBe(0);
      await crash(load);
    });
    expect(load.replayed).toBeGreaterThanOrEqual(clients);
    expect(differences).toEqual(nothing);
  });

  it("does lose what was acknowledged where Postgres may acknowledge before it has written", async () => {
    await postgres.stop();
    await restartPostgres({
      synchronous_commit: "off",
      // Else its background writer saves most of it in time.
      wal_writer_delay: "10s",
      wal_writer_flush_after: "1GB",
    });
    const { differences } = await underLoad(async (load) => {
      expect(await isAcknowledging(load, 60)).toBe(true);
      await crash(load);
    });
    expect(differences.lost).not.toEqual([]);
  });
});

describe("the comparison itself", () => {
  const promises = new Map([["a", "1"]]);

  it.each([
    [[], { lost: ["a"], twice: [], unknown: [] }],
    [[{ name: "a", id: "2" }], { lost: ["a"], twice: [], unknown: [] }],
    [
      [
        { name: "a", id: "1" },
        { name: "a", id: "2" },
      ],
      { lost: [], twice: ["a"], unknown: [] },
    ],
    [
      [
        { name: "a", id: "1" },
        { name: "b", id: "2" },
      ],
      { lost: [], twice: [], unknown: ["b"] },
    ],
  ])("sees what is missing, too much or another's: %j", (stored, differences) => {
    expect(compare(promises, stored)).toEqual(differences);
  });
});
