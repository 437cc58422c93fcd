import { id, organizations } from "./people.ts";
import { asPerson, attempt, staysSame, text, type Commitment, type Scene } from "./scene.ts";

export const { mine, theirs, third } = organizations;
export const messageId = id(8003);
const messageKey = "\\x0d";
const deleteAccount = "select app.delete_account()";
const deleteWithNotice = `select app.delete_account('${messageId}', ${text(messageKey)})`;
const createOrganization = `select app.create_organization('${id(8002)}', 'New', '{free}')`;
const claimKey = "select app.claim_idempotency_key(null, 'k', '\\x01')";
const keepResponse = "select app.keep_response(null, 'k', '{}')";
const lists = [
  ...["my_memberships", "my_team_memberships", "my_api_keys", "my_one_time_tokens", "my_messages"].map(
    (name) => `app.${name}(9)`,
  ),
  "app.my_deleted_organizations(null, 9)",
].map((call) => `select * from ${call}`);

/** Rows of the person in every table that has something of people. */
const traces = (scene: Scene, name: string) => {
  const { id: userId } = scene.person(name);
  return scene.see(
    `select (select count(*)::int from users where id = '${userId}'), (select count(*)::int from sessions where user_id = '${userId}'),
            (select count(*)::int from memberships where user_id = '${userId}'), (select count(*)::int from one_time_tokens where user_id = '${userId}'),
            (select count(*)::int from outbox where user_id = '${userId}'), (select count(*)::int from idempotency_keys where scope = 'user:${userId}')`,
  );
};
/** Whether everything that is not this person's, nor in these organizations, stays as it is. */
const othersStaySame = (scene: Scene, name: string, gone: string[], work: () => Promise<unknown>) => {
  const { id: userId } = scene.person(name);
  return staysSame(
    scene,
    [
      ["users", `id <> '${userId}'`],
      ["sessions", `user_id <> '${userId}'`],
      ["organizations", `id <> all ('{${gone.join(",")}}')`],
      ["memberships", `user_id <> '${userId}'`],
      ["one_time_tokens", `user_id <> '${userId}'`],
      ["outbox", `user_id <> '${userId}'`],
      ["idempotency_keys", `scope <> 'user:${userId}'`],
      ["throttles"],
    ],
    work,
  );
};
/** Which of these rows somebody has locked by the work, also where it was taken back. */
async function lockedBy(scene: Scene, table: string, ids: string[], work: () => Promise<unknown>): Promise<boolean[]> {
  const look = async () => {
    const seen: string[] = [];
    for (const one of ids) seen.push(String(await scene.see(`select xmax::text from ${table} where id = '${one}'`)));
    return seen;
  };
  const before = await look();
  await work();
  const after = await look();
  return before.map((xmax, index) => xmax !== after[index]);
}
/** A call after the account was deleted by another transaction, which the admission came before. */
const askAsDeleted = (scene: Scene, statement: string) =>
  scene.ask(
    asPerson(scene, "spare"),
    "set local role none",
    `delete from users where id = '${scene.person("spare").id}'`,
    "set local role app_user",
    statement,
  );
const askWithForgedContext = (scene: Scene, statement: string) =>
  scene.ask(null, `select set_config('app.context', '${scene.person("spare").id}|||', true)`, statement);

