import { describe, expect, it } from "vitest";
import { expectProblem } from "./support/problems.ts";
import { signPayload } from "./support/stripe.ts";
import { newUntold, ofType, openAccount, statusOf } from "./support/stripe-accounts.ts";

describe("What Stripe signs", () => {
  it.each([
    [-299, 200],
    [-301, 400],
    [299, 200],
    [3_600, 400],
  ])("takes a signature of %i seconds from now with %i (7)", async (seconds, status) => {
    const { deliveries, receive, secret } = await newUntold();
    const { body, headers } = ofType(deliveries, "customer.subscription.created");
    const at = Math.floor(Date.now() / 1000) + seconds;
    const signature = await signPayload(body, secret, at);
    const answer = await receive({ body, headers: { ...headers, "stripe-signature": signature } });
    expect(answer.status).toBe(status);
    if (status === 400) expectProblem(answer, "invalid_signature");
  });

  it("takes either of two secrets while one is being replaced, and one right signature of several (7)", async () => {
    const { deliveries, service, secret } = await newUntold();
    const { body, headers } = ofType(deliveries, "customer.subscription.created");
    const receive = (signature: string, secrets: string) =>
      service.call("POST", "/v1/webhooks/stripe", {
        rawBody: body,
        headers: { ...headers, "stripe-signature": signature },
        settings: { STRIPE_WEBHOOK_SECRET: secrets },
      });
    const [old, next] = [await signPayload(body, secret), await signPayload(body, "whsec_the_next_one")];
    expect((await receive(old, `whsec_the_next_one,${secret}`)).status).toBe(200);
    expect((await receive(next, `whsec_the_next_one,${secret}`)).status).toBe(200);
    expect((await receive(`${old},${next.split(",")[1]}`, "whsec_the_next_one")).status).toBe(200);
    expectProblem(await receive(old, "whsec_the_next_one"), "invalid_signature");
  });

  it.each([
    ["of another body", (body: string) => body.replace("customer.subscription", "customer.subscriptioN"), undefined],
    ["that is none", undefined, "t=0,v1=00"],
    ["without a time", undefined, "v1=00"],
    ["of an older scheme alone", undefined, `t=${Math.floor(Date.now() / 1000)},v0=00`],
  ])("refuses a signature %s, and asks neither Stripe nor the database", async (_, change, signature) => {
    const { deliveries, control, service } = await newUntold();
    const { body, headers } = ofType(deliveries, "customer.subscription.created");
    await control("DELETE", "requests");
    await service.databaseRequests();
    const answer = await service.call("POST", "/v1/webhooks/stripe", {
      rawBody: change ? change(body) : body,
      headers: { ...headers, ...(signature !== undefined && { "stripe-signature": signature }) },
    });
    expectProblem(answer, "invalid_signature");
    expect([(await control("GET", "requests")).count, await service.databaseRequests()]).toEqual([0, []]);
  });

  it("takes no event of the live half of an account with a key of its other half", async () => {
    const { deliveries, receive, read, secret } = await newUntold();
    const { body, headers, eventId } = ofType(deliveries, "customer.subscription.created");
    const live = JSON.stringify({ ...JSON.parse(body), livemode: true });
    const signature = await signPayload(live, secret);
    expect((await receive({ body: live, headers: { ...headers, "stripe-signature": signature } })).status).toBe(200);
    expect([await statusOf(eventId), (await read()).status]).toEqual([[], "free"]);
  });
});

describe("A deployment with Stripe", () => {
  it.each(["", "whsec_", "secret", "whsec_one_of_them,", "whsec_first_one,whsec_second_one,whsec_third_one"])(
    "refuses to start with the secret %j",
    async (secret) => {
      const { service } = await openAccount();
      for (const path of ["/ready", "/v1/plans"]) {
        const answer = await service.call("GET", path, { settings: { STRIPE_WEBHOOK_SECRET: secret } });
        expectProblem(answer, "misconfigured");
        expect(answer.body.detail).toContain("STRIPE_WEBHOOK_SECRET must be");
        if (secret.length > 6) expect(answer.body.detail).not.toContain(secret);
      }
    },
  );

  it.each(["STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRET", "APP_URL"])("refuses to start without %s", async (name) => {
    const { service } = await openAccount();
    const answer = await service.call("GET", "/v1/plans", { settings: { [name]: undefined } });
    expectProblem(answer, "misconfigured");
    expect(answer.body.detail).toContain(`${name} is missing`);
  });
});
