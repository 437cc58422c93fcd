import { id, organizations } from "./people.ts";
import { changesTold, type Changes } from "./telling.ts";
import type { Commitment } from "./scene.ts";

const { mine, theirs } = organizations;
const viewer = id(103);
const it = `organization_id = '${mine}' and id = '${id(9801)}'`;

/** Of each audited table of an organization's people: whose, of what, and what each of these changes is told as. */
const changes: Changes[] = [
  [
    "organizations",
    "9801",
    "organization 9801",
    [
      [
        `insert into organizations (id, name, slug, member_limit) values ('${id(9801)}', 'Made', 'made', 5)`,
        "organization.created",
        null,
        { name: "Made", slug: "made", memberLimit: 5, mfaRequired: false },
      ],
      [
        `update organizations set name = 'Named', slug = 'named', member_limit = null where id = '${id(9801)}'`,
        "organization.updated",
        { name: "Made", slug: "made", memberLimit: 5 },
        { name: "Named", slug: "named", memberLimit: null },
      ],
      [`update organizations set updated_at = now() + interval '1 day' where id = '${id(9801)}'`],
      [`update organizations set deleted_at = now() where id = '${id(9801)}'`, "organization.deleted", null, null],
      [`update organizations set deleted_at = null where id = '${id(9801)}'`, "organization.restored", null, null],
      [
        `delete from organizations where id = '${id(9801)}'`,
        "organization.purged",
        { name: "Named", slug: "named", mfaRequired: false },
        null,
      ],
    ],
  ],
  [
    "memberships",
    "theirs",
    "member viewer",
    [
      [
        `insert into memberships (organization_id, user_id, joined_by) values ('${theirs}', '${viewer}', 'sso')`,
        "member.added",
        null,
        { joinedBy: "sso" },
      ],
      [
        `update memberships set joined_by = 'share_link' where organization_id = '${theirs}' and user_id = '${viewer}'`,
        "member.updated",
        { joinedBy: "sso" },
        { joinedBy: "share_link" },
      ],
      [
        `delete from memberships where organization_id = '${theirs}' and user_id = '${viewer}'`,
        "member.removed",
        { joinedBy: "share_link" },
        null,
      ],
    ],
  ],
  [
    "membership_roles",
    "mine",
    "member member",
    [
      [
        `insert into membership_roles (organization_id, user_id, role) values ('${mine}', '${id(102)}', 'admin')`,
        "member.role_granted",
        null,
        { role: "admin" },
      ],
      [
        `update membership_roles set role = 'owner' where organization_id = '${mine}' and user_id = '${id(102)}' and role = 'admin'`,
        "member_role.updated",
        { role: "admin" },
        { role: "owner" },
      ],
      [
        `delete from membership_roles where organization_id = '${mine}' and user_id = '${id(102)}' and role = 'owner'`,
        "member.role_revoked",
        { role: "owner" },
        null,
      ],
    ],
  ],
  [
    "roles",
    "mine",
    "role 9801",
    [
      [
        `insert into roles (organization_id, id, key, name, permissions) values ('${mine}', '${id(9801)}', 'made', 'Made', '{organization:read}')`,
        "role.created",
        null,
        { key: "made", name: "Made", permissions: ["organization:read"] },
      ],
      [
        `update roles set key = 'changed', name = 'Changed', permissions = '{organization:read,members:read}' where ${it}`,
        "role.updated",
        { key: "made", name: "Made", permissions: ["organization:read"] },
        { key: "changed", name: "Changed", permissions: ["organization:read", "members:read"] },
      ],
      [
        `delete from roles where ${it}`,
        "role.deleted",
        { key: "changed", name: "Changed", permissions: ["organization:read", "members:read"] },
        null,
      ],
    ],
  ],
  [
    "teams",
    "mine",
    "team 9801",
    [
      [
        `insert into teams (organization_id, id, name) values ('${mine}', '${id(9801)}', 'Made')`,
        "team.created",
        null,
        { name: "Made" },
      ],
      [`update teams set name = 'Changed' where ${it}`, "team.updated", { name: "Made" }, { name: "Changed" }],
      [`delete from teams where ${it}`, "team.deleted", { name: "Changed" }, null],
    ],
  ],
  [
    "team_memberships",
    "mine",
    "team_member owner",
    [
      [
        `set local session_replication_role = replica; insert into teams (organization_id, id, name) values ('${mine}', '${id(9801)}', 'Team'); set local session_replication_role = origin`,
      ],
      [
        `insert into team_memberships (organization_id, team_id, user_id, role) values ('${mine}', '${id(9801)}', '${id(100)}', 'member')`,
        "team_member.added",
        null,
        { role: "member", teamId: "9801" },
      ],
      [
        `update team_memberships set role = 'lead' where team_id = '${id(9801)}'`,
        "team_member.updated",
        { role: "member" },
        { role: "lead" },
      ],
      [
        `delete from team_memberships where team_id = '${id(9801)}'`,
        "team_member.removed",
        { role: "lead", teamId: "9801" },
        null,
      ],
    ],
  ],
  [
    "invitations",
    "mine",
    "invitation 9801",
    [
      [
        `insert into invitations (organization_id, id, email, roles, team_ids, key_hash, expires_at) values ('${mine}', '${id(9801)}', 'made@example.test', '{viewer}', array['${id(7)}']::uuid[], sha256('made'), '2099-01-01Z')`,
        "invitation.created",
        null,
        {
          email: "made@example.test",
          roles: ["viewer"],
          status: "pending",
          teamIds: ["0007"],
          expiresAt: "2099-01-01T00:00:00.000Z",
        },
      ],
      [
        `update invitations set sent_at = now(), expires_at = '2099-01-02Z' where ${it}`,
        "invitation.updated",
        { expiresAt: "2099-01-01T00:00:00.000Z" },
        { expiresAt: "2099-01-02T00:00:00.000Z" },
      ],
      [
        `update invitations set status = 'revoked', ended_at = now() where ${it}`,
        "invitation.revoked",
        { status: "pending" },
        { status: "revoked" },
      ],
      [
        `update invitations set email = 'changed@example.test', roles = '{member}', team_ids = '{}' where ${it}`,
        "invitation.updated",
        { email: "made@example.test", roles: ["viewer"], teamIds: ["0007"] },
        { email: "changed@example.test", roles: ["member"], teamIds: [] },
      ],
      [
        `delete from invitations where ${it}`,
        "invitation.deleted",
        {
          email: "changed@example.test",
          roles: ["member"],
          status: "revoked",
          teamIds: [],
          expiresAt: "2099-01-02T00:00:00.000Z",
        },
        null,
      ],
    ],
  ],
  [
    "share_links",
    "mine",
    "share_link 9801",
    [
      [
        `insert into share_links (organization_id, id, roles, key_hash, allowed_domains, max_uses, created_at, expires_at) values ('${mine}', '${id(9801)}', '{viewer}', sha256('made'), '{made.test}', 1, '2098-12-31Z', '2099-01-01Z')`,
        "share_link.created",
        null,
        { roles: ["viewer"], maxUses: 1, expiresAt: "2099-01-01T00:00:00.000Z", allowedDomains: ["made.test"] },
      ],
      [`update share_links set uses = 1 where ${it}`],
      [
        `update share_links set roles = '{member}', allowed_domains = '{}', max_uses = 2, expires_at = '2099-01-02Z' where ${it}`,
        "share_link.updated",
        { roles: ["viewer"], maxUses: 1, expiresAt: "2099-01-01T00:00:00.000Z", allowedDomains: ["made.test"] },
        { roles: ["member"], maxUses: 2, expiresAt: "2099-01-02T00:00:00.000Z", allowedDomains: [] },
      ],
      [
        `delete from share_links where ${it}`,
        "share_link.revoked",
        { roles: ["member"], maxUses: 2, expiresAt: "2099-01-02T00:00:00.000Z", allowedDomains: [] },
        null,
      ],
    ],
  ],
];

/** What the trail of an organization has of each of its tables. */
export const auditOrganizationCommitments: Commitment[] = changes.map(changesTold);
