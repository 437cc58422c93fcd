import type { Client } from "pg";

import { type FeatureDefinition, features, type MeterDefinition, type PlanDefinition, plans } from "../../src/plans.ts";
import type { PlatformPlan } from "../../src/services/platform-plans.ts";
import { withClient } from "./connection.ts";

/** What is sold, as src/plans.ts writes it. */
export interface Catalog {
  features: Record<string, FeatureDefinition>;
  plans: PlanDefinition[];
}

/** What became of a plan; `version` is the one that is sold now, or was. */
export interface PlanChange {
  key: string;
  version: number;
  change: "new" | "changed" | "taken over" | "archived" | "unchanged";
}

/** A plan as app_private.plans_json has it, its features as loose as those of the file. */
type SoldPlan = Omit<PlatformPlan, "features"> & {
  features: { key: string; name: string; kind: string; limit?: number | string | null; per?: string }[];
};

/**
 * Brings what is sold into the database, in one transaction. Again, it changes nothing. A plan with other terms gets a new
 * version, one that is not there any more is archived; those of the platform's administrators are left alone.
 *
 * @throws Error where the plans contradict themselves, and the database's; nothing is changed then
 */
export async function applyPlans(ownerUrl: string, catalog: Catalog = { features, plans }): Promise<PlanChange[]> {
  checkPlans(catalog);
  return withClient(ownerUrl, async (client) => {
    await client.query("begin");
    // The owner is held by row security too, where they are no superuser.
    await client.query("set local role app_definer");
    await client.query("select pg_advisory_xact_lock(hashtextextended('plans', 0))");
    await applyFeatures(client, catalog);
    const changes = await applyEach(client, catalog);
    await client.query("commit");
    return changes;
  });
}

/** For people, a line for each that has changed. */
export function describeChanges(changes: PlanChange[]): string {
  const changed = changes.filter(({ change }) => change !== "unchanged");
  return [
    ...changed.map(({ key, version, change }) => `  ${key}, version ${version}: ${change}`),
    `✓ Plans applied: ${changed.length} of ${changes.length} changed`,
  ].join("\n");
}

/** @throws Error where the plans contradict themselves */
export function checkPlans({ features: known, plans: sold }: Catalog = { features, plans }): void {
  const keys = sold.map(({ key }) => key);
  if (new Set(keys).size < keys.length) fail("two plans have the same key");
  for (const [key, feature] of Object.entries(known)) if (feature.kind === "metered") checkMeter(key, feature.meter);
  const [free, ...others] = sold.filter(({ isDefault }) => isDefault);
  if (!free || others.length > 0) fail("one plan is the default, and no more");
  else if (free.prices.length > 0 || free.trialDays > 0)
    fail(`${free.key} is the default, and so has neither prices nor a trial`);
  for (const { key, features: amounts } of sold)
    for (const [feature, amount] of Object.entries(amounts)) {
      const definition = known[feature] ?? fail(`${key} has ${feature}, which is none of the features`);
      const isRight = {
        boolean: () => amount === true,
        number: () => amount === null || Number.isSafeInteger(amount),
        metered: () => typeof amount === "object" && amount !== null && isDecimalOrNull(amount.limit),
      }[definition.kind]();
      if (!isRight) fail(`${key} has ${feature} in an amount that is none of a ${definition.kind} one`);
      if (definition.kind !== "metered") continue;
      const { per } = amount as { per: string };
      if (!periodsOf[definition.meter.reset].includes(per)) {
        fail(`${key} has ${feature} per ${per}, and its meter is reset otherwise`);
      }
    }
}

/** What a plan can say of how long an amount is for, by when the meter is reset. */
const periodsOf: Record<MeterDefinition["reset"], string[]> = {
  period: ["day", "month", "year"],
  month: ["month"],
  never: ["lifetime"],
};

function checkMeter(key: string, { dimensions }: MeterDefinition): void {
  const isEachOnce = new Set(dimensions).size === dimensions.length;
  if (!isEachOnce || dimensions.length > 10 || !dimensions.every((name) => /^[a-z][a-zA-Z0-9]{0,49}$/.test(name))) {
    fail(`${key} has dimensions that are not up to ten different camelCase names`);
  }
}

function fail(reason: string): never {
  throw new Error(`src/plans.ts: ${reason}`);
}

// In the one form that Postgres gives back, by which a change is known.
const isDecimalOrNull = (limit: unknown): boolean =>
  limit === null || (typeof limit === "string" && /^(0|[1-9]\d*)(\.\d*[1-9])?$/.test(limit));

