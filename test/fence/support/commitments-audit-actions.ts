import { id, organizations } from "./people.ts";
import { text, type Commitment } from "./scene.ts";

const { mine } = organizations;

type Row = Record<string, unknown>;
type Change = [subject: string, action: string | null, before: Row, after: Row];

const [then, now] = ["2026-01-01T00:00:00+00:00", "2026-01-02T00:00:00+00:00"];

const added: [subject: string, action: string][] = [
  ["member", "member.added"],
  ["team_member", "team_member.added"],
  ["passkey", "passkey.added"],
  ["member_role", "member.role_granted"],
  ["ownership_transfer", "ownership_transfer.offered"],
  ["identity", "identity.linked"],
  ["totp", "totp.enrolled"],
  ["webhook_endpoint", "webhook_endpoint.created"],
];

const deleted: [subject: string, action: string][] = [
  ["member", "member.removed"],
  ["team_member", "team_member.removed"],
  ["passkey", "passkey.removed"],
  ["totp", "totp.removed"],
  ["api_key", "api_key.revoked"],
  ["share_link", "share_link.revoked"],
  ["member_role", "member.role_revoked"],
  ["ownership_transfer", "ownership_transfer.ended"],
  ["identity", "identity.unlinked"],
  ["organization", "organization.purged"],
  ["team", "team.deleted"],
];

/** Each with what is not the same, though it looks like it: a change within, or of something else. */
const changed: Change[] = [
  ["session", "session.revoked", { revoked_at: null }, { revoked_at: now }],
  ["session", null, { revoked_at: then }, { revoked_at: now }],
  ["session", "session.completed", { second_factor: "pending" }, { second_factor: "given" }],
  ["session", null, { second_factor: null }, { second_factor: "given" }],
  ["session", null, { second_factor: "pending" }, { second_factor: null }],
  ["session", "session.refreshed", { refresh_generation: 1 }, { refresh_generation: 2 }],
  ["session", "session.reauthenticated", { authenticated_at: then }, { authenticated_at: now }],
  ["session", null, { idle_expires_at: then }, { idle_expires_at: now }],
  ["one_time_token", null, { purpose: "sign_in" }, { purpose: "sign_in" }],
  ["organization", "organization.deleted", { deleted_at: null }, { deleted_at: now }],
  ["organization", "organization.restored", { deleted_at: then }, { deleted_at: null }],
  ["organization", "organization.updated", { deleted_at: then }, { deleted_at: now }],
  ["team", "team.updated", { deleted_at: null }, { deleted_at: now }],
  ["invitation", "invitation.accepted", { status: "pending" }, { status: "accepted" }],
  ["invitation", "invitation.resent", { status: "pending", sent_at: then }, { status: "pending", sent_at: now }],
  ["invitation", "invitation.updated", { status: "pending", sent_at: then }, { status: "pending", sent_at: then }],
  ["share_link", "share_link.updated", { status: "pending", sent_at: then }, { status: "accepted", sent_at: now }],
  ["api_key", "api_key.rotated", { key_hash: "one" }, { key_hash: "two" }],
  ["api_key", "api_key.updated", { key_hash: "one" }, { key_hash: "one" }],
  ["share_link", "share_link.updated", { key_hash: "one" }, { key_hash: "two" }],
  ["domain", "domain.verified", { verified_at: null }, { verified_at: now }],
  ["domain", "domain.updated", { verified_at: then }, { verified_at: now }],
  ["domain", "domain.updated", { verified_at: null }, { verified_at: null }],
  ["passkey", "passkey.updated", { verified_at: null }, { verified_at: now }],
  ["sso_connection", "sso_connection.verified", { domain_verified_at: null }, { domain_verified_at: now }],
  ["sso_connection", "sso_connection.updated", { domain_verified_at: then }, { domain_verified_at: now }],
  ["sso_connection", "sso_connection.updated", { domain_verified_at: null }, { domain_verified_at: null }],
  ["passkey", "passkey.updated", { domain_verified_at: null }, { domain_verified_at: now }],
  ["user", "user.email_changed", { email: "one" }, { email: "two" }],
  ["invitation", "invitation.updated", { email: "one" }, { email: "two" }],
  ["user", "user.email_verified", { email_verified_at: null }, { email_verified_at: now }],
  ["user", "user.updated", { email: "one", email_verified_at: then }, { email: "one", email_verified_at: now }],
  ["user", "user.updated", { email_verified_at: null }, { email_verified_at: null }],
  ["team", "team.updated", { email_verified_at: null }, { email_verified_at: now }],
  ["user", "user.suspended", { suspended_at: null }, { suspended_at: now }],
  ["user", "user.unsuspended", { suspended_at: then }, { suspended_at: null }],
  ["webhook_endpoint", "webhook_endpoint.updated", { suspended_at: null }, { suspended_at: now }],
  ["totp", "totp.activated", { activated_at: null }, { activated_at: now }],
  ["totp", null, { activated_at: then, last_step: 1 }, { activated_at: then, last_step: 2 }],
  ["totp", null, { activated_at: null }, { activated_at: null }],
];

const action = (subject: string, operation: string, before: Row | null, after: Row | null) =>
  `app_private.audited_action('${subject}', '${operation}', ${jsonb(before)}, ${jsonb(after)})`;
const jsonb = (value: unknown) => `${text(value === null ? null : JSON.stringify(value))}::jsonb`;

