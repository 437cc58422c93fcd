import type { IncomingMessage, ServerResponse } from "node:http";

import { answerJson, isRecord } from "../http.ts";
import { readObject } from "./http.ts";
import { bareAddress } from "./message.ts";
import type { MessageStore } from "./message-store.ts";

/** What one POST /emails has to suffer: first the wait, then the status, which stands for the answer. */
export interface Fault {
  delayMs: number;
  status: number | undefined;
  /** Never answers, until the client goes. */
  hang: boolean;
  /** Whether the mail is kept all the same, as when only the answer got lost. */
  afterStoring: boolean;
}

interface Order {
  fault: Fault;
  /** Any recipient when absent. */
  to: string | undefined;
  times: number;
}

const maxControlBytes = 64 * 1024;
const faultFields = new Set(["to", "status", "delayMs", "hang", "afterStoring", "times"]);

/** Counts requests and deals out faults, by recipient. */
export class Control {
  readonly #attempts = new Map<string, number>();
  #orders: Order[] = [];

  /** Counts an attempt, whatever becomes of it. */
  count(recipients: string[]): void {
    for (const to of recipients) this.#attempts.set(to, (this.#attempts.get(to) ?? 0) + 1);
  }

  takeFault(recipients: string[]): Fault | undefined {
    const order = this.#orders.find(({ to }) => to === undefined || recipients.includes(to));
    if (!order) return undefined;
    order.times -= 1;
    if (order.times === 0) this.#orders = this.#orders.filter((other) => other !== order);
    return order.fault;
  }

  /** Answers a control route; false where there is none of that method and path. */
  async handle(
    request: IncomingMessage,
    response: ServerResponse,
    target: { path: string; query: URLSearchParams; store: MessageStore },
  ): Promise<boolean> {
    const to = target.query.get("to");
    switch (`${request.method} ${target.path}`) {
      case "GET /control/messages":
        answerJson(response, 200, { messages: target.store.list(to) });
        return true;
      case "GET /control/requests":
        answerJson(response, 200, { count: this.#attempts.get(bareAddress(to ?? "")) ?? 0 });
        return true;
      case "POST /control/faults":
        this.#addOrder(response, await readObject(request, maxControlBytes));
        return true;
      case "DELETE /control/faults":
        this.#orders = this.#orders.filter((order) => to !== null && order.to !== bareAddress(to));
        answerJson(response, 204);
        return true;
      default:
        return false;
    }
  }

  #addOrder(response: ServerResponse, body: unknown): void {
    const order = readOrder(body);
    if (typeof order === "string") return answerJson(response, 400, { message: order });
    this.#orders.push(order);
    answerJson(response, 204);
  }
}

/** The order, or what is wrong with it: a misspelt fault must not make a test pass. */
function readOrder(body: unknown): Order | string {
  if (!isRecord(body)) return "an object is required";
  const unknown = Object.keys(body).find((name) => !faultFields.has(name));
  if (unknown) return `${unknown}: there is no such field`;
  const { to, status, delayMs = 0, hang = false, afterStoring = false, times = 1 } = body;
  if (to !== undefined && typeof to !== "string") return "to: a string is required";
  if (status !== undefined && !isWholeNumber(status, 400, 599)) return "status: 400 to 599 is required";
  if (!isWholeNumber(delayMs, 0, 3_600_000)) return "delayMs: a whole number is required";
  if (typeof hang !== "boolean") return "hang: true or false is required";
  if (typeof afterStoring !== "boolean") return "afterStoring: true or false is required";
  if (!isWholeNumber(times, 1, 1_000_000)) return "times: a whole number above 0 is required";
  if (status === undefined && delayMs === 0 && !hang) return "one of status, delayMs and hang is required";
  return { to: to === undefined ? undefined : bareAddress(to), times, fault: { status, delayMs, hang, afterStoring } };
}

function isWholeNumber(value: unknown, min: number, max: number): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= min && value <= max;
}
