import { invalidRequest, StripeError } from "./errors.ts";

export interface Answer {
  status: number;
  body: string;
}

interface Use {
  fingerprint: string;
  /** Absent while the first request with the key is being worked on. */
  answer?: Answer;
}

const maxKeyLength = 255;

/** The answers to requests with an `Idempotency-Key`: https://docs.stripe.com/api/idempotent_requests. */
export class IdempotencyKeys {
  readonly #uses = new Map<string, Use>();

  /**
   * The answer that this request has had before; none when it is the first, which then has to settle the key.
   *
   * @throws StripeError 409 while the first is being worked on, 400 when it was another request
   */
  claim(account: string, key: string, fingerprint: string): Answer | undefined {
    if (key.length > maxKeyLength) throw invalidRequest(`Idempotency keys have at most ${maxKeyLength} characters.`);
    const id = `${account} ${key}`;
    const use = this.#uses.get(id);
    if (!use) {
      this.#uses.set(id, { fingerprint });
      return undefined;
    }
    if (use.fingerprint !== fingerprint) {
      const message =
        "Keys for idempotent requests can only be used with the same parameters they were first used with. " +
        `Try using a key other than '${key}' if you meant to execute a different request.`;
      throw new StripeError(400, message, { type: "idempotency_error" });
    }
    if (use.answer) return use.answer;
    const message = `There is currently another in-progress request using this Idempotent Key: ${key}`;
    throw new StripeError(409, message, { type: "idempotency_error", code: "idempotency_key_in_use" });
  }

  /** Keeps the answer, or, when the request was never begun, frees the key. */
  settle(account: string, key: string, answer: Answer | undefined): void {
    const use = this.#uses.get(`${account} ${key}`);
    if (use && answer) use.answer = answer;
    else this.#uses.delete(`${account} ${key}`);
  }
}
