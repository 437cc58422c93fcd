import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";

/** What one organization, named like its Idempotency-Key, was promised with a 201. */
type Promises = ReadonlyMap<string, string>;

/** How many create at once. */
export const clients = 8;

/** Clients that create organizations, one after the other, and repeat each until it is acknowledged. */
export class Load {
  /** The organization's id by its key. */
  readonly acknowledged = new Map<string, string>();
  /** Answers that asked for a repetition. */
  unconfirmed = 0;
  /** Acknowledgements of what had been done before, unanswered. */
  replayed = 0;
  /** Answers that the service must not give. */
  readonly unexpected: string[] = [];
  readonly #url: string;
  readonly #token: string;
  readonly #clients: Promise<void>[];
  #isOver = false;

  constructor(url: string, token: string) {
    this.#url = url;
    this.#token = token;
    this.#clients = Array.from({ length: clients }, () => this.#run());
  }

  /** Lets each client end what it has begun. */
  async stop(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#clients);
  }

  async #run(): Promise<void> {
    while (!this.#isOver && this.unexpected.length === 0) await this.#create(randomUUID());
  }

  async #create(key: string): Promise<void> {
    const end = Date.now() + 60_000;
    while (Date.now() < end) {
      const outcome = await this.#send(key);
      if (outcome === "acknowledged") return;
      if (outcome !== "unconfirmed") return void this.unexpected.push(outcome);
      this.unconfirmed += 1;
      await sleep(25);
    }
    this.unexpected.push("no acknowledgement within a minute");
  }

  async #send(key: string): Promise<string> {
    try {
      const response = await fetch(`${this.#url}/v1/organizations`, {
        method: "POST",
        headers: {
          authorization: `Bearer ${this.#token}`,
          "content-type": "application/json",
          "idempotency-key": key,
        },
        body: JSON.stringify({ name: key }),
      });
      const body = (await response.json()) as { id: string; code: string };
      if (response.status === 503 && body.code === "unavailable") return "unconfirmed";
      if (response.status !== 201) return `${response.status} ${JSON.stringify(body)}`;
      this.acknowledged.set(key, body.id);
      if (response.headers.get("idempotent-replayed") === "true") this.replayed += 1;
      return "acknowledged";
    } catch (error) {
      return `no answer: ${String(error)}`;
    }
  }
}

/** Where what is stored differs from what was promised: no key may be in any of these. */
export interface Differences {
  lost: string[];
  twice: string[];
  unknown: string[];
}

export function compare(promises: Promises, stored: { id: string; name: string }[]): Differences {
  const ids = Map.groupBy(stored, ({ name }) => name);
  return {
    lost: [...promises].filter(([key, id]) => !ids.get(key)?.some((row) => row.id === id)).map(([key]) => key),
    twice: [...ids].filter(([, rows]) => rows.length > 1).map(([key]) => key),
    unknown: [...ids.keys()].filter((key) => !promises.has(key)),
  };
}
