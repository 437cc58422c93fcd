import type { Client } from "pg";

import { runTrial, type Cell, type Outcome, type Trial } from "./cells.ts";

/** A cell of the matrix: one actor, one statement, and what came of it. */
export interface Result extends Cell, Outcome {
  actor: string;
}

export async function runMatrix(client: Client, trials: Map<string, Trial>): Promise<Result[]> {
  const results: Result[] = [];
  for (const [actor, { cells, ...trial }] of trials) {
    const outcomes = await runTrial(client, { ...trial, cells });
    for (const [index, cell] of cells.entries()) {
      const outcome = outcomes[index];
      if (!outcome) throw new Error(`no outcome of ${cell.statement}`);
      results.push({ actor, ...cell, ...outcome });
    }
  }
  return results;
}

/** The same trials with these cells only. */
export function chooseCells(trials: Map<string, Trial>, isWanted: (cell: Cell, actor: string) => boolean) {
  return new Map(
    [...trials].map(([actor, trial]) => [
      actor,
      { ...trial, cells: trial.cells.filter((cell) => isWanted(cell, actor)) },
    ]),
  );
}

/**
 * Without actors who are like another under these layers: no floor asks for a permission, so whoever has one of them alone is
 * as good as all who do.
 */
export function withoutLike(trials: Map<string, Trial>, layer: string): Map<string, Trial> {
  const isLike = (actor: string) => actor.startsWith("only ") && actor !== "only members:read";
  return layer === "floors alone" ? chooseCells(trials, (_, actor) => !isLike(actor)) : trials;
}

/**
 * Without what cannot tell any more: the tables outside of public, and all but a few statements of those
 * who are refused before any statement of theirs.
 */
export function shortenTrials(trials: Map<string, Trial>, refused: ReadonlySet<string>): Map<string, Trial> {
  const telling = new Set(["select", "select count(*)", "delete"]);
  return chooseCells(
    trials,
    (cell, actor) => cell.object.startsWith("public.") && (!refused.has(actor) || telling.has(cell.operation)),
  );
}

export function leaksOf(results: Result[]): string[] {
  return results.flatMap(({ actor, object, operation, outcome, leak }) =>
    leak ? [`${actor}: ${object}: ${operation}: ${outcome}: ${leak}`] : [],
  );
}

/** One line for each outcome, with the operations of each object and the actors that share it. */
export function renderMatrix(results: Result[]): string {
  const actors = [...new Set(results.map(({ actor }) => actor))];
  const refused = new Map<string, string[]>();
  for (const actor of actors) {
    const outcomes = new Set(results.filter((result) => result.actor === actor).map(({ outcome }) => outcome));
    const [only] = outcomes;
    if (only && outcomes.size === 1) refused.set(only, [...(refused.get(only) ?? []), actor]);
  }
  const turnedAway = new Set([...refused.values()].flat());
  const lines = ["Whatever they try", ...[...refused].map(([outcome, names]) => `  ${outcome}  ${names.join(", ")}`)];

  const objects = Map.groupBy(
    results.filter(({ actor }) => !turnedAway.has(actor)),
    ({ object }) => object,
  );
  for (const [object, cells] of objects) {
    lines.push("", object);
    const operations = Map.groupBy(cells, ({ operation, detail }) => `${operation}|${detail ?? ""}`);
    const blocks = [...Map.groupBy([...operations.values()], (cells) => renderOutcomes(cells).join("\n"))];
    const refusal = blocks.find(([outcomes]) => outcomes.trim() === "42501 by grant  everybody");
    for (const [outcomes, members] of blocks) {
      if (outcomes !== refusal?.[0]) lines.push(...renderOperations(members), outcomes);
    }
    if (refusal) lines.push(blocks.length > 1 ? "  everything else" : "  everything", refusal[0]);
  }
  return `${lines.join("\n")}\n`;
}

function renderOperations(members: Result[][]): string[] {
  const byOperation = Map.groupBy(members, ([cell]) => cell?.operation ?? "");
  return [...byOperation].map(([operation, cells]) => {
    const details = cells.flatMap(([cell]) => cell?.detail ?? []);
    return details.length > 0 ? `  ${operation}: ${details.join(", ")}` : `  ${operation}`;
  });
}

function renderOutcomes(cells: Result[]): string[] {
  const byOutcome = Map.groupBy(cells, ({ outcome }) => outcome);
  if (byOutcome.size === 1) return [`      ${cells[0]?.outcome}  everybody`];
  const [common] = [...byOutcome].toSorted(([, a], [, b]) => b.length - a.length)[0] ?? [];
  return [...byOutcome].map(([outcome, cells]) =>
    outcome === common && cells.length > 6
      ? `      ${outcome}  everybody else`
      : `      ${outcome}  ${cells.map(({ actor }) => actor).join(", ")}`,
  );
}
