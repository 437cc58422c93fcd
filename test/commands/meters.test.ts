import { describe, expect, it } from "vitest";

import { amounts, apply, features, free, members, pro, query, requests } from "./plans-support.ts";

describe("Meters of src/plans.ts", () => {
  it("take another unit and other dimensions when they were sold, but no other way to count", async () => {
    await apply();
    const meters = () =>
      query(
        "select unit, aggregation, dimensions, reset from features where key in ('test-requests', 'test-sso') order by position",
      );
    const counted = (meter: object) =>
      apply([free, pro], { ...features, "test-requests": { ...requests, meter: { ...requests.meter, ...meter } } });
    expect(await meters()).toEqual([
      [null, null, null, null],
      ["request", "sum", ["route"], "period"],
    ]);
    await counted({ unit: "call", dimensions: ["route", "statusCode"] });
    const now = ["call", "sum", ["route", "statusCode"], "period"];
    expect((await meters())[1]).toEqual(now);
    await expect(counted({ aggregation: "max" })).rejects.toThrow("a meter with another aggregation or reset");
    await expect(counted({ reset: "never" })).rejects.toThrow("src/plans.ts: test-pro has test-requests per day");
    expect((await meters())[1]).toEqual(now);
    const never = { ...requests, meter: { ...requests.meter, reset: "never" as const } };
    await expect(apply([free], { ...features, "test-requests": never })).rejects.toThrow("aggregation or reset");
    await apply([free], { "test-members": members, "test-new": requests });
    await apply([free], {
      "test-members": members,
      "test-new": { ...requests, meter: { ...requests.meter, reset: "never" } },
    });
    expect(await query("select reset from features where key = 'test-new'")).toEqual([["never"]]);
  });

  it("are taken for what was metered before there were any, by the subscription's periods as it was", async () => {
    await apply();
    await query("update features set unit = null, aggregation = null, dimensions = null, reset = null");
    const monthly = { ...requests, meter: { ...requests.meter, reset: "month" as const } };
    const sold = { ...pro, features: amounts({ "test-requests": { limit: "1", per: "month" } }) };
    await expect(apply([free, sold], { ...features, "test-requests": monthly })).rejects.toThrow(
      "aggregation or reset",
    );
    await apply();
    expect(await query("select reset from features where key = 'test-requests'")).toEqual([["period"]]);
  });

  it.each<[string, object]>([
    ["the same twice", { dimensions: ["a", "a"] }],
    ["eleven", { dimensions: Array.from("abcdefghijk") }],
    ["one in capitals", { dimensions: ["Region"] }],
  ])("are refused with such dimensions: %s", async (_, meter) => {
    const known = { ...features, "test-requests": { ...requests, meter: { ...requests.meter, ...meter } } };
    await expect(apply([free, pro], known)).rejects.toThrow("src/plans.ts: test-requests has dimensions");
  });
});
