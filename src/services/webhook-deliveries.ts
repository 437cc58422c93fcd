import { sql } from "drizzle-orm";
import { toBytea } from "../crypto.ts";
import type { SystemDatabase } from "../db/index.ts";
import type { Settings } from "../env.ts";
import { unseal } from "../sealing.ts";
import { refusalOf } from "./webhook-addresses.ts";
import { secretOwner } from "./webhook-endpoints.ts";
import { webhookHeaders } from "./webhook-signatures.ts";
import { workerKeys } from "./worker-keys.ts";

/** Messages that one pass takes; a pass is two requests to the database, and as many to receivers. */
const PASS_SIZE = 50;

/** Passes of one run, at most. */
const MAX_PASSES = 100;

/** Receivers that are asked at once: of the six connections that a Worker's run can have open, two are for the database. */
const CONCURRENCY = 4;

/** Milliseconds for a receiver's answer; Standard Webhooks recommends 15 to 30 seconds. */
const TIMEOUT_MS = 15_000;

/** After a request's own answer there are 30 seconds for all. */
const SHORT_TIMEOUT_MS = 10_000;

/** Milliseconds after which no further pass begins: the next minute's run goes on. */
const RUN_MS = 40_000;

interface ClaimedMessage extends Record<string, unknown> {
  organizationId: string;
  id: string;
  endpointId: string;
  url: string;
  /** bytea. */
  sealedSecret: string;
  previousSealedSecret: string | null;
  attempt: number;
  /** JSON, as it was written: the same text at every attempt. */
  payload: string;
}

interface Outcome {
  /** Of the receiver's answer; null where there was none. */
  status: number | null;
  error: string | null;
  /** Seconds that the receiver asks for. */
  retryAfter?: number;
}

/**
 * Delivers what is due, pass by pass. Each message at least once: a Worker that dies in between has not said what became
 * of it, and it is sent again after five minutes.
 */
export async function deliverDueWebhooks(database: SystemDatabase, settings: Settings): Promise<void> {
  const started = Date.now();
  for (let pass = 0; pass < MAX_PASSES && Date.now() - started < RUN_MS; pass++) {
    if ((await deliverPass(database, settings, { size: PASS_SIZE, timeout: TIMEOUT_MS })) === 0) return;
  }
}

/** The same of a few of one organization, which is done within the 30 seconds that a Worker has after its answer. */
export async function deliverFewWebhooks(
  database: SystemDatabase,
  settings: Settings,
  organizationId: string,
): Promise<void> {
  await deliverPass(database, settings, { size: CONCURRENCY, timeout: SHORT_TIMEOUT_MS, organizationId });
}

/** @returns how many were due. */
async function deliverPass(
  database: SystemDatabase,
  settings: Settings,
  { size, timeout, organizationId = null }: { size: number; timeout: number; organizationId?: string | null },
): Promise<number> {
  const keys = toBytea(await workerKeys(settings));
  const [claimed] = await database.run((queries) => [
    queries.execute<ClaimedMessage>(
      sql`select organization_id as "organizationId", id, endpoint_id as "endpointId", url, sealed_secret::text as "sealedSecret",
              previous_sealed_secret::text as "previousSealedSecret", attempt, payload::text as payload
              from app.claim_webhooks(${keys}::bytea, ${size}::int, ${organizationId}::uuid)`,
    ),
  ]);
  await inTurn(claimed.rows, async (message) => {
    const begun = Date.now();
    const { status, error, retryAfter = null } = await deliver(settings, message, timeout);
    // Each by itself, as soon as it is known: whatever is in one's way is in no other's. What is not settled comes again.
    const settled = sql`${message.organizationId}::uuid, ${message.id}::uuid, ${message.attempt}::int, ${status}::int, ${error}::text,
      ${Date.now() - begun}::int, ${retryAfter}::int`;
    await database
      .run((queries) => [queries.execute(sql`select app.settle_webhook(${keys}::bytea, ${settled})`)])
      .catch((cause: unknown) => {
        const reason = cause instanceof Error ? cause.name : "unknown";
        console.error(JSON.stringify({ level: "warn", message: "webhook not settled", id: message.id, reason }));
      });
  });
  return claimed.rows.length;
}

async function deliver(
  settings: Settings,
  { id, endpointId, url, sealedSecret, previousSealedSecret, payload: body }: ClaimedMessage,
  timeout: number,
): Promise<Outcome> {
  const refusal = await refusalOf(settings, url);
  if (refusal !== null) return { status: null, error: refusal };
  try {
    const sealed = [sealedSecret, ...(previousSealedSecret === null ? [] : [previousSealedSecret])];
    const secrets = await Promise.all(sealed.map((secret) => unseal(settings, secretOwner(endpointId), secret)));
    const timestamp = Math.floor(Date.now() / 1000);
    const response = await fetch(url, {
      method: "POST",
      headers: {
        ...(await webhookHeaders(secrets, { id, timestamp, body })),
        "content-type": "application/json",
        "user-agent": "saas-backend-layer-webhooks/1.0",
      },
      body,
      redirect: "manual",
      signal: AbortSignal.timeout(timeout),
    });
    const { status, headers } = response;
    // What a receiver says beside its status is of no use here, however long it is.
    await response.body?.cancel();
    if (status >= 200 && status < 300) return { status, error: null };
    const isRedirect = status >= 300 && status < 400;
    return {
      status,
      error: isRedirect ? "redirects are not followed" : `status ${status}`,
      ...retryAfterOf(headers),
    };
  } catch (error) {
    return { status: null, error: reasonOf(error) };
  }
}

/** Of RFC 9110 §10.2.3 the seconds alone. */
function retryAfterOf(headers: Headers): { retryAfter?: number } {
  const value = headers.get("retry-after") ?? "";
  return /^\d{1,6}$/.test(value) ? { retryAfter: Number(value) } : {};
}

/** In our own words: what an error's text has in it is nobody's to know. */
function reasonOf(error: unknown): string {
  const name = error instanceof Error ? error.name : "";
  if (name === "TimeoutError" || name === "AbortError") return "no answer in time";
  return name === "AppError" ? "the secret cannot be opened" : "the connection failed";
}

/** Does the work for each, no more than so many at once. */
async function inTurn<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const left = items.values();
  const worker = async (): Promise<void> => {
    for (const item of left) await work(item);
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, worker));
}
