import type { IncomingMessage, ServerResponse } from "node:http";

import { answerJson, isForLocalHost, splitTarget } from "../http.ts";
import { answerApi, type ApiOptions } from "./api.ts";
import { answerControl } from "./control.ts";
import { StripeError } from "./errors.ts";
import { newId } from "./ids.ts";
import { answerPage } from "./pages/pages.ts";

export type RouteOptions = ApiOptions;

/** Answers one HTTP request. Never throws. */
export async function answerRequest(
  request: IncomingMessage,
  response: ServerResponse,
  options: RouteOptions,
): Promise<void> {
  const requestId = newId("req_", 14);
  response.setHeader("request-id", requestId);
  response.setHeader("x-content-type-options", "nosniff");
  response.setHeader("referrer-policy", "no-referrer");
  response.setHeader("cache-control", "no-store");
  const { path, query } = splitTarget(request.url ?? "");
  try {
    if (!isForLocalHost(request)) throw new StripeError(403, "This server answers to localhost only.");
    if (path.startsWith("/v1/")) return await answerApi(request, response, { path, query, requestId }, options);
    if (options.control && path.startsWith("/control/")) {
      return await answerControl(request, response, { path, query }, { ...options, control: options.control });
    }
    await answerPage(request, response, path, options.accounts);
  } catch (error) {
    if (response.headersSent || response.destroyed) return void response.destroy();
    if (error instanceof StripeError) return answerJson(response, error.status, error);
    console.error(error);
    answerJson(response, 500, new StripeError(500, "An unexpected error occurred.", { type: "api_error" }));
  }
}
