import { createMiddleware } from "hono/factory";
import { AppError } from "../errors.ts";
import type { AppEnv } from "../types.ts";

/** Bytes a request body may have. */
export const MAX_BODY_BYTES = 256 * 1024;

const MAX_DEPTH = 32;

/** Counts the body's bytes itself, since Content-Length may be absent or lie, and keeps them for the route. */
export const bodyLimit = () =>
  createMiddleware<AppEnv>(async (c, next) => {
    const { raw } = c.req;
    // A GET's body has no meaning (RFC 9110 §9.3.1), no route reads one, and no Request can be made with one.
    if (raw.body && raw.method !== "GET" && raw.method !== "HEAD") {
      if (Number(c.req.header("content-length") ?? 0) > MAX_BODY_BYTES) throw new AppError("payload_too_large");
      const chunks: Uint8Array[] = [];
      let length = 0;
      for await (const chunk of raw.body) {
        length += chunk.byteLength;
        if (length > MAX_BODY_BYTES) throw new AppError("payload_too_large");
        chunks.push(chunk);
      }
      c.req.raw = new Request(raw, { method: raw.method, body: await new Blob(chunks).arrayBuffer() });
    }
    await next();
  });

/**
 * Refuses a body that is not JSON in UTF-8, or JSON that Postgres or a recursive reader would trip over:
 * nested deeper than 32, with NUL characters, lone surrogates or `__proto__`. Without a body an optional one is `{}`.
 */
export const jsonBody = ({ isOptional }: { isOptional: boolean }) =>
  createMiddleware<AppEnv>(async (c, next) => {
    if (isOptional && (await c.req.arrayBuffer()).byteLength === 0) {
      const headers = new Headers(c.req.raw.headers);
      // What has no type is {} to the validator; with one it would read the body.
      headers.delete("content-type");
      c.req.raw = new Request(c.req.url, { method: c.req.method, headers });
      return next();
    }
    const [type = ""] = (c.req.header("content-type") ?? "").split(";");
    if (type.trim().toLowerCase() !== "application/json") throw new AppError("unsupported_media_type");
    const problem = findProblem(await c.req.arrayBuffer());
    if (problem) throw new AppError("invalid_request", { errors: [{ path: "body", message: problem }] });
    // JSON has no parameters (RFC 8259 §11), and the validators know them in some spellings only.
    c.req.raw.headers.set("content-type", "application/json");
    await next();
  });

function findProblem(bytes: ArrayBuffer): string | undefined {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: false }).decode(bytes);
  } catch {
    return "is not valid UTF-8";
  }
  if (text.trim() === "") return "is missing";
  if (depthOf(text) > MAX_DEPTH) return `is nested deeper than ${MAX_DEPTH}`;
  try {
    let problem: string | undefined;
    JSON.parse(text, (key, value) => {
      // A validator may read over it.
      if (key === "__proto__") problem = "has a member that is called __proto__";
      for (const item of [key, value]) {
        if (typeof item !== "string") continue;
        if (item.includes("\0")) problem = "contains a NUL character";
        else if (!item.isWellFormed()) problem = "contains a lone surrogate";
      }
      return value;
    });
    return problem;
  } catch {
    return "is not valid JSON";
  }
}

/** Counted before parsing, because the parser itself recurses. */
function depthOf(text: string): number {
  let depth = 0;
  let deepest = 0;
  let quoted = false;
  for (let i = 0; i < text.length; i++) {
    const character = text[i];
    if (quoted) {
      if (character === "\\") i++;
      else if (character === '"') quoted = false;
    } else if (character === '"') quoted = true;
    else if (character === "{" || character === "[") deepest = Math.max(deepest, ++depth);
    else if (character === "}" || character === "]") depth--;
  }
  return deepest;
}
