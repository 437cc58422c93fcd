import {
  claim,
  endpoint,
  endpointOf,
  giveEndpoint,
  giveMessages,
  lockersOf,
  messagesOf,
  mine,
  past,
  subject,
  theirs,
  workerKeys,
  write,
} from "./hooking.ts";
import { id } from "./people.ts";
import type { Commitment, Scene } from "./scene.ts";

const other = id(9802);
const change = (scene: Scene, value: "now()" | "null") =>
  scene.ask(write(scene), `update webhook_endpoints set disabled_at = ${value} where id = '${endpoint}'`);

/** As many messages of an endpoint as asked, in the order of their ids. */
const giveMany = (scene: Scene, of: string, count: number, status: "pending" | "dead" = "pending") =>
  past(
    scene,
    `insert into webhook_messages (organization_id, endpoint_id, type, subject_id, payload, status, settled_at)
     select '${mine}', '${of}', 'team.created', gen_random_uuid(), json_build_object('n', n), '${status}', case '${status}' when 'dead' then now() end
       from generate_series(1, ${count}) n`,
  );

/** Of each endpoint how many messages are pending, and the first of them. */
const pending = (scene: Scene) =>
  scene.see(
    `select right(endpoint_id::text, 4), count(*)::int, min((payload ->> 'n')::int) from webhook_messages where status = 'pending' group by endpoint_id order by 1`,
  );

/** What becomes of messages when their endpoint is disabled, and when it is enabled again. */
export const webhookSwitchCommitments: Commitment[] = [
  {
    title: "what an endpoint was not sent is dead when it is disabled, and no message of another, nor what is settled",
    expected: [
      [["-10 days", "00:00:00", null]],
      [
        [1, "dead", 2, null, null, "00:00:00"],
        [2, "dead", 0, null, null, "00:00:00"],
        [3, "delivered", 1, null, null, "-1 days"],
        [4, "pending", 0, "01:00:00", null, null],
        [5, "pending", 0, "01:00:00", null, null],
      ],
      // Of the same ids, the endpoint too: whose id it is, is for whoever makes it to say.
      [[1, "pending", 0, "01:00:00", null, null]],
      ["mine 9801"],
    ],
    actual: async (scene) => {
      await giveEndpoint(scene, { failingSince: "10 days" });
      await giveEndpoint(scene, { id: other });
      await giveEndpoint(scene, { id: id(9803), disabled: true });
      await giveEndpoint(scene, { organization: theirs });
      await giveMessages(
        scene,
        { n: 1, attempts: 2, due: "1 hour", leased: "5 minutes" },
        { n: 2 },
        { n: 3, status: "delivered", attempts: 1 },
        { n: 4, endpoint: other, due: "1 hour" },
        { n: 5, endpoint: id(9803), due: "1 hour" },
        { n: 1, organization: theirs, due: "1 hour" },
      );
      const before = await lockersOf(scene);
      await scene.see("savepoint held");
      await scene.see(
        `set local session_replication_role = replica; alter table webhook_endpoints enable replica trigger switch_webhooks`,
      );
      await change(scene, "now()");
      const locked = [...(await lockersOf(scene))]
        .filter(([name, locker]) => locker !== before.get(name))
        .map(([name]) => `${name.startsWith(mine) ? "mine" : "theirs"} ${name.slice(-4)}`);
      return [await endpointOf(scene), await messagesOf(scene), await messagesOf(scene, theirs), locked];
    },
  },
  {
    title:
      "2,000 messages at most are dead at once, the oldest first; the next run for all organizations goes on with it",
    about: "app_private.bury_webhooks",
    expected: [
      [
        ["9801", 1, 2001],
        ["9803", 1, 1],
      ],
      [
        ["9801", 1, 2001],
        ["9803", 1, 1],
      ],
      [["9803", 1, 1]],
      [[1001]],
      [[1]],
    ],
    actual: async (scene) => {
      await giveEndpoint(scene);
      await giveEndpoint(scene, { id: id(9803) });
      await giveMany(scene, endpoint, 2000, "dead");
      await giveMany(scene, endpoint, 2001);
      await giveMany(scene, id(9803), 1);
      const found: unknown[] = [];
      await change(scene, "now()");
      found.push(await pending(scene));
      await scene.ask(null, claim(0, workerKeys, mine));
      found.push(await pending(scene));
      await scene.ask(null, claim(0));
      found.push(await pending(scene));
      // Of several endpoints together.
      await giveEndpoint(scene, { id: id(9800), disabled: true });
      await giveMany(scene, id(9800), 1500);
      await giveMany(scene, endpoint, 1500);
      for (let run = 0; run < 2; run++) {
        await scene.ask(null, claim(0));
        found.push(await scene.see("select count(*)::int from webhook_messages where status = 'pending'"));
      }
      return found;
    },
  },
  {
    title:
      "an endpoint that is enabled again has no reason, fails until it has answered, and gets what is not dead yet",
    expected: [
      [["-10 days", null, null]],
      [
        [0, "pending", 0, null, null, null],
        [1, "dead", 0, null, null, "-1 days"],
        [2, "pending", 0, "00:00:00", null, null],
        [3, "pending", 0, null, null, null],
        [4, "pending", 0, "00:00:00", null, null],
        [5, "pending", 0, null, null, null],
        [6, "pending", 1, "01:00:00", null, null],
        [7, "pending", 0, null, null, null],
      ],
      [
        [0, "pending", 0, null, null, null],
        [2, "pending", 0, null, null, null],
      ],
    ],
    actual: async (scene) => {
      await giveEndpoint(scene, { failingSince: "10 days", disabled: true });
      await giveEndpoint(scene, { id: other });
      await giveEndpoint(scene, { organization: theirs });
      await past(scene, `update webhook_endpoints set disabled_reason = 'failing' where id = '${endpoint}'`);
      await giveMessages(
        scene,
        { n: 1, subject, status: "dead" },
        { n: 2, subject },
        { n: 3, subject },
        { n: 4, subject: id(9701) },
        // Of another endpoint, one of the same subject; and behind one that is due later.
        { n: 0, endpoint: other, subject },
        { n: 5, endpoint: other, subject: id(9709) },
        { n: 6, attempts: 1, subject: id(9702), due: "1 hour" },
        { n: 7, subject: id(9702) },
        { n: 0, organization: theirs, subject },
        { n: 2, organization: theirs, subject: id(9708) },
      );
      await change(scene, "null");
      return [await endpointOf(scene), await messagesOf(scene), await messagesOf(scene, theirs)];
    },
  },
];
