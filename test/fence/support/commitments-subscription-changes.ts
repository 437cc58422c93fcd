import { administer } from "./administering.ts";
import { id } from "./people.ts";
import { addPlan, asDefiner } from "./planning.ts";
import { codesOf, findAfterEach, refusalsAndLocks, refusedAndLocked, type Commitment, type Scene } from "./scene.ts";
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
  stored,
  storedInvoices,
  subscription,
  theirs,
  withPrices,
  write,
} from "./subscribing.ts";

const change = (priceId: string) => `select app.change_subscription('${priceId}')`;

const everything = [
  { key: "members", kind: "number", limit: null },
  { key: "teams", kind: "number", limit: null },
];

/** And what is changed of the others: of theirs nothing is to come. */
const othersOf = async (scene: Scene) =>
  JSON.stringify(await stored(scene, `s.organization_id = '${theirs}'`)) +
  JSON.stringify(await scene.see(`select scheduled_price_id from subscriptions where organization_id = '${theirs}'`));

/** Plans to move to from "trial", which is 5 a month and seat. */
async function withMore(scene: Scene): Promise<void> {
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

const move = async (scene: Scene, key: string) => scene.ask(write(scene), change(await priceOf(scene, key)));

const half = { period_started_at: "now() - interval '7 days'", anchor_at: "now() - interval '7 days'" };

/** The subscription of `mine`: from its plan on; and the plan that is to come. */
async function changed(scene: Scene): Promise<unknown[]> {
  const [row = [], ...others] = await stored(scene, `s.organization_id = '${mine}'`);
  const [[scheduled] = []] = await scene.see(
    `select (select p.key from plan_prices i join plans p on p.id = i.plan_id where i.id = s.scheduled_price_id)
       from subscriptions s where s.id = '${subscription}' and s.organization_id = '${mine}'`,
  );
  return [...row.slice(1, 10), scheduled, ...others];
}

const invoicesOf = async (scene: Scene) =>
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
async function payAll(scene: Scene): Promise<void> {
  const open = await scene.see(`select id from invoices where status = 'open' and organization_id = '${mine}'`);
  for (const [invoiceId] of open) await administer(scene, `select app.pay_invoice('${String(invoiceId)}', null)`);
}

const seats = async (scene: Scene) =>
  Number(await scene.see(`select count(*)::int from memberships where organization_id = '${mine}'`));

/** How members move their organization to another plan. */
export const subscriptionChangeCommitments: Commitment[] = [
  {
    title: "app.change_subscription refuses whoever lacks billing:write, and is behind the organization's lock",
    expected: refusedAndLocked(1),
    actual: async (scene) => {
      await withMore(scene);
      await give(scene, "trial");
      return refusalsAndLocks(scene, write(scene), [change(await priceOf(scene, "dear"))]);
    },
  },
  {
    title: "app.change_subscription moves at once on trial, to a plan with one, and asks for nothing",
    expected: [
      ["trialing", "seats"],
      ["seats", "trialing", true, "+7 days", "+7 days", "now", "+7 days", null, "+7 days", null],
      ["cheap", "trialing", 1, "+7 days", "+7 days", "now", "+7 days", null, "+7 days", "dear"],
      [],
      true,
    ],
    actual: async (scene) => {
      await withMore(scene);
      await scene.see("update plans set trial_days = 0 where key = 'dear'");
      await give(scene, "trial", {
        status: "'trialing'",
        trial_ends_at: "now() + interval '7 days'",
        anchor_at: "now() + interval '7 days'",
      });
      const others = await othersOf(scene);
      await giveEnded(scene);
      await scene.see(
        `update subscriptions set scheduled_price_id = price_id where organization_id = '${mine}' and id = '${subscription}'`,
      );
      const answer = pick(await move(scene, "seats"), "status", "plan.key");
      const count = await seats(scene);
      const row = (await changed(scene)).map((value, index) => (index === 2 ? value === count : value));
      await move(scene, "cheap");
      await move(scene, "dear");
      return [answer, row, await changed(scene), await invoicesOf(scene), (await othersOf(scene)) === others];
    },
  },
  {
    title:
      "app.change_subscription asks once for what costs more for the rest of the period, and app.pay_invoice moves to it",
    expected: [
      ["active", "trial"],
      ["trial", "active", 4, null, "-7 days", "-7 days", "+7 days", null, "+7 days", null],
      [
        [
          "mine",
          "open",
          "xts",
          40,
          [
            ["Unused time: Name of trial", 1, -10, -10],
            ["Remaining time: Name of dear", 1, 50, 50],
          ],
          "-7 days",
          "+7 days",
          "now",
        ],
      ],
      ["dear", "active", 1, null, "-7 days", "-7 days", "+7 days", null, "+7 days", null],
      [["paid", "-7 days", "+7 days"]],
      true,
    ],
    actual: async (scene) => {
      await withMore(scene);
      await give(scene, "trial", { ...half, quantity: "4" });
      await scene.see(`update subscriptions set scheduled_price_id = price_id where id = '${subscription}'`);
      const others = await othersOf(scene);
      await giveEnded(scene);
      const dear = await priceOf(scene, "dear");
      // None of these is what is asked for.
      await scene.see(
        `insert into invoices (organization_id, id, subscription_id, price_id, number, status, currency, total, lines, period_starts_at, period_ends_at, due_at)
         select organization_id, gen_random_uuid(), id, '${dear}'::uuid, 90, case when id = '${ended}' or organization_id = '${theirs}' then 'open' else 'void' end, 'xts', 5, '[]'::jsonb,
                now(), now(), now() from subscriptions where id = '${subscription}'
         union all select organization_id, gen_random_uuid(), id, '${dear}'::uuid, 91, 'open', 'xts', 5, '[]'::jsonb, now(), now(), now() from subscriptions where id = '${ended}'`,
      );
      const answer = pick(await move(scene, "dear"), "status", "plan.key");
      await move(scene, "dear");
      const before = [await changed(scene), (await invoicesOf(scene)).filter(([, , , total]) => total !== 5)];
      const [[asked] = []] = await scene.see(`select id from invoices where total = 40`);
      await administer(scene, `select app.pay_invoice('${String(asked)}', null)`);
      return [
        answer,
        ...before,
        await changed(scene),
        (await invoicesOf(scene))
          .filter(([, , , total]) => total !== 5)
          .map(([, status, , , , from, until]) => [status, from, until]),
        (await othersOf(scene)) === others,
      ];
    },
  },
  {
    title: "app.change_subscription counts the seats of the plan that it moves to",
    expected: [true, true],
    actual: async (scene) => {
      await withMore(scene);
      await give(scene, "trial", { ...half, quantity: "2" });
      await move(scene, "seats");
      const count = await seats(scene);
      const [[, , , total] = []] = await invoicesOf(scene);
      await payAll(scene);
      const [, , quantity] = await changed(scene);
      return [quantity === count, Math.abs(Number(total) - ((7 * count) / 2 - 5)) <= 1];
    },
  },
  {
    title: "the period begins anew with the payment for another interval",
    expected: [
      ["trial", "active", 2, null, "-7 days", "-7 days", "+7 days", null, "+7 days", null],
      [
        [
          "mine",
          "open",
          "xts",
          895,
          [
            ["Unused time: Name of trial", 1, -5, -5],
            ["Name of long", 1, 900, 900],
          ],
          "-7 days",
          "+7 days",
          "now",
        ],
      ],
      ["long", "active", 1, null, "now", "now", "year", null, "year", null],
      [["paid", "now", "year"]],
    ],
    actual: async (scene) => {
      await withMore(scene);
      await give(scene, "trial", { ...half, quantity: "2" });
      await move(scene, "long");
      const before = [await changed(scene), await invoicesOf(scene)];
      await payAll(scene);
      return [
        ...before,
        await changed(scene),
        (await invoicesOf(scene)).map(([, status, , , , from, until]) => [status, from, until]),
      ];
    },
  },
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
  {
    title:
      "app.change_subscription refuses what is not on trial or paid for, prices that are not sold, and another currency",
    expected: [["APNSU"], ["APPRI", "APPRI", "APPRI", "APCUR", "done"], [["APNAC"], ["APNAC"], ["APNAC"], ["APNAC"]]],
    actual: async (scene) => {
      await withMore(scene);
      const keys = ["hidden", "gone", "secret", "foreign", "dear"];
      const statements: string[] = [];
      for (const key of keys) statements.push(change(await priceOf(scene, key)));
      const last = statements.slice(-1);
      const found: unknown[] = [await codesOf(scene, write(scene), last)];
      await give(scene, "trial", { grace_ends_at: "now()" });
      found.push(await codesOf(scene, write(scene), statements));
      const states = [
        "status = 'past_due'",
        "status = 'unpaid'",
        "status = 'incomplete'",
        "cancel_at_period_end = true",
      ];
      return [
        ...found,
        await findAfterEach(
          scene,
          states.map((state) => `update subscriptions set ${state}`),
          () => codesOf(scene, write(scene), last),
        ),
      ];
    },
  },
  {
    title: "app.change_subscription refuses a plan that has less than there is",
    expected: [
      ["members", 1, true],
      "done",
      ["members", 0, true],
      ["members", 1, true],
      ["teams", 1, 2],
      "done",
      ["teams", 0, 2],
      "done",
      "done",
    ],
    actual: async (scene) => {
      await withMore(scene);
      await give(scene, "trial");
      await scene.see("delete from teams");
      const add = (organizationId: string, count: number) =>
        scene.see(
          `insert into teams (organization_id, id, name) select '${organizationId}', gen_random_uuid(), 'Filled ' || n from generate_series(1, ${count}) n`,
        );
      await add(mine, 2);
      await add(theirs, 3);
      const count = await seats(scene);
      const statement = change(await priceOf(scene, "dear"));
      const outcome = async () => {
        await scene.see("savepoint tried");
        const found = await scene.ask(write(scene), statement).then(
          () => "done",
          ({ code, detail }: { code: string; detail?: string }) => {
            const { feature, limit, used } = JSON.parse(detail ?? "{}") as Record<string, unknown>;
            return code === "APSML" ? [feature, limit, feature === "members" ? used === count : used] : code;
          },
        );
        await scene.see("rollback to tried");
        return found;
      };
      const isDear = "plan_id = (select id from plans where key = 'dear')";
      const limitTo = (key: string, limit: string) =>
        `update plan_features set "limit" = ${limit} where feature_key = '${key}' and ${isDear}`;
      const drop = (key: string) => `delete from plan_features where feature_key = '${key}' and ${isDear}`;
      return (
        await findAfterEach(
          scene,
          [
            limitTo("members", "1"),
            limitTo("members", String(count)),
            drop("members"),
            `${limitTo("members", "1")}; ${limitTo("teams", "1")}`,
            limitTo("teams", "1"),
            limitTo("teams", "2"),
            drop("teams"),
            `${drop("teams")}; update features set archived_at = now() where key = 'teams'`,
            `select '${id(9899)}'`,
          ],
          outcome,
        )
      ).flat(0);
    },
  },
];
