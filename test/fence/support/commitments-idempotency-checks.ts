import { asPerson, codesOf, staysSame, text, type Commitment } from "./scene.ts";

const check = (key: string, hash = "\\x01", scope: string | null = null) =>
  `select app.check_idempotency_key(${text(scope)}, ${text(key)}, ${text(hash)})`;

/** What becomes of a request that is sent again, before it is known whether it is done. */
export const idempotencyCheckCommitments: Commitment[] = [
  {
    title: "app.check_idempotency_key refuses a key as it was used by this caller within 24 hours, and takes none",
    expected: [
      ["APREP", '{"n": 1}'],
      ["APREP", "null"],
      ["APKEY", undefined],
      ["done", "done", "done"],
      ["APREP", "done"],
      ["done", "APREP", "APREP"],
      ["APREP", "AP400"],
      [true],
    ],
    actual: async (scene) => {
      const { id } = scene.person("owner");
      await scene.see(
        `insert into idempotency_keys (scope, key, request_hash, response, created_at)
         values ('user:${id}', 'used', '\\x01', '{"n": 1}', now()), ('user:${id}', 'begun', '\\x01', null, now()),
                ('user:${id}', 'old', '\\x01', null, now() - interval '24 hours 1 second'),
                ('user:${id}', 'older', '\\x01', null, now() - interval '23 hours 59 minutes'),
                ('user:${scene.person("admin").id}', 'theirs', '\\x01', null, now()), ('anonymous:0a', 'anonymous', '\\x01', null, now())`,
      );
      const outcome = async (statement: string) => {
        await scene.see("savepoint tried");
        const found = await scene.ask(asPerson(scene, "owner"), statement).then(
          () => ["done"],
          ({ code, detail }: { code: string; detail?: string }) => [code, detail],
        );
        await scene.see("rollback to tried");
        return found;
      };
      const found: unknown[] = [];
      const same = await staysSame(scene, [["idempotency_keys"]], async () => {
        found.push(await outcome(check("used")), await outcome(check("begun")), await outcome(check("used", "\\x02")));
        const own = (...statements: string[]) => codesOf(scene, asPerson(scene, "owner"), statements);
        found.push(await own(check("unused"), check("theirs"), check("anonymous")));
        found.push(
          await codesOf(scene, null, [check("anonymous", "\\x01", "\\x0a"), check("anonymous", "\\x01", "\\x0b")]),
        );
        found.push(await own(check("old"), check("older"), check("anonymous", "\\x01", "\\x0a")));
        found.push(await own(check("used")), await codesOf(scene, null, [check("used")]));
      });
      found.splice(-2, 2, (found.slice(-2) as unknown[][]).flat());
      return [...found, same];
    },
  },
];
