import {
  endpoint,
  endpointOf,
  giveEndpoint,
  giveMessages,
  lockersOf,
  messagesOf,
  mine,
  past,
  settle,
  settleAll,
  theirs,
} from "./hooking.ts";
import { id } from "./people.ts";
import { findAfterEach, staysSame, type Commitment } from "./scene.ts";
import { told } from "./telling.ts";

const other = id(9802);
const healthy = [null, null, null];

/** What becomes of an endpoint that does not answer, or answers again. */
export const webhookFailureCommitments: Commitment[] = [
  {
    title:
      "app.settle_webhook writes down since when an endpoint fails, each for itself, and forgets it when it answers",
    expected: [
      [["00:00:00", null, null]],
      [["-01:00:00", null, null]],
      [healthy],
      [["-01:00:00", null, null]],
      [healthy],
      [["-02:00:00", null, null]],
    ],
    actual: async (scene) => {
      const endpoints = [9801, 9802, 9803, 9804].map(id);
      for (const endpointId of endpoints)
        await giveEndpoint(scene, { id: endpointId, ...(endpointId !== endpoint && { failingSince: "1 hour" }) });
      // Of the same ids: one that answers while ours fails, and one of which nothing came.
      await giveEndpoint(scene, { organization: theirs, failingSince: "2 hours" });
      await giveEndpoint(scene, { organization: theirs, id: id(9803), failingSince: "2 hours" });
      await giveMessages(scene, ...[1, 2, 3].map((n) => ({ n, attempts: 1, endpoint: endpoints[n - 1] ?? "" })), {
        n: 1,
        attempts: 1,
        organization: theirs,
      });
      await settleAll(
        scene,
        { n: 1, status: 500 },
        { n: 2, status: 500 },
        { n: 3, status: 204 },
        { n: 1, organization: theirs, status: 204 },
      );
      const found: unknown[] = [];
      for (const endpointId of endpoints) found.push(await endpointOf(scene, mine, endpointId));
      return [...found, await endpointOf(scene, theirs), await endpointOf(scene, theirs, id(9803))];
    },
  },
  {
    title:
      "app.settle_webhook sends at once what waits for an endpoint that answers after five minutes, and nothing of another",
    expected: [
      [
        [1, "delivered", 1, null, null, "00:00:00"],
        [2, "pending", 3, "00:00:00", null, null],
        [3, "pending", 0, null, null, null],
        [4, "pending", 1, "-00:10:00", null, null],
        [5, "dead", 1, "01:00:00", null, "-1 days"],
        [6, "pending", 1, "01:00:00", null, null],
        [7, "delivered", 1, null, null, "00:00:00"],
        [8, "pending", 1, "01:00:00", null, null],
        [9, "delivered", 1, null, null, "00:00:00"],
        [10, "pending", 1, "01:00:00", null, null],
      ],
      [[2, "pending", 1, "01:00:00", null, null]],
    ],
    actual: async (scene) => {
      await giveEndpoint(scene, { failingSince: "6 minutes" });
      await giveEndpoint(scene, { id: other, failingSince: "1 hour" });
      await giveEndpoint(scene, { id: id(9803) });
      await giveEndpoint(scene, { id: id(9804), failingSince: "4 minutes" });
      await giveEndpoint(scene, { organization: theirs, failingSince: "1 hour" });
      await giveMessages(
        scene,
        { n: 1, attempts: 1 },
        { n: 2, attempts: 3, due: "1 hour" },
        { n: 3 },
        { n: 4, attempts: 1, due: "-10 minutes" },
        { n: 5, attempts: 1, due: "1 hour", status: "dead" },
        { n: 6, attempts: 1, endpoint: other, due: "1 hour" },
        // One that never failed has nothing to make up for.
        { n: 7, attempts: 1, endpoint: id(9803) },
        { n: 8, attempts: 1, endpoint: id(9803), due: "1 hour" },
        // Nor has one that failed just now.
        { n: 9, attempts: 1, endpoint: id(9804) },
        { n: 10, attempts: 1, endpoint: id(9804), due: "1 hour" },
        { n: 2, attempts: 1, organization: theirs, due: "1 hour" },
      );
      await settleAll(scene, { n: 1, status: 200 }, { n: 7, status: 200 }, { n: 9, status: 200 });
      return [await messagesOf(scene), await messagesOf(scene, theirs)];
    },
  },
  {
    title: "app.settle_webhook disables an endpoint that is gone, which is told of; what it was not sent is dead",
    expected: [
      [
        [
          "mine",
          "webhook_endpoint.updated",
          "system",
          "webhook_endpoint 9801",
          { disabledAt: null, disabledReason: null },
          { disabledAt: "now", disabledReason: "gone" },
        ],
      ],
      [["00:00:00", "00:00:00", "gone"]],
      [healthy],
      [healthy],
      [
        [1, "dead", 1, null, null, "00:00:00"],
        [2, "dead", 0, null, null, "00:00:00"],
        [3, "pending", 0, "01:00:00", null, null],
      ],
    ],
    actual: async (scene) => {
      await giveEndpoint(scene);
      await giveEndpoint(scene, { id: other });
      await giveEndpoint(scene, { organization: theirs });
      await giveMessages(
        scene,
        { n: 1, attempts: 1, leased: "5 minutes" },
        { n: 2, due: "1 hour" },
        { n: 3, endpoint: other, due: "1 hour" },
      );
      const [[now] = []] = await scene.see(
        `select to_char(now()::timestamptz(3) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`,
      );
      const events = await told(scene, () => settleAll(scene, { n: 1, status: 410, retryAfter: 60 }));
      return [
        JSON.parse(JSON.stringify(events).replaceAll(String(now), "now")),
        await endpointOf(scene),
        await endpointOf(scene, mine, other),
        await endpointOf(scene, theirs),
        await messagesOf(scene),
      ];
    },
  },
  {
    title: "app.settle_webhook disables an endpoint once a message is dead and it has answered nothing for five days",
    expected: [
      [["-4 days -23:00:00", null, null]],
      [["-5 days -01:00:00", "00:00:00", "failing"]],
      [["-5 days -01:00:00", null, null]],
      [["00:00:00", null, null]],
    ],
    actual: async (scene) => {
      await giveEndpoint(scene);
      await giveMessages(scene, { n: 1 });
      const since = (failing: string, attempts: number) =>
        `update webhook_endpoints set failing_since = ${failing} where id = '${endpoint}'; update webhook_messages set attempts = ${attempts} where endpoint_id = '${endpoint}'`;
      const found: unknown[] = [];
      for (const [failing, attempt] of [
        ["now() - interval '4 days 23 hours'", 10],
        ["now() - interval '5 days 1 hour'", 10],
        ["now() - interval '5 days 1 hour'", 9],
        ["null", 10],
      ] as const) {
        found.push(
          ...(await findAfterEach(scene, [since(failing, attempt)], async () => {
            await settleAll(scene, { n: 1, attempt, status: 500 });
            return endpointOf(scene);
          })),
        );
      }
      return found;
    },
  },
  {
    title:
      "app.settle_webhook leaves an endpoint that was disabled meanwhile as it is, and what is gone is not sent again",
    expected: [
      [["-10 days", "-01:00:00", null]],
      [
        [1, "dead", 1, null, null, "00:00:00"],
        [2, "dead", 10, null, null, "00:00:00"],
      ],
    ],
    actual: async (scene) => {
      await giveEndpoint(scene, { failingSince: "10 days" });
      await giveMessages(scene, { n: 1, attempts: 1 }, { n: 2, attempts: 10 });
      await past(
        scene,
        `update webhook_endpoints set disabled_at = now() - interval '1 hour' where id = '${endpoint}'`,
      );
      await settleAll(scene, { n: 1, status: 410 }, { n: 2, attempt: 10, status: 500 });
      return [await endpointOf(scene), await messagesOf(scene)];
    },
  },
  {
    title: "app.settle_webhook writes nothing of an endpoint that answers as it did before",
    expected: [true],
    actual: async (scene) => {
      await giveEndpoint(scene);
      await giveMessages(scene, { n: 1, attempts: 1 });
      return staysSame(scene, [["webhook_endpoints"]], () => settleAll(scene, { n: 1, status: 204 }));
    },
  },
  {
    title: "whoever settles messages holds their endpoints, and no others",
    expected: ["mine 9801", "mine 9802"],
    actual: async (scene) => {
      for (const endpointId of [endpoint, other, id(9803)])
        for (const organization of [theirs, mine]) await giveEndpoint(scene, { id: endpointId, organization });
      await giveMessages(
        scene,
        { n: 1, attempts: 1 },
        { n: 2, attempts: 1, endpoint: other },
        { n: 3, attempts: 1, endpoint: id(9803) },
        { n: 1, attempts: 1, organization: theirs, endpoint: id(9803) },
      );
      const before = await lockersOf(scene);
      await scene.see("savepoint held");
      // Past the foreign key, which holds them as well.
      await past(scene, `${settle({ n: 1, status: 204 })}; ${settle({ n: 2, status: 204 })}`);
      const after = await lockersOf(scene);
      return [...after]
        .filter(([name, locker]) => locker !== before.get(name))
        .map(([name]) => `${name.startsWith(mine) ? "mine" : "theirs"} ${name.slice(-4)}`)
        .toSorted();
    },
  },
];
