import guard from "../../src/db/rls-guard.sql";
import { asOwner, asWorker } from "./database.ts";

export interface Problem {
  problem: string;
  object: string;
}

/** What rls-guard.sql finds: as the Worker, or after a sabotage by the owner that is rolled back. */
export async function findProblems(sabotage?: string): Promise<Problem[]> {
  if (!sabotage) {
    const [problems] = await asWorker([guard]);
    return problems as Problem[];
  }
  // An error is the only way out of a batch that keeps nothing; it carries the rows in its detail.
  const report = `do $report$ declare found text; begin
    execute $guard$ select coalesce(json_agg(g), '[]')::text from (${guard}) g $guard$ into found;
    raise exception 'rolled back' using detail = found; end $report$`;
  const statements = [...sabotage.split(";"), report].map((text): [string] => [text]);
  const error = await asOwner(...statements).then(
    () => undefined,
    (failure: { detail?: string }) => failure,
  );
  if (!error?.detail) throw new Error("the sabotage itself failed", { cause: error });
  return (JSON.parse(error.detail) as Problem[]).filter(({ problem }) => !problem.startsWith("login "));
}
