import { id, organizations } from "./people.ts";
import {
  codesOf,
  giveRole,
  rolesOf,
  letIn,
  refusalsAndLocks,
  refusedAndLocked,
  staysSame,
  text,
  type Commitment,
  type Scene,
} from "./scene.ts";
import { admission } from "./world.ts";

const { mine, theirs } = organizations;
const read = "{organization:read}";
const [own, other, above] = [id(9101), id(9102), id(9103)];

const create = (key: string, permissions: string | null = read) =>
  `select key, name, permissions from app.create_role('${id(9110)}', '${key}', 'Name', ${text(permissions)})`;
const update = (roleId: string, name: string | null, permissions: string | null) =>
  `select app.update_role('${roleId}', ${text(name)}, ${text(permissions)})`;
const remove = (roleId: string, replacement: string | null = null) =>
  `select app.delete_role('${roleId}', ${text(replacement)})`;

const write = (scene: Scene, name: string) => letIn(scene, name, "roles:write");

/** Two roles that an admin may change and one that they may not, in this organization. */
async function addRoles(scene: Scene): Promise<void> {
  await scene.see(
    `insert into roles (organization_id, id, key, name, permissions, updated_at) values
       ('${mine}', '${own}', 'own', 'Own', '{members:read,organization:read}', now() - interval '1 hour'),
       ('${mine}', '${other}', 'other', 'Other', '{organization:read,sso:read}', now()),
       ('${mine}', '${above}', 'above', 'Above', '{organization:delete,organization:read}', now()),
       ('${theirs}', '${id(9104)}', 'own', 'Theirs', '{organization:read,sso:read}', now()),
       -- Of one id with a role here, which nothing forbids.
       ('${theirs}', '${own}', 'same-id', 'Same id', '{organization:read,sso:read}', now()),
       ('${theirs}', '${id(9105)}', 'foreign', 'Foreign', '{organization:read}', now())`,
  );
}

const stored = (scene: Scene, roleId: string) =>
  scene.see(
    `select organization_id, key, name, permissions::text from roles where id = '${roleId}' and organization_id = '${mine}'`,
  );

