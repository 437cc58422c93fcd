import { ConnectionError, describeConnectFailure } from "./errors.ts";
import { PostgresConnection, type Credentials, type PostgresAddress } from "./postgres-connection.ts";

const maxIdle = 20;
const resetSession = `ROLLBACK; CLOSE ALL; SET SESSION AUTHORIZATION DEFAULT; RESET ALL;
  DEALLOCATE ALL; UNLISTEN *; SELECT pg_advisory_unlock_all(); DISCARD TEMP; DISCARD SEQUENCES`;

interface IdleConnection {
  connection: PostgresConnection;
  /** Whether the reset that began when the connection came back has succeeded. */
  reset: Promise<boolean>;
}

/**
 * Idle connections for each user and database, the last returned first. Where none is idle a new
 * one is opened, without an upper limit of its own.
 */
export class ConnectionPool {
  readonly #address: PostgresAddress;
  readonly #idle = new Map<string, IdleConnection[]>();
  readonly #open = new Set<PostgresConnection>();
  #isClosed = false;

  constructor(address: PostgresAddress) {
    this.#address = address;
  }

  /** @throws SqlOverHttpError when Postgres refuses the credentials or cannot be reached */
  async acquire(credentials: Credentials): Promise<PostgresConnection> {
    for (;;) {
      const idle = this.#takeIdle(credentials);
      if (!idle) break;
      if ((await idle.reset) && !idle.connection.isClosed) return idle.connection;
      idle.connection.destroy();
    }
    return this.#connect(credentials);
  }

  /** Takes a connection back: to be reset for the next user, or to be ended. */
  release(connection: PostgresConnection): void {
    const idle = this.#idleFor(connection.credentials);
    if (!connection.isReusable || this.#isClosed) return connection.destroy();
    if (idle.length >= maxIdle) return void connection.close();
    const reset = connection.runScript(resetSession).then(
      () => true,
      () => false,
    );
    idle.push({ connection, reset });
  }

  /** Ends every connection; what still runs is cancelled. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const idle = new Set([...this.#idle.values()].flat().map((entry) => entry.connection));
    const ends = [...this.#open].map(async (connection) => {
      if (idle.has(connection)) return connection.close();
      await connection.cancel();
      connection.destroy();
      await connection.closing;
    });
    await Promise.all(ends);
  }

  #takeIdle(credentials: Credentials): IdleConnection | undefined {
    const idle = this.#idleFor(credentials);
    const index = idle.findLastIndex(({ connection }) => connection.credentials.password === credentials.password);
    return index === -1 ? undefined : idle.splice(index, 1)[0];
  }

  async #connect(credentials: Credentials): Promise<PostgresConnection> {
    const connection = new PostgresConnection(this.#address, credentials);
    this.#open.add(connection);
    void connection.closing.then(() => this.#forget(connection));
    try {
      await connection.start();
      if (this.#isClosed) throw new ConnectionError("connection closed");
    } catch (error) {
      connection.destroy();
      throw describeConnectFailure(error, credentials.user);
    }
    this.#dropOtherPasswords(credentials);
    return connection;
  }

  /** A password that Postgres has just accepted makes one that was accepted before it stale. */
  #dropOtherPasswords(credentials: Credentials): void {
    for (const { connection } of this.#idleFor(credentials)) {
      if (connection.credentials.password !== credentials.password) connection.destroy();
    }
  }

  #forget(connection: PostgresConnection): void {
    this.#open.delete(connection);
    const idle = this.#idleFor(connection.credentials);
    const index = idle.findIndex((entry) => entry.connection === connection);
    if (index !== -1) idle.splice(index, 1);
  }

  #idleFor({ user, database }: Credentials): IdleConnection[] {
    const key = JSON.stringify([user, database]);
    const idle = this.#idle.get(key) ?? [];
    this.#idle.set(key, idle);
    return idle;
  }
}