/** Accounts that are deleted, and what is shown of them before. */
export const deletionCommitments: Commitment[] = [
  {
    title: "app.delete_account takes the person with all that is theirs, and leaves what they share",
    expected: [[[1, 2, 1, 1, 1, 1]], [true, true, true, true, true, true, true, true], [[0, 0, 0, 0, 0, 0]]],
    actual: async (scene) => [
      await traces(scene, "owner"),
      await othersStaySame(scene, "owner", [], () => scene.ask(asPerson(scene, "owner"), deleteAccount)),
      await traces(scene, "owner"),
    ],
  },
  {
    title: "app.delete_account takes along the organization in which the person is alone",
    expected: [[true, true, true, true, true, true, true, true], [[0, 0, 0, 0, 0, 0]], [[2]]],
    actual: async (scene) => [
      await othersStaySame(scene, "outsider", [third], () => scene.ask(asPerson(scene, "outsider"), deleteAccount)),
      await traces(scene, "outsider"),
      await scene.see("select count(*)::int from organizations"),
    ],
  },
  {
    title: "app.delete_account tells the person's address of it, by a mail that is nobody's",
    expected: [
      [true, null, "person-100@example.test", "account_deleted", '{"name" : "Name of person-100@example.test"}', 0],
    ],
    actual: async (scene) => {
      // Made anew, so that theirs is not the first of the rows.
      await scene.see(`update users set name = name where id = '${scene.person("owner").id}'`);
      await scene.ask(asPerson(scene, "owner"), deleteWithNotice);
      return scene.see(
        `select key_hash = sha256(${text(messageKey)}), user_id, recipient, template, data::text, attempts from outbox where id = '${messageId}'`,
      );
    },
  },
  {
    title: "app.delete_account refuses to leave members without an owner, names the organization and changes nothing",
    expected: [
      "APOWN",
      [{ id: theirs, name: "Organization theirs", slug: "slug-theirs" }],
      [true, true, true, true, true, true, true, true],
    ],
    actual: async (scene) => {
      await scene.see(
        `delete from memberships where user_id = '${scene.person("both").id}' and organization_id = '${theirs}';
         update membership_roles set role = 'admin' where user_id = '${scene.person("helper").id}'`,
      );
      let refusal: { code?: string; detail?: string } = {};
      const all = [
        "users",
        "sessions",
        "organizations",
        "memberships",
        "membership_roles",
        "one_time_tokens",
        "outbox",
        "idempotency_keys",
      ];
      const unchanged = (work: () => Promise<unknown>) =>
        staysSame(
          scene,
          all.map((table) => [table]),
          work,
        );
      const same = await unchanged(async () => {
        await scene.see("savepoint tried");
        await scene
          .ask(asPerson(scene, "founder"), deleteWithNotice)
          .catch((error: typeof refusal) => (refusal = error));
        await scene.see("rollback to tried");
      });
      return [refusal.code, JSON.parse(refusal.detail ?? "null"), same];
    },
  },
  {
    title: "app.delete_account lets those go who own nothing where nobody else does, or own with another",
    expected: ["done", "done", "done"],
    actual: async (scene) => {
      const outcomes = [await attempt(scene, () => scene.ask(asPerson(scene, "founder"), deleteAccount))];
      await scene.see(
        `delete from ownership_transfers;
         update membership_roles set role = 'admin' where organization_id = '${mine}' and role = 'owner'`,
      );
      // An owner elsewhere, and a viewer here.
      outcomes.push(await attempt(scene, () => scene.ask(asPerson(scene, "both"), deleteAccount)));
      outcomes.push(await attempt(scene, () => scene.ask(asPerson(scene, "member"), deleteAccount)));
      return outcomes;
    },
  },
  {
    title: "app.delete_account locks the person and their organizations, and no others",
    expected: [
      [true, false],
      [true, false, false],
    ],
    actual: async (scene) => {
      await scene.see(
        `delete from membership_roles where organization_id = '${mine}' and role = 'owner' and user_id <> '${scene.person("owner").id}'`,
      );
      const remove = () => attempt(scene, () => scene.ask(asPerson(scene, "owner"), deleteAccount));
      return [
        await lockedBy(scene, "users", [scene.person("owner").id, scene.person("admin").id], remove),
        await lockedBy(scene, "organizations", [mine, theirs, third], remove),
      ];
    },
  },
  {
    title: "nothing is begun for an account that was deleted meanwhile",
    expected: ["AP401", "AP401", "AP401"],
    actual: async (scene) => {
      const outcomes: unknown[] = [];
      for (const call of [deleteWithNotice, createOrganization, claimKey]) {
        outcomes.push(await attempt(scene, () => askAsDeleted(scene, call)));
      }
      return outcomes;
    },
  },
  {
    title: "a forged context deletes, shows and makes nothing",
    expected: Array(10).fill("AP499"),
    actual: async (scene) => {
      // Without a row of this key the context may go unasked: whether it is, depends on the plan.
      await scene.see("insert into idempotency_keys (scope, key, request_hash) values ('user:nobody', 'k', '\\x01')");
      const outcomes: unknown[] = [];
      for (const call of [deleteAccount, createOrganization, claimKey, keepResponse, ...lists]) {
        outcomes.push(await attempt(scene, () => askWithForgedContext(scene, call)));
      }
      return outcomes;
    },
  },
  {
    title: "app.reset_password locks the account before it takes the token, also one that is good no more",
    expected: ["APTOK", [true, false]],
    actual: async (scene) => {
      const [owner, admin] = [scene.person("owner"), scene.person("admin")];
      await scene.see(
        `update one_time_tokens set expires_at = now() - interval '1 second' where id = '${owner.messageId}'`,
      );
      const reset = `select app.reset_password(${text(owner.messageKey)}, 2, ${text(owner.salt)}, ${text(owner.hash)}, 'here')`;
      let code: unknown;
      const locked = await lockedBy(scene, "users", [owner.id, admin.id], async () => {
        code = await attempt(scene, () => scene.ask(null, reset));
      });
      return [code, locked];
    },
  },
];
