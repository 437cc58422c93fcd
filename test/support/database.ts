import { neon, neonConfig } from "@neondatabase/serverless";
import { expect, inject } from "vitest";
import { insertMembers } from "./members-sql.ts";

neonConfig.fetchEndpoint = (_host, port) => `http://127.0.0.1:${port}/sql`;

/** Those of test files that have one, where it is not the one that all share: this module serves many files. */
const ownDatabases = new Map<string | undefined, string>();

/** The file whose test runs, or which is being loaded. */
export const testFile = () => expect.getState().testPath;

function locate(url: string): string {
  const located = new URL(url);
  located.pathname = ownDatabases.get(testFile()) ?? located.pathname;
  return located.href;
}

/** The URL that the short path of the README puts into DATABASE_URL. */
export const ownerUrl = () => locate(inject("ownerUrl"));

/** That of the Worker's own role. */
export const workerUrl = () => locate(inject("databaseUrl"));

/**
 * From here on the file has an empty database to itself. For those that read whole tables, which would
 * cost the more the more other tests have left there, and meet what others do meanwhile.
 */
export async function openOwnDatabase(): Promise<void> {
  const name = `own_${crypto.randomUUID()}`;
  await neon(inject("ownerUrl")).query(`create database "${name}" template template_of_app`);
  ownDatabases.set(testFile(), name);
  // A copy has all but the rights to the database as such: see rls-policies.sql.
  await asOwner([`revoke all on database "${name}" from public`], [`grant connect on database "${name}" to app_user`]);
}

/** Forgets all rows of the file's own database. @throws Error without one: others are at work in that which all share */
export async function emptyOwnDatabase(tables: readonly string[]): Promise<void> {
  if (!ownDatabases.has(testFile())) throw new Error("the file has no database of its own");
  const guarded = tables.filter((name) => name.endsWith("audit_events"));
  await asOwner(
    ...guarded.map((name): [string] => [`alter table ${name} disable trigger keep_all_events`]),
    [`truncate ${tables.join()}`],
    ...guarded.map((name): [string] => [`alter table ${name} enable trigger keep_all_events`]),
  );
}

type Row = Record<string, any>;

/** Runs statements in one transaction as the owner, who is above the fence: for preparing and for looking. */
export function asOwner(...statements: [text: string, params?: unknown[]][]): Promise<Row[][]> {
  return runAs(ownerUrl(), statements);
}

/** Runs statements in one transaction as the Worker's role, as a hostile query would. */
export function asWorker(...statements: [text: string, params?: unknown[]][]): Promise<Row[][]> {
  return runAs(workerUrl(), statements);
}

async function runAs(url: string, statements: [text: string, params?: unknown[]][]): Promise<Row[][]> {
  const sql = neon(url);
  return (await sql.transaction(statements.map(([text, params]) => sql.query(text, params)))) as Row[][];
}

/** Makes somebody a member with these roles; invitations are not a test's concern. */
export async function addMember(organizationId: string, userId: string, ...roles: string[]): Promise<void> {
  await asOwner([insertMembers("select $1::uuid, $2::uuid, unnest($3::text[])"), [organizationId, userId, roles]]);
}
