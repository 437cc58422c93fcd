import { outcomeOf } from "./administering.ts";
import { id, organizations, privatePlanId } from "./people.ts";
import { asPerson, codeOf, codesOf, findAfterEach, letIn, type Commitment, type Scene } from "./scene.ts";
import { keyAdmission, platformAdmission } from "./world.ts";

const { mine } = organizations;

const admit = (scene: Scene, who: string, isFresh = false) =>
  platformAdmission(scene.person(who)).replace("false", String(isFresh));

/** After each of these changes of the administrator, which is taken back before the next, whether they are let in. */
const letInAfter = (scene: Scene, changes: string[], isFresh = false) =>
  findAfterEach(scene, changes, () => codeOf(scene.ask(admit(scene, "administrator", isFresh))));

/** Whatever the platform's functions would do or show. */
const platformStatements = [
  "select * from app.platform_users('', false, '', 10)",
  "select * from app.platform_users('', true, '', 10)",
  `select * from app.platform_user('${id(100)}')`,
  `select * from app.platform_user_organizations('${id(100)}')`,
  "select * from app.platform_organizations('', false, '', 10)",
  "select * from app.platform_organizations('', true, '', 10)",
  `select * from app.platform_organization('${mine}')`,
  `select * from app.platform_organization_owners('${mine}')`,
  "select * from app.platform_impersonations(null, 10)",
  `select app.suspend_user('${id(100)}', 'x')`,
  `select app.unsuspend_user('${id(100)}')`,
  `select app.suspend_organization('${mine}', 'x')`,
  `select app.unsuspend_organization('${mine}')`,
  `select app.impersonate('${id(100)}', '${id(9801)}', '\\x01', 'x', interval '1 minute')`,
  `select app.end_impersonation('${id(1100)}')`,
  "select * from app.platform_invoices(null, false, null, 10)",
  `select app.pay_invoice('${id(9899)}', null)`,
  "select * from app.platform_plans(null, null, 10)",
  "select app.create_plan('{}')",
  `select app.update_plan('${privatePlanId}', '{}')`,
  `select app.archive_plan('${privatePlanId}')`,
  `select app.correct_usage('${mine}', '[]', 'x', '{}')`,
];

/** All but those that find no row to ask about. */
const asking = platformStatements.filter((statement) => !statement.includes("impersonation"));

/** Who administers the platform, and what its functions are for everybody else. */
export const platformAccessCommitments: Commitment[] = [
  {
    title: "app.admit_platform_admin lets in who administers the platform, with a verified address and a second factor",
    expected: ["done", "AP404", "APVER", "APENR", "APMFA", "APIMP", "AP401", "AP401", "AP401"],
    actual: async (scene) => {
      const { id: userId, sessionId } = scene.person("administrator");
      const session = (change: string) => `update sessions set ${change} where id = '${sessionId}'`;
      return letInAfter(scene, [
        "select 1",
        `delete from platform_admins where user_id = '${userId}'`,
        `update users set email_verified_at = null where id = '${userId}'`,
        session("second_factor = null"),
        session("second_factor = 'pending'"),
        session(`impersonator_id = '${userId}', impersonation_reason = 'x', second_factor = null`),
        session("revoked_at = now()"),
        session("expires_at = now() - interval '1 second'"),
        `update users set suspended_at = now() where id = '${userId}'`,
      ]);
    },
  },
  {
    title: "app.admit_platform_admin asks for a proof of the last ten minutes where it is told to",
    expected: [
      ["done", "done"],
      ["done", "APFRS"],
    ],
    actual: async (scene) => {
      const changes = [599, 601].map(
        (seconds) =>
          `update sessions set authenticated_at = now() - interval '${seconds} seconds' where id = '${scene.person("administrator").sessionId}'`,
      );
      return [await letInAfter(scene, changes), await letInAfter(scene, changes, true)];
    },
  },
  {
    title: "whoever has the database appoints and dismisses administrators, in the definer's role: npm run db:admins",
    expected: [[["done"]], ["done"], "AP404"],
    actual: async (scene) => {
      const { id: userId } = scene.person("spare");
      const asDefiner = (statement: string) =>
        codeOf(scene.see(`set local role app_definer; ${statement}; set local role none`));
      const found: unknown[] = [[[await asDefiner(`insert into platform_admins (user_id) values ('${userId}')`)]]];
      found.push([
        await asDefiner(`delete from platform_admins where user_id = '${scene.person("administrator").id}'`),
      ]);
      return [...found, await codeOf(scene.ask(admit(scene, "administrator")))];
    },
  },
  {
    title: "nobody else is let in as one",
    expected: Array(4).fill("AP404"),
    actual: (scene) =>
      codesOf(
        scene,
        null,
        ["owner", "admin", "outsider", "spare"].map((who) => admit(scene, who)),
      ),
  },
  {
    title:
      "app.admit_platform_admin seals who it is, that they are at work, the request and its address, and no organization",
    expected: true,
    actual: async (scene) => {
      const { id: userId, sessionId, handle } = scene.person("administrator");
      const [[context] = []] = await scene.ask(
        `select app.admit_platform_admin('${handle}', false, 'request', '192.0.2.1')`,
        "select current_setting('app.context')",
      );
      return context === [userId, sessionId, "", "", "", "", "request", "192.0.2.1", "", "platform"].join("|");
    },
  },
  {
    title: "app.platform_admin_id is the administrator at work, and nobody in any other transaction",
    expected: [[[true]], [[null]], [[null]], "AP400", "APSES"],
    actual: async (scene) => {
      const ask = (admission: string | null) =>
        scene.ask(admission, `select app.platform_admin_id() = '${scene.person("administrator").id}'`);
      const found: unknown[] = [];
      for (const admission of [
        admit(scene, "administrator"),
        asPerson(scene, "administrator"),
        letIn(scene, "owner"),
        null,
        keyAdmission("adm", "members:read"),
      ]) {
        found.push(await outcomeOf(scene, () => ask(admission)));
      }
      return found;
    },
  },
  ...(["administrator", "owner"] as const).map((who): Commitment => ({
    title: `the platform's functions show and do nothing for somebody who is not at work as an administrator: ${who}`,
    expected: [
      [],
      [],
      "AP404",
      [],
      [],
      [],
      "AP404",
      [],
      [],
      ...Array(6).fill("AP404"),
      [],
      "AP404",
      [],
      ...Array(4).fill("AP404"),
    ],
    actual: async (scene) => {
      const found: unknown[] = [];
      for (const statement of platformStatements)
        found.push(await outcomeOf(scene, () => scene.ask(asPerson(scene, who), statement)));
      return found;
    },
  })),
  {
    title: "without a context, and with a key, they ask for one",
    expected: ["AP400", "APSES"].map((code) => Array(asking.length).fill(code)),
    actual: async (scene) => {
      // By an index nothing may be found before the policies are asked.
      await scene.see("discard plans; set local enable_indexscan = off; set local enable_bitmapscan = off");
      return [await codesOf(scene, null, asking), await codesOf(scene, keyAdmission("adm", "members:read"), asking)];
    },
  },
];
