import { Stripe } from "stripe";

import type { AccountState, Card } from "./account-state.ts";
import { resourceMissing } from "./errors.ts";
import { newId } from "./ids.ts";
import { day, type Event, type EventType } from "./objects.ts";

/** What an operation is done for, as its events tell. */
export interface Cause {
  id: string | null;
  idempotency_key: string | null;
}

type Listener = (account: Account, event: Event) => void;

type TableName = {
  [N in keyof AccountState]: AccountState[N] extends Map<string, { id: string }> ? N : never;
}[keyof AccountState];
type Row<N extends TableName> = AccountState[N] extends Map<string, infer T> ? T : never;

const keptEventSeconds = 30 * day;

/** The objects of one secret key, its clock, and the events that changes to them emit. */
export class Account {
  readonly state: AccountState;
  /** Where this server is, for the addresses of its pages. */
  readonly origin: string;
  cause: Cause = { id: null, idempotency_key: null };
  readonly #onEvent: Listener;
  #asOf: number | null = null;

  constructor(state: AccountState, origin: string, onEvent: Listener) {
    this.state = state;
    this.origin = origin;
    this.#onEvent = onEvent;
  }

  /** In seconds: while what is overdue gets done, when it was due. */
  now(): number {
    return this.#asOf ?? this.clockTime();
  }

  clockTime(): number {
    const { frozen, offset } = this.state.clock;
    return frozen ?? Math.floor(Date.now() / 1000) + offset;
  }

  /** Does something as of an earlier time. */
  doAt(time: number, act: () => void): void {
    const before = this.#asOf;
    this.#asOf = time;
    try {
      act();
    } finally {
      this.#asOf = before;
    }
  }

  /** @throws StripeError 404, or 400 when the id came as a parameter */
  find<N extends TableName>(table: N, kind: string, id: string, param = "id"): Row<N> {
    // A union of tables has no common type of rows; TableName and Row take it from the one that is meant.
    const row = (this.state[table] as unknown as Map<string, Row<N>>).get(id);
    if (!row) throw resourceMissing(kind, id, param);
    return row;
  }

  card(customer: string | null): Card | undefined {
    return customer === null ? undefined : this.state.cards.get(customer);
  }

  emit(type: EventType, object: object, before?: object): void {
    const event = {
      id: newId("evt_"),
      object: "event",
      api_version: Stripe.API_VERSION,
      created: this.now(),
      data: {
        object: structuredClone(object),
        ...(before && { previous_attributes: previousAttributes(before, object) }),
      },
      livemode: false,
      pending_webhooks: 0,
      request: this.cause,
      type,
    } satisfies Event;
    this.state.events.set(event.id, event);
    this.#forgetOldEvents();
    this.#onEvent(this, event);
  }

  /** Changes an object and emits `type` with what its fields were before; nothing when it comes to the same. */
  change<T extends object>(object: T, type: EventType, change: (object: T) => void): void {
    const before = structuredClone(object);
    change(object);
    if (JSON.stringify(before) !== JSON.stringify(object)) this.emit(type, object, before);
  }

  /** With their deliveries, but for those that somebody still waits for. */
  #forgetOldEvents(): void {
    const oldest = this.now() - keptEventSeconds;
    const forgotten = new Set<string>();
    for (const [id, { created }] of this.state.events) {
      if (created >= oldest) break;
      this.state.events.delete(id);
      forgotten.add(id);
    }
    if (forgotten.size === 0) return;
    for (const [id, { event, state }] of this.state.deliveries) {
      if (forgotten.has(event) && state !== "waiting" && state !== "taken") this.state.deliveries.delete(id);
    }
  }
}

/** The changed fields as they were; of plain objects only the changed members. */
function previousAttributes(before: object, after: object): object {
  const now = new Map<string, unknown>(Object.entries(after));
  const changed = Object.entries(before).filter(([name, old]) => JSON.stringify(old) !== JSON.stringify(now.get(name)));
  const added = [...now.keys()].filter((name) => !(name in before)).map((name) => [name, null] as const);
  return Object.fromEntries([
    ...changed.map(([name, old]: [string, unknown]) => {
      const value = now.get(name);
      return [name, isPlain(old) && isPlain(value) ? previousAttributes(old, value) : old] as const;
    }),
    ...added,
  ]);
}

function isPlain(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
