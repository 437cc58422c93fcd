import { builtInRoles } from "../../../src/permissions.ts";
import { id, organizations } from "./people.ts";
import { attempt, letIn, sha256, type Commitment, type Scene } from "./scene.ts";
import { admission } from "./world.ts";

const { mine, theirs } = organizations;
const setting = (name: string) => `select current_setting('app.${name}')`;
const set = (name: string, value: string) => `select set_config('app.${name}', '${value}', true)`;
const whoAmI = "select app.user_id(), app.session_id(), app.org_id()";

/** Whatever asks for the context. */
const asking = [
  whoAmI,
  "select app.org_id('organization:read')",
  "select app.session_id()",
  "select app.user_id()",
  "select * from app.my_organizations(null, 10)",
  `select * from app.create_organization('${id(8000)}', 'New', '{new}')`,
  "select app.claim_idempotency_key(null, 'k', '\\x01')",
  ...["users", "sessions", "organizations", "memberships", "membership_roles"].map(
    (table) => `select count(*) from ${table}`,
  ),
];

const refusals: [string, (scene: Scene) => string, string][] = [
  ["an unknown handle", (s) => admission({ ...s.person("owner"), handle: "\\x00" }), "AP401"],
  [
    "what the database keeps of a handle",
    (s) => admission({ ...s.person("owner"), handle: `\\x${sha256(bytes(s.person("owner").handle)).toString("hex")}` }),
    "AP401",
  ],
  ["a revoked session", (s) => admission(s.person("revoked")), "AP401"],
  ["an expired session", (s) => admission(s.person("expired")), "AP401"],
  ["a disabled person", (s) => admission(s.person("disabled")), "AP401"],
  ["an organization that one is not a member of", (s) => admission(s.person("owner"), theirs, "members:read"), "AP404"],
  ["an organization that does not exist", (s) => admission(s.person("owner"), id(99), "members:read"), "AP404"],
  ["a permission beyond the role", (s) => admission(s.person("viewer"), mine, "organization:delete"), "AP403"],
  ["no permission for an organization", (s) => admission(s.person("owner"), mine, null), "AP403"],
  ["every permission to a member without any", (s) => admission(s.person("bare"), mine, "organization:read"), "AP403"],
  ["an unverified address where a verified one is asked for", (s) => demand(s, "true, false"), "APVER"],
];

/** The owner, with what is asked of the session. */
function demand(scene: Scene, demands: string): string {
  return `select app.admit('${scene.person("owner").handle}', null, null, ${demands})`;
}

function bytes(bytea: string): Buffer {
  return Buffer.from(bytea.slice(2), "hex");
}

