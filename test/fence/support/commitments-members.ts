import { organizations } from "./people.ts";
import { codesOf, giveRole, letIn, staysSame, text, type Commitment, type Scene } from "./scene.ts";

const { mine, theirs } = organizations;
const setRoles = (scene: Scene, who: string, roles: string | null) =>
  `select app.set_member_roles('${scene.person(who).id}', ${text(roles)})`;
const remove = (scene: Scene, who: string) => `select app.remove_member('${scene.person(who).id}')`;
const leave = "select app.leave_organization()";

const write = (scene: Scene, name: string) => letIn(scene, name, "members:write");

/** Everybody's roles in an organization, but for those whom the world has for its tests alone. */
const rolesOf = (scene: Scene, who: string, organization = mine) =>
  scene.see(
    `select m.joined_by, (select string_agg(r.role, ',' order by r.role) from membership_roles r
                           where r.organization_id = m.organization_id and r.user_id = m.user_id)
       from memberships m where m.organization_id = '${organization}' and m.user_id = '${scene.person(who).id}'`,
  );

/** Takes the owner's role from all in the organization but this one. */
const leaveSoleOwner = (scene: Scene, name: string) =>
  scene.see(
    `delete from membership_roles where organization_id = '${mine}' and role = 'owner' and user_id <> '${scene.person(name).id}'`,
  );

