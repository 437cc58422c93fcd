import {
  next,
  newId,
  newKey,
  oldKey,
  mailed,
  asOwner,
  addTokens,
  several,
  verified,
  tokensOf,
  made,
  addressOf,
  owner,
  nameOf,
  nothing,
  everything,
  notOf,
} from "./mailed-tokens.ts";
import { id } from "./people.ts";
import { codeOf, lockerOf, staysSame, text, type Commitment } from "./scene.ts";

const hash = `$2b$04$${"n".repeat(22)}${"x".repeat(31)}`;
const signUp = (name: string, email: string, messageId: string | null) =>
  `select app.${name}('${id(8000)}', ${text(email)}, 'New', 2, ${text(hash.slice(0, 29))}, ${text(hash)}, ${mailed(messageId)})`;
const resend = `select app.resend_verification(${mailed(newId)})`;
const verify = (key: string) => `select app.verify_email(${text(key)})`;

/** Sign-up by mail, and addresses that are verified. */
export const emailVerificationCommitments: Commitment[] = [
  {
    title: "app.sign_up mails a token to the new address, when it is given one",
    expected: [
      [[[id(8000), "verify_email", next, true, 24]], [[id(8000), next, "verify_email", true, '{"name" : "New"}']]],
      [[next, null]],
      nothing,
    ],
    actual: async (scene) => {
      await scene.see("savepoint tried");
      await scene.ask(null, signUp("sign_up", next, newId));
      const found = [await made(scene), await scene.see(addressOf({ ...scene.person("owner"), id: id(8000) }))];
      await scene.see("rollback to tried");
      await scene.ask(null, signUp("sign_up", next, null));
      return [...found, await made(scene)];
    },
  },
  {
    title: "app.sign_up_unseen makes an account like app.sign_up",
    expected: [
      [[id(8000), next, "New", 2, true, true, null]],
      [[[id(8000), "verify_email", next, true, 24]], [[id(8000), next, "verify_email", true, '{"name" : "New"}']]],
    ],
    actual: async (scene) => {
      await scene.ask(null, signUp("sign_up_unseen", next, newId));
      return [
        await scene.see(
          `select id, email, name, password_scheme, password_salt = ${text(hash.slice(0, 29))}, password_verifier = sha256(${text(hash)}::bytea), email_verified_at
             from users where email = ${text(next)}`,
        ),
        await made(scene),
      ];
    },
  },
  {
    title: "app.sign_up_unseen leaves an account as it is, and tells its owner",
    expected: [
      [true, true],
      [[[id(100), "reset_password", null, true, 1]], [[id(100), owner, "account_exists", true, nameOf(owner)]]],
    ],
    actual: async (scene) => {
      const same = await staysSame(scene, [["users"], ["sessions"]], () =>
        scene.ask(null, signUp("sign_up_unseen", scene.person("owner").email, newId)),
      );
      return [same, await made(scene)];
    },
  },
  {
    title: "app.resend_verification mails another token to an address that is not verified",
    expected: [
      [true, true, true, true],
      [[[id(100), "verify_email", owner, true, 24]], [[id(100), owner, "verify_email", true, nameOf(owner)]]],
      [
        ["reset_password", 1],
        ["verify_email", 2],
      ],
      true,
    ],
    actual: async (scene) => {
      const person = scene.person("owner");
      await addTokens(scene, person, [{ purpose: "verify_email" }]);
      const before = await lockerOf(scene, person);
      const same = await staysSame(scene, notOf(person), () => scene.ask(asOwner(scene), resend));
      return [same, await made(scene), await scene.see(tokensOf(person)), before !== (await lockerOf(scene, person))];
    },
  },
  {
    title: "app.resend_verification mails nothing to one that is, nor for a forged context",
    expected: [[true, true, true, true], "AP499"],
    actual: async (scene) => {
      await verified(scene, scene.person("owner"));
      const same = await staysSame(scene, everything, () => scene.ask(asOwner(scene), resend));
      const forged = `select set_config('app.context', '${scene.person("spare").id}|||', true)`;
      return [same, await codeOf(scene.ask(null, forged, resend))];
    },
  },
  {
    title: "app.resend_verification mails five an hour, of this purpose and this person",
    expected: [["APLIM", "done", "done", "done"]],
    actual: async (scene) => {
      const counted = several(5, { purpose: "verify_email", age: "59 minutes" });
      const outcomes: unknown[] = [];
      for (const [who, tokens] of [
        ["owner", counted],
        ["owner", counted.slice(1)],
        ["owner", several(9, { purpose: "verify_email", age: "61 minutes" })],
        ["admin", counted],
      ] as const) {
        await scene.see("savepoint counted");
        await addTokens(scene, scene.person("owner"), several(5, { purpose: "change_email_old" }));
        await addTokens(scene, scene.person(who), [...tokens]);
        outcomes.push(await codeOf(scene.ask(asOwner(scene), resend)));
        await scene.see("rollback to counted");
      }
      return [outcomes];
    },
  },
  {
    title:
      "app.verify_email verifies the caller's address with its token, and ends the others and changes of the address",
    expected: [[[owner, true]], [["reset_password", 1]], [true, true, true, true, true]],
    actual: async (scene) => {
      const person = scene.person("owner");
      await addTokens(scene, person, [
        { purpose: "verify_email", key: newKey, email: person.email },
        { purpose: "verify_email" },
        { purpose: "change_email_new" },
      ]);
      await addTokens(scene, scene.person("admin"), [{ purpose: "verify_email" }]);
      const same = await staysSame(scene, [...notOf(person), ["outbox"]], () =>
        scene.ask(asOwner(scene), verify(newKey)),
      );
      return [await scene.see(addressOf(person)), await scene.see(tokensOf(person)), same];
    },
  },
  {
    title: "app.verify_email locks the account before its tokens, also in vain",
    expected: ["APTOK", true],
    actual: async (scene) => {
      const person = scene.person("owner");
      const before = await lockerOf(scene, person);
      await scene.see("savepoint tried");
      const outcome = await codeOf(scene.ask(asOwner(scene), verify(newKey)));
      await scene.see("rollback to tried");
      return [outcome, before !== (await lockerOf(scene, person))];
    },
  },
  {
    title: "app.verify_email keeps the time of an address that is verified already",
    expected: [[[true]]],
    actual: async (scene) => {
      const person = scene.person("owner");
      await verified(scene, person);
      await addTokens(scene, person, [{ purpose: "verify_email", key: newKey, email: person.email }]);
      await scene.ask(asOwner(scene), verify(newKey));
      return [
        await scene.see(`select email_verified_at < now() - interval '23 hours' from users where id = '${person.id}'`),
      ];
    },
  },
  {
    title: "app.verify_email takes no other token",
    expected: [
      ["APTOK", "APTOK", "APTOK", "APTOK", "APTOK", "APTOK"],
      [true, true, true, true],
    ],
    actual: async (scene) => {
      const person = scene.person("owner");
      const good = { purpose: "verify_email", email: person.email };
      const outcomes: unknown[] = [];
      const same = await staysSame(scene, everything, async () => {
        for (const [who, token] of [
          ["owner", { ...good, left: "-1 second" }],
          ["owner", { ...good, email: next }],
          ["owner", { ...good, purpose: "change_email_new" }],
          ["owner", { ...good, purpose: "reset_password" }],
          ["admin", good],
          ["owner", { ...good, key: oldKey }],
        ] as const) {
          await scene.see("savepoint tried");
          await addTokens(scene, scene.person(who), [{ key: newKey, ...token }]);
          outcomes.push(await codeOf(scene.ask(asOwner(scene), verify(newKey))));
          await scene.see("rollback to tried");
        }
      });
      return [outcomes, same];
    },
  },
];
