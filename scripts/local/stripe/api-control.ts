/** One request to the API, as tests see it. `status` is 0 while, and where, no answer was sent. */
export interface RecordedRequest {
  method: string;
  path: string;
  idempotencyKey: string | null;
  requestId: string;
  status: number;
}

/** What one request to the API has to suffer: the wait, then one of the others. */
export interface ApiFault {
  delayMs: number;
  /** Stands for the answer. */
  status: number | undefined;
  /** Closes the connection instead of answering. */
  drop: boolean;
  /** Whether the request is done all the same. */
  afterDoing: boolean;
}

export interface ApiFaultOrder {
  fault: ApiFault;
  /** Any when absent. */
  method: string | undefined;
  /** A prefix. */
  path: string;
  times: number;
}

const maxRequests = 2_000;

/** Counts the API's requests and deals out faults, by account. */
export class ApiControl {
  readonly #requests = new Map<string, RecordedRequest[]>();
  readonly #orders = new Map<string, ApiFaultOrder[]>();

  record(key: string, request: RecordedRequest): void {
    this.#requests.set(key, [...this.requests(key).slice(1 - maxRequests), request]);
  }

  requests(key: string): RecordedRequest[] {
    return this.#requests.get(key) ?? [];
  }

  forgetRequests(key: string): void {
    this.#requests.delete(key);
  }

  addFault(key: string, order: ApiFaultOrder): void {
    this.#orders.set(key, [...(this.#orders.get(key) ?? []), order]);
  }

  forgetFaults(key: string): void {
    this.#orders.delete(key);
  }

  takeFault(key: string, method: string, path: string): ApiFault | undefined {
    const orders = this.#orders.get(key) ?? [];
    const order = orders.find(
      (other) => (other.method === undefined || other.method === method) && path.startsWith(other.path),
    );
    if (!order) return undefined;
    order.times -= 1;
    if (order.times === 0) {
      this.#orders.set(
        key,
        orders.filter((other) => other !== order),
      );
    }
    return order.fault;
  }
}