/** What becomes of the roles and memberships of an organization. */
export const memberCommitments: Commitment[] = [
  {
    title: "app.admit joins the permissions of all roles of the member in this organization",
    expected: [
      [
        [
          "api-keys:read,api-keys:write,audit-events:read,billing:read,domains:read,invitations:read,invitations:write,members:read,members:write,organization:read,organization:update,roles:write,sso:read,teams:write,usage:read,usage:write,webhooks:read,webhooks:write",
        ],
      ],
      [["organization:read"]],
    ],
    actual: async (scene) => {
      const permissions = "select (string_to_array(current_setting('app.context'), '|'))[4]";
      await giveRole(scene, "viewer", "admin");
      return [
        await scene.ask(letIn(scene, "viewer"), permissions),
        // Who has another role in another organization.
        await scene.ask(letIn(scene, "both"), permissions),
      ];
    },
  },
  {
    title: "app.set_member_roles puts the roles in place of those before, for one member of this organization",
    expected: [[["sso", "member,viewer"]], [["sso", "member"]], [["sso", "owner"]], true, [true, true]],
    actual: async (scene) => {
      const { id: userId } = scene.person("both");
      await giveRole(scene, "both", "admin");
      const row = `select ctid::text from membership_roles where user_id = '${userId}' and organization_id = '${mine}' and role = 'viewer'`;
      const before = await scene.see(row);
      const same = await staysSame(
        scene,
        [["membership_roles", `user_id <> '${userId}' or organization_id <> '${mine}'`], ["memberships"]],
        async () => {
          await scene.ask(write(scene, "owner"), setRoles(scene, "both", "{viewer,member,viewer}"));
        },
      );
      const two = await rolesOf(scene, "both");
      const isKept = String(await scene.see(row)) === String(before);
      await scene.ask(write(scene, "owner"), setRoles(scene, "both", "{member}"));
      return [two, await rolesOf(scene, "both"), await rolesOf(scene, "both", theirs), isKept, same];
    },
  },
  {
    title: "app.set_member_roles and app.remove_member refuse whoever lacks members:write, also by now",
    expected: [
      ["AP403", "AP403"],
      ["AP403", "AP403"],
      ["AP404", "AP404"],
      ["AP400", "AP400"],
      ["AP404", "AP404"],
    ],
    actual: async (scene) => {
      const both = [setRoles(scene, "viewer", "{viewer}"), remove(scene, "viewer")];
      const { id: userId } = scene.person("admin");
      const change = (what: string, then: string) =>
        `reset role; ${what} where user_id = '${userId}' and organization_id = '${mine}'; set local role app_user; ${then}`;
      const found = [await codesOf(scene, letIn(scene, "member"), both)];
      for (const what of ["update membership_roles set role = 'member'", "delete from memberships"]) {
        found.push(
          await codesOf(
            scene,
            write(scene, "admin"),
            both.map((then) => change(what, then)),
          ),
        );
      }
      found.push(await codesOf(scene, null, both));
      found.push(await codesOf(scene, `select app.admit('${scene.person("owner").handle}')`, both));
      return found;
    },
  },
  {
    title: "app.set_member_roles and app.remove_member know nobody who is no member here",
    expected: ["AP404", "AP404", "AP404", "AP404"],
    actual: (scene) =>
      codesOf(
        scene,
        write(scene, "owner"),
        ["founder", "spare"].flatMap((who) => [setRoles(scene, who, "{viewer}"), remove(scene, who)]),
      ),
  },
  {
    title: "app.set_member_roles and app.remove_member let nobody reach above their own permissions",
    expected: ["APABV", "APABV", "APABV", "APABV", "APABV", "done", "done", "done"],
    actual: async (scene) => {
      await giveRole(scene, "viewer", "owner");
      return codesOf(scene, write(scene, "admin"), [
        setRoles(scene, "owner", "{viewer}"),
        setRoles(scene, "viewer", "{viewer}"),
        remove(scene, "owner"),
        setRoles(scene, "member", "{member,owner}"),
        setRoles(scene, "admin", "{owner}"),
        setRoles(scene, "member", "{admin}"),
        setRoles(scene, "admin", "{viewer}"),
        remove(scene, "member"),
      ]);
    },
  },
  {
    title: "app.set_member_roles takes known roles, one at least",
    expected: ["APROL", "APROL", "APROL", "APROL", "APROL"],
    actual: (scene) =>
      codesOf(
        scene,
        write(scene, "owner"),
        [null, "{}", "{unknown}", "{member,unknown}", "{member,NULL}"].map((roles) => setRoles(scene, "member", roles)),
      ),
  },
  {
    title: "the only owner can neither step down, nor be removed, nor leave",
    expected: [
      ["APLOW", "APLOW", "APLOW", "done"],
      ["done", "done", "done"],
    ],
    actual: async (scene) => {
      const all = [
        setRoles(scene, "owner", "{admin}"),
        remove(scene, "owner"),
        leave,
        setRoles(scene, "owner", "{owner,viewer}"),
      ];
      await scene.see("savepoint several");
      await leaveSoleOwner(scene, "owner");
      const alone = await codesOf(scene, write(scene, "owner"), all);
      await scene.see("rollback to several");
      return [alone, await codesOf(scene, write(scene, "owner"), all.slice(0, 3))];
    },
  },
  {
    title: "whoever owns another organization does not count as an owner of this one",
    expected: ["APLOW", "APLOW"],
    actual: async (scene) => {
      await leaveSoleOwner(scene, "owner");
      // `both` owns theirs, and is a member of mine.
      return codesOf(scene, write(scene, "owner"), [leave, setRoles(scene, "owner", "{admin}")]);
    },
  },
  {
    title: "app.remove_member takes one member out of this organization, with their roles",
    expected: [[], [["sso", "owner"]], [[0]], [true, true]],
    actual: async (scene) => {
      const { id: userId } = scene.person("both");
      const others = `user_id <> '${userId}' or organization_id <> '${mine}'`;
      const same = await staysSame(
        scene,
        [
          ["memberships", others],
          ["membership_roles", others],
        ],
        () => scene.ask(write(scene, "owner"), remove(scene, "both")),
      );
      return [
        await rolesOf(scene, "both"),
        await rolesOf(scene, "both", theirs),
        await scene.see(
          `select count(*)::int from membership_roles where user_id = '${userId}' and organization_id = '${mine}'`,
        ),
        same,
      ];
    },
  },
  {
    title: "app.leave_organization takes the caller alone out, of the organization of the request",
    expected: [[], [["sso", "owner"]], [true, true], ["AP404", "AP403"]],
    actual: async (scene) => {
      const { id: userId } = scene.person("both");
      const others = `user_id <> '${userId}' or organization_id <> '${mine}'`;
      const refused = [
        ...(await codesOf(scene, `select app.admit('${scene.person("both").handle}')`, [leave])),
        ...(await codesOf(scene, letIn(scene, "only members:read", "members:read"), [leave])),
      ];
      const same = await staysSame(
        scene,
        [
          ["memberships", others],
          ["membership_roles", others],
        ],
        () => scene.ask(letIn(scene, "both"), leave),
      );
      return [await rolesOf(scene, "both"), await rolesOf(scene, "both", theirs), same, refused];
    },
  },
  {
    title: "changes of members hold the organization until they end, and no other",
    expected: [
      [true, false],
      [true, false],
      [true, false],
    ],
    actual: async (scene) => {
      const found = [];
      const lockers = async () => {
        const rows = await scene.see(
          `select xmax::text from organizations where id in ('${mine}', '${theirs}') order by id = '${theirs}'`,
        );
        return rows.flat();
      };
      const before = await lockers();
      for (const statement of [setRoles(scene, "member", "{viewer}"), remove(scene, "member"), leave]) {
        await scene.see("savepoint held");
        await scene.ask(write(scene, "admin"), statement);
        found.push((await lockers()).map((locker, index) => locker !== before[index]));
        await scene.see("rollback to held");
      }
      return found;
    },
  },
];
