import { id, type Person } from "./people.ts";
import { codeOf, staysSame, text, type Commitment, type Scene } from "./scene.ts";
import { admission } from "./world.ts";

const next = "next@example.test";
const [newId, newKey, oldId, oldKey] = [id(8003), "\\x0d", id(8004), "\\x0e"];
const hash = `$2b$04$${"n".repeat(22)}${"x".repeat(31)}`;
const mailed = (messageId: string | null, key = newKey) =>
  `${messageId === null ? "null" : `'${messageId}'`}, ${messageId === null ? "null" : text(key)}`;

const signUp = (name: string, email: string, messageId: string | null) =>
  `select app.${name}('${id(8000)}', ${text(email)}, 'New', 2, ${text(hash.slice(0, 29))}, ${text(hash)}, ${mailed(messageId)})`;
const resend = `select app.resend_verification(${mailed(newId)})`;
const verify = (key: string) => `select app.verify_email(${text(key)})`;
const change = (email: string) =>
  `select app.request_email_change(${text(email)}, ${mailed(oldId, oldKey)}, ${mailed(newId)})`;
const confirm = (key: string, notice = mailed(null)) => `select app.confirm_email_change(${text(key)}, ${notice})`;

const asOwner = (scene: Scene) => admission(scene.person("owner"));

/** A token as a mail would give it: `key` is SHA-256 of what is in the mail. */
interface Token {
  purpose: string;
  key?: string;
  email?: string | null;
  age?: string;
  left?: string;
}

/** Past the foreign key's look at the account, which would lock it as well. */
const addTokens = (scene: Scene, { id: userId }: Person, tokens: Token[]) =>
  scene.see(
    `set local session_replication_role = replica;
     insert into one_time_tokens (id, user_id, purpose, email, key_hash, created_at, expires_at) values
     ${tokens
       .map(
         ({ purpose, key, email = next, age = "0", left = "1 minute" }) =>
           `(gen_random_uuid(), '${userId}', ${text(purpose)}, ${text(purpose === "reset_password" ? null : email)},
             ${key ? `sha256(${text(key)}::bytea)` : "sha256(gen_random_uuid()::text::bytea)"}, now() - interval '${age}', now() + interval '${left}')`,
       )
       .join(", ")};
     set local session_replication_role = origin`,
  );
const several = (count: number, token: Token): Token[] => Array.from({ length: count }, () => token);

const verified = (scene: Scene, person: Person, age = "1 day") =>
  scene.see(`update users set email_verified_at = now() - interval '${age}' where id = '${person.id}'`);

const tokensOf = ({ id: userId }: Person) =>
  `select purpose, count(*)::int from one_time_tokens where user_id = '${userId}' and expires_at > now() group by 1 order by 1`;
const tokenMade = (tokenId: string, key: string) =>
  `select user_id, purpose, email, key_hash = sha256(${text(key)}), extract(epoch from expires_at - now()::timestamptz(3))::int / 3600
     from one_time_tokens where id = '${tokenId}'`;
const messageMade = (messageId: string, key: string) =>
  `select user_id, recipient, template, key_hash = sha256(${text(key)}), data::text from outbox where id = '${messageId}'`;
const made = async (scene: Scene, tokenId = newId, key = newKey) => [
  await scene.see(tokenMade(tokenId, key)),
  await scene.see(messageMade(tokenId, key)),
];
const addressOf = ({ id: userId }: Person) =>
  `select email, email_verified_at = now()::timestamptz(3) from users where id = '${userId}'`;
const locker = async (scene: Scene, person: Person) =>
  String(await scene.see(`select xmax::text from users where id = '${person.id}'`));

/** Outcomes of each, undone before the next. */
async function outcomesOf(scene: Scene, admission: string | null, statements: string[]): Promise<unknown[]> {
  const outcomes: unknown[] = [];
  for (const statement of statements) {
    await scene.see("savepoint tried");
    outcomes.push(await codeOf(scene.ask(admission, statement)));
    await scene.see("rollback to tried");
  }
  return outcomes;
}

