import { administer } from "./administering.ts";
import { id } from "./people.ts";
import { asPerson, codeOf, codesOf, findAfterEach, type Commitment, type Scene } from "./scene.ts";
import {
  ended,
  give,
  giveEnded,
  giveInvoices,
  isEndedKept,
  justNow,
  mine,
  pick,
  stored,
  storedInvoices,
  subscription,
  theirs,
  third,
  withPrices,
} from "./subscribing.ts";
import { told } from "./telling.ts";

const advance = (limit = 10) => `select app.advance_subscriptions(${limit})`;
const pay = (invoiceId = id(9821), reference = "'RF18'") => `select app.pay_invoice('${invoiceId}', ${reference})`;

/** What becomes of the subscription of `mine` when its time has come; of the other, whose has not, nothing. */
async function advanced(scene: Scene, columns: Record<string, string>): Promise<unknown[]> {
  await scene.see("delete from subscriptions");
  await give(scene, "trial", columns);
  await giveEnded(scene);
  await giveInvoices(scene);
  await scene.see(`update subscriptions set due_at = now() + interval '1 day' where organization_id = '${theirs}'`);
  const theirsOf = async () => JSON.stringify(await stored(scene, `s.organization_id = '${theirs}'`));
  const before = await theirsOf();
  const [[moved] = []] = await scene.ask(null, advance());
  const [row, ...others] = await stored(scene, `s.organization_id = '${mine}'`);
  return [moved, ...(row?.slice(2) ?? []), ...others, ...((await theirsOf()) === before ? [] : ["theirs was changed"])];
}

const due = { due_at: justNow };

