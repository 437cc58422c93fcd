/**
 * What a route can ask of its caller, as `resource:action`: what it lets them do, and the built-in roles that have it.
 * The database decides by it: whatever applies rls-policies.sql takes it along, and `npm run fix` writes it there.
 */
export const permissionTable = {
  "organization:read": ["Read the organization, its roles and teams", ["owner", "admin", "member", "viewer"]],
  "organization:update": ["Update the organization", ["owner", "admin"]],
  "organization:delete": ["Delete the organization", ["owner"]],
  "organization:export": ["Export all that the organization has", ["owner"]],
  "organization:own": ["Make and change owners", ["owner"]],
  "members:read": ["Read the members", ["owner", "admin", "member"]],
  "members:write": ["Change and remove members", ["owner", "admin"]],
  "invitations:read": ["Read the invitations", ["owner", "admin"]],
  "invitations:write": ["Invite people, and revoke invitations", ["owner", "admin"]],
  "domains:read": ["Read the domains", ["owner", "admin"]],
  "domains:write": ["Add domains, and say who joins by them", ["owner"]],
  "roles:write": ["Make, change and delete roles", ["owner", "admin"]],
  "teams:write": ["Make, change and delete teams, and say who is in them", ["owner", "admin"]],
  "api-keys:read": ["Read the API keys", ["owner", "admin"]],
  "api-keys:write": ["Make API keys of one's own, and revoke any", ["owner", "admin"]],
  "audit-events:read": ["Read and export the audit trail", ["owner", "admin"]],
  "webhooks:read": ["Read the webhook endpoints, and what was sent to them", ["owner", "admin"]],
  "webhooks:write": ["Make, change and delete webhook endpoints, and send messages again", ["owner", "admin"]],
  "billing:read": ["Read the subscription and the invoices", ["owner", "admin"]],
  "billing:write": ["Subscribe to plans, and cancel", ["owner"]],
  "usage:read": ["Read how much was used", ["owner", "admin"]],
  "usage:write": ["Record what was used", ["owner", "admin"]],
  "sso:read": ["Read the identity providers", ["owner", "admin"]],
  "sso:write": ["Connect identity providers", ["owner"]],
} as const satisfies Record<string, readonly [description: string, roles: readonly BuiltInRole[]]>;

export type Permission = keyof typeof permissionTable;

export const permissions = Object.keys(permissionTable) as [Permission, ...Permission[]];

/** Those that an organization's own roles can be made of: no such role makes an owner. */
export const grantablePermissions = permissions.filter((name) => name !== "organization:own") as typeof permissions;

export const builtInRoles = ["owner", "admin", "member", "viewer"] as const;

export type BuiltInRole = (typeof builtInRoles)[number];
