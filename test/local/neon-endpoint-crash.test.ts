import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { startNeonEndpoint } from "../../scripts/local/neon-endpoint.ts";
import { openStage, untilNotRunning, untilRunning, type Stage } from "./neon-endpoint-support.ts";

let stage: Stage;
// Each test has a Postgres of its own, since a crash ends everybody's connections.
beforeEach(async () => {
  stage = await openStage();
});
afterEach(() => stage.close());

describe("close()", () => {
  it("ends idle keep-alive connections, running queries and the port, and waits for none", async () => {
    const postgres = { host: "127.0.0.1", port: stage.postgres.port };
    const endpoint = await startNeonEndpoint({ postgres });
    expect((await stage.post({ query: "select 1" }, { endpoint })).status).toBe(200);
    const running = stage.post({ query: "select pg_sleep(300) /* closing */" }, { endpoint });
    running.catch(() => undefined);
    await untilRunning(stage, "closing");
    await endpoint.close();
    await expect(running).rejects.toThrow("fetch failed");
    await untilNotRunning(stage, "closing");
    await expect(stage.post({ query: "select 1" }, { endpoint })).rejects.toThrow("fetch failed");
  });
});

describe("a Postgres that crashes", () => {
  it("gives 400 without a code, and is used again once it is back", async () => {
    await Promise.all([1, 2, 3].map(() => stage.post({ query: "select pg_sleep(0.02)" })));
    const running = stage.post({ query: "select pg_sleep(300) /* crash */" });
    process.kill(await untilRunning(stage, "crash"), "SIGKILL");
    expect((await running).status).toBe(400);
    expect((await running).json).toMatchObject({
      message: "connection closed",
      code: "",
      severity: "",
    });
    await vi.waitFor(async () => expect((await stage.post({ query: "select 1" })).status).toBe(200), {
      timeout: 15_000,
      interval: 50,
    });
  });
});
