import { describe, expect, it } from "vitest";
import { newBuyer, openAccount } from "./support/stripe-accounts.ts";
import { free } from "./support/subscribers.ts";
import { expectProblem } from "./support/problems.ts";

describe("POST /v1/organizations/{organizationId}/subscription/refresh", () => {
  it("has what was paid before Stripe has told of it, which may be never (11)", async () => {
    const buyer = await newBuyer();
    await buyer.subscribe(buyer.priceId);
    await buyer.pay(await buyer.sessionId());
    expect((await buyer.read()).status).toBe("free");
    const { status, body } = await buyer.refresh();
    expect([status, body.status, body.plan.id]).toEqual([200, "active", buyer.planId]);
    expect(await buyer.read()).toEqual(body);
    // What is told afterwards changes nothing.
    await buyer.deliverAll();
    expect(await buyer.read()).toEqual(body);
  });

  it("grants nothing for a session that somebody else has paid (11)", async () => {
    const account = await openAccount();
    const [payer, stranger] = [await newBuyer({}, {}, account), await newBuyer({}, {}, account)];
    for (const buyer of [payer, stranger]) await buyer.subscribe(buyer.priceId);
    const session = await payer.sessionId();
    await payer.pay(session);
    const answer = await account.service.call("POST", `${stranger.path}/subscription/refresh?session_id=${session}`, {
      token: stranger.owner.token,
      body: { sessionId: session },
    });
    expect([answer.status, answer.body?.status]).toEqual([200, "free"]);
    await account.deliverAll();
    expect((await stranger.read()).status).toBe("free");
    expect((await payer.read()).status).toBe("active");
  });

  it("asks nobody of an organization that never wanted to pay", async () => {
    const buyer = await newBuyer();
    expect(await buyer.refresh()).toMatchObject({ status: 200, body: free });
    expect((await buyer.control("GET", "requests")).count).toBe(0);
  });

  it("is for whoever may change what is paid for", async () => {
    const buyer = await newBuyer();
    expectProblem(await buyer.call("POST", "subscription/refresh", undefined, buyer.member), "forbidden");
  });
});
