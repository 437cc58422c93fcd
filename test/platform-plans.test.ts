import { beforeAll, describe, expect, it } from "vitest";
import { plans } from "../src/plans.ts";
import { asOwner } from "./support/database.ts";
import { giveFeatures, newPlanKey } from "./support/plans.ts";
import { newAdmin } from "./support/platform.ts";
import { expectProblem } from "./support/problems.ts";
import { openService } from "./support/service.ts";

const service = openService();

beforeAll(giveFeatures);

const nobody = "019ab0de-8f6c-7cc4-9e6f-000000000000";

/** An administrator, and what they do with plans of one key. */
async function newCase() {
  const { admin, call } = await newAdmin();
  const key = newPlanKey();
  return {
    admin,
    call,
    key,
    add: async (plan: object = {}) => call("POST", "plans", { key, name: "Acme", ...plan }),
    /** What anybody sees of it. */
    shown: async () => {
      const { body } = await service.call("GET", "/v1/plans");
      return body.data.filter((plan: { key: string }) => plan.key === key);
    },
    versions: async () => (await call("GET", `plans?key=${key}`)).body.data,
    /** Of their own trail, the oldest first. */
    told: async () => {
      const { body } = await service.call("GET", "/v1/users/me/audit-events", admin);
      return body.data
        .filter(({ action }: { action: string }) => action.startsWith("plan."))
        .map(({ action, actor, subject, before, after }: Record<string, any>) => ({
          action,
          actor: actor.type,
          subject,
          before,
          after,
        }))
        .toReversed();
    },
  };
}

/** One of src/plans.ts. */
const fileKey = plans[0]?.key ?? "";

const filePlan = async () => {
  const [rows] = await asOwner(["select id from plans where key = $1 and archived_at is null", [fileKey]]);
  return rows?.[0]?.["id"] as string;
};

const terms = {
  trialDays: 30,
  prices: [{ currency: "eur", interval: "year", unitAmount: 90_000, perSeat: true }],
  features: [
    { key: "given-number", kind: "number", limit: 50 },
    { key: "given-metered", kind: "metered", limit: "1.50", per: "month" },
    { key: "given-boolean", kind: "boolean" },
  ],
};

