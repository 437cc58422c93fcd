import { acceptOffer, countMails, decline, giveOffer, mailsOf, mine, offersIn, theirs, voids } from "./owning.ts";
import { codesOf, findAfterEach, giveRole, letIn, rolesOf, staysSame, type Commitment } from "./scene.ts";
import { admission } from "./world.ts";

/** What those do whom an ownership is offered to. */
export const ownershipAnswerCommitments: Commitment[] = [
  {
    title: "app.accept_ownership and app.decline_ownership are for whom the open offer is for, and for no other",
    expected: [
      ["AP404", "AP404"],
      ["AP404", "AP404"],
      ["AP404", "AP404"],
      ["AP400", "AP400"],
      ["done", "done"],
      voids.map(() => ["AP404", "AP404"]),
    ],
    actual: async (scene) => {
      await giveOffer(scene);
      const both = [acceptOffer(), decline];
      const found: unknown[] = [];
      for (const by of [
        letIn(scene, "owner"),
        letIn(scene, "admin"),
        admission(scene.person("member")),
        null,
        letIn(scene, "member"),
      ]) {
        found.push(await codesOf(scene, by, both));
      }
      return [...found, await findAfterEach(scene, voids, () => codesOf(scene, letIn(scene, "member"), both))];
    },
  },
  {
    title: "app.accept_ownership and app.decline_ownership lock the organization",
    expected: [true, true],
    actual: async (scene) => {
      await giveOffer(scene);
      const locker = async () => String(await scene.see(`select xmax::text from organizations where id = '${mine}'`));
      const found: boolean[] = [];
      for (const statement of [acceptOffer(), decline]) {
        const before = await locker();
        await scene.see("savepoint held");
        await scene.ask(letIn(scene, "member"), statement);
        found.push((await locker()) !== before);
        await scene.see("rollback to held");
      }
      return found;
    },
  },
  {
    title: "app.accept_ownership makes the caller an owner alone, and whoever offered an admin beside other roles",
    expected: [
      [["owner"]],
      [["admin"], ["viewer"]],
      [],
      [
        [
          null,
          "person-100@example.test",
          "ownership_accepted",
          '{"name" : "Name of person-100@example.test", "organization" : "Organization mine", "inviter" : "Name of person-BOTH@example.test"}',
          true,
        ],
      ],
      [true, true],
    ],
    actual: async (scene) => {
      await giveOffer(scene, { to: "both" });
      const [from, to] = [scene.person("owner").id, scene.person("both").id];
      await giveRole(scene, "owner", "viewer");
      await giveRole(scene, "both", "viewer", theirs);
      await scene.see(
        `insert into memberships (organization_id, user_id, joined_by) values ('${theirs}', '${from}', 'sso')`,
      );
      await giveRole(scene, "owner", "owner", theirs);
      const others: [string, string][] = [
        ["membership_roles", `organization_id <> '${mine}' or user_id not in ('${from}', '${to}')`],
        ["ownership_transfers", `organization_id <> '${mine}'`],
      ];
      const same = await staysSame(scene, others, () => scene.ask(letIn(scene, "both"), acceptOffer(true)));
      const mails = JSON.stringify(await mailsOf(scene)).replace(
        scene.person("both").email,
        "person-BOTH@example.test",
      );
      return [
        await rolesOf(scene, "both"),
        await rolesOf(scene, "owner"),
        await offersIn(scene),
        JSON.parse(mails),
        same,
      ];
    },
  },
  {
    title: "app.accept_ownership works where one is an owner already and the other an admin, and without the mail",
    expected: [[["owner"]], [["admin"]], []],
    actual: async (scene) => {
      await giveOffer(scene);
      await giveRole(scene, "member", "owner");
      await giveRole(scene, "owner", "admin");
      await countMails(scene, "owner", 10);
      await scene.ask(letIn(scene, "member"), acceptOffer(true));
      return [await rolesOf(scene, "member"), await rolesOf(scene, "owner"), await mailsOf(scene)];
    },
  },
  {
    title: "app.decline_ownership takes the offer to the caller away, and changes no role",
    expected: [[true, true], []],
    actual: async (scene) => {
      await giveOffer(scene);
      // Of one id with the offer here, which nothing forbids.
      await giveOffer(scene, { organization: theirs, from: "founder", to: "helper" });
      const others: [string, string?][] = [
        ["membership_roles"],
        ["ownership_transfers", `organization_id <> '${mine}'`],
      ];
      const same = await staysSame(scene, others, () => scene.ask(letIn(scene, "member"), decline));
      return [same, await offersIn(scene)];
    },
  },
];
