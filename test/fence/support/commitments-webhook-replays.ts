import {
  endpoint,
  giveEndpoint,
  giveMessages,
  lockersOf,
  messageId,
  messagesOf,
  mine,
  past,
  subject,
  theirs,
  write,
} from "./hooking.ts";
import { admitKey, giveKey } from "./keys.ts";
import { id } from "./people.ts";
import { asPerson, codesOf, letIn, type Commitment, type Scene } from "./scene.ts";
import { told } from "./telling.ts";

const other = id(9802);
const replay = (n: number, endpointId = endpoint) => `select app.replay_webhook('${endpointId}', '${messageId(n)}')`;
const recover = (endpointId = endpoint, since = "2000-01-01Z") =>
  `select app.recover_webhooks('${endpointId}', '${since}')`;

/** Endpoints of the same ids here and there, and messages of all kinds. */
async function giveSettled(scene: Scene): Promise<void> {
  await giveEndpoint(scene, { failingSince: "1 hour" });
  await giveEndpoint(scene, { id: other });
  await giveEndpoint(scene, { id: id(9803), disabled: true });
  await giveEndpoint(scene, { id: id(9804), organization: theirs });
  await giveEndpoint(scene, { organization: theirs });
  await giveMessages(
    scene,
    { n: 1, attempts: 3, status: "delivered" },
    { n: 2, attempts: 10, status: "dead" },
    { n: 3, attempts: 1, due: "1 hour" },
    { n: 4, attempts: 1, status: "dead", endpoint: other },
    { n: 5, attempts: 1, status: "dead", endpoint: id(9803) },
    { n: 1, attempts: 3, status: "delivered", organization: theirs },
    { n: 6, attempts: 3, status: "delivered", organization: theirs },
    { n: 7, attempts: 3, status: "dead", organization: theirs, endpoint: id(9804) },
  );
}