/** The people, the organization and the permissions that a transaction acts with. */
export const contextCommitments: Commitment[] = [
  {
    title: "on a new connection there is no context",
    expected: "AP400",
    actual: (scene) => scene.askFirst(whoAmI),
  },
  ...refusals.map(([what, statement, expected]): Commitment => ({
    title: `app.admit refuses ${what}`,
    expected,
    actual: (scene) => scene.ask(null, statement(scene)),
  })),
  ...builtInRoles.map((role): Commitment => ({
    title: `app.admit seals the person, the session, the organization and the permissions of a role: ${role}`,
    expected: true,
    actual: async (scene) => {
      const { id: userId, sessionId } = scene.person(role);
      const permissions = await scene.see(
        `select string_agg(p, ',' order by p) from unnest(app_private.role_permissions('${role}')) p`,
      );
      const sealed = await scene.ask(letIn(scene, role), setting("context"));
      return String(sealed[0]?.[0]) === [userId, sessionId, mine, permissions, "", "", "", "", "", ""].join("|");
    },
  })),
  {
    title: "app.admit lets in whose address is verified, and whose password was given within 10 minutes",
    expected: ["done", "APFRS", "AP401", "AP401"],
    actual: async (scene) => {
      const { id: userId, sessionId } = scene.person("owner");
      const found = [];
      for (const change of [
        "authenticated_at = now() - interval '599 seconds'",
        "authenticated_at = now() - interval '601 seconds'",
      ]) {
        await scene.see(`update users set email_verified_at = now() where id = '${userId}'`);
        await scene.see(`update sessions set ${change} where id = '${sessionId}'`);
        found.push(await attempt(scene, () => scene.ask(null, demand(scene, "true, true"))));
      }
      for (const column of ["idle_expires_at", "expires_at"]) {
        await scene.see(
          `update sessions set idle_expires_at = now() + interval '1 day', expires_at = now() + interval '1 day' where id = '${sessionId}'`,
        );
        await scene.see(`update sessions set ${column} = now() - interval '1 second' where id = '${sessionId}'`);
        found.push(await attempt(scene, () => scene.ask(null, demand(scene, "false, false"))));
      }
      return found;
    },
  },
  {
    title: "a person outside of any organization has none, and no permission",
    expected: [[id(100), null, null]],
    actual: (scene) =>
      scene.ask(
        admission(scene.person("owner")),
        "select app.user_id(), app.org_id(), app.org_id('organization:read')",
      ),
  },
  {
    title: "app.user_id, app.session_id and app.org_id tell what was sealed",
    expected: [[id(100), id(1100), mine]],
    actual: (scene) => scene.ask(letIn(scene, "owner"), whoAmI),
  },
  {
    title: "app.org_id is null for a permission that is not held",
    expected: [[mine, mine, null, null]],
    actual: (scene) =>
      scene.ask(
        letIn(scene, "viewer"),
        "select app.org_id(), app.org_id('organization:read'), app.org_id('members:read'), app.org_id('organization')",
      ),
  },
  {
    title: "the seal is the HMAC of the context, the backend and the transaction, under two keys",
    expected: true,
    actual: async (scene) => {
      const [sealed] = await scene.ask(letIn(scene, "owner"), `${setting("context")}, current_setting('app.seal')`);
      const [known] = await scene.see(
        "select inner_key, outer_key, pg_backend_pid()::text, extract(epoch from now())::text from app_private.seal_key",
      );
      const [inner, outer, pid, time] = known as [Buffer, Buffer, string, string];
      const message = `${String(sealed?.[0])}|${pid}|${time}`;
      return sealed?.[1] === sha256(outer, sha256(inner, message)).toString("hex");
    },
  },
  ...asking.flatMap((statement): Commitment[] => [
    {
      title: `without a context there is an error: ${statement}`,
      expected: "AP400",
      actual: (scene) => scene.ask(null, statement),
    },
    {
      title: `a context without its seal is refused: ${statement}`,
      expected: "AP499",
      actual: (scene) =>
        scene.ask(
          letIn(scene, "owner"),
          set("context", `${id(117)}|${id(1117)}|${theirs}|organization:read`),
          statement,
        ),
    },
    {
      title: `a context with no seal at all is refused: ${statement}`,
      expected: "AP499",
      actual: (scene) =>
        scene.ask(null, set("context", `${id(117)}|${id(1117)}|${theirs}|organization:read`), statement),
    },
  ]),
  {
    title: "a permission cannot be written into the context",
    expected: "AP499",
    actual: async (scene) => {
      const more = "select set_config('app.context', current_setting('app.context') || ',organization:delete', true)";
      return scene.ask(letIn(scene, "viewer"), more, "select app.org_id('organization:delete')");
    },
  },
  {
    title: "each person keeps to the permissions of their own role",
    expected: [
      [
        "admin",
        "api-keys:read,api-keys:write,audit-events:read,billing:read,domains:read,invitations:read,invitations:write,members:read,members:write,organization:read,organization:update,roles:write,sso:read,teams:write,usage:read,usage:write,webhooks:read,webhooks:write",
      ],
      ["member", "members:read,organization:read"],
      [
        "owner",
        "api-keys:read,api-keys:write,audit-events:read,billing:read,billing:write,domains:read,domains:write,invitations:read,invitations:write,members:read,members:write,organization:delete,organization:export,organization:own,organization:read,organization:update,roles:write,sso:read,sso:write,teams:write,usage:read,usage:write,webhooks:read,webhooks:write",
      ],
      ["viewer", "organization:read"],
    ],
    actual: (scene) =>
      scene.see(
        `select role, (select string_agg(p, ',' order by p) from unnest(app_private.role_permissions(role)) p)
           from unnest(array['${builtInRoles.join("','")}']) role order by 1`,
      ),
  },
];
