import * as fc from "fast-check";
import { asOwner } from "./database.ts";
import { type Account, type Delivery, newBuyer, openAccount } from "./stripe-accounts.ts";
import { givePrice } from "./subscriptions.ts";

/** What may become of what Stripe tells. */
interface Telling {
  /** Of those that wait, which one each time; a delivery may be chosen again. */
  picks: number[];
  isLost: boolean;
}

type Step =
  | { does: "subscribe" | "change"; price: number }
  | { does: "cancel" | "resume" | "refresh" | "cron" | "payInvoice" | "cancelAtStripe" | "buyTwice" }
  | { does: "pay"; outcome: "paid" | "declined" }
  | { does: "card"; card: "good" | "declining" }
  | { does: "goOn"; days: number }
  | { does: "tell"; telling: Telling }
  | { does: "breakDatabase"; fault: "refuse" | "drop-before" | "drop-after" | "error-500"; times: number }
  | { does: "breakStripe"; fault: { status: number } | { drop: true }; afterDoing: boolean; times: number };

/** A step of somebody's, of Stripe's, or that takes a part away from under it. */
export const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.record({ does: fc.constant("subscribe" as const), price: fc.nat(2) }) },
    {
      weight: 4,
      arbitrary: fc.record({ does: fc.constant("pay" as const), outcome: fc.constantFrom("paid", "paid", "declined") }),
    },
    { weight: 3, arbitrary: fc.record({ does: fc.constant("change" as const), price: fc.nat(2) }) },
    {
      weight: 6,
      arbitrary: fc.record({
        does: fc.constantFrom("cancel", "resume", "refresh", "cron", "payInvoice", "cancelAtStripe", "buyTwice"),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({ does: fc.constant("card" as const), card: fc.constantFrom("good", "declining") }),
    },
    { weight: 3, arbitrary: fc.record({ does: fc.constant("goOn" as const), days: fc.integer({ min: 1, max: 40 }) }) },
    {
      weight: 6,
      arbitrary: fc.record({
        does: fc.constant("tell" as const),
        telling: fc.record({ picks: fc.array(fc.nat(20), { maxLength: 8 }), isLost: fc.boolean() }),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        does: fc.constant("breakDatabase" as const),
        fault: fc.constantFrom("refuse", "drop-before", "drop-after", "error-500"),
        times: fc.integer({ min: 1, max: 2 }),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        does: fc.constant("breakStripe" as const),
        fault: fc.constantFrom({ status: 500 }, { status: 429 }, { drop: true as const }),
        afterDoing: fc.boolean(),
        times: fc.integer({ min: 1, max: 4 }),
      }),
    },
  ),
  { minLength: 3, maxLength: 25, size: "max" },
);

/** What came of a history: Stripe's state, as this must have it, and what it has. */
export interface Outcome {
  expected: unknown;
  found: unknown;
  /** Statuses that no step may be answered with. */
  odd: number[];
}

/** Somebody who may pay, whose world the steps of a history change. */
export async function beginHistory() {
  const account = await openAccount();
  const buyer = await newBuyer({ trialDays: 7 }, {}, account);
  const prices = [
    buyer.priceId,
    (await givePrice({}, { unitAmount: 3000 })).priceId,
    (await givePrice({}, { unitAmount: 9000, interval: "year" })).priceId,
  ];
  return { account, buyer, prices, waiting: [] as Delivery[] };
}

type World = Awaited<ReturnType<typeof beginHistory>>;

export async function runHistory(world: World, history: Step[]): Promise<Outcome> {
  const odd: number[] = [];
  for (const step of history) {
    const status = await take(world, step);
    if (status !== undefined && ![200, 201, 400, 404, 409, 503].includes(status)) odd.push(status);
  }
  await reconcile(world);
  const { expected, found } = await compare(world);
  await asOwner(["update stripe_customers set due_at = null where organization_id = $1", [world.buyer.id]]);
  return { expected, found, odd };
}

async function take({ account, buyer, prices, waiting }: World, step: Step): Promise<number | undefined> {
  const customer = await buyer.customerId();
  /** Whoever does it at Stripe may be refused there. */
  const atStripe = async (work: () => Promise<unknown>) => void (await work().catch(() => undefined));
  switch (step.does) {
    case "subscribe":
      return (await buyer.subscribe(prices[step.price] ?? "")).status;
    case "change":
      return (await buyer.change(prices[step.price] ?? "")).status;
    case "cancel":
      return (await buyer.cancel()).status;
    case "resume":
      return (await buyer.resume()).status;
    case "refresh":
      return (await buyer.refresh()).status;
    case "cron":
      await makeDue(buyer.id);
      await account.runCron();
      return undefined;
    case "pay":
      return atStripe(async () => account.pay(await buyer.sessionId(), step.outcome));
    case "card":
      return atStripe(() => account.setCard(customer, step.card));
    case "goOn":
      return void (await account.goOnBy(step.days * 86_400));
    case "payInvoice":
      return atStripe(async () => {
        const [open] = (await account.stripe.invoices.list({ customer, status: "open" })).data;
        await account.stripe.invoices.pay(open?.id ?? "");
      });
    case "cancelAtStripe":
      return atStripe(async () => account.stripe.subscriptions.cancel((await liveOf(account, customer))[0]?.id ?? ""));
    case "buyTwice":
      return atStripe(async () => {
        const [live] = await liveOf(account, customer);
        const price = live?.items.data[0]?.price.id ?? "";
        await account.stripe.subscriptions.create({ customer, items: [{ price, quantity: 2 }] });
      });
    case "breakDatabase":
      await account.service.injectFault({ fault: step.fault, times: step.times });
      return undefined;
    case "breakStripe":
      return void (await account.control("POST", "faults", {
        ...step.fault,
        afterDoing: step.afterDoing,
        times: step.times,
      }));
    case "tell":
      waiting.push(...(await account.take()));
      return tell(account, waiting, step.telling);
  }
}

