/** A node of EXPLAIN (ANALYZE, FORMAT JSON). */
export interface PlanNode {
  "Node Type": string;
  "Relation Name"?: string;
  Schema?: string;
  "Actual Rows": number;
  "Actual Loops": number;
  "Rows Removed by Filter"?: number;
  "Rows Removed by Index Recheck"?: number;
  "Shared Hit Blocks": number;
  "Shared Read Blocks": number;
  Plans?: PlanNode[];
  [property: string]: unknown;
}

/** Conditions that are decided for each row, or each time that a scan begins. */
const conditionNames = /^(Filter|Join Filter|(Index|Recheck|Hash|Merge|TID) Cond|Order By)$/;

const collectors = /Sort|Aggregate|Materialize|^Hash$/;

const nodesOf = (node: PlanNode): PlanNode[] => [node, ...(node.Plans ?? []).flatMap(nodesOf)];

const rowsOf = (node: PlanNode) =>
  (node["Actual Rows"] + (node["Rows Removed by Filter"] ?? 0) + (node["Rows Removed by Index Recheck"] ?? 0)) *
  node["Actual Loops"];

const isTenants = (node: PlanNode) => node.Schema === "public";

/** The catalog's relations, which /ready reads, do not grow with the tenants. */
const isOurs = (node: PlanNode) => isTenants(node) || node.Schema === "app";

/** Pages of tables and indexes, in functions too: an index that is read without its first column shows in nothing else. */
export function countPages(plan: PlanNode): number {
  const readsCatalog = nodesOf(plan).some((node) => node.Schema === "pg_catalog" && node["Relation Name"]);
  return readsCatalog ? 0 : plan["Shared Hit Blocks"] + plan["Shared Read Blocks"];
}

/** What costs more the larger a table or a tenant is, whatever it cost this time. */
export function findFlaws(plan: PlanNode, maxRows: number): string[] {
  const flaws: string[] = [];
  for (const node of nodesOf(plan)) {
    const isNearOurs = nodesOf(node).some(isOurs);
    const where = `${node["Node Type"]} ${node["Relation Name"] ?? ""}`.trim();
    if (node["Node Type"] === "Seq Scan" && isTenants(node)) flaws.push(`${where}: reads the whole table`);
    for (const [name, text] of Object.entries(node)) {
      if (!conditionNames.test(name) || !isNearOurs) continue;
      if (/\bapp(_private)?\.\w+\(/.test(String(text))) flaws.push(`${where}: a function of ours in ${name}`);
      if (/\bSubPlan\b/.test(String(text))) flaws.push(`${where}: a sub-plan in ${name}`);
    }
    const rows = rowsOf(node);
    if (isTenants(node) && node["Node Type"].endsWith("Scan") && rows > maxRows) flaws.push(`${where}: ${rows} rows`);
    if (collectors.test(node["Node Type"]) && isNearOurs) {
      const input = (node.Plans ?? []).reduce((sum, child) => sum + rowsOf(child), 0);
      if (input > maxRows) flaws.push(`${where}: takes ${input} rows`);
    }
  }
  return flaws;
}
