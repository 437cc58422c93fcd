import { beforeAll, describe, expect, it } from "vitest";
import { features, plans } from "../src/plans.ts";
import { asOwner } from "./support/database.ts";
import { giveFeatures, givePlan, newPlanKey } from "./support/plans.ts";
import { openService } from "./support/service.ts";

const service = openService();

beforeAll(giveFeatures);

const list = async () => {
  const { status, body } = await service.call("GET", "/v1/plans");
  expect(status).toBe(200);
  return body.data as { key: string; version: number; id: string }[];
};

const found = async (key: string) => (await list()).filter((plan) => plan.key === key);

describe("GET /v1/plans", () => {
  it("lists what src/plans.ts has, in its order, to whoever asks", async () => {
    const listed = (await list()).filter(({ key }) => plans.some((plan) => plan.key === key));
    const names: Record<string, { name: string; kind: string; meter?: { unit: string } }> = features;
    expect(listed).toEqual(
      plans
        .filter(({ isPublic }) => isPublic)
        .map((plan) => ({
          id: expect.any(String),
          key: plan.key,
          version: 1,
          name: plan.name,
          description: plan.description,
          trialDays: plan.trialDays,
          isDefault: plan.isDefault,
          prices: plan.prices.map((price) => ({ ...price, id: expect.any(String) })),
          features: Object.keys(names)
            .filter((key) => key in plan.features)
            .map((key) => {
              const amount = plan.features[key as keyof typeof plan.features];
              const { name, kind, meter } = names[key] ?? {};
              const given = meter
                ? { ...(amount as object), unit: meter.unit }
                : kind === "number"
                  ? { limit: amount }
                  : {};
              return { key, name, kind, ...given };
            }),
        })),
    );
  });

  it("lists the newest version of each alone", async () => {
    const key = newPlanKey();
    await givePlan({ key: key, isPublic: true });
    const second = await givePlan({ key: key, isPublic: true, trialDays: 7 });
    expect(await found(key)).toMatchObject([{ id: second, version: 2, trialDays: 7 }]);
  });

  it("lists none that is not for everybody, and none that is no longer sold", async () => {
    const [secret, gone] = [newPlanKey(), newPlanKey()];
    await givePlan({ key: secret });
    const id = await givePlan({ key: gone, isPublic: true });
    expect(await found(gone)).toHaveLength(1);
    await asOwner(["update plans set archived_at = now() where id = $1", [id]]);
    expect([...(await found(secret)), ...(await found(gone))]).toEqual([]);
  });

  it("shows each kind of feature in its own way, and prices by their currency", async () => {
    const key = newPlanKey();
    await givePlan({
      key: key,
      isPublic: true,
      prices: [
        { currency: "usd", interval: "year", unitAmount: 99_999_999, perSeat: false },
        { currency: "usd", interval: "month", unitAmount: 1, perSeat: true },
        { currency: "eur", interval: "month", unitAmount: 1100, perSeat: true },
      ],
      features: [
        { key: "given-boolean", kind: "boolean" },
        { key: "given-other", kind: "number", limit: 9_007_199_254_740_991 },
        { key: "given-number", kind: "number", limit: null },
        { key: "given-metered", kind: "metered", limit: "123456789012345678901.5", per: "day" },
        { key: "given-monthly", kind: "metered", limit: "10", per: "month" },
        { key: "given-ever", kind: "metered", limit: null, per: "lifetime" },
      ],
    });
    const id = expect.any(String);
    expect(await found(key)).toMatchObject([
      {
        prices: [
          { id, currency: "eur", interval: "month", unitAmount: 1100, perSeat: true },
          { id, currency: "usd", interval: "month", unitAmount: 1, perSeat: true },
          { id, currency: "usd", interval: "year", unitAmount: 99_999_999, perSeat: false },
        ],
        features: [
          { key: "given-number", name: "Number", kind: "number", limit: null },
          { key: "given-other", name: "Other number", kind: "number", limit: 9_007_199_254_740_991 },
          {
            key: "given-metered",
            name: "Metered",
            kind: "metered",
            limit: "123456789012345678901.5",
            per: "day",
            unit: "piece",
          },
          { key: "given-monthly", name: "Monthly", kind: "metered", limit: "10", per: "month", unit: "GB" },
          { key: "given-ever", name: "Ever", kind: "metered", limit: null, per: "lifetime", unit: "page" },
          { key: "given-boolean", kind: "boolean" },
        ],
      },
    ]);
  });

  it("shows the same terms of a version for good: there is no right to change them", async () => {
    const id = await givePlan({ isPublic: true, features: [{ key: "given-number", kind: "number", limit: 5 }] });
    for (const change of [
      `update plan_features set "limit" = 50 where plan_id = '${id}'`,
      `delete from plan_features where plan_id = '${id}'`,
      `insert into plan_features (plan_id, feature_key, kind) values ('${id}', 'given-boolean', 'boolean')`,
      `insert into plan_prices (plan_id, currency, interval, unit_amount, per_seat) values ('${id}', 'usd', 'month', 1, true)`,
      `update plan_prices set unit_amount = 1 where plan_id = '${id}'`,
      `delete from plan_prices where plan_id = '${id}'`,
      `update plans set trial_days = 1 where id = '${id}'`,
      `delete from plans where id = '${id}'`,
    ])
      await expect(asOwner(["set local role app_definer"], [change])).rejects.toThrow(
        /permission denied|row-level security/,
      );
  });
});