/** What time and payments do to subscriptions. */
export const subscriptionTimeCommitments: Commitment[] = [
  {
    title:
      "app.advance_subscriptions begins the next period of what is paid for, unpaid and with a grace, for all who are members",
    expected: [
      ["mine", "trial", "past_due", true, null, "-7 days", "now", true, "+14 days", "+14 days", false, null, null],
      [
        ["mine", 1, "open", 5, [], "-7 days", "now"],
        ["mine", 2, "open", true, "Name of trial", "now", true],
        ["theirs", 1, "open", 5, [], "-7 days", "now"],
      ],
      [true, false],
    ],
    actual: async (scene) => {
      await withPrices(scene);
      await scene.see(`update organizations set deleted_at = now() where id = '${third}'`);
      await give(scene, "trial", {
        anchor_at: "now() - interval '7 days'",
        period_started_at: "now() - interval '7 days'",
        period_ends_at: justNow,
        ...due,
      });
      await giveEnded(scene);
      await giveInvoices(scene);
      await scene.see(`update subscriptions set due_at = now() + interval '1 day' where organization_id = '${theirs}'`);
      const others = await stored(scene, `s.organization_id = '${theirs}'`);
      await scene.ask(null, advance());
      const [[seats, end] = []] = await scene.see(
        `select (select count(*)::int from memberships where organization_id = '${mine}'),
                (select period_ends_at = anchor_at + interval '1 month' from subscriptions where id = '${subscription}' and organization_id = '${mine}')`,
      );
      const [row = []] = await stored(scene, `s.organization_id = '${mine}'`);
      const invoices = (await storedInvoices(scene)).map(
        ([whose, number, status, , total, lines, from, until], index) => [
          whose,
          number,
          status,
          index === 1 ? total === 5 * Number(seats) : total,
          index === 1 ? (lines as { description: string }[])[0]?.description : lines,
          from,
          index === 1 ? end : until,
        ],
      );
      return [
        row.map((value, index) => (index === 3 ? value === seats : index === 7 ? end : value)),
        invoices,
        [JSON.stringify(await stored(scene, `s.organization_id = '${theirs}'`)) === JSON.stringify(others), false],
      ];
    },
  },
  {
    title: "app.advance_subscriptions moves each as its state and its time say, and nothing that is not due",
    expected: [
      [1, "unpaid", 1, null, "now", "now", "+7 days", "+14 days", "+7 days", false, null, null],
      [1, "unpaid", 1, null, "now", "now", "+60 days", "+14 days", "+30 days", false, null, null],
      [1, "canceled", 1, null, "now", "now", "+7 days", null, null, false, "now", "now"],
      [1, "incomplete_expired", 1, null, "now", "now", "+7 days", null, null, false, "now", "now"],
      [1, "canceled", 1, null, "now", "-7 days", "-1 day", null, null, true, "-7 days", "-1 day"],
      [0, "active", 1, null, "now", "now", "+7 days", null, "+7 days", false, null, null],
      [1, "past_due", "+7 days", "+14 days", "+14 days"],
      [1, "canceled", "now", "-1 day"],
    ],
    actual: async (scene) => {
      await withPrices(scene);
      const late = { status: "'past_due'", grace_ends_at: "now() + interval '14 days'", ...due };
      const found = [
        await advanced(scene, late),
        await advanced(scene, { ...late, period_ends_at: "now() + interval '60 days'" }),
        await advanced(scene, { status: "'unpaid'", ...due }),
        await advanced(scene, { status: "'incomplete'", ...due }),
      ];
      const ended = {
        period_started_at: "now() - interval '7 days'",
        period_ends_at: "now() - interval '1 day'",
        ...due,
      };
      found.push(
        await advanced(scene, {
          ...ended,
          cancel_at_period_end: "true",
          canceled_at: "now() - interval '7 days'",
        }),
        await advanced(scene, {}),
      );
      const tried = await advanced(scene, {
        status: "'trialing'",
        trial_ends_at: "now() + interval '7 days'",
        anchor_at: "now() + interval '7 days'",
        ...due,
      });
      found.push([tried[0], tried[1], tried[3], tried[7], tried[8]]);
      await scene.see(`update organizations set deleted_at = now() where id = '${mine}'`);
      const deleted = await advanced(scene, ended);
      return [...found, [deleted[0], deleted[1], deleted[10], deleted[11]]];
    },
  },
  {
    title:
      "app.advance_subscriptions takes those that have waited longest, as many as it is asked for, and tells how many",
    expected: [[1], ["active", "active", "past_due"], [2], ["past_due", "past_due", "past_due"], [0]],
    actual: async (scene) => {
      await scene.see(
        `update subscriptions set period_started_at = now() - interval '40 days', period_ends_at = now() - interval '9 days',
                due_at = now() - case organization_id when '${third}' then 3 when '${theirs}' then 2 else 1 end * interval '1 day'`,
      );
      const statuses = async () =>
        (await scene.see("select status from subscriptions order by organization_id")).map(([status]) => status);
      const found: unknown[] = [];
      for (const limit of [1, 10]) {
        found.push((await scene.ask(null, advance(limit)))[0], await statuses());
      }
      return [...found, (await scene.ask(null, advance()))[0]];
    },
  },
  {
    title: "app.pay_invoice begins what waits for its first payment, and its period with it",
    expected: [
      ["paid", "RF18", mine, subscription],
      ["active", 1, null, "now", "now", "month", null, "month", false, null, null],
      [
        ["mine", 1, "paid", "xts", 5, [], "now", "month", "now", "now", "RF18"],
        ["mine", 2, "open", "xts", 5, [], "-7 days", "+7 days", "now", null, null],
        ["theirs", 1, "open", "xts", 5, [], "-7 days", "+7 days", "now", null, null],
        ["theirs", 2, "open", "xts", 5, [], "-7 days", "+7 days", "now", null, null],
      ],
      ["incomplete"],
    ],
    actual: async (scene) => {
      await withPrices(scene);
      await give(scene, "trial", {
        status: "'incomplete'",
        anchor_at: "now() - interval '7 days'",
        period_started_at: "now() - interval '7 days'",
      });
      await giveInvoices(scene);
      await giveInvoices(scene, id(9822), 2);
      await giveEnded(scene);
      const answer = await administer(scene, pay());
      const [row] = await stored(scene, `s.organization_id = '${mine}'`);
      return [
        pick(answer, "status", "paymentReference", "organizationId", "subscriptionId"),
        row?.slice(2),
        await storedInvoices(scene),
        ...(await scene.see(`select status from subscriptions where organization_id = '${theirs}'`)),
      ];
    },
  },
  {
    title:
      "what is asked for another price is void when its subscription ends with its period, and what is owed is not",
    expected: [["paid"], ["open"], ["void"]],
    actual: async (scene) => {
      await withPrices(scene);
      await give(scene, "trial", { ...due, cancel_at_period_end: "true" });
      await giveInvoices(scene, id(9821), 1, "paid");
      await giveInvoices(scene, id(9822), 2);
      await giveInvoices(scene, id(9823), 3);
      await scene.see("update invoices set price_id = (select id from plan_prices limit 1) where number = 3");
      await scene.ask(null, advance());
      return scene.see(`select status from invoices where organization_id = '${mine}' order by number`);
    },
  },
  {
    title: "app.pay_invoice lets go on what is past due or unpaid once nothing of it is open, and nothing else",
    expected: [
      ["past_due", "active", "+7 days"],
      ["unpaid", "active", "+7 days"],
      ["active", "trialing", "canceled"],
      [["past_due"]],
    ],
    actual: async (scene) => {
      await withPrices(scene);
      const found: unknown[] = [];
      for (const status of ["past_due", "unpaid"]) {
        await scene.see("delete from subscriptions");
        await give(scene, "trial", {
          status: `'${status}'`,
          grace_ends_at: "now() + interval '14 days'",
          due_at: "now() + interval '14 days'",
        });
        await giveEnded(scene);
        await scene.see(
          `insert into invoices (organization_id, id, subscription_id, number, status, currency, total, lines, period_starts_at, period_ends_at, due_at)
           select organization_id, '${id(9828)}', id, 51, 'open', 'xts', 5, '[]', now(), now(), now() from subscriptions where id = '${ended}'`,
        );
        await giveInvoices(scene);
        await giveInvoices(scene, id(9822), 2);
        await administer(scene, pay());
        const [first] = await stored(scene, `s.organization_id = '${mine}'`);
        await administer(scene, pay(id(9822)));
        const [second] = await stored(scene, `s.organization_id = '${mine}'`);
        found.push([first?.[2], second?.[2], second?.[9]]);
        if (second?.[8] !== null) found.push("still in its grace");
        if (!(await isEndedKept(scene))) found.push("the one that has ended was changed");
      }
      const others = await scene.see(`select status from subscriptions where organization_id = '${theirs}'`);
      const kept: unknown[] = [];
      for (const columns of [
        {},
        { status: "'trialing'", trial_ends_at: "now()" },
        { status: "'canceled'", ended_at: "now()", due_at: "null" },
      ]) {
        await scene.see("delete from subscriptions");
        await give(scene, "trial", columns);
        await giveInvoices(scene);
        await administer(scene, pay());
        kept.push((await stored(scene, `s.organization_id = '${mine}'`))[0]?.[2]);
      }
      return [...found, kept, others.map(([status]) => [status === "unpaid" ? "past_due" : status])];
    },
  },
  {
    title: "app.pay_invoice is for an administrator at work, of an invoice that is open",
    expected: [
      ["AP404", "APINV", "APINV"],
      ["AP404", "AP400"],
      [["mine", "invoice.paid", "platform_admin ?", "invoice ?"]],
    ],
    actual: async (scene) => {
      await withPrices(scene);
      await give(scene, "trial");
      await giveInvoices(scene);
      const outcomes: unknown[] = [];
      for (const change of [
        `delete from invoices`,
        `update invoices set status = 'void'`,
        `update invoices set status = 'paid', paid_at = now()`,
      ])
        outcomes.push(
          ...(await findAfterEach(scene, [change], () => codeOf(administer(scene, "savepoint s", pay())))).map(String),
        );
      const refused = [
        ...(await codesOf(scene, asPerson(scene, "administrator"), [pay()])),
        ...(await codesOf(scene, null, [pay()])),
      ];
      const events = await told(scene, () => administer(scene, pay()));
      return [
        outcomes,
        refused,
        events.map(([whose, action, actor, subject]) => [
          whose,
          action,
          String(actor).replace(/ .*/, " ?"),
          String(subject).replace(/ .*/, " ?"),
        ]),
      ];
    },
  },
  {
    title:
      "app.platform_invoices lists all, or an organization's, or the open ones alone, newest first and a page of them",
    expected: [
      [id(9824), id(9823), id(9822), id(9821)],
      [id(9823), id(9821)],
      [id(9823), id(9822)],
      [id(9822), id(9821)],
      [id(9824)],
      [
        "currency",
        "createdAt",
        "dueAt",
        "id",
        "lines",
        "number",
        "organizationId",
        "paidAt",
        "paymentReference",
        "periodEnd",
        "periodStart",
        "priceId",
        "providerNumber",
        "status",
        "subscriptionId",
        "total",
        "url",
      ].toSorted(),
      [],
    ],
    actual: async (scene) => {
      await withPrices(scene);
      await give(scene, "trial");
      await scene.see(
        `insert into invoices (organization_id, id, subscription_id, number, status, currency, total, lines, period_starts_at, period_ends_at, due_at, paid_at)
         select s.organization_id, v.id::uuid, s.id, v.number, v.status, 'xts', 5, '[]', now(), now(), now(), case v.status when 'paid' then now() end
           from (values ('${mine}', '${id(9821)}', 1, 'paid'), ('${theirs}', '${id(9822)}', 1, 'open'), ('${mine}', '${id(9823)}', 2, 'open'),
                        ('${theirs}', '${id(9824)}', 2, 'paid')) v (organization_id, id, number, status)
           join subscriptions s on s.organization_id = v.organization_id::uuid`,
      );
      const list = async (filter: string) =>
        (await administer(scene, `select id, invoice from app.platform_invoices(${filter})`)) as [string, object][];
      const ids = async (filter: string) => (await list(filter)).map(([found]) => found);
      const [[, invoice] = ["", {}]] = await list("null, false, null, 10");
      return [
        await ids("null, false, null, 10"),
        await ids(`'${mine}', false, null, 10`),
        await ids("null, true, null, 10"),
        await ids(`null, false, '${id(9823)}', 10`),
        await ids("null, false, null, 1"),
        Object.keys(invoice).toSorted(),
        await scene.ask(asPerson(scene, "administrator"), "select * from app.platform_invoices(null, false, null, 10)"),
      ];
    },
  },
];
