import { describe, expect, it } from "vitest";
import { plans } from "../src/plans.ts";
import { makeStale, verifyAddress } from "./support/accounts.ts";
import { addMember, asOwner } from "./support/database.ts";
import { expectProblem } from "./support/problems.ts";
import { giveFeatures } from "./support/plans.ts";
import { openService, type Person, signUpPerson } from "./support/service.ts";
import { connectionInput } from "./support/sso.ts";
import { join, signUpAt } from "./support/share-links.ts";
import { givePrice, giveSubscription, newCustomer } from "./support/subscriptions.ts";

const service = openService();

/** A customer of a plan with these features. */
async function newCustomerOf(features: object[]) {
  const customer = await newCustomer();
  const { planId, priceId } = await givePrice({ features });
  await giveSubscription(customer.id, priceId);
  return { ...customer, planId };
}

const keysOf = (plans: { key: string }[]) => plans.map(({ key }) => key);

/** Of src/plans.ts. */
const having = (feature: keyof (typeof plans)[number]["features"]) =>
  keysOf(plans.filter(({ features, isPublic }) => isPublic && feature in features));

describe("GET /v1/organizations/{organizationId}/entitlements", () => {
  it("tells every member what the organization has by its plan", async () => {
    const customer = await newCustomerOf([
      { key: "teams", kind: "number", limit: 3 },
      { key: "api-requests", kind: "metered", limit: "12.5", per: "day" },
      { key: "sso", kind: "boolean" },
    ]);
    const viewer = await signUpPerson(service);
    await addMember(customer.id, viewer.id, "viewer");
    const { status, body } = await customer.call("GET", "entitlements", undefined, viewer);
    expect([status, body]).toEqual([
      200,
      {
        plan: { id: customer.planId, key: expect.any(String), version: 1, name: "Given" },
        data: [
          { key: "teams", name: "Teams", kind: "number", limit: 3, used: 0 },
          {
            key: "api-requests",
            name: "API requests",
            kind: "metered",
            limit: "12.5",
            per: "day",
            unit: "request",
            resetsAt: expect.stringMatching(/T00:00:00\.000Z$/),
          },
          { key: "sso", name: expect.any(String), kind: "boolean" },
        ],
      },
    ]);
  });

  it("counts what is limited, also where there is more than that, and nothing else", async () => {
    const customer = await newCustomerOf([
      { key: "members", kind: "number", limit: 1 },
      { key: "teams", kind: "number", limit: 3 },
    ]);
    const used = async (caller: Pick<Person, "token"> = customer.owner) =>
      (await customer.call("GET", "entitlements", undefined, caller)).body.data.map(
        ({ key, used: found }: Record<string, unknown>) => [key, found],
      );
    await customer.call("POST", "teams", { name: "Support" });
    const member = await signUpPerson(service);
    await addMember(customer.id, member.id, "member");
    expect(await used()).toEqual([
      ["members", 2],
      ["teams", 1],
    ]);
    const viewer = await signUpPerson(service);
    await addMember(customer.id, viewer.id, "viewer");
    expect(await used(viewer)).toEqual([
      ["members", null],
      ["teams", 1],
    ]);
    await giveFeatures();
    const { planId } = await givePrice({
      features: [
        { key: "members", kind: "number", limit: null },
        { key: "given-number", kind: "number", limit: 5 },
      ],
    });
    await asOwner([
      `update subscriptions set price_id = (select id from plan_prices where plan_id = $2) where organization_id = $1`,
      [customer.id, planId],
    ]);
    expect(await used()).toEqual([
      ["members", null],
      ["given-number", null],
    ]);
  });

  it("counts by the month from the day on which a yearly subscription began, though that is no day of each month (17)", async () => {
    const customer = await newCustomer();
    const { priceId } = await givePrice(
      { features: [{ key: "api-requests", kind: "metered", limit: "1000", per: "month" }] },
      { interval: "year" },
    );
    await giveSubscription(customer.id, priceId);
    const { currentPeriodEnd } = await customer.read();
    await asOwner([
      "update subscriptions set anchor_at = '2024-01-31T10:00:00Z' where organization_id = $1",
      [customer.id],
    ]);
    const now = new Date();
    // Of this month the last day, or else of the next.
    const [resetsAt] = [1, 2]
      .map((months) => new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + months, 0, 10)))
      .filter((end) => end > now);
    const { body } = await customer.call("GET", "entitlements");
    expect(body.data).toMatchObject([{ per: "month", resetsAt: resetsAt?.toISOString() }]);
    expect(await customer.read()).toMatchObject({ price: { interval: "year" }, currentPeriodEnd });
  });

  it("says of a meter that goes by the calendar when its month ends, and nothing of one that is never reset", async () => {
    await giveFeatures();
    const customer = await newCustomerOf([
      { key: "given-monthly", kind: "metered", limit: "10", per: "month" },
      { key: "given-ever", kind: "metered", limit: null, per: "lifetime" },
    ]);
    await asOwner([
      "update subscriptions set anchor_at = '2024-01-17T10:00:00Z' where organization_id = $1",
      [customer.id],
    ]);
    const before = new Date();
    const { body } = await customer.call("GET", "entitlements");
    const ends = [before, new Date()].map((now) => new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + 1)));
    expect(ends.map((end) => end.toISOString())).toContain(body.data[0].resetsAt);
    expect(body.data).toMatchObject([
      { per: "month", unit: "GB" },
      { per: "lifetime", unit: "page", resetsAt: null },
    ]);
  });

  it("is that of the default plan without a subscription, and with one that is not paid for", async () => {
    const customer = await newCustomer();
    const { priceId } = await givePrice({ features: [] });
    const { body: before } = await customer.call("GET", "entitlements");
    expect([before.plan.key, keysOf(before.data).includes("sso")]).toEqual(["free", true]);
    await giveSubscription(customer.id, priceId, { status: "unpaid" });
    expect((await customer.call("GET", "entitlements")).body).toEqual(before);
  });
});

