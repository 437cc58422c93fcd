import { applied, asItIs, giveSeated, being, customers, day, stripeSubscription, subscriptions } from "./collecting.ts";
import { seats } from "./moving.ts";
import { findAfterEach, type Commitment } from "./scene.ts";
import { mine, priceOf, theirs } from "./subscribing.ts";

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
];