describe("POST /v1/platform/plans", () => {
  it("adds a plan, which nobody else sees unless it says so", async () => {
    const { add, shown, key } = await newCase();
    const { status, body } = await add(terms);
    expect([status, body]).toEqual([
      201,
      {
        id: expect.any(String),
        key,
        version: 1,
        name: "Acme",
        description: "",
        ...terms,
        isDefault: false,
        isPublic: false,
        position: 1000,
        managedBy: "platform",
        createdAt: expect.stringMatching(/Z$/),
        archivedAt: null,
        prices: [{ id: expect.any(String), ...terms.prices[0] }],
        features: [
          { key: "given-number", name: "Number", kind: "number", limit: 50 },
          { key: "given-metered", name: "Metered", kind: "metered", limit: "1.5", per: "month", unit: "piece" },
          { key: "given-boolean", name: expect.any(String), kind: "boolean" },
        ],
      },
    ]);
    expect(await shown()).toEqual([]);
  });

  it("adds the next version of one that is sold, which is no longer sold then, and stays as it was", async () => {
    const { add, shown, versions } = await newCase();
    const { body: first } = await add({ ...terms, isPublic: true });
    const { body: second } = await add({ trialDays: 7, isPublic: true });
    expect(second).toMatchObject({ version: 2, archivedAt: null, prices: [], features: [] });
    expect(await versions()).toEqual([second, { ...first, archivedAt: expect.stringMatching(/Z$/) }]);
    expect(await shown()).toMatchObject([{ id: second.id, version: 2, trialDays: 7 }]);
  });

  it("adds as many versions as are asked for at once, and sells one", async () => {
    const { add, shown, versions } = await newCase();
    const answers = await Promise.all(Array.from({ length: 8 }, () => add({ isPublic: true })));
    expect(answers.map(({ status }) => status)).toEqual(Array(8).fill(201));
    const all = await versions();
    expect(all.map(({ version }: { version: number }) => version)).toEqual([8, 7, 6, 5, 4, 3, 2, 1]);
    expect(await shown()).toMatchObject([{ version: 8 }]);
  });

  it("adds one version for one Idempotency-Key", async () => {
    const { admin, key, versions } = await newCase();
    const post = () =>
      service.call("POST", "/v1/platform/plans", {
        token: admin.token,
        headers: { "idempotency-key": key },
        body: { key, name: "Acme" },
      });
    const [first, again] = [await post(), await post()];
    expect([again.status, again.body]).toEqual([201, first.body]);
    expect(await versions()).toHaveLength(1);
  });

  it("leaves plans of src/plans.ts to that file", async () => {
    const { call } = await newCase();
    expectProblem(await call("POST", "plans", { key: fileKey, name: "Mine" }), "plan_managed_by_file");
  });

  it("takes the key of one that the file no longer has", async () => {
    const { call, key, add } = await newCase();
    await add();
    await asOwner(["update plans set managed_by = 'file', archived_at = now() where key = $1", [key]]);
    expect(await call("POST", "plans", { key, name: "Acme" })).toMatchObject({ status: 201, body: { version: 2 } });
  });

  it.each([
    ["one that there is not", { key: "gold", kind: "boolean" }],
    ["a number as a switch", { key: "given-number", kind: "boolean" }],
    ["a switch as a number", { key: "given-boolean", kind: "number", limit: 1 }],
    ["a calendar's month by the day", { key: "given-monthly", kind: "metered", limit: "1", per: "day" }],
    ["by the month what is never reset", { key: "given-ever", kind: "metered", limit: "1", per: "month" }],
    ["for a lifetime what is reset", { key: "given-metered", kind: "metered", limit: "1", per: "lifetime" }],
  ])("refuses a feature: %s", async (_, feature) => {
    const { add, versions } = await newCase();
    expectProblem(await add({ features: [feature] }), "unknown_feature");
    expect(await versions()).toEqual([]);
  });

  const price = { currency: "usd", interval: "month", unitAmount: 100 };
  const metered = { key: "given-metered", kind: "metered", limit: "1", per: "month" };
  it.each<[string, string, object]>([
    ["a key with a space", "body.key", { key: "acme plan" }],
    ["a key of 51 characters", "body.key", { key: "a".repeat(51) }],
    ["no name", "body.name", { name: " " }],
    ["a trial of more than two years", "body.trialDays", { trialDays: 731 }],
    ["a price of nothing", "body.prices.0.unitAmount", { prices: [{ ...price, unitAmount: 0 }] }],
    ["a price with cents after a point", "body.prices.0.unitAmount", { prices: [{ ...price, unitAmount: 1.5 }] }],
    ["a price that is too high", "body.prices.0.unitAmount", { prices: [{ ...price, unitAmount: 100_000_000 }] }],
    ["a currency in capitals", "body.prices.0.currency", { prices: [{ ...price, currency: "USD" }] }],
    ["a week", "body.prices.0.interval", { prices: [{ ...price, interval: "week" }] }],
    ["two prices of one kind", "body.prices", { prices: [price, { ...price, unitAmount: 200 }] }],
    ["a feature twice", "body.features", { features: [metered, metered] }],
    ["a negative limit", "body.features.0.limit", { features: [{ key: "given-number", kind: "number", limit: -1 }] }],
    ["half a member", "body.features.0.limit", { features: [{ key: "given-number", kind: "number", limit: 0.5 }] }],
    ["a limit with an exponent", "body.features.0.limit", { features: [{ ...metered, limit: "1e3" }] }],
    ["a limit of 31 digits", "body.features.0.limit", { features: [{ ...metered, limit: "1".repeat(31) }] }],
    ["ten decimals", "body.features.0.limit", { features: [{ ...metered, limit: "0.0000000001" }] }],
    ["a switch with a limit", "body.features.0", { features: [{ key: "given-boolean", kind: "boolean", limit: 1 }] }],
    ["itself as the default", "body", { isDefault: true }],
    ["who manages it", "body", { managedBy: "file" }],
  ])("refuses %s", async (_, path, plan) => {
    const { add, versions } = await newCase();
    const answer = await add(plan);
    expectProblem(answer, "invalid_request");
    expect(answer.body.errors.map((error: { path: string }) => error.path)).toContain(path);
    expect(await versions()).toEqual([]);
  });

  it("takes what is at the bounds", async () => {
    const { add } = await newCase();
    const limit = `${"9".repeat(30)}.123456789`;
    const { status, body } = await add({
      prices: [{ ...price, unitAmount: 99_999_999 }],
      features: [
        { ...metered, limit },
        { key: "given-number", kind: "number", limit: Number.MAX_SAFE_INTEGER },
        { key: "given-other", kind: "number", limit: 0 },
      ],
    });
    expect(status).toBe(201);
    expect(body.features).toMatchObject([{ limit: Number.MAX_SAFE_INTEGER }, { limit: 0 }, { limit }]);
  });

  it("is told of in the administrator's own trail", async () => {
    const { add, told, key } = await newCase();
    const { body } = await add({ trialDays: 3 });
    const after = { key, version: 1, name: "Acme", description: "", trialDays: 3, isPublic: false, position: 1000 };
    expect(await told()).toEqual([
      {
        action: "plan.created",
        actor: "platform_admin",
        subject: { type: "plan", id: body.id },
        before: null,
        after: { ...after, prices: [], features: [] },
      },
    ]);
  });
});

