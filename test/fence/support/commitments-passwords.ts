import { id } from "./people.ts";
import { codeOf, lockerOf, staysSame, text, type Commitment, type Scene } from "./scene.ts";

const newHash = `$2b$04$${"n".repeat(22)}${"x".repeat(31)}`;
const messageId = id(8003);
const messageKey = "\\x0d";
const others = `id <> '${messageId}'`;

const forget = (email: string) => `select app.forgot_password(${text(email)}, '${messageId}', ${text(messageKey)})`;
const reset = (key: string, notice = "") =>
  `select app.reset_password(${text(key)}, 2, ${text(newHash.slice(0, 29))}, ${text(newHash)}, 'here'${notice})`;
const notice = `, '${messageId}', ${text(messageKey)}`;

const made = `select key_hash = sha256(${text(messageKey)}), user_id, recipient, template, data::text, attempts, next_attempt_at <= now()::timestamptz(3), last_error, dead_at
  from outbox where id = '${messageId}'`;
const tokenMade = `select user_id, purpose, key_hash = sha256(${text(messageKey)}), expires_at = (now() + interval '1 hour')::timestamptz(3)
  from one_time_tokens where id = '${messageId}'`;
const toNobody = [[true, null, null, "reset_password", "{}", 0, true, null, null]];
const nameOf = (email: string) => `{"name" : "Name of ${email}"}`;

/** More tokens of the owner, past the foreign key's look at the account, which would lock it as well. */
const addTokens = (scene: Scene, count: number, age: string) =>
  scene.see(
    `set local session_replication_role = replica;
     insert into one_time_tokens (id, user_id, purpose, key_hash, created_at, expires_at)
     select gen_random_uuid(), '${scene.person("owner").id}', 'reset_password', sha256(('${age}' || n)::bytea), now() - interval '${age}', now() + interval '1 minute'
       from generate_series(1, ${count}) n`,
  );

