import type { IncomingMessage, ServerResponse } from "node:http";

import { ResendError } from "./errors.ts";

/**
 * The body as an object.
 *
 * @throws ResendError 413 when there are more than `maxBytes`, 422 when it is no JSON object
 */
export async function readObject(request: IncomingMessage, maxBytes: number): Promise<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(await readBody(request, maxBytes));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  if (isRecord(value)) return value;
  throw new ResendError(422, "validation_error", "The request body is not a JSON object.");
}

async function readBody(request: IncomingMessage, maxBytes: number): Promise<string> {
  let chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    chunks.push(chunk);
    // The rest is read and thrown away, so that the client gets to see the answer.
    if (bytes > maxBytes) chunks = [];
  }
  if (bytes > maxBytes) throw new ResendError(413, "payload_too_large", `The body has more than ${maxBytes} bytes.`);
  return Buffer.concat(chunks).toString("utf8");
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Answers; without a body when it is absent. */
export function answerJson(
  response: ServerResponse,
  status: number,
  body?: unknown,
  headers: Record<string, string> = {},
): void {
  if (body === undefined) return void response.writeHead(status, headers).end();
  response.writeHead(status, { ...headers, "content-type": "application/json; charset=utf-8" });
  response.end(JSON.stringify(body));
}