/** In the order of the picks, some twice, and all or none of the others kept for later. */
async function tell(account: Account, waiting: Delivery[], { picks, isLost }: Telling): Promise<number | undefined> {
  for (const pick of picks) {
    const delivery = waiting[pick % Math.max(waiting.length, 1)];
    if (!delivery) continue;
    const { status } = await account.receive(delivery);
    // Stripe may have forgotten what it told a month ago.
    await account.control("POST", `deliveries/${delivery.id}`, { status }).catch(() => undefined);
    if (status !== 200 && status !== 503) return status;
  }
  if (isLost) waiting.length = 0;
  return undefined;
}

const makeDue = (organizationId: string) =>
  asOwner([
    "update stripe_customers set due_at = now() - interval '1 hour' where organization_id = $1",
    [organizationId],
  ]);

/** Once everything works again: as often as it takes to tell Stripe of it, and to hear of that. */
async function reconcile({ account, buyer }: World): Promise<void> {
  await account.control("DELETE", "faults");
  const applied = async (): Promise<string> => (await buyer.stored())["applied_ticket"];
  for (let round = 0; round < 3 && (await buyer.customerId());) {
    const before = await applied();
    await makeDue(buyer.id);
    await account.runCron();
    // Else the Cron Trigger of another history's account had it, which knows no such customer.
    if ((await applied()) !== before) round++;
  }
}

async function liveOf(account: Account, customer: string | null) {
  if (!customer) return [];
  const { data } = await account.stripe.subscriptions.list({
    customer,
    status: "all",
    limit: 100,
    expand: ["data.schedule"],
  });
  return data.filter(({ status }) => status !== "canceled" && status !== "incomplete_expired");
}

const instantOf = (seconds: number) => new Date(seconds * 1000).toISOString();

/** What Stripe has of the customer, and what is written here, in the same words. */
async function compare({ account, buyer }: World): Promise<Pick<Outcome, "expected" | "found">> {
  const customer = await buyer.customerId();
  const live = await liveOf(account, customer);
  const invoices = customer ? (await account.stripe.invoices.list({ customer, limit: 100 })).data : [];
  let body = await buyer.read();
  // What was broken last is broken until it has been asked.
  while (!body.plan) body = await buyer.read();
  const [rows = []] = await asOwner([
    `select s.provider_id as subscription, n.provider_id as id, n.status, n.total::int as total from invoices n
       join subscriptions s on s.id = n.subscription_id and s.organization_id = n.organization_id where n.organization_id = $1 order by n.provider_id`,
    [buyer.id],
  ]);
  const known = new Set(rows.map(({ subscription }) => subscription));
  const [ended = []] = await asOwner(["select provider_id from subscriptions where organization_id = $1", [buyer.id]]);
  for (const { provider_id } of ended) known.add(provider_id);
  return {
    expected: {
      subscriptions: live.map(({ status, items, cancel_at_period_end, schedule }) => ({
        status,
        priceId: items.data[0]?.price.metadata["price_id"],
        quantity: 2,
        currentPeriodEnd: instantOf(items.data[0]?.current_period_end ?? 0),
        cancelAtPeriodEnd: cancel_at_period_end,
        isScheduled: schedule !== null && !cancel_at_period_end,
      })),
      invoices: invoices
        .filter(({ parent }) => known.has(parent?.subscription_details?.subscription))
        .filter(({ status }) => status !== "draft")
        .map(({ id, status, total }) => ({ id, status, total }))
        .toSorted((a, b) => (a.id < b.id ? -1 : 1)),
    },
    found: {
      subscriptions:
        body.status === "free"
          ? []
          : [
              {
                status: body.status,
                priceId: body.price.id,
                quantity: body.quantity,
                currentPeriodEnd: body.currentPeriodEnd,
                cancelAtPeriodEnd: body.cancelAtPeriodEnd,
                isScheduled: body.scheduledPriceId !== null,
              },
            ],
      invoices: rows.map(({ id, status, total }) => ({ id, status, total })),
    },
  };
}
