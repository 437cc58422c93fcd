import { id } from "./people.ts";
import { changesTold, type Changes } from "./telling.ts";
import type { Commitment } from "./scene.ts";

const viewer = id(103);

/** Of each audited table of an account: whose, of what, and what each of these changes is told as. */
const changes: Changes[] = [
  [
    "users",
    "9801",
    "user 9801",
    [
      [
        `insert into users (id, email, name) values ('${id(9801)}', 'made@example.test', 'Made')`,
        "user.created",
        null,
        { name: "[redacted]", email: "[redacted]" },
      ],
      [
        `update users set name = 'Changed' where id = '${id(9801)}'`,
        "user.updated",
        { name: "[redacted]" },
        { name: "[redacted]" },
      ],
      [
        `update users set email = 'changed@example.test' where id = '${id(9801)}'`,
        "user.email_changed",
        { email: "[redacted]" },
        { email: "[redacted]" },
      ],
      [`update users set email_verified_at = now() where id = '${id(9801)}'`, "user.email_verified", null, null],
      [`update users set suspended_at = now() where id = '${id(9801)}'`, "user.suspended", null, null],
      [`update users set suspended_at = null where id = '${id(9801)}'`, "user.unsuspended", null, null],
      [
        `update users set password_scheme = 1, password_salt = '$2b$04$......................', password_verifier = sha256('x') where id = '${id(9801)}'`,
      ],
      [`delete from users where id = '${id(9801)}'`, "user.deleted", { name: "[redacted]", email: "[redacted]" }, null],
    ],
  ],
  [
    "sessions",
    "viewer",
    "session 9802",
    [
      [
        `insert into sessions (id, user_id, handle_hash, second_factor, idle_expires_at, expires_at) values ('${id(9802)}', '${viewer}', sha256('planted'), 'pending', now(), now())`,
      ],
      [
        `update sessions set second_factor = 'given', handle_hash = sha256('planted too') where id = '${id(9802)}'`,
        "session.completed",
        { secondFactor: "pending" },
        { secondFactor: "given" },
      ],
      [
        `update sessions set refresh_generation = refresh_generation + 1 where id = '${id(9802)}'`,
        "session.refreshed",
        null,
        null,
      ],
      [
        `update sessions set authenticated_at = now() - interval '1 hour' where id = '${id(9802)}'`,
        "session.reauthenticated",
        null,
        null,
      ],
      [`update sessions set idle_expires_at = now() + interval '1 hour' where id = '${id(9802)}'`],
      [`update sessions set revoked_at = now() where id = '${id(9802)}'`, "session.revoked", null, null],
      [`delete from sessions where id = '${id(9802)}'`],
    ],
  ],
  [
    "one_time_tokens",
    "viewer",
    "user viewer",
    [
      [
        `insert into one_time_tokens (id, user_id, purpose, key_hash, expires_at) values ('${id(9803)}', '${viewer}', 'reset_password', sha256('planted'), now())`,
        "password_reset.requested",
        null,
        null,
      ],
      [`update one_time_tokens set expires_at = created_at where id = '${id(9803)}'`],
      [`delete from one_time_tokens where id = '${id(9803)}'`],
    ],
  ],
  [
    "totp_factors",
    "viewer",
    "totp 9804",
    [
      [
        `set local session_replication_role = replica; delete from totp_factors where user_id = '${viewer}'; set local session_replication_role = origin`,
      ],
      [
        `insert into totp_factors (id, user_id, sealed_seed, key_hash) values ('${id(9804)}', '${viewer}', 'planted', sha256('planted'))`,
        "totp.enrolled",
        null,
        null,
      ],
      [`update totp_factors set activated_at = now() where id = '${id(9804)}'`, "totp.activated", null, null],
      [`delete from totp_factors where id = '${id(9804)}'`, "totp.removed", null, null],
    ],
  ],
  [
    "passkeys",
    "viewer",
    "passkey 9805",
    [
      [
        `insert into passkeys (id, user_id, name, credential_id, public_key, sign_count, transports, backed_up) values ('${id(9805)}', '${viewer}', 'Made', 'made', 'made', 0, '', false)`,
        "passkey.added",
        null,
        { name: "[redacted]" },
      ],
      [
        `update passkeys set name = 'Changed' where id = '${id(9805)}'`,
        "passkey.updated",
        { name: "[redacted]" },
        { name: "[redacted]" },
      ],
      [`update passkeys set sign_count = 1, last_used_at = now() where id = '${id(9805)}'`],
      [`delete from passkeys where id = '${id(9805)}'`, "passkey.removed", { name: "[redacted]" }, null],
    ],
  ],
  [
    "identities",
    "viewer",
    "identity 9806",
    [
      [
        `insert into identities (id, user_id, provider, subject, email) values ('${id(9806)}', '${viewer}', 'google', 'made', 'made@example.test')`,
        "identity.linked",
        null,
        { provider: "google" },
      ],
      [`update identities set email = 'changed@example.test', last_used_at = now() where id = '${id(9806)}'`],
      [
        `update identities set provider = 'github' where id = '${id(9806)}'`,
        "identity.updated",
        { provider: "google" },
        { provider: "github" },
      ],
      [`delete from identities where id = '${id(9806)}'`, "identity.unlinked", { provider: "github" }, null],
    ],
  ],
];

/** What the trail of an account has of each of its tables: that a name or an address was changed, and neither. */
export const auditAccountCommitments: Commitment[] = changes.map(changesTold);
