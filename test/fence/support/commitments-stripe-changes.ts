import { administer } from "./administering.ts";
import {
  askedOf,
  being,
  codesAfterwards,
  customers,
  day,
  giveCustomers,
  giveStripes,
  past,
  untouched,
} from "./collecting.ts";
import { change, everything, seats, withMore } from "./moving.ts";
import { id } from "./people.ts";
import { addPlan, asDefiner } from "./planning.ts";
import {
  codesOf,
  findAfterEach,
  refusalsAndLocks,
  refusedAndLocked,
  staysSame,
  type Commitment,
  type Scene,
} from "./scene.ts";
import { cancel, mine, priceOf, resume, subscription, write } from "./subscribing.ts";

/** Half a period has passed. */
const half = {
  anchor_at: "now() - interval '7 days'",
  period_started_at: "now() - interval '7 days'",
  period_ends_at: "now() + interval '7 days'",
};

const changeTo = async (scene: Scene, key: string) => change(await priceOf(scene, key));
const alter = (assignment: string) => `update subscriptions set ${assignment} where organization_id = '${mine}'`;

/** What is asked, and that nothing else is written than a ticket of the customer's. */
async function asks(scene: Scene, statement: string): Promise<unknown[]> {
  const [[, before] = []] = await customers(scene);
  let asked: unknown;
  const same = await staysSame(
    scene,
    [["subscriptions"], ["invoices"], ["stripe_customers", `organization_id <> '${mine}'`]],
    async () => {
      asked = askedOf(await scene.ask(write(scene), statement));
    },
  );
  const [[, after] = []] = await customers(scene);
  const named = (asked as [string, unknown][]).map(([name, value]) => [
    name,
    name === "ticket" ? Number(value) - Number(before) : value,
  ]);
  return [named, Number(after) - Number(before), ...same];
}
const asked = (...members: [string, unknown][]) => [
  [["customerId", "cus_mine"], ["subscriptionId", "sub_mine"], ["ticket", 1], ...members].toSorted(([a], [b]) =>
    String(a).localeCompare(String(b)),
  ),
  1,
  true,
  true,
  true,
];

const price = (key: string, interval: string, amount: number): [string, unknown] => [
  "price",
  ["string", "string", `Name of ${key}`, "xts", interval, amount, []],
];

