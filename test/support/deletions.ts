import { asOwner, asWorker } from "./database.ts";
import { openService, type Person } from "./service.ts";

const service = openService();

export const deleteAccount = ({ token }: { token: string }, by = service) =>
  by.call("DELETE", "/v1/users/me", { token });

/** Every row of every table that has the person's id or address in it, as `table: row`; the audit trail names ids alone. */
export async function traces({ id, email }: Person): Promise<string[]> {
  const [tables = []] = await asOwner([
    "select quote_ident(tablename) as name from pg_tables where schemaname = 'public' order by 1",
  ]);
  const rows = await asOwner(
    ...tables.map(({ name }): [string, unknown[]] => [
      `select t::text as row from ${name} t
        where position($1 in t::text) > 0 and '${name}' !~ 'audit_events$' or position($2 in t::text) > 0`,
      [id, email],
    ]),
  );
  return tables.flatMap(({ name }, i) => (rows[i] ?? []).map(({ row }) => `${name}: ${row}`));
}

/** Members of an organization and their roles, by person; nobody where there is none. */
export async function rolesIn(organizationId: string): Promise<Record<string, string>> {
  const [rows = []] = await asOwner([
    "select user_id, role from membership_roles where organization_id = $1",
    [organizationId],
  ]);
  return Object.fromEntries(rows.map((row) => [row["user_id"], row["role"]]));
}

export async function organizationExists(id: string): Promise<boolean> {
  const [rows = []] = await asOwner(["select from organizations where id = $1", [id]]);
  return rows.length === 1;
}

/** Whether somebody else holds a row of this table. */
export const isLocked = (table: "users" | "organizations" | "sessions", id: string): Promise<boolean> =>
  asOwner([`select from ${table} where id = $1 for update nowait`, [id]]).then(
    () => false,
    (error: { code?: string }) => error.code === "55P03",
  );

/** As if an organization had been deleted this many days before it was. */
export const ageDeletion = (id: string, days: number) =>
  asOwner(["update organizations set deleted_at = deleted_at - $2::int * interval '1 day' where id = $1", [id, days]]);

/** The clean-up, until nothing is left to purge. */
export async function purge(): Promise<void> {
  for (let count = 1; count > 0;) {
    const [rows] = await asWorker(["select app.purge_expired()::int as count"]);
    count = rows?.[0]?.["count"] ?? 0;
  }
}
