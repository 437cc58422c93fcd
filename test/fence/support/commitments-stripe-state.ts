import {
  applied,
  asItIs,
  giveSeated,
  apply,
  customers,
  openPage,
  past,
  stripeInvoice,
  untouched,
  wrongKeys,
} from "./collecting.ts";
import { codesOf, staysSame, type Commitment } from "./scene.ts";
import { mine, theirs } from "./subscribing.ts";

const written: [string, string?][] = [["subscriptions"], ["invoices"]];
const ofMine = (assignment: string) => `update subscriptions set ${assignment} where organization_id = '${mine}'`;

/** What the Worker writes of what Stripe has, when, and what is to be done then. */
export const stripeStateCommitments: Commitment[] = [
  {
    title: "app.apply_stripe_state is for the Worker alone",
    expected: [Array(3).fill("APWRK"), [true, true, true, true]],
    actual: async (scene) => {
      await giveSeated(scene);
      await scene.see(
        `insert into stripe_events (id, type, status, leased_until) values ('evt_1', 'given', 'processing', now())`,
      );
      const state = [await asItIs(scene, "seats", { status: "canceled" })];
      const found: unknown[] = [];
      const same = await staysSame(scene, [...written, ["stripe_customers"], ["stripe_events"]], async () => {
        found.push(
          await codesOf(
            scene,
            null,
            wrongKeys.map((keys) => apply({ keys, subscriptions: state, event: "evt_1" })),
          ),
        );
      });
      return [...found, same];
    },
  },
  {
    title:
      "app.apply_stripe_state writes what was asked for with a ticket later than what is written, and up to the last given out",
    expected: [
      [true, null, "past_due", "past_due", 1, 5, "1 day"],
      [true, null, "past_due", "past_due", 1, 4, "1 day"],
      [false, null, "active", "active", 0, 3, "02:00:00"],
      [false, null, "active", "active", 0, 3, "02:00:00"],
      [false, null, "active", "active", 0, 3, "02:00:00"],
    ],
    actual: async (scene) => {
      await giveSeated(scene);
      const state = {
        subscriptions: [await asItIs(scene, "seats", { status: "past_due" })],
        invoices: [stripeInvoice("1", "mine")],
      };
      const found: unknown[] = [];
      for (const ticket of [5, 4, 3, 2, 6]) {
        await scene.see("savepoint ticket");
        const { isInTime, todo, subscription } = await applied(scene, { ...state, ticket });
        const [row = []] = await scene.see(
          `select status, (select count(*)::int from invoices n where n.provider_id = 'in_1') from subscriptions where organization_id = '${mine}'`,
        );
        const [[, , appliedTicket, , , , , , due] = []] = await customers(scene);
        found.push([isInTime, todo, subscription?.["status"], ...row, appliedTicket, due]);
        await scene.see("rollback to ticket");
      }
      return found;
    },
  },
  {
    title: "app.apply_stripe_state notes of the customer what was written, and of no other",
    expected: [
      [
        ["mine", "cus_mine", 5, 5, 2, null, null, null, null, "1 day", true],
        ["theirs", ...untouched("theirs")],
        ["third", ...untouched("third")],
      ],
      ["mine 0", "theirs 4", "third 4"],
      { isInTime: false, subscription: null, todo: null },
      [true, true, true],
    ],
    actual: async (scene) => {
      await giveSeated(scene);
      await past(scene, "update stripe_customers set looks = 4");
      await applied(scene, { subscriptions: [await asItIs(scene)] });
      const rows = await customers(scene, null);
      const looks = await scene.see("select substr(customer_id, 5) || ' ' || looks from stripe_customers order by 1");
      let unknown: unknown;
      const same = await staysSame(scene, [...written, ["stripe_customers"]], async () => {
        const { isInTime, todo, subscription } = await applied(scene, {
          customer: "cus_unknown",
          subscriptions: [await asItIs(scene, "seats", { status: "unpaid" })],
        });
        unknown = { isInTime, subscription, todo };
      });
      return [rows, looks.flat(), unknown, same];
    },
  },
  {
    title: "app.apply_stripe_state settles the event that is held, also when it comes too late or is of nobody",
    expected: [
      [["evt_1 done"], ["evt_2 processing 00:00:00"], ["evt_3 failed"], ["evt_4 ignored"]],
      [["evt_1 done"], ["evt_2 processing 00:00:00"], ["evt_3 failed"], ["evt_4 ignored"]],
      [["evt_1 done"], ["evt_2 processing 00:00:00"], ["evt_3 failed"], ["evt_4 ignored"]],
      [["evt_1 processing 00:00:00"], ["evt_2 processing 00:00:00"], ["evt_3 failed"], ["evt_4 ignored"]],
      [["evt_1 processing 00:00:00"], ["evt_2 processing 00:00:00"], ["evt_3 failed"], ["evt_4 ignored"]],
    ],
    actual: async (scene) => {
      await giveSeated(scene);
      await scene.see(
        `delete from stripe_events;
         insert into stripe_events (id, type, status, leased_until)
         values ('evt_1', 'given', 'processing', now()), ('evt_2', 'given', 'processing', now()), ('evt_3', 'given', 'failed', null), ('evt_4', 'given', 'ignored', null)`,
      );
      const found: unknown[] = [];
      const states = [
        { event: "evt_1" },
        { event: "evt_1", ticket: 1 },
        { event: "evt_1", customer: "cus_unknown" },
        { event: "evt_3" },
        { event: null },
      ];
      for (const state of states) {
        await scene.see("savepoint told");
        await applied(scene, { subscriptions: [await asItIs(scene)], ...state });
        found.push(
          await scene.see(
            "select concat_ws(' ', id, status, (leased_until - now()::timestamptz(3))::text) from stripe_events order by id",
          ),
        );
        await scene.see("rollback to told");
      }
      return found;
    },
  },
  {
    title: "app.apply_stripe_state is behind the lock of the organization, and of no other",
    expected: [[true, false]],
    actual: async (scene) => {
      await giveSeated(scene);
      const lockers = () =>
        scene.see(`select xmax::text from organizations where id in ('${mine}', '${theirs}') order by id`);
      const before = await lockers();
      // Past the foreign key, which holds it as well.
      await scene.see("set local session_replication_role = replica");
      await applied(scene, { subscriptions: [await asItIs(scene)] });
      const after = await lockers();
      return [after.map(([locker], index) => locker !== before[index]?.[0])];
    },
  },
  {
    title: "app.apply_stripe_state forgets the checkout once something lives, and of no other organization",
    expected: [
      [null, null, null, null],
      [null, null, null, null],
      ["trial", "cs_before", "https://before.test/", "00:06:00"],
      ["trial", "cs_before", "https://before.test/", "00:06:00"],
      ["trial", "cs_before", "https://before.test/", "00:06:00"],
    ],
    actual: async (scene) => {
      await giveSeated(scene);
      await scene.see(`update stripe_customers set ${await openPage(scene, "trial")}`);
      const found: unknown[] = [];
      const pages = async (index: number) => (await customers(scene, null))[index]?.slice(5, 9);
      for (const change of ["status = 'active'", "status = 'incomplete'", "status = 'canceled', ended_at = now()"]) {
        await scene.see("savepoint lives");
        await past(scene, ofMine(change));
        await applied(scene);
        found.push(await pages(0));
        await scene.see("rollback to lives");
      }
      await applied(scene);
      return [...found, await pages(1), await pages(2)];
    },
  },
];
