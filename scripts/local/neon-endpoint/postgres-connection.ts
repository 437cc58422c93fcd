import { connect, type Socket } from "node:net";

import { DatabaseError, serialize } from "pg-protocol";
import type { BackendMessage, Field } from "pg-protocol/dist/messages.js";
import { Parser } from "pg-protocol/dist/parser.js";

import { hashMd5Password, ScramExchange } from "./authentication.ts";
import type { PostgresMessage } from "./backend-message.ts";
import { ConnectionError } from "./errors.ts";

export interface PostgresAddress {
  host: string;
  port: number;
}
export interface Credentials {
  user: string;
  password: string;
  database: string;
}
/** One statement, and what takes its answer, in the order of the wire. Nothing of it may throw. */
export interface SinkedStatement {
  text: string;
  values: (string | null)[];
  sink: StatementSink;
}
export interface StatementSink {
  begin(): void;
  describe(fields: Field[]): void;
  addRow(values: (string | null)[]): void;
  complete(commandTag: string): void;
}
type Receive = (message: PostgresMessage) => void;
interface Exchange {
  receive: Receive;
  resolve(): void;
  reject(error: Error): void;
  error?: Error;
}

const maxParameters = 65_535;
const closeMilliseconds = 1_000;

/** One connection to Postgres, for one exchange at a time. Its failures never become events. */
export class PostgresConnection {
  readonly credentials: Credentials;
  /** Settles when the socket is gone. */
  readonly closing: Promise<void>;
  /** Set where the state of the session is unknown, so that nobody else may have it. */
  isSpoiled = false;
  isClosed = false;
  readonly #address: PostgresAddress;
  readonly #socket: Socket;
  readonly #parser = new Parser();
  #exchange: Exchange | undefined;
  #status = "";
  #processId = 0;
  #secretKey = 0;

