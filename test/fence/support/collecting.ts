import { past, workerKeys } from "./hooking.ts";
import { seats, withMore } from "./moving.ts";
import { organizations } from "./people.ts";
import { codesOf, text, type Scene } from "./scene.ts";
import { mine, priceOf, subscription, theirs, write } from "./subscribing.ts";

export { past, workerKeys };

/** Those that the Worker does not have. */
export const wrongKeys = ["\\x", `\\x${"0d".repeat(32)}`, `\\x${"0d".repeat(64)}`];

/** What the Worker keeps for whoever begins a checkout. */
export const keepCustomer = (customerId = "cus_new", keys = workerKeys) =>
  `select app.keep_stripe_customer(${text(keys)}, ${text(customerId)})`;
export const keepCheckout = (checkout = 2, keys = workerKeys) =>
  `select app.keep_stripe_checkout(${text(keys)}, ${checkout}, 'cs_new', 'https://new.test/', now() + interval '1 hour')`;
export const customer = "select app.stripe_customer()";
export const refresh = "select app.refresh_subscription()";

/** A day of 2030, which every time that Stripe tells here is of. */
export const day = (n: number) => new Date(Date.UTC(2030, 0, n)).toISOString();

/** Such a day by its number, and any other time by its distance from now. */
export const at = (column: string) =>
  `case when extract(year from ${column} at time zone 'UTC') = 2030 then extract(doy from ${column} at time zone 'UTC')::text
        else (${column} - now()::timestamptz(3))::text end`;

export const whose = (column: string) =>
  `case ${column} ${Object.entries(organizations)
    .map(([name, organizationId]) => `when '${organizationId}' then '${name}'`)
    .join(" ")} else 'others' end`;

/** The plan of a price. */
const planOf = (column: string) =>
  `(select p.key from plan_prices i join plans p on p.id = i.plan_id where i.id = ${column})`;

/** The customers of all organizations; that of `mine` as it is after these assignments. */
export const giveCustomers = (scene: Scene, assignments = "") =>
  past(
    scene,
    `update stripe_customers c set customer_id = 'cus_' || w.whose, ticket = 5, applied_ticket = 3, checkouts = 2, checkout_price_id = null,
            checkout_session_id = null, checkout_url = null, checkout_expires_at = null, due_at = now() + interval '2 hours', updated_at = now() - interval '1 day'
       from (select organization_id, ${whose("organization_id")} as whose from stripe_customers) w where w.organization_id = c.organization_id;
     ${assignments ? `update stripe_customers set ${assignments} where organization_id = '${mine}'` : "select"}`,
  );

/** Where the customer can pay, as it is kept with the price of a plan. */
export const openPage = async (scene: Scene, key: string, expires = "now() + interval '6 minutes'") =>
  `checkout_price_id = '${await priceOf(scene, key)}', checkout_session_id = 'cs_before', checkout_url = 'https://before.test/', checkout_expires_at = ${expires}`;

/** Customer, tickets, checkouts; the plan, session, page and its end of the checkout; when it is due; whether it was touched. */
export const customers = (scene: Scene, organizationId: string | null = mine) =>
  scene.see(
    `select ${organizationId ? "" : `${whose("c.organization_id")},`} c.customer_id, c.ticket::int, c.applied_ticket::int, c.checkouts, ${planOf("c.checkout_price_id")},
            c.checkout_session_id, c.checkout_url, ${at("c.checkout_expires_at")}, ${at("c.due_at")}, c.updated_at = now()::timestamptz(3)
       from stripe_customers c ${organizationId ? `where c.organization_id = '${organizationId}'` : ""} order by c.organization_id`,
  );

/** The one as `giveCustomers` leaves it. */
export const untouched = (name: string) => [`cus_${name}`, 5, 3, 2, null, null, null, null, "02:00:00", false];

/** What is asked of Stripe: its members by name, prices by their plan's. */
export function askedOf(rows: unknown[][]): unknown {
  const [[answer] = []] = rows;
  const { stripe } = (answer ?? {}) as { stripe?: Record<string, unknown> };
  if (!stripe) return answer;
  return Object.keys(stripe)
    .toSorted()
    .map((name) => [name, name === "price" ? priceNamed(stripe[name]) : stripe[name]]);
}

function priceNamed(price: unknown): unknown {
  if (price === null) return null;
  const { id, planId, planName, currency, interval, unitAmount, ...rest } = price as Record<string, unknown>;
  return [typeof id, typeof planId, planName, currency, interval, unitAmount, Object.keys(rest)];
}

/** A live subscription of `mine` at Stripe, and one of `theirs` of the same id here. */
export async function giveStripes(scene: Scene, key: string, columns: Record<string, string> = {}): Promise<void> {
  const row = {
    status: "'active'",
    quantity: "1",
    anchor_at: `'${day(1)}'`,
    period_started_at: `'${day(1)}'`,
    period_ends_at: `'${day(31)}'`,
    ...columns,
  };
  const priceId = await priceOf(scene, key);
  for (const [name, organizationId] of Object.entries({ mine, theirs }))
    await past(
      scene,
      `insert into subscriptions (organization_id, id, price_id, provider, provider_id, updated_at, ${Object.keys(row).join()})
       values ('${organizationId}', '${subscription}', '${priceId}', 'stripe', 'sub_${name}', now() - interval '1 day', ${Object.values(row).join()})`,
    );
}

/** Assignments of a status, with the times that it takes. */
export const being = (status: string) =>
  `status = '${status}', trial_ends_at = ${status === "trialing" ? "period_ends_at" : "null"}, grace_ends_at = ${status === "past_due" ? "now() + interval '3 days'" : "null"}`;

