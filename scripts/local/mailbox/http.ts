import type { IncomingMessage } from "node:http";

import { isRecord, readBody } from "../http.ts";
import { ResendError } from "./errors.ts";

/**
 * The body as an object.
 *
 * @throws ResendError 413 when there are more than `maxBytes`, 422 when it is no JSON object
 */
export async function readObject(request: IncomingMessage, maxBytes: number): Promise<Record<string, unknown>> {
  const body = await readBody(request, maxBytes);
  if (body === undefined) {
    throw new ResendError(413, "payload_too_large", `The body has more than ${maxBytes} bytes.`);
  }
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  if (isRecord(value)) return value;
  throw new ResendError(422, "validation_error", "The request body is not a JSON object.");
}