const owner = "person-100@example.test";
const nameOf = (email: string, newEmail?: string) =>
  `{"name" : "Name of ${email}"${newEmail ? `, "newEmail" : "${newEmail}"` : ""}}`;
const nothing = [[], []];
const everything: [table: string, condition?: string][] = [["users"], ["sessions"], ["one_time_tokens"], ["outbox"]];
const notOf = ({ id: userId }: Person): [table: string, condition?: string][] => [
  ["users", `id <> '${userId}'`],
  ["sessions"],
  ["one_time_tokens", `user_id <> '${userId}'`],
  ["outbox", `user_id <> '${userId}'`],
];

/** Accounts whose address is verified by mail, and changed. */
export const emailAddressCommitments: Commitment[] = [
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
      const before = await locker(scene, person);
      const same = await staysSame(scene, notOf(person), () => scene.ask(asOwner(scene), resend));
      return [same, await made(scene), await scene.see(tokensOf(person)), before !== (await locker(scene, person))];
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
    title: "app.verify_email verifies the caller's address with its token, and ends the others of its purpose",
    expected: [
      [[owner, true]],
      [
        ["change_email_new", 1],
        ["reset_password", 1],
      ],
      [true, true, true, true],
      true,
    ],
    actual: async (scene) => {
      const person = scene.person("owner");
      await addTokens(scene, person, [
        { purpose: "verify_email", key: newKey, email: person.email },
        { purpose: "verify_email" },
        { purpose: "change_email_new" },
      ]);
      await addTokens(scene, scene.person("admin"), [{ purpose: "verify_email" }]);
      const same = await staysSame(scene, notOf(person), () => scene.ask(asOwner(scene), verify(newKey)));
      const none = await staysSame(scene, [["outbox"]], async () => undefined);
      return [await scene.see(addressOf(person)), await scene.see(tokensOf(person)), same, none[0]];
    },
  },
  {
    title: "app.verify_email locks the account before its tokens, also in vain",
    expected: ["APTOK", true],
    actual: async (scene) => {
      const person = scene.person("owner");
      const before = await locker(scene, person);
      await scene.see("savepoint tried");
      const outcome = await codeOf(scene.ask(asOwner(scene), verify(newKey)));
      await scene.see("rollback to tried");
      return [outcome, before !== (await locker(scene, person))];
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
          `select count(*)::int from one_time_tokens where user_id = '${person.id}' and expires_at = date_trunc('milliseconds', now())`,
        ),
        await scene.see(
          `select count(*)::int from one_time_tokens where user_id = '${person.id}' and expires_at < now() - interval '1 minute'`,
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
      const before = await locker(scene, person);
      const outcomes: unknown[] = [await outcomesOf(scene, asOwner(scene), [change(person.email)])];
      const locked = before !== (await locker(scene, person));
      await verified(scene, person);
      for (const tokens of [
        several(5, { purpose: "change_email_new", age: "59 minutes" }),
        // Else an address that is verified would not be asked.
        several(5, { purpose: "change_email_old", age: "59 minutes" }),
        several(4, { purpose: "change_email_old", age: "59 minutes" }),
      ]) {
        await scene.see("savepoint counted");
        await addTokens(scene, person, tokens);
        outcomes.push(await outcomesOf(scene, asOwner(scene), [change(next)]));
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
      const before = await locker(scene, scene.person("owner"));
      await scene.see("savepoint locked");
      await codeOf(scene.ask(asOwner(scene), confirm(newKey)));
      await scene.see("rollback to locked");
      const locked = before !== (await locker(scene, scene.person("owner")));
      const forged = `select set_config('app.context', '${scene.person("spare").id}|||', true)`;
      return [outcomes, same, locked, await codeOf(scene.ask(null, forged, confirm(newKey)))];
    },
  },
];
