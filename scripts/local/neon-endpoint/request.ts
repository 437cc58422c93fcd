import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import { isIP } from "node:net";

import { SqlOverHttpError } from "./errors.ts";
import { encodeParameters } from "./parameters.ts";
import type { Credentials } from "./postgres-connection.ts";

export interface Statement {
  query: string;
  params: (string | null)[];
  /** Absent: what the header says. */
  arrayMode: boolean | undefined;
}
export interface Payload {
  statements: Statement[];
  isBatch: boolean;
}
export type IsolationLevel = "ReadUncommitted" | "ReadCommitted" | "RepeatableRead" | "Serializable";
export interface RequestOptions {
  rawText: boolean;
  arrayMode: boolean;
  isolationLevel: IsolationLevel | undefined;
  readOnly: boolean;
  deferrable: boolean;
}

const isolationLevels: readonly string[] = [
  "ReadUncommitted",
  "ReadCommitted",
  "RepeatableRead",
  "Serializable",
] satisfies IsolationLevel[];

/** @throws SqlOverHttpError 400 */
export function readCredentials(headers: IncomingHttpHeaders): Credentials {
  const url = parseConnectionString(headers);
  if (!["postgres:", "postgresql:"].includes(url.protocol)) throw bad("incorrect scheme");
  if (!url.pathname.startsWith("/")) throw bad("missing database name");
  if (!url.username) throw bad("missing username");
  if (headers.authorization !== undefined || !url.password) {
    throw bad("missing authentication credentials: required password");
  }
  const host = url.hostname.replace(/^\[|\]$/g, "");
  if (!host || isIP(host)) throw bad("missing hostname");
  return {
    user: decode(url.username),
    password: decode(url.password),
    database: decode(url.pathname.split("/")[1] ?? ""),
  };
}

/** The `tag` parameter of the connection string, which a real Neon host ignores. */
export function readTag(headers: IncomingHttpHeaders): string | null {
  const text = headers["neon-connection-string"];
  return typeof text === "string" && URL.canParse(text) ? new URL(text).searchParams.get("tag") : null;
}

/** @throws SqlOverHttpError 400 for an isolation level that there is not */
export function readOptions(headers: IncomingHttpHeaders): RequestOptions {
  const level = headers["neon-batch-isolation-level"];
  if (level !== undefined && !isIsolationLevel(level)) throw bad("invalid isolation level");
  return {
    rawText: headers["neon-raw-text-output"] === "true",
    arrayMode: headers["neon-array-mode"] === "true",
    isolationLevel: level,
    readOnly: headers["neon-batch-read-only"] === "true",
    deferrable: headers["neon-batch-deferrable"] === "true",
  };
}

/** @throws SqlOverHttpError 413 when there are more than `maxBytes` */
export async function readBody(request: IncomingMessage, maxBytes: number): Promise<string> {
  const tooLarge = new SqlOverHttpError(413, `request is too large (max is ${maxBytes} bytes)`);
  if (Number(request.headers["content-length"] ?? 0) > maxBytes) throw tooLarge;
  return new Promise((resolve, reject) => {
    let chunks: Buffer[] = [];
    let bytes = 0;
    request.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      chunks.push(chunk);
      if (bytes <= maxBytes) return;
      // The rest is read and thrown away, so that the client gets to see the answer.
      chunks = [];
      reject(tooLarge);
    });
    request.once("end", () => resolve(Buffer.concat(chunks).toString("utf8")));
    request.once("error", reject);
  });
}

/** @throws SqlOverHttpError 400 when it is neither one query nor a batch */
export function parsePayload(body: string): Payload {
  const value = parseJson(body);
  const single = readStatement(value, body, []);
  if (single) return { statements: [single], isBatch: false };
  const queries = isRecord(value) ? value["queries"] : undefined;
  if (!Array.isArray(queries)) throw unmatched();
  const statements = queries.map((query: unknown, index) => {
    const statement = readStatement(query, body, ["queries", index]);
    if (!statement) throw unmatched();
    return statement;
  });
  return { statements, isBatch: true };
}

function readStatement(value: unknown, body: string, path: (string | number)[]): Statement | undefined {
  if (!isRecord(value)) return undefined;
  const { query, params, arrayMode } = value;
  if (typeof query !== "string") return undefined;
  if (params !== undefined && !Array.isArray(params)) return undefined;
  if (arrayMode !== undefined && arrayMode !== null && typeof arrayMode !== "boolean") {
    return undefined;
  }
  return {
    query,
    params: encodeParameters(params ?? [], body, [...path, "params"]),
    arrayMode: arrayMode ?? undefined,
  };
}

function parseConnectionString(headers: IncomingHttpHeaders): URL {
  const text = headers["neon-connection-string"];
  if (typeof text !== "string" || !/^[\t\x20-\x7e]*$/.test(text)) {
    throw bad("invalid header: neon-connection-string");
  }
  try {
    return new URL(text);
  } catch {
    const hasScheme = /^[a-z][a-z0-9+.-]*:/i.test(text);
    const reason = hasScheme ? "empty host" : "relative URL without a base";
    throw bad(`invalid connection string: ${reason}`);
  }
}

function parseJson(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch (error) {
    throw bad(`could not parse the HTTP request body: ${(error as SyntaxError).message}`);
  }
}

/** Percent-decoding that leaves alone what is no escape, as a password may contain it. */
function decode(text: string): string {
  return text.replace(/(?:%[0-9a-f]{2})+/gi, (escapes) =>
    Buffer.from(escapes.replaceAll("%", ""), "hex").toString("utf8"),
  );
}

function isIsolationLevel(level: unknown): level is IsolationLevel {
  return typeof level === "string" && isolationLevels.includes(level);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function unmatched(): SqlOverHttpError {
  return bad("could not parse the HTTP request body: data did not match any variant of untagged enum Payload");
}

function bad(message: string): SqlOverHttpError {
  return new SqlOverHttpError(400, message);
}
