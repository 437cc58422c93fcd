import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";

import { describeError } from "./errors.ts";
import { answerSql, type SqlRouteOptions } from "./sql-route.ts";

const preflightHeaders = {
  Allow: "OPTIONS, POST",
  "Access-Control-Allow-Origin": "*",
  "Access-Control-Allow-Headers":
    "Authorization, Neon-Connection-String, Neon-Raw-Text-Output, Neon-Array-Mode, " +
    "Neon-Pool-Opt-In, Neon-Batch-Read-Only, Neon-Batch-Isolation-Level",
  "Access-Control-Max-Age": "86400",
};

/** Answers one HTTP request. Never throws. */
export async function answerRequest(
  request: IncomingMessage,
  response: ServerResponse,
  options: SqlRouteOptions,
): Promise<void> {
  response.setHeader("neon-request-id", randomUUID());
  const { path, query } = splitTarget(request.url ?? "");
  if (path === "/sql" && request.method === "POST") {
    return answerSql(request, response, options);
  }
  if (path === "/sql" && request.method === "OPTIONS") {
    return void response.writeHead(200, preflightHeaders).end();
  }
  try {
    if (await options.control?.handle(request, response, { path, query })) return;
    answerJson(response, 400, "query is not supported");
  } catch (error) {
    const { status, body } = describeError(error);
    answerJson(response, status, body);
  }
}

/** A request target in any of its forms (RFC 9112, section 3.2), even one that is no URL. */
function splitTarget(target: string): { path: string; query: URLSearchParams } {
  const [path = "", query] = target.replace(/^https?:\/\/[^/?]*/i, "").split("?", 2);
  return { path, query: new URLSearchParams(query) };
}

function answerJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, {
    "content-type": "application/json",
    "access-control-allow-origin": "*",
  });
  response.end(JSON.stringify(body));
}
