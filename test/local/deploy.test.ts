import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import type { Metafile } from "esbuild";
import { beforeAll, expect, it } from "vitest";

import { root } from "./process-support.ts";

/** KiB of gzip that are loaded at start. Cloudflare takes 10 MiB; what is small starts fast. */
const limit = 250;
/** What is more than 10 KiB, and few requests need; each is one module of its own. */
const heavy = ["node_modules/@simplewebauthn/server/", "src/services/passwords/common-passwords.txt"];
const entry = "dist/worker/index.mjs";

let uploaded: number;
let outputs: Metafile["outputs"];

beforeAll(async () => {
  const { stdout } = await promisify(execFile)("wrangler", ["deploy", "--dry-run"], {
    cwd: root,
    env: { ...process.env, WRANGLER_SEND_METRICS: "false" },
  });
  uploaded = Number(/gzip: ([\d.]+) KiB/.exec(stdout)?.[1]);
  ({ outputs } = JSON.parse(await readFile(path.join(root, "dist/worker.meta.json"), "utf8")) as Metafile);
});

/** The modules that are loaded with this one. */
function followImports(name: string, found = new Set<string>()): Set<string> {
  if (found.has(name)) return found;
  found.add(name);
  for (const { path: imported, kind, external } of outputs[name]?.imports ?? []) {
    if (kind === "import-statement" && !external) followImports(imported, found);
  }
  return found;
}

async function weigh(names: Iterable<string>): Promise<number> {
  const sizes = [...names].map(async (name) => gzipSync(await readFile(path.join(root, name))).length / 1024);
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}

function holds(name: string, file: string): boolean {
  return Object.keys(outputs[name]?.inputs ?? {}).some((input) => input.includes(file));
}

it("The Worker deploys, and loads at most 250 KiB of gzip at start", async () => {
  const start = followImports(entry);
  const onDemand = Object.keys(outputs).filter((name) => name.endsWith(".mjs") && !start.has(name));
  const [atStart, later] = [await weigh(start), await weigh(onDemand)];
  console.log(`${atStart.toFixed(1)} KiB at start, ${later.toFixed(1)} KiB on demand in ${onDemand.length} modules`);
  expect(atStart).toBeGreaterThan(50);
  expect(atStart).toBeLessThanOrEqual(limit);
  // Nothing is uploaded that the build has not told of, such as a chunk of the build before.
  expect(Math.abs(uploaded - atStart - later)).toBeLessThan(0.05 * uploaded);
});

it.each(heavy)("%s is loaded on demand, not at start", (file) => {
  const start = followImports(entry);
  expect([...start].filter((name) => holds(name, file))).toEqual([]);
  expect(Object.keys(outputs).filter((name) => name.endsWith(".mjs") && holds(name, file))).toHaveLength(1);
});