/** Messages that are sent again. */
export const webhookReplayCommitments: Commitment[] = [
  {
    title:
      "app.replay_webhook sends a settled message again at once, with as many attempts as a new one, and tells of it",
    expected: [
      [
        ["mine", "webhook_message.replayed", "user owner", "webhook_message 9101", null, null],
        ["mine", "webhook_message.replayed", "user owner", "webhook_message 9102", null, null],
      ],
      [
        [1, "pending", 0, "00:00:00", null, null],
        [2, "pending", 0, "00:00:00", null, null],
        [3, "pending", 1, "01:00:00", null, null],
        [4, "dead", 1, null, null, "-1 days"],
        [5, "dead", 1, null, null, "-1 days"],
      ],
      [
        [1, "delivered", 3, null, null, "-1 days"],
        [6, "delivered", 3, null, null, "-1 days"],
        [7, "dead", 3, null, null, "-1 days"],
      ],
    ],
    actual: async (scene) => {
      await giveSettled(scene);
      const events = await told(scene, () => scene.ask(write(scene), replay(1), replay(2)));
      return [events, await messagesOf(scene), await messagesOf(scene, theirs)];
    },
  },
  {
    title:
      "app.replay_webhook knows no message of another endpoint, and sends none that is pending or of a disabled one",
    expected: [["AP404", "AP404", "AP404", "APWHP", "APWHD", "APWHD", "AP404", "AP404"]],
    actual: async (scene) => {
      await giveSettled(scene);
      return [
        await codesOf(scene, write(scene), [
          replay(4),
          replay(99),
          // Of the same endpoint's id, elsewhere.
          replay(6),
          replay(3),
          replay(5, id(9803)),
          replay(99, id(9803)),
          replay(7, id(9804)),
          replay(1, id(9899)),
        ]),
      ];
    },
  },
  {
    title: "app.replay_webhook and app.recover_webhooks ask for webhooks:write",
    expected: [
      ["AP404", "AP404"],
      ["AP404", "AP404"],
      ["AP400", "AP400"],
      ["done", "done"],
    ],
    actual: async (scene) => {
      await giveSettled(scene);
      await giveKey(scene, { of: null, scopes: "{organization:read,webhooks:write}" });
      const found: unknown[] = [];
      for (const admission of [
        letIn(scene, "only webhooks:read", "webhooks:read"),
        asPerson(scene, "owner"),
        null,
        admitKey("webhooks:write"),
      ])
        found.push(await codesOf(scene, admission, [replay(1), recover()]));
      return found;
    },
  },
  {
    title: "whoever sends messages again holds their endpoint, and no other",
    expected: ["mine 9801"],
    actual: async (scene) => {
      await giveSettled(scene);
      const before = await lockersOf(scene);
      await scene.see("savepoint held");
      // By itself: what is told of it holds all of them.
      await scene.ask(write(scene), "set local role none", `select app_private.hold_webhook_endpoint('${endpoint}')`);
      return [...(await lockersOf(scene))]
        .filter(([name, locker]) => locker !== before.get(name))
        .map(([name]) => `${name.startsWith(mine) ? "mine" : "theirs"} ${name.slice(-4)}`);
    },
  },
  {
    title: "app.recover_webhooks sends what is dead since then again, each subject in its order, and tells how many",
    expected: [
      [[5]],
      [["mine", "webhook_endpoint.recovered", "user owner", "webhook_endpoint 9801", null, { messages: 5 }]],
      [
        [1, "dead", 2, null, null, "-1 days"],
        [2, "pending", 0, "00:00:00", null, null],
        [3, "pending", 0, null, null, null],
        [4, "pending", 0, null, null, null],
        [5, "pending", 0, "00:00:00", null, null],
        [6, "pending", 0, null, null, null],
        [7, "pending", 1, "01:00:00", null, null],
        [8, "delivered", 1, null, null, "-1 days"],
        [9, "dead", 1, null, null, "-1 days"],
      ],
      [[2, "dead", 2, null, null, "-1 days"]],
    ],
    actual: async (scene) => {
      await giveEndpoint(scene);
      await giveEndpoint(scene, { id: other });
      await giveEndpoint(scene, { organization: theirs });
      const dead = { status: "dead", attempts: 2 } as const;
      await giveMessages(
        scene,
        { n: 1, ...dead, subject },
        { n: 2, ...dead, subject },
        { n: 3, ...dead, subject },
        { n: 4, ...dead, subject },
        { n: 5, ...dead, subject: id(9701) },
        { n: 6, ...dead, subject: id(9702) },
        { n: 7, attempts: 1, subject: id(9702), due: "1 hour" },
        { n: 8, attempts: 1, status: "delivered" },
        { n: 9, attempts: 1, status: "dead", endpoint: other },
        { n: 2, ...dead, organization: theirs },
      );
      // From a time that lies between the first and the others.
      await past(
        scene,
        `update webhook_messages set id = (left(app_private.first_event_id('2025-01-01Z')::text, 24) || right(id::text, 12))::uuid where id = '${messageId(1)}'`,
      );
      let count: unknown;
      const events = await told(scene, async () => {
        count = await scene.ask(write(scene), recover(endpoint, "2025-01-01T00:00:00.001Z"));
      });
      await past(
        scene,
        `update webhook_messages set id = '${messageId(1)}' where subject_id = '${subject}' and status = 'dead' and organization_id = '${mine}'`,
      );
      return [count, events, await messagesOf(scene), await messagesOf(scene, theirs)];
    },
  },
  {
    title: "app.recover_webhooks knows no endpoint of others, and sends nothing to one that is disabled",
    expected: ["AP404", "AP404", "APWHD"],
    actual: async (scene) => {
      await giveSettled(scene);
      return codesOf(scene, write(scene), [recover(id(9804)), recover(id(9899)), recover(id(9803))]);
    },
  },
  {
    title: "app.recover_webhooks takes 5000 messages at once, the oldest first",
    about: "app.recover_webhooks",
    expected: [
      [[5000]],
      [
        ["dead", 2, true],
        ["pending", 5000, true],
      ],
    ],
    actual: async (scene) => {
      await giveEndpoint(scene);
      await past(
        scene,
        `insert into webhook_messages (organization_id, id, endpoint_id, type, subject_id, payload, status, settled_at)
         select '${mine}', ('019ab0de-1000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, '${endpoint}', 'team.created', gen_random_uuid(), '{}', 'dead', now()
           from generate_series(5002, 1, -1) n`,
      );
      return [
        await scene.ask(write(scene), recover()),
        await scene.see(
          `select status, count(*)::int, case status when 'dead' then min(id::text) ^@ '019ab0de-1000-7000-8000-000000005001' else true end
             from webhook_messages where endpoint_id = '${endpoint}' group by 1 order by 1`,
        ),
      ];
    },
  },
];
