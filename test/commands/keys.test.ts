import { spawnSync } from "node:child_process";
import { calculateJwkThumbprint, importJWK } from "jose";
import { describe, expect, it } from "vitest";

import { readSettings } from "../../src/env.ts";
import { root } from "../local/process-support.ts";

interface Run {
  args?: string[];
  stdin?: string;
  setting?: string;
}

function runKeys({ args = [], stdin = "", setting }: Run = {}) {
  const { PATH } = process.env;
  const { status, stdout, stderr } = spawnSync(process.execPath, ["scripts/keys.ts", ...args], {
    cwd: root,
    input: stdin,
    env: { PATH, ...(setting !== undefined && { JWT_SIGNING_KEYS: setting }) },
    encoding: "utf8",
  });
  return { status, stdout, stderr };
}

const settings = {
  DATABASE_URL: "postgresql://app_user:password@host.example/app",
  JWT_SECRET: "Zq8vT3nLw5xYb7Rk2mPc9sDf4gHj6aWe",
  BCRYPT_WORK_FACTOR: "10",
  SESSION_EXPIRATION: "7d",
  RATE_LIMIT_PER_MINUTE: "300",
  ENVIRONMENT: "development",
};

/** The set that was printed, which is one line and one that the Worker takes. */
function keysOf({ status, stdout, stderr }: ReturnType<typeof runKeys>) {
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  expect(stdout).toMatch(/^\{.*\}\n$/);
  const keys = readSettings({ ...settings, JWT_SIGNING_KEYS: stdout.trim() }).JWT_SIGNING_KEYS;
  expect(JSON.parse(stdout)).toEqual({ keys });
  return keys ?? [];
}

describe("npm run keys", () => {
  it("prints a set of one new key, named by its thumbprint (RFC 7638)", async () => {
    const [[key], [other]] = [keysOf(runKeys()), keysOf(runKeys())];
    const { kty, crv, x, d, kid } = key ?? expect.fail("no key");
    expect(kid).toBe(await calculateJwkThumbprint({ kty, crv, x }));
    expect(await importJWK({ kty, crv, x, d }, "EdDSA")).toMatchObject({ type: "private" });
    expect(other?.d).not.toBe(d);
  });

  it("takes a set through a rotation: --add publishes a key, --sign has it sign, --retire drops the others", () => {
    const first = runKeys();
    const [old] = keysOf(first);
    const added = runKeys({ args: ["--add"], stdin: first.stdout });
    const [stillOld, young] = keysOf(added);
    expect(stillOld).toEqual(old);
    expect(young?.d).not.toBe(old?.d);
    const signing = runKeys({ args: ["--sign"], setting: added.stdout });
    expect(keysOf(signing)).toEqual([young, old]);
    expect(keysOf(runKeys({ args: ["--retire"], stdin: signing.stdout }))).toEqual([young]);
  });

  it("refuses what is no set, a sixth key and two steps at once, and shows nothing of it", () => {
    let full = runKeys().stdout;
    for (let keys = 1; keys < 5; keys++) full = runKeys({ args: ["--add"], stdin: full }).stdout;
    const refused: Run[] = [
      { args: ["--add"], stdin: full },
      { args: ["--add"], stdin: "canary" },
      { args: ["--add"], stdin: '{"canary":[]}' },
      { args: ["--add"] },
      { args: ["--sign"], setting: "", stdin: full },
      { args: ["--add", "--sign"], stdin: full },
      { args: ["--other"] },
    ];
    for (const run of refused) {
      const { status, stdout, stderr } = runKeys(run);
      expect({ status, stdout }, stderr).toEqual({ status: 1, stdout: "" });
      expect(stderr).not.toMatch(/canary|"d"/);
    }
  });
});
