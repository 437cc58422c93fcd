import {
  askedOf,
  customers,
  giveCustomers,
  openPage,
  untouched,
  workerKeys,
  wrongKeys,
  customer,
  refresh,
} from "./collecting.ts";
import { codesOf, findAfterEach, staysSame, text, type Commitment, type Scene } from "./scene.ts";
import { mine, pick, read, third, theirs, withPrices, write } from "./subscribing.ts";

const due = (limit = 10, keys = workerKeys) =>
  `select customer_id, ticket::int from app.due_stripe_customers(${text(keys)}, ${limit})`;
const hasten = (ids: string, keys = workerKeys) => `select app.hasten_stripe_customers(${text(keys)}, '{${ids}}')`;

/** When the customers of each organization are due, in their order. */
const dueOf = async (scene: Scene) => (await customers(scene, null)).map((row) => row[9]);

/** Whom Stripe collects from, and when it is asked for them. */
export const stripeCustomerCommitments: Commitment[] = [
  {
    title: "app.stripe_customer tells the organization's customer, and APNSU where there is none",
    expected: [[["cus_mine"]], [["APNSU"], ["APNSU"]], [true]],
    actual: async (scene) => {
      await giveCustomers(scene);
      const found: unknown[] = [];
      const same = await staysSame(scene, [["stripe_customers"]], async () => {
        found.push(await scene.ask(write(scene), customer));
      });
      const none = await findAfterEach(
        scene,
        ["update stripe_customers set customer_id = null", "delete from stripe_customers"].map(
          (change) => `${change} where organization_id = '${mine}'`,
        ),
        () => codesOf(scene, write(scene), [customer]),
      );
      return [...found, none, same];
    },
  },
  {
    title:
      "app.refresh_subscription has Stripe asked for the customer, with a ticket, or shows what there is without one",
    expected: [
      [
        ["customerId", "cus_mine"],
        ["ticket", 6],
      ],
      [
        ["mine", "cus_mine", 6, 3, 2, null, null, null, null, "02:00:00", true],
        ["theirs", ...untouched("theirs")],
        ["third", ...untouched("third")],
      ],
      [
        ["free", undefined],
        ["free", undefined],
      ],
      5,
    ],
    actual: async (scene) => {
      await withPrices(scene);
      await giveCustomers(scene);
      const asked = askedOf(await scene.ask(write(scene), refresh));
      const rows = await customers(scene, null);
      await giveCustomers(scene, "customer_id = null");
      const found = [pick(await scene.ask(write(scene), refresh), "status", "stripe")];
      const [[, ticket] = []] = await customers(scene);
      await scene.see(`delete from stripe_customers where organization_id = '${mine}'`);
      found.push(pick(await scene.ask(write(scene), refresh), "status", "stripe"));
      return [asked, rows, found, ticket];
    },
  },
  {
    title: "a subscription says where it can be paid until that ends, for its own organization",
    expected: ["https://before.test/", null, null],
    actual: async (scene) => {
      await withPrices(scene);
      const shown: unknown[] = [];
      for (const expires of ["now() + interval '1 second'", "date_trunc('milliseconds', now())"]) {
        await giveCustomers(scene, await openPage(scene, "trial", expires));
        shown.push(...pick(await scene.ask(read(scene), "select app.subscription()"), "checkoutUrl"));
      }
      await giveCustomers(scene);
      await scene.see(
        `update stripe_customers set ${await openPage(scene, "trial")} where organization_id in ('${theirs}', '${third}')`,
      );
      return [...shown, ...pick(await scene.ask(read(scene), "select app.subscription()"), "checkoutUrl")];
    },
  },
  {
    title: "app.due_stripe_customers and app.hasten_stripe_customers are for the Worker alone",
    expected: [Array(6).fill("APWRK"), [true]],
    actual: async (scene) => {
      await giveCustomers(scene, "due_at = now() - interval '1 hour'");
      const found: unknown[] = [];
      const same = await staysSame(scene, [["stripe_customers"]], async () => {
        found.push(
          await codesOf(
            scene,
            null,
            wrongKeys.flatMap((keys) => [due(10, keys), hasten("cus_mine,cus_theirs", keys)]),
          ),
        );
      });
      return [...found, same];
    },
  },
  {
    title:
      "app.due_stripe_customers gives tickets for those that are due, the longest first, and not again for five minutes, or twice as long with each look that came to nothing, for hours at most",
    expected: [
      [["cus_theirs", 16]],
      [["cus_mine", 6]],
      [],
      [
        ["mine", "cus_mine", 6, 3, 2, "trial", "cs_before", "https://before.test/", "00:06:00", "00:05:00", true],
        ["theirs", "cus_theirs", 16, 3, 2, null, null, null, null, "05:20:00", true],
        ["third", ...untouched("third")],
      ],
      [],
      [
        ["cus_mine", 7],
        ["cus_theirs", 17],
        ["cus_third", 6],
      ],
      ["00:10:00", "05:20:00", "00:05:00"],
    ],
    actual: async (scene) => {
      await withPrices(scene);
      await giveCustomers(scene, await openPage(scene, "trial"));
      await scene.see(`update stripe_customers set ticket = 15, looks = 9 where organization_id = '${theirs}'`);
      const set = (organizationId: string, value: string) =>
        scene.see(`update stripe_customers set due_at = ${value} where organization_id = '${organizationId}'`);
      await set(mine, "date_trunc('milliseconds', now())");
      await set(theirs, "now() - interval '1 minute'");
      const found: unknown[] = [];
      for (const limit of [1, 1, 10]) found.push(await scene.ask(null, due(limit)));
      found.push(await customers(scene, null));
      // One that was never made, and one that nothing is to be asked of.
      await scene.see("savepoint every");
      await scene.see("update stripe_customers set due_at = now() - interval '1 day'");
      await scene.see(`update stripe_customers set customer_id = null where organization_id = '${mine}'`);
      await set(theirs, "null");
      await set(third, "now() + interval '1 second'");
      found.push(await scene.ask(null, due()));
      await scene.see("rollback to every");
      await scene.see("update stripe_customers set due_at = now() - interval '1 day'");
      found.push(await scene.ask(null, `${due()} order by 1`));
      return [...found, await dueOf(scene)];
    },
  },
  {
    title: "app.hasten_stripe_customers has those that it knows looked at now, and none later than they were to be",
    expected: [[[2]], ["00:00:00", "-01:00:00", "02:00:00"], [[1]], "00:00:00"],
    actual: async (scene) => {
      await giveCustomers(scene);
      await scene.see(
        `update stripe_customers set due_at = now() - interval '1 hour' where organization_id = '${theirs}'`,
      );
      const counts = await scene.ask(null, hasten("cus_mine,cus_theirs,cus_unknown"));
      const times = await dueOf(scene);
      await giveCustomers(scene, "due_at = null");
      const again = await scene.ask(null, hasten("cus_mine"));
      return [counts, times, again, (await customers(scene))[0]?.[8]];
    },
  },
];
