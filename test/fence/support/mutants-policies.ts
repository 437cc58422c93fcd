import { escapeIdentifier, escapeLiteral, type Client } from "pg";

import { dropOperands, replaceEach } from "./sql-text.ts";

/** A change that makes the fence worse, or must at least be noticed. */
export interface Mutant {
  name: string;
  statements: string[];
  /** Relations whose cells can differ; null for all of them and the functions. */
  objects: string[] | null;
  /** A function whose own commitments are to be tried, the slow ones too. */
  about?: string;
}

interface Policy {
  relation: string;
  name: string;
  permissive: boolean;
  command: string;
  role: string;
  using: string | null;
  check: string | null;
}

async function readPolicies(client: Client): Promise<Policy[]> {
  const { rows } = await client.query<Policy>(`
    select format('%I.%I', n.nspname, c.relname) as relation, p.polname as name, p.polpermissive as permissive, p.polcmd as command,
           p.polroles[1]::regrole::text as role, pg_get_expr(p.polqual, p.polrelid) as using, pg_get_expr(p.polwithcheck, p.polrelid) as check
      from pg_policy p join pg_class c on c.oid = p.polrelid join pg_namespace n on n.oid = c.relnamespace order by 1, 2`);
  return rows;
}

async function readFencedTables(client: Client): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `select format('%I.%I', n.nspname, c.relname) as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where c.relkind in ('r', 'p') and c.relrowsecurity order by 1`,
  );
  return rows.map(({ name }) => name);
}

/** Every way to weaken a policy, and row security as such. */
export async function makePolicyMutants(client: Client, permissions: readonly string[]): Promise<Mutant[]> {
  const mutants: Mutant[] = [];
  for (const policy of await readPolicies(client)) mutants.push(...mutatePolicy(policy, permissions));
  for (const table of await readFencedTables(client)) {
    const add = (change: string, ...statements: string[]) =>
      mutants.push({ name: `${table}: ${change}`, statements, objects: [table] });
    add("row security disabled", `alter table ${table} disable row level security`);
    add("row security not forced", `alter table ${table} no force row level security`);
    for (const role of ["app_user", "public"]) {
      add(
        `another policy, for ${role}`,
        `create policy "Another" on ${table} to ${role} using (true) with check (true)`,
      );
    }
    for (const command of ["select", "update", "delete"]) {
      add(
        `another policy for ${command}`,
        `create policy "Another" on ${table} for ${command} to app_user using (true)`,
      );
    }
    add("another policy for insert", `create policy "Another" on ${table} for insert to app_user with check (true)`);
  }
  return mutants;
}

function mutatePolicy(policy: Policy, permissions: readonly string[]): Mutant[] {
  const { relation, role, using, check } = policy;
  const on = `${escapeIdentifier(policy.name)} on ${relation}`;
  const isWorkers = role === "app_user";
  const mutants: Mutant[] = [];
  const add = (change: string, ...statements: string[]) => {
    const name = `${relation}: policy "${policy.name}": ${change}`;
    if (mutants.some((mutant) => mutant.name === name)) return;
    mutants.push({ name, statements, objects: isWorkers ? [relation] : null });
  };
  add("dropped", `drop policy ${on}`);
  if (!isWorkers) {
    if (using) add("using false", `alter policy ${on} using (false)`);
    return mutants;
  }
  add("for everybody", `alter policy ${on} to public`);
  for (const [part, expression] of [
    ["using", using],
    ["with check", check],
  ] as const) {
    if (!expression) continue;
    const alter = (text: string) => `alter policy ${on} ${part} (${text})`;
    if (expression !== "true") add(`${part} true`, alter("true"));
    for (const { change, text } of dropOperands(expression)) add(`${part} ${change}`, alter(text));
    for (const { change, text } of replaceEach(expression, /app\.org_id\('[^']*'::text\)/g, () => "app.org_id()")) {
      add(`${part} ${change}`, alter(text));
    }
    for (const permission of permissions) {
      const asked = /(?<=app\.org_id\()'[^']*'(?=::text\))/g;
      for (const { change, text } of replaceEach(expression, asked, () => escapeLiteral(permission))) {
        add(`${part} ${change}`, alter(text));
      }
    }
    const comparison = /(\w+) = \( SELECT app\.\w+\([^()]*\) AS \w+\)/g;
    for (const { change, text } of replaceEach(expression, comparison, ([, column]) => `${column} is not null`)) {
      add(`${part} ${change}`, alter(text));
    }
  }
  return mutants;
}
