import { type SQL, sql } from "drizzle-orm";
import type { CreatedStatus } from "../errors.ts";

/** The key a creating request came with. `anonymousScope` (bytea) stands for those not signed in. */
export interface IdempotencyKey {
  key: string;
  requestHash: string;
  anonymousScope: string | null;
}

/** Runs a statement that selects JSON as `body`, and keeps that with its status for whoever comes with the key again. */
export function keepAnswer(statement: SQL, status: CreatedStatus, given: IdempotencyKey | undefined): SQL[] {
  if (!given) return [statement];
  const { anonymousScope, key, requestHash } = given;
  const answer = sql`json_build_object('status', ${status}::int, 'body', body)`;
  return [
    sql`select app.claim_idempotency_key(${anonymousScope}::bytea, ${key}, ${requestHash}::bytea)`,
    sql`select app.keep_response(${anonymousScope}::bytea, ${key}, ${answer})->'body' as body from (${statement}) created`,
  ];
}

/** Runs a statement unless the key was answered before, and keeps nothing. */
export function unlessAnswered(statement: SQL, given: IdempotencyKey | undefined): SQL[] {
  if (!given) return [statement];
  const { anonymousScope, key, requestHash } = given;
  return [sql`select app.check_idempotency_key(${anonymousScope}::bytea, ${key}, ${requestHash}::bytea)`, statement];
}
