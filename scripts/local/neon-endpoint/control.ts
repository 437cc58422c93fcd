import type { IncomingMessage, ServerResponse } from "node:http";

import { readBody } from "./request.ts";

/** One POST /sql as the tests see it. `status` is 0 while, and where, no answer was sent. */
export interface RecordedRequest {
  statements: { query: string; params: unknown[] }[];
  batch: boolean;
  readOnly: boolean;
  isolationLevel: string | null;
  status: number;
}

const faultNames = [
  "refuse",
  "delay",
  "drop-before",
  "drop-after",
  "drop-during",
  "error-500",
  "truncate",
  "not-json",
] as const;

/** What one request has to suffer. */
export interface Fault {
  name: (typeof faultNames)[number];
  /** For `drop-during`: the statement, counted from 0. */
  statement: number;
  /** For `delay`. */
  milliseconds: number;
}

const maxRequestsPerTag = 1_000;
const maxControlBytes = 64 * 1024;

/** Counts requests and deals out faults, by the `tag` in the client's connection string. */
export class Control {
  readonly #requests = new Map<string, RecordedRequest[]>();
  readonly #faults = new Map<string, { fault: Fault; times: number }[]>();

  /** Begins the record of a request; the caller completes it as it learns more. */
  record(tag: string): RecordedRequest {
    const entry: RecordedRequest = {
      statements: [],
      batch: false,
      readOnly: false,
      isolationLevel: null,
      status: 0,
    };
    const requests = this.#requests.get(tag) ?? [];
    this.#requests.set(tag, [...requests.slice(1 - maxRequestsPerTag), entry]);
    return entry;
  }

  takeFault(tag: string): Fault | undefined {
    const [first, ...later] = this.#faults.get(tag) ?? [];
    if (!first) return undefined;
    first.times -= 1;
    if (first.times === 0) this.#faults.set(tag, later);
    return first.fault;
  }

  /** Answers a control route; false where there is none of that method and path. */
  async handle(
    request: IncomingMessage,
    response: ServerResponse,
    target: { path: string; query: URLSearchParams },
  ): Promise<boolean> {
    const tag = target.query.get("tag") ?? "";
    switch (`${request.method} ${target.path}`) {
      case "GET /control/requests":
      case "DELETE /control/requests":
        answer(response, 200, { requests: this.#requests.get(tag) ?? [] });
        if (request.method === "DELETE") this.#requests.delete(tag);
        return true;
      case "POST /control/faults":
        this.#addFault(response, await readBody(request, maxControlBytes));
        return true;
      case "DELETE /control/faults":
        this.#faults.delete(tag);
        answer(response, 204);
        return true;
      default:
        return false;
    }
  }

  #addFault(response: ServerResponse, body: string): void {
    const order = readFaultOrder(body);
    if (typeof order === "string") return answer(response, 400, { message: order });
    const faults = this.#faults.get(order.tag) ?? [];
    this.#faults.set(order.tag, [...faults, { fault: order.fault, times: order.times }]);
    answer(response, 204);
  }
}

/** The order, or what is wrong with it: a misspelt fault must not make a test pass. */
function readFaultOrder(body: string): { tag: string; times: number; fault: Fault } | string {
  let order: Record<string, unknown>;
  try {
    order = JSON.parse(body) as Record<string, unknown>;
  } catch {
    return "not JSON";
  }
  const { tag, fault, times = 1, statement = 0, milliseconds = 0 } = order;
  const name = faultNames.find((known) => known === fault);
  if (typeof tag !== "string" || tag === "") return "tag: a string is required";
  if (!name) return `fault: one of ${faultNames.join(", ")} is required`;
  if (!isCount(times) || times === 0) return "times: a whole number above 0 is required";
  if (!isCount(statement)) return "statement: a whole number is required";
  if (!isCount(milliseconds)) return "milliseconds: a whole number is required";
  return { tag, times, fault: { name, statement, milliseconds } };
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function answer(response: ServerResponse, status: number, body?: unknown): void {
  if (body === undefined) return void response.writeHead(status).end();
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(body));
}
