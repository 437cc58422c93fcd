import { customers, giveCustomers, untouched, keepCustomer, keepCheckout, customer } from "./collecting.ts";
import { codesOf, type Commitment } from "./scene.ts";
import { give, mine, pick, priceOf, theirs, withPrices, write } from "./subscribing.ts";

/** What is kept of a checkout: whose it is, and where it can be paid. */
export const stripePageCommitments: Commitment[] = [
  {
    title: "app.keep_stripe_customer keeps the first that was made, to be looked at within a day, and returns it",
    expected: [
      [["cus_new"], ["cus_new"], ["cus_new"]],
      ["cus_new", 5, 3, 2, null, null, null, null, "1 day", true],
      ["cus_new", 5, 3, 2, null, null, null, null, "02:00:00", true],
      untouched("theirs"),
      [[null], []],
    ],
    actual: async (scene) => {
      await giveCustomers(scene, "customer_id = null, due_at = null");
      const answers = [...(await scene.ask(write(scene), keepCustomer()))];
      const [first] = await customers(scene);
      await scene.see(
        `update stripe_customers set due_at = now() + interval '2 hours' where organization_id = '${mine}'`,
      );
      answers.push(...(await scene.ask(write(scene), keepCustomer("cus_other"))));
      const [second] = await customers(scene);
      answers.push(...(await scene.ask(write(scene), customer)));
      const others = (await customers(scene, theirs))[0];
      await scene.see(`delete from stripe_customers where organization_id = '${mine}'`);
      return [
        answers,
        first,
        second,
        others,
        [(await scene.ask(write(scene), keepCustomer()))[0], await customers(scene)],
      ];
    },
  },
  {
    title: "app.keep_stripe_checkout keeps where the organization can pay, of the checkout that was begun last",
    expected: [
      ["free", "https://new.test/"],
      [
        ["mine", "cus_mine", 5, 3, 2, "trial", "cs_new", "https://new.test/", "01:00:00", "02:00:00", true],
        ["theirs", ...untouched("theirs")],
        ["third", ...untouched("third")],
      ],
      ["APCHK", "APCHK", "done"],
      ["APCHK"],
      ["done"],
      ["done"],
    ],
    actual: async (scene) => {
      await withPrices(scene);
      await giveCustomers(scene, `checkout_price_id = '${await priceOf(scene, "trial")}'`);
      const answer = pick(await scene.ask(write(scene), keepCheckout()), "status", "checkoutUrl");
      const found: unknown[] = [answer, await customers(scene, null)];
      found.push(await codesOf(scene, write(scene), [keepCheckout(1), keepCheckout(3), keepCheckout(2)]));
      await give(scene, "whole");
      const again = () => codesOf(scene, write(scene), [keepCheckout()]);
      found.push(await again());
      await scene.see(
        `update subscriptions set status = 'canceled', ended_at = now(), due_at = null where organization_id = '${mine}'`,
      );
      found.push(await again());
      await scene.see(`delete from subscriptions where organization_id = '${mine}'`);
      return [...found, await again()];
    },
  },
];