/** What members change of a subscription that Stripe collects for: what is to be asked there. */
export const stripeChangeCommitments: Commitment[] = [
  {
    title:
      "what is asked of Stripe about a subscription is for whoever has billing:write still, behind the organization's lock",
    expected: [
      refusedAndLocked(3),
      [Array(3).fill("AP404"), Array(3).fill("AP404"), Array(3).fill("AP403")],
      ["APNSU", "APNSU", "APNSU"],
    ],
    actual: async (scene) => {
      await withMore(scene);
      await giveCustomers(scene);
      await giveStripes(scene, "trial", { cancel_at_period_end: "true" });
      const statements = [await changeTo(scene, "trial"), cancel, resume];
      const found = [await refusalsAndLocks(scene, write(scene), statements), await codesAfterwards(scene, statements)];
      await past(scene, alter("status = 'canceled', ended_at = now()"));
      return [...found, await codesOf(scene, write(scene), statements)];
    },
  },
  {
    title:
      "app.cancel_subscription has Stripe end what is on trial or paid for with its period, and anything else at once",
    expected: [true, true, false, false, false, false].map((atPeriodEnd) => asked(["atPeriodEnd", atPeriodEnd])),
    actual: async (scene) => {
      await withMore(scene);
      await giveCustomers(scene);
      await giveStripes(scene, "trial");
      return findAfterEach(
        scene,
        ["trialing", "active", "past_due", "unpaid", "incomplete", "paused"].map((status) => alter(being(status))),
        () => asks(scene, cancel),
      );
    },
  },
  {
    title: "app.resume_subscription has Stripe go on with what is about to end, and refuses anything else",
    expected: [asked(), ["APNCA"], ["APNCA"], untouched("theirs")],
    actual: async (scene) => {
      await withMore(scene);
      await giveCustomers(scene);
      await giveStripes(scene, "trial", { cancel_at_period_end: "true" });
      const found = await asks(scene, resume);
      const refused = await findAfterEach(
        scene,
        [
          alter("cancel_at_period_end = false"),
          alter("period_started_at = now() - interval '1 day', period_ends_at = date_trunc('milliseconds', now())"),
        ],
        () => codesOf(scene, write(scene), [resume]),
      );
      return [found, ...refused, (await customers(scene, null))[1]?.slice(1)];
    },
  },
  {
    title:
      "app.change_subscription has Stripe move at once to what costs more for the rest of the period, and else with the next",
    expected: [
      asked(["isLater", false], price("dear", "month", 100), ["quantity", 1]),
      asked(["isLater", true], price("cheap", "month", 1), ["quantity", 1]),
      asked(["isLater", true], price("same", "month", 5), ["quantity", 1]),
      asked(["isLater", false], price("long", "year", 900), ["quantity", 1]),
      asked(["price", null]),
      [["price", true]],
    ],
    actual: async (scene) => {
      await withMore(scene);
      await giveCustomers(scene);
      await giveStripes(scene, "trial", half);
      const found: unknown[] = [];
      for (const key of ["dear", "cheap", "same", "long", "trial"])
        found.push(await asks(scene, await changeTo(scene, key)));
      const count = await seats(scene);
      const perSeat = askedOf(await scene.ask(write(scene), await changeTo(scene, "seats"))) as [string, unknown][];
      return [
        ...found,
        perSeat.filter(([name]) => name === "quantity").map(([, quantity]) => ["price", quantity === count]),
      ];
    },
  },
  {
    title: "app.change_subscription counts what the rest of the period is worth to the unit",
    expected: [true, false, false, true],
    actual: async (scene) => {
      await withMore(scene);
      await giveCustomers(scene);
      await giveStripes(scene, "dear", half);
      const add = (key: string, interval: string, unitAmount: number) =>
        addPlan(key, { prices: [{ currency: "xts", interval, unitAmount, perSeat: false }], features: everything });
      // Of 200 for two half a period is left.
      await asDefiner(
        scene,
        add("just", "month", 200),
        add("more", "month", 202),
        add("yearly", "year", 101),
        add("less", "year", 100),
      );
      await scene.see(alter("quantity = 2"));
      const found: unknown[] = [];
      for (const key of ["just", "more", "yearly", "less"]) {
        const answer = askedOf(await scene.ask(write(scene), await changeTo(scene, key))) as [string, unknown][];
        found.push(Object.fromEntries(answer)["isLater"]);
      }
      return found;
    },
  },
  {
    title: "app.change_subscription has Stripe move at once on trial, to a plan with one, whatever it costs",
    expected: [false, true],
    actual: async (scene) => {
      await withMore(scene);
      await giveCustomers(scene);
      await giveStripes(scene, "trial", { ...half, status: "'trialing'", trial_ends_at: "now() + interval '7 days'" });
      await scene.see("update plans set trial_days = 0 where key = 'dear'");
      const found: unknown[] = [];
      for (const key of ["cheap", "dear"]) {
        const answer = askedOf(await scene.ask(write(scene), await changeTo(scene, key))) as [string, unknown][];
        found.push(Object.fromEntries(answer)["isLater"]);
      }
      return found;
    },
  },
  {
    title: "app.change_subscription refuses of Stripe's what it refuses of others, and lets stay what is not paid for",
    expected: [
      ["APPRI", "APPRI", "APPRI", "APCUR", "APSML"],
      [
        ["APNAC", "done"],
        ["APNAC", "done"],
        ["APNAC", "done"],
        ["APNAC", "done"],
        ["APNAC", "done"],
      ],
    ],
    actual: async (scene) => {
      await withMore(scene);
      await giveCustomers(scene);
      await giveStripes(scene, "trial", half);
      await scene.see(
        `update plan_features set "limit" = 1 where feature_key = 'members' and plan_id = (select id from plans where key = 'cheap')`,
      );
      const statements: string[] = [];
      for (const key of ["hidden", "gone", "secret", "foreign", "cheap"]) statements.push(await changeTo(scene, key));
      const some = [await changeTo(scene, "dear"), await changeTo(scene, "trial")];
      return [
        await codesOf(scene, write(scene), statements),
        await findAfterEach(
          scene,
          ["past_due", "unpaid", "incomplete", "paused"]
            .map((status) => alter(being(status)))
            .concat(alter("cancel_at_period_end = true")),
          () => codesOf(scene, write(scene), some),
        ),
      ];
    },
  },
  {
    title: "app.pay_invoice refuses one that Stripe collects",
    expected: ["APINV", [true, true]],
    actual: async (scene) => {
      await withMore(scene);
      await giveStripes(scene, "trial", { status: "'incomplete'" });
      await past(
        scene,
        `insert into invoices (organization_id, id, subscription_id, number, provider_id, status, currency, total, lines, period_starts_at, period_ends_at, due_at)
         values ('${mine}', '${id(9821)}', '${subscription}', 1, 'in_mine', 'open', 'xts', 5, '[]', '${day(1)}', '${day(31)}', '${day(1)}')`,
      );
      let code: unknown;
      const same = await staysSame(scene, [["invoices"], ["subscriptions"]], async () => {
        await scene.see("savepoint paid");
        code = await administer(scene, `select app.pay_invoice('${id(9821)}', 'Cash')`).then(
          () => "done",
          (error: { code: string }) => error.code,
        );
        await scene.see("rollback to paid");
      });
      return [code, same];
    },
  },
];
