import { chmodSync, existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";

import { newAccountState, type AccountState } from "./account-state.ts";
import type { Account } from "./account.ts";

const saveDelayMilliseconds = 200;

/** The accounts in a file, so that a restart finds them again. */
export class SavedState {
  readonly #file: string;
  #timer: NodeJS.Timeout | undefined;

  constructor(file: string) {
    this.#file = file;
  }

  /** @throws Error when the file is there and cannot be read */
  load(): AccountState[] {
    if (!existsSync(this.#file)) return [];
    // What `save` has written; tables that a newer model has besides are empty.
    const states = JSON.parse(readFileSync(this.#file, "utf8"), revive) as AccountState[];
    return states.map((state) => restore({ ...newAccountState(state.key), ...state }));
  }

  /** Saves soon, and once for all that happens until then. */
  saveSoon(accounts: () => Account[]): void {
    this.#timer ??= setTimeout(() => this.save(accounts()), saveDelayMilliseconds).unref();
  }

  /** Whole or not at all: a crash leaves the file as it was before. */
  save(accounts: Account[]): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const temporary = `${this.#file}.new`;
    const states = accounts.map(({ state }) => state);
    writeFileSync(temporary, JSON.stringify(states, replace), { mode: 0o600 });
    // The mode above is for new files only.
    chmodSync(temporary, 0o600);
    renameSync(temporary, this.#file);
  }
}

/** What was one object is one again, and what was being sent has to be sent anew. */
function restore(state: AccountState): AccountState {
  for (const { items } of state.subscriptions.values()) {
    for (const item of items.data) item.price = state.prices.get(item.price.id) ?? item.price;
  }
  if (!state.endpoint?.url) return state;
  for (const delivery of state.deliveries.values()) {
    if (delivery.state === "waiting" || delivery.state === "taken") {
      Object.assign(delivery, { state: "waiting", attempts: 0 });
    }
  }
  return state;
}

function replace(_: string, value: unknown): unknown {
  return value instanceof Map ? { $map: [...value] } : value;
}

function revive(_: string, value: unknown): unknown {
  const isMap = typeof value === "object" && value !== null && "$map" in value && Array.isArray(value.$map);
  // Entries, as `replace` has written them.
  return isMap ? new Map(value.$map as [string, unknown][]) : value;
}
