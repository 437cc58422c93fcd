import {
  endpoint,
  endpointOf,
  giveEndpoint,
  giveMessages,
  messagesOf,
  past,
  settleAll,
  subject,
  theirs,
} from "./hooking.ts";
import { id } from "./people.ts";
import type { Commitment } from "./scene.ts";

const other = id(9802);
const failing = ["00:00:00", null, null];

/** What becomes of messages, and of their endpoints, by what came of an attempt. */
export const webhookResultCommitments: Commitment[] = [
  {
    title: "app.settle_webhook settles what was delivered, and says when to send all else again",
    expected: [
      [
        [1, "delivered", 1, null, null, "00:00:00"],
        [2, "delivered", 1, null, null, "00:00:00"],
        [3, "pending", 1, "00:00:05", null, null],
        [4, "pending", 1, "00:00:05", null, null],
        [5, "pending", 2, "00:05:00", null, null],
        [6, "pending", 2, "00:10:00", null, null],
        [7, "pending", 1, "06:00:00", null, null],
        [8, "pending", 9, "1 day", null, null],
        [9, "dead", 10, null, null, "00:00:00"],
        [10, "pending", 1, "00:00:05", null, null],
        [11, "pending", 2, "01:00:00", "00:05:00", null],
        [12, "delivered", 1, null, null, "-1 days"],
        [13, "pending", 1, "01:00:00", "00:05:00", null],
      ],
      [
        [1, "pending", 1, "01:00:00", "00:05:00", null],
        [12, "pending", 1, "01:00:00", "00:05:00", null],
      ],
      [failing],
      [[null, null, null]],
    ],
    actual: async (scene) => {
      await giveEndpoint(scene);
      await giveEndpoint(scene, { organization: theirs });
      const claimed = (n: number, attempts = 1) => ({ n, attempts, due: "1 hour", leased: "5 minutes" });
      await giveMessages(
        scene,
        ...[1, 2, 3, 4].map((n) => claimed(n)),
        ...[5, 6].map((n) => claimed(n, 2)),
        claimed(7),
        claimed(8, 9),
        claimed(9, 10),
        claimed(10),
        // Claimed again meanwhile; settled meanwhile; none of the answers.
        claimed(11, 2),
        { n: 12, attempts: 1, status: "delivered" },
        claimed(13),
        { ...claimed(1), organization: theirs },
        { ...claimed(12), organization: theirs },
      );
      await settleAll(
        scene,
        { n: 1, status: 200 },
        { n: 2, status: 299 },
        { n: 3, status: 199 },
        { n: 4, status: 300 },
        { n: 5, attempt: 2, status: 500, retryAfter: 10 },
        { n: 6, attempt: 2, status: 503, retryAfter: 600 },
        { n: 7, status: 429, retryAfter: 999_999 },
        { n: 8, attempt: 9, status: 500 },
        { n: 9, attempt: 10, status: 500 },
        { n: 10, status: null, error: "no answer in time" },
        { n: 11, status: 204 },
        { n: 12, status: 500 },
        { n: 99, status: 204 },
      );
      return [
        await messagesOf(scene),
        await messagesOf(scene, theirs),
        await endpointOf(scene),
        await endpointOf(scene, theirs),
      ];
    },
  },
  {
    title: "app.settle_webhook logs the last 20 attempts, with 200 characters of an error",
    expected: [
      [
        [1, true, 500, null, 7],
        [20, true, null, "x".repeat(200), 7],
      ],
      [[20, "2", true]],
    ],
    actual: async (scene) => {
      await giveEndpoint(scene);
      await giveMessages(scene, { n: 1, attempts: 1 }, { n: 2, attempts: 1 });
      const log = (n: number) => `(select jsonb_agg(jsonb_build_object('n', i)) from generate_series(1, ${n}) i)`;
      await past(scene, `update webhook_messages set log = ${log(19)} where id = '${id(9102)}'`);
      await settleAll(scene, { n: 1, status: 500 }, { n: 2, status: null, error: "x".repeat(300) });
      const last = await scene.see(
        `select jsonb_array_length(log), log -> -1 ->> 'attemptedAt' = to_char(now() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
                (log -> -1 ->> 'status')::int, log -> -1 ->> 'error', (log -> -1 ->> 'durationMs')::int
           from webhook_messages where endpoint_id = '${endpoint}' order by id`,
      );
      await past(scene, `update webhook_messages set attempts = 2 where id = '${id(9102)}'`);
      await settleAll(scene, { n: 2, attempt: 2, status: 204 });
      return [
        last,
        await scene.see(
          `select jsonb_array_length(log), log -> 0 ->> 'n', log -> -1 ->> 'status' = '204' from webhook_messages where id = '${id(9102)}'`,
        ),
      ];
    },
  },
  {
    title: "app.settle_webhook lets the next of the subject go, when one is delivered or dead, and nothing else",
    expected: [
      [
        [0, "pending", 0, null, null, null],
        [1, "delivered", 1, null, null, "00:00:00"],
        [2, "pending", 0, "00:00:00", null, null],
        [3, "pending", 0, null, null, null],
        [4, "pending", 0, null, null, null],
        [5, "pending", 0, null, null, null],
        [6, "dead", 10, null, null, "00:00:00"],
        [7, "pending", 0, "00:00:00", null, null],
        [8, "pending", 0, null, null, null],
        [9, "pending", 1, "00:00:05", null, null],
        [10, "delivered", 1, null, null, "00:00:00"],
        [11, "pending", 3, "00:10:00", null, null],
        [12, "pending", 0, null, null, null],
      ],
      [
        [2, "pending", 0, null, null, null],
        [3, "pending", 0, null, null, null],
      ],
    ],
    actual: async (scene) => {
      await giveEndpoint(scene, { failingSince: "1 hour" });
      await giveEndpoint(scene, { id: other });
      await giveEndpoint(scene, { organization: theirs });
      const [second, third, fourth] = [id(9701), id(9702), id(9703)];
      await giveMessages(
        scene,
        { n: 1, endpoint: other, attempts: 1, subject },
        { n: 2, endpoint: other, subject },
        { n: 3, endpoint: other, subject },
        // Of another subject, and to another endpoint.
        { n: 4, endpoint: other, subject: id(9709) },
        { n: 5, subject },
        { n: 0, subject },
        { n: 6, attempts: 10, subject: second },
        { n: 7, subject: second },
        { n: 8, subject: third },
        { n: 9, attempts: 1, subject: third },
        // The next was sent before, and waits for an attempt of its own.
        { n: 10, endpoint: other, attempts: 1, subject: fourth },
        { n: 11, endpoint: other, attempts: 3, subject: fourth, due: "10 minutes" },
        { n: 12, endpoint: other, subject: fourth },
        // Of the same ids elsewhere.
        { n: 2, organization: theirs, subject },
        { n: 3, organization: theirs, endpoint: other, subject },
      );
      await settleAll(
        scene,
        { n: 1, status: 204 },
        { n: 6, attempt: 10, status: 500 },
        { n: 9, status: 500 },
        { n: 10, status: 204 },
      );
      return [await messagesOf(scene), await messagesOf(scene, theirs)];
    },
  },
];
