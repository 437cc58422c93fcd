import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from "node:http";
import { setTimeout } from "node:timers/promises";

import type { ConnectionPool } from "./connection-pool.ts";
import type { Control, Fault, RecordedRequest } from "./control.ts";
import { describeError, SqlOverHttpError } from "./errors.ts";
import { execute } from "./execution.ts";
import { parsePayload, readBody, readCredentials, readOptions, readTag, type RequestOptions } from "./request.ts";

export interface SqlRouteOptions {
  pool: ConnectionPool;
  control: Control | undefined;
  maxRequestBytes: number;
  maxResponseBytes: number;
}
interface Answer {
  status: number;
  headers: OutgoingHttpHeaders;
  body: string;
}
interface Call extends SqlRouteOptions {
  request: IncomingMessage;
  record: RecordedRequest | undefined;
  fault: Fault | undefined;
  signal: AbortSignal;
}

/** The client gets no answer, only a closed connection. */
class Dropped extends Error {}

const json = { "content-type": "application/json" };
const badGateway: Answer = {
  status: 502,
  headers: { "content-type": "text/html" },
  body: "<html><head><title>502 Bad Gateway</title></head><body>502 Bad Gateway</body></html>",
};

/** Answers POST /sql. Never throws. */
export async function answerSql(
  request: IncomingMessage,
  response: ServerResponse,
  options: SqlRouteOptions,
): Promise<void> {
  const disconnect = new AbortController();
  response.once("close", () => {
    if (!response.writableFinished) disconnect.abort(new Dropped());
  });
  const tag = options.control && readTag(request.headers);
  const record = tag ? options.control?.record(tag) : undefined;
  const fault = tag ? options.control?.takeFault(tag) : undefined;
  const call = { ...options, request, record, fault, signal: disconnect.signal };

  let answer: Answer;
  try {
    answer = await run(call);
    if (fault?.name === "drop-after") throw new Dropped();
  } catch (error) {
    if (error instanceof Dropped || fault?.name === "drop-after") {
      return void request.socket.destroy();
    }
    const { status, body } = describeError(error);
    answer = { status, headers: json, body: JSON.stringify(body) };
  }
  if (disconnect.signal.aborted) return;
  if (record) record.status = answer.status;
  send(response, answer, fault?.name === "truncate");
}

async function run(call: Call): Promise<Answer> {
  const { request, record, fault } = call;
  if (fault?.name === "refuse") throw new Dropped();
  const credentials = readCredentials(request.headers);
  const options = readOptions(request.headers);
  const payload = parsePayload(await readBody(request, call.maxRequestBytes));
  if (record) {
    record.statements = payload.statements.map(({ query, params }) => ({ query, params }));
    record.batch = payload.isBatch;
    record.readOnly = options.readOnly;
    record.isolationLevel = options.isolationLevel ?? null;
  }
  if (fault?.name === "not-json") return badGateway;
  await sufferBeforeExecution(fault, call.signal);

  const connection = await call.pool.acquire(credentials);
  try {
    const body = await execute(connection, payload, {
      ...options,
      maxResponseBytes: call.maxResponseBytes,
      signal: call.signal,
      breakAt: fault?.name === "drop-during" ? fault.statement : undefined,
    });
    const echo = payload.isBatch ? echoBatchHeaders(options) : {};
    return { status: 200, headers: { ...json, ...echo }, body };
  } finally {
    call.pool.release(connection);
  }
}

async function sufferBeforeExecution(fault: Fault | undefined, signal: AbortSignal): Promise<void> {
  if (fault?.name === "drop-before") throw new Dropped();
  if (fault?.name === "error-500") {
    throw new SqlOverHttpError(500, "Couldn't connect to compute node");
  }
  if (fault?.name === "delay") await setTimeout(fault.milliseconds, undefined, { signal });
}

function echoBatchHeaders(options: RequestOptions): OutgoingHttpHeaders {
  return {
    ...(options.readOnly && { "neon-batch-read-only": "true" }),
    ...(options.deferrable && { "neon-batch-deferrable": "true" }),
    ...(options.isolationLevel && { "neon-batch-isolation-level": options.isolationLevel }),
  };
}

function send(response: ServerResponse, answer: Answer, isTruncated: boolean): void {
  const body = Buffer.from(answer.body);
  response.writeHead(answer.status, {
    ...answer.headers,
    "access-control-allow-origin": "*",
    "content-length": body.length,
  });
  if (!isTruncated) return void response.end(body);
  response.write(body.subarray(0, body.length / 2), () => response.destroy());
}
