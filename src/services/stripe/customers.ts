import { sql } from "drizzle-orm";
import type { Stripe } from "stripe";
import { toBytea } from "../../crypto.ts";
import type { Database } from "../../db/index.ts";
import { bodyOf } from "../../db/json.ts";
import type { Settings } from "../../env.ts";
import type { Subscription } from "../subscriptions.ts";
import { workerKeys } from "../worker-keys.ts";
import { openStripe, refuseFor } from "./client.ts";
import { releaseSchedule, type Seats, setSeats } from "./schedules.ts";
import { endSession } from "./sessions.ts";
import { goneCustomer, readCustomerState } from "./state.ts";

/** A customer, with the ticket that was taken before Stripe is asked. */
export interface Ticket {
  customerId: string;
  ticket: number;
}

/** What Stripe is to be told, so that it has what is here. */
export interface Todo {
  /** Subscriptions beside the one that lives. */
  cancel?: string[];
  /** One that ends with its period. */
  end?: string;
  seats?: Seats & { subscriptionId: string };
}

interface Applied {
  /** Whether nobody had asked later. */
  isInTime: boolean;
  todo: Todo | null;
  subscription: Subscription;
}

interface Looked extends Ticket {
  /** The event that told of it, which is then done with. */
  eventId?: string;
  /** A checkout that nobody can pay any more. */
  endedSessionId?: string | null;
  /** Whether Stripe has said that it has no such customer any more: with a key of another account it knows none. */
  isGone?: boolean;
}

/**
 * Asks Stripe what it has of a customer, and writes it. The request to the database stands by itself, since Stripe is asked
 * before it, and the ticket was taken before that.
 *
 * @throws AppError `unavailable`, and the event is still to be heeded; `misconfigured`.
 */
export async function syncCustomer(
  database: Database,
  settings: Settings,
  { customerId, ticket, eventId, endedSessionId, isGone = false }: Looked,
): Promise<Applied> {
  const state = isGone ? goneCustomer : await readCustomerState(openStripe(settings), customerId).catch(refuseFor);
  const keys = toBytea(await workerKeys(settings));
  const [answer] = await database.run((queries) => [
    queries.execute<{ body: Applied }>(
      sql`select app.apply_stripe_state(${keys}::bytea, ${customerId}, ${ticket}::bigint, ${JSON.stringify({ ...state, endedSessionId })}::jsonb, ${eventId ?? null}::text) as body`,
    ),
  ]);
  return bodyOf(answer);
}

/** Looks at the customers that are due, and tells Stripe what it does not have yet. Returns how many there were. */
export async function syncDueCustomers(database: Database, settings: Settings, limit: number): Promise<number> {
  const keys = toBytea(await workerKeys(settings));
  const [due] = await database.run((queries) => [
    queries.execute<{ customerId: string; ticket: string; endedSessionId: string | null }>(
      sql`select customer_id as "customerId", ticket, ended_session_id as "endedSessionId" from app.due_stripe_customers(${keys}::bytea, ${limit}::int)`,
    ),
  ]);
  for (const { customerId, ticket, endedSessionId } of due.rows) {
    // Whatever is wrong with one, the others are looked at. It comes again later.
    await syncDueCustomer(database, settings, { customerId, ticket: Number(ticket), endedSessionId }).catch(
      (error: unknown) => {
        const [reason, cause] = [error, (error as { cause?: unknown }).cause].map((each) =>
          each instanceof Error ? each.message : undefined,
        );
        console.error(JSON.stringify({ level: "warn", message: "customer not looked at", customerId, reason, cause }));
      },
    );
  }
  return due.rows.length;
}

async function syncDueCustomer(database: Database, settings: Settings, due: Looked): Promise<void> {
  const stripe = openStripe(settings);
  if (due.endedSessionId) await endSession(stripe, due.endedSessionId);
  const { todo } = await syncCustomer(database, settings, due);
  // What comes of it, Stripe tells.
  if (todo) await carryOut(stripe, todo);
}

/** Each by itself: what Stripe refuses is in no other's way. @throws what went wrong first */
async function carryOut(stripe: Stripe, { cancel = [], end, seats }: Todo): Promise<void> {
  const outcomes = await Promise.allSettled([
    // What was paid for it is credited to the customer.
    ...cancel.map((id) => stripe.subscriptions.cancel(id, { prorate: true, invoice_now: true })),
    ...(end ? [endWithPeriod(stripe, end)] : []),
    ...(seats ? [setSeats(stripe, seats.subscriptionId, seats)] : []),
  ]);
  for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
}

async function endWithPeriod(stripe: Stripe, id: string): Promise<void> {
  await releaseSchedule(stripe, await stripe.subscriptions.retrieve(id));
  await stripe.subscriptions.update(id, { cancel_at_period_end: true });
}
