import { id, organizations } from "./people.ts";
import { asPerson, letIn, type Commitment, type Scene } from "./scene.ts";
import { told, toldOf } from "./telling.ts";

const { mine, theirs, third } = organizations;

/** Two teams of the same id in two organizations, with who is in both; a key of theirs; and nothing told of it. */
const give = (scene: Scene) =>
  scene.see(
    `set local session_replication_role = replica;
     insert into teams (organization_id, id, name) values ('${mine}', '${id(9801)}', 'Made'), ('${theirs}', '${id(9801)}', 'Of the same id');
     insert into team_memberships (organization_id, team_id, user_id, role)
       select organization_id, '${id(9801)}', user_id, 'member' from memberships
        where organization_id in ('${mine}', '${theirs}') and user_id in ('${scene.person("both").id}', '${id(103)}', '${scene.person("helper").id}');
     insert into api_keys (organization_id, id, user_id, created_by, name, scopes, hint, key_hash, lifetime_days, expires_at)
       values ('${mine}', '${id(9802)}', '${scene.person("both").id}', null, 'Made', '{organization:read}', 'made', sha256('made'), 30, '2099-01-01Z');
     set local session_replication_role = origin`,
  );

/** As if it had been deleted so long ago, and nothing told of it. */
const age = (scene: Scene, organizationId: string, ago: string) =>
  scene.see(
    `set local session_replication_role = replica;
     update organizations set deleted_at = now() - interval '${ago}' where id = '${organizationId}';
     set local session_replication_role = origin`,
  );

const removed = (whose: string, actor: string, who: string) => [
  whose,
  "member.removed",
  actor,
  `member ${who}`,
  { joinedBy: "sso" },
  null,
];
const revoked = (actor: string) => [
  "mine",
  "api_key.revoked",
  actor,
  "api_key 9802",
  { hint: "made", name: "Made", scopes: ["organization:read"], userId: "both", expiresAt: "2099-01-01T00:00:00.000Z" },
  null,
];
const purged = [
  "third",
  "organization.purged",
  "system",
  "organization third",
  { name: "Organization third", slug: "slug-third", mfaRequired: false },
  null,
];

