import { type Scene, text } from "./scene.ts";

/** As the role that whoever has the database takes for npm run db:plans. */
export const asDefiner = (scene: Scene, ...statements: string[]) =>
  scene.see(["set local role app_definer", ...statements, "set local role none"].join("; "));

export const newPlan = (key: string, rest: object = {}) => ({
  key,
  name: `Name of ${key}`,
  description: `About ${key}`,
  trialDays: 7,
  isDefault: false,
  isPublic: true,
  position: 5,
  prices: [],
  features: [],
  ...rest,
});

export const addPlan = (...given: Parameters<typeof newPlan>): string =>
  `select from app_private.add_plan(${text(JSON.stringify(newPlan(...given)))}, 'platform')`;

/** Three features, and of all plans of before none that is sold. */
export async function withFeatures(scene: Scene): Promise<void> {
  await scene.see("update plans set archived_at = '2026-01-01Z'");
  await asDefiner(
    scene,
    `insert into features (key, kind, name, position, unit, aggregation, dimensions, reset)
     values ('last', 'boolean', 'Last', 903, null, null, null, null), ('first', 'number', 'First', 901, null, null, null, null),
            ('middle', 'metered', 'Middle', 902, 'piece', 'sum', '{}', 'period')`,
  );
}
