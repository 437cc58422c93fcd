import { and, asc, eq, gt, sql } from "drizzle-orm";
import { v7 as uuidv7 } from "uuid";
import type { PersonDatabase, TenantDatabase } from "../db/index.ts";
import { isoInstant } from "../db/json.ts";
import { roles } from "../db/schema.ts";
import { AppError } from "../errors.ts";
import { type BuiltInRole, grantablePermissions, type Permission, permissionTable } from "../permissions.ts";
import { type Page, type PageInput, readCursor, toPage } from "./paging.ts";

/** One that an organization has made for itself. */
export interface Role {
  id: string;
  /** What members' roles name. */
  key: string;
  name: string;
  /** In alphabetical order. */
  permissions: string[];
  createdAt: string;
  updatedAt: string;
}

export interface KnownPermission {
  name: Permission;
  description: string;
  /** The built-in ones that have it. */
  roles: BuiltInRole[];
}

/** Of which roles can be made. */
export const listPermissions = (): KnownPermission[] =>
  grantablePermissions.map((name) => {
    const [description, having] = permissionTable[name];
    return { name, description, roles: [...having] };
  });

const fields = {
  id: roles.id,
  key: roles.key,
  name: roles.name,
  permissions: roles.permissions,
  createdAt: roles.createdAt,
  updatedAt: roles.updatedAt,
};

const one = ({ organizationId }: TenantDatabase, roleId: string) =>
  and(eq(roles.organizationId, organizationId), eq(roles.id, roleId));

/** The organization's own, oldest first; the built-in ones are none of them. */
export async function listRoles(database: TenantDatabase, { limit, cursor }: PageInput): Promise<Page<Role>> {
  const after = readCursor(cursor);
  const ours = eq(roles.organizationId, database.organizationId);
  const [rows] = await database.run((queries) => [
    queries
      .select(fields)
      .from(roles)
      .where(and(ours, after ? gt(roles.id, after) : undefined))
      .orderBy(asc(roles.id))
      .limit(limit + 1),
  ]);
  return toPage(rows, limit, ({ id }) => id);
}

/** @throws AppError `not_found`. */
export async function readRole(database: TenantDatabase, roleId: string): Promise<Role> {
  const [[role]] = await database.run((queries) => [queries.select(fields).from(roles).where(one(database, roleId))]);
  if (!role) throw new AppError("not_found");
  return role;
}

/**
 * @param permissions One at least.
 * @throws AppError `role_above_own` for permissions that the caller lacks; `role_taken`, also for a built-in role's key;
 *   `role_limit` for the 101st.
 */
export async function createRole(
  database: TenantDatabase,
  { key, name, permissions }: { key: string; name: string; permissions: Permission[] },
): Promise<Role> {
  return database.create<Role>(
    sql`select json_build_object('id', r.id, 'key', r.key, 'name', r.name, 'permissions', r.permissions,
          'createdAt', ${isoInstant(sql`r.created_at`)}, 'updatedAt', ${isoInstant(sql`r.updated_at`)}) as body
        from app.create_role(${uuidv7()}::uuid, ${key}, ${name}, ${sql.param(permissions)}::text[]) r`,
  );
}

/** @throws AppError `not_found`; `role_above_own` for what the role may do before or after, and the caller may not. */
export async function updateRole(
  database: TenantDatabase,
  roleId: string,
  { name, permissions }: { name?: string | undefined; permissions?: Permission[] | undefined },
): Promise<Role> {
  const [, [role]] = await database.run((queries) => [
    queries.execute(
      sql`select app.update_role(${roleId}::uuid, ${name ?? null}::text, ${permissions ? sql.param(permissions) : null}::text[])`,
    ),
    queries.select(fields).from(roles).where(one(database, roleId)),
  ]);
  if (!role) throw new AppError("not_found");
  return role;
}

/**
 * Deletes a role. Members who have it get the replacement, a built-in role or the key of another one.
 *
 * @throws AppError `not_found`; `role_above_own`, for the replacement too; `unknown_role` for that;
 *   `role_in_use` without one.
 */
export async function deleteRole(database: TenantDatabase, roleId: string, replacement?: string): Promise<void> {
  await database.run((queries) => [
    queries.execute(sql`select app.delete_role(${roleId}::uuid, ${replacement ?? null}::text)`),
  ]);
}

/** What the caller may do in an organization. @throws AppError `not_found` for who is no member. */
export async function readMyPermissions(
  database: PersonDatabase,
  organizationId: string,
): Promise<{ roles: string[]; permissions: Permission[] }> {
  const [result] = await database.run((queries) => [
    queries.execute<{ body: { roles: string[]; permissions: Permission[] } }>(
      sql`select json_build_object('roles', p.roles, 'permissions', p.permissions) as body
            from app.my_permissions(${organizationId}::uuid) p`,
    ),
  ]);
  const found = result.rows[0]?.body;
  if (!found) throw new AppError("not_found");
  return found;
}
