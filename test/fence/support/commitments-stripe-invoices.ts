import { applied, at, day, giveCustomers, giveStripes, stripeInvoice, whose } from "./collecting.ts";
import { withMore } from "./moving.ts";
import { staysSame, type Commitment, type Scene } from "./scene.ts";
import { giveInvoices, mine, theirs } from "./subscribing.ts";

const begin = async (scene: Scene) => {
  await withMore(scene);
  await giveCustomers(scene);
  await giveStripes(scene, "trial");
};

/** Whose, of which subscription, number; Stripe's id, number and page; status, currency, total, lines, period, when due and paid, price and reference. */
const invoices = (scene: Scene, condition = "true") =>
  scene.see(
    `select ${whose("n.organization_id")}, (select s.provider_id from subscriptions s where s.organization_id = n.organization_id and s.id = n.subscription_id),
            n.number, n.provider_id, n.provider_number, n.url, n.status, n.currency, n.total::int, n.lines, ${at("n.period_starts_at")}, ${at("n.period_ends_at")},
            ${at("n.due_at")}, ${at("n.paid_at")}, n.price_id, n.payment_reference
       from invoices n where ${condition} order by n.organization_id, n.number`,
  );
const written = (scene: Scene) => invoices(scene, `n.organization_id = '${mine}'`);

/** What Stripe asks for, as it is written. */
export const stripeInvoiceCommitments: Commitment[] = [
  {
    title: "an invoice of Stripe's is written whole, and numbered after those that there are, in the order of creation",
    expected: [
      ["mine", "sub_mine", 1, null, null, null, "open", "xts", 5, [], "1", "31", "00:00:00", null, null, null],
      [
        "mine",
        "sub_mine",
        2,
        "in_a",
        "NR-a",
        "https://a.test/",
        "open",
        "xts",
        5,
        ["a"],
        "1",
        "31",
        "2",
        null,
        null,
        null,
      ],
      [
        "mine",
        "sub_mine",
        3,
        "in_b",
        "NR-b",
        "https://b.test/",
        "open",
        "xts",
        5,
        ["b"],
        "1",
        "31",
        "2",
        null,
        null,
        null,
      ],
      ["mine", "sub_mine", 4, "in_c", null, null, "paid", "usd", 0, [], "3", "4", "5", "6", null, null],
      [
        "mine",
        "sub_mine",
        5,
        "in_d",
        "NR-d",
        "https://d.test/",
        "uncollectible",
        "xts",
        -7,
        ["d"],
        "1",
        "31",
        "2",
        null,
        null,
        null,
      ],
      ["theirs", "sub_theirs", 70, null, null, null, "open", "xts", 5, [], "1", "31", "00:00:00", null, null, null],
    ],
    actual: async (scene) => {
      await begin(scene);
      await giveInvoices(scene);
      await scene.see(`update invoices set number = 70 where organization_id = '${theirs}'`);
      await applied(scene, {
        invoices: [
          stripeInvoice("d", "mine", { status: "uncollectible", total: -7, created_at: day(9) }),
          stripeInvoice("strange", "strange"),
          stripeInvoice("c", "mine", {
            number: null,
            url: null,
            status: "paid",
            currency: "usd",
            total: 0,
            lines: [],
            period_starts_at: day(3),
            period_ends_at: day(4),
            due_at: day(5),
            paid_at: day(6),
            created_at: day(8),
          }),
          stripeInvoice("b", "mine"),
          stripeInvoice("a", "mine"),
          stripeInvoice("foreign", "theirs"),
        ],
      });
      return invoices(scene);
    },
  },
  {
    title:
      "an organization's first invoice is 1, whatever others have, and one of a subscription that has ended is written as well",
    expected: [
      [1, "in_a"],
      [2, "in_b"],
    ],
    actual: async (scene) => {
      await begin(scene);
      await giveInvoices(scene);
      await scene.see(
        `delete from invoices where organization_id = '${mine}';
         update subscriptions set status = 'canceled', ended_at = now() where organization_id = '${mine}'`,
      );
      await applied(scene, { invoices: [stripeInvoice("a", "mine"), stripeInvoice("b", "mine")] });
      return (await written(scene)).map((row) => row.slice(2, 4));
    },
  },
  {
    title:
      "an invoice that is known has what changes of it at Stripe, and keeps its number, its subscription and its period",
    expected: [
      [
        "mine",
        "sub_mine",
        1,
        "in_a",
        "NR-new",
        "https://new.test/",
        "paid",
        "xts",
        8,
        ["new"],
        "1",
        "31",
        "9",
        "10",
        null,
        null,
      ],
      [
        "mine",
        "sub_mine",
        2,
        "in_b",
        "NR-b",
        "https://b.test/",
        "open",
        "xts",
        5,
        ["b"],
        "1",
        "31",
        "2",
        null,
        null,
        null,
      ],
      [true],
      [true],
    ],
    actual: async (scene) => {
      await begin(scene);
      const known = [stripeInvoice("a", "mine"), stripeInvoice("b", "mine")];
      await applied(scene, { invoices: known, ticket: 4 });
      const changed = {
        ...known[0],
        subscription_id: "sub_other",
        number: "NR-new",
        url: "https://new.test/",
        status: "paid",
        currency: "usd",
        total: 8,
        lines: ["new"],
        period_starts_at: day(5),
        period_ends_at: day(6),
        due_at: day(9),
        paid_at: day(10),
        created_at: day(11),
      };
      const same = await staysSame(scene, [["invoices", "provider_id = 'in_b'"]], () =>
        applied(scene, { invoices: [changed, ...known.slice(1)] }),
      );
      const again = await staysSame(scene, [["invoices"]], async () => {
        await scene.see("update stripe_customers set ticket = 6");
        await applied(scene, { invoices: [changed, ...known.slice(1)], ticket: 6 });
      });
      return [...(await written(scene)), same, again];
    },
  },
  {
    title: "each that changes of an invoice at Stripe is written when it alone has",
    expected: Array.from({ length: 7 }, () => [true, false]),
    actual: async (scene) => {
      await begin(scene);
      // Paid, so that when it was can change by itself.
      const known = stripeInvoice("a", "mine", { status: "paid", paid_at: day(3) });
      await applied(scene, { invoices: [known, stripeInvoice("b", "mine")], ticket: 4 });
      const changes: object[] = [
        { status: "void", paid_at: null },
        { total: 6 },
        { lines: ["other"] },
        { number: "NR-other" },
        { url: null },
        { due_at: day(5) },
        { paid_at: day(5) },
      ];
      const found: unknown[] = [];
      for (const change of changes) {
        await scene.see("savepoint changed");
        const same = await staysSame(
          scene,
          [
            ["invoices", "provider_id = 'in_b'"],
            ["invoices", "provider_id = 'in_a'"],
          ],
          () => applied(scene, { invoices: [{ ...known, ...change }] }),
        );
        found.push(same);
        await scene.see("rollback to changed");
      }
      return found;
    },
  },
  {
    title: "an invoice of another organization's is not written by its id",
    expected: [true],
    actual: async (scene) => {
      await begin(scene);
      await applied(scene, { customer: "cus_theirs", invoices: [stripeInvoice("theirs", "theirs")] });
      return staysSame(scene, [["invoices"]], () =>
        applied(scene, { invoices: [stripeInvoice("theirs", "strange", { status: "void", total: 9 })] }),
      );
    },
  },
];