/** In the order of the file, in which they are shown. Those that it no longer has stay for the plans of before. */
async function applyFeatures(client: Client, { features: known }: Catalog): Promise<void> {
  const rows = Object.entries(known).map(([key, feature], position) => {
    const { kind, name } = feature;
    return { key, kind, name, position, ...(feature.kind === "metered" && feature.meter) };
  });
  const { rows: changed } = await client.query<{ key: string; kind: string; is_other_kind: boolean }>(
    `select f.key, f.kind, it.kind <> f.kind as is_other_kind
       from features f join jsonb_to_recordset($1) it (key text, kind text, aggregation text, reset text) on it.key = f.key
      where (it.kind <> f.kind or it.aggregation <> f.aggregation or it.reset <> coalesce(f.reset, 'period'))
        and exists (select from plan_features a where a.feature_key = f.key)`,
    [JSON.stringify(rows)],
  );
  for (const { key, kind, is_other_kind } of changed)
    fail(
      is_other_kind
        ? `${key} is ${kind} in a plan that was sold: a feature of another kind needs another key`
        : `${key} is in a plan that was sold: a meter with another aggregation or reset needs another key`,
    );
  const columns = ["kind", "name", "position", "unit", "aggregation", "dimensions", "reset"];
  await client.query(
    `insert into features as f (key, ${columns.join()})
     select key, ${columns.join()} from jsonb_to_recordset($1)
            it (key text, kind text, name text, position int, unit text, aggregation text, dimensions text[], reset text)
     on conflict (key) do update set (${columns.join()}, archived_at) = row(${columns.map((name) => `excluded.${name}`).join()}, null)
      where row(${columns.map((name) => `f.${name}`).join()}, f.archived_at)
            is distinct from row(${columns.map((name) => `excluded.${name}`).join()}, null::timestamptz)`,
    [JSON.stringify(rows)],
  );
  const keys = [Object.keys(known)];
  await client.query("update features set archived_at = now() where key <> all ($1) and archived_at is null", keys);
  await client.query(
    "delete from features f where key <> all ($1) and not exists (select from plan_features a where a.feature_key = f.key)",
    keys,
  );
}

async function applyEach(client: Client, catalog: Catalog): Promise<PlanChange[]> {
  const { rows } = await client.query<{ plan: SoldPlan }>(
    "select plan from app_private.plans_json(array(select id from plans where archived_at is null))",
  );
  const sold = new Map(rows.map(({ plan }) => [plan.key, plan]));
  const changes: PlanChange[] = [];
  for (const { id, key, version, managedBy } of sold.values()) {
    if (managedBy !== "file" || catalog.plans.some((plan) => plan.key === key)) continue;
    await client.query("update plans set archived_at = now() where id = $1", [id]);
    changes.push({ key, version, change: "archived" });
  }
  const wanted = catalog.plans.map((plan, position) => ({ ...plan, features: listFeatures(plan, catalog), position }));
  // The default last: whichever it was until now has ceased to be it then, and there is one at any time.
  for (const plan of wanted.toSorted((a, b) => Number(a.isDefault) - Number(b.isDefault)))
    changes.push(await applyPlan(client, plan, sold.get(plan.key)));
  return changes;
}

type WantedPlan = Omit<PlanDefinition, "features"> &
  Pick<SoldPlan, "position"> & { features: Omit<SoldPlan["features"][number], "name">[] };

const listFeatures = ({ features: amounts }: PlanDefinition, { features: known }: Catalog): WantedPlan["features"] =>
  Object.entries(amounts).map(([key, amount]) => {
    // Those that the plan names are known: refused above where they are not.
    const { kind } = known[key] as FeatureDefinition;
    if (kind === "boolean") return { key, kind };
    return kind === "number"
      ? { key, kind, limit: amount as number | null }
      : { key, kind, ...(amount as { limit: string | null; per: string }) };
  });

async function applyPlan(client: Client, wanted: WantedPlan, sold: SoldPlan | undefined): Promise<PlanChange> {
  const { key, name, description, isDefault, isPublic, position } = wanted;
  // What the platform's administrators have made of the same key.
  const isTheirs = sold?.managedBy === "platform";
  if (!sold || termsOf(wanted) !== termsOf(sold)) {
    const { rows } = await client.query<{ version: number }>("select version from app_private.add_plan($1, 'file')", [
      wanted,
    ]);
    return { key, version: rows[0]?.version ?? 0, change: isTheirs ? "taken over" : "new" };
  }
  const { rowCount } = await client.query(
    `update plans set name = $2, description = $3, is_default = $4, is_public = $5, position = $6, managed_by = 'file'
      where id = $1 and (name, description, is_default, is_public, position, managed_by) is distinct from ($2, $3, $4, $5, $6, 'file')`,
    [sold.id, name, description, isDefault, isPublic, position],
  );
  const change = isTheirs ? "taken over" : rowCount ? "changed" : "unchanged";
  return { key, version: sold.version, change };
}

/** What subscribers were promised, in one order. */
const termsOf = ({ trialDays, prices, features: amounts }: WantedPlan | SoldPlan): string =>
  JSON.stringify([
    trialDays,
    prices
      .map(({ currency, interval, unitAmount, perSeat }) => [currency, interval, unitAmount, perSeat].join(" "))
      .toSorted(),
    amounts.map(({ key, kind, limit, per }) => JSON.stringify([key, kind, limit, per])).toSorted(),
  ]);
