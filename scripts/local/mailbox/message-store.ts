import { createHash, randomUUID } from "node:crypto";

import { ResendError } from "./errors.ts";
import { bareAddress, type Email, type Message } from "./message.ts";

const keptKeys = 100_000;
const keptKeyMilliseconds = 24 * 3_600_000;

interface UsedKey {
  id: string;
  digest: string;
  at: number;
}

/** The newest messages, in memory. */
export class MessageStore {
  readonly #maxMessages: number;
  readonly #usedKeys = new Map<string, UsedKey>();
  #messages: Message[] = [];
  #version = randomUUID();

  constructor(maxMessages: number) {
    this.#maxMessages = maxMessages;
  }

  /** Another text after each message, and after each start. */
  get version(): string {
    return this.#version;
  }

  /**
   * Keeps a mail. One with a key that was used in the last 24 hours is the one of then.
   *
   * @returns its id
   * @throws ResendError 409 when the key was used with another mail
   */
  add(email: Email, idempotencyKey: string | undefined): string {
    const digest = digestOf(email);
    const used = idempotencyKey === undefined ? undefined : this.#findKey(idempotencyKey);
    if (used && used.digest !== digest) {
      throw new ResendError(
        409,
        "invalid_idempotent_request",
        "This idempotency key has already been used on a request that had a different payload.",
      );
    }
    if (used) return used.id;
    const id = randomUUID();
    if (idempotencyKey !== undefined) this.#keepKey(idempotencyKey, { id, digest, at: Date.now() });
    const message = { ...email, id, idempotencyKey: idempotencyKey ?? null, receivedAt: new Date().toISOString() };
    this.#messages = [...this.#messages, message].slice(-this.#maxMessages);
    this.#version = randomUUID();
    return id;
  }

  find(id: string): Message | undefined {
    return this.#messages.find((message) => message.id === id);
  }

  /** Oldest first; to one address when it is given. */
  list(to?: string | null): Message[] {
    if (!to) return this.#messages;
    const address = bareAddress(to);
    return this.#messages.filter((message) => message.to.some((mailbox) => bareAddress(mailbox) === address));
  }

  #findKey(key: string): UsedKey | undefined {
    const used = this.#usedKeys.get(key);
    return used && Date.now() - used.at < keptKeyMilliseconds ? used : undefined;
  }

  #keepKey(key: string, used: UsedKey): void {
    // Out and in again, as a Map keeps the place of a key that is set once more.
    this.#usedKeys.delete(key);
    this.#usedKeys.set(key, used);
    const [oldest] = this.#usedKeys.keys();
    if (this.#usedKeys.size > keptKeys && oldest !== undefined) this.#usedKeys.delete(oldest);
  }
}

// The order of members says nothing about a mail; its own fields always come in one, headers do not.
function digestOf({ headers, ...email }: Email): string {
  const sorted = Object.entries(headers).toSorted(([one], [other]) => (one < other ? -1 : 1));
  return createHash("sha256")
    .update(JSON.stringify([email, sorted]))
    .digest("base64");
}
