import { id, organizations } from "./people.ts";
import { addPlan, asDefiner, newPlan } from "./planning.ts";
import { letIn, type Scene } from "./scene.ts";

export const { mine, theirs, third } = organizations;

/** As it is stored when it shall not be later than it is: a column has milliseconds, rounded. */
export const justNow = "date_trunc('milliseconds', now())";

/** The subscription that `give` makes, in both organizations, and one of `mine` that has ended. */
export const subscription = id(9801);
export const ended = id(9803);

/** For those who write: an owner. */
export const write = (scene: Scene, name = "owner") => letIn(scene, name, "billing:write");
export const read = (scene: Scene, name = "owner") => letIn(scene, name, "billing:read");

export const start = (priceId: string, as = id(9810)) =>
  `select app.start_subscription('${as}', '${priceId}', 'manual')`;
export const cancel = "select app.cancel_subscription()";
export const resume = "select app.resume_subscription()";

/** Nobody subscribes to anything, and there are these plans: of 5 a month and seat, and of 900 a year as it is. */
export async function withPrices(scene: Scene): Promise<void> {
  await scene.see("delete from subscriptions");
  const price = (interval: string, unitAmount: number, perSeat: boolean) => ({
    prices: [{ currency: "xts", interval, unitAmount, perSeat }],
  });
  const add = (key: string, rest: Parameters<typeof newPlan>[1]) => addPlan(key, rest);
  await scene.see(
    `insert into plans (key, version, name, description, trial_days, is_default, is_public, position, managed_by, archived_at)
     values ('once-default', 1, 'Once', '', 0, true, true, 0, 'file', now())`,
  );
  await asDefiner(
    scene,
    add("trial", {
      prices: [...price("month", 5, true).prices, ...price("year", 50, false).prices],
      features: [{ key: "sso", kind: "boolean" }],
    }),
    add("whole", { ...price("year", 900, false), trialDays: 0 }),
    add("hidden", { ...price("month", 5, true), isPublic: false }),
    add("gone", price("month", 5, true)),
    "update plans set archived_at = now() where key = 'gone'",
  );
}

export const priceOf = async (scene: Scene, key: string): Promise<string> => {
  const [[found] = []] = await scene.see(
    `select i.id from plan_prices i join plans p on p.id = i.plan_id where p.key = '${key}' order by i.interval`,
  );
  return String(found);
};

/** A subscription of `mine` to the plan of this key; beside it one of `theirs` that is the same, also its id, and one that has ended. */
export async function give(scene: Scene, key: string, columns: Record<string, string> = {}): Promise<void> {
  const priceId = await priceOf(scene, key);
  const row = {
    status: "'active'",
    quantity: "1",
    anchor_at: "now()",
    period_started_at: "now()",
    period_ends_at: "now() + interval '7 days'",
    due_at: "now() + interval '7 days'",
    ...columns,
  };
  for (const organizationId of [mine, theirs])
    await scene.see(
      `insert into subscriptions (organization_id, id, price_id, provider, ${Object.keys(row).join()})
       values ('${organizationId}', '${subscription}', '${priceId}', 'manual', ${Object.values(row).join()})`,
    );
}

/** The one that has ended, which nothing changes any more. */
export async function giveEnded(scene: Scene): Promise<void> {
  await scene.see(
    `insert into subscriptions (organization_id, id, price_id, provider, status, quantity, anchor_at, period_started_at, period_ends_at, ended_at, canceled_at)
     select organization_id, '${ended}', price_id, provider, 'canceled', 99, now(), now(), now() + interval '1 day', now(), now()
       from subscriptions where id = '${subscription}' and organization_id = '${mine}'`,
  );
}

/** Whether it is as it was made. */
export const isEndedKept = async (scene: Scene): Promise<boolean> => {
  const [[kept] = []] = await scene.see(
    `select status = 'canceled' and not cancel_at_period_end and canceled_at is not distinct from created_at and ended_at = created_at
            and grace_ends_at is null and scheduled_price_id is null
            and due_at is null and quantity = 99 and period_started_at = created_at and price_id = (
              select i.id from plan_prices i join plans p on p.id = i.plan_id where p.key = 'trial' and i.interval = 'month')
       from subscriptions where id = '${ended}'`,
  );
  return kept !== false;
};

/** An open invoice of that subscription, and one of the other, of the same number. */
export const giveInvoices = (scene: Scene, invoiceId = id(9821), number = 1, status = "open") =>
  scene.see(
    `insert into invoices (organization_id, id, subscription_id, number, status, currency, total, lines, period_starts_at, period_ends_at, due_at, paid_at)
     select organization_id, case organization_id when '${mine}' then '${invoiceId}'::uuid else gen_random_uuid() end, id, ${number}, '${status}', 'xts', 5, '[]',
            period_started_at, period_ends_at, now(), case '${status}' when 'paid' then now() end
       from subscriptions where id = '${subscription}'`,
  );

/** A time by its distance from now. */
const when = (column: string) => `coalesce((
  select w.name from (values ('now', now()), ('+7 days', now() + interval '7 days'), ('-7 days', now() - interval '7 days'),
                             ('+14 days', now() + interval '14 days'), ('+30 days', now() + interval '30 days'),
                             ('+60 days', now() + interval '60 days'), ('-1 day', now() - interval '1 day'),
                             ('month', (now() at time zone 'UTC' + interval '1 month') at time zone 'UTC'),
                             ('year', (now() at time zone 'UTC' + interval '1 year') at time zone 'UTC')) w (name, at)
   where abs(extract(epoch from ${column} - w.at)) < 0.01 limit 1), ${column}::text)`;

const whose = `case s.organization_id when '${mine}' then 'mine' when '${theirs}' then 'theirs' else 'third' end`;

/** Whose, plan, status, quantity; end of the trial, anchor, period, end of the grace, when it is due; whether it is to end, since when, and its end. */
export const stored = async (scene: Scene, condition = "true"): Promise<unknown[][]> => [
  ...(await scene.see(
    `select ${whose}, p.key, s.status, s.quantity, ${[
      "trial_ends_at",
      "anchor_at",
      "period_started_at",
      "period_ends_at",
      "grace_ends_at",
      "due_at",
    ]
      .map((column) => when(`s.${column}`))
      .join()}, s.cancel_at_period_end, ${when("s.canceled_at")}, ${when("s.ended_at")}
       from subscriptions s join plan_prices i on i.id = s.price_id join plans p on p.id = i.plan_id
      where ${condition} and s.id <> '${ended}' order by s.organization_id, s.created_at, s.id`,
  )),
  ...((await isEndedKept(scene)) ? [] : [["the one that has ended was changed"]]),
];

/** Whose, number, status, currency, total, lines, period, when it is due and was paid. */
export const storedInvoices = (scene: Scene) =>
  scene.see(
    `select ${whose}, s.number, s.status, s.currency, s.total::int, s.lines, ${[
      "period_starts_at",
      "period_ends_at",
      "due_at",
      "paid_at",
    ]
      .map((column) => when(`s.${column}`))
      .join()}, s.payment_reference
       from invoices s order by s.organization_id, s.number`,
  );

/** The one answer, of which these members. */
export function pick(rows: unknown[][], ...members: string[]): unknown[] {
  const answer = rows[0]?.[0];
  // JSON of the database, as deep as the members say.
  return members.map((member) =>
    member.split(".").reduce<unknown>((value, name) => (value as Record<string, unknown> | null)?.[name], answer),
  );
}
