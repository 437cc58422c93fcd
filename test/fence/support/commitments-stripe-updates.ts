import {
  after,
  applied,
  asStored,
  begin,
  day,
  giveStripes,
  namesOf,
  past,
  stripeSubscription,
  subscriptions,
  writtenOf,
} from "./collecting.ts";
import { staysSame, type Commitment } from "./scene.ts";
import { mine, priceOf, theirs } from "./subscribing.ts";

/** What becomes of a subscription that is known, by what Stripe has. */
export const stripeUpdateCommitments: Commitment[] = [
  {
    title: "a subscription that is known has what Stripe has, and keeps what is not Stripe's",
    expected: [
      ["stripe", "sub_mine", "past_due", "dear", "cheap", 4, "3", "4", "5", "6", "14 days", false, "7", null, null],
      [true, true, true],
      [true],
      ["dear", null, 4, "3", "4", "5", "6", "14 days", true],
    ],
    actual: async (scene) => {
      await begin(scene);
      await giveStripes(scene, "seats");
      await past(
        scene,
        `insert into subscriptions (organization_id, id, price_id, provider, provider_id, status, quantity, anchor_at, period_started_at, period_ends_at, ended_at)
         select organization_id, gen_random_uuid(), price_id, provider, 'sub_past', 'canceled', 9, anchor_at, period_started_at, period_ends_at, '${day(9)}'
           from subscriptions where organization_id = '${mine}'`,
      );
      const state = stripeSubscription("mine", await priceOf(scene, "dear"), {
        status: "past_due",
        scheduled_price_id: await priceOf(scene, "cheap"),
        quantity: 4,
        trial_ends_at: day(3),
        anchor_at: day(4),
        period_started_at: day(5),
        period_ends_at: day(6),
        canceled_at: day(7),
        ended_at: day(8),
      });
      const look = () =>
        scene.see(
          `select id, created_at from subscriptions where organization_id = '${mine}' and provider_id = 'sub_mine'`,
        );
      const before = await look();
      const same = await staysSame(
        scene,
        [
          ["subscriptions", `organization_id = '${theirs}'`],
          ["subscriptions", "provider_id = 'sub_past'"],
        ],
        () => applied(scene, { subscriptions: [state] }),
      );
      const kept = JSON.stringify(await look()) === JSON.stringify(before);
      const [row] = await subscriptions(scene, "s.provider_id = 'sub_mine'");
      // And of the same again, nothing.
      const again = await staysSame(scene, [["subscriptions"]], async () => {
        await scene.see("update stripe_customers set ticket = 7");
        await applied(scene, { subscriptions: [state], ticket: 6 });
      });
      await applied(scene, {
        subscriptions: [{ ...state, scheduled_price_id: null, cancel_at_period_end: true }],
        ticket: 7,
      });
      const [ending] = await subscriptions(scene, "s.provider_id = 'sub_mine'");
      return [row?.slice(1), [...same, kept], again, ending?.slice(4, 13)];
    },
  },
  {
    title: "each that Stripe has of a subscription is written when it alone has changed",
    expected: Array(11).fill(1),
    actual: async (scene) => {
      await begin(scene);
      await giveStripes(scene, "seats");
      const known = stripeSubscription("mine", await priceOf(scene, "seats"));
      const changes: object[] = [
        { status: "unpaid" },
        { price_id: await priceOf(scene, "dear") },
        { scheduled_price_id: await priceOf(scene, "cheap") },
        { quantity: 2 },
        { trial_ends_at: day(2) },
        { anchor_at: day(2) },
        { period_started_at: day(2) },
        { period_ends_at: day(40) },
        { cancel_at_period_end: true },
        { canceled_at: day(2) },
      ];
      const found: unknown[] = [];
      const touched = () =>
        scene.see("select count(*)::int from subscriptions where updated_at = now()::timestamptz(3)");
      for (const change of changes) found.push(...(await after(scene, [{ ...known, ...change }], touched)).flat());
      // By a grace that has come to be known elsewhere, and an end.
      await past(scene, `update subscriptions set grace_ends_at = now() where organization_id = '${mine}'`);
      found.push(...(await after(scene, [known], touched)).flat());
      return found;
    },
  },
  {
    title: "the grace of what is past due is kept, and ends with it; an end is kept as it was written first",
    expected: [
      ["past_due", "3 days", null],
      ["active", null, null],
      ["canceled", null, "9"],
      ["canceled", null, "00:00:00"],
      ["canceled", null, "12"],
    ],
    actual: async (scene) => {
      await begin(scene);
      await giveStripes(scene, "seats", {
        status: "'past_due'",
        grace_ends_at: "now()::timestamptz(3) + interval '3 days'",
      });
      const price = await priceOf(scene, "seats");
      const found: unknown[] = [];
      const write = async (state: object) => {
        const [[, status, , , , , , , , grace, , , ended] = []] = await after(
          scene,
          [stripeSubscription("mine", price, state)],
          () => writtenOf(scene),
        );
        found.push([status, grace, ended]);
      };
      await write({ status: "past_due" });
      await write({});
      await write({ status: "canceled", ended_at: day(9) });
      await write({ status: "canceled" });
      await past(
        scene,
        `update subscriptions set status = 'canceled', ended_at = '${day(12)}' where organization_id = '${mine}'`,
      );
      await write({ status: "canceled", ended_at: day(9) });
      return found;
    },
  },
  {
    title:
      "what is to come is a price of ours, and nothing of what ends; a price that is not ours leaves the one that is known",
    expected: ["seats cheap", "seats", "seats", "seats", "seats", "seats cheap"],
    actual: async (scene) => {
      await begin(scene);
      await giveStripes(scene, "seats");
      const seats = await priceOf(scene, "seats");
      const cheap = await priceOf(scene, "cheap");
      const strange = "019ab0de-0000-7000-8000-000000009899";
      const found: unknown[] = [];
      for (const [price, state] of [
        [seats, { scheduled_price_id: cheap }],
        [seats, { scheduled_price_id: strange }],
        [seats, { scheduled_price_id: cheap, cancel_at_period_end: true }],
        [seats, { scheduled_price_id: cheap, status: "canceled" }],
        [strange, {}],
        [null, { scheduled_price_id: cheap }],
      ] as [string | null, object][]) {
        const [[, , plan, scheduled] = []] = await after(scene, [stripeSubscription("mine", price, state)], () =>
          writtenOf(scene),
        );
        found.push([plan, scheduled].filter(Boolean).join(" "));
      }
      return found;
    },
  },
  {
    title: "a subscription of another organization's is not written, nor taken, by its id",
    expected: [[true], [true], []],
    actual: async (scene) => {
      await begin(scene);
      await giveStripes(scene, "seats");
      const foreign = stripeSubscription("theirs", await priceOf(scene, "dear"), { status: "unpaid" });
      // Of the same id here as that of `mine`.
      await scene.see("savepoint beside");
      const mineToo = [...(await asStored(scene)), foreign];
      const both = await staysSame(scene, [["subscriptions"]], () => applied(scene, { subscriptions: mineToo }));
      await scene.see("rollback to beside");
      await scene.see(`delete from subscriptions where organization_id = '${mine}'`);
      const same = await staysSame(scene, [["subscriptions"]], () => applied(scene, { subscriptions: [foreign] }));
      return [both, same, await namesOf(scene)];
    },
  },
];
