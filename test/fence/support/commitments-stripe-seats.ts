import { being, customers, giveCustomers, giveStripes, past } from "./collecting.ts";
import { withMore } from "./moving.ts";
import { id } from "./people.ts";
import { findAfterEach, type Commitment, type Scene } from "./scene.ts";
import { mine, theirs } from "./subscribing.ts";

/** When each organization's customer is due after somebody joined `mine`, and after somebody has left it. */
async function dueAfterBoth(scene: Scene): Promise<unknown[]> {
  const spare = scene.person("spare").id;
  const times = async () => (await customers(scene, null)).map((row) => row[9]);
  const join = `insert into memberships (organization_id, user_id, joined_by) values ('${mine}', '${spare}', 'sso')`;
  return findAfterEach(
    scene,
    [join, `delete from memberships where organization_id = '${mine}' and user_id = '${id(103)}'`],
    times,
  );
}
const both = (...times: unknown[]) => [times, times];

/** That Stripe is told of the number of members. */
export const stripeSeatCommitments: Commitment[] = [
  {
    title:
      "whoever joins or leaves has the customer looked at now, where seats of a subscription at Stripe are paid for",
    expected: [
      both("00:00:00", "02:00:00", "02:00:00"),
      both("00:00:00", "02:00:00", "02:00:00"),
      both("02:00:00", "02:00:00", "02:00:00"),
      both("02:00:00", "02:00:00", "02:00:00"),
      both("02:00:00", "02:00:00", "02:00:00"),
      both("02:00:00", "02:00:00", "02:00:00"),
      both("-01:00:00", "02:00:00", "02:00:00"),
      both(null, "02:00:00", "02:00:00"),
    ],
    actual: async (scene) => {
      await withMore(scene);
      await giveCustomers(scene);
      await giveStripes(scene, "seats");
      const set = (assignment: string) => `update subscriptions set ${assignment} where organization_id = '${mine}'`;
      const changes = [
        "select",
        set(being("past_due")),
        set("price_id = (select i.id from plan_prices i join plans p on p.id = i.plan_id where p.key = 'dear')"),
        set("status = 'canceled', ended_at = now()"),
        set("provider = 'manual', provider_id = null"),
        `delete from subscriptions where organization_id = '${mine}'`,
        `update stripe_customers set due_at = now() - interval '1 hour' where organization_id = '${mine}'`,
        `update stripe_customers set due_at = null where organization_id = '${mine}'`,
      ];
      const found: unknown[] = [];
      for (const change of changes) {
        await scene.see("savepoint seated");
        await past(scene, change);
        found.push(await dueAfterBoth(scene));
        await scene.see("rollback to seated");
      }
      return found;
    },
  },
  {
    title: "whoever joins several organizations at once has each of them looked at, and a statement of nobody none",
    expected: [[["00:00:00", "00:00:00", "02:00:00"]], [["02:00:00", "02:00:00", "02:00:00"]]],
    actual: async (scene) => {
      await withMore(scene);
      await giveCustomers(scene);
      await giveStripes(scene, "seats");
      const spare = scene.person("spare").id;
      const join = (condition: string) =>
        `insert into memberships (organization_id, user_id, joined_by) select id, '${spare}', 'sso' from organizations where id in ('${mine}', '${theirs}') and ${condition}`;
      return (
        await findAfterEach(scene, [join("true"), join("false")], async () =>
          (await customers(scene, null)).map((row) => row[9]),
        )
      ).map((times) => [times]);
    },
  },
];