describe("PATCH /v1/platform/plans/{planId}", () => {
  it("shows a plan otherwise, and leaves its terms and other versions alone", async () => {
    const { add, call, versions, shown } = await newCase();
    const { body: first } = await add(terms);
    const { body: second } = await add(terms);
    const changes = { name: "Acme 2027", description: "As agreed", isPublic: true, position: 7 };
    const { status, body } = await call("PATCH", `plans/${second.id}`, changes);
    expect([status, body]).toEqual([200, { ...second, ...changes }]);
    expect(await versions()).toMatchObject([
      { ...second, ...changes },
      { id: first.id, name: "Acme", isPublic: false },
    ]);
    expect(await shown()).toMatchObject([{ id: second.id, name: "Acme 2027" }]);
  });

  it.each([
    ["nothing", {}],
    ["another trial", { trialDays: 90 }],
    ["other prices", { prices: [] }],
    ["another key", { key: "other" }],
    ["it as the default", { isDefault: true }],
  ])("refuses %s", async (_, changes) => {
    const { add, call, versions } = await newCase();
    const { body } = await add(terms);
    expectProblem(await call("PATCH", `plans/${body.id}`, changes), "invalid_request");
    expect(await versions()).toEqual([body]);
  });

  it("leaves plans of src/plans.ts to that file, and finds no other", async () => {
    const { call } = await newCase();
    const file = await filePlan();
    expectProblem(await call("PATCH", `plans/${file}`, { name: "Mine" }), "plan_managed_by_file");
    expectProblem(await call("PATCH", `plans/${nobody}`, { name: "Mine" }), "not_found");
  });

  it("is told of where it changes something, by what it changes", async () => {
    const { add, call, told } = await newCase();
    const { body } = await add();
    for (const name of ["Better", "Better"]) await call("PATCH", `plans/${body.id}`, { name, isPublic: false });
    expect((await told()).slice(1)).toEqual([
      {
        action: "plan.updated",
        actor: "platform_admin",
        subject: { type: "plan", id: body.id },
        before: { name: "Acme" },
        after: { name: "Better" },
      },
    ]);
  });
});

describe("POST /v1/platform/plans/{planId}/archive", () => {
  it("sells it no longer, once", async () => {
    const { add, call, shown, told } = await newCase();
    const { body } = await add({ ...terms, isPublic: true });
    expect(await shown()).toHaveLength(1);
    const archived = await call("POST", `plans/${body.id}/archive`);
    expect([archived.status, archived.body]).toEqual([200, { ...body, archivedAt: expect.stringMatching(/Z$/) }]);
    expect(await shown()).toEqual([]);
    expect((await call("POST", `plans/${body.id}/archive`)).body).toEqual(archived.body);
    expect((await told()).map(({ action }: { action: string }) => action)).toEqual(["plan.created", "plan.archived"]);
  });

  it("leaves plans of src/plans.ts to that file, and finds no other", async () => {
    const { call } = await newCase();
    expectProblem(await call("POST", `plans/${await filePlan()}/archive`), "plan_managed_by_file");
    expectProblem(await call("POST", `plans/${nobody}/archive`), "not_found");
  });
});

describe("GET /v1/platform/plans", () => {
  it("lists all versions, the newest first, a page at a time", async () => {
    const { add, call, key } = await newCase();
    const added = [];
    for (const trialDays of [1, 2, 3]) added.unshift((await add({ trialDays })).body.id);
    const first = await call("GET", `plans?key=${key}&limit=2`);
    const second = await call("GET", `plans?key=${key}&limit=2&cursor=${first.body.nextCursor}`);
    expect([...first.body.data, ...second.body.data].map(({ id }) => id)).toEqual(added);
    expect(second.body.nextCursor).toBeNull();
  });

  it("lists those of every key, of the file too", async () => {
    const { add, call } = await newCase();
    const { body } = await add();
    const { status, body: page } = await call("GET", "plans?limit=100");
    expect(status).toBe(200);
    expect(page.data.map(({ id }: { id: string }) => id)).toContain(body.id);
    expect((await call("GET", `plans?key=${fileKey}`)).body.data).toMatchObject([{ managedBy: "file", version: 1 }]);
  });
});
