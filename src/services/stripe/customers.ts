import { sql } from "drizzle-orm";
import type { Stripe } from "stripe";
import { toBytea } from "../../crypto.ts";
import type { Database } from "../../db/index.ts";
import { bodyOf } from "../../db/json.ts";
import type { Settings } from "../../env.ts";
import type { Subscription } from "../subscriptions.ts";
import { workerKeys } from "../worker-keys.ts";
import { openStripe, refuseFor } from "./client.ts";
import { readCustomerState } from "./state.ts";

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
  seats?: { subscriptionId: string; quantity: number };
}

interface Applied {
  /** Whether nobody had asked later. */
  isInTime: boolean;
  todo: Todo | null;
  subscription: Subscription;
}

/**
 * Asks Stripe what it has of a customer, and writes it; with an event, that is then done with. The request to the database
 * stands by itself, since Stripe is asked before it, and the ticket was taken before that.
 *
 * @throws AppError `unavailable`, and the event is still to be heeded; `misconfigured`.
 */
export async function syncCustomer(
  database: Database,
  settings: Settings,
  { customerId, ticket }: Ticket,
  eventId: string | null = null,
): Promise<Applied> {
  const state = await readCustomerState(openStripe(settings), customerId).catch(refuseFor);
  const keys = toBytea(await workerKeys(settings));
  const [answer] = await database.run((queries) => [
    queries.execute<{ body: Applied }>(
      sql`select app.apply_stripe_state(${keys}::bytea, ${customerId}, ${ticket}::bigint, ${JSON.stringify(state)}::jsonb, ${eventId}::text) as body`,
    ),
  ]);
  return bodyOf(answer);
}

/** Looks at the customers that are due, and tells Stripe what it does not have yet. Returns how many there were. */
export async function syncDueCustomers(database: Database, settings: Settings, limit: number): Promise<number> {
  const keys = toBytea(await workerKeys(settings));
  const [due] = await database.run((queries) => [
    queries.execute<{ customerId: string; ticket: string }>(
      sql`select customer_id as "customerId", ticket from app.due_stripe_customers(${keys}::bytea, ${limit}::int)`,
    ),
  ]);
  for (const { customerId, ticket } of due.rows) {
    // Whatever is wrong with one, the others are looked at. It comes again in five minutes.
    await syncDueCustomer(database, settings, { customerId, ticket: Number(ticket) }).catch((error: unknown) => {
      const reason = error instanceof Error ? error.message : "unknown";
      console.error(JSON.stringify({ level: "warn", message: "customer not looked at", customerId, reason }));
    });
  }
  return due.rows.length;
}

async function syncDueCustomer(database: Database, settings: Settings, ticket: Ticket): Promise<void> {
  const { todo } = await syncCustomer(database, settings, ticket);
  // What comes of it, Stripe tells.
  if (todo) await carryOut(openStripe(settings), todo);
}

async function carryOut(stripe: Stripe, { cancel = [], end, seats }: Todo): Promise<void> {
  // What was paid for it is credited to the customer.
  for (const id of cancel) await stripe.subscriptions.cancel(id, { prorate: true, invoice_now: true });
  if (end) {
    await releaseSchedule(stripe, await stripe.subscriptions.retrieve(end));
    await stripe.subscriptions.update(end, { cancel_at_period_end: true });
  }
  if (seats) await setSeats(stripe, seats.subscriptionId, seats.quantity);
}

async function setSeats(stripe: Stripe, id: string, quantity: number): Promise<void> {
  const { items, schedule } = await stripe.subscriptions.retrieve(id, { expand: ["schedule"] });
  if (schedule === null || typeof schedule === "string") {
    const [item] = items.data;
    if (item) await stripe.subscriptions.update(id, { items: [{ id: item.id, quantity }] });
    return;
  }
  // What is to come is kept. Stripe takes phases from the present one on.
  const phases = schedule.phases.filter(({ end_date }) => end_date > (schedule.current_phase?.start_date ?? 0));
  await stripe.subscriptionSchedules.update(schedule.id, {
    phases: phases.map(({ start_date, end_date, items: [item], metadata }) => ({
      start_date,
      end_date,
      metadata: metadata ?? {},
      items: item ? [{ price: typeof item.price === "string" ? item.price : item.price.id, quantity }] : [],
    })),
  });
}

/** Takes back what was to come with the next period. */
export async function releaseSchedule(stripe: Stripe, { schedule }: Stripe.Subscription): Promise<void> {
  if (schedule) await stripe.subscriptionSchedules.release(typeof schedule === "string" ? schedule : schedule.id);
}
