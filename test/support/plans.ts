import { asOwner } from "./database.ts";

export const newPlanKey = () => `plan-${crypto.randomUUID()}`;

/** Another version of a plan, as an administrator adds it: its id. */
export async function givePlan(plan: object = {}): Promise<string> {
  const whole = {
    key: newPlanKey(),
    name: "Given",
    description: "",
    trialDays: 0,
    isDefault: false,
    isPublic: false,
    position: 1000,
    prices: [],
    features: [],
    ...plan,
  };
  const [, rows] = await asOwner(
    ["set local role app_definer"],
    ["select id from app_private.add_plan($1, 'platform')", [JSON.stringify(whole)]],
  );
  return rows?.[0]?.["id"];
}

/** Features of the tests' own, in the order in which plans show them: `given-number`, `-other`, `-metered`, `-monthly`, `-ever`,
 *  `-boolean`, `-last` and `-unique`. */
export async function giveFeatures(): Promise<void> {
  await asOwner(
    ["set local role app_definer"],
    [
      `insert into features (key, kind, name, position, unit, aggregation, dimensions, reset)
       values ('given-number', 'number', 'Number', 9001, null, null, null, null),
              ('given-other', 'number', 'Other number', 9002, null, null, null, null),
              ('given-metered', 'metered', 'Metered', 9003, 'piece', 'sum', '{}', 'period'),
              ('given-monthly', 'metered', 'Monthly', 9004, 'GB', 'max', '{region}', 'month'),
              ('given-ever', 'metered', 'Ever', 9005, 'page', 'count', '{}', 'never'),
              ('given-boolean', 'boolean', 'Boolean', 9006, null, null, null, null),
              ('given-last', 'metered', 'Last', 9007, 'GB', 'last', '{}', 'period'),
              ('given-unique', 'metered', 'Unique', 9008, 'person', 'unique', '{region,plan}', 'period')
       on conflict do nothing`,
    ],
  );
}
