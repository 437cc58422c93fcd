import {
  applied,
  customers,
  giveSeated,
  giveCustomers,
  openPage,
  past,
  stripeSubscription,
  untouched,
  workerKeys,
} from "./collecting.ts";
import { asPerson, findAfterEach, letIn, text, type Commitment, type Scene } from "./scene.ts";
import { mine, priceOf, theirs, third } from "./subscribing.ts";

const due = `select customer_id, ended_session_id from app.due_stripe_customers(${text(workerKeys)}, 10) order by 1`;

const page =
  "checkout_session_id = 'cs_before', checkout_url = 'https://before.test/', checkout_expires_at = now() + interval '1 hour'";

/** Of the customer whose organization is gone: its session, and when it is due. */
const left = (scene: Scene) =>
  scene.see(
    `select organization_id, checkout_session_id, (due_at - now()::timestamptz(3))::text from stripe_customers where customer_id = 'cus_mine'`,
  );

/** What becomes of what is collected for organizations that are deleted. */
export const stripeEndingCommitments: Commitment[] = [
  {
    title: "app.delete_organization has the customer looked at now, where there is one, and no other",
    expected: [
      ["00:00:00", "02:00:00", "02:00:00"],
      ["02:00:00", "02:00:00", "02:00:00"],
    ],
    actual: async (scene) => {
      await giveCustomers(scene);
      const changes = ["select", `update stripe_customers set customer_id = null where organization_id = '${mine}'`];
      return findAfterEach(scene, changes, async () => {
        await scene.ask(letIn(scene, "owner", "organization:delete"), "select app.delete_organization()");
        return (await customers(scene, null)).map((row) => row[9]);
      });
    },
  },
  {
    title: "app.due_stripe_customers names the checkout of a deleted organization, and of one that is gone",
    expected: [
      [
        ["cus_mine", null],
        ["cus_theirs", null],
        ["cus_third", null],
      ],
      [
        ["cus_mine", "cs_before"],
        ["cus_theirs", null],
        ["cus_third", null],
      ],
      [
        ["cus_mine", "cs_before"],
        ["cus_theirs", null],
        ["cus_third", null],
      ],
    ],
    actual: async (scene) => {
      await giveCustomers(scene);
      await scene.see(`update stripe_customers set due_at = now() - interval '1 day', ${page}`);
      const changes = [
        "select",
        `update organizations set deleted_at = now() where id = '${mine}'`,
        `delete from organizations where id = '${mine}'; update stripe_customers set due_at = now() - interval '1 day'`,
      ];
      return findAfterEach(scene, changes, () => scene.ask(null, due));
    },
  },
  {
    title: "a customer outlives its organization, and is looked at now; what never was one does not",
    expected: [
      [
        [null, "cus_gone", null],
        [null, "cus_third", "00:00:00"],
        ["mine", "cus_mine", "02:00:00"],
        ["theirs", "cus_theirs", "02:00:00"],
      ],
      [
        [null, "cus_gone", null],
        ["mine", "cus_mine", "02:00:00"],
        ["theirs", "cus_theirs", "02:00:00"],
      ],
      [
        [null, "cus_gone", "02:00:00"],
        [null, "cus_third", "02:00:00"],
      ],
    ],
    actual: async (scene) => {
      await giveCustomers(scene);
      await scene.see("insert into stripe_customers (customer_id) values ('cus_gone')");
      const all = () =>
        scene.see(
          `select case organization_id when '${mine}' then 'mine' when '${theirs}' then 'theirs' end, customer_id, (due_at - now()::timestamptz(3))::text
             from stripe_customers order by 1 nulls first, 2`,
        );
      const found = await findAfterEach(
        scene,
        ["select", `update stripe_customers set customer_id = null where organization_id = '${third}'`],
        async () => {
          await scene.ask(asPerson(scene, "outsider"), "select app.delete_account()");
          return all();
        },
      );
      await scene.ask(asPerson(scene, "outsider"), "select app.delete_account()");
      // Of one that has none any more, nothing follows.
      await scene.see("update stripe_customers set due_at = now() + interval '2 hours' where organization_id is null");
      return [...found, (await all()).slice(0, 2)];
    },
  },
  {
    title:
      "app.apply_stripe_state has all canceled that lives of an organization that is gone, and forgets it once nothing does",
    expected: [
      [{ cancel: ["sub_a", "sub_b"] }, null, [[null, null, "00:05:00"]]],
      [null, null, []],
      [null, null, [[null, "cs_before", "00:05:00"]]],
      [null, null, []],
      [null, null, [[null, "cs_before", "00:05:00"]]],
      ["cus_theirs", "cus_third"],
    ],
    actual: async (scene) => {
      await giveSeated(scene);
      const price = await priceOf(scene, "seats");
      await scene.see(`delete from organizations where id in ('${mine}', '${third}')`);
      const over = [
        stripeSubscription("ended", price, { status: "canceled" }),
        stripeSubscription("expired", price, { status: "incomplete_expired" }),
      ];
      const living = [stripeSubscription("b", null), stripeSubscription("a", price, { status: "past_due" })];
      const found: unknown[] = [];
      for (const [assignment, state] of [
        ["customer_id = customer_id", { subscriptions: [...over, ...living] }],
        ["customer_id = customer_id", { subscriptions: over }],
        [page, { subscriptions: over }],
        [page, { subscriptions: over, endedSessionId: "cs_before" }],
        [page, { subscriptions: over, endedSessionId: "cs_other" }],
      ] as const) {
        await scene.see("savepoint gone");
        await scene.see(`update stripe_customers set ${assignment} where customer_id = 'cus_mine'`);
        const { todo, subscription: shown } = await applied(scene, {
          ...state,
          subscriptions: [...state.subscriptions],
        });
        found.push([todo, shown, await left(scene)]);
        await scene.see("rollback to gone");
      }
      await applied(scene, { subscriptions: over });
      return [...found, (await scene.see("select customer_id from stripe_customers order by 1")).flat()];
    },
  },
  {
    title: "app.apply_stripe_state ends what Stripe does not have any more, and nobody else's",
    expected: [
      ["canceled", true, null],
      ["incomplete_expired", true, null],
      ["canceled", false, null],
      ["active", null, null],
      ["active", null, true],
    ],
    actual: async (scene) => {
      await giveSeated(scene);
      const shown = async (condition: string) =>
        (
          await scene.see(
            `select status, ended_at = now()::timestamptz(3), scheduled_price_id is not null or null from subscriptions where organization_id = ${condition}`,
          )
        )[0];
      const scheduled = `scheduled_price_id = (select price_id from subscriptions limit 1)`;
      await past(scene, `update subscriptions set ${scheduled}`);
      const changes = [
        "select",
        `update subscriptions set status = 'incomplete' where organization_id = '${mine}'`,
        `update subscriptions set status = 'canceled', ended_at = now() - interval '1 hour', scheduled_price_id = null where organization_id = '${mine}'`,
        `update subscriptions set provider = 'manual', provider_id = null, scheduled_price_id = null where organization_id = '${mine}'`,
      ];
      const found: unknown[] = [];
      for (const change of changes) {
        await scene.see("savepoint missing");
        await past(scene, change);
        await applied(scene, { subscriptions: [stripeSubscription("strange", null)] });
        found.push(await shown(`'${mine}'`));
        await scene.see("rollback to missing");
      }
      await applied(scene, { subscriptions: [] });
      return [...found, await shown(`'${theirs}'`)];
    },
  },
  {
    title: "app.apply_stripe_state forgets a customer that Stripe has no more, and that alone",
    expected: [
      ["free", [null, 5, 5, 2, null, null, null, null, null, true], untouched("theirs")],
      [
        "free",
        ["cus_mine", 5, 5, 2, "seats", "cs_before", "https://before.test/", "00:06:00", "1 day", true],
        untouched("theirs"),
      ],
    ],
    actual: async (scene) => {
      await giveSeated(scene);
      await scene.see(
        `update stripe_customers set ${await openPage(scene, "seats")} where organization_id = '${mine}'`,
      );
      const found: unknown[] = [];
      for (const isGone of [true, false]) {
        await scene.see("savepoint gone");
        const { subscription: shown } = await applied(scene, { subscriptions: [], isGone });
        found.push([shown?.["status"], (await customers(scene))[0], (await customers(scene, theirs))[0]]);
        await scene.see("rollback to gone");
      }
      return found;
    },
  },
];
