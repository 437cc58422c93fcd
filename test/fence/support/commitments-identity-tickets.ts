import {
  asSpare,
  everything,
  filled,
  good,
  hex,
  keys,
  link,
  sessionId,
  signIn,
  subjectOf,
  ticket,
} from "./identity-statements.ts";
import { workerKey } from "./people.ts";
import { codesOf, staysSame, text, type Commitment } from "./scene.ts";

const [nextKey, strangeKey] = [filled(0x0b), filled(0x0c)];

/** What a flow's ticket must carry, and how the Worker's keys come to be known. */
export const identityTicketCommitments: Commitment[] = [
  {
    title: "app.spend_state takes a state once, and each by itself",
    expected: [true, false, true, true],
    actual: async (scene) => {
      const found: unknown[] = [];
      for (const state of ["\\x01", "\\x01", "\\x02"]) {
        found.push((await scene.ask(null, `select app.spend_state('${state}')`))[0]?.[0]);
      }
      const [[isKept] = []] = await scene.see(
        "select exists (select from spent_challenges where key_hash = sha256('\\x01'))",
      );
      return [...found, isKept];
    },
  },
  {
    title: "a ticket without a key of the Worker's is refused, whatever its length, and nothing is done",
    expected: [
      Array.from({ length: 8 }, () => "APWRK"),
      Array.from({ length: 4 }, () => "APWRK"),
      everything.map(() => true),
    ],
    actual: async (scene) => {
      const bad = [
        ticket(1, strangeKey),
        ticket(1, strangeKey, nextKey),
        ticket(1),
        "\\x",
        hex(Buffer.concat([filled(1), workerKey.subarray(0, 31)])),
        hex(Buffer.concat([filled(1), workerKey, filled(2).subarray(0, 31)])),
        hex(Buffer.concat([filled(1), workerKey, nextKey, strangeKey])),
        hex(Buffer.concat([filled(1), filled(2), strangeKey])),
      ];
      let codes: unknown[] = [];
      let linking: unknown[] = [];
      const same = await staysSame(scene, everything, async () => {
        codes = await codesOf(
          scene,
          null,
          bad.map((wrong) => signIn({ ticket: wrong })),
        );
        linking = await codesOf(
          scene,
          asSpare(scene),
          bad.slice(0, 4).map((wrong) => link({ ticket: wrong })),
        );
      });
      return [codes, linking, same];
    },
  },
  {
    title: "a ticket that is null is refused",
    expected: ["APWRK"],
    actual: (scene) => codesOf(scene, null, [signIn().replace(text(good), "null")]),
  },
  {
    title: "the first ticket brings the Worker's key, while none is known",
    expected: [1, ["APWRK"]],
    actual: async (scene) => {
      await scene.see("delete from app_private.worker_keys");
      await scene.ask(null, signIn({ ticket: ticket(1, strangeKey) }));
      const [[count] = []] = await scene.see(
        `select count(*)::int from app_private.worker_keys where key_hash = sha256('${hex(strangeKey)}')`,
      );
      return [count, await codesOf(scene, null, [signIn({ ticket: ticket(2, workerKey) })])];
    },
  },
  {
    title: "a key beside a known one is known from then on, and forgets the other once it comes alone",
    expected: [2, 1, ["APWRK"]],
    actual: async (scene) => {
      const subject = subjectOf(scene.person("owner"));
      const count = async () => (await scene.see(keys)).length;
      await scene.ask(null, signIn({ ticket: ticket(1, nextKey, workerKey), subject }));
      const both = await count();
      await scene.see(`delete from sessions where id = '${sessionId}'`);
      await scene.ask(null, signIn({ ticket: ticket(2, nextKey), subject }));
      return [both, await count(), await codesOf(scene, null, [signIn({ ticket: ticket(3, workerKey), subject })])];
    },
  },
  {
    title: "a known key that comes beside a new one first is taken, and both are known",
    expected: [1, "done"],
    actual: async (scene) => {
      const subject = subjectOf(scene.person("owner"));
      await scene.ask(null, signIn({ ticket: ticket(1, workerKey, strangeKey), subject }));
      return [(await scene.see(keys)).length, "done"];
    },
  },
  {
    title: "a ticket is taken once, for signing in or linking, whatever else it says",
    expected: [["APOTK", "APOTK"], ["APOTK"]],
    actual: async (scene) => {
      await scene.ask(null, signIn());
      const again = [signIn(), signIn({ subject: subjectOf(scene.person("owner")) })];
      return [await codesOf(scene, null, again), await codesOf(scene, asSpare(scene), [link()])];
    },
  },
];
