import { drizzle } from "drizzle-orm/node-postgres";
import { migrate } from "drizzle-orm/node-postgres/migrator";
import { randomBytes } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";

import { root } from "../local/paths.ts";
import { withClient } from "./connection.ts";
import { applyPlans, checkPlans, describeChanges } from "./plans.ts";
import { readPolicies } from "./role-permissions.ts";

const guardFile = path.join(root, "src/db/rls-guard.sql");
const migrationsFolder = path.join(root, "drizzle");

/**
 * Applies the migrations that are missing, all in one transaction.
 *
 * drizzle-kit's own `migrate` is not used: without a terminal it fails with no word of the reason.
 *
 * @returns how many were applied
 * @throws the database's error; nothing is changed then
 */
export async function applyMigrations(ownerUrl: string): Promise<number> {
  if (!existsSync(path.join(migrationsFolder, "meta/_journal.json"))) {
    throw new Error("There are no migrations in drizzle/. Make them with `npm run db:generate`.");
  }
  return withClient(ownerUrl, async (client) => {
    const count = async (): Promise<number> => {
      const table = await client.query("select to_regclass('drizzle.__drizzle_migrations') as it");
      if (table.rows[0].it === null) return 0;
      const rows = await client.query("select count(*)::int as n from drizzle.__drizzle_migrations");
      return rows.rows[0].n;
    };
    // Two deployments at once would both apply the same migration. Ends with the connection.
    await client.query("select pg_advisory_lock(hashtext('drizzle migrations'))");
    const before = await count();
    await migrate(drizzle(client), { migrationsFolder });
    return (await count()) - before;
  });
}

/**
 * Applies `src/db/rls-policies.sql` in one go, which is one transaction, with the permissions of `src/permissions.ts`.
 *
 * @throws Error with the line in the file; nothing is changed then
 */
export async function applyPolicies(ownerUrl: string): Promise<void> {
  const sql = readPolicies();
  await withClient(ownerUrl, async (client) => {
    try {
      await client.query(sql);
    } catch (error) {
      const { message, position } = error as Error & { position?: string };
      const line = position && sql.slice(0, Number(position)).split("\n").length;
      const place = line ? `src/db/rls-policies.sql, line ${line}` : "src/db/rls-policies.sql";
      (error as Error).message = `${place}: ${message}`;
      throw error;
    }
  });
}

/**
 * Migrations, policies and plans: all that a database needs to be as the source is.
 *
 * @param tell is told of each as it is done
 * @throws as each of them; those before it are done
 */
export async function bringUpToDate(ownerUrl: string, tell: (line: string) => void = () => undefined): Promise<void> {
  checkPlans();
  tell(`✓ Migrations applied: ${await applyMigrations(ownerUrl)}`);
  await applyPolicies(ownerUrl);
  tell("✓ Policies applied");
  tell(describeChanges(await applyPlans(ownerUrl)));
}

export interface Problem {
  problem: string;
  object: string;
}

/** What `src/db/rls-guard.sql` finds unsafe for the role of this URL; empty when the fence stands. */
export async function findProblems(url: string): Promise<Problem[]> {
  const sql = readFileSync(guardFile, "utf8");
  return withClient(url, async (client) => (await client.query<Problem>(sql)).rows);
}

/** The same seen from the owner: all but what concerns the role that signs in. */
export async function findDatabaseProblems(ownerUrl: string): Promise<Problem[]> {
  const problems = await findProblems(ownerUrl);
  return problems.filter(({ problem }) => !problem.startsWith("login "));
}

/** @returns whether there are none */
export function printProblems(problems: Problem[]): boolean {
  for (const { problem, object } of problems) console.error(`✗ ${problem}: ${object}`);
  if (problems.length === 0)
    console.log("✓ The fence stands: no policy, grant, function or role gets past row security.");
  return problems.length === 0;
}

/** Whether the Worker's role can already sign in to the database. */
export async function hasLogin(ownerUrl: string): Promise<boolean> {
  return withClient(ownerUrl, async (client) => {
    const roles = await client.query("select from pg_roles where rolname = 'app_user' and rolcanlogin");
    return roles.rowCount === 1;
  });
}

/** Lets the Worker's role `app_user` sign in with this password. Postgres keeps a verifier only. */
export async function setWorkerPassword(ownerUrl: string, password: string): Promise<void> {
  await withClient(ownerUrl, async (client) => {
    await client.query("set password_encryption = 'scram-sha-256'");
    await client.query(`alter role app_user login password ${client.escapeLiteral(password)}`);
  });
}

/** A random password, 192 bits, of the four kinds of characters that Neon asks for. */
export function newPassword(): string {
  for (;;) {
    const password = randomBytes(24).toString("base64url");
    if ([/[a-z]/, /[A-Z]/, /[0-9]/, /[-_]/].every((kind) => kind.test(password))) return password;
  }
}
