import { id } from "./people.ts";
import { codesOf, letIn, refusalsAndLocks, refusedAndLocked, type Commitment } from "./scene.ts";
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
  read,
  resume,
  start,
  stored,
  storedInvoices,
  subscription,
  theirs,
  withPrices,
  write,
} from "./subscribing.ts";
import { admission } from "./world.ts";

const members = `(select count(*)::int from memberships where organization_id = '${mine}')`;

/** What members ask for about their subscription. */
export const subscriptionCommitments: Commitment[] = [
  {
    title: "subscriptions are refused to whoever lacks billing:write, and change behind the organization's lock",
    expected: [refusedAndLocked(1), refusedAndLocked(1), refusedAndLocked(1)],
    actual: async (scene) => {
      await withPrices(scene);
      const found = [await refusalsAndLocks(scene, write(scene), [start(await priceOf(scene, "trial"))])];
      await give(scene, "trial");
      found.push(await refusalsAndLocks(scene, write(scene), [cancel]));
      await scene.see("update subscriptions set cancel_at_period_end = true");
      return [...found, await refusalsAndLocks(scene, write(scene), [resume])];
    },
  },
  {
    title: "app.start_subscription begins the one trial of an organization, of as many seats as it has members",
    expected: [
      ["trialing", "trial", 1, true],
      [["mine", "trial", "trialing", true, "+7 days", "+7 days", "now", "+7 days", null, "+7 days", false, null, null]],
      [],
      ["incomplete", false],
      [null, "now", "now", "month", null, "+14 days"],
    ],
    actual: async (scene) => {
      await withPrices(scene);
      // Of theirs a trial, and of mine none, of which the ended ones are.
      await give(scene, "trial", { trial_ends_at: "now()", status: "'canceled'", ended_at: "now()", due_at: "null" });
      await scene.see(`update subscriptions set trial_ends_at = null where organization_id = '${mine}'`);
      const trial = await priceOf(scene, "trial");
      const begun = await scene.ask(write(scene), start(trial));
      const [[seats] = []] = await scene.see(`select ${members}`);
      const rows = (await stored(scene, `s.id = '${id(9810)}'`)).map((row) =>
        row.map((value, index) => (index === 3 ? value === seats : value)),
      );
      const invoices = await storedInvoices(scene);
      await scene.see(
        `update subscriptions set status = 'canceled', ended_at = now(), due_at = null where id = '${id(9810)}'`,
      );
      const again = await scene.ask(write(scene), start(trial, id(9811)));
      const [last] = await stored(scene, `s.id = '${id(9811)}'`);
      return [
        [...pick(begun, "status", "plan.key"), 1, pick(begun, "quantity")[0] === seats],
        rows,
        invoices,
        pick(again, "status", "isTrialAvailable"),
        last?.slice(4, 10),
      ];
    },
  },
  {
    title: "app.start_subscription asks for the first payment where there is no trial",
    expected: [
      ["incomplete", "whole", 1, "year", true],
      [["mine", "whole", "incomplete", 1, null, "now", "now", "year", null, "+14 days", false, null, null]],
      [
        ["mine", 1, "paid", "xts", 5, [], "now", "+7 days", "now", "now", null],
        [
          "mine",
          2,
          "open",
          "xts",
          900,
          [{ amount: 900, quantity: 1, unitAmount: 900, description: "Name of whole" }],
          "now",
          "year",
          "now",
          null,
          null,
        ],
        ["theirs", 7, "paid", "xts", 5, [], "now", "+7 days", "now", "now", null],
      ],
    ],
    actual: async (scene) => {
      await withPrices(scene);
      await give(scene, "whole", { status: "'canceled'", ended_at: "now()", due_at: "null" });
      await giveInvoices(scene, id(9821), 1, "paid");
      await scene.see(`update invoices set number = 7 where organization_id = '${theirs}'`);
      const answer = await scene.ask(write(scene), start(await priceOf(scene, "whole")));
      return [
        pick(answer, "status", "plan.key", "quantity", "price.interval", "isTrialAvailable"),
        await stored(scene, `s.id = '${id(9810)}'`),
        await storedInvoices(scene),
      ];
    },
  },
  {
    title: "app.start_subscription refuses a price that is not sold to everybody, and a second subscription",
    expected: [["APPRI", "APPRI", "APPRI", "done"], ["APSUB"], ["done"]],
    actual: async (scene) => {
      await withPrices(scene);
      const prices = [
        await priceOf(scene, "hidden"),
        await priceOf(scene, "gone"),
        id(9899),
        await priceOf(scene, "trial"),
      ];
      const statements = prices.map((price) => start(price));
      const found = [await codesOf(scene, write(scene), statements)];
      await give(scene, "whole");
      found.push(await codesOf(scene, write(scene), statements.slice(-1)));
      await scene.see(
        `update subscriptions set status = 'canceled', ended_at = now(), due_at = null where organization_id = '${mine}'`,
      );
      return [...found, await codesOf(scene, write(scene), statements.slice(-1))];
    },
  },
  {
    title: "app.subscription shows the live one of the request's organization to those with billing:read, or free",
    expected: [
      ["AP403", "AP400"],
      ["free", "free", null, null, null, null, false, null, true],
      [subscription, "past_due", "trial", 5, "manual", 3, "free", true],
      ["trialEndsAt", "currentPeriodStart", "currentPeriodEnd", "graceEndsAt", "canceledAt", "createdAt"],
    ],
    actual: async (scene) => {
      await withPrices(scene);
      const ask = "select app.subscription()";
      const refused = [
        ...(await codesOf(scene, letIn(scene, "viewer"), [ask])),
        ...(await codesOf(scene, null, [ask])),
      ];
      await give(scene, "whole", { status: "'canceled'", ended_at: "now()", due_at: "null" });
      await scene.see(`update subscriptions set trial_ends_at = now() where organization_id = '${theirs}'`);
      const none = await scene.ask(read(scene), ask);
      await scene.see("delete from subscriptions");
      await give(scene, "trial", {
        status: "'past_due'",
        quantity: "3",
        trial_ends_at: "now()",
        grace_ends_at: "now()",
        canceled_at: "now()",
        cancel_at_period_end: "true",
      });
      const live = await scene.ask(read(scene), ask);
      const shown = (live[0]?.[0] ?? {}) as Record<string, unknown>;
      return [
        refused,
        pick(
          none,
          "status",
          "plan.key",
          "id",
          "price",
          "provider",
          "currentPeriodEnd",
          "cancelAtPeriodEnd",
          "createdAt",
          "isTrialAvailable",
        ),
        [
          ...pick(live, "id", "status", "plan.key", "price.unitAmount", "provider", "quantity"),
          "free",
          pick(live, "cancelAtPeriodEnd")[0],
        ],
        ["trialEndsAt", "currentPeriodStart", "currentPeriodEnd", "graceEndsAt", "canceledAt", "createdAt"].filter(
          (member) => /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(String(shown[member])),
        ),
      ];
    },
  },
  {
    title: "app.cancel_subscription ends what is paid for with its period, once, and anything else at once",
    expected: [
      ["active", true, "string"],
      [
        ["mine", "trial", "active", 1, null, "now", "now", "+7 days", null, "+7 days", true, "-1 day", null],
        ["theirs", "trial", "active", 1, null, "now", "now", "+7 days", null, "+7 days", false, null, null],
      ],
      ["trialing", true],
      ["free"],
      [
        ["mine", "trial", "canceled", 1, null, "now", "now", "+7 days", "+14 days", null, false, "now", "now"],
        ["theirs", "trial", "past_due", 1, null, "now", "now", "+7 days", "+14 days", "+7 days", false, null, null],
      ],
      "void paid open open paid",
      ["free"],
      ["canceled"],
      "open paid open paid",
      ["free"],
      ["incomplete_expired"],
      "void paid open open paid",
      ["APNSU", "APNSU"],
    ],
    actual: async (scene) => {
      await withPrices(scene);
      const found: unknown[] = [];
      const begin = async (columns: Record<string, string>) => {
        await scene.see("delete from subscriptions");
        await give(scene, "trial", columns);
        await giveEnded(scene);
        await giveInvoices(scene);
        // By which it is not known that something was paid for.
        await scene.see(
          `insert into invoices (organization_id, id, subscription_id, number, status, currency, total, lines, period_starts_at, period_ends_at, due_at, paid_at)
           select organization_id, gen_random_uuid(), case organization_id when '${mine}' then '${ended}' else id end, 50, 'paid', 'xts', 5, '[]'::jsonb, now(), now(), now(), now()
             from subscriptions where id = '${subscription}'
           union all select organization_id, '${id(9828)}', id, 51, 'open', 'xts', 5, '[]'::jsonb, now(), now(), now(), null::timestamptz from subscriptions where id = '${ended}'`,
        );
        return scene.ask(write(scene), cancel);
      };
      const asked = async () =>
        (await scene.see("select status from invoices order by organization_id, number"))
          .map(([status]) => status)
          .join(" ");
      const statuses = async (table: string, order: string) =>
        (
          await scene.see(
            `select status from ${table} where organization_id = '${mine}' and id <> '${ended}' order by ${order}`,
          )
        ).map(([status]) => status);
      const active = pick(await begin({}), "status", "cancelAtPeriodEnd", "canceledAt");
      found.push([...active.slice(0, 2), typeof active[2]]);
      await scene.see(
        `update subscriptions set canceled_at = now() - interval '1 day' where organization_id = '${mine}' and id = '${subscription}'`,
      );
      await scene.ask(write(scene), cancel);
      found.push(await stored(scene));
      found.push(
        pick(
          await begin({ status: "'trialing'", trial_ends_at: "now() + interval '7 days'" }),
          "status",
          "cancelAtPeriodEnd",
        ),
      );
      found.push(
        pick(await begin({ status: "'past_due'", grace_ends_at: "now() + interval '14 days'" }), "status"),
        await stored(scene),
        await asked(),
      );
      await scene.see("delete from subscriptions");
      await give(scene, "trial", { status: "'unpaid'" });
      await giveInvoices(scene);
      await giveInvoices(scene, id(9822), 2, "paid");
      found.push(pick(await scene.ask(write(scene), cancel), "status"), await statuses("subscriptions", "id"));
      found.push(await asked());
      found.push(pick(await begin({ status: "'incomplete'" }), "status"), await statuses("subscriptions", "id"));
      found.push(await asked());
      return [...found, await codesOf(scene, write(scene), [cancel, resume])];
    },
  },
  {
    title: "app.cancel_subscription voids the invoices of the subscription that ends, and of no other",
    expected: [["open", "void"]],
    actual: async (scene) => {
      await withPrices(scene);
      await give(scene, "whole", { status: "'canceled'", ended_at: "now()", due_at: "null" });
      await giveInvoices(scene);
      const price = await priceOf(scene, "whole");
      await scene.ask(write(scene), start(price));
      await scene.ask(write(scene), cancel);
      return [
        (await scene.see(`select status from invoices where organization_id = '${mine}' order by number`)).map(
          ([status]) => status,
        ),
      ];
    },
  },
  {
    title: "app.resume_subscription takes a cancellation back until the period ends",
    expected: [
      ["active", false],
      [
        ["mine", "trial", "active", 1, null, "now", "now", "+7 days", null, "+7 days", false, null, null],
        ["theirs", "trial", "active", 1, null, "now", "now", "+7 days", null, "+7 days", true, "now", null],
      ],
      ["APNCA"],
      ["APNCA"],
    ],
    actual: async (scene) => {
      await withPrices(scene);
      await give(scene, "trial", { cancel_at_period_end: "true", canceled_at: "now()" });
      await giveEnded(scene);
      const found: unknown[] = [
        pick(await scene.ask(write(scene), resume), "status", "cancelAtPeriodEnd"),
        await stored(scene),
      ];
      found.push(await codesOf(scene, write(scene), [resume]));
      await scene.see(
        `update subscriptions set cancel_at_period_end = true, period_started_at = now() - interval '7 days', period_ends_at = ${justNow}`,
      );
      return [...found, await codesOf(scene, write(scene), [resume])];
    },
  },
  {
    title: "an organization's invoices are read under the fence, with billing:read",
    expected: [[1], [0], [0], ["42501"]],
    actual: async (scene) => {
      const count = "select count(*)::int from invoices";
      return [
        ...(await scene.ask(read(scene), count)),
        ...(await scene.ask(letIn(scene, "viewer"), count)),
        ...(await scene.ask(admission(scene.person("owner")), count)).map(() => [0]),
        await codesOf(scene, write(scene), ["update invoices set status = 'void'"]),
      ];
    },
  },
];
