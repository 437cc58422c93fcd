import { beforeAll, describe, expect, it } from "vitest";
import { asOwner, openOwnDatabase } from "./support/database.ts";
import { deleteAccount } from "./support/deletions.ts";
import { type Account, newBuyer, newStripePayer, openAccount } from "./support/stripe-accounts.ts";

// As of stripe-reconciliation.test.ts.
beforeAll(openOwnDatabase);

let account: Account;
beforeAll(async () => {
  account = await openAccount();
});

const customersOf = async (customerId: string): Promise<number> => {
  const [rows = []] = await asOwner(["select from stripe_customers where customer_id = $1", [customerId]]);
  return rows.length;
};

describe("What a deleted organization pays for", () => {
  it("ends with its period, before it is charged again", async () => {
    const payer = await newStripePayer({}, {}, account);
    const id = await payer.providerId();
    expect((await payer.service.call("DELETE", payer.path, { token: payer.owner.token })).status).toBe(204);
    await payer.runCron();
    expect((await payer.stripe.subscriptions.retrieve(id)).cancel_at_period_end).toBe(true);
  });

  it("cannot be begun any more", async () => {
    const buyer = await newBuyer({}, {}, account);
    await buyer.subscribe(buyer.priceId);
    const session = await buyer.sessionId();
    expect((await buyer.service.call("DELETE", buyer.path, { token: buyer.owner.token })).status).toBe(204);
    await buyer.runCron();
    expect((await buyer.stripe.checkout.sessions.retrieve(session)).status).toBe("expired");
    expect(await buyer.sessionId()).toBeNull();
  });

  it("is canceled at once where the organization is gone with its only member, as soon as Stripe answers", async () => {
    const payer = await newStripePayer({}, {}, account);
    const [id, customerId] = [await payer.providerId(), await payer.customerId()];
    await payer.call("DELETE", `members/${payer.member.id}`);
    expect((await deleteAccount(payer.owner)).status).toBe(204);
    await account.fail({ path: "/v1/subscriptions/" });
    await account.runCron();
    expect((await account.stripe.subscriptions.retrieve(id)).status).toBe("active");
    await asOwner(["update stripe_customers set due_at = now() where customer_id = $1", [customerId]]);
    await account.runCron();
    expect((await account.stripe.subscriptions.retrieve(id)).status).toBe("canceled");
    // Of whom Stripe collects nothing any more, nothing is kept.
    await account.deliverAll();
    expect(await customersOf(customerId)).toBe(0);
  });

  it("cannot be begun any more where the organization is gone, nor go on where that was too late", async () => {
    for (const isPaid of [false, true]) {
      const buyer = await newBuyer({}, {}, account);
      await buyer.subscribe(buyer.priceId);
      const [session, customer] = [await buyer.sessionId(), await buyer.customerId()];
      if (isPaid) await buyer.pay(session);
      await buyer.take();
      await buyer.call("DELETE", `members/${buyer.member.id}`);
      expect((await deleteAccount(buyer.owner)).status).toBe(204);
      await account.runCron();
      expect((await account.stripe.checkout.sessions.retrieve(session)).status).toBe(isPaid ? "complete" : "expired");
      const { data } = await account.stripe.subscriptions.list({ customer, status: "all" });
      expect(data.map(({ status }) => status)).toEqual(isPaid ? ["canceled"] : []);
    }
  });

  it("leaves nothing behind of who never was a customer", async () => {
    const buyer = await newBuyer({}, {}, account);
    await account.fail({ path: "/v1/customers" });
    expect((await buyer.subscribe(buyer.priceId)).status).toBe(503);
    const count = "select from stripe_customers where customer_id is null";
    expect((await asOwner([count]))[0]).toHaveLength(1);
    await buyer.call("DELETE", `members/${buyer.member.id}`);
    expect((await deleteAccount(buyer.owner)).status).toBe(204);
    expect((await asOwner([count]))[0]).toHaveLength(0);
  });
});
