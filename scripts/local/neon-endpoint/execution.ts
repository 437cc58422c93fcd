import { setTimeout } from "node:timers/promises";

import { ConnectionError } from "./errors.ts";
import type { PostgresConnection } from "./postgres-connection.ts";
import type { IsolationLevel, Payload, RequestOptions, Statement } from "./request.ts";
import { ResultWriter } from "./result-writer.ts";

export interface ExecutionOptions extends RequestOptions {
  maxResponseBytes: number;
  /** Aborts when the client has gone: what runs is cancelled, and nothing more is begun. */
  signal: AbortSignal;
  /** The statement, counted from 0, at which to break the connection; past the last: at COMMIT. */
  breakAt: number | undefined;
}

const levelNames: Record<IsolationLevel, string> = {
  ReadUncommitted: "READ UNCOMMITTED",
  ReadCommitted: "READ COMMITTED",
  RepeatableRead: "REPEATABLE READ",
  Serializable: "SERIALIZABLE",
};
const nowhere = { begin() {}, describe() {}, addRow() {}, complete() {} };
const maxCancelAttempts = 20;
const cancelIntervalMilliseconds = 100;

/**
 * Runs one statement by itself, or a batch in one transaction, and gives the JSON to answer. Marks
 * the connection as spoiled where Neon would not use it again.
 *
 * @throws DatabaseError, ConnectionError, SqlOverHttpError 507, or the signal's reason
 */
export async function execute(
  connection: PostgresConnection,
  payload: Payload,
  options: ExecutionOptions,
): Promise<string> {
  const settled = new AbortController();
  const cancel = () => void cancelUntil(settled.signal, connection);
  options.signal.addEventListener("abort", cancel, { once: true });
  try {
    return await (payload.isBatch
      ? executeBatch(connection, payload.statements, options)
      : executeSingle(connection, payload.statements, options));
  } finally {
    settled.abort();
    options.signal.removeEventListener("abort", cancel);
    if (options.signal.aborted) connection.isSpoiled = true;
  }
}

async function executeSingle(
  connection: PostgresConnection,
  statements: Statement[],
  options: ExecutionOptions,
): Promise<string> {
  const writer = createWriter(options);
  try {
    await runStatements(connection, [], statements, writer, options);
  } catch (error) {
    connection.isSpoiled = true;
    throw error;
  }
  return writer.toString();
}

async function executeBatch(
  connection: PostgresConnection,
  statements: Statement[],
  options: ExecutionOptions,
): Promise<string> {
  const writer = createWriter(options);
  try {
    writer.write('{"results":[');
    await runStatements(connection, [startTransaction(options)], statements, writer, options);
    writer.write("]}");
  } catch (error) {
    // An answer to the statement's failure is due, whatever becomes of the rollback.
    await runOwnScript(connection, "ROLLBACK").catch(() => undefined);
    throw error;
  }
  if (options.breakAt !== undefined) connection.destroy();
  await runOwnScript(connection, "COMMIT");
  return writer.toString();
}

/** All at once, after those of our own: a fault that breaks the connection at one of them lets those before it run. */
async function runStatements(
  connection: PostgresConnection,
  own: string[],
  statements: Statement[],
  writer: ResultWriter,
  options: ExecutionOptions,
): Promise<void> {
  options.signal.throwIfAborted();
  const reached = statements.slice(0, options.breakAt);
  await connection.runStatements([
    ...own.map((text) => ({ text, values: [], sink: nowhere })),
    ...reached.map(({ query, params, arrayMode }, index) => ({
      text: query,
      values: params,
      sink: writer.sinkOf(index, arrayMode ?? options.arrayMode),
    })),
  ]);
  writer.check();
  options.signal.throwIfAborted();
  if (reached.length === statements.length) return;
  connection.destroy();
  throw new ConnectionError("connection closed");
}

async function runOwnScript(connection: PostgresConnection, text: string): Promise<void> {
  try {
    await connection.runScript(text);
  } catch (error) {
    connection.isSpoiled = true;
    throw error;
  }
}

function startTransaction(options: ExecutionOptions): string {
  const modes = [
    options.isolationLevel && `ISOLATION LEVEL ${levelNames[options.isolationLevel]}`,
    options.readOnly && "READ ONLY",
    options.deferrable && "DEFERRABLE",
  ];
  return `START TRANSACTION ${modes.filter(Boolean).join(", ")}`.trimEnd();
}

/** Asks again until it has worked: a request that arrives between two statements is lost. */
async function cancelUntil(settled: AbortSignal, connection: PostgresConnection): Promise<void> {
  for (let attempt = 0; attempt < maxCancelAttempts && !settled.aborted; attempt++) {
    await connection.cancel();
    await setTimeout(cancelIntervalMilliseconds, undefined, { signal: settled }).catch(() => undefined);
  }
  if (!settled.aborted) connection.destroy();
}

function createWriter(options: ExecutionOptions): ResultWriter {
  return new ResultWriter({ maxBytes: options.maxResponseBytes, rawText: options.rawText });
}
