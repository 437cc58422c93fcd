interface ErrorDetails {
  type?: "invalid_request_error" | "card_error" | "idempotency_error" | "api_error";
  code?: string;
  param?: string;
  decline_code?: string;
}

/** An error of Stripe's API: https://docs.stripe.com/api/errors. */
export class StripeError extends Error {
  override readonly name = "StripeError";
  readonly status: number;
  readonly details: ErrorDetails;

  constructor(status: number, message: string, details: ErrorDetails = {}) {
    super(message);
    this.status = status;
    this.details = details;
  }

  toJSON(): { error: ErrorDetails & { message: string } } {
    return { error: { type: "invalid_request_error", message: this.message, ...this.details } };
  }
}

/** A request that cannot be done as it is; `param` is what has to change. */
export function invalidRequest(message: string, param?: string, code?: string): StripeError {
  return new StripeError(400, message, { ...(param && { param }), ...(code && { code }) });
}

/** 404 for what the path names, 400 for what a parameter does. */
export function resourceMissing(kind: string, id: string, param = "id"): StripeError {
  return new StripeError(param === "id" ? 404 : 400, `No such ${kind}: '${id}'`, { code: "resource_missing", param });
}

export function cardDeclined(): StripeError {
  const details = { type: "card_error", code: "card_declined", decline_code: "generic_decline" } as const;
  return new StripeError(402, "Your card was declined.", details);
}
