import { setSecondFactor } from "./commitments-second-factors.ts";
import { admitKey, giveKey } from "./keys.ts";
import { id, organizations } from "./people.ts";
import { attempt, letIn, type Commitment, type Scene } from "./scene.ts";
import { giveTeam, put, team } from "./teaming.ts";
import { told } from "./telling.ts";

const { mine } = organizations;

const named = { name: "Named" };
const connection = { domain: "made.test", issuer: "https://made.test", clientId: "made", clientSecret: "[redacted]" };
const redacted = { name: "[redacted]" };

type Statement = [
  permission: string,
  statement: string,
  whose: string,
  action: string,
  subject: string,
  before: unknown,
  after: unknown,
];

/** What the Worker changes by statements of its own, and what each is told as. */
const direct: Statement[] = [
  [
    "organization:update",
    "update organizations set name = 'Named', mfa_required = true",
    "mine",
    "organization.updated",
    "organization mine",
    { name: "Organization mine", mfaRequired: false },
    { ...named, mfaRequired: true },
  ],
  [
    "teams:write",
    `update teams set name = 'Named' where id = '${team}'`,
    "mine",
    "team.updated",
    "team 9801",
    { name: "Team 9801 of mine" },
    named,
  ],
  [
    "teams:write",
    `delete from teams where id = '${team}'`,
    "mine",
    "team.deleted",
    "team 9801",
    { name: "Team 9801 of mine" },
    null,
  ],
  [
    "domains:write",
    `delete from organization_domains where id = '${id(9803)}'`,
    "mine",
    "domain.deleted",
    "domain 9803",
    { roles: ["member"], domain: "made.test", enrollment: "none" },
    null,
  ],
  [
    "sso:write",
    `insert into sso_connections (organization_id, id, domain, txt_record, issuer, client_id, sealed_client_secret)
      values ('${mine}', '${id(9806)}', 'more.test', 'proof of another domain', 'https://made.test', 'made', 'planted')`,
    "mine",
    "sso_connection.created",
    "sso_connection 9806",
    null,
    { ...connection, domain: "more.test" },
  ],
  [
    "sso:write",
    `update sso_connections set sealed_client_secret = 'planted too' where id = '${id(9802)}'`,
    "mine",
    "sso_connection.updated",
    "sso_connection 9802",
    { clientSecret: "[redacted]" },
    { clientSecret: "[redacted]" },
  ],
  [
    "sso:write",
    `delete from sso_connections where id = '${id(9802)}'`,
    "mine",
    "sso_connection.deleted",
    "sso_connection 9802",
    connection,
    null,
  ],
  [
    "webhooks:write",
    `update webhook_endpoints set url = 'https://more.test/' where id = '${id(9804)}'`,
    "mine",
    "webhook_endpoint.updated",
    "webhook_endpoint 9804",
    { url: "[redacted]" },
    { url: "[redacted]" },
  ],
  [
    "webhooks:write",
    `delete from webhook_endpoints where id = '${id(9804)}'`,
    "mine",
    "webhook_endpoint.deleted",
    "webhook_endpoint 9804",
    { url: "[redacted]", secret: "[redacted]", eventTypes: [], description: "Made" },
    null,
  ],
  ["organization:read", "update users set name = 'Named'", "owner", "user.updated", "user owner", redacted, redacted],
  [
    "organization:read",
    `update sessions set revoked_at = now() where id = '${id(1100)}'`,
    "owner",
    "session.revoked",
    "session session of owner",
    null,
    null,
  ],
  [
    "organization:read",
    `update passkeys set name = 'Named' where id = '${id(9805)}'`,
    "owner",
    "passkey.updated",
    "passkey 9805",
    redacted,
    redacted,
  ],
];

/** A row of each of those tables, of which nothing is told. */
async function prepare(scene: Scene): Promise<void> {
  await scene.see("set local session_replication_role = replica");
  await setSecondFactor(scene, scene.person("owner"), "given");
  await scene.see(
    `insert into teams (organization_id, id, name) values ('${mine}', '${team}', 'Team 9801 of mine');
     insert into team_memberships (organization_id, team_id, user_id, role) values ('${mine}', '${team}', '${id(100)}', 'lead');
     insert into organization_domains (organization_id, id, domain, txt_record) values ('${mine}', '${id(9803)}', 'made.test', 'proof of another domain');
     insert into sso_connections (organization_id, id, domain, txt_record, issuer, client_id, sealed_client_secret)
       values ('${mine}', '${id(9802)}', 'made.test', 'proof of another domain', 'https://made.test', 'made', 'planted');
     insert into webhook_endpoints (organization_id, id, url, description, event_types, sealed_secret)
       values ('${mine}', '${id(9804)}', 'https://made.test/', 'Made', '{}', 'planted');
     insert into passkeys (id, user_id, name, credential_id, public_key, sign_count, transports, backed_up)
       values ('${id(9805)}', '${id(100)}', 'Made', 'made', 'made', 0, '', false);
     set local session_replication_role = origin`,
  );
}

/** Statements of the Worker's role, which a hostile one could be in place of. */
export const auditStatementCommitments: Commitment[] = [
  {
    title: "what the Worker changes by its own statements is told as the doing of whoever is let in",
    expected: direct.map(([, , whose, action, ...rest]) => [whose, action, "user owner", ...rest]),
    actual: async (scene) => {
      await prepare(scene);
      const found: unknown[] = [];
      for (const [permission, statement] of direct) {
        await scene.see("savepoint changing");
        found.push(...(await told(scene, () => scene.ask(letIn(scene, "owner", permission), statement))));
        await scene.see("rollback to changing");
      }
      return found;
    },
  },
  {
    title: "no statement changes anything that clears the context beside it, or its seal, or lets nobody in",
    expected: direct.map(() => ["AP400", "AP499", "AP400"]),
    actual: async (scene) => {
      await prepare(scene);
      const found: unknown[] = [];
      for (const [permission, statement] of direct) {
        const codes: unknown[] = [];
        for (const clear of [
          "set_config('app.context', '', true)",
          "set_config('app.seal', '', true)",
          "app.admit_nobody('forged', '192.0.2.1')",
        ])
          codes.push(
            await attempt(scene, () => scene.ask(letIn(scene, "owner", permission), `${statement} returning ${clear}`)),
          );
        found.push(codes);
      }
      return found;
    },
  },
  {
    title: "what a function changes is told as the doing of whoever calls it: a person, or a key",
    expected: [
      [["mine", "team_member.added", "user owner", "team_member viewer", null, { role: "member", teamId: "9801" }]],
      [["mine", "team_member.added", "api_key 9701", "team_member viewer", null, { role: "member", teamId: "9801" }]],
    ],
    actual: async (scene) => {
      await giveTeam(scene);
      await giveKey(scene, { of: null, scopes: "{members:read,organization:read,teams:write}" });
      const found: unknown[] = [];
      for (const admission of [letIn(scene, "owner", "teams:write"), admitKey("teams:write")]) {
        await scene.see("savepoint added");
        found.push(await told(scene, () => scene.ask(admission, put(id(103)))));
        await scene.see("rollback to added");
      }
      return found;
    },
  },
];
