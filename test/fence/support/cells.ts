import { readFileSync } from "node:fs";
import type { Client } from "pg";

import { belongsTo, isTable, type Owners, type Relation } from "./catalog.ts";

/** One statement that an actor tries, on one relation or function. */
export interface Cell {
  /** The relation or the function's signature. */
  object: string;
  operation: string;
  /** The column, where the operation is on one. */
  detail: string | null;
  statement: string;
  /** More rows than this are a leak; null where no number tells. */
  mostRows: number | null;
  /** Whether finding nothing may come before asking for the context, as the plan has it. */
  asksLate?: boolean;
  /** In place of the trial's: where rows of others may be changed in a way that is meant. */
  prints?: Prints;
}

/** By table: SQL for one print of every row of it that is not the actor's. */
export type Prints = Map<string, string>;

export interface Outcome {
  /** "rows N", or an SQLSTATE; of a refusal also whether a grant was missing or a policy stood in the way. */
  outcome: string;
  leak: string | null;
}

const runner = readFileSync(new URL("cells.sql", import.meta.url), "utf8");

export async function createCellRunner(client: Client): Promise<void> {
  await client.query(runner);
}

/** What an actor is tried with; made once, since a fence that is tampered with must not change it. */
export interface Trial {
  admission: string | null;
  /** Whether that fails, whatever is asked after it. */
  isRefused?: boolean;
  cells: Cell[];
  prints: Prints;
  /** Values that stand in rows of others only. */
  foreignValues: string[];
  /** By object: values of others that it may show. */
  allowed?: Map<string, Set<string>>;
}

/** What is for the platform's administrators. */
export const isOfPlatform = (name: string): boolean =>
  /^app\.(platform_(?!admin_id)|(un)?suspend_|(create|update|archive)_plan|pay_invoice|correct_usage|impersonate|end_impersonation)/.test(
    name,
  );

export async function runTrial(client: Client, trial: Trial): Promise<Outcome[]> {
  const { cells } = trial;
  if (cells.length === 0) return [];
  const outcomes = new Map<Cell, Outcome>();
  for (const prints of new Set(cells.map((cell) => cell.prints ?? trial.prints))) {
    const judged = cells.filter((cell) => (cell.prints ?? trial.prints) === prints);
    const { rows } = await client.query<Outcome>("select * from pg_temp.run_cells($1, $2, $3, $4, $5)", [
      trial.admission,
      judged.map(({ statement }) => statement),
      [...prints.keys()],
      [...prints.values()],
      trial.foreignValues,
    ]);
    for (const [index, cell] of judged.entries()) outcomes.set(cell, rows[index] ?? { outcome: "", leak: null });
  }
  return cells.map((cell) => {
    const { outcome, leak } = outcomes.get(cell) ?? { outcome: "", leak: null };
    if (!outcome) throw new Error(`no outcome: ${cell.statement}`);
    const { object, mostRows, asksLate } = cell;
    if (leak?.startsWith("shows ") && trial.allowed?.get(object)?.has(leak.slice("shows ".length))) {
      return { outcome, leak: null };
    }
    // The platform's functions find nothing, or their policies say first that whoever asks is no administrator.
    const isStranger = !trial.isRefused && isOfPlatform(object);
    const refusals = ["rows 0", "AP400", ...(isStranger ? ["AP404", "APSES", "APMFA"] : [])];
    if (asksLate && !leak && refusals.includes(outcome)) return { outcome: "nothing", leak: null };
    const count = /^rows (\d+)$/.exec(outcome)?.[1];
    const tooMany = mostRows !== null && count !== undefined && Number(count) > mostRows;
    return { outcome, leak: leak ?? (tooMany ? `reaches ${count} rows where ${mostRows} are the actor's` : null) };
  });
}

/** With the row's place, which an update moves even when it changes no value. */
export function printsOf(relations: Relation[], outside: (relation: Relation) => string): Prints {
  return new Map(
    relations
      .filter(isTable)
      .map((relation) => [
        relation.name,
        `select coalesce(md5(string_agg(t.ctid || t::text, '|' order by t.ctid)), '-') from ${relation.name} t where ${outside(relation)}`,
      ]),
  );
}

/** Columns of an event whose words are the same in every trail. */
const eventWords = "^(action|actor_type|subject_type|before|after)$";

/** What only rows of others hold: nothing that is short, and nothing that is part of a value of one's own. */
export async function foreignValuesOf(
  client: Client,
  relations: Relation[],
  outside: (relation: Relation) => string,
): Promise<string[]> {
  const values = relations.filter(isTable).map(
    (relation) =>
      `select ltrim(e.value, '\\x') as value, (${outside(relation)}) is true as is_foreign
           from ${relation.name} t, jsonb_each_text(to_jsonb(t)) e
          where length(e.value) > 8 and ${relation.name.endsWith("audit_events") ? `e.key !~ '${eventWords}'` : "true"}`,
  );
  const { rows } = await client.query<{ value: string }>(
    `with found as materialized (${values.join(" union all ")}),
          own as materialized (select coalesce(string_agg(distinct value, chr(1)), '') as values from found where not is_foreign)
     select distinct value from found, own where is_foreign and strpos(own.values, value) = 0`,
  );
  return rows.map(({ value }) => value);
}

export function outsideOf(owners: Owners): (relation: Relation) => string {
  return (relation) => {
    const outside = `not coalesce(${belongsTo(relation, owners)}, false)`;
    // What an organization has left behind is nobody's.
    return relation.name === "public.stripe_customers" ? `${outside} and organization_id is not null` : outside;
  };
}
