import type { IncomingMessage, ServerResponse } from "node:http";

/** The whole body as text, or undefined when there are more than `maxBytes` of it. */
export async function readBody(request: IncomingMessage, maxBytes: number): Promise<string | undefined> {
  let chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    chunks.push(chunk);
    // The rest is read and thrown away, so that the client gets to see the answer.
    if (bytes > maxBytes) chunks = [];
  }
  return bytes > maxBytes ? undefined : Buffer.concat(chunks).toString("utf8");
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

/** Whether the request was made to the machine's own name: any website can have one that resolves to 127.0.0.1. */
export function isForLocalHost(request: IncomingMessage): boolean {
  return /^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/i.test(request.headers.host ?? "");
}

/** A request target in any of its forms (RFC 9112, section 3.2), even one that is no URL. */
export function splitTarget(target: string): { path: string; query: URLSearchParams } {
  const [path = "", query] = target.replace(/^https?:\/\/[^/?]*/i, "").split("?", 2);
  return { path, query: new URLSearchParams(query) };
}
