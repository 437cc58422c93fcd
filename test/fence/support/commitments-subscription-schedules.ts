import { everything, withMore, move, half, changed, invoicesOf } from "./moving.ts";
import { id } from "./people.ts";
import { addPlan, asDefiner } from "./planning.ts";
import { type Commitment } from "./scene.ts";
import {
  cancel,
  ended,
  give,
  giveEnded,
  giveInvoices,
  justNow,
  mine,
  pick,
  priceOf,
  subscription,
  theirs,
  write,
} from "./subscribing.ts";

/** What is to come with the next period, and what takes it back. */
export const subscriptionScheduleCommitments: Commitment[] = [
  {
    title:
      "what was asked for another price is void once something else is to come: of this subscription alone, and nothing else",
    expected: Array.from({ length: 5 }, () => [
      ["void", "dear"],
      ["open", null],
      ["paid", "dear"],
      ["open", "dear"],
      ["open", "dear"],
      ["open", null],
      ["paid", "dear"],
    ]),
    actual: async (scene) => {
      await withMore(scene);
      await give(scene, "trial", { ...half, quantity: "4" });
      const dear = await priceOf(scene, "dear");
      await giveInvoices(scene);
      await scene.see(`update invoices set price_id = '${dear}'`);
      await giveInvoices(scene, id(9822), 2);
      await giveInvoices(scene, id(9823), 3, "paid");
      await giveEnded(scene);
      await scene.see(
        `update invoices set price_id = '${dear}' where number = 3;
         insert into invoices (organization_id, id, subscription_id, price_id, number, status, currency, total, lines, period_starts_at, period_ends_at, due_at)
         select organization_id, '${id(9824)}', id, '${dear}', 4, 'open', 'xts', 5, '[]', now(), now(), now() from subscriptions where id = '${ended}'`,
      );
      const look = () =>
        scene.see(
          `select n.status, (select p.key from plan_prices i join plans p on p.id = i.plan_id where i.id = n.price_id)
             from invoices n where n.number < 5 order by n.organization_id, n.number`,
        );
      const found: unknown[] = [];
      const works: (() => Promise<unknown>)[] = [
        () => move(scene, "trial"),
        () => move(scene, "cheap"),
        () => move(scene, "long"),
        () => scene.ask(write(scene), cancel),
        () =>
          scene
            .see(
              `update subscriptions set due_at = ${justNow} where organization_id = '${mine}' and id = '${subscription}'`,
            )
            .then(() => scene.ask(null, "select app.advance_subscriptions(10)")),
      ];
      for (const work of works) {
        await scene.see("savepoint asked");
        await work();
        found.push(await look());
        await scene.see("rollback to asked");
      }
      return found;
    },
  },
  {
    title: "the next period is counted anew where it is of another interval, and else from the first",
    expected: [
      ["yearly", "past_due", 1, null, true, true, true],
      ["cheap", "past_due", 1, null, false, true, true],
    ],
    actual: async (scene) => {
      await withMore(scene);
      await asDefiner(
        scene,
        addPlan("yearly", {
          prices: [{ currency: "xts", interval: "year", unitAmount: 1, perSeat: false }],
          features: everything,
        }),
      );
      const found: unknown[] = [];
      for (const key of ["yearly", "cheap"]) {
        await scene.see("delete from subscriptions");
        await give(scene, "trial", {
          anchor_at: "now() - interval '40 days'",
          period_started_at: "now() - interval '40 days'",
          period_ends_at: "now() - interval '1 day'",
          scheduled_price_id: `'${await priceOf(scene, key)}'`,
          due_at: justNow,
        });
        await scene.see(
          `update subscriptions set due_at = now() + interval '1 day' where organization_id = '${theirs}'`,
        );
        await scene.ask(null, "select app.advance_subscriptions(10)");
        const [times] = await scene.see(
          `select abs(extract(epoch from anchor_at - (now() - interval '1 day'))) < 1, abs(extract(epoch from period_started_at - (now() - interval '1 day'))) < 1,
                  period_ends_at = anchor_at + case '${key}' when 'yearly' then interval '1 year' else interval '2 months' end
             from subscriptions where id = '${subscription}' and organization_id = '${mine}'`,
        );
        found.push([...(await changed(scene)).slice(0, 4), ...(times ?? [])]);
      }
      return found;
    },
  },
  {
    title: "app.change_subscription moves with the next period to what costs no more, which then begins with it",
    expected: [
      ["trial", "active", 1, null, "-7 days", "-7 days", "+7 days", null, "+7 days", "cheap"],
      ["trial", "active", 1, null, "-7 days", "-7 days", "+7 days", null, "+7 days", "same"],
      [[null]],
      ["trial", "active", 1, null, "-7 days", "-7 days", "-1 day", null, "+7 days", "dear"],
      ["same", "past_due", 1, null],
      [["mine", 5]],
      [[null]],
      [["active"]],
    ],
    actual: async (scene) => {
      await withMore(scene);
      await give(scene, "trial", half);
      await giveEnded(scene);
      const found: unknown[] = [];
      for (const key of ["cheap", "same"]) {
        await move(scene, key);
        found.push(await changed(scene));
      }
      found.push(await scene.see(`select scheduled_price_id from subscriptions where organization_id = '${theirs}'`));
      await scene.see("savepoint late");
      // The Cron Trigger has not run since the period's end, of which nothing is left.
      await scene.see(
        `update subscriptions set period_ends_at = now() - interval '1 day' where id = '${subscription}'`,
      );
      await move(scene, "dear");
      found.push(await changed(scene));
      await scene.see("rollback to late");
      await scene.see(
        `update subscriptions set due_at = ${justNow} where organization_id = '${mine}' and id = '${subscription}'`,
      );
      await scene.ask(null, "select app.advance_subscriptions(10)");
      const row = await changed(scene);
      return [
        ...found,
        [row[0], row[1], row[2], row[9]],
        (await invoicesOf(scene)).map(([whose, , , total]) => [whose, total]),
        await scene.see("select distinct scheduled_price_id from subscriptions"),
        await scene.see(`select status from subscriptions where organization_id = '${theirs}'`),
      ];
    },
  },
  {
    title: "app.change_subscription to the present price takes back what was to come, also of what is past due",
    expected: [["active", null], true, ["past_due", null], [["cheap"]]],
    actual: async (scene) => {
      await withMore(scene);
      await give(scene, "trial", { scheduled_price_id: `'${await priceOf(scene, "cheap")}'`, grace_ends_at: "now()" });
      const found: unknown[] = [];
      await scene.see("savepoint scheduled");
      await giveEnded(scene);
      await scene.see(`update subscriptions set canceled_at = now() where id = '${ended}'`);
      const mark = () => scene.see(`select ctid from subscriptions where id = '${ended}'`).then(String);
      const before = await mark();
      found.push(pick(await move(scene, "trial"), "status", "scheduledPriceId"), (await mark()) === before);
      await scene.see("rollback to scheduled");
      await scene.see("update subscriptions set status = 'past_due'");
      found.push(pick(await move(scene, "trial"), "status", "scheduledPriceId"));
      const others = await scene.see(
        `select p.key from subscriptions s join plan_prices i on i.id = s.scheduled_price_id join plans p on p.id = i.plan_id
          where s.organization_id = '${theirs}'`,
      );
      return [...found, others];
    },
  },
  {
    title: "app.cancel_subscription drops what was to come, whether it ends now or later",
    expected: [
      [[null], ["cheap"]],
      [[null], ["cheap"]],
    ],
    actual: async (scene) => {
      await withMore(scene);
      const found: unknown[] = [];
      for (const columns of [{}, { status: "'unpaid'" }]) {
        await scene.see("delete from subscriptions");
        await give(scene, "trial", { scheduled_price_id: `'${await priceOf(scene, "cheap")}'`, ...columns });
        await scene.ask(write(scene), cancel);
        found.push(
          await scene.see(
            `select (select p.key from plan_prices i join plans p on p.id = i.plan_id where i.id = s.scheduled_price_id)
               from subscriptions s order by s.organization_id`,
          ),
        );
      }
      return found;
    },
  },
];
