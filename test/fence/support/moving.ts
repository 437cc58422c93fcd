import { administer } from "./administering.ts";
import { addPlan, asDefiner } from "./planning.ts";
import { type Scene } from "./scene.ts";
import { mine, priceOf, stored, storedInvoices, subscription, theirs, withPrices, write } from "./subscribing.ts";

export const change = (priceId: string) => `select app.change_subscription('${priceId}')`;

export const everything = [
  { key: "members", kind: "number", limit: null },
  { key: "teams", kind: "number", limit: null },
];

/** And what is changed of the others: of theirs nothing is to come. */
export const othersOf = async (scene: Scene) =>
  JSON.stringify(await stored(scene, `s.organization_id = '${theirs}'`)) +
  JSON.stringify(await scene.see(`select scheduled_price_id from subscriptions where organization_id = '${theirs}'`));

/** Plans to move to from "trial", which is 5 a month and seat. */
export async function withMore(scene: Scene): Promise<void> {
  await withPrices(scene);
  const add = (
    key: string,
    interval: string,
    unitAmount: number,
    rest: object = {},
    perSeat = false,
    currency = "xts",
  ) => addPlan(key, { prices: [{ currency, interval, unitAmount, perSeat }], features: everything, ...rest });
  await asDefiner(
    scene,
    add("dear", "month", 100),
    add("long", "year", 900),
    add("cheap", "month", 1),
    add("same", "month", 5),
    add("seats", "month", 7, {}, true),
    add("foreign", "month", 100, {}, false, "usd"),
    add("secret", "month", 100, { isPublic: false }),
  );
}

export const move = async (scene: Scene, key: string) => scene.ask(write(scene), change(await priceOf(scene, key)));

export const half = { period_started_at: "now() - interval '7 days'", anchor_at: "now() - interval '7 days'" };

/** The subscription of `mine`: from its plan on; and the plan that is to come. */
export async function changed(scene: Scene): Promise<unknown[]> {
  const [row = [], ...others] = await stored(scene, `s.organization_id = '${mine}'`);
  const [[scheduled] = []] = await scene.see(
    `select (select p.key from plan_prices i join plans p on p.id = i.plan_id where i.id = s.scheduled_price_id)
       from subscriptions s where s.id = '${subscription}' and s.organization_id = '${mine}'`,
  );
  return [...row.slice(1, 10), scheduled, ...others];
}

export const invoicesOf = async (scene: Scene) =>
  (await storedInvoices(scene)).map(([whose, , status, currency, total, lines, from, until, due]) => [
    whose,
    status,
    currency,
    total,
    (lines as Record<string, unknown>[]).map((line) => [
      line["description"],
      line["quantity"],
      line["unitAmount"],
      line["amount"],
    ]),
    from,
    until,
    due,
  ]);

/** As an administrator notes it of each invoice that is open. */
export async function payAll(scene: Scene): Promise<void> {
  const open = await scene.see(`select id from invoices where status = 'open' and organization_id = '${mine}'`);
  for (const [invoiceId] of open) await administer(scene, `select app.pay_invoice('${String(invoiceId)}', null)`);
}

export const seats = async (scene: Scene) =>
  Number(await scene.see(`select count(*)::int from memberships where organization_id = '${mine}'`));
