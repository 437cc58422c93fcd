import type { Field } from "pg-protocol/dist/messages.js";

import { SqlOverHttpError } from "./errors.ts";
import type { StatementSink } from "./postgres-connection.ts";
import { textToJson } from "./text-values.ts";

/**
 * Writes the JSON of one answer as the rows arrive. Past the limit it keeps nothing more, but takes
 * every row, so that a statement always runs to its end.
 */
export class ResultWriter {
  readonly #maxBytes: number;
  readonly #rawText: boolean;
  #parts: string[] = [];
  #bytes = 0;
  #isTooLarge = false;
  #failure: unknown;
  #fields: Field[] = [];
  #keys: string[] = [];
  #arrayMode = false;
  #rows = 0;

  constructor(options: { maxBytes: number; rawText: boolean }) {
    this.#maxBytes = options.maxBytes;
    this.#rawText = options.rawText;
  }

  write(part: string): void {
    if (this.#isTooLarge) return;
    this.#parts.push(part);
    this.#bytes += Buffer.byteLength(part);
  }

  /** What takes the answer to one statement. */
  sinkOf(index: number, arrayMode: boolean): StatementSink {
    return {
      begin: () => {
        if (index > 0) this.write(",");
        this.#begin(arrayMode);
      },
      describe: (fields) => this.#describe(fields),
      addRow: (values) => this.#addRow(values),
      complete: (commandTag) => this.#complete(commandTag),
    };
  }

  /** @throws SqlOverHttpError 507 when the answer has become too large; ResultError */
  check(): void {
    if (this.#failure) throw this.#failure;
    if (this.#isTooLarge) {
      throw new SqlOverHttpError(507, `response is too large (max is ${this.#maxBytes} bytes)`);
    }
  }

  toString(): string {
    return this.#parts.join("");
  }

  #begin(arrayMode: boolean): void {
    this.#fields = [];
    this.#keys = [];
    this.#rows = 0;
    this.#arrayMode = arrayMode;
  }

  #describe(fields: Field[]): void {
    this.#fields = fields;
    this.#keys = fields.map((field) => JSON.stringify(field.name));
  }

  #addRow(values: (string | null)[]): void {
    if (this.#rows === 0) this.#writeHead();
    else this.write(",");
    this.#rows += 1;
    if (this.#isTooLarge) return;
    try {
      this.write(this.#rowToJson(values));
    } catch (error) {
      this.#failure ??= error;
    }
    if (this.#bytes > this.#maxBytes) {
      this.#isTooLarge = true;
      this.#parts = [];
    }
  }

  #complete(commandTag: string): void {
    if (this.#rows === 0) this.#writeHead();
    const { command, rowCount } = readCommandTag(commandTag);
    this.write(`],"command":${JSON.stringify(command)},"rowCount":${rowCount}}`);
  }

  #writeHead(): void {
    const fields = this.#fields.map((field) => ({
      name: field.name,
      dataTypeID: field.dataTypeID,
      tableID: field.tableID,
      columnID: field.columnID,
      dataTypeSize: field.dataTypeSize,
      dataTypeModifier: field.dataTypeModifier,
      format: "text",
    }));
    this.write(`{"rowAsArray":${this.#arrayMode},"fields":${JSON.stringify(fields)},"rows":[`);
  }

  /** By hand, since columns of the same name all stand in the object. */
  #rowToJson(values: (string | null)[]): string {
    const members = values.map((value, index) => {
      const json = this.#valueToJson(value, this.#fields[index]?.dataTypeID ?? 0);
      return this.#arrayMode ? json : `${this.#keys[index] ?? '""'}:${json}`;
    });
    return this.#arrayMode ? `[${members.join(",")}]` : `{${members.join(",")}}`;
  }

  #valueToJson(value: string | null, type: number): string {
    if (value === null) return "null";
    return this.#rawText ? JSON.stringify(value) : textToJson(value, type);
  }
}

function readCommandTag(tag: string): { command: string; rowCount: number | null } {
  const [command = "", ...rest] = tag.split(" ");
  // "INSERT 0 5" has an object id, always 0, before the count.
  const count = command === "INSERT" ? rest[1] : rest.join(" ");
  return { command, rowCount: count && /^\d+$/.test(count) ? Number(count) : null };
}
