import { endpoint, giveEndpoint, giveMessages, lockersOf, messageId, mine, past, subject, theirs } from "./hooking.ts";
import { id, organizations } from "./people.ts";
import type { Commitment, Scene } from "./scene.ts";

const [all, asking, other, disabled] = [id(9801), id(9802), id(9803), id(9804)];

/** Endpoints of an organization that ask for all, for teams that are made, for something else, and one that is disabled. */
async function giveEndpoints(scene: Scene): Promise<void> {
  await giveEndpoint(scene, { id: all, types: "{}" });
  await giveEndpoint(scene, { id: asking, types: "{team.deleted,team.created}" });
  await giveEndpoint(scene, { id: other, types: "{member.added}" });
  await giveEndpoint(scene, { id: disabled, types: "{}", disabled: true });
  await giveEndpoint(scene, { id: all, types: "{}", organization: theirs });
}

const record = (organization: string, about = subject, action = "team.created") =>
  `select app_private.record_event('${organization}', null, '${action}', 'team', '${about}', '{"name": "Old"}', '{"name": "New"}')`;

/** Messages that were queued: whose, to which endpoint, of what, and whether they are due or wait for another. */
const queued = (scene: Scene) =>
  scene.see(
    `select case organization_id when '${mine}' then 'mine' when '${theirs}' then 'theirs' end, right(endpoint_id::text, 4), type, right(subject_id::text, 4), status, attempts,
            next_attempt_at = now()::timestamptz(3), leased_until, settled_at, log
       from webhook_messages where id::text !~ '^019ab0de' and status = 'pending' order by id`,
  );
const due = (whose: string, of: string, about = "9700", type = "team.created", isDue: boolean | null = true) => [
  whose,
  of,
  type,
  about,
  "pending",
  0,
  isDue,
  null,
  null,
  [],
];

export const webhookQueueCommitments: Commitment[] = [
  {
    title: "an event is queued for each endpoint of its organization that is enabled and asks for it, and for no other",
    expected: [
      due("mine", "9801"),
      due("mine", "9802"),
      due("mine", "9801", "9701", "team.updated"),
      due("theirs", "9801"),
    ],
    actual: async (scene) => {
      await giveEndpoints(scene);
      await scene.see(record(mine));
      await scene.see(record(mine, id(9701), "team.updated"));
      await scene.see(record(theirs));
      await scene.see(record(organizations.third));
      return queued(scene);
    },
  },
  {
    title: "events of several organizations at once are queued for each of them, in their order",
    expected: [
      due("theirs", "9801"),
      due("mine", "9801"),
      due("mine", "9802"),
      due("mine", "9801", "9700", "team.created", null),
      due("mine", "9802", "9700", "team.created", null),
      due("theirs", "9801", "9700", "team.created", null),
    ],
    actual: async (scene) => {
      await giveEndpoints(scene);
      const event = (organization: string) =>
        `row('${organization}', null, 'team.created', 'team', '${subject}', null, null, null)::app_private.event`;
      await scene.see(
        `select app_private.record_events(array[${[organizations.third, theirs, mine, mine, theirs].map(event).join(", ")}])`,
      );
      return queued(scene);
    },
  },
  {
    title: "of one subject an endpoint gets one message after another: the next waits while one is to be delivered",
    expected: [
      due("mine", "9801"),
      due("mine", "9802"),
      due("mine", "9801", "9700", "team.created", null),
      due("mine", "9802", "9700", "team.created", null),
      due("mine", "9801", "9701"),
      due("mine", "9802", "9701"),
      due("theirs", "9801"),
    ],
    actual: async (scene) => {
      await giveEndpoints(scene);
      for (const statement of [record(mine), record(mine), record(mine, id(9701)), record(theirs)])
        await scene.see(statement);
      return queued(scene);
    },
  },
  {
    title: "app_private.is_in_the_way sees a pending message of this subject, to this endpoint of this organization",
    expected: [[true, false, false, false, false]],
    actual: async (scene) => {
      await giveEndpoints(scene);
      await giveMessages(
        scene,
        { n: 1, endpoint: all, subject },
        { n: 2, endpoint: all, subject: id(9701), status: "delivered" },
        { n: 3, endpoint: all, subject: id(9702), organization: theirs },
        { n: 4, endpoint: asking, subject: id(9703) },
      );
      const isInTheWay = (about: string) => `app_private.is_in_the_way('${mine}', '${all}', '${about}')`;
      return scene.see(`select ${[subject, ...[9701, 9702, 9703, 9704].map(id)].map(isInTheWay).join(", ")}`);
    },
  },
  {
    title: "a message tells what the trail does, without the address",
    expected: [
      [
        {
          data: {
            actor: { id: id(100), type: "user", impersonatorId: null },
            after: { name: "New" },
            before: { name: "Old" },
            subject: { id: subject, type: "team" },
            requestId: "request",
            organizationId: mine,
          },
          type: "team.created",
        },
        true,
        true,
        ["type", "timestamp", "data"],
      ],
    ],
    actual: async (scene) => {
      await giveEndpoint(scene, { types: "{}" });
      await scene.ask(
        `select app.admit('${scene.person("owner").handle}', '${mine}', 'members:read', p_request_id => 'request', p_ip_address => '192.0.2.1')`,
        "set local role none",
        record(mine),
      );
      return scene.see(
        `select (payload::jsonb - 'timestamp') #- '{data,id}',
                payload #>> '{data,id}' = (select id::text from audit_events order by id desc limit 1),
                payload ->> 'timestamp' = to_char(uuid_extract_timestamp((payload #>> '{data,id}')::uuid) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
                array(select json_object_keys(payload))
           from webhook_messages where endpoint_id = '${endpoint}'`,
      );
    },
  },
  {
    title: "whoever queues a message holds the organization's endpoints that are enabled, and no others",
    expected: ["mine 9801", "mine 9802", "mine 9803"],
    actual: async (scene) => {
      await past(scene, "delete from webhook_endpoints");
      await giveEndpoints(scene);
      const before = await lockersOf(scene);
      await scene.see("savepoint held");
      // Past the foreign key, which holds it as well.
      await past(scene, record(mine));
      const after = await lockersOf(scene);
      return [...after]
        .filter(([name, locker]) => locker !== before.get(name))
        .map(([name]) => `${name.startsWith(mine) ? "mine" : "theirs"} ${name.slice(-4)}`)
        .toSorted();
    },
  },
  {
    title: "app.purge_expired forgets messages that are settled after 30 days, and no others",
    expected: [[["1"]], [[1], [2], [3]]],
    actual: async (scene) => {
      await giveEndpoint(scene);
      await giveMessages(scene, { n: 1 }, { n: 2, status: "dead" }, { n: 3 }, { n: 4, status: "delivered" });
      const age = (n: number, ago: string) =>
        `update webhook_messages set id = (left(app_private.first_event_id(now() - interval '${ago}')::text, 24) || right(id::text, 12))::uuid where id = '${messageId(n)}'`;
      await past(
        scene,
        [age(1, "29 days 23 hours"), age(2, "1 hour"), age(3, "30 days 1 hour"), age(4, "31 days")].join(";"),
      );
      return [
        await scene.ask(null, "select app.purge_expired()"),
        await scene.see(
          `select right(id::text, 4)::int - 9100 from webhook_messages where endpoint_id = '${endpoint}' order by 1`,
        ),
      ];
    },
  },
];
