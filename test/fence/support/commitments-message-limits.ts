import { messageId, messageKey } from "./commitments-messages.ts";
import { id } from "./people.ts";
import { text, printOf, type Commitment, type Scene } from "./scene.ts";

const made = `select key_hash = sha256(${text(messageKey)}), user_id, recipient, template, data::text, attempts, next_attempt_at <= now()::timestamptz(3), last_error, dead_at
  from outbox where id = '${messageId}'`;
const stranger = "stranger@example.test";
const scopeOf = (email: string) => `app_private.mail_scope('${email}')`;
const queueTo = (scene: Scene, recipient: string | null, times: number) =>
  scene.see(
    `select app_private.queue_message(gen_random_uuid(), '\\x01', null, ${text(recipient)}, 'template', '{}') from generate_series(1, ${times})`,
  );

/** What is queued, and how many an hour to whom. */
export const messageLimitCommitments: Commitment[] = [
  {
    title: "app_private.queue_message keeps what it is given, and nothing without an id",
    expected: [[[true, id(101), "to", "template", '{"a":1}', 0, true, null, null]], true],
    actual: async (scene) => {
      const queue = (messageId: string | null) =>
        `select app_private.queue_message(${text(messageId)}, ${text(messageKey)}, '${id(101)}', 'to', 'template', '{"a":1}')`;
      await scene.see(queue(messageId));
      const row = await scene.see(made);
      const before = await printOf(scene, "outbox");
      await scene.see(queue(null));
      return [row, before === (await printOf(scene, "outbox"))];
    },
  },
  {
    title: "app_private.queue_message queues ten an hour to an address that nobody has verified",
    expected: [
      [10, 10, true],
      [10, 10, true],
      [11, 1, true],
      [12, 2, true],
    ],
    actual: async (scene) => {
      const found: unknown[] = [];
      for (const [times, age, left] of [
        [11, "0 minutes", "0 minutes"],
        [1, "59 minutes", "59 minutes"],
        [1, "61 minutes", "0 minutes"],
        [1, "30 minutes", "30 minutes"],
      ] as const) {
        await scene.see(
          `update throttles set attempted_at = now() - interval '${age}' where scope = ${scopeOf(stranger)}`,
        );
        await queueTo(scene, stranger, times);
        const [row] = await scene.see(
          `select (select count(*)::int from outbox where recipient = '${stranger}'), attempts, attempted_at = (now() - interval '${left}')::timestamptz(3)
             from throttles where scope = ${scopeOf(stranger)}`,
        );
        found.push(row);
      }
      return found;
    },
  },
  {
    title: "app_private.queue_message counts each address alone, and neither those that are verified nor nobody's",
    expected: [[[10], [1], [10], [12], [12]], [[true]]],
    actual: async (scene) => {
      const { id: userId, email } = scene.person("owner");
      await scene.see(
        `update users set email_verified_at = now() where id = '${userId}'; delete from outbox; delete from throttles`,
      );
      await queueTo(scene, stranger, 12);
      await queueTo(scene, `another-${stranger}`, 1);
      const { email: unverified } = scene.person("admin");
      await queueTo(scene, unverified, 12);
      await queueTo(scene, email, 12);
      await queueTo(scene, null, 12);
      const counts: unknown[] = [];
      for (const recipient of [stranger, `another-${stranger}`, unverified, email, null])
        counts.push(
          ...(await scene.see(
            `select count(*)::int from outbox where recipient is not distinct from ${text(recipient)}`,
          )),
        );
      const scopes = [stranger, `another-${stranger}`, unverified].map(scopeOf);
      return [
        counts,
        await scene.see(
          `select array_agg(scope order by scope) = (select array_agg(s order by s) from unnest(array[${scopes.join(",")}]) s) from throttles`,
        ),
      ];
    },
  },
  {
    title: "app_private.mail_scope is a hash by the key of seals, which nobody can make without it",
    expected: [[[32, true, false]], [[true]]],
    actual: async (scene) => {
      const plain = `sha256(convert_to('mail|${stranger}', 'UTF8'))`;
      const rows = await scene.see(
        `select length(${scopeOf(stranger)}), ${scopeOf(stranger)} = sha256(outer_key || sha256(inner_key || convert_to('mail|${stranger}', 'UTF8'))), ${scopeOf(stranger)} = ${plain}
           from app_private.seal_key`,
      );
      return [rows, await scene.see(`select ${scopeOf(stranger)} <> ${scopeOf(`another-${stranger}`)}`)];
    },
  },
];
