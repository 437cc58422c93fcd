/**
 * What a route can ask of a role, as `resource:action`. The same names stand in
 * `app_private.role_permissions` of rls-policies.sql, which decides; a test keeps the two equal.
 */
export const permissions = [
  "organization:read",
  "organization:update",
  "organization:delete",
  "members:read",
  "members:write",
  "sso:read",
  "sso:write",
] as const;

export type Permission = (typeof permissions)[number];

export const roles = ["owner", "admin", "member", "viewer"] as const;

export type Role = (typeof roles)[number];
