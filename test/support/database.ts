import { neon, neonConfig } from "@neondatabase/serverless";
import { inject } from "vitest";
import { insertMembers } from "./members-sql.ts";

neonConfig.fetchEndpoint = (_host, port) => `http://127.0.0.1:${port}/sql`;

/** The URL that the short path of the README puts into DATABASE_URL. */
export const ownerUrl = () => inject("ownerUrl");

type Row = Record<string, any>;

/** Runs statements in one transaction as the owner, who is above the fence: for preparing and for looking. */
export function asOwner(...statements: [text: string, params?: unknown[]][]): Promise<Row[][]> {
  return runAs(inject("ownerUrl"), statements);
}

/** Runs statements in one transaction as the Worker's role, as a hostile query would. */
export function asWorker(...statements: [text: string, params?: unknown[]][]): Promise<Row[][]> {
  return runAs(inject("databaseUrl"), statements);
}

async function runAs(url: string, statements: [text: string, params?: unknown[]][]): Promise<Row[][]> {
  const sql = neon(url);
  return (await sql.transaction(statements.map(([text, params]) => sql.query(text, params)))) as Row[][];
}

/** Makes somebody a member with these roles; invitations are not a test's concern. */
export async function addMember(organizationId: string, userId: string, ...roles: string[]): Promise<void> {
  await asOwner([insertMembers("select $1::uuid, $2::uuid, unnest($3::text[])"), [organizationId, userId, roles]]);
}
