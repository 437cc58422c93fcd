import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";

import { type BuiltInRole, builtInRoles, permissions, permissionTable } from "../../src/permissions.ts";
import { root } from "../local/paths.ts";

const policiesFile = path.join(root, "src/db/rls-policies.sql");

const cases = /(?<=create function app_private\.role_permissions\([^;]*?return case p_role\n)[^;]*(?=end;)/u;

const permissionsOf = (role: BuiltInRole) =>
  permissions.filter((name) => permissionTable[name][1].some((having) => having === role));

const writeCase = (role: BuiltInRole) =>
  `  when '${role}' then array[${permissionsOf(role)
    .map((name) => `'${name}'`)
    .join(", ")}]\n`;

/**
 * `src/db/rls-policies.sql`, with what `src/permissions.ts` says of the built-in roles.
 *
 * @throws Error where the file has no app_private.role_permissions to say it in
 */
export function readPolicies(): string {
  const text = readFileSync(policiesFile, "utf8");
  if (!cases.test(text)) throw new Error("src/db/rls-policies.sql has no app_private.role_permissions.");
  return text.replace(cases, () => builtInRoles.map((role) => writeCase(role)).join(""));
}

/** Whether psql, which takes the file as it stands, would apply the same. */
export const isUpToDate = (): boolean => readPolicies() === readFileSync(policiesFile, "utf8");

export const writePolicies = (): void => writeFileSync(policiesFile, readPolicies());
