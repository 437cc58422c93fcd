import { mine, remove, theirs, third } from "./deleting.ts";
import { asPerson, attempt, codesOf, giveRole, letIn, staysSame, type Commitment } from "./scene.ts";
import { admission } from "./world.ts";

const deleteOrganization = "select app.delete_organization()";
const restore = (organizationId: string) =>
  `select id, name, slug, mfa_required, roles::text from app.restore_organization('${organizationId}')`;
const listDeleted = (after = "null", limit = 9) =>
  `select id, name, slug, deleted_at = now()::timestamptz(3), restorable_until - deleted_at = interval '30 days'
     from app.my_deleted_organizations(${after}, ${limit})`;
const deleted = "select id from organizations where deleted_at = now()::timestamptz(3) order by id";
/** Organizations that are deleted, and can be restored for 30 days. */
export const deletedOrganizationCommitments: Commitment[] = [
  {
    title:
      "app.delete_organization deletes the request's organization, for those with organization:delete, and no other",
    expected: [["AP403", "AP404", "AP400"], [[mine]], [true, true]],
    actual: async (scene) => {
      const refused: unknown[] = [];
      for (const by of [letIn(scene, "admin"), asPerson(scene, "outsider"), null]) {
        refused.push(await attempt(scene, () => scene.ask(by, deleteOrganization)));
      }
      const same = await staysSame(scene, [["organizations", `id <> '${mine}'`], ["memberships"]], () =>
        scene.ask(letIn(scene, "owner"), deleteOrganization),
      );
      return [refused, await scene.see(deleted), same];
    },
  },
  {
    title: "app_private.hold_organization finds none that was deleted after the admission",
    expected: ["AP404"],
    actual: async (scene) => [
      await attempt(scene, () =>
        scene.ask(
          letIn(scene, "owner"),
          "set local role none",
          `update organizations set deleted_at = now() where id = '${mine}'`,
          "set local role app_user",
          deleteOrganization,
        ),
      ),
    ],
  },
  {
    title: "app.admit lets nobody into one that is deleted, and into others as before",
    expected: ["AP404", "AP404", "done", "done"],
    actual: async (scene) => {
      await remove(scene, mine);
      const asked = [
        letIn(scene, "owner"),
        letIn(scene, "viewer"),
        admission(scene.person("both"), theirs, "organization:read"),
        asPerson(scene, "owner"),
      ];
      const found: unknown[] = [];
      for (const by of asked) found.push(await attempt(scene, () => scene.ask(by)));
      return found;
    },
  },
  {
    title: "app.my_permissions tells of none that is deleted, and of others as before",
    expected: ["AP404", "done"],
    actual: async (scene) => {
      await remove(scene, mine);
      return codesOf(
        scene,
        asPerson(scene, "both"),
        [mine, theirs].map((which) => `select app.my_permissions('${which}')`),
      );
    },
  },
  {
    title: "app.my_organizations leaves deleted ones out, of a page too",
    expected: [[[theirs]], [[mine]], [[third]]],
    actual: async (scene) => {
      const list = (limit: number) => `select id from app.my_organizations(null, ${limit})`;
      await remove(scene, mine);
      const first = await scene.ask(asPerson(scene, "both"), list(1));
      await scene.see("update organizations set deleted_at = null");
      await remove(scene, theirs);
      return [
        first,
        await scene.ask(asPerson(scene, "both"), list(9)),
        await scene.ask(asPerson(scene, "outsider"), list(9)),
      ];
    },
  },
  {
    title: "app.my_deleted_organizations lists those that the caller may delete, for 30 days, in pages",
    expected: [
      [[mine, "Organization mine", "slug-mine", true, true]],
      [[mine], [theirs]],
      [[mine]],
      [[theirs]],
      [[], [], []],
      [[], [[theirs]]],
    ],
    actual: async (scene) => {
      await remove(scene, mine);
      const found = [await scene.ask(asPerson(scene, "owner"), listDeleted())];
      await remove(scene, theirs);
      await giveRole(scene, "both", "owner");
      const both = asPerson(scene, "both");
      for (const [after, limit] of [
        ["null", 9],
        ["null", 1],
        [`'${mine}'`, 9],
      ] as const) {
        found.push((await scene.ask(both, listDeleted(after, limit))).map(([which]) => [which]));
      }
      const nothing: unknown[] = [];
      for (const who of ["admin", "outsider", "spare"])
        nothing.push(await scene.ask(asPerson(scene, who), listDeleted()));
      found.push(nothing as unknown[][]);
      await remove(scene, mine, "30 days 1 second");
      await remove(scene, theirs, "29 days 23 hours");
      const late = [
        await scene.ask(asPerson(scene, "owner"), listDeleted()),
        (await scene.ask(both, listDeleted())).map(([which]) => [which]),
      ];
      return [...found, late];
    },
  },
  {
    title:
      "app.restore_organization takes the deletion back, for those with organization:delete, for 30 days, and of no other",
    expected: [
      ["AP404", "AP404", "AP404", "AP400"],
      [[mine, "Organization mine", "slug-mine", false, "{owner}"]],
      [[true, null]],
      [true, true],
      ["done", "AP404"],
    ],
    actual: async (scene) => {
      await remove(scene, mine);
      await remove(scene, theirs);
      const refused: unknown[] = [];
      for (const by of [asPerson(scene, "admin"), asPerson(scene, "outsider"), asPerson(scene, "spare"), null]) {
        refused.push(await attempt(scene, () => scene.ask(by, restore(mine))));
      }
      let answer: unknown;
      const same = await staysSame(scene, [["organizations", `id <> '${mine}'`], ["memberships"]], async () => {
        answer = await scene.ask(asPerson(scene, "owner"), restore(mine));
      });
      const kept = await scene.see(
        `select updated_at = now()::timestamptz(3), deleted_at from organizations where id = '${mine}'`,
      );
      const late: unknown[] = [];
      for (const ago of ["29 days 23 hours", "30 days 1 second"]) {
        await remove(scene, mine, ago);
        late.push(await attempt(scene, () => scene.ask(asPerson(scene, "owner"), restore(mine))));
      }
      return [refused, answer, kept, same, late];
    },
  },
  {
    title: "app.restore_organization leaves one that is not deleted as it is",
    expected: [[[mine, "Organization mine", "slug-mine", false, "{owner}"]], [[false]]],
    actual: async (scene) => [
      await scene.ask(asPerson(scene, "owner"), restore(mine)),
      await scene.see(`select updated_at = now()::timestamptz(3) from organizations where id = '${mine}'`),
    ],
  },
  {
    title:
      "app.restore_organization asks for a second factor in the session of the request where the organization does",
    expected: ["APENR", "APENR", "done"],
    actual: async (scene) => {
      const owner = scene.person("owner");
      await scene.see(
        `set local session_replication_role = replica;
         update organizations set mfa_required = true, deleted_at = now() where id = '${mine}';
         set local session_replication_role = origin;
         update sessions set second_factor = 'given' where user_id <> '${owner.id}'`,
      );
      const found: unknown[] = [await attempt(scene, () => scene.ask(asPerson(scene, "owner"), restore(mine)))];
      await scene.see(
        `update sessions set second_factor = 'given' where user_id = '${owner.id}' and id <> '${owner.sessionId}'`,
      );
      found.push(await attempt(scene, () => scene.ask(asPerson(scene, "owner"), restore(mine))));
      await scene.see(
        `update sessions set second_factor = null where true; update sessions set second_factor = 'given' where id = '${owner.sessionId}'`,
      );
      return [...found, await attempt(scene, () => scene.ask(asPerson(scene, "owner"), restore(mine)))];
    },
  },
  {
    title: "app.restore_organization locks the organization of a member, and of nobody else",
    expected: [true, false, false],
    actual: async (scene) => {
      // None is deleted, so that nothing but the lock leaves its mark.
      const locker = async () => String(await scene.see("select array_agg(xmax::text order by id) from organizations"));
      const locked: boolean[] = [];
      for (const [who, which] of [
        ["owner", mine],
        ["outsider", mine],
        ["spare", theirs],
      ] as const) {
        const before = await locker();
        await attempt(scene, () => scene.ask(asPerson(scene, who), restore(which)));
        locked.push((await locker()) !== before);
      }
      return locked;
    },
  },
];
