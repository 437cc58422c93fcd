import {
  anotherOwner,
  countMails,
  giveOffer,
  look,
  mailsOf,
  mine,
  offered,
  offersIn,
  offerTo,
  own,
  theirs,
  voids,
  withdraw,
} from "./owning.ts";
import { admitKey, giveKey } from "./keys.ts";
import { id } from "./people.ts";
import {
  codesOf,
  findAfterEach,
  letIn,
  refusalsAndLocks,
  refusedAndLocked,
  staysSame,
  type Commitment,
} from "./scene.ts";
import { admission } from "./world.ts";

/** What those do who own the organization. */
export const ownershipCommitments: Commitment[] = [
  {
    title: "functions of offers refuse whoever lacks organization:own, and are behind the organization's lock",
    expected: [...refusedAndLocked(1), ...refusedAndLocked(1)],
    actual: async (scene) => {
      await scene.see("delete from ownership_transfers");
      const made = await refusalsAndLocks(scene, own(scene), [offerTo(scene, "viewer")]);
      await giveOffer(scene);
      return [...made, ...(await refusalsAndLocks(scene, own(scene), [withdraw]))];
    },
  },
  {
    title: "app.ownership_transfer shows no offer to a key of the organization's own that may not make one",
    expected: [],
    actual: async (scene) => {
      await giveOffer(scene);
      await giveKey(scene, { of: null });
      return scene.ask(admitKey("organization:read"), "select * from app.ownership_transfer()");
    },
  },
  {
    title: "app.offer_ownership offers the caller's to one other member for 7 days, tells them, and changes no role",
    expected: [
      [[offered, id(100), id(102), true]],
      [[offered, id(100), id(102), true]],
      [
        [
          null,
          "person-102@example.test",
          "ownership_offered",
          '{"name" : "Name of person-102@example.test", "organization" : "Organization mine", "inviter" : "Name of person-100@example.test"}',
          true,
        ],
      ],
      [true, true],
    ],
    actual: async (scene) => {
      await giveOffer(scene, { expires: "now() - interval '1 second'" });
      let answer: unknown;
      const others: [string, string?][] = [
        ["membership_roles"],
        ["ownership_transfers", `organization_id <> '${mine}'`],
      ];
      const same = await staysSame(scene, others, async () => {
        answer = await scene.ask(own(scene), offerTo(scene, "member", true));
      });
      return [answer, await offersIn(scene), await mailsOf(scene), same];
    },
  },
  {
    title: "app.offer_ownership refuses who is no member here, an owner, and another offer while one is open",
    expected: [["AP404", "AP404", "APAOW", "APAOW", "done"], ["APOTP"], voids.map(() => "done")],
    actual: async (scene) => {
      await scene.see(`delete from ownership_transfers where organization_id = '${mine}'`);
      const found: unknown[] = [
        await codesOf(
          scene,
          own(scene),
          ["spare", "founder", "owner", "revoked", "both"].map((who) => offerTo(scene, who)),
        ),
      ];
      await giveOffer(scene);
      const again = [offerTo(scene, "viewer")];
      const another = await anotherOwner(scene);
      found.push(await codesOf(scene, another, again));
      const afterVoids = await findAfterEach(scene, voids, () => codesOf(scene, another, again));
      return [...found, afterVoids.flat()];
    },
  },
  {
    title: "app.offer_ownership mails one person ten times an hour about one organization, and offers no more unmailed",
    expected: ["done", "done", "APLIM", "done"],
    actual: async (scene) => {
      await scene.see(`delete from ownership_transfers where organization_id = '${mine}'`);
      await countMails(scene, "viewer", 9);
      await countMails(scene, "member", 10);
      return codesOf(scene, own(scene), [
        offerTo(scene, "viewer", true),
        offerTo(scene, "viewer"),
        offerTo(scene, "member", true),
        offerTo(scene, "member"),
      ]);
    },
  },
  {
    title:
      "app.ownership_transfer tells the open offer to those with organization:own and whom it is for, and to no other",
    expected: [
      [[offered, id(100), id(102)]],
      [[offered, id(100), id(102)]],
      [[offered, id(100), id(102)]],
      [],
      [],
      ["AP400"],
      voids.map(() => []),
    ],
    actual: async (scene) => {
      await giveOffer(scene);
      const found: unknown[] = [];
      for (const by of [
        own(scene),
        own(scene, "only organization:own"),
        letIn(scene, "member"),
        letIn(scene, "viewer"),
        // Not of this organization: nobody's request.
        admission(scene.person("member")),
      ]) {
        found.push(await scene.ask(by, look));
      }
      found.push(await codesOf(scene, null, [look]));
      return [...found, await findAfterEach(scene, voids, () => scene.ask(letIn(scene, "member"), look))];
    },
  },
  {
    title: "app.withdraw_ownership takes the organization's open offer back, whichever owner made it",
    expected: [voids.map(() => "AP404"), [true], []],
    actual: async (scene) => {
      await giveOffer(scene);
      const byAnother = () => codesOf(scene, own(scene, "only organization:own"), [withdraw]);
      const afterVoids = (await findAfterEach(scene, voids, byAnother)).flat();
      // Of one id with the offer here, which nothing forbids.
      await giveOffer(scene, { organization: theirs, from: "founder", to: "helper" });
      const same = await staysSame(scene, [["ownership_transfers", `organization_id <> '${mine}'`]], () =>
        scene.ask(own(scene, "only organization:own"), withdraw),
      );
      return [afterVoids, same, await offersIn(scene)];
    },
  },
  {
    title: "app.my_ownership_transfers tells the newest offers by the caller or to them",
    expected: [[[id(9903)], [offered]], [[id(9903)]], [[offered]], [], "AP400"],
    actual: async (scene) => {
      await scene.see("delete from ownership_transfers");
      await giveOffer(scene, { to: "both" });
      await giveOffer(scene, { organization: theirs, from: "both", to: "helper" });
      await scene.see(`update ownership_transfers set id = '${id(9903)}' where organization_id = '${theirs}'`);
      const ask = (limit: number) => `select id from app.my_ownership_transfers(${limit})`;
      const both = admission(scene.person("both"));
      return [
        await scene.ask(both, ask(9)),
        await scene.ask(both, ask(1)),
        await scene.ask(admission(scene.person("owner")), ask(9)),
        await scene.ask(admission(scene.person("viewer")), ask(9)),
        (await codesOf(scene, null, [ask(9)]))[0],
      ];
    },
  },
  {
    title: "app.purge_expired forgets offers of ownership once they have expired",
    expected: [["1"], [[theirs]]],
    actual: async (scene) => {
      await scene.see("delete from ownership_transfers");
      await giveOffer(scene, { expires: "now() - interval '1 second'" });
      await giveOffer(scene, {
        organization: theirs,
        from: "founder",
        to: "helper",
        expires: "now() + interval '1 second'",
      });
      const [purged] = await scene.ask(null, "select app.purge_expired()");
      return [purged, await scene.see("select organization_id from ownership_transfers")];
    },
  },
];
