import { messageId, mine, theirs } from "./commitments-deletions.ts";
import { asPerson, type Commitment } from "./scene.ts";

/** What an export of the account shows of lists that have no end. */
export const exportCommitments: Commitment[] = [
  {
    title: "app.my_memberships shows the person's own, the newest organization first, as many as asked",
    expected: [
      [
        [theirs, "Organization theirs", "slug-theirs", ["admin", "owner"], "sso", true],
        [mine, "Organization mine", "slug-mine", ["viewer"], "sso", true],
      ],
      [[theirs]],
      [],
    ],
    actual: async (scene) => {
      await scene.see(
        `insert into membership_roles (organization_id, user_id, role) values ('${theirs}', '${scene.person("both").id}', 'admin')`,
      );
      // Looked at past the fence before, and compared as the person.
      const [times = []] = await scene.see(
        `select max(created_at) filter (where organization_id = '${theirs}')::text, max(created_at) filter (where organization_id = '${mine}')::text
           from memberships where user_id = '${scene.person("both").id}'`,
      );
      const both = asPerson(scene, "both");
      return [
        await scene.ask(
          both,
          `select organization_id, name, slug, roles, joined_by, created_at = case when 'owner' = any (roles) then '${String(times[0])}' else '${String(times[1])}' end::timestamptz
             from app.my_memberships(9)`,
        ),
        await scene.ask(both, "select organization_id from app.my_memberships(1)"),
        await scene.ask(asPerson(scene, "spare"), "select * from app.my_memberships(9)"),
      ];
    },
  },
  {
    title: "app.my_one_time_tokens shows the person's own, the newest first, as many as asked",
    expected: [
      [
        ["verify_email", "new@example.test", true, true],
        ["reset_password", null, false, false],
      ],
      [["verify_email"]],
    ],
    actual: async (scene) => {
      await scene.see(
        `insert into one_time_tokens (id, user_id, purpose, email, key_hash, created_at, expires_at)
         values ('${messageId}', '${scene.person("owner").id}', 'verify_email', 'new@example.test', sha256('1'), now(), now() + interval '1 day')`,
      );
      const owner = asPerson(scene, "owner");
      return [
        await scene.ask(
          owner,
          `select purpose, email, created_at = now()::timestamptz(3), expires_at = (now() + interval '1 day')::timestamptz(3)
             from app.my_one_time_tokens(9)`,
        ),
        await scene.ask(owner, "select purpose from app.my_one_time_tokens(1)"),
      ];
    },
  },
  {
    title: "app.my_messages shows the person's own, the newest first, as many as asked",
    expected: [
      [
        ["email_changed", "new@example.test", '{"a":"b"}', 2, true],
        ["reset_password", "person-100@example.test", '{"name" : "Data of person-100@example.test"}', 0, false],
      ],
      [["email_changed"]],
    ],
    actual: async (scene) => {
      await scene.see(
        `insert into outbox (id, key_hash, user_id, recipient, template, data, attempts, created_at)
         values ('${messageId}', sha256('1'), '${scene.person("owner").id}', 'new@example.test', 'email_changed', '{"a":"b"}', 2, now())`,
      );
      const owner = asPerson(scene, "owner");
      return [
        await scene.ask(
          owner,
          "select template, recipient, data::text, attempts, created_at = now()::timestamptz(3) from app.my_messages(9)",
        ),
        await scene.ask(owner, "select template from app.my_messages(1)"),
      ];
    },
  },
];
