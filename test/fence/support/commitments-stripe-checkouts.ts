import {
  askedOf,
  codesAfterwards,
  customers,
  giveCustomers,
  openPage,
  untouched,
  wrongKeys,
  keepCustomer,
  keepCheckout,
  customer,
  refresh,
} from "./collecting.ts";
import { seats } from "./moving.ts";
import { id } from "./people.ts";
import { codesOf, refusalsAndLocks, refusedAndLocked, staysSame, type Commitment, type Scene } from "./scene.ts";
import { give, mine, pick, priceOf, theirs, withPrices, write } from "./subscribing.ts";
import { keyAdmission } from "./world.ts";

const begin = (priceId: string) => `select app.start_subscription('${id(9810)}', '${priceId}', 'stripe')`;

/** The checkout of a plan. */
const beginFor = async (scene: Scene, key: string) =>
  askedOf(await scene.ask(write(scene), begin(await priceOf(scene, key))));

/** How an organization comes to a page of Stripe's on which it can pay. */
export const stripeCheckoutCommitments: Commitment[] = [
  {
    title: "checkouts are for whoever has billing:write still, and begin behind the organization's lock",
    expected: [
      refusedAndLocked(5),
      [Array(5).fill("AP404"), Array(5).fill("AP404"), Array(5).fill("AP403")],
      Array(6).fill("APWRK"),
      [true, true, true],
    ],
    actual: async (scene) => {
      await withPrices(scene);
      await giveCustomers(scene);
      const statements = [begin(await priceOf(scene, "trial")), keepCustomer(), keepCheckout(), customer, refresh];
      const found = [await refusalsAndLocks(scene, write(scene), statements), await codesAfterwards(scene, statements)];
      const same = await staysSame(
        scene,
        [["stripe_customers"], ["subscriptions"], ["app_private.worker_keys"]],
        async () => {
          const wrong = wrongKeys.flatMap((keys) => [keepCustomer("cus_new", keys), keepCheckout(2, keys)]);
          found.push(await codesOf(scene, write(scene), wrong));
        },
      );
      return [...found, same];
    },
  },
  {
    title: "app.start_subscription says what is to be asked of Stripe, with a ticket, and subscribes to nothing yet",
    expected: [
      [
        ["checkout", 1],
        ["customerId", null],
        ["email", null],
        ["endedSessionId", null],
        ["name", "Organization mine"],
        ["organizationId", mine],
        ["price", ["string", "string", "Name of trial", "xts", "month", 5, []]],
        ["quantity", true],
        ["ticket", 1],
        ["trialDays", 7],
      ],
      [
        ["mine", null, 1, 0, 1, "trial", null, null, null, null, true],
        ["theirs", ...untouched("theirs")],
        ["third", ...untouched("third")],
      ],
      [true, true],
    ],
    actual: async (scene) => {
      await withPrices(scene);
      await giveCustomers(scene);
      await scene.see(`delete from stripe_customers where organization_id = '${mine}'`);
      await scene.see(`update users set email_verified_at = now() where id <> '${scene.person("owner").id}'`);
      const count = await seats(scene);
      let asked: unknown;
      const same = await staysSame(scene, [["subscriptions"], ["invoices"]], async () => {
        asked = await beginFor(scene, "trial");
      });
      const named = (asked as [string, unknown][]).map(([name, value]) => [
        name,
        name === "quantity" ? value === count : value,
      ]);
      return [named, await customers(scene, null), same];
    },
  },
  {
    title:
      "app.start_subscription names the caller's address once it is verified, and that of nobody for an organization's key",
    expected: [[["person-100@example.test"], ["cus_mine"]], [null]],
    actual: async (scene) => {
      await withPrices(scene);
      await giveCustomers(scene);
      await scene.see("update users set email_verified_at = now()");
      const price = await priceOf(scene, "trial");
      const own = pick(await scene.ask(write(scene), begin(price)), "stripe.email");
      const [[customerId] = []] = await customers(scene);
      await scene.see(
        `update api_keys set scopes = '{billing:write,organization:read}' where organization_id = '${mine}' and user_id is null and name = 'Key of own'`,
      );
      const key = await scene.ask(keyAdmission("own", "billing:write"), begin(price));
      return [[own, [customerId]], pick(key, "stripe.email")];
    },
  },
  {
    title: "app.start_subscription has Stripe begin the one trial that an organization has, wherever it was",
    expected: [7, 0, 0, 7, 1],
    actual: async (scene) => {
      await withPrices(scene);
      await giveCustomers(scene);
      const days = async (key: string) =>
        pick(await scene.ask(write(scene), begin(await priceOf(scene, key))), "stripe.trialDays")[0];
      const found = [await days("trial"), await days("whole")];
      await give(scene, "whole", { trial_ends_at: "now()", status: "'canceled'", ended_at: "now()", due_at: "null" });
      found.push(await days("trial"));
      await scene.see(`delete from subscriptions where organization_id = '${mine}'`);
      found.push(await days("trial"));
      return [
        ...found,
        pick(await scene.ask(write(scene), begin(await priceOf(scene, "whole"))), "stripe.quantity")[0],
      ];
    },
  },
  {
    title:
      "app.start_subscription gives the page again that is open for the same price for five minutes more, and else ends it",
    expected: [
      [["https://before.test/", "free", undefined], true],
      [
        ["cs_before", 3, 6],
        ["cus_mine", 6, 3, 3, "trial", "cs_before", null, null, "02:00:00", true],
      ],
      [
        ["cs_before", 3, 6],
        ["cus_mine", 6, 3, 3, "trial", "cs_before", null, null, "02:00:00", true],
      ],
      [
        [null, 3, 6],
        ["cus_mine", 6, 3, 3, "trial", null, null, null, "02:00:00", true],
      ],
      untouched("theirs"),
    ],
    actual: async (scene) => {
      await withPrices(scene);
      const price = await priceOf(scene, "trial");
      await giveCustomers(scene, await openPage(scene, "trial"));
      let again: unknown[] = [];
      const [same] = await staysSame(scene, [["stripe_customers"]], async () => {
        again = pick(await scene.ask(write(scene), begin(price)), "checkoutUrl", "status", "stripe");
      });
      const found: unknown[] = [[again, same]];
      for (const page of [
        await openPage(scene, "trial", "date_trunc('milliseconds', now()) + interval '5 minutes'"),
        await openPage(scene, "whole", "now() + interval '1 day'"),
        `checkout_price_id = '${price}'`,
      ]) {
        await giveCustomers(scene, page);
        const asked = pick(
          await scene.ask(write(scene), begin(price)),
          ...["endedSessionId", "checkout", "ticket"].map((name) => `stripe.${name}`),
        );
        found.push([asked, (await customers(scene))[0]]);
      }
      return [...found, (await customers(scene, theirs))[0]];
    },
  },
  {
    title:
      "app.start_subscription begins no checkout of a price that is not sold, nor beside a subscription that lives",
    expected: [["APPRI", "APPRI", "APPRI", "done"], ["APSUB"], ["done"], [true, true]],
    actual: async (scene) => {
      await withPrices(scene);
      await giveCustomers(scene);
      const trial = begin(await priceOf(scene, "trial"));
      const unsold = [begin(await priceOf(scene, "hidden")), begin(await priceOf(scene, "gone")), begin(id(9899))];
      const found: unknown[] = [];
      const same = await staysSame(scene, [["stripe_customers"], ["invoices"]], async () => {
        found.push(await codesOf(scene, write(scene), [...unsold, trial]));
        await give(scene, "whole");
        found.push(await codesOf(scene, write(scene), [trial]));
        await scene.see(
          `update subscriptions set status = 'canceled', ended_at = now(), due_at = null where organization_id = '${mine}'`,
        );
        found.push(await codesOf(scene, write(scene), [trial]));
      });
      return [...found, same];
    },
  },
];
