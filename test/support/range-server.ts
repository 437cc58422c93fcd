import { createHash, randomBytes } from "node:crypto";
import { closeServer } from "../../scripts/local/listen.ts";
import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout } from "node:timers/promises";

/** What the modelled API knows of, and how often each has leaked. One that pads, as far as it knows. */
const leaked: Record<string, number> = {
  "correct horse battery staple": 384,
  "leaked once at sea": 1,
  "crème brûlée at dawn": 7,
  "only padding here": 0,
};

const sha1 = (text: string) => createHash("sha1").update(text).digest("hex").toUpperCase();

const randomSuffix = () => randomBytes(18).toString("hex").slice(0, 35).toUpperCase();

/** The lines of a range, in no order: those that have leaked among strangers, and padding up to a thousand. */
function makeRange(prefix: string, isPadded: boolean): string[] {
  const found = Object.entries(leaked).flatMap(([password, count]) => {
    const hash = sha1(password);
    return hash.startsWith(prefix) ? [`${hash.slice(5)}:${count}`] : [];
  });
  const others = Array.from({ length: 400 }, (_, n) => `${randomSuffix()}:${n + 1}`);
  const padding = Array.from({ length: isPadded ? 600 : 0 }, () => `${randomSuffix()}:0`);
  return [...others, ...found, ...padding];
}

/** How the server fails, by the first part of the path. */
const failures: Record<string, (response: ServerResponse, range: string) => void | Promise<void>> = {
  ok: (response, range) => void response.end(range),
  lower: (response, range) => void response.end(range.toLowerCase().replaceAll("\r\n", "\n")),
  error: (response, range) => void response.writeHead(500).end(range),
  limited: (response, range) => void response.writeHead(429, { "retry-after": "2" }).end(range),
  moved: (response) => void response.writeHead(302, { location: "/ok/moved/range/00000" }).end(),
  garbage: (response) => void response.end("<html>Sign in to the hotel's network</html>"),
  partly: (response, range) => void response.end(`${range}\r\n<html>`),
  empty: (response) => void response.end(),
  cut: (response, range) => {
    response.writeHead(200, { "content-length": range.length + 100 });
    response.write(range, () => response.destroy());
  },
  silent: () => undefined,
  stalled: (response, range) => void response.writeHead(200).write(range.slice(0, 100)),
  huge: async (response, range) => {
    while (!response.destroyed) {
      response.write(`${range}\r\n`);
      await setTimeout(1);
    }
  },
};

/**
 * Starts a model of the range API of Have I Been Pwned (https://haveibeenpwned.com/API/v3#PwnedPasswords) at
 * `/<failure>/<tag>/range/<prefix>`; what was asked under a tag is at `/requests/<tag>`.
 */
export async function startRangeServer(): Promise<{ url: string; close(): Promise<void> }> {
  const requests = new Map<string, { path: string; headers: IncomingHttpHeaders }[]>();
  const server = createServer((request, response) => {
    const [, failure = "", tag = "", , prefix = ""] = (request.url ?? "").split("/");
    if (failure === "requests") return void response.end(JSON.stringify(requests.get(tag) ?? []));
    requests.set(tag, [...(requests.get(tag) ?? []), { path: request.url ?? "", headers: request.headers }]);
    const answer = failures[failure];
    if (!answer || !/^[\dA-F]{5}$/.test(prefix)) return void response.writeHead(400).end("not a prefix");
    void answer(response, makeRange(prefix, request.headers["add-padding"] === "true").join("\r\n"));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  // A TCP server's address is an object; only pipes have a string.
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, close: () => closeServer(server) };
}
