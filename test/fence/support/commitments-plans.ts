import { addPlan, asDefiner, withFeatures } from "./planning.ts";
import { codeOf, type Commitment, type Scene } from "./scene.ts";

const terms = {
  prices: [
    { currency: "usd", interval: "year", unitAmount: 200, perSeat: false },
    { currency: "eur", interval: "month", unitAmount: 30, perSeat: true },
  ],
  features: [
    { key: "last", kind: "boolean" },
    { key: "first", kind: "number", limit: 3 },
    { key: "middle", kind: "metered", limit: "2.50", per: "day" },
  ],
};

const shown = async (scene: Scene) => {
  const [[plans] = []] = await scene.askFirst("select app.public_plans()");
  return plans as Record<string, unknown>[];
};

/** What is sold, and how whoever has the database says it. */
export const planCommitments: Commitment[] = [
  {
    title: "app.public_plans shows anybody each plan that is sold to everybody as it is, in their order",
    expected: [
      [
        ["id", "key", "name", "prices", "version", "features", "isDefault", "trialDays", "description"].toSorted(),
        "b",
        "a",
        [],
        [],
        [],
      ],
      { key: "a", name: "Name of a", description: "About a", trialDays: 7, isDefault: false, version: 1 },
      [
        { currency: "eur", interval: "month", unitAmount: 30, perSeat: true },
        { currency: "usd", interval: "year", unitAmount: 200, perSeat: false },
      ],
      [
        { key: "first", kind: "number", name: "First", limit: 3 },
        { key: "middle", kind: "metered", name: "Middle", limit: "2.5", per: "day", unit: "piece" },
        { key: "last", kind: "boolean", name: "Last" },
      ],
    ],
    actual: async (scene) => {
      await withFeatures(scene);
      await asDefiner(
        scene,
        addPlan("a", { ...terms, position: 6 }),
        addPlan("b", { position: 5 }),
        addPlan("hidden", { isPublic: false }),
        addPlan("gone"),
        "update plans set archived_at = now() where key = 'gone'",
      );
      const [first, second, ...rest] = await shown(scene);
      const { id: _, prices, features, ...a } = second ?? {};
      const inOrder = (given: Record<string, unknown>, like: object) =>
        Object.fromEntries(Object.keys(like).map((key) => [key, given[key]]));
      const priceKeys = { currency: 0, interval: 0, unitAmount: 0, perSeat: 0 };
      return [
        [Object.keys(first ?? {}).toSorted(), first?.["key"], a["key"], first?.["prices"], first?.["features"], rest],
        inOrder(a, { key: 0, name: 0, description: 0, trialDays: 0, isDefault: 0, version: 0 }),
        (prices as Record<string, unknown>[]).map((price) => inOrder(price, priceKeys)),
        (features as Record<string, unknown>[]).map((feature) => {
          const keys = { key: 0, kind: 0, name: 0, limit: 0, per: 0, unit: 0 };
          return inOrder(
            feature,
            Object.fromEntries(
              Object.keys(keys)
                .filter((key) => key in feature)
                .map((k) => [k, 0]),
            ),
          );
        }),
      ];
    },
  },
  {
    title:
      "app_private.add_plan adds the next version of its key, whose last one is no longer sold, and touches no other",
    expected: [
      ["a", 1, 7, "platform", false, true, 0, 0],
      ["a", 2, 30, "platform", false, true, 0, 0],
      ["a", 3, 7, "platform", true, null, 2, 3],
      ["b", 1, 7, "platform", true, null, 0, 0],
    ],
    actual: async (scene) => {
      await withFeatures(scene);
      await asDefiner(scene, addPlan("a"), addPlan("b"), addPlan("a", { trialDays: 30 }));
      await scene.see("update plans set archived_at = '2026-01-01Z' where key = 'a' and version = 1");
      await asDefiner(scene, addPlan("a", terms));
      return scene.see(
        `select key, version, trial_days, managed_by, archived_at is null,
                archived_at = case version when 1 then '2026-01-01Z' else now()::timestamptz(3) end,
                (select count(*)::int from plan_prices i where i.plan_id = p.id), (select count(*)::int from plan_features f where f.plan_id = p.id)
           from plans p where key in ('a', 'b') order by key, version`,
      );
    },
  },
  {
    title: "whoever has the database changes how plans and features are shown, in the definer's role, and no terms",
    expected: [...Array(11).fill("done"), ...Array(8).fill("42501")],
    actual: async (scene) => {
      await withFeatures(scene);
      await asDefiner(scene, addPlan("a", terms));
      // As of another transaction.
      await scene.see("update plans set created_at = now() - interval '1 second'");
      await asDefiner(
        scene,
        "insert into features (key, kind, name, position) values ('other', 'boolean', 'Other', 1)",
      );
      const outcomes: unknown[] = [];
      for (const statement of [
        "update plans set name = 'A', description = 'A'",
        "update plans set is_public = false, position = 1",
        "update plans set is_default = false",
        "update plans set managed_by = 'file', archived_at = now()",
        "update features set name = 'A', position = 1",
        "insert into features (key, kind, name, position) values ('new', 'boolean', 'New', 1)",
        "update features set kind = 'number' where key = 'new'",
        "update features set unit = 'page', aggregation = 'max', dimensions = '{region}', reset = 'never' where key = 'middle'",
        "do $$ begin if not exists (select from features where key = 'new' and kind = 'number') then raise 'unchanged'; end if; end $$",
        "update features set archived_at = now() where key = 'new'",
        "delete from features where key = 'new'",
        "update plans set trial_days = 1",
        "delete from plans",
        "update plan_prices set unit_amount = 1",
        "delete from plan_prices",
        "insert into plan_prices (plan_id, currency, interval, unit_amount, per_seat) select id, 'chf', 'month', 1, true from plans",
        "insert into plan_features (plan_id, feature_key, kind) select id, 'other', 'boolean' from plans",
        'update plan_features set "limit" = 1',
        "delete from plan_features",
      ]) {
        await scene.see("savepoint tried");
        const outcome = await codeOf(asDefiner(scene, statement));
        if (outcome !== "done") await scene.see("rollback to tried");
        outcomes.push(outcome);
      }
      return outcomes;
    },
  },
];
