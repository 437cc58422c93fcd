import { createMiddleware } from "hono/factory";
import { openSystemDatabase } from "../db/index.ts";
import { AppError } from "../errors.ts";
import type { AppEnv } from "../types.ts";

/** Delivers what the request's change has queued, after its answer. What is not sent here, the Cron Trigger sends. */
export const webhooks = () =>
  createMiddleware<AppEnv>(async (c, next) => {
    await next();
    const { requestId, settings, databaseOptions, changedOrganizationId } = c.var;
    if (changedOrganizationId === undefined) return;
    const meter = { requests: 0, milliseconds: 0 };
    const { url } = databaseOptions;
    const database = openSystemDatabase({ url, origin: null, readOnly: false, meter, messages: [] });
    const delivering = import("../services/webhook-deliveries.ts")
      .then(({ deliverFewWebhooks }) => deliverFewWebhooks(database, settings, changedOrganizationId))
      .catch((error: unknown) => tellUndelivered(error, requestId));
    c.executionCtx.waitUntil(delivering);
  });

/** In the log, and nowhere else: whatever they are in the way of has nothing to do with it, and they come again. */
export function tellUndelivered(error: unknown, requestId?: string): void {
  const reason = error instanceof AppError ? error.code : error instanceof Error ? error.name : "unknown";
  console.error(JSON.stringify({ level: "error", message: "webhooks were not delivered", requestId, reason }));
}
