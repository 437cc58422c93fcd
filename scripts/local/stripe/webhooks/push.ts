import { setTimeout as sleep } from "node:timers/promises";

import type { Delivery } from "../account-state.ts";
import type { Account } from "../account.ts";
import { settleDelivery, signDelivery, waitingDeliveries } from "./deliveries.ts";

const timeoutMilliseconds = 20_000;

/** Sends what waits to the accounts' endpoints, of each account one after another. */
export class Pusher {
  readonly #running = new Set<Account>();
  readonly #closed = new AbortController();

  /** Begins to send, unless that is going on anyway. */
  push(account: Account): void {
    if (account.state.endpoint?.url && !this.#running.has(account)) void this.#run(account);
  }

  close(): void {
    this.#closed.abort();
  }

  async #run(account: Account): Promise<void> {
    this.#running.add(account);
    try {
      // Later, so that whatever the request is doing gets its deliveries into the same window.
      await sleep(0);
      for (let batch = next(account); batch.length > 0; batch = next(account)) {
        for (const delivery of batch) await this.#send(account, delivery);
      }
    } catch {
      // Closing ends the waits in between; what was not sent still waits.
    } finally {
      this.#running.delete(account);
    }
  }

  /** Its first attempt; the others come by themselves, and hold up nobody. */
  async #send(account: Account, delivery: Delivery): Promise<void> {
    const { signal } = this.#closed;
    const delayMs = account.state.endpoint?.faults.delayMs ?? 0;
    if (delayMs > 0) await sleep(delayMs, undefined, { signal });
    await this.#attempt(account, delivery);
    if (isOpen(delivery)) void this.#retry(account, delivery).catch(() => undefined);
  }

  async #retry(account: Account, delivery: Delivery): Promise<void> {
    const { signal } = this.#closed;
    while (isOpen(delivery)) {
      const delays = account.state.endpoint?.retryDelaysMs ?? [];
      await sleep(delays[delivery.attempts - 1] ?? delays.at(-1) ?? 0, undefined, { signal });
      await this.#attempt(account, delivery);
    }
  }

  async #attempt(account: Account, delivery: Delivery): Promise<void> {
    const url = account.state.endpoint?.url;
    if (!url) return;
    delivery.state = "taken";
    const { headers, body } = signDelivery(account, delivery);
    const signal = AbortSignal.any([this.#closed.signal, AbortSignal.timeout(timeoutMilliseconds)]);
    const status = await fetch(url, { method: "POST", headers, body, redirect: "manual", signal }).then(
      async (response) => {
        await response.body?.cancel();
        return response.status;
      },
      () => 0,
    );
    settleDelivery(delivery, status);
  }
}

/** Those that nobody has tried to send, in their order. */
function next(account: Account): Delivery[] {
  if (!account.state.endpoint?.url) return [];
  return waitingDeliveries(account).filter(({ attempts }) => attempts === 0);
}

function isOpen({ state }: Delivery): boolean {
  return state === "waiting";
}
