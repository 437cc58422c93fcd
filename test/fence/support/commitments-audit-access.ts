import { id, organizations } from "./people.ts";
import { changesTold, type Changes } from "./telling.ts";
import type { Commitment } from "./scene.ts";

const { mine } = organizations;
const it = `organization_id = '${mine}' and id = '${id(9801)}'`;

/** Of each other audited table of an organization: whose, of what, and what each of these changes is told as. */
const changes: Changes[] = [
  [
    "api_keys",
    "mine",
    "api_key 9801",
    [
      [
        `insert into api_keys (organization_id, id, user_id, created_by, name, scopes, rate_limit, lifetime_days, hint, key_hash, expires_at) values ('${mine}', '${id(9801)}', '${id(100)}', '${id(100)}', 'Made', '{organization:read}', 10, 30, 'made', sha256('made'), '2099-01-01Z')`,
        "api_key.created",
        null,
        {
          hint: "made",
          name: "Made",
          scopes: ["organization:read"],
          userId: "owner",
          expiresAt: "2099-01-01T00:00:00.000Z",
          rateLimitPerMinute: 10,
        },
      ],
      [
        `update api_keys set key_hash = sha256('changed'), previous_key_hash = sha256('made'), previous_expires_at = '2098-01-01Z', rotated_at = now(), hint = 'chan' where ${it}`,
        "api_key.rotated",
        { hint: "made", previousExpiresAt: null },
        { hint: "chan", previousExpiresAt: "2098-01-01T00:00:00.000Z" },
      ],
      [
        `update api_keys set name = 'Changed', user_id = null, scopes = '{members:read}', rate_limit = null, expires_at = '2099-01-02Z' where ${it}`,
        "api_key.updated",
        {
          name: "Made",
          scopes: ["organization:read"],
          userId: "owner",
          expiresAt: "2099-01-01T00:00:00.000Z",
          rateLimitPerMinute: 10,
        },
        {
          name: "Changed",
          scopes: ["members:read"],
          userId: null,
          expiresAt: "2099-01-02T00:00:00.000Z",
          rateLimitPerMinute: null,
        },
      ],
      [`update api_keys set last_used_at = now() where ${it}`],
      [
        `delete from api_keys where ${it}`,
        "api_key.revoked",
        {
          hint: "chan",
          name: "Changed",
          scopes: ["members:read"],
          expiresAt: "2099-01-02T00:00:00.000Z",
          previousExpiresAt: "2098-01-01T00:00:00.000Z",
        },
        null,
      ],
    ],
  ],
  [
    "ownership_transfers",
    "mine",
    "ownership_transfer 9801",
    [
      [
        `set local session_replication_role = replica; delete from ownership_transfers where organization_id = '${mine}'; set local session_replication_role = origin`,
      ],
      [
        `insert into ownership_transfers (organization_id, id, from_user_id, to_user_id, expires_at) values ('${mine}', '${id(9801)}', '${id(100)}', '${id(101)}', '2099-01-01Z')`,
        "ownership_transfer.offered",
        null,
        { toUserId: "admin", expiresAt: "2099-01-01T00:00:00.000Z", fromUserId: "owner" },
      ],
      [
        `update ownership_transfers set to_user_id = '${id(102)}', expires_at = '2099-01-02Z' where ${it}`,
        "ownership_transfer.updated",
        { toUserId: "admin", expiresAt: "2099-01-01T00:00:00.000Z" },
        { toUserId: "member", expiresAt: "2099-01-02T00:00:00.000Z" },
      ],
      [
        `delete from ownership_transfers where ${it}`,
        "ownership_transfer.ended",
        { toUserId: "member", expiresAt: "2099-01-02T00:00:00.000Z", fromUserId: "owner" },
        null,
      ],
    ],
  ],
  [
    "organization_domains",
    "mine",
    "domain 9801",
    [
      [
        `insert into organization_domains (organization_id, id, domain, txt_record, enrollment_set_by) values ('${mine}', '${id(9801)}', 'made.test', 'planted proof of the domain', '${id(100)}')`,
        "domain.created",
        null,
        { roles: ["member"], domain: "made.test", enrollment: "none" },
      ],
      [
        `update organization_domains set verified_at = '2026-01-01Z' where ${it}`,
        "domain.verified",
        { verifiedAt: null },
        { verifiedAt: "2026-01-01T00:00:00.000Z" },
      ],
      [
        `update organization_domains set domain = 'changed.test', enrollment = 'suggest', roles = '{viewer}' where ${it}`,
        "domain.updated",
        { roles: ["member"], domain: "made.test", enrollment: "none" },
        { roles: ["viewer"], domain: "changed.test", enrollment: "suggest" },
      ],
      [
        `delete from organization_domains where ${it}`,
        "domain.deleted",
        { roles: ["viewer"], domain: "changed.test", enrollment: "suggest", verifiedAt: "2026-01-01T00:00:00.000Z" },
        null,
      ],
    ],
  ],
  [
    "sso_connections",
    "mine",
    "sso_connection 9801",
    [
      [
        `insert into sso_connections (organization_id, id, domain, txt_record, issuer, client_id, sealed_client_secret) values ('${mine}', '${id(9801)}', 'made.test', 'planted proof of the domain', 'https://made.test', 'made', 'planted')`,
        "sso_connection.created",
        null,
        { domain: "made.test", issuer: "https://made.test", clientId: "made", clientSecret: "[redacted]" },
      ],
      [
        `update sso_connections set domain_verified_at = '2026-01-01Z' where ${it}`,
        "sso_connection.verified",
        { domainVerifiedAt: null },
        { domainVerifiedAt: "2026-01-01T00:00:00.000Z" },
      ],
      [
        `update sso_connections set domain = 'changed.test', issuer = 'https://changed.test', client_id = 'changed', sealed_client_secret = 'planted too' where ${it}`,
        "sso_connection.updated",
        { domain: "made.test", issuer: "https://made.test", clientId: "made", clientSecret: "[redacted]" },
        { domain: "changed.test", issuer: "https://changed.test", clientId: "changed", clientSecret: "[redacted]" },
      ],
      [
        `delete from sso_connections where ${it}`,
        "sso_connection.deleted",
        {
          domain: "changed.test",
          issuer: "https://changed.test",
          clientId: "changed",
          clientSecret: "[redacted]",
          domainVerifiedAt: "2026-01-01T00:00:00.000Z",
        },
        null,
      ],
    ],
  ],
  [
    "webhook_endpoints",
    "mine",
    "webhook_endpoint 9801",
    [
      [
        `insert into webhook_endpoints (organization_id, id, url, description, event_types, sealed_secret) values ('${mine}', '${id(9801)}', 'https://made.test/', 'Made', '{team.created}', 'planted')`,
        "webhook_endpoint.created",
        null,
        { url: "[redacted]", secret: "[redacted]", eventTypes: ["team.created"], description: "Made" },
      ],
      [
        `update webhook_endpoints set url = 'https://changed.test/', description = 'Changed', event_types = '{}', sealed_secret = 'planted too' where ${it}`,
        "webhook_endpoint.updated",
        { url: "[redacted]", secret: "[redacted]", eventTypes: ["team.created"], description: "Made" },
        { url: "[redacted]", secret: "[redacted]", eventTypes: [], description: "Changed" },
      ],
      [
        `update webhook_endpoints set disabled_at = '2026-01-01Z', disabled_reason = 'gone' where ${it}`,
        "webhook_endpoint.updated",
        { disabledAt: null, disabledReason: null },
        { disabledAt: "2026-01-01T00:00:00.000Z", disabledReason: "gone" },
      ],
      [`update webhook_endpoints set failing_since = now() where ${it}`],
      [
        `update webhook_endpoints set disabled_at = null where ${it}`,
        "webhook_endpoint.updated",
        { disabledAt: "2026-01-01T00:00:00.000Z", disabledReason: "gone" },
        { disabledAt: null, disabledReason: null },
      ],
      [
        `delete from webhook_endpoints where ${it}`,
        "webhook_endpoint.deleted",
        { url: "[redacted]", secret: "[redacted]", eventTypes: [], description: "Changed" },
        null,
      ],
    ],
  ],
];

/** What the trail of an organization has of whatever opens it to others, or others to it. */
export const auditAccessCommitments: Commitment[] = changes.map(changesTold);
