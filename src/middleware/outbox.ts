import { createMiddleware } from "hono/factory";
import { openSystemDatabase } from "../db/index.ts";
import { PASS_SIZE, sendMessages } from "../services/outbox.ts";
import type { AppEnv } from "../types.ts";

/** Sends what the request has queued, after its answer. What is not sent here, the Cron Trigger sends. */
export const outbox = () =>
  createMiddleware<AppEnv>(async (c, next) => {
    await next();
    const { requestId, settings, databaseOptions } = c.var;
    const { url, messages } = databaseOptions;
    if (messages.length === 0) return;
    const meter = { requests: 0, milliseconds: 0 };
    const database = openSystemDatabase({ url, origin: null, readOnly: false, meter, messages: [] });
    const sending = sendMessages(database, settings, c.env.EMAIL, messages.slice(0, PASS_SIZE)).catch(
      (error: unknown) => {
        const reason = error instanceof Error ? error.name : "unknown";
        console.error(JSON.stringify({ level: "error", message: "outbox was not emptied", requestId, reason }));
      },
    );
    c.executionCtx.waitUntil(sending);
  });