/** What is told of a membership and the like of the owner, with and without a session. */
const eventOf = (subject: string, row: Row, hasSession: boolean, operation = "INSERT") =>
  `select e.* from app_private.event_of('${subject}', '{"name": "name"}', '${operation}',
     ${jsonb(operation === "INSERT" ? null : row)}, ${jsonb(operation === "DELETE" ? null : row)}, ${hasSession}) e`;

/** What is told of a row, whoever changed it. */
export const auditActionCommitments: Commitment[] = [
  {
    title: "app_private.audited_action has a name for what was added and deleted",
    expected: [added.map(([, name]) => name), deleted.map(([, name]) => name), [null, null]],
    actual: async (scene) => [
      (await scene.see(`select ${added.map(([subject]) => action(subject, "INSERT", null, {})).join(", ")}`))[0],
      (await scene.see(`select ${deleted.map(([subject]) => action(subject, "DELETE", {}, null)).join(", ")}`))[0],
      // It begins and ends in ways of its own.
      (
        await scene.see(
          `select ${action("session", "INSERT", null, { revoked_at: now })}, ${action("session", "DELETE", { revoked_at: null }, null)}`,
        )
      )[0],
    ],
  },
  {
    title: "app_private.audited_action tells of a one-time token what it was asked for",
    expected: [
      "password_reset.requested",
      "email_verification.requested",
      "email_change.requested",
      "email_sign_in.requested",
      null,
    ],
    actual: async (scene) =>
      (
        await scene.see(
          `select ${["reset_password", "verify_email", "change_email_new", "sign_in", "change_email_old"]
            .map((purpose) => action("one_time_token", "INSERT", null, { purpose }))
            .join(", ")}`,
        )
      )[0],
  },
  {
    title: "app_private.audited_action has a name for each change that is more than one of its columns",
    expected: changed.map(([, name]) => name),
    actual: async (scene) =>
      (
        await scene.see(
          `select ${changed.map(([subject, , before, after]) => action(subject, "UPDATE", before, after)).join(", ")}`,
        )
      )[0],
  },
  {
    title: "app_private.told names the columns as the API does, hides those with a '!', and leaves the others out",
    expected: [
      [
        { cAt: "2026-01-01T00:00:00.500Z", name: ["x"], secret: "[redacted]" },
        { b: null, name: ["x"] },
        { secret: "[redacted]" },
        null,
        { name: "[too long]" },
        { name: "x".repeat(8000) },
      ],
    ],
    actual: (scene) => {
      const columns = { a: "name", b: "b", c_at: "cAt", s: "!secret" };
      const row = { a: ["x"], b: null, c_at: "2026-01-01T01:00:00.5+01:00", s: "planted", d: "not told" };
      const told = (one: Row, other: Row | null) =>
        `app_private.told(${jsonb(one)}, ${jsonb(other)}, ${jsonb(columns)})`;
      return scene.see(
        `select ${[
          told(row, null),
          told(row, { ...row, a: ["y"], b: 0, d: "x" }),
          told(row, { ...row, s: "other" }),
          told(row, { ...row, d: "x" }),
          told({ a: "x".repeat(8001) }, null),
          told({ a: "x".repeat(8000) }, null),
        ].join(", ")}`,
      );
    },
  },
  {
    title: "app_private.event_of tells of whom and of what, and who did it where they came without a session",
    expected: [
      [[mine, id(100), "member.added", "member", id(100), null, { name: "x" }, id(100)]],
      [[mine, id(100), "member.role_granted", "member", id(100), null, { name: "x" }, id(100)]],
      [[mine, id(100), "team_member.added", "team_member", id(100), null, { name: "x" }, id(100)]],
      [[mine, id(100), "api_key.created", "api_key", id(9801), null, { name: "x" }, null]],
      [[null, id(100), "passkey.added", "passkey", id(9801), null, { name: "x" }, id(100)]],
      [[null, id(100), "password_reset.requested", "user", id(100), null, { name: "x" }, null]],
      [[mine, id(100), "member.added", "member", id(100), null, { name: "x" }, null]],
      [[null, id(100), "passkey.added", "passkey", id(9801), null, { name: "x" }, null]],
      [[mine, null, "organization.purged", "organization", mine, { name: "x" }, null, null]],
      [[null, id(100), "user.deleted", "user", id(100), { name: "x" }, null, null]],
    ],
    actual: async (scene) => {
      const row = { organization_id: mine, user_id: id(100), id: id(9801), name: "x" };
      const { organization_id: _, ...ofPerson } = { ...row, purpose: "reset_password" };
      const found: unknown[] = [];
      for (const statement of [
        eventOf("member", row, false),
        eventOf("member_role", row, false),
        eventOf("team_member", row, false),
        eventOf("api_key", row, false),
        eventOf("passkey", ofPerson, false),
        eventOf("one_time_token", ofPerson, false),
        eventOf("member", row, true),
        eventOf("passkey", ofPerson, true),
        eventOf("organization", { id: mine, name: "x" }, true, "DELETE"),
        eventOf("user", { id: id(100), name: "x" }, true, "DELETE"),
      ])
        found.push(await scene.see(statement));
      return found;
    },
  },
  {
    title: "app_private.first_event_id is the least that an event of that millisecond has",
    expected: [["019b76da-a801-7000-8000-000000000000", "00000000-0000-7000-8000-000000000000", true, true]],
    actual: (scene) =>
      scene.see(
        `select app_private.first_event_id('2026-01-01T00:00:00.001Z'), app_private.first_event_id('0001-01-01Z'),
                app_private.first_event_id(now() - interval '1 hour') < (select id from audit_events order by id desc limit 1),
                app_private.first_event_id(now() + interval '1 hour') > (select id from audit_events order by id desc limit 1)`,
      ),
  },
];
