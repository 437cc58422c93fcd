import { createMiddleware } from "hono/factory";
import { openSystemDatabase } from "../db/index.ts";
import type { AppEnv } from "../types.ts";
import { logFailure } from "./log.ts";

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
      .catch((error: unknown) => logFailure("webhooks were not delivered", error, requestId));
    c.executionCtx.waitUntil(delivering);
  });
