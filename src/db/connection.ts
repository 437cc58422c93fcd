import { neon, neonConfig } from "@neondatabase/serverless";
import type { BatchItem } from "drizzle-orm/batch";
import { drizzle, type NeonHttpDatabase } from "drizzle-orm/neon-http";
import { isLocalHost } from "../env.ts";
import { isRetryable, toAppError } from "./errors.ts";

/** One HTTP request to the database may take this long, a cold start of Neon included. */
const TIMEOUT_MS = 5_000;

/** Waits before the attempts after the first, in milliseconds; a little chance is added to each. */
const RETRY_DELAYS_MS = [100, 400];

export type Query = BatchItem<"pg">;

/** Builds queries and cannot run them: what is not handed to a batch never reaches the database. */
export const builder = drizzle.mock();

/** What the database cost a request: for Server-Timing, the log line and the tests. */
export interface DatabaseMeter {
  requests: number;
  milliseconds: number;
}

neonConfig.fetchFunction = (url: string, init: RequestInit) =>
  fetch(url, { ...init, signal: AbortSignal.timeout(TIMEOUT_MS) });

const connections = new Map<string, NeonHttpDatabase>();

function connect(url: string, readOnly: boolean): NeonHttpDatabase {
  const name = `${readOnly ? "r" : "w"}${url}`;
  let connection = connections.get(name);
  if (!connection) {
    if (isLocalHost(new URL(url).hostname)) {
      neonConfig.fetchEndpoint = (_host, port) => `http://127.0.0.1:${port}/sql`;
    }
    connection = drizzle(neon(url, { readOnly, isolationLevel: "ReadCommitted" }));
    connections.set(name, connection);
  }
  return connection;
}

/** What a request to the database needs to know of the one that it is for. */
interface SendOptions {
  url: string;
  /** Whether what it does can be done twice. */
  readOnly: boolean;
  meter: DatabaseMeter;
}

/**
 * Sends a transaction, and again where nothing can have been done of it.
 *
 * @param isReadOnly whether Postgres refuses to write in it.
 * @throws AppError as the database's SQLSTATE says; `unavailable` when it did not answer.
 */
export async function send(options: SendOptions, isReadOnly: boolean, batch: [Query, ...Query[]]): Promise<unknown[]> {
  const connection = connect(options.url, isReadOnly);
  const started = Date.now();
  try {
    for (let attempt = 0; ; attempt++) {
      options.meter.requests++;
      try {
        return await connection.batch(batch);
      } catch (error) {
        const delay = RETRY_DELAYS_MS[attempt];
        const late = Date.now() - started >= TIMEOUT_MS - 1_000;
        if (delay === undefined || late || !isRetryable(error, options.readOnly)) {
          throw toAppError(error, options.readOnly);
        }
        await new Promise((resolve) => setTimeout(resolve, delay * (1 + Math.random() / 4)));
      }
    }
  } finally {
    options.meter.milliseconds += Date.now() - started;
  }
}
