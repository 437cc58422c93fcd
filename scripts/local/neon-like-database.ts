import { Client } from "pg";

import type { LocalPostgres } from "./postgres.ts";

/**
 * Makes a database the way Neon does: owned by a role that is no superuser. Whatever runs as that
 * owner here runs on Neon. Does nothing to a database that is there already.
 *
 * @returns the connection string of the owner, at the real Postgres port
 */
export async function createNeonLikeDatabase(
  postgres: LocalPostgres,
  name = "app",
  owner = "neondb_owner",
): Promise<{ ownerUrl: string }> {
  const client = new Client({ connectionString: postgres.url() });
  await client.connect();
  try {
    const role = client.escapeIdentifier(owner);
    const password = client.escapeLiteral(postgres.passwordOf(owner));
    await client.query("begin");
    // Two at once would both find the role missing, and the later one would fail.
    await client.query("select pg_advisory_xact_lock(hashtext('createNeonLikeDatabase'))");
    const roles = await client.query("select from pg_roles where rolname = $1", [owner]);
    // Attributes as in Neon's compute_tools/src/spec_apply.rs, without membership in neon_superuser.
    await client.query(
      `${roles.rowCount ? "alter" : "create"} role ${role} with login nosuperuser createdb createrole
         bypassrls noreplication inherit password ${password}`,
    );
    await client.query("commit");
    const databases = await client.query("select from pg_database where datname = $1", [name]);
    if (!databases.rowCount) {
      await client
        .query(`create database ${client.escapeIdentifier(name)} owner ${role}`)
        .catch((error: { code?: string }) => {
          if (error.code !== "42P04" && error.code !== "23505") throw error;
        });
    }
  } finally {
    await client.end();
  }
  return { ownerUrl: postgres.url(owner, name) };
}
