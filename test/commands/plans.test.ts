import { appendFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";

import { plans } from "../../src/plans.ts";
import { cloneProject, removeClone, Script } from "../local/process-support.ts";
import { amounts, apply, features, free, members, ownerUrl, type Plan, pro, query, sold } from "./plans-support.ts";

describe("Plans of src/plans.ts", () => {
  it("are in every database that is set up or migrated, in the order of the file", async () => {
    expect(await sold()).toEqual(
      plans.map(({ key, name, isDefault, isPublic }) => [key, 1, name, isDefault, isPublic, "file"]),
    );
  });

  it("are brought there once, however often", async () => {
    await apply();
    const before = await query("select array(select p from plans p), array(select f from features f)");
    expect((await apply()).map(({ change }) => change)).toEqual(["unchanged", "unchanged"]);
    expect(await query("select array(select p from plans p), array(select f from features f)")).toEqual(before);
  });

  it("are brought there once by two at the same time", async () => {
    const both = await Promise.all([apply(), apply()]);
    const changes = both.map((done) =>
      done
        .filter(({ key }) => key.startsWith("test-"))
        .map(({ change }) => change)
        .join(),
    );
    expect(changes.toSorted((a, b) => a.localeCompare(b))).toEqual(["new,new", "unchanged,unchanged"]);
  });

  it.each<[string, Plan]>([
    ["trial", { ...pro, trialDays: 30 }],
    ["price", { ...pro, prices: [{ currency: "usd", interval: "month", unitAmount: 1500, perSeat: true }] }],
    ["kind of price", { ...pro, prices: [{ currency: "usd", interval: "month", unitAmount: 1200, perSeat: false }] }],
    ["limit", { ...pro, features: amounts({ ...pro.features, "test-members": 50 }) }],
    ["period", { ...pro, features: amounts({ ...pro.features, "test-requests": { limit: "0.5", per: "month" } }) }],
    ["set of features", { ...pro, features: amounts({ "test-members": null }) }],
  ])("get another version with another %s, and the one before stays as it was", async (_, changed) => {
    await apply();
    const promised = await query(
      `select p.trial_days, p.name, array(select (i.currency, i.interval, i.unit_amount, i.per_seat)::text from plan_prices i where i.plan_id = p.id),
              array(select (f.feature_key, f."limit", f.per)::text from plan_features f where f.plan_id = p.id order by 1)
         from plans p where key = 'test-pro' and version = 1`,
    );
    expect(await apply([free, changed])).toEqual([
      { key: "test-pro", version: 2, change: "new" },
      { key: "test-free", version: 1, change: "unchanged" },
    ]);
    expect(
      await query(
        `select p.trial_days, p.name, array(select (i.currency, i.interval, i.unit_amount, i.per_seat)::text from plan_prices i where i.plan_id = p.id),
                array(select (f.feature_key, f."limit", f.per)::text from plan_features f where f.plan_id = p.id order by 1)
           from plans p where key = 'test-pro' and version = 1 and archived_at is not null`,
      ),
    ).toEqual(promised);
  });

  it("are shown otherwise without another version", async () => {
    await apply();
    const renamed = { ...pro, name: "Team", description: "For teams.", isPublic: false };
    expect(await apply([renamed, free])).toEqual([
      { key: "test-pro", version: 1, change: "changed" },
      { key: "test-free", version: 1, change: "changed" },
    ]);
    expect(await sold()).toEqual([
      ["test-pro", 1, "Team", false, false, "file"],
      ["test-free", 1, "Free", true, true, "file"],
    ]);
  });

  it("are no longer sold when they are gone from the file, and are another version when they come back", async () => {
    await apply();
    expect(await apply([free])).toContainEqual({ key: "test-pro", version: 1, change: "archived" });
    expect(await sold()).toEqual([["test-free", 1, "Free", true, true, "file"]]);
    expect(await apply()).toContainEqual({ key: "test-pro", version: 2, change: "new" });
  });

  it("can change which of them is the default", async () => {
    await apply();
    const given = { ...pro, isDefault: true, trialDays: 0, prices: [] };
    await apply([{ ...free, isDefault: false }, given]);
    expect(await sold()).toEqual([
      ["test-free", 1, "Free", false, true, "file"],
      ["test-pro", 2, "Pro", true, true, "file"],
    ]);
  });

  it("leave those of the platform's administrators alone, and take over those of the same key", async () => {
    await apply();
    for (const key of ["custom", "test-pro"]) {
      const plan = { ...pro, key, position: 9, features: [], isPublic: false };
      await query("select app_private.add_plan($1, 'platform')", [plan]);
    }
    expect(await apply()).toContainEqual({ key: "test-pro", version: 3, change: "taken over" });
    expect(await sold()).toEqual([
      ["test-free", 1, "Free", true, true, "file"],
      ["test-pro", 3, "Pro", false, true, "file"],
      ["custom", 1, "Pro", false, false, "platform"],
    ]);
  });

  it("take a feature's new name, and keep one that is gone for as long as a plan has it", async () => {
    await apply();
    const known = () =>
      query("select key, name, archived_at is null from features where key ^@ 'test-' order by position, key");
    const plan = [free, { ...pro, features: amounts({ "test-members": 10 }) }];
    const unused = { kind: "boolean", name: "Unused" } as const;
    await apply(plan, { "test-unused": unused, "test-members": { ...members, name: "People" } });
    expect(await known()).toEqual([
      ["test-unused", "Unused", true],
      ["test-members", "People", true],
      ["test-sso", "SSO", false],
      ["test-requests", "Requests", false],
    ]);
    await apply();
    expect(await known()).toEqual([
      ["test-members", "Members", true],
      ["test-sso", "SSO", true],
      ["test-requests", "Requests", true],
    ]);
  });

  it("keep a feature of its kind once a plan was sold with it", async () => {
    await apply();
    const changed = apply([free], { ...features, "test-sso": { kind: "number", name: "SSO" } });
    await expect(changed).rejects.toThrow("src/plans.ts: test-sso is boolean in a plan that was sold");
    await apply([free], { "test-members": members, "test-new": { kind: "boolean", name: "New" } });
    await apply([free], { "test-members": members, "test-new": { kind: "number", name: "New" } });
    expect(await query("select kind from features where key = 'test-new'")).toEqual([["number"]]);
  });

  it.each<[string, Plan[]]>([
    ["no plan is the default", [pro]],
    ["two plans are the default", [free, { ...free, key: "other" }]],
    ["the default has a price", [{ ...free, prices: pro.prices }]],
    ["the default has a trial", [{ ...free, trialDays: 1 }]],
    ["two plans have one key", [free, pro, pro]],
    ["a plan has a feature that there is not", [free, { ...pro, features: amounts({ gold: true }) }]],
    ["a number is no whole one", [free, { ...pro, features: amounts({ "test-members": 1.5 }) }]],
    ["a switch is a number", [free, { ...pro, features: amounts({ "test-sso": 1 }) }]],
    ["a metered feature has no limit", [free, { ...pro, features: amounts({ "test-requests": { per: "day" } }) }]],
    ["a limit is no text", [free, { ...pro, features: amounts({ "test-requests": { limit: 5, per: "day" } }) }]],
    ["a period is none", [free, { ...pro, features: amounts({ "test-requests": { limit: "1", per: "week" } }) }]],
    [
      "a lifetime is reset",
      [free, { ...pro, features: amounts({ "test-requests": { limit: "1", per: "lifetime" } }) }],
    ],
    ["a metered feature has no period", [free, { ...pro, features: amounts({ "test-requests": "5" }) }]],
    [
      "an amount is no decimal number",
      [free, { ...pro, features: amounts({ "test-requests": { limit: "1e5", per: "day" } }) }],
    ],
  ])("are refused, and nothing is changed, where %s", async (_, plans) => {
    await apply();
    await expect(apply(plans)).rejects.toThrow("src/plans.ts: ");
    expect((await apply()).map(({ change }) => change)).toEqual(["unchanged", "unchanged"]);
  });

  it.each<[string, Plan]>([
    ["a key that is none", { ...pro, key: "Pro Plan" }],
    ["a trial of years", { ...pro, trialDays: 731 }],
    ["a price of nothing", { ...pro, prices: [{ currency: "usd", interval: "month", unitAmount: 0, perSeat: true }] }],
    ["no currency", { ...pro, prices: [{ currency: "USD", interval: "month", unitAmount: 1, perSeat: true }] }],
    ["two prices of one kind", { ...pro, prices: [...pro.prices, ...pro.prices] }],
    ["a negative limit", { ...pro, features: amounts({ "test-members": -1 }) }],
  ])("are refused by the database too, for %s", async (_, plan) => {
    await apply();
    await expect(apply([free, plan])).rejects.toThrow(/violates/);
    expect((await apply()).map(({ change }) => change)).toEqual(["unchanged", "unchanged"]);
  });
});

it("npm run db:plans tells what it has changed", async () => {
  const clone = cloneProject();
  try {
    const run = async () => {
      const script = new Script(["scripts/db/apply-plans.ts"], clone, { DATABASE_OWNER_URL: ownerUrl });
      return [await script.ended, script.output] as const;
    };
    const { length } = plans;
    expect(await run()).toEqual([0, expect.stringContaining(`✓ Plans applied: 0 of ${length} changed`)]);
    const added = { ...pro, key: "added", features: {} };
    appendFileSync(path.join(clone, "src/plans.ts"), `plans.push(${JSON.stringify(added)});\n`);
    const told = `  added, version 1: new\n✓ Plans applied: 1 of ${length + 1} changed`;
    expect(await run()).toEqual([0, expect.stringContaining(told)]);
  } finally {
    removeClone(clone);
  }
});
