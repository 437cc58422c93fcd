import { expect, it } from "vitest";
import { permissions, roles } from "../src/permissions.ts";
import { asOwner } from "./support/database.ts";

it("The permissions and roles of the code are those of the database", async () => {
  const [, rows] = await asOwner(
    ["set local role app_definer"],
    ["select role, app_private.role_permissions(role) as permissions from unnest($1::text[]) role", [roles]],
  );
  expect(new Set(rows?.flatMap((row) => row["permissions"]))).toEqual(new Set(permissions));
  expect(rows?.every((row) => row["permissions"].length > 0)).toBe(true);

  const [checks] = await asOwner([
    "select pg_get_constraintdef(oid) as text from pg_constraint where conname = 'membership_roles_role_built_in'",
  ]);
  const known = [...String(checks?.[0]?.["text"]).matchAll(/'(\w+)'/g)].map(([, role = ""]) => role);
  expect(known.toSorted()).toEqual(roles.toSorted());
});
