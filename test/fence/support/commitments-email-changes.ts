import {
  next,
  newId,
  newKey,
  oldId,
  oldKey,
  mailed,
  asOwner,
  addTokens,
  several,
  verified,
  tokensOf,
  messageMade,
  made,
  addressOf,
  owner,
  nameOf,
  nothing,
  everything,
  notOf,
} from "./mailed-tokens.ts";
import { id } from "./people.ts";
import { codeOf, codesOf, lockerOf, staysSame, text, type Commitment } from "./scene.ts";

const change = (email: string) =>
  `select app.request_email_change(${text(email)}, ${mailed(oldId, oldKey)}, ${mailed(newId)})`;
const confirm = (key: string, notice = mailed(null)) => `select app.confirm_email_change(${text(key)}, ${notice})`;

/** Addresses that are changed, once those who read them have confirmed it. */
export const emailChangeCommitments: Commitment[] = [
  {
    title: "app.request_email_change mails a token to the new address, and to the old one if it is verified",
    expected: [
      [[[id(100), "change_email_new", next, true, 1]], [[id(100), next, "change_email_new", true, "{}"]]],
      nothing,
      [
        [[id(100), "change_email_old", next, true, 1]],
        [[id(100), owner, "change_email_old", true, nameOf(owner, next)]],
      ],
      [true, true, true, true],
    ],
    actual: async (scene) => {
      const person = scene.person("owner");
      await scene.see("savepoint tried");
      await scene.ask(asOwner(scene), change(next));
      const unverified = [await made(scene), await made(scene, oldId, oldKey)];
      await scene.see("rollback to tried");
      await verified(scene, person);
      const same = await staysSame(scene, [["users"], ...notOf(person).slice(1)], () =>
        scene.ask(asOwner(scene), change(next)),
      );
      return [...unverified, await made(scene, oldId, oldKey), same];
    },
  },
  {
    title: "app.request_email_change ends earlier requests, which stay counted, and nothing else",
    expected: [
      [
        ["change_email_new", 1],
        ["reset_password", 1],
        ["verify_email", 1],
      ],
      [[2]],
      [[1]],
      true,
    ],
    actual: async (scene) => {
      const person = scene.person("owner");
      const earlier = [{ purpose: "change_email_new" }, { purpose: "change_email_old" }];
      await addTokens(scene, person, [...earlier, { purpose: "verify_email" }]);
      await addTokens(scene, person, [{ purpose: "change_email_old", age: "2 hours", left: "-1 hour" }]);
      await addTokens(scene, scene.person("admin"), earlier);
      const others = `user_id <> '${person.id}'`;
      const same = await staysSame(scene, [["one_time_tokens", others]], () => scene.ask(asOwner(scene), change(next)));
      return [
        await scene.see(tokensOf(person)),
        await scene.see(
          `select count(*)::int from one_time_tokens where user_id = '${person.id}' and expires_at = created_at`,
        ),
        await scene.see(
          `select count(*)::int from one_time_tokens where user_id = '${person.id}' and expires_at < now() - interval '30 minutes'`,
        ),
        same[0],
      ];
    },
  },
  {
    title: "app.request_email_change tells the owner of an address that is taken, and nobody else",
    expected: [
      [
        [[id(100), "change_email_new", "person-101@example.test", true, 1]],
        [[id(100), "person-101@example.test", "change_email_taken", true, "{}"]],
      ],
    ],
    actual: async (scene) => {
      await scene.ask(asOwner(scene), change(scene.person("admin").email));
      return [await made(scene)];
    },
  },
  {
    title: "app.request_email_change refuses the caller's own address, a sixth within the hour, and a forged context",
    expected: [["22023"], ["APLIM"], ["APLIM"], ["done"], "AP499", true],
    actual: async (scene) => {
      const person = scene.person("owner");
      const before = await lockerOf(scene, person);
      const outcomes: unknown[] = [await codesOf(scene, asOwner(scene), [change(person.email)])];
      const locked = before !== (await lockerOf(scene, person));
      await verified(scene, person);
      for (const tokens of [
        several(5, { purpose: "change_email_new", age: "59 minutes" }),
        // Else an address that is verified would not be asked.
        several(5, { purpose: "change_email_old", age: "59 minutes" }),
        several(4, { purpose: "change_email_old", age: "59 minutes" }),
      ]) {
        await scene.see("savepoint counted");
        await addTokens(scene, person, tokens);
        outcomes.push(await codesOf(scene, asOwner(scene), [change(next)]));
        await scene.see("rollback to counted");
      }
      const forged = `select set_config('app.context', '${scene.person("spare").id}|||', true)`;
      return [...outcomes, await codeOf(scene.ask(null, forged, change(next))), locked];
    },
  },
  {
    title: "app.confirm_email_change waits for the other address",
    expected: [
      [["pending"]],
      [
        ["change_email_new", 1],
        ["reset_password", 1],
        ["verify_email", 1],
      ],
      [true, true, true],
    ],
    actual: async (scene) => {
      const person = scene.person("owner");
      await addTokens(scene, person, [
        { purpose: "change_email_old", key: newKey },
        { purpose: "change_email_new" },
        { purpose: "verify_email" },
      ]);
      let answer: unknown;
      const same = await staysSame(scene, [["users"], ["sessions"], ["outbox"]], async () => {
        answer = await scene.ask(asOwner(scene), confirm(newKey, mailed(oldId, oldKey)));
      });
      return [answer, await scene.see(tokensOf(person)), same];
    },
  },
  {
    title: "app.confirm_email_change changes the address with the last token, ends all and tells the old one",
    expected: [
      [["changed"], ["changed"]],
      [[[next, true]], [[next, true]]],
      [[], []],
      [[id(100), owner, "email_changed", true, nameOf(owner, next)]],
      [true, true, true, true],
    ],
    actual: async (scene) => {
      const person = scene.person("owner");
      const [answers, addresses, left]: unknown[][] = [[], [], []];
      let notice: unknown;
      let same: boolean[] = [];
      for (const purpose of ["change_email_old", "change_email_new"]) {
        await scene.see("savepoint confirmed");
        await addTokens(scene, person, [{ purpose, key: newKey }, { purpose: "verify_email" }]);
        await addTokens(scene, person, [{ purpose: "change_email_old", age: "2 hours", left: "-1 second" }]);
        await addTokens(scene, scene.person("admin"), [{ purpose: "change_email_new" }]);
        same = await staysSame(scene, notOf(person), async () => {
          answers?.push((await scene.ask(asOwner(scene), confirm(newKey, mailed(oldId, oldKey))))[0]);
        });
        addresses?.push(await scene.see(addressOf(person)));
        left?.push(await scene.see(tokensOf(person)));
        notice = await scene.see(messageMade(oldId, oldKey));
        await scene.see("rollback to confirmed");
      }
      return [answers, addresses, left, notice, same];
    },
  },
  {
    title: "app.confirm_email_change takes no other token, and locks the account also in vain",
    expected: [["APTOK", "APTOK", "APTOK", "APTOK", "APTOK"], [true, true, true, true], true, "AP499"],
    actual: async (scene) => {
      const outcomes: unknown[] = [];
      const same = await staysSame(scene, everything, async () => {
        for (const [who, token] of [
          ["owner", { purpose: "change_email_new", left: "-1 second" }],
          ["owner", { purpose: "verify_email" }],
          ["owner", { purpose: "reset_password" }],
          ["admin", { purpose: "change_email_new" }],
          ["owner", { purpose: "change_email_old", key: oldKey }],
        ] as const) {
          await scene.see("savepoint tried");
          await addTokens(scene, scene.person(who), [{ key: newKey, ...token }]);
          outcomes.push(await codeOf(scene.ask(asOwner(scene), confirm(newKey))));
          await scene.see("rollback to tried");
        }
      });
      const before = await lockerOf(scene, scene.person("owner"));
      await scene.see("savepoint locked");
      await codeOf(scene.ask(asOwner(scene), confirm(newKey)));
      await scene.see("rollback to locked");
      const locked = before !== (await lockerOf(scene, scene.person("owner")));
      const forged = `select set_config('app.context', '${scene.person("spare").id}|||', true)`;
      return [outcomes, same, locked, await codeOf(scene.ask(null, forged, confirm(newKey)))];
    },
  },
];
