import { expect, it } from "vitest";
import { builtInRoles, permissions, permissionTable } from "../src/permissions.ts";
import { asOwner } from "./support/database.ts";

it("The permissions of the built-in roles are in the code what they are in the database", async () => {
  const [, rows = []] = await asOwner(
    ["set local role app_definer"],
    ["select role, app_private.role_permissions(role) as permissions from unnest($1::text[]) role", [builtInRoles]],
  );
  const stored = Object.fromEntries(rows.map((row) => [row["role"], row["permissions"].toSorted()]));
  const having = (role: string) => permissions.filter((name) => permissionTable[name][1].some((each) => each === role));
  expect(stored).toEqual(Object.fromEntries(builtInRoles.map((role) => [role, having(role).toSorted()])));
  expect(having("owner")).toEqual(permissions);
});

it.each([
  [
    "the key of no other role",
    "select pg_get_constraintdef(oid) as text from pg_constraint where conname = 'roles_key_not_built_in'",
  ],
  [
    "no custom role of a member's",
    "select pg_get_expr(adbin, adrelid) as text from pg_attrdef where adrelid = 'membership_roles'::regclass",
  ],
])("A built-in role is %s", async (_, statement) => {
  const [rows] = await asOwner([statement]);
  const known = [...String(rows?.[0]?.["text"]).matchAll(/'(\w+)'/g)].map(([, role = ""]) => role);
  expect(known.toSorted()).toEqual(builtInRoles.toSorted());
});
