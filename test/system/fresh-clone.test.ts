import { execFile } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import path from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { findFreePort } from "../../scripts/local/processes.ts";
import { findDescendants, findSurvivors, makeFolder, removeClone, root, Script } from "../local/process-support.ts";

const run = promisify(execFile);

describe("A fresh clone, with an empty npm cache", () => {
  let folder: string;
  let clone: string;
  let dev: Script | undefined;

  beforeAll(async () => {
    folder = makeFolder();
    clone = path.join(folder, "clone");
    await run("git", ["clone", "--quiet", root, clone]);
    mkdirSync(path.join(folder, "home"));
  });

  afterAll(async () => {
    dev?.kill("SIGINT");
    await dev?.ended;
    removeClone(clone);
    rmSync(folder, { recursive: true });
  });

  // The machine's own node and npm, as a newcomer has them: not those that this project brings.
  const env = (): Record<string, string> => ({
    PATH: (process.env["PATH"] ?? "")
      .split(path.delimiter)
      .filter((entry) => !entry.includes("node_modules") && !entry.includes("node-gyp-bin"))
      .join(path.delimiter),
    HOME: path.join(folder, "home"),
    npm_config_cache: path.join(folder, "cache"),
  });

  it("runs by: npm ci && npm run dev", { timeout: 400_000 }, async () => {
    await run("npm", ["ci", "--no-audit", "--no-fund"], { cwd: clone, env: env(), maxBuffer: 10 ** 8 });
    const port = await findFreePort(20_000 + Math.floor(Math.random() * 10_000));
    dev = new Script(["-e", devCommand(port)], clone, env());
    const [, url = "", email, password] = await dev.prints(/Service\s+(\S+)[^]*Sign in\s+(\S+) with (\S+)/);
    await dev.prints(/Ctrl-C stops/);
    const response = await fetch(`${url}/v1/auth/sign-in`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ email, password }),
    });
    expect(response.status).toBe(200);
    const processes = findDescendants(dev.pid);
    expect(processes.length).toBeGreaterThan(3);
    dev.kill("SIGINT");
    await dev.ended;
    expect(await findSurvivors(processes)).toEqual([]);
  });
});

/** `npm run dev`, passing a SIGINT on as a terminal does: to every process of the foreground group. */
function devCommand(port: number): string {
  return `
    const npm = require("node:child_process").spawn("npm", ["run", "dev", "--", "--port", "${port}"], { stdio: "inherit", detached: true });
    process.on("SIGINT", () => process.kill(-npm.pid, "SIGINT"));
    npm.on("close", () => process.exit(0));`;
}
