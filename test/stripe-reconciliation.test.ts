import { beforeAll, describe, expect, it } from "vitest";
import { addMember, asOwner, openOwnDatabase } from "./support/database.ts";
import { signUpPerson } from "./support/service.ts";
import { type Account, newBuyer, newStripePayer, openAccount } from "./support/stripe-accounts.ts";
import { givePrice } from "./support/subscriptions.ts";

// The Cron Trigger looks at the customers of one account, and would find those of others in the database that all share.
beforeAll(openOwnDatabase);

let account: Account;
beforeAll(async () => {
  account = await openAccount();
});

/** As if the day had passed, after which Stripe is asked whatever it has told. */
const makeDue = (organizationId: string) =>
  asOwner([
    "update stripe_customers set due_at = now() - interval '1 second' where organization_id = $1",
    [organizationId],
  ]);

const dueIn = async (organizationId: string): Promise<number> => {
  const [rows] = await asOwner([
    "select extract(epoch from due_at - now())::int as seconds from stripe_customers where organization_id = $1",
    [organizationId],
  ]);
  return rows?.[0]?.["seconds"];
};

describe("The Cron Trigger of each minute", () => {
  it("finds once a day what Stripe has never told, and asks again after another", async () => {
    const buyer = await newBuyer({}, {}, account);
    await buyer.subscribe(buyer.priceId);
    await buyer.pay(await buyer.sessionId());
    await buyer.take();
    await buyer.runCron();
    expect((await buyer.read()).status).toBe("free");
    await makeDue(buyer.id);
    await buyer.runCron();
    expect(await buyer.read()).toMatchObject({ status: "active", plan: { id: buyer.planId } });
    expect(await dueIn(buyer.id)).toBeGreaterThan(86_000);
  });

  it("tells Stripe of the members that came and went, until it agrees (15)", async () => {
    const payer = await newStripePayer({}, {}, account);
    expect((await payer.read()).quantity).toBe(2);
    const joined = await signUpPerson(payer.service);
    await addMember(payer.id, joined.id, "member");
    await payer.fail({ method: "POST", path: "/v1/subscriptions/" });
    await payer.runCron();
    const quantity = async () =>
      (await payer.stripe.subscriptions.retrieve(await payer.providerId())).items.data[0]?.quantity;
    expect([await quantity(), (await payer.read()).quantity]).toEqual([2, 2]);
    // Not with each minute, while Stripe does not agree.
    expect(await dueIn(payer.id)).toBeGreaterThan(200);
    await makeDue(payer.id);
    await payer.runCron();
    await payer.deliverAll();
    expect([await quantity(), (await payer.read()).quantity]).toEqual([3, 3]);
    await payer.call("DELETE", `members/${joined.id}`);
    await payer.runCron();
    await payer.deliverAll();
    expect([await quantity(), (await payer.read()).quantity]).toEqual([2, 2]);
  });

  it("keeps what is to come with the next period when seats change", async () => {
    const payer = await newStripePayer({}, {}, account);
    const cheaper = await newBuyer({}, { unitAmount: 500 }, account);
    await payer.change(cheaper.priceId);
    const joined = await signUpPerson(payer.service);
    await addMember(payer.id, joined.id, "member");
    await payer.runCron();
    await payer.deliverAll();
    expect(await payer.read()).toMatchObject({ quantity: 3, scheduledPriceId: cheaper.priceId });
    await account.goOnTo((await payer.read()).currentPeriodEnd, 7_200);
    await payer.deliverAll();
    expect(await payer.read()).toMatchObject({ quantity: 3, price: { id: cheaper.priceId }, scheduledPriceId: null });
  });

  it("leaves a trial as it is when seats change, with what is to come after it", async () => {
    const payer = await newStripePayer({ trialDays: 14 }, {}, account);
    const flat = await givePrice({}, { perSeat: false, unitAmount: 9900 });
    const { trialEndsAt } = (await payer.change(flat.priceId)).body;
    const joined = await signUpPerson(payer.service);
    await addMember(payer.id, joined.id, "member");
    await payer.runCron();
    await payer.deliverAll();
    expect(await payer.read()).toMatchObject({
      status: "trialing",
      trialEndsAt,
      quantity: 3,
      scheduledPriceId: flat.priceId,
    });
    await account.goOnTo(trialEndsAt, 7_200);
    await payer.deliverAll();
    // Of what is not for each seat there is one.
    expect(await payer.read()).toMatchObject({ status: "active", price: { id: flat.priceId }, quantity: 1 });
    expect((await payer.invoices())[0]).toMatchObject({ status: "paid", total: 9900 });
  });

  it("counts the seats of what is to come, also where there are none now", async () => {
    const payer = await newStripePayer({}, { perSeat: false, unitAmount: 9900 }, account);
    const seats = await givePrice({}, { unitAmount: 1000 });
    expect((await payer.change(seats.priceId)).body).toMatchObject({ quantity: 1, scheduledPriceId: seats.priceId });
    const joined = await signUpPerson(payer.service);
    await addMember(payer.id, joined.id, "member");
    await makeDue(payer.id);
    await payer.runCron();
    await account.goOnTo((await payer.read()).currentPeriodEnd, 7_200);
    await payer.deliverAll();
    expect(await payer.read()).toMatchObject({ status: "active", quantity: 3, price: { id: seats.priceId } });
    expect((await payer.invoices())[0]).toMatchObject({ status: "paid", total: 3000 });
  });

  it("asks for added seats at once, however long the period still is", async () => {
    const payer = await newStripePayer({}, { interval: "year", unitAmount: 12_000 }, account);
    const joined = await signUpPerson(payer.service);
    await addMember(payer.id, joined.id, "member");
    await payer.runCron();
    await payer.deliverAll();
    const [invoice] = await payer.invoices();
    expect(invoice?.["status"]).toBe("paid");
    expect(invoice?.["total"]).toBeGreaterThan(11_900);
  });

  it("has one subscription where two were paid: the other is canceled, and grants nothing", async () => {
    const payer = await newStripePayer({}, {}, account);
    const first = await payer.providerId();
    const { items } = await payer.stripe.subscriptions.retrieve(first);
    const second = await payer.stripe.subscriptions.create({
      customer: await payer.customerId(),
      items: [{ price: items.data[0]?.price.id ?? "", quantity: 2 }],
    });
    await payer.deliverAll();
    expect(await payer.providerId()).toBe(first);
    await makeDue(payer.id);
    await payer.runCron();
    await payer.deliverAll();
    expect((await payer.stripe.subscriptions.retrieve(second.id)).status).toBe("canceled");
    expect([(await payer.read()).status, await payer.providerId()]).toEqual(["active", first]);
  });

  it("looks at the others where Stripe does not answer for one", async () => {
    const [one, other] = [await newBuyer({}, {}, account), await newBuyer({}, {}, account)];
    for (const buyer of [one, other]) {
      await buyer.subscribe(buyer.priceId);
      await buyer.pay(await buyer.sessionId());
      await buyer.take();
      await makeDue(buyer.id);
    }
    await asOwner([
      "update stripe_customers set due_at = due_at - interval '1 hour', customer_id = 'cus_gone' where organization_id = $1",
      [one.id],
    ]);
    await account.runCron();
    expect([(await one.read()).status, (await other.read()).status]).toEqual(["free", "active"]);
  });

  it("waits twice as long with each time that one cannot be looked at, five hours at most, and looks again in time once it can", async () => {
    const payer = await newStripePayer({}, {}, account);
    const customer = await payer.customerId();
    const isNow = (id: string) =>
      asOwner(["update stripe_customers set customer_id = $2 where organization_id = $1", [payer.id, id]]);
    const look = async (): Promise<number> => {
      await makeDue(payer.id);
      await account.runCron();
      return Math.round((await dueIn(payer.id)) / 60);
    };
    await isNow("cus_of_another_account");
    // However often somebody asks meanwhile.
    for (let time = 0; time < 3; time++) expect((await payer.refresh()).status).toBe(500);
    const minutes: number[] = [];
    for (let time = 0; time < 10; time++) minutes.push(await look());
    expect(minutes).toEqual([5, 10, 20, 40, 80, 160, 320, 320, 320, 320]);
    await isNow(customer);
    expect(await look()).toBe(1440);
    await isNow("cus_of_another_account");
    expect(await look()).toBe(5);
  });

  it("leaves a customer to whoever looks at it", async () => {
    const payer = await newStripePayer({}, {}, account);
    await makeDue(payer.id);
    await account.control("DELETE", "requests");
    await Promise.all([account.runCron(), account.runCron()]);
    const { requests } = await account.control("GET", "requests");
    expect(requests.filter(({ path }: { path: string }) => path === "/v1/subscriptions")).toHaveLength(1);
  });
});

describe("The Cron Trigger of each hour", () => {
  it("has those looked at of whom Stripe could not tell", async () => {
    const buyer = await newBuyer({}, {}, account);
    await buyer.subscribe(buyer.priceId);
    await buyer.pay(await buyer.sessionId());
    const deliveries = await buyer.take();
    for (const { id } of deliveries)
      for (let attempt = 0; attempt < 4; attempt++) await buyer.control("POST", `deliveries/${id}`, { status: 500 });
    expect(await dueIn(buyer.id)).toBeGreaterThan(80_000);
    await buyer.runCron("17 * * * *");
    expect(await dueIn(buyer.id)).toBeLessThanOrEqual(0);
    await buyer.runCron();
    expect((await buyer.read()).status).toBe("active");
  });
});