  constructor(address: PostgresAddress, credentials: Credentials) {
    this.#address = address;
    this.credentials = credentials;
    this.#socket = connect({ ...address, noDelay: true });
    this.#socket.on("data", (chunk) => this.#parse(chunk));
    // Every error is followed by "close", which is where it is dealt with.
    this.#socket.on("error", () => undefined);
    this.closing = new Promise((resolve) => {
      this.#socket.once("close", () => {
        this.#leaveExchange()?.(new ConnectionError("connection closed"));
        resolve();
      });
    });
  }

  /** No transaction is open and the session's state is known. */
  get isReusable(): boolean {
    return !this.isSpoiled && !this.isClosed && this.#status === "I";
  }

  /** @throws DatabaseError when Postgres refuses; ConnectionError when it cannot be reached. */
  async start(): Promise<void> {
    const { user, password, database } = this.credentials;
    if (`${user}${password}${database}`.includes("\0")) {
      this.destroy();
      throw new ConnectionError("error encoding message to server: string contains embedded null");
    }
    const scram = new ScramExchange(password);
    await this.#run(serialize.startup({ user, database }), (message) => {
      this.#authenticate(message, scram).catch((error: Error) => this.#fail(error));
    });
  }

  /**
   * Runs statements by the extended protocol: unnamed statements, untyped text parameters. All are sent at once, and Postgres
   * passes over those that follow one that fails.
   *
   * @throws DatabaseError, or ConnectionError without a SQLSTATE
   */
  async runStatements(statements: SinkedStatement[]): Promise<void> {
    const messages = statements.flatMap(serializeStatement);
    const answering = statements.values();
    let sink: StatementSink | undefined;
    await this.#run(Buffer.concat([...messages, serialize.sync()]), (message) => {
      if (message.name === "parseComplete") {
        sink = answering.next().value?.sink;
        sink?.begin();
      } else if (sink) {
        this.#deliver(message, sink);
      }
    });
  }

  /** Runs statements by the simple protocol, where several may stand in one text. */
  async runScript(text: string): Promise<void> {
    await this.#run(serialize.query(text), () => undefined);
  }

  /** Asks Postgres to cancel what this connection runs; settles when it has taken note. */
  async cancel(): Promise<void> {
    await new Promise<void>((resolve) => {
      const socket = connect(this.#address, () => {
        socket.end(serialize.cancel(this.#processId, this.#secretKey));
      });
      socket.on("error", () => undefined);
      socket.setTimeout(closeMilliseconds, () => socket.destroy());
      socket.once("close", () => resolve());
      socket.resume();
    });
  }

  /** Says goodbye and waits, one second at most, until the backend has gone. */
  async close(): Promise<void> {
    this.isClosed = true;
    const timer = setTimeout(() => this.#socket.destroy(), closeMilliseconds);
    this.#socket.end(serialize.end());
    await this.closing;
    clearTimeout(timer);
  }

  destroy(): void {
    this.isClosed = true;
    this.#socket.destroy();
  }

  #run(bytes: Buffer, receive: Receive): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.isClosed) return reject(new ConnectionError("connection closed"));
      this.#exchange = { receive, resolve, reject };
      this.#socket.write(bytes);
    });
  }

  #parse(chunk: Buffer): void {
    try {
      this.#parser.parse(chunk, (message) => this.#receive(message));
    } catch (error) {
      this.#fail(new ConnectionError(`error parsing response from server: ${String(error)}`));
    }
  }

  #receive(base: BackendMessage): void {
    if (base instanceof DatabaseError) {
      // The exchange ends with ReadyForQuery, or with the close that follows a FATAL error.
      if (this.#exchange) this.#exchange.error ??= base;
      return;
    }
    // The parser types the common base only.
    const message = base as PostgresMessage;
    if (message.name === "readyForQuery") {
      this.#status = message.status;
      const exchange = this.#exchange;
      this.#exchange = undefined;
      if (exchange?.error) exchange.reject(exchange.error);
      else exchange?.resolve();
    } else {
      this.#exchange?.receive(message);
    }
  }

  #deliver(message: PostgresMessage, sink: StatementSink): void {
    switch (message.name) {
      case "rowDescription":
        return sink.describe(message.fields);
      case "dataRow":
        return sink.addRow(message.fields);
      case "commandComplete":
        return sink.complete(message.text);
      case "emptyQuery":
        return sink.complete("");
      case "copyInResponse":
      case "copyOutResponse":
        return this.#fail(new ConnectionError("unexpected message from server"));
    }
  }

  async #authenticate(message: PostgresMessage, scram: ScramExchange): Promise<void> {
    const { user, password } = this.credentials;
    switch (message.name) {
      case "authenticationCleartextPassword":
        this.#socket.write(serialize.password(password));
        return;
      case "authenticationMD5Password": {
        const hash = hashMd5Password(user, password, message.salt);
        this.#socket.write(serialize.password(hash));
        return;
      }
      case "authenticationSASL": {
        const first = scram.firstMessage();
        this.#socket.write(serialize.sendSASLInitialResponseMessage(scram.mechanism, first));
        return;
      }
      case "authenticationSASLContinue": {
        const final = await scram.finalMessage(message.data);
        this.#socket.write(serialize.sendSCRAMClientFinalMessage(final));
        return;
      }
      case "authenticationSASLFinal":
        return scram.verify(message.data);
      case "backendKeyData":
        this.#processId = message.processID;
        this.#secretKey = message.secretKey;
    }
  }

  #fail(error: Error): void {
    if (this.#exchange) this.#exchange.error ??= error;
    this.destroy();
  }

  #leaveExchange(): ((error: Error) => void) | undefined {
    this.isClosed = true;
    const exchange = this.#exchange;
    this.#exchange = undefined;
    return exchange && ((error) => exchange.reject(exchange.error ?? error));
  }
}

function serializeStatement({ text, values }: SinkedStatement): Buffer[] {
  if (text.includes("\0")) {
    throw new ConnectionError("error encoding message to server: string contains embedded null");
  }
  if (values.length > maxParameters) {
    throw new ConnectionError("error encoding message to server: value too large to transmit");
  }
  return [
    serialize.parse({ text }),
    serialize.describe({ type: "S" }),
    serialize.bind({ values }),
    serialize.execute(),
  ];
}
