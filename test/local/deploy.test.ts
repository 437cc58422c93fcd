import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, it } from "vitest";

import { root } from "./process-support.ts";

/** KiB of gzip. Cloudflare takes 10 MiB; what is small starts fast. */
const limit = 250;

it("The Worker deploys, in at most 250 KiB of gzip", async () => {
  const { stdout } = await promisify(execFile)("wrangler", ["deploy", "--dry-run"], {
    cwd: root,
    env: { ...process.env, WRANGLER_SEND_METRICS: "false" },
  });
  const [, size] = /gzip: ([\d.]+) KiB/.exec(stdout) ?? [];
  expect(Number(size)).toBeGreaterThan(50);
  expect(Number(size)).toBeLessThanOrEqual(limit);
});
