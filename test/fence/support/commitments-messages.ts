import { id, type Person } from "./people.ts";
import { staysSame, text, type Commitment, type Scene } from "./scene.ts";

export const messageId = id(8003);
export const messageKey = "\\x0d";

const claim = (ids: string[], keys: string[]) =>
  `select id, recipient, template, data->>'name', attempts from app.claim_messages('{${ids.join(",")}}', array[${keys.map(text).join(",")}]::bytea[]) order by 1`;
const settle = ({ messageId, messageKey }: Person, rest = "") =>
  `select app.settle_message('${messageId}', ${text(messageKey)}${rest})`;

/** The mails of these two alone are left, both due, the owner's for longer. */
const twoAlone = (scene: Scene) =>
  scene.see(
    `delete from outbox where user_id not in ('${scene.person("owner").id}', '${scene.person("admin").id}');
     update outbox set next_attempt_at = now() - case user_id when '${scene.person("owner").id}' then interval '2 minutes' else interval '1 minute' end`,
  );

/** Mails on their way. */
export const messageCommitments: Commitment[] = [
  {
    title: "app.due_messages gives ids of those that are due and not dead, the longest due first, as many as asked",
    expected: [[[id(3100)], [id(3101)]], [[id(3100)]], [[id(3101)]], [[id(3101)]], [[id(3101)]], []],
    actual: async (scene) => {
      await twoAlone(scene);
      const due = (limit: number) => scene.ask(null, `select * from app.due_messages(${limit})`);
      const dueBut = (ids: string[]) => scene.ask(null, `select * from app.due_messages(9, '{${ids.join(",")}}')`);
      const found = [await due(9), await due(1), await dueBut([id(3100)])];
      const change = (what: string) => scene.see(`update outbox set ${what} where id = '${id(3100)}'`);
      await change("next_attempt_at = now() + interval '1 second'");
      found.push(await due(9));
      await change("next_attempt_at = now() - interval '1 day', dead_at = now()");
      found.push(await due(9), await dueBut([id(3101)]));
      return found;
    },
  },
  {
    title: "app.claim_messages counts the attempt, and keeps the message from others for one minute",
    expected: [
      [[id(3100), "person-100@example.test", "reset_password", "Data of person-100@example.test", 4]],
      [[4, true]],
      [true],
      [],
    ],
    actual: async (scene) => {
      const { messageId, messageKey } = scene.person("owner");
      await scene.see(`update outbox set attempts = 3 where id = '${messageId}'`);
      let claimed: unknown;
      const others = await staysSame(scene, [["outbox", `id <> '${messageId}'`]], async () => {
        claimed = await scene.ask(null, claim([messageId], [messageKey]));
      });
      const kept = await scene.see(
        `select attempts, next_attempt_at = (now() + interval '1 minute')::timestamptz(3) from outbox where id = '${messageId}'`,
      );
      return [claimed, kept, others, await scene.ask(null, claim([messageId], [messageKey]))];
    },
  },
  {
    title: "app.claim_messages takes none with another's key or the stored hash, none that is dead or not due",
    expected: [[], [], [], [], [true]],
    actual: async (scene) => {
      const [owner, admin, viewer] = ["owner", "admin", "viewer"].map((name) => scene.person(name));
      if (!owner || !admin || !viewer) throw new Error("nobody is there");
      await scene.see(
        `update outbox set dead_at = now() where id = '${admin.messageId}';
         update outbox set next_attempt_at = now() + interval '1 second' where id = '${viewer.messageId}'`,
      );
      const [[hash] = []] = await scene.see(`select key_hash::text from outbox where id = '${owner.messageId}'`);
      const found: unknown[] = [];
      const same = await staysSame(scene, [["outbox"]], async () => {
        for (const [messageId, key] of [
          [owner.messageId, scene.person("member").messageKey],
          [owner.messageId, String(hash)],
          [admin.messageId, admin.messageKey],
          [viewer.messageId, viewer.messageKey],
        ] as const) {
          found.push(await scene.ask(null, claim([messageId], [key])));
        }
      });
      return [...found, same];
    },
  },
  {
    title: "app.settle_message forgets the message that was sent, and no other",
    expected: [[[false]], [true], [[0]]],
    actual: async (scene) => {
      const owner = scene.person("owner");
      let answer: unknown;
      const others = await staysSame(scene, [["outbox", `id <> '${owner.messageId}'`]], async () => {
        answer = await scene.ask(null, settle(owner));
      });
      return [answer, others, await scene.see(`select count(*)::int from outbox where id = '${owner.messageId}'`)];
    },
  },
  {
    title: "app.settle_message changes nothing with a wrong key or an unknown id, and says that it is not dead",
    expected: [[[[false]], [[false]], [[false]], [[false]]], [true]],
    actual: async (scene) => {
      const owner = scene.person("owner");
      const found: unknown[] = [];
      const same = await staysSame(scene, [["outbox"]], async () => {
        for (const rest of ["", ", 'failed', true"]) {
          found.push(await scene.ask(null, settle({ ...owner, messageKey: scene.person("admin").messageKey }, rest)));
          found.push(await scene.ask(null, settle({ ...owner, messageId: id(7999) }, rest)));
        }
      });
      return [found, same];
    },
  },
  ...(
    [
      [0, "false", "30 seconds", false],
      [1, "false", "1 minute", false],
      [3, "false", "4 minutes", false],
      [9, "false", "256 minutes", false],
      [10, "false", "6 hours", false],
      [19, "false", "6 hours", false],
      [20, "false", "6 hours", true],
      [5000, "false", "6 hours", true],
      [1, "true", "1 minute", true],
    ] as [number, string, string, boolean][]
  ).map(([attempts, final, wait, dead]): Commitment => ({
    title: `app.settle_message after ${attempts} attempts${final === "true" ? ", finally" : ""}: ${dead ? "dead" : wait}`,
    expected: [[[dead]], [["e".repeat(200), true, dead ? true : null, attempts]], [true]],
    actual: async (scene) => {
      const owner = scene.person("owner");
      await scene.see(`update outbox set attempts = ${attempts} where id = '${owner.messageId}'`);
      let answer: unknown;
      const others = await staysSame(scene, [["outbox", `id <> '${owner.messageId}'`]], async () => {
        answer = await scene.ask(null, settle(owner, `, repeat('e', 201), ${final}`));
      });
      const kept = await scene.see(
        `select last_error, next_attempt_at = (now() + interval '${wait}')::timestamptz(3), dead_at = now()::timestamptz(3), attempts
           from outbox where id = '${owner.messageId}'`,
      );
      return [answer, kept, others];
    },
  })),
  {
    title: "app.claim_messages takes each message with its own key, whatever else is asked",
    expected: [[[id(3101), "person-101@example.test", "reset_password", "Data of person-101@example.test", 1]], [true]],
    actual: async (scene) => {
      const [owner, admin] = [scene.person("owner"), scene.person("admin")];
      let claimed: unknown;
      const others = await staysSame(scene, [["outbox", `id <> '${admin.messageId}'`]], async () => {
        const keys = [admin.messageKey, admin.messageKey];
        claimed = await scene.ask(null, claim([owner.messageId, admin.messageId], keys));
      });
      return [claimed, others];
    },
  },
  {
    title: "app.purge_expired forgets tokens an hour and dead messages 30 days after their end, and nothing else",
    expected: [[["2"]], [[0, 0]], [true, true]],
    actual: async (scene) => {
      const [owner, admin] = [scene.person("owner"), scene.person("admin")];
      const age = async ({ messageId }: Person, tokenAge: string, messageAge: string) =>
        scene.see(
          `update one_time_tokens set expires_at = now() - interval '${tokenAge}' where id = '${messageId}';
           update outbox set dead_at = now() - interval '${messageAge}' where id = '${messageId}'`,
        );
      await age(owner, "59 minutes", "29 days 23 hours");
      await age(admin, "61 minutes", "30 days 1 hour");
      await scene.see("update outbox set created_at = now() - interval '1 year' where dead_at is null");
      let purged: unknown;
      const others = `id <> '${admin.messageId}'`;
      const same = await staysSame(
        scene,
        [
          ["one_time_tokens", others],
          ["outbox", others],
        ],
        async () => {
          purged = await scene.ask(null, "select app.purge_expired()");
        },
      );
      const left = await scene.see(
        `select (select count(*)::int from one_time_tokens where id = '${admin.messageId}'),
                (select count(*)::int from outbox where id = '${admin.messageId}')`,
      );
      return [purged, left, same];
    },
  },
];
