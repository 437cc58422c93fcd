import { createRoute, z } from "@hono/zod-openapi";
import { withHeaders } from "../headers.ts";
import { createRouter, json, publicRoute } from "../openapi.ts";
import { checkReadiness } from "../services/readiness.ts";

const healthRoute = createRoute({
  method: "get",
  path: "/health",
  tags: ["Operations"],
  summary: "Is the Worker up?",
  description: "Answers whatever the settings and the database are like.",
  responses: withHeaders(
    { 200: json(z.object({ status: z.literal("ok") }).openapi("Health"), "The Worker runs.") },
    { counted: false },
  ),
});

/** Mounted before the settings are read. */
export const healthRoutes = createRouter().openapi(healthRoute, (c) => c.json({ status: "ok" as const }, 200));

const Readiness = z
  .object({
    status: z.literal("ready"),
    warnings: z.array(z.string()).openapi({ description: "What production would refuse.", example: [] }),
  })
  .openapi("Readiness");

const readyRoute = publicRoute({
  method: "get",
  path: "/ready",
  tags: ["Operations"],
  summary: "Is the service ready?",
  description: "Asks the database, and checks that its fence stands.",
  responses: { 200: json(Readiness, "Ready for requests.") },
  errors: ["not_ready"],
});

export const operationRoutes = createRouter().openapi(readyRoute, async (c) =>
  c.json(await checkReadiness(c.var.database, c.var.settings), 200),
);
