import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { closeServer, listenOnLoopback } from "../../scripts/local/listen.ts";
import type { Received, Script } from "./webhook-scripts.ts";

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString("utf8");
}

function answer(response: ServerResponse, { status = 204, headers = {}, body = "", way }: Script): void {
  if (way === "silent") return;
  if (way === "garbage") return void response.socket?.end("this is no HTTP at all\r\n\r\n");
  if (way === "cut") {
    response.writeHead(200, { "content-length": 1000 });
    return void response.write("{", () => response.destroy());
  }
  response.writeHead(status, headers);
  if (way !== "endless") return void response.end(body);
  const pour = (): void => {
    if (!response.destroyed) response.write("x".repeat(65_536), () => setTimeout(pour, 5));
  };
  pour();
}

/**
 * Starts a receiver of webhooks, with a place for each test: POST /hook/<place> is kept, and answered as PUT /script/<place>
 * says, in turn, the last one again and again; GET /received/<place> is what came.
 */
export async function startWebhookReceiver(): Promise<{ url: string; close(): Promise<void> }> {
  const received = new Map<string, Received[]>();
  const scripts = new Map<string, Script[]>();
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const [, what = "", place = ""] = (request.url ?? "").split("/");
    if (what === "received") return void response.end(JSON.stringify(received.get(place) ?? []));
    const body = await readBody(request);
    if (what === "script") {
      scripts.set(place, JSON.parse(body));
      return void response.end();
    }
    const headers = Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)]));
    received.set(place, [...(received.get(place) ?? []), { headers, body }]);
    const script = scripts.get(place) ?? [];
    const now = (script.length > 1 ? script.shift() : script[0]) ?? {};
    setTimeout(() => answer(response, now), now.delay ?? 0);
  };
  const server = createServer((request, response) => void handle(request, response));
  const port = await listenOnLoopback(server);
  return { url: `http://127.0.0.1:${port}`, close: () => closeServer(server) };
}
