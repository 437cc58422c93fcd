import {
  claim,
  endpoint,
  giveEndpoint,
  giveMessages,
  messageId,
  messagesOf,
  mine,
  past,
  settle,
  theirs,
  workerKeys,
  type GivenMessage,
} from "./hooking.ts";
import { id, organizations } from "./people.ts";
import { codesOf, staysSame, type Commitment } from "./scene.ts";

const keys = ["\\x", `\\x${"0d".repeat(32)}`, `\\x${"0d".repeat(64)}`];
const byNumber = (a: unknown, b: unknown) => Number(a) - Number(b);
const range = (from: number, to: number, message: (n: number) => Omit<GivenMessage, "n">): GivenMessage[] =>
  Array.from({ length: to - from + 1 }, (_, index) => ({ n: from + index, ...message(from + index) }));

/** What is sent, and when it is sent again. */
export const webhookDeliveryCommitments: Commitment[] = [
  {
    title: "app.claim_webhooks and app.settle_webhook are for the Worker alone",
    expected: [
      ["APWRK", "APWRK", "APWRK"],
      ["APWRK", "APWRK", "APWRK"],
      [true, true],
    ],
    actual: async (scene) => {
      await giveEndpoint(scene);
      await giveMessages(scene, { n: 1, due: "-1 minutes" }, { n: 2, attempts: 1, due: "-1 minutes" });
      const found: unknown[] = [];
      const same = await staysSame(scene, [["webhook_messages"], ["webhook_endpoints"]], async () => {
        found.push(
          await codesOf(
            scene,
            null,
            keys.map((wrong) => claim(9, wrong)),
          ),
          await codesOf(
            scene,
            null,
            keys.map((wrong) => settle({ n: 2, status: 204, keys: wrong })),
          ),
        );
      });
      return [...found, same];
    },
  },
  {
    title: "app.claim_webhooks takes what is due for five minutes, with where it goes and what signs it",
    expected: [
      [
        [1, mine, endpoint, "https://mine.test/9801", "secret", null, 3, { n: 1 }],
        [2, mine, endpoint, "https://mine.test/9801", "secret", null, 1, { n: 2 }],
        [7, mine, id(9802), "https://mine.test/9802", "secret", "before", 1, { n: 7 }],
        [8, mine, id(9803), "https://mine.test/9803", "secret", null, 1, { n: 8 }],
        [9, theirs, endpoint, "https://theirs.test/9801", "secret", null, 1, { n: 9 }],
      ],
      [
        [1, "pending", 3, "-00:01:00", "00:05:00", null],
        [2, "pending", 1, "-00:00:01", "00:05:00", null],
        [3, "pending", 0, "00:01:00", null, null],
        [4, "pending", 0, null, null, null],
        [5, "pending", 1, "-00:01:00", "00:01:00", null],
        [6, "dead", 1, "-00:01:00", null, "-1 days"],
        [7, "pending", 1, "-00:01:00", "00:05:00", null],
        [8, "pending", 1, "-00:01:00", "00:05:00", null],
        [9, "pending", 0, "00:01:00", null, null],
        [10, "dead", 0, null, null, "00:00:00"],
      ],
      [
        [1, "pending", 0, "00:01:00", null, null],
        [9, "pending", 1, "-00:01:00", "00:05:00", null],
      ],
      [],
    ],
    actual: async (scene) => {
      await giveEndpoint(scene);
      await giveEndpoint(scene, { organization: theirs });
      await giveEndpoint(scene, { id: id(9802) });
      await giveEndpoint(scene, { id: id(9803) });
      await giveEndpoint(scene, { id: id(9804), disabled: true });
      await past(
        scene,
        `update webhook_endpoints set previous_sealed_secret = 'before', previous_expires_at = now() + interval '1 minute' where id = '${id(9802)}';
         update webhook_endpoints set previous_sealed_secret = 'before', previous_expires_at = now() - interval '1 minute' where id = '${id(9803)}'`,
      );
      await giveMessages(
        scene,
        { n: 1, attempts: 2, due: "-1 minutes", leased: "-1 minutes" },
        { n: 2, due: "-1 seconds" },
        { n: 3, due: "1 minute" },
        { n: 4 },
        { n: 5, attempts: 1, due: "-1 minutes", leased: "1 minute" },
        { n: 6, attempts: 1, due: "-1 minutes", status: "dead" },
        { n: 7, endpoint: id(9802), due: "-1 minutes" },
        { n: 8, endpoint: id(9803), due: "-1 minutes" },
        // Of the same id, and of an endpoint of the same id.
        { n: 1, organization: theirs, due: "1 minute" },
        { n: 9, due: "1 minute" },
        { n: 9, organization: theirs, due: "-1 minutes" },
        { n: 10, endpoint: id(9804), due: "-1 minutes" },
      );
      return [
        await scene.ask(null, claim()),
        await messagesOf(scene),
        await messagesOf(scene, theirs),
        await scene.ask(null, claim()),
      ];
    },
  },
  {
    title: "app.claim_webhooks takes 10 of an endpoint, and one at a time of one that fails, the oldest first",
    expected: [
      [3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 23, 36],
      [1, 2],
      [22, 36],
    ],
    actual: async (scene) => {
      await giveEndpoint(scene);
      await giveEndpoint(scene, { id: id(9802), failingSince: "1 minute" });
      await giveEndpoint(scene, { organization: theirs, failingSince: "1 minute" });
      await giveMessages(
        scene,
        ...range(1, 12, (n) => ({ due: `-${n} minutes` })),
        // In nobody's place: what is settled, and what somebody is at.
        ...range(13, 14, () => ({ due: "-1 hour", status: "dead" as const })),
        ...range(15, 16, () => ({ due: "-1 hour", leased: "1 minute" })),
        ...range(21, 23, (n) => ({ endpoint: id(9802), due: `-${n} minutes` })),
        // Of an endpoint of the same id, and of one of the same organization: what somebody is at there.
        { n: 17, organization: theirs, endpoint: id(9802), due: "-1 hour", leased: "1 minute" },
        { n: 24, endpoint: id(9802), due: "-1 hour", leased: "-1 minutes", status: "dead" },
        ...range(31, 36, (n) => ({ organization: theirs, due: `-${n} minutes` })),
      );
      const numbers = async (limit = 50) => (await scene.ask(null, claim(limit))).map(([n]) => n).toSorted(byNumber);
      await scene.see("savepoint claimed");
      const found = [await numbers(), await numbers()];
      await scene.see("rollback to claimed");
      // As soon as it is known what became of the one.
      await past(
        scene,
        `update webhook_messages set status = 'dead', settled_at = now(), leased_until = now() + interval '1 minute' where id = '${messageId(23)}'`,
      );
      await past(
        scene,
        `update webhook_messages set next_attempt_at = null where endpoint_id = '${endpoint}' and organization_id = '${mine}'`,
      );
      return [...found, await numbers()];
    },
  },
  {
    title: "app.claim_webhooks takes 20 of an organization, and the first of each before the second of any",
    expected: [20, [3, 4, 6], [4, 6], [1, 2, 3, 4], [], [[7, "pending", 0, "-00:01:00", null, null]]],
    actual: async (scene) => {
      for (const endpointId of [9801, 9802, 9803].map(id)) await giveEndpoint(scene, { id: endpointId });
      await giveEndpoint(scene, { id: id(9804), disabled: true });
      await giveEndpoint(scene, { organization: theirs });
      await giveMessages(
        scene,
        ...range(1, 4, (n) => ({ due: `-${n} hours` })),
        ...range(5, 6, (n) => ({ organization: theirs, due: `-${n} minutes` })),
        // Nothing is sent to one that is disabled, and one organization's run leaves the burying to that of all.
        { n: 7, endpoint: id(9804), due: "-1 minutes" },
      );
      let buried: unknown;
      const numbers = async (limit: number, organization: string | null = null) => {
        await scene.see("savepoint claimed");
        const rows = await scene.ask(null, claim(limit, workerKeys, organization));
        buried = (await messagesOf(scene)).filter(([n]) => n === 7);
        await scene.see("rollback to claimed");
        return rows.map(([n]) => Number(n)).toSorted(byNumber);
      };
      const few = [await numbers(3), await numbers(2), await numbers(9, mine), await numbers(9, organizations.third)];
      await giveMessages(
        scene,
        ...[9801, 9802, 9803].flatMap((n, index) =>
          range(10 + 10 * index, 19 + 10 * index, (at) => ({ endpoint: id(n), due: `-${at} seconds` })),
        ),
      );
      return [(await numbers(50, mine)).length, ...few, buried];
    },
  },
  {
    title: "app_private.webhook_delay is what Standard Webhooks recommends: ten attempts in three days",
    expected: [
      "00:00:05",
      "00:05:00",
      "00:30:00",
      "02:00:00",
      "05:00:00",
      "10:00:00",
      "14:00:00",
      "20:00:00",
      "24:00:00",
      null,
    ],
    actual: async (scene) => {
      const rows = await scene.see(
        "select app_private.webhook_delay(n)::text from generate_series(1, 10) n order by n",
      );
      return rows.map(([delay]) => delay);
    },
  },
];
