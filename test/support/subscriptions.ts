import { createScheduledController, env } from "cloudflare:test";
import worker from "../../src/index.ts";
import { asOwner } from "./database.ts";
import { givePlan } from "./plans.ts";
import { createOrganization, openService, type Person, signUpPerson } from "./service.ts";

const service = openService();

/** What of src/plans.ts is limited or refused anywhere. */
const everything = [
  { key: "members", kind: "number", limit: null },
  { key: "teams", kind: "number", limit: null },
  { key: "sso", kind: "boolean" },
];

/** A plan that anybody can have, and the id of its first price: 12 dollars a month and seat. */
export async function givePrice(plan: object = {}, price: object = {}): Promise<{ planId: string; priceId: string }> {
  const planId = await givePlan({
    isPublic: true,
    features: everything,
    prices: [{ currency: "usd", interval: "month", unitAmount: 1200, perSeat: true, ...price }],
    ...plan,
  });
  const [rows] = await asOwner(["select id from plan_prices where plan_id = $1", [planId]]);
  return { planId, priceId: rows?.[0]?.["id"] };
}

/** What an organization is given of a plan without asking: a subscription that is paid for. Its id. */
export async function giveSubscription(organizationId: string, priceId: string, columns: object = {}): Promise<string> {
  const id = crypto.randomUUID();
  const row = {
    organization_id: organizationId,
    id,
    price_id: priceId,
    provider: "manual",
    status: "active",
    quantity: 1,
    ...columns,
  };
  await asOwner([
    `insert into subscriptions (${Object.keys(row).join()}, anchor_at, period_started_at, period_ends_at, due_at)
     select ${Object.keys(row)
       .map((name) => `r.${name}`)
       .join()}, now(), now(), now() + interval '1 month', case when r.ended_at is null then now() + interval '1 month' end
       from json_populate_record(null::subscriptions, $1::json) r`,
    [JSON.stringify(row)],
  ]);
  return id;
}

/** And an invoice of it that is open: its id. */
export async function giveInvoice(organizationId: string, subscriptionId: string): Promise<string> {
  const id = crypto.randomUUID();
  await asOwner([
    `insert into invoices (organization_id, id, subscription_id, number, status, currency, total, lines, period_starts_at, period_ends_at, due_at)
     select $1, $2, $3, 1 + coalesce(max(number), 0), 'open', 'usd', 1200,
            '[{"description": "Given", "quantity": 1, "unitAmount": 1200, "amount": 1200}]', now(), now() + interval '1 month', now()
       from invoices where organization_id = $1`,
    [organizationId, id, subscriptionId],
  ]);
  return id;
}

/** A subscription as the operation needs it, and an invoice of it that is open: that one's id. */
export async function giveBill(organizationId: string, operation = ""): Promise<string> {
  const isToBePaid = operation.endsWith("/pay");
  const { priceId } = await givePrice({ isPublic: false });
  const subscriptionId = await giveSubscription(organizationId, priceId, {
    status: isToBePaid ? "past_due" : "active",
    grace_ends_at: isToBePaid ? "2100-01-01T00:00:00Z" : null,
    cancel_at_period_end: operation.endsWith("/resume"),
  });
  return giveInvoice(organizationId, subscriptionId);
}

/** As if all of an organization's subscriptions were older by this; the Cron Trigger has not run since. */
export const passTime = (organizationId: string, interval: string) =>
  asOwner([
    `update subscriptions s
        set trial_ends_at = s.trial_ends_at - $2::interval, anchor_at = s.anchor_at - $2::interval,
            period_started_at = s.period_started_at - $2::interval, period_ends_at = s.period_ends_at - $2::interval,
            grace_ends_at = s.grace_ends_at - $2::interval, due_at = s.due_at - $2::interval
      where s.organization_id = $1`,
    [organizationId, interval],
  ]);

/** The Cron Trigger of each minute, until nothing of an organization's is due: it leaves to others what they hold. */
export async function runCron(organizationId: string): Promise<void> {
  for (;;) {
    // The bindings of wrangler.toml, which the types of the tests do not know.
    await worker.scheduled(createScheduledController({ cron: "* * * * *" }), env as never);
    const [due = []] = await asOwner([
      "select from subscriptions s where s.organization_id = $1 and s.due_at <= now()",
      [organizationId],
    ]);
    if (due.length === 0) return;
  }
}

/** An organization of its own, and what its owner does about what it pays for. */
export async function newCustomer(by = service) {
  const owner = await signUpPerson(by);
  const { id } = await createOrganization(by, owner);
  const path = `/v1/organizations/${id}`;
  const call = (method: string, at: string, body?: unknown, caller: Pick<Person, "token"> = owner) =>
    by.call(method, `${path}/${at}`, { token: caller.token, ...(body !== undefined && { body }) });
  return {
    owner,
    id,
    path,
    call,
    read: async () => (await call("GET", "subscription")).body,
    subscribe: (priceId: string, caller: Pick<Person, "token"> = owner) =>
      call("POST", "subscription/checkout", { priceId }, caller),
    change: (priceId: string) => call("POST", "subscription/change", { priceId }),
    cancel: () => call("POST", "subscription/cancel"),
    resume: () => call("POST", "subscription/resume"),
    /** The newest first. */
    invoices: async (): Promise<Record<string, any>[]> => (await call("GET", "invoices")).body.data,
    /** The key of the plan whose features it has. */
    entitledPlan: async (): Promise<string> => (await call("GET", "entitlements")).body.plan.id,
    passTime: (interval: string) => passTime(id, interval),
    runCron: () => runCron(id),
  };
}