/** What went along with something is told of by that alone. */
export const auditCascadeCommitments: Commitment[] = [
  {
    title:
      "a member who is removed takes their roles and their place in teams along untold, and their keys are revoked",
    expected: [
      [removed("mine", "user owner", "both"), revoked("user owner")],
      [removed("mine", "system", "both"), removed("theirs", "system", "both"), revoked("system")],
      [
        removed("mine", "user both", "both"),
        removed("theirs", "user both", "both"),
        revoked("user both"),
        ["both", "user.deleted", "user both", "user both", { name: "[redacted]", email: "[redacted]" }, null],
      ],
    ],
    actual: async (scene) => {
      await give(scene);
      // An organization is left with an owner.
      await scene.see(
        `insert into membership_roles (organization_id, user_id, role) values ('${theirs}', '${scene.person("helper").id}', 'owner')`,
      );
      const { id: both } = scene.person("both");
      const found: unknown[] = [];
      for (const work of [
        () => scene.ask(letIn(scene, "owner", "members:write"), `select app.remove_member('${both}')`),
        () => scene.see(`set local app.context = ''; delete from memberships where user_id = '${both}'`),
        () => scene.ask(asPerson(scene, "both"), "select app.delete_account()"),
      ]) {
        await scene.see("savepoint removed");
        found.push(await told(scene, work));
        await scene.see("rollback to removed");
      }
      return found;
    },
  },
  {
    title: "somebody is taken out of a team, and gone with it untold; another of the same id, elsewhere, is not meant",
    expected: [
      [["mine", "team_member.removed", "system", "team_member viewer", { role: "member", teamId: "9801" }, null]],
      [["mine", "team.deleted", "system", "team 9801", { name: "Made" }, null]],
      [["theirs", "team_member.removed", "system", "team_member both", { role: "member", teamId: "9801" }, null]],
      [["theirs", "member.role_revoked", "system", "member both", { role: "owner" }, null]],
    ],
    actual: async (scene) => {
      await give(scene);
      const found: unknown[] = [];
      for (const statement of [
        `delete from team_memberships where team_id = '${id(9801)}' and user_id = '${id(103)}'`,
        `delete from teams where organization_id = '${mine}' and id = '${id(9801)}'`,
        `delete from team_memberships where team_id = '${id(9801)}' and user_id = '${scene.person("both").id}'`,
        `delete from membership_roles where organization_id = '${theirs}' and user_id = '${scene.person("both").id}'`,
      ])
        found.push(await toldOf(scene, statement));
      return found;
    },
  },
  {
    title: "what an account has is taken away, and gone with it, or with the provider, untold",
    expected: [
      [
        ["viewer", "identity.unlinked", "system", "identity 9803", { provider: "github" }, null],
        ["spare", "identity.unlinked", "system", "identity 9804", { provider: "github" }, null],
      ],
      [["viewer", "identity.unlinked", "system", "identity 9806", { provider: "sso" }, null]],
      [
        [
          "mine",
          "sso_connection.deleted",
          "system",
          "sso_connection 9805",
          { domain: "made.test", issuer: "https://made.test", clientId: "made", clientSecret: "[redacted]" },
          null,
        ],
      ],
      [["spare", "user.deleted", "system", "user spare", { name: "[redacted]", email: "[redacted]" }, null]],
    ],
    actual: async (scene) => {
      const { id: spare } = scene.person("spare");
      await scene.see(
        `insert into identities (id, user_id, provider, subject) values ('${id(9803)}', '${id(103)}', 'github', 'x'), ('${id(9804)}', '${spare}', 'github', 'y');
         insert into sso_connections (organization_id, id, domain, txt_record, issuer, client_id, sealed_client_secret)
         values ('${mine}', '${id(9805)}', 'made.test', 'planted proof of the domain', 'https://made.test', 'made', 'planted');
         insert into identities (id, user_id, provider, connection_id, subject)
         values ('${id(9806)}', '${id(103)}', 'sso', '${id(9805)}', 'x'), ('${id(9807)}', '${id(102)}', 'sso', '${id(9805)}', 'y')`,
      );
      return [
        await toldOf(scene, "delete from identities where provider = 'github'"),
        await toldOf(scene, `delete from identities where id = '${id(9806)}'`),
        await toldOf(scene, `delete from sso_connections where id = '${id(9805)}'`),
        await toldOf(scene, `delete from users where id = '${spare}'`),
      ];
    },
  },
  {
    title: "an organization that is purged, by whomever, takes all else along untold",
    expected: [[purged], [purged]],
    actual: async (scene) => {
      await scene.see("savepoint there");
      const byOwner = await toldOf(scene, `delete from organizations where id = '${third}'`);
      await scene.see("rollback to there");
      await age(scene, third, "31 days");
      return [byOwner, await told(scene, () => scene.ask(null, "select app.purge_expired()"))];
    },
  },
  {
    title: "while an organization can be restored, what is taken from it is told; from then on only what is added",
    expected: [
      [
        ["third", "team.created", "system", "team 9805", null, { name: "Added" }],
        ["theirs", "team.created", "system", "team 9805", null, { name: "Added" }],
      ],
      [["theirs", "team.deleted", "system", "team 9805", { name: "Added" }, null]],
    ],
    actual: async (scene) => {
      await age(scene, third, "31 days");
      await age(scene, theirs, "29 days");
      return [
        await toldOf(
          scene,
          `insert into teams (organization_id, id, name) values ('${third}', '${id(9805)}', 'Added'), ('${theirs}', '${id(9805)}', 'Added')`,
        ),
        await toldOf(scene, `delete from teams where id = '${id(9805)}'`),
      ];
    },
  },
  {
    title: "what has expired is not told of, and neither is what changes nothing, or no row",
    expected: [["5"], [], [], []],
    actual: async (scene) => {
      await scene.see(
        `set local session_replication_role = replica;
         update invitations set created_at = now() - interval '200 days', expires_at = now() - interval '190 days', status = 'revoked', ended_at = now() - interval '190 days'
          where organization_id = '${mine}';
         update share_links set created_at = now() - interval '200 days', expires_at = now() - interval '190 days' where organization_id = '${mine}';
         update ownership_transfers set created_at = now() - interval '200 days', expires_at = now() - interval '190 days' where organization_id = '${mine}';
         update api_keys set expires_at = now() - interval '190 days' where organization_id = '${mine}' and name = 'Key of mine';
         update one_time_tokens set expires_at = now() - interval '190 days' where user_id = '${id(100)}';
         set local session_replication_role = origin`,
      );
      let count: unknown;
      await scene.see("savepoint expired");
      const cleaned = await told(scene, async () => {
        [count] = await scene.ask(null, "select app.purge_expired()");
      });
      await scene.see("rollback to expired");
      // By whoever signs in as the Worker's role, and need not take it.
      const cleanedToo = await toldOf(
        scene,
        "set local session authorization app_user; select app.purge_expired(); set local session authorization default",
      );
      const nothing = await toldOf(
        scene,
        `update teams set name = name`,
        `delete from teams where name = 'Unknown'`,
        `delete from identities where provider = 'apple'`,
        `insert into teams (organization_id, id, name) select '${mine}', '${id(9801)}', 'None' where false`,
      );
      return [count, cleaned, cleanedToo, nothing];
    },
  },
];
