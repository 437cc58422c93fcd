import { z } from "@hono/zod-openapi";
import { createRouter, json, publicRoute } from "../openapi.ts";
import { checkReadiness } from "../services/readiness.ts";

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