describe("What a plan does not have", () => {
  it("is refused with 402 and the plans that have it, in the one request to the database", async () => {
    const customer = await newCustomerOf([]);
    const asking = openService();
    const body = connectionInput();
    const answer = await asking.call("POST", `${customer.path}/sso-connections`, { token: customer.owner.token, body });
    expect(answer.status).toBe(402);
    expectProblem(answer, "entitlement_required");
    expect(answer.body.feature).toBe("sso");
    expect(keysOf(answer.body.plans).slice(0, having("sso").length)).toEqual(having("sso"));
    expect(await asking.databaseRequests()).toHaveLength(1);
  });

  it("is let pass once the plan has it", async () => {
    const customer = await newCustomerOf([{ key: "sso", kind: "boolean" }]);
    expect((await customer.call("POST", "sso-connections", connectionInput())).status).toBe(201);
  });

  it("is told to nobody who may not do it anyway", async () => {
    const customer = await newCustomerOf([]);
    const member = await signUpPerson(service);
    await addMember(customer.id, member.id, "member");
    const create = () => customer.call("POST", "sso-connections", connectionInput(), member);
    expectProblem(await create(), "forbidden");
    await makeStale(customer.owner);
    expectProblem(await customer.call("POST", "sso-connections", connectionInput()), "reauthentication_required");
  });
});

describe("The number of teams that a plan has", () => {
  it("is reached and not passed, also by two at once, and what is there stays", async () => {
    const customer = await newCustomerOf([{ key: "teams", kind: "number", limit: 2 }]);
    const create = () => customer.call("POST", "teams", { name: crypto.randomUUID() });
    expect((await create()).status).toBe(201);
    const answers = await Promise.all([create(), create(), create()]);
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([201, 402, 402]);
    const refused = answers.find(({ status }) => status === 402);
    if (!refused) throw new Error("none was refused");
    expectProblem(refused, "entitlement_required");
    expect(refused.body.feature).toBe("teams");
    expect(keysOf(refused.body.plans).slice(0, having("teams").length)).toEqual(having("teams"));
    expect((await customer.call("GET", "teams")).body.data).toHaveLength(2);
  });

  it("is none where the plan does not name them", async () => {
    const customer = await newCustomerOf([]);
    expectProblem(await customer.call("POST", "teams", { name: "One" }), "entitlement_required");
  });
});

describe("The number of members that a plan has", () => {
  it("is reached and not passed by those who come in, and whoever is in stays", async () => {
    const customer = await newCustomerOf([{ key: "members", kind: "number", limit: 2 }]);
    await verifyAddress(customer.owner);
    const { body: link } = await customer.call("POST", "share-links", { roles: ["viewer"], maxUses: 10 });
    const guests = await Promise.all([signUpAt("guests.example"), signUpAt("guests.example")]);
    const answers = await Promise.all(guests.map((guest) => join(guest, link.token)));
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([201, 409]);
    const refused = answers.find(({ status }) => status === 409);
    if (!refused) throw new Error("none was refused");
    expectProblem(refused, "member_limit");
    expect((await customer.call("GET", "members")).body.data).toHaveLength(2);
  });
});
