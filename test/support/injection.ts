import { admitStatement } from "./admission.ts";
import { asWorker } from "./database.ts";
import { newTenant } from "./tenants.ts";

/** Whose request the injected SQL is in, and whom it is after. */
export const mine = await newTenant();
export const theirs = await newTenant();

export type Statement = [text: string, params?: unknown[]];

export interface Failure {
  code?: string;
  message: string;
  detail?: string;
}

/**
 * Runs SQL that an attacker has got into a statement, behind a legitimate app.admit in the same transaction.
 * Gives the rows of the last statement; everything is undone.
 */
export async function inject(...statements: Statement[]) {
  const results = await asWorker(admitStatement(mine.admission), ...statements, ["rollback"]);
  return results.at(-2) ?? [];
}

/** The same, with what it does kept. */
export async function injectForGood(...statements: Statement[]) {
  const results = await asWorker(admitStatement(mine.admission), ...statements);
  return results.at(-1) ?? [];
}

/** Why the rows were not given; undefined when they were. */
export const failureOf = (injection: Promise<unknown>): Promise<Failure | undefined> =>
  injection.then(
    () => undefined,
    (error: Failure) => error,
  );
