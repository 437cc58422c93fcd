import {
  after,
  applied,
  begin,
  day,
  giveStripes,
  namesOf,
  past,
  stripeSubscription,
  subscriptions,
  writtenOf,
} from "./collecting.ts";
import { type Commitment } from "./scene.ts";
import { give, mine, priceOf } from "./subscribing.ts";

/** Whose subscription is written, of what Stripe has. */
export const stripeSubscriptionCommitments: Commitment[] = [
  {
    title: "a subscription of Stripe's is written whole, once there is none that lives",
    expected: [
      ["mine", "stripe", "sub_new", "trialing", "seats", null, 3, "8", "8", "1", "8", null, true, "2", null, null],
      ["theirs", "manual", null, "active", "trial", null, 1],
      [true, true, "trialing", "seats", 3],
    ],
    actual: async (scene) => {
      await begin(scene);
      await give(scene, "trial");
      await scene.see(`delete from subscriptions where organization_id = '${mine}'`);
      const { subscription } = await applied(scene, {
        subscriptions: [
          stripeSubscription("new", await priceOf(scene, "seats"), {
            status: "trialing",
            quantity: 3,
            trial_ends_at: day(8),
            anchor_at: day(8),
            period_ends_at: day(8),
            cancel_at_period_end: true,
            canceled_at: day(2),
          }),
        ],
      });
      const [[id, created] = []] = await scene.see(
        `select id, created_at = now()::timestamptz(3) from subscriptions where organization_id = '${mine}'`,
      );
      const [own, others] = await subscriptions(scene);
      const { id: shown, status, plan, quantity } = subscription ?? {};
      return [own, others?.slice(0, 7), [shown === id, created, status, (plan as { key: string }).key, quantity]];
    },
  },
  {
    title: "what is past due has its grace from when that is known, and what has ended has its end",
    expected: [
      ["past_due", "14 days", null],
      ["unpaid", null, null],
      ["canceled", null, "5"],
      ["canceled", null, "00:00:00"],
      ["incomplete_expired", null, "00:00:00"],
      ["paused", null, null],
    ],
    actual: async (scene) => {
      await begin(scene);
      const price = await priceOf(scene, "seats");
      const found: unknown[] = [];
      for (const state of [
        { status: "past_due" },
        { status: "unpaid" },
        { status: "canceled", ended_at: day(5) },
        { status: "canceled" },
        { status: "incomplete_expired" },
        { status: "paused" },
      ]) {
        const [[, status, , , , , , , , grace, , , ended] = []] = await after(
          scene,
          [stripeSubscription("new", price, state)],
          () => writtenOf(scene),
        );
        found.push([status, grace, ended]);
      }
      return found;
    },
  },
  {
    title:
      "of several that live the first is taken that was ever paid for, and each that has ended, to prices of ours alone",
    expected: [
      ["sub_paid"],
      ["sub_first"],
      ["sub_b"],
      ["sub_due"],
      ["sub_open"],
      [],
      ["sub_earlier", "sub_later", "sub_b"],
      ["sub_ours"],
    ],
    actual: async (scene) => {
      await begin(scene);
      const price = await priceOf(scene, "seats");
      const of = (name: string, rest: object = {}) => stripeSubscription(name, price, rest);
      const open = (name: string, rest: object = {}) => of(name, { status: "incomplete", ...rest });
      const states = [
        [open("open"), of("paid", { created_at: day(2) })],
        [of("second", { created_at: day(3) }), of("first", { created_at: day(2) })],
        [of("c"), of("b"), of("d")],
        [open("open"), of("due", { status: "unpaid", created_at: day(2) })],
        [open("open2", { created_at: day(2) }), open("open")],
        [
          stripeSubscription("strange", null),
          stripeSubscription("gone", null, { status: "canceled" }),
          stripeSubscription("odd", "019ab0de-0000-7000-8000-000000009899"),
        ],
        [
          of("b", { created_at: day(3) }),
          of("later", { status: "incomplete_expired", created_at: day(2) }),
          of("earlier", { status: "canceled", created_at: day(1) }),
        ],
        [stripeSubscription("strange", null), of("ours", { created_at: day(2) })],
      ];
      const found: unknown[] = [];
      for (const state of states) found.push(await after(scene, state, () => namesOf(scene)));
      return found;
    },
  },
  {
    title: "while one lives here none is taken beside it, and once that has ended one is, with what ends it too",
    expected: [
      [null, "sub_ended"],
      ["sub_mine", "sub_ended"],
      ["sub_mine", "sub_new"],
      ["sub_mine", "sub_new"],
      ["sub_new", "sub_ended"],
    ],
    actual: async (scene) => {
      await begin(scene);
      const price = await priceOf(scene, "seats");
      const fresh = stripeSubscription("new", price, { created_at: day(1) });
      const ended = stripeSubscription("ended", price, { status: "canceled", created_at: day(2) });
      const found: unknown[] = [];
      await scene.see("savepoint none");
      await give(scene, "trial");
      found.push(await after(scene, [fresh, ended], () => namesOf(scene)));
      await scene.see("rollback to none");
      await giveStripes(scene, "seats");
      const known = stripeSubscription("mine", price);
      found.push(await after(scene, [known, fresh, ended], () => namesOf(scene)));
      found.push(await after(scene, [fresh, { ...known, status: "canceled" }], () => namesOf(scene)));
      await past(
        scene,
        `update subscriptions set status = 'canceled', ended_at = now() where organization_id = '${mine}'`,
      );
      found.push(await after(scene, [fresh], () => namesOf(scene)));
      // Theirs lives, and is of another organization.
      await scene.see(`delete from subscriptions where organization_id = '${mine}'`);
      found.push(await after(scene, [fresh, ended], () => namesOf(scene)));
      return found;
    },
  },
  {
    title: "a subscription that is written has what is to come for it: a price of ours, and nothing of what ends",
    expected: [["cheap"], [null], [null], [null]],
    actual: async (scene) => {
      await begin(scene);
      const price = await priceOf(scene, "seats");
      const cheap = await priceOf(scene, "cheap");
      const found: unknown[] = [];
      for (const state of [
        { scheduled_price_id: cheap },
        { scheduled_price_id: "019ab0de-0000-7000-8000-000000009899" },
        { scheduled_price_id: cheap, cancel_at_period_end: true },
        { scheduled_price_id: cheap, status: "canceled" },
      ]) {
        const [row = []] = await after(scene, [stripeSubscription("new", price, state)], () => writtenOf(scene));
        found.push([row[3]]);
      }
      return found;
    },
  },
];
