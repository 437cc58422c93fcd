import type { Server as HttpServer } from "node:http";
import type { AddressInfo, Server } from "node:net";

/**
 * Binds the server to 127.0.0.1.
 *
 * @param port any free one when 0 or absent
 * @returns the port
 * @throws Error when it cannot be bound
 */
export async function listenOnLoopback(server: Server, port = 0): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  });
  // A TCP server's address is an object; only pipes have a string.
  return (server.address() as AddressInfo).port;
}

/** Ends it with all that is connected to it, and waits until its port is free. */
export async function closeServer(server: HttpServer): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeAllConnections();
  await closed;
}
