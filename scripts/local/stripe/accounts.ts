import { Account } from "./account.ts";
import { newAccountState, newEndpoint, type AccountState } from "./account-state.ts";
import { catchUp } from "./due.ts";
import { planDeliveries } from "./webhooks/deliveries.ts";

/** All accounts: one for each secret key that was ever used, made as it first is. */
export class Accounts {
  readonly #byKey = new Map<string, Account>();
  readonly #origin: string;
  /** Told after everything that may have changed something. */
  onChange: (account: Account) => void = () => undefined;

  constructor(origin: string, states: AccountState[] = []) {
    this.#origin = origin;
    for (const state of states) this.#add(state);
  }

  open(key: string): Account {
    return this.#byKey.get(key) ?? this.#add(newAccountState(key));
  }

  all(): Account[] {
    return [...this.#byKey.values()];
  }

  /** The account that has the object: the addresses of pages name no account. */
  owner(table: "checkoutSessions" | "portalSessions" | "invoices", id: string): Account | undefined {
    return this.all().find(({ state }) => state[table].has(id));
  }

  /** Does what is overdue and then the act, all in one go: nothing else happens in between. */
  act<T>(account: Account, act: () => T): T {
    try {
      catchUp(account);
      return act();
    } finally {
      this.onChange(account);
    }
  }

  catchUpAll(): void {
    for (const account of this.all()) this.act(account, () => undefined);
  }

  setWebhook(key: string, { url, secrets }: { url: string; secrets: string[] }): void {
    const account = this.open(key);
    this.act(account, () => {
      account.state.endpoint = { ...newEndpoint(secrets), url };
    });
  }

  #add(state: AccountState): Account {
    const account = new Account(state, this.#origin, planDeliveries);
    this.#byKey.set(state.key, account);
    return account;
  }
}
