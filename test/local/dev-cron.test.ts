import { createServer, type RequestListener } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it, vi } from "vitest";

import { startCron } from "../../scripts/dev/cron.ts";
import { listenOnLoopback } from "../../scripts/local/listen.ts";

/** Runs the clock of `npm run dev`, once in 5 ms, against a server of this kind. */
async function withCron(
  answer: RequestListener,
  use: (cron: { stop(): Promise<void> }) => Promise<void>,
): Promise<void> {
  const server = createServer(answer);
  const port = await listenOnLoopback(server);
  try {
    await use(startCron(`http://127.0.0.1:${port}`, 5));
  } finally {
    server.close();
  }
}

describe("The clock of npm run dev", () => {
  it("asks at once and again and again, until it is stopped", async () => {
    const asked: (string | undefined)[] = [];
    const answer: RequestListener = (request, response) => {
      asked.push(request.url);
      response.end("ok");
    };
    await withCron(answer, async (cron) => {
      await expect.poll(() => asked.length).toBeGreaterThan(3);
      await cron.stop();
      const { length } = asked;
      await sleep(30);
      // What was on its way to the server may still arrive.
      expect(asked.length - length).toBeLessThanOrEqual(1);
    });
    expect(new Set(asked)).toEqual(new Set(["/cdn-cgi/local/scheduled?cron=*%20*%20*%20*%20*"]));
  });

  it("goes on after failures, and tells of them once in a row", async () => {
    const error = vi.spyOn(console, "error").mockReturnValue();
    let asked = 0;
    const answer: RequestListener = (_request, response) => {
      asked += 1;
      if (asked === 2) response.destroy();
      else response.writeHead(asked < 4 ? 500 : 200).end("exception");
    };
    await withCron(answer, async (cron) => {
      await expect.poll(() => asked).toBeGreaterThan(5);
      await cron.stop();
    });
    expect(error.mock.calls).toEqual([[expect.stringContaining("500 exception")]]);
    error.mockRestore();
  });

  it("does not ask again while an answer is outstanding, and stops all the same", async () => {
    let asked = 0;
    const never: RequestListener = () => void (asked += 1);
    await withCron(never, async (cron) => {
      await expect.poll(() => asked).toBe(1);
      await sleep(30);
      await cron.stop();
    });
    expect(asked).toBe(1);
  });
});
