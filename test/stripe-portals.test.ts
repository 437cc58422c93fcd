import { describe, expect, it } from "vitest";
import { expectProblem } from "./support/problems.ts";
import { newBuyer, newStripePayer } from "./support/stripe-accounts.ts";

describe("POST /v1/organizations/{organizationId}/subscription/portal", () => {
  it("opens a page of Stripe's for the organization's own customer", async () => {
    const buyer = await newStripePayer();
    const { status, body } = await buyer.call("POST", "subscription/portal");
    expect([status, body]).toEqual([200, { url: expect.stringMatching(/^http/) }]);
  });

  it("is nothing for an organization that never wanted to pay, and for who may not", async () => {
    const buyer = await newBuyer();
    expectProblem(await buyer.call("POST", "subscription/portal"), "no_subscription");
    expectProblem(await buyer.call("POST", "subscription/portal", undefined, buyer.member), "forbidden");
  });

  it("says so where Stripe is off", async () => {
    const buyer = await newStripePayer();
    const off = { BILLING_PROVIDER: undefined, STRIPE_SECRET_KEY: undefined, STRIPE_WEBHOOK_SECRET: undefined };
    for (const path of ["portal", "refresh", "cancel"]) {
      const answer = await buyer.service.call("POST", `${buyer.path}/subscription/${path}`, {
        token: buyer.owner.token,
        settings: off,
      });
      expectProblem(answer, "stripe_off");
    }
  });
});