/** What becomes of the roles that an organization makes for itself. */
export const roleCommitments: Commitment[] = [
  {
    title:
      "app_private.permissions_of joins built-in and own roles of this organization, and knows what the product has",
    expected: [
      [["members:read", "organization:read"]],
      [["organization:read", "sso:read"]],
      [["organization:read"]],
      [[]],
      [[]],
    ],
    actual: async (scene) => {
      await addRoles(scene);
      await scene.see(
        `update roles set permissions = permissions || '{gone:read,members:read}' where id = '${own}' and organization_id = '${mine}'`,
      );
      const of = async (organization: string, roles: string) =>
        (await scene.see(`select app_private.permissions_of('${organization}', '${roles}')`))[0];
      return [
        await of(mine, "{own,viewer,own}"),
        await of(theirs, "{own}"),
        await of(theirs, "{foreign,unknown}"),
        await of(mine, "{foreign,unknown}"),
        await of(mine, "{}"),
      ];
    },
  },
  {
    title: "app.admit joins the permissions of a role of the organization's own",
    expected: [[["members:read,organization:read"]], "AP403"],
    actual: async (scene) => {
      await addRoles(scene);
      await giveRole(scene, "viewer", "own");
      await giveRole(scene, "both", "own", theirs);
      return [
        await scene.ask(letIn(scene, "viewer"), "select (string_to_array(current_setting('app.context'), '|'))[4]"),
        ...(await codesOf(scene, admission(scene.person("both"), mine, "sso:read"), ["select 1"])),
      ];
    },
  },
  {
    title: "app.create_role makes a role of this organization, with each permission once",
    expected: [
      [["desk", "Name", ["members:read", "organization:read"]]],
      [[mine, "desk", "Name", "{members:read,organization:read}"]],
      [true],
    ],
    actual: async (scene) => {
      let answer: unknown[][] = [];
      const same = await staysSame(scene, [["roles", `id <> '${id(9110)}'`]], async () => {
        answer = await scene.ask(write(scene, "admin"), create("desk", "{members:read,members:read}"));
      });
      return [answer, await stored(scene, id(9110)), same];
    },
  },
  {
    title: "app.create_role takes permissions of the product that the caller has, and a key that is free",
    expected: [
      "22023",
      "22023",
      "22023",
      "22023",
      "22023",
      "APABV",
      "APABV",
      "23505",
      "23505",
      "done",
      "done",
      "22023",
    ],
    actual: async (scene) => {
      await addRoles(scene);
      return [
        ...(await codesOf(
          scene,
          write(scene, "admin"),
          [
            null,
            "{}",
            "{unknown}",
            "{organization:own}",
            "{organization:read,NULL}",
            "{sso:write}",
            "{organization:read,sso:write}",
          ].map((permissions) => create("desk", permissions)),
        )),
        ...(await codesOf(scene, write(scene, "admin"), [create("owner"), create("own"), create("foreign")])),
        ...(await codesOf(scene, write(scene, "owner"), [
          create("desk", "{sso:write}"),
          create("desk", "{organization:own}"),
        ])),
      ];
    },
  },
  {
    title: "app.create_role makes 100 in an organization, whatever others have",
    expected: ["done", "APRLM"],
    actual: async (scene) => {
      const fill = (organization: string, count: string) =>
        scene.see(
          `insert into roles (organization_id, id, key, name, permissions)
           select '${organization}', gen_random_uuid(), 'filled-' || gen_random_uuid(), 'Filled', '${read}'
             from generate_series(1, ${count} - (select count(*)::int from roles where organization_id = '${organization}')) n`,
        );
      await fill(theirs, "100");
      await fill(mine, "99");
      const found = await codesOf(scene, write(scene, "admin"), [create("desk")]);
      await fill(mine, "100");
      return [...found, ...(await codesOf(scene, write(scene, "admin"), [create("desk")]))];
    },
  },
  {
    title: "functions of roles refuse whoever lacks roles:write, and are behind the organization's lock",
    expected: refusedAndLocked(3),
    actual: async (scene) => {
      await addRoles(scene);
      return refusalsAndLocks(scene, write(scene, "admin"), [create("desk"), update(own, "x", null), remove(own)]);
    },
  },
  {
    title: "app.update_role changes what is given, of this role alone, and dates it",
    expected: [
      [[mine, "own", "New", "{members:read,organization:read}"]],
      [[mine, "own", "New", "{organization:read,sso:read}"]],
      [[true]],
      [true],
    ],
    actual: async (scene) => {
      await addRoles(scene);
      const found: unknown[] = [];
      const same = await staysSame(scene, [["roles", `id <> '${own}' or organization_id <> '${mine}'`]], async () => {
        await scene.ask(write(scene, "admin"), update(own, "New", null));
        found.push(await stored(scene, own));
        await scene.ask(write(scene, "admin"), update(own, null, "{sso:read,sso:read}"));
        found.push(await stored(scene, own));
      });
      const dated = await scene.see(
        `select updated_at = now()::timestamptz(3) from roles where id = '${own}' and organization_id = '${mine}'`,
      );
      return [...found, dated, same];
    },
  },
  {
    title: "app.update_role and app.delete_role know no role of others, and none above the caller, before or after",
    expected: ["AP404", "AP404", "AP404", "APABV", "APABV", "APABV", "22023", "22023", "done"],
    actual: async (scene) => {
      await addRoles(scene);
      await scene.see(`update roles set permissions = '{gone:read,organization:read}' where id = '${other}'`);
      return codesOf(scene, write(scene, "admin"), [
        update(id(9104), "x", null),
        remove(id(9104)),
        update(id(9199), "x", null),
        update(above, "x", read),
        update(own, null, "{organization:delete}"),
        remove(above),
        update(own, null, "{}"),
        update(own, null, "{unknown}"),
        // What the product has no longer stands in no way.
        update(other, "x", null),
      ]);
    },
  },
  {
    title: "app.delete_role deletes a role that nobody here has, and no other",
    expected: [[], [true, true]],
    actual: async (scene) => {
      await addRoles(scene);
      await giveRole(scene, "both", "own", theirs);
      const same = await staysSame(
        scene,
        [["roles", `id <> '${own}' or organization_id <> '${mine}'`], ["membership_roles"]],
        () => scene.ask(write(scene, "admin"), remove(own)),
      );
      return [await stored(scene, own), same];
    },
  },
  {
    title: "app.delete_role refuses a role that members have; with a replacement they get that, and nobody else does",
    expected: ["APUSE", [["other"], ["viewer"]], [["member"], ["other"]], [["member"], ["own"]], [[0]], [true]],
    actual: async (scene) => {
      await addRoles(scene);
      await giveRole(scene, "viewer", "own");
      await giveRole(scene, "member", "own");
      await giveRole(scene, "member", "other");
      await scene.see(`update roles set key = 'own' where id = '${id(9104)}'`);
      await scene.see(
        `update membership_roles set role = 'member' where organization_id = '${theirs}' and user_id = '${scene.person("both").id}'`,
      );
      await giveRole(scene, "both", "own", theirs);
      const [refusal] = await codesOf(scene, write(scene, "admin"), [remove(own)]);
      const names = ["viewer", "member", "both"].map((name) => `'${scene.person(name).id}'`).join(", ");
      const same = await staysSame(scene, [["membership_roles", `user_id not in (${names})`]], () =>
        scene.ask(write(scene, "admin"), remove(own, "other")),
      );
      return [
        refusal,
        await rolesOf(scene, "viewer"),
        await rolesOf(scene, "member"),
        await rolesOf(scene, "both", theirs),
        await scene.see(`select count(*)::int from roles where id = '${own}' and organization_id = '${mine}'`),
        same,
      ];
    },
  },
  {
    title: "app.delete_role takes another role of the organization as a replacement, which is not above the caller",
    expected: ["APROL", "APROL", "APROL", "APABV", "APABV", "done", "done"],
    actual: async (scene) => {
      await addRoles(scene);
      return codesOf(
        scene,
        write(scene, "admin"),
        ["own", "unknown", "foreign", "owner", "above", "viewer", "other"].map((replacement) =>
          remove(own, replacement),
        ),
      );
    },
  },
  {
    title: "app.set_member_roles takes roles of this organization's own, which are not above the caller",
    expected: ["done", "APROL", "APABV"],
    actual: async (scene) => {
      await addRoles(scene);
      const set = (role: string) => `select app.set_member_roles('${scene.person("member").id}', '{${role}}')`;
      return codesOf(scene, letIn(scene, "admin", "members:write"), [set("own"), set("foreign"), set("above")]);
    },
  },
  {
    title: "app.my_permissions tells the caller's roles in the organization that is asked for, and theirs alone",
    expected: [
      [
        [
          ["own", "viewer"],
          ["members:read", "organization:read"],
        ],
      ],
      [[["owner"]]],
      ["AP404", "AP400"],
    ],
    actual: async (scene) => {
      await addRoles(scene);
      await giveRole(scene, "both", "own");
      const ask = (organization: string, columns = "*") =>
        `select ${columns} from app.my_permissions('${organization}')`;
      const both = admission(scene.person("both"));
      return [
        await scene.ask(both, ask(mine)),
        await scene.ask(both, ask(theirs, "roles")),
        [
          ...(await codesOf(scene, admission(scene.person("owner")), [ask(theirs)])),
          ...(await codesOf(scene, null, [ask(mine)])),
        ],
      ];
    },
  },
];
