import { createServer as createHttpServer, type Server as HttpServer } from "node:http";
import { connect, createServer, type Socket } from "node:net";

import { listenOnLoopback } from "./listen.ts";
import { ConnectionPool } from "./neon-endpoint/connection-pool.ts";
import { Control } from "./neon-endpoint/control.ts";
import type { PostgresAddress } from "./neon-endpoint/postgres-connection.ts";
import { answerRequest } from "./neon-endpoint/routes.ts";

export interface NeonEndpointOptions {
  /** The real Postgres behind it. */
  postgres: { host: string; port: number };
  /** 0 or absent: any free port. Only 127.0.0.1 is bound. */
  port?: number;
  /** Opens /control/requests and /control/faults, with which tests count requests and set faults. */
  control?: boolean;
  /** 10 MiB each when absent. */
  maxRequestBytes?: number;
  maxResponseBytes?: number;
}

export interface NeonEndpoint {
  port: number;
  /** Ends every connection, of clients and to Postgres, and cancels what still runs. */
  close(): Promise<void>;
}

const defaultMaxBytes = 10 * 1024 * 1024;
/** Node's 5 s would close idle connections under clients that are about to use them. */
const keepAliveMilliseconds = 150_000;

/**
 * Starts a stand-in for a Neon host. One port answers the SQL-over-HTTP protocol at /sql, and the
 * Postgres protocol (without TLS) to everything that begins like it.
 *
 * @throws Error when the port cannot be bound
 */
export async function startNeonEndpoint(options: NeonEndpointOptions): Promise<NeonEndpoint> {
  const pool = new ConnectionPool(options.postgres);
  const http = createSqlServer(pool, options);
  const sockets = new Set<Socket>();
  // Half-open, as a client may say that it has sent everything and still read the answer.
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    // Every error is followed by "close"; without a listener it would end the process.
    socket.on("error", () => undefined);
    routeByFirstByte(socket, http, options.postgres);
  });
  const port = await listenOnLoopback(server, options.port);

  const close = async (): Promise<void> => {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    for (const socket of sockets) socket.destroy();
    await Promise.all([closed, pool.close()]);
  };
  return { port, close };
}

function createSqlServer(pool: ConnectionPool, options: NeonEndpointOptions): HttpServer {
  const route = {
    pool,
    control: options.control ? new Control() : undefined,
    maxRequestBytes: options.maxRequestBytes ?? defaultMaxBytes,
    maxResponseBytes: options.maxResponseBytes ?? defaultMaxBytes,
  };
  return createHttpServer({ keepAliveTimeout: keepAliveMilliseconds }, (request, response) => {
    void answerRequest(request, response, route);
  });
}

/**
 * A Postgres start-up, TLS request or cancel request begins with the high byte of a length below
 * 16 MiB, so with 0; no HTTP request does.
 */
function routeByFirstByte(socket: Socket, http: HttpServer, postgres: PostgresAddress): void {
  const endEarly = () => socket.destroy();
  socket.once("end", endEarly);
  socket.once("data", (chunk: Buffer) => {
    socket.off("end", endEarly);
    socket.pause();
    socket.unshift(chunk);
    if (chunk[0] === 0) pipeToPostgres(socket, postgres);
    else http.emit("connection", socket);
    socket.resume();
  });
}

function pipeToPostgres(client: Socket, address: PostgresAddress): void {
  const postgres = connect({ ...address, allowHalfOpen: true, noDelay: true });
  postgres.on("error", () => undefined);
  postgres.once("close", () => client.destroy());
  client.once("close", () => postgres.destroy());
  client.pipe(postgres).pipe(client);
}
