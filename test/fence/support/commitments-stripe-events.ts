import { customers, giveCustomers, untouched, workerKeys, wrongKeys } from "./collecting.ts";
import { codesOf, purgeInOrder, staysSame, text, type Commitment, type Scene } from "./scene.ts";
import { mine } from "./subscribing.ts";

const claim = (id: string, customer: string | null = "cus_mine", keys = workerKeys, type = "invoice.paid") =>
  `select app.claim_stripe_event(${text(keys)}, ${text(id)}, ${text(type)}, ${text(customer)})`;
const fail = (id: string, keys = workerKeys) => `select app.fail_stripe_event(${text(keys)}, ${text(id)})`;

/** Outcome and ticket. */
const claimed = async (scene: Scene, ...given: Parameters<typeof claim>) => {
  const [[answer] = []] = await scene.ask(null, claim(...given));
  const { outcome, ticket, ...rest } = answer as Record<string, unknown>;
  return [outcome, ticket ?? null, ...Object.keys(rest)];
};

/** Events of another time, told three times by now: by what they are, and until when somebody has them. */
const giveEvents = (scene: Scene) =>
  scene.see(
    `delete from stripe_events;
     insert into stripe_events (id, type, status, attempts, leased_until, created_at)
     select 'evt_' || e.id, 'given', e.status, 3, now()::timestamptz(3) + e.lease, now() - interval '1 day'
       from (values ('held', 'processing', interval '1 second'), ('left', 'processing', interval '-1 second'), ('done', 'done', null), ('failed', 'failed', null),
                    ('ignored', 'ignored', null)) e (id, status, lease)`,
  );

const events = (scene: Scene) =>
  scene.see(
    `select id, type, status, attempts, (leased_until - now()::timestamptz(3))::text, (created_at - now()::timestamptz(3))::text from stripe_events order by id`,
  );

const given = (id: string, status: string, lease: string | null = null, attempts = 3) => [
  `evt_${id}`,
  "given",
  status,
  attempts,
  lease,
  "-1 days",
];
const kept = [
  given("done", "done"),
  given("failed", "failed"),
  given("held", "processing", "00:00:01"),
  given("ignored", "ignored"),
  given("left", "processing", "-00:00:01"),
];

/** What Stripe tells, and who heeds it. */
export const stripeEventCommitments: Commitment[] = [
  {
    title: "app.claim_stripe_event and app.fail_stripe_event are for the Worker alone",
    expected: [Array(6).fill("APWRK"), [true, true]],
    actual: async (scene) => {
      await giveCustomers(scene);
      await giveEvents(scene);
      const found: unknown[] = [];
      const same = await staysSame(scene, [["stripe_events"], ["stripe_customers"]], async () => {
        found.push(
          await codesOf(
            scene,
            null,
            wrongKeys.flatMap((keys) => [claim("evt_new", "cus_mine", keys), fail("evt_held", keys)]),
          ),
        );
      });
      return [...found, same];
    },
  },
  {
    title: "app.claim_stripe_event takes a new event for a minute, with a ticket of its customer",
    expected: [
      ["claimed", 6],
      [
        ...kept.slice(0, 4),
        given("left", "processing", "-00:00:01"),
        ["evt_new", "invoice.paid", "processing", 1, "00:01:00", "00:00:00"],
      ],
      [
        ["mine", "cus_mine", 6, 3, 2, null, null, null, null, "02:00:00", true],
        ["theirs", ...untouched("theirs")],
        ["third", ...untouched("third")],
      ],
    ],
    actual: async (scene) => {
      await giveCustomers(scene);
      await giveEvents(scene);
      return [await claimed(scene, "evt_new"), await events(scene), await customers(scene, null)];
    },
  },
  {
    title: "app.claim_stripe_event takes again what failed, or was left, and neither what is held nor what is settled",
    expected: [
      [
        ["claimed", 6],
        ["claimed", 7],
        ["processing", null],
        ["done", null],
        ["done", null],
        ["processing", null],
      ],
      [
        given("done", "done"),
        given("failed", "processing", "00:01:00", 4),
        given("held", "processing", "00:00:01"),
        given("ignored", "ignored"),
        given("left", "processing", "00:01:00", 4),
      ],
      7,
    ],
    actual: async (scene) => {
      await giveCustomers(scene);
      await giveEvents(scene);
      const outcomes: unknown[] = [];
      for (const name of ["failed", "left", "held", "done", "ignored", "left"])
        outcomes.push(await claimed(scene, `evt_${name}`));
      return [outcomes, await events(scene), (await customers(scene))[0]?.[1]];
    },
  },
  {
    title: "app.claim_stripe_event ignores what is of no customer that is known here",
    expected: [
      [
        ["ignored", null],
        ["ignored", null],
        ["ignored", null],
        ["done", null],
      ],
      [
        given("done", "done"),
        given("failed", "ignored", null, 4),
        given("held", "processing", "00:00:01"),
        given("ignored", "ignored"),
        given("left", "processing", "-00:00:01"),
        ["evt_nobodys", "invoice.paid", "ignored", 1, null, "00:00:00"],
        ["evt_strange", "invoice.paid", "ignored", 1, null, "00:00:00"],
      ],
      [true],
    ],
    actual: async (scene) => {
      await giveCustomers(scene, "customer_id = null");
      await giveEvents(scene);
      const outcomes: unknown[] = [];
      const same = await staysSame(scene, [["stripe_customers"]], async () => {
        outcomes.push(
          await claimed(scene, "evt_strange", "cus_strange"),
          await claimed(scene, "evt_nobodys", null),
          await claimed(scene, "evt_failed", "cus_mine"),
          await claimed(scene, "evt_strange", "cus_theirs"),
        );
      });
      return [outcomes, await events(scene), same];
    },
  },
  {
    title: "app.fail_stripe_event lets go of the event that is held, and of nothing that is settled",
    expected: [[...kept.slice(0, 2), given("held", "failed"), ...kept.slice(3)], [true]],
    actual: async (scene) => {
      await giveCustomers(scene);
      await giveEvents(scene);
      const same = await staysSame(scene, [["stripe_customers", `organization_id = '${mine}'`]], () =>
        scene.ask(null, ...["held", "done", "ignored", "failed", "unknown"].map((name) => fail(`evt_${name}`))),
      );
      return [await events(scene), same];
    },
  },
  {
    title: "app.purge_expired forgets what Stripe has told after 35 days, and nothing else of it",
    expected: [[["2"]], [["evt_1"], ["evt_2"]]],
    actual: async (scene) => {
      await scene.see(
        `delete from stripe_events;
         insert into stripe_events (id, type, status, created_at)
         select 'evt_' || n, 'given', 'done', now() - age::interval
           from (values (4, '36 days'), (1, '1 hour'), (3, '35 days 1 hour'), (2, '34 days 23 hours')) e (n, age)`,
      );
      return [await purgeInOrder(scene), await scene.see("select id from stripe_events order by id")];
    },
  },
];