/** Forgotten passwords, and that one replaced at the same moment does not sign in. */
export const passwordCommitments: Commitment[] = [
  {
    title: "app.forgot_password mails one token to an address that has an account",
    expected: [
      [[id(100), "reset_password", true, true]],
      [
        [
          true,
          id(100),
          "person-100@example.test",
          "reset_password",
          nameOf("person-100@example.test"),
          0,
          true,
          null,
          null,
        ],
      ],
      [true, true, true, true],
    ],
    actual: async (scene) => {
      const same = await staysSame(
        scene,
        [["one_time_tokens", others], ["outbox", others], ["users"], ["sessions"]],
        () => scene.ask(null, forget(scene.person("owner").email)),
      );
      return [await scene.see(tokenMade), await scene.see(made), same];
    },
  },
  {
    title: "app.forgot_password mails nobody for an address that is unknown or disabled",
    expected: [toNobody, toNobody, [true, true]],
    actual: async (scene) => {
      const found: unknown[] = [];
      const same = await staysSame(scene, [["one_time_tokens"], ["outbox", others]], async () => {
        for (const email of ["unknown@example.test", scene.person("disabled").email]) {
          await scene.see(`delete from outbox where id = '${messageId}'`);
          await scene.ask(null, forget(email));
          found.push(await scene.see(made));
        }
      });
      return [...found, same];
    },
  },
  {
    title: "app.forgot_password makes five tokens an hour, and locks the account while it counts",
    expected: [toNobody, [], [true], true],
    actual: async (scene) => {
      const owner = scene.person("owner");
      await addTokens(scene, 4, "59 minutes");
      const before = await lockerOf(scene, owner);
      const same = await staysSame(scene, [["one_time_tokens"]], () => scene.ask(null, forget(owner.email)));
      return [await scene.see(made), await scene.see(tokenMade), same, before !== (await lockerOf(scene, owner))];
    },
  },
  {
    title: "app.forgot_password has the requests for one address wait for each other, also where it has no account",
    expected: [true, true],
    actual: async (scene) => {
      const found: unknown[] = [];
      for (const email of [scene.person("owner").email, "unknown@example.test"]) {
        await scene.see("savepoint asked");
        await scene.ask(null, forget(email));
        // A key of 64 bits stands in two columns of 32.
        const [[isHeld] = []] = await scene.see(
          `select exists (select from pg_locks where locktype = 'advisory' and pid = pg_backend_pid() and objsubid = 1
              and ((classid::bigint << 32) | objid::bigint) = hashtextextended(${text(email)}, 4))`,
        );
        found.push(isHeld);
        await scene.see("rollback to asked");
      }
      return found;
    },
  },
  {
    title: "app.forgot_password counts no token that was made more than an hour ago",
    expected: [[id(100), "reset_password", true, true]],
    actual: async (scene) => {
      await addTokens(scene, 3, "59 minutes");
      await addTokens(scene, 9, "61 minutes");
      await scene.ask(null, forget(scene.person("owner").email));
      return scene.see(tokenMade);
    },
  },
  {
    title: "app.reset_password unlinks identities of the token's account alone, while nobody has verified its address",
    expected: [
      [0, [true]],
      [1, [true]],
    ],
    actual: async (scene) => {
      const { id: userId, messageKey } = scene.person("owner");
      const found: unknown[] = [];
      for (const verifiedAt of ["null", "now()"]) {
        await scene.see("savepoint asked");
        await scene.see(
          `set local session_replication_role = origin; update users set email_verified_at = case when id = '${userId}' then ${verifiedAt}::timestamptz end`,
        );
        const same = await staysSame(scene, [["identities", `user_id <> '${userId}'`]], () =>
          scene.ask(null, `select app.reset_password('${messageKey}', 1, '$2b$04$${"a".repeat(22)}', 'hash', null)`),
        );
        const [[count] = []] = await scene.see(`select count(*)::int from identities where user_id = '${userId}'`);
        found.push([count, same]);
        await scene.see("rollback to asked");
      }
      return found;
    },
  },
  {
    title: "app.reset_password replaces the password of the token's account alone, and ends its sessions and tokens",
    expected: [[[2, true, true, true]], [[true, true]], [[0]], [true, true, true, true, true]],
    actual: async (scene) => {
      const owner = scene.person("owner");
      await addTokens(scene, 2, "1 minute");
      await scene.see(
        `set local session_replication_role = origin; update users set email_verified_at = null where id = '${owner.id}'`,
      );
      const revoked = `select array_agg(revoked_at order by id)::text from sessions where user_id = '${owner.id}' and id <> '${owner.sessionId}'`;
      const [[before] = []] = await scene.see(revoked);
      const same = await staysSame(
        scene,
        [
          ["users", `id <> '${owner.id}'`],
          ["sessions", `user_id <> '${owner.id}' or id <> '${owner.sessionId}'`],
          ["one_time_tokens", `user_id <> '${owner.id}'`],
          ["outbox"],
          ["idempotency_keys"],
        ],
        () => scene.ask(null, reset(owner.messageKey)),
      );
      return [
        await scene.see(
          `select password_scheme, password_salt = ${text(newHash.slice(0, 29))}, password_verifier = sha256(${text(newHash)}::bytea), email_verified_at = now()::timestamptz(3) from users where id = '${owner.id}'`,
        ),
        await scene.see(
          `select revoked_at = now()::timestamptz(3), (${revoked}) = ${text(String(before))} from sessions where id = '${owner.sessionId}'`,
        ),
        await scene.see(
          `select count(*)::int from one_time_tokens where user_id = '${owner.id}' and expires_at > now()`,
        ),
        same,
      ];
    },
  },
  {
    title: "app.reset_password tells the account's address of it",
    expected: [[[true, id(100), "person-100@example.test", "password_changed", 0, true]], [["here", true, true, 4]]],
    actual: async (scene) => {
      const owner = scene.person("owner");
      await scene.ask(null, reset(owner.messageKey, notice));
      return [
        await scene.see(
          `select key_hash = sha256(${text(messageKey)}), user_id, recipient, template, attempts, next_attempt_at <= now()::timestamptz(3)
             from outbox where id = '${messageId}'`,
        ),
        await scene.see(
          `select data->>'ipAddress', data->>'name' = 'Name of ${owner.email}',
                  data->>'at' = to_char(now() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
                  (select count(*)::int from json_object_keys(data))
             from outbox where id = '${messageId}'`,
        ),
      ];
    },
  },
  {
    title: "app.reset_password takes no token that is unknown, expired, used or for something else, nor what is stored",
    expected: [
      ["APTOK", "APTOK", "APTOK", "APTOK", "done", "APTOK"],
      [true, true, true, true],
    ],
    actual: async (scene) => {
      const [owner, admin, member] = [scene.person("owner"), scene.person("admin"), scene.person("member")];
      await scene.see(
        `alter table one_time_tokens drop constraint one_time_tokens_purpose_known, drop constraint one_time_tokens_email_given;
         update one_time_tokens set purpose = 'other' where id = '${owner.messageId}';
         update one_time_tokens set expires_at = now() - interval '1 second' where id = '${admin.messageId}';
         insert into one_time_tokens (id, user_id, purpose, key_hash, expires_at)
         values ('${id(8004)}', '${admin.id}', 'reset_password', sha256('another'), now() + interval '1 hour')`,
      );
      const [[hash] = []] = await scene.see(
        `select key_hash::text from one_time_tokens where id = '${member.messageId}'`,
      );
      const codes: unknown[] = [];
      const attempt = async (key: string) => {
        await scene.see("savepoint tried");
        const code = await codeOf(scene.ask(null, reset(key, notice)));
        if (code !== "done") await scene.see("rollback to tried");
        codes.push(code);
      };
      const same = await staysSame(scene, [["users"], ["sessions"], ["one_time_tokens"], ["outbox"]], async () => {
        for (const key of [messageKey, String(hash), owner.messageKey, admin.messageKey]) await attempt(key);
      });
      await attempt(member.messageKey);
      await attempt(member.messageKey);
      return [codes, same];
    },
  },
  {
    title: "app.sign_in locks the account, so that no session begins with a password that is replaced meanwhile",
    expected: true,
    actual: async (scene) => {
      const owner = scene.person("owner");
      // Past the foreign key of the session, which would lock the account as well.
      await scene.see("set local session_replication_role = replica");
      const before = await lockerOf(scene, owner);
      await scene.ask(
        null,
        `select from app.sign_in(${text(owner.email)}, ${text(owner.hash)}, '${id(8001)}', '\\x08', '1 day', 'here', 'agent')`,
      );
      return before !== (await lockerOf(scene, owner));
    },
  },
];