/** Whose, provider and its id, status, plan, what is to come, quantity; the trial's end, anchor, period, grace, whether it ends, since when, its end; when it is due. */
export const subscriptions = (scene: Scene, condition = "true") =>
  scene.see(
    `select ${whose("s.organization_id")}, s.provider, s.provider_id, s.status, ${planOf("s.price_id")}, ${planOf("s.scheduled_price_id")}, s.quantity,
            ${["trial_ends_at", "anchor_at", "period_started_at", "period_ends_at", "grace_ends_at"].map((column) => at(`s.${column}`)).join()},
            s.cancel_at_period_end, ${at("s.canceled_at")}, ${at("s.ended_at")}, ${at("s.due_at")}
       from subscriptions s where ${condition} order by s.organization_id, s.id`,
  );

/** A subscription as Stripe has it, by the last of its id. */
export const stripeSubscription = (name: string, priceId: string | null, rest: object = {}) => ({
  id: `sub_${name}`,
  status: "active",
  price_id: priceId,
  scheduled_price_id: null,
  quantity: 1,
  trial_ends_at: null,
  anchor_at: day(1),
  period_started_at: day(1),
  period_ends_at: day(31),
  cancel_at_period_end: false,
  canceled_at: null,
  ended_at: null,
  created_at: day(1),
  ...rest,
});

/** The same of an invoice: of which subscription. */
export const stripeInvoice = (name: string, of: string, rest: object = {}) => ({
  id: `in_${name}`,
  subscription_id: `sub_${of}`,
  number: `NR-${name}`,
  url: `https://${name}.test/`,
  status: "open",
  currency: "xts",
  total: 5,
  lines: [name],
  period_starts_at: day(1),
  period_ends_at: day(31),
  due_at: day(2),
  paid_at: null,
  created_at: day(1),
  ...rest,
});

interface State {
  subscriptions?: object[];
  invoices?: object[];
  endedSessionId?: string;
  isGone?: boolean;
  ticket?: number;
  customer?: string;
  event?: string | null;
  keys?: string;
}

export const apply = ({
  subscriptions: those = [],
  invoices = [],
  endedSessionId,
  isGone = false,
  ticket = 5,
  customer: of = "cus_mine",
  event = null,
  keys = workerKeys,
}: State = {}) =>
  `select app.apply_stripe_state(${text(keys)}, ${text(of)}, ${ticket}, ${text(JSON.stringify({ subscriptions: those, invoices, endedSessionId, isGone }))}, ${text(event)})`;

/** What Stripe has of a customer, where it is just as it is here. */
export async function asStored(scene: Scene, of = "cus_mine"): Promise<object[]> {
  const rows = await scene.see(
    `select to_jsonb(s) || jsonb_build_object('id', s.provider_id) from subscriptions s
       join stripe_customers c on c.organization_id = s.organization_id where c.customer_id = '${of}' and s.provider = 'stripe'`,
  );
  return rows.map(([row]) => row as object);
}

/** By the Worker, of nobody; without subscriptions those that there are here. Returns the one answer. */
export async function applied(scene: Scene, state: State = {}) {
  const given = state.subscriptions ?? (await asStored(scene, state.customer));
  const [[answer] = []] = await scene.ask(null, apply({ ...state, subscriptions: given }));
  return answer as { isInTime: boolean; todo: unknown; subscription: Record<string, unknown> | null };
}

/** A subscription of `mine` that has as many seats as there are members, and nothing to do. */
export async function giveSeated(scene: Scene, key = "seats"): Promise<void> {
  await withMore(scene);
  await giveCustomers(scene);
  await giveStripes(scene, key, { quantity: key === "seats" ? String(await seats(scene)) : "1" });
}

/** Just as it is here. */
export const asItIs = async (scene: Scene, key = "seats", rest: object = {}) =>
  stripeSubscription("mine", await priceOf(scene, key), {
    quantity: key === "seats" ? await seats(scene) : 1,
    ...rest,
  });

/** What becomes of these for somebody who was let in, and whose membership or organization has ended since. */
export async function codesAfterwards(scene: Scene, statements: string[]): Promise<unknown[]> {
  const { id } = scene.person("owner");
  const found: unknown[] = [];
  for (const change of [
    `delete from memberships where organization_id = '${mine}' and user_id = '${id}'`,
    `update organizations set deleted_at = now() where id = '${mine}'`,
    `update membership_roles set role = 'viewer' where organization_id = '${mine}' and user_id = '${id}'`,
  ])
    found.push(
      await codesOf(
        scene,
        write(scene),
        statements.map((statement) => `set local role none; ${change}; set local role app_user; ${statement}`),
      ),
    );
  return found;
}

/** Prices, and the customers of all organizations. */
export const begin = async (scene: Scene) => {
  await withMore(scene);
  await giveCustomers(scene);
};

/** What is written of `mine`: from the provider's id on. */
export const writtenOf = async (scene: Scene) =>
  (await subscriptions(scene, `s.organization_id = '${mine}'`)).map((row) => row.slice(2));
export const namesOf = async (scene: Scene) => (await writtenOf(scene)).map(([providerId]) => providerId);

/** What is written of these, which is then taken back. */
export async function after<T>(scene: Scene, those: object[], find: () => Promise<T>): Promise<T> {
  await scene.see("savepoint applied");
  await applied(scene, { subscriptions: those });
  const found = await find();
  await scene.see("rollback to applied");
  return found;
}
