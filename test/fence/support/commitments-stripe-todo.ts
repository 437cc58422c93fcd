import {
  applied,
  asItIs,
  asStored,
  being,
  customers,
  day,
  giveCustomers,
  giveSeated,
  past,
  stripeSubscription,
  subscriptions,
} from "./collecting.ts";
import { changed, move, seats, withMore } from "./moving.ts";
import { findAfterEach, type Commitment } from "./scene.ts";
import { give, mine, priceOf, theirs } from "./subscribing.ts";

const ofMine = (assignment: string) => `update subscriptions set ${assignment} where organization_id = '${mine}'`;

/** What Stripe is to be told, once it is written what it has. */
export const stripeTodoCommitments: Commitment[] = [
  {
    title: "app.apply_stripe_state has what lives beside the one subscription canceled, where it is to a price of ours",
    expected: [
      [{ cancel: ["sub_a", "sub_b", "sub_c"] }, "00:05:00", "02:00:00", "02:00:00"],
      [["mine", "stripe", "sub_mine", "active"]],
    ],
    actual: async (scene) => {
      await giveSeated(scene);
      const price = await priceOf(scene, "trial");
      const { todo } = await applied(scene, {
        subscriptions: [
          stripeSubscription("c", price),
          await asItIs(scene),
          stripeSubscription("b", price, { status: "incomplete" }),
          stripeSubscription("a", price, { status: "past_due", created_at: day(9) }),
          stripeSubscription("ended", price, { status: "canceled", ended_at: day(2) }),
          stripeSubscription("expired", price, { status: "incomplete_expired" }),
          stripeSubscription("strange", null),
        ],
      });
      const rows = await subscriptions(scene, `s.organization_id = '${mine}' and s.ended_at is null`);
      return [[todo, ...(await customers(scene, null)).map((row) => row[9])], rows.map((row) => row.slice(0, 4))];
    },
  },
  {
    title: "app.apply_stripe_state has what lives end with its period once the organization is deleted",
    expected: [{ end: "sub_mine" }, null, null, null, null],
    actual: async (scene) => {
      await giveSeated(scene, "trial");
      await scene.see(`update subscriptions set quantity = 99 where organization_id = '${mine}'`);
      const deleted = `update organizations set deleted_at = now() where id = '${mine}'`;
      const changes = [
        deleted,
        `${deleted}; ${ofMine("cancel_at_period_end = true")}`,
        `${deleted}; ${ofMine("status = 'canceled', ended_at = now()")}`,
        `${deleted}; ${ofMine("provider = 'manual', provider_id = null")}`,
        `update organizations set deleted_at = now() where id = '${theirs}'; ${ofMine(`quantity = ${await seats(scene)}`)}`,
      ];
      return (await findAfterEach(scene, changes, () => applied(scene))).map(({ todo }) => todo);
    },
  },
  {
    title: "app.apply_stripe_state has the seats told that there are, of what is on trial or was ever paid for",
    expected: [
      [true, "00:05:00"],
      [true, "00:05:00"],
      [true, "00:05:00"],
      [null, "1 day"],
      [null, "1 day"],
      [null, "1 day"],
      [null, "1 day"],
      [null, "1 day"],
      [null, "1 day"],
      [{ seats: { quantity: 1, subscriptionId: "sub_mine" } }, "00:05:00"],
    ],
    actual: async (scene) => {
      await giveSeated(scene);
      const count = await seats(scene);
      const whole = await priceOf(scene, "dear");
      const changes = [
        ...["trialing", "active", "past_due", "unpaid", "incomplete", "paused"].map((status) =>
          ofMine(`quantity = 99, ${being(status)}`),
        ),
        ofMine("quantity = 99, status = 'canceled', ended_at = now()"),
        ofMine("quantity = 99, provider = 'manual', provider_id = null"),
        // Of theirs, not as many as there are.
        `update subscriptions set quantity = 98 where organization_id = '${theirs}'`,
        ofMine(`quantity = 99, price_id = '${whole}'`),
      ];
      return findAfterEach(scene, changes, async () => {
        const { todo } = await applied(scene);
        const { seats: told, ...rest } = (todo ?? {}) as { seats?: { subscriptionId: string; quantity: number } };
        const isCount = told?.subscriptionId === "sub_mine" && told.quantity === count;
        return [isCount && Object.keys(rest).length === 0 ? true : todo, (await customers(scene))[0]?.[8]];
      });
    },
  },
  {
    title: "app.apply_stripe_state has the seats told that are to come, where there are not as many",
    expected: [
      [null, "1 day"],
      [{ quantity: true, scheduledQuantity: true }, "00:05:00"],
      [{ quantity: true, scheduledQuantity: 1 }, "00:05:00"],
      [null, "1 day"],
    ],
    actual: async (scene) => {
      await giveSeated(scene);
      const [[count] = []] = await scene.see(`select count(*)::int from memberships where organization_id = '${mine}'`);
      const [perSeat, dear] = [await priceOf(scene, "seats"), await priceOf(scene, "dear")];
      const found: unknown[] = [];
      for (const [scheduled, quantity] of [
        [perSeat, count],
        [perSeat, 99],
        [dear, 99],
        [null, 99],
      ]) {
        await scene.see("savepoint counted");
        const [own] = await asStored(scene);
        const those = [{ ...own, scheduled_price_id: scheduled, scheduled_quantity: quantity }];
        const { todo } = await applied(scene, { subscriptions: those });
        const told = (todo as { seats?: Record<string, unknown> } | null)?.seats;
        const named = (value: unknown) => (value === count ? true : value);
        found.push([
          told ? { quantity: named(told["quantity"]), scheduledQuantity: named(told["scheduledQuantity"]) } : todo,
          (await customers(scene))[0]?.[8],
        ]);
        await scene.see("rollback to counted");
      }
      return found;
    },
  },
  {
    title:
      "app.change_subscription of Stripe's compares whole prices of one interval, whatever is left of the period, which here may be over",
    expected: [true, false, false, "dear"],
    actual: async (scene) => {
      await withMore(scene);
      await give(scene, "same", {
        period_started_at: "now() - interval '40 days'",
        period_ends_at: "now() - interval '1 day'",
      });
      await giveCustomers(scene);
      const collect = (provider: string) =>
        past(
          scene,
          `update subscriptions set provider = '${provider}', provider_id = ${provider === "stripe" ? "'sub_' || organization_id" : "null"}, due_at = null`,
        );
      await collect("stripe");
      const found: unknown[] = [];
      for (const [key, amount] of [
        ["cheap", 5],
        ["cheap", 6],
        ["long", 1],
      ] as const) {
        const priceId = await priceOf(scene, key);
        await scene.see(`update plan_prices set unit_amount = ${amount} where id = '${priceId}'`);
        const [[answer] = []] = await move(scene, key);
        found.push((answer as { stripe: { isLater: boolean } }).stripe.isLater);
      }
      // Of a manual one that is over there is nothing to ask for.
      await collect("manual");
      await move(scene, "dear");
      return [...found, (await changed(scene)).at(-1)];
    },
  },
];
