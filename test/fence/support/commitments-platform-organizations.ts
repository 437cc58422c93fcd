import { insertMembers } from "../../support/members-sql.ts";
import { administer, givePlanted, outcomeOf, plantedOrganization } from "./administering.ts";
import { id, organizations } from "./people.ts";
import { codesOf, letIn, type Commitment, type Scene } from "./scene.ts";
import { told } from "./telling.ts";
import { admission, keyAdmission } from "./world.ts";

const { mine } = organizations;

const suspend = (organizationId: string, reason = "Unpaid") =>
  `select app.suspend_organization('${organizationId}', '${reason}')`;
const unsuspend = (organizationId: string) => `select app.unsuspend_organization('${organizationId}')`;
const stored = (scene: Scene, organizationId: string) =>
  scene.see(
    `select suspended_at = now()::timestamptz(3), suspension_reason, updated_at > '2026-06-01Z' from organizations where id = '${organizationId}'`,
  );

/** How administrators of the platform see organizations, and suspend them. */
export const platformOrganizationCommitments: Commitment[] = [
  {
    title: "app.platform_organization_owners tells of the owners, and of nobody else",
    expected: [["both", "founder"], [], 100],
    actual: async (scene) => {
      const of = async (organizationId: string) =>
        administer(scene, `select * from app.platform_organization_owners('${organizationId}')`);
      const found: unknown[] = [
        (await of(organizations.theirs)).map(([userId, email, name]) =>
          ["both", "founder"].find((who) => {
            const person = scene.person(who);
            return person.id === userId && person.email === email && name === `Name of ${email}`;
          }),
        ),
      ];
      await givePlanted(scene);
      found.push(await of(plantedOrganization(1)));
      await scene.see(
        `insert into users (id, email, name) select uuidv7(), 'many-' || n || '@example.test', 'Many' from generate_series(1, 101) n;
         ${insertMembers(`select '${plantedOrganization(1)}'::uuid, id, 'owner' from users where email like 'many-%'`)}`,
      );
      return [...found, (await of(plantedOrganization(1))).length];
    },
  },
  {
    title: "app.suspend_organization suspends with a reason, and leaves what stands already",
    expected: [[[true, "Unpaid", true]], [[true, "Unpaid", true]], [[false, "Reason 2", false]], [[null, null, false]]],
    actual: async (scene) => {
      await givePlanted(scene);
      await scene.see("alter table organizations disable trigger touch_updated_at");
      await scene.see("update organizations set updated_at = '2026-01-01Z'");
      await scene.see("alter table organizations enable trigger touch_updated_at");
      await administer(scene, suspend(mine));
      const found: unknown[] = [await stored(scene, mine)];
      await administer(scene, suspend(mine, "Again"));
      found.push(await stored(scene, mine));
      await administer(scene, suspend(plantedOrganization(2), "Again"));
      return [...found, await stored(scene, plantedOrganization(2)), await stored(scene, organizations.theirs)];
    },
  },
  {
    title:
      "app.unsuspend_organization takes it back, of that organization alone, and touches none that is not suspended",
    expected: [[[null, null, true]], [[false, "Reason 4", false]], [[null, null, false]], "AP404", "AP404"],
    actual: async (scene) => {
      await givePlanted(scene);
      await scene.see("alter table organizations disable trigger touch_updated_at");
      await scene.see("update organizations set updated_at = '2026-01-01Z'");
      await scene.see("alter table organizations enable trigger touch_updated_at");
      for (const n of [1, 2]) await administer(scene, unsuspend(plantedOrganization(n)));
      return [
        await stored(scene, plantedOrganization(2)),
        await stored(scene, plantedOrganization(4)),
        await stored(scene, plantedOrganization(1)),
        await outcomeOf(scene, () => administer(scene, unsuspend(id(9999)))),
        await outcomeOf(scene, () => administer(scene, suspend(id(9999)))),
      ];
    },
  },
  {
    title: "a suspension is told of in the trail of the organization, without its reason",
    expected: [
      ["mine", "organization.suspended", "platform_admin", "organization mine", null, null],
      ["mine", "organization.unsuspended", "platform_admin", "organization mine", null, null],
    ],
    actual: async (scene) => {
      const events = await told(scene, async () => {
        await administer(scene, suspend(mine));
        await administer(scene, unsuspend(mine));
      });
      return events.map(([whose, action, actor, ...rest]) => [whose, action, String(actor).split(" ")[0], ...rest]);
    },
  },
  {
    title: "a suspended organization lets neither members nor keys in, and is none to anybody else",
    expected: [["APSUS"], ["APSUS"], ["APSUS"], ["AP404"], ["done"]],
    actual: async (scene) => {
      await scene.see(`update organizations set suspended_at = now() where id = '${mine}'`);
      const found: unknown[] = [];
      for (const statement of [
        letIn(scene, "owner"),
        letIn(scene, "viewer", "organization:delete"),
        keyAdmission("own", "organization:read"),
        admission(scene.person("outsider"), mine, "organization:read"),
        admission(scene.person("both"), organizations.theirs, "organization:read"),
      ])
        found.push(await codesOf(scene, null, [statement]));
      return found;
    },
  },
];
