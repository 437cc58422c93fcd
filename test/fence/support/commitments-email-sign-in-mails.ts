import { addTokens, asOwner, mailed, messageMade, nameOf, newId, newKey, owner } from "./mailed-tokens.ts";
import {
  codeKey,
  request,
  byCode,
  give,
  liveTokens,
  sessionMade,
  attempts,
  count,
  network,
  account,
  home,
} from "./mailed-sign-in.ts";
import { id } from "./people.ts";
import { staysSame, text, type Commitment } from "./scene.ts";

/** The mails to sign in with, and counted guesses at their codes. */
export const emailSignInMailCommitments: Commitment[] = [
  {
    title: "app.request_email_sign_in mails a token with a code for ten minutes, and ends the one before",
    expected: [
      [[id(100), "sign_in", null, true, true, 600]],
      [[id(100), owner, "sign_in", true, nameOf(owner)]],
      [[1]],
      [true, true, true, true],
    ],
    actual: async (scene) => {
      const person = scene.person("owner");
      await give(scene, person, { key: "\\x10", code: "\\x11" });
      await give(scene, scene.person("member"), { key: "\\x12", code: "\\x13" });
      const same = await staysSame(
        scene,
        [
          ["users"],
          ["sessions"],
          ["one_time_tokens", `user_id <> '${person.id}' or purpose <> 'sign_in'`],
          ["outbox", `id <> '${newId}'`],
        ],
        () => scene.ask(null, request(person.email)),
      );
      return [
        await scene.see(
          `select user_id, purpose, email, key_hash = sha256(${text(newKey)}), code_hash = sha256(${text(codeKey)}), extract(epoch from expires_at - now()::timestamptz(3))::int
             from one_time_tokens where id = '${newId}'`,
        ),
        await scene.see(messageMade(newId, newKey)),
        await scene.see(liveTokens(person)),
        same,
      ];
    },
  },
  {
    title: "app.request_email_sign_in mails nobody for an address that is unknown or disabled, and after five an hour",
    expected: [
      [[null, null, "sign_in", true, "{}"]],
      [[null, null, "sign_in", true, "{}"]],
      [[null, null, "sign_in", true, "{}"]],
      [true],
    ],
    actual: async (scene) => {
      const person = scene.person("owner");
      for (let n = 0; n < 5; n++) await give(scene, person, { key: `\\x2${n}`, code: `\\x3${n}` });
      const found: unknown[] = [];
      const same = await staysSame(scene, [["one_time_tokens"]], async () => {
        for (const email of ["unknown@example.test", scene.person("disabled").email, person.email]) {
          await scene.see("savepoint asked");
          await scene.ask(null, request(email));
          found.push(await scene.see(messageMade(newId, newKey)));
          await scene.see("rollback to asked");
        }
      });
      return [...found, same];
    },
  },
  {
    title: "app.forgot_password leaves a mail to sign in with as it is",
    expected: [[1]],
    actual: async (scene) => {
      const person = scene.person("owner");
      await give(scene, person, { key: "\\x10" });
      await scene.ask(null, `select app.forgot_password(${text(person.email)}, ${mailed(newId)})`);
      return scene.see(liveTokens(person));
    },
  },
  {
    title: "a new password or address ends the mails to sign in with",
    expected: [[[0]], [[0]], [[0]]],
    actual: async (scene) => {
      const person = scene.person("owner");
      const hash = `$2b$04$${"n".repeat(22)}${"x".repeat(31)}`;
      const password = `2, ${text(hash.slice(0, 29))}, ${text(hash)}, 'here'`;
      await give(scene, person, { key: "\\x10" });
      await addTokens(scene, person, [{ purpose: "change_email_new", key: newKey }]);
      const found: unknown[] = [];
      for (const [admission, statement] of [
        [null, `select app.reset_password(${text(person.messageKey)}, ${password})`],
        [asOwner(scene), `select app.change_password('\\x01', ${text(person.hash)}, ${password})`],
        [asOwner(scene), `select app.confirm_email_change(${text(newKey)}, null, null)`],
      ] as const) {
        await scene.see("savepoint asked");
        await scene.ask(admission, statement);
        found.push(await scene.see(liveTokens(person)));
        await scene.see("rollback to asked");
      }
      return found;
    },
  },
  {
    title: "app.sign_in_by_code counts a wrong code for the network and the account, also of nobody",
    expected: [
      [1, 1, null],
      [2, 2, null],
    ],
    actual: async (scene) => {
      const found: unknown[] = [];
      for (const email of ["unknown@example.test", owner]) {
        await scene.ask(null, byCode(email, ["\\x16"]));
        found.push(await attempts(scene));
      }
      return found;
    },
  },
  {
    title: "app.sign_in_by_code looks at no code while it must wait, and counts nothing",
    expected: [[[16, null, null, null, null]], [null, 8, null], [[1]], []],
    actual: async (scene) => {
      const person = scene.person("owner");
      await give(scene, person);
      await count(scene, account, 8);
      const answer = await scene.ask(null, byCode(person.email, [codeKey]));
      return [answer, await attempts(scene), await scene.see(liveTokens(person)), await scene.see(sessionMade)];
    },
  },
  {
    title:
      "app.sign_in_by_code settles the attempts of a right code as app.sign_in does, by the home once there is one",
    expected: [
      [3, null, 0],
      [3, 4, 0],
    ],
    actual: async (scene) => {
      const person = scene.person("member");
      const found: unknown[] = [];
      for (const isAtHome of [false, true]) {
        await scene.see("savepoint asked");
        await give(scene, person);
        await count(scene, network, 3);
        await count(scene, account, 4);
        if (isAtHome) await count(scene, home, 2);
        await scene.ask(null, byCode(person.email, [codeKey]));
        found.push(await attempts(scene));
        await scene.see("rollback to asked");
      }
      return found;
    },
  },
];
