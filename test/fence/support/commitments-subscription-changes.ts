import { administer } from "./administering.ts";
import { change, othersOf, withMore, move, changed, invoicesOf, payAll, seats, half } from "./moving.ts";
import { id } from "./people.ts";
import { codesOf, findAfterEach, refusalsAndLocks, refusedAndLocked, type Commitment } from "./scene.ts";
import { ended, give, giveEnded, mine, pick, priceOf, subscription, theirs, write } from "./subscribing.ts";

/** How members move their organization to another plan. */
export const subscriptionChangeCommitments: Commitment[] = [
  {
    title: "app.change_subscription refuses whoever lacks billing:write, and is behind the organization's lock",
    expected: refusedAndLocked(1),
    actual: async (scene) => {
      await withMore(scene);
      await give(scene, "trial");
      return refusalsAndLocks(scene, write(scene), [change(await priceOf(scene, "dear"))]);
    },
  },
  {
    title: "app.change_subscription moves at once on trial, to a plan with one, and asks for nothing",
    expected: [
      ["trialing", "seats"],
      ["seats", "trialing", true, "+7 days", "+7 days", "now", "+7 days", null, "+7 days", null],
      ["cheap", "trialing", 1, "+7 days", "+7 days", "now", "+7 days", null, "+7 days", "dear"],
      [],
      true,
    ],
    actual: async (scene) => {
      await withMore(scene);
      await scene.see("update plans set trial_days = 0 where key = 'dear'");
      await give(scene, "trial", {
        status: "'trialing'",
        trial_ends_at: "now() + interval '7 days'",
        anchor_at: "now() + interval '7 days'",
      });
      const others = await othersOf(scene);
      await giveEnded(scene);
      await scene.see(
        `update subscriptions set scheduled_price_id = price_id where organization_id = '${mine}' and id = '${subscription}'`,
      );
      const answer = pick(await move(scene, "seats"), "status", "plan.key");
      const count = await seats(scene);
      const row = (await changed(scene)).map((value, index) => (index === 2 ? value === count : value));
      await move(scene, "cheap");
      await move(scene, "dear");
      return [answer, row, await changed(scene), await invoicesOf(scene), (await othersOf(scene)) === others];
    },
  },
  {
    title:
      "app.change_subscription asks once for what costs more for the rest of the period, and app.pay_invoice moves to it",
    expected: [
      ["active", "trial"],
      ["trial", "active", 4, null, "-7 days", "-7 days", "+7 days", null, "+7 days", null],
      [
        [
          "mine",
          "open",
          "xts",
          40,
          [
            ["Unused time: Name of trial", 1, -10, -10],
            ["Remaining time: Name of dear", 1, 50, 50],
          ],
          "-7 days",
          "+7 days",
          "now",
        ],
      ],
      ["dear", "active", 1, null, "-7 days", "-7 days", "+7 days", null, "+7 days", null],
      [["paid", "-7 days", "+7 days"]],
      true,
    ],
    actual: async (scene) => {
      await withMore(scene);
      await give(scene, "trial", { ...half, quantity: "4" });
      await scene.see(`update subscriptions set scheduled_price_id = price_id where id = '${subscription}'`);
      const others = await othersOf(scene);
      await giveEnded(scene);
      const dear = await priceOf(scene, "dear");
      // None of these is what is asked for.
      await scene.see(
        `insert into invoices (organization_id, id, subscription_id, price_id, number, status, currency, total, lines, period_starts_at, period_ends_at, due_at)
         select organization_id, gen_random_uuid(), id, '${dear}'::uuid, 90, case when id = '${ended}' or organization_id = '${theirs}' then 'open' else 'void' end, 'xts', 5, '[]'::jsonb,
                now(), now(), now() from subscriptions where id = '${subscription}'
         union all select organization_id, gen_random_uuid(), id, '${dear}'::uuid, 91, 'open', 'xts', 5, '[]'::jsonb, now(), now(), now() from subscriptions where id = '${ended}'`,
      );
      const answer = pick(await move(scene, "dear"), "status", "plan.key");
      await move(scene, "dear");
      const before = [await changed(scene), (await invoicesOf(scene)).filter(([, , , total]) => total !== 5)];
      const [[asked] = []] = await scene.see(`select id from invoices where total = 40`);
      await administer(scene, `select app.pay_invoice('${String(asked)}', null)`);
      return [
        answer,
        ...before,
        await changed(scene),
        (await invoicesOf(scene))
          .filter(([, , , total]) => total !== 5)
          .map(([, status, , , , from, until]) => [status, from, until]),
        (await othersOf(scene)) === others,
      ];
    },
  },
  {
    title: "app.change_subscription counts the seats of the plan that it moves to",
    expected: [true, true],
    actual: async (scene) => {
      await withMore(scene);
      await give(scene, "trial", { ...half, quantity: "2" });
      await move(scene, "seats");
      const count = await seats(scene);
      const [[, , , total] = []] = await invoicesOf(scene);
      await payAll(scene);
      const [, , quantity] = await changed(scene);
      return [quantity === count, Math.abs(Number(total) - ((7 * count) / 2 - 5)) <= 1];
    },
  },
  {
    title: "the period begins anew with the payment for another interval",
    expected: [
      ["trial", "active", 2, null, "-7 days", "-7 days", "+7 days", null, "+7 days", null],
      [
        [
          "mine",
          "open",
          "xts",
          895,
          [
            ["Unused time: Name of trial", 1, -5, -5],
            ["Name of long", 1, 900, 900],
          ],
          "-7 days",
          "+7 days",
          "now",
        ],
      ],
      ["long", "active", 1, null, "now", "now", "year", null, "year", null],
      [["paid", "now", "year"]],
    ],
    actual: async (scene) => {
      await withMore(scene);
      await give(scene, "trial", { ...half, quantity: "2" });
      await move(scene, "long");
      const before = [await changed(scene), await invoicesOf(scene)];
      await payAll(scene);
      return [
        ...before,
        await changed(scene),
        (await invoicesOf(scene)).map(([, status, , , , from, until]) => [status, from, until]),
      ];
    },
  },
  {
    title:
      "app.change_subscription refuses what is not on trial or paid for, prices that are not sold, and another currency",
    expected: [["APNSU"], ["APPRI", "APPRI", "APPRI", "APCUR", "done"], [["APNAC"], ["APNAC"], ["APNAC"], ["APNAC"]]],
    actual: async (scene) => {
      await withMore(scene);
      const keys = ["hidden", "gone", "secret", "foreign", "dear"];
      const statements: string[] = [];
      for (const key of keys) statements.push(change(await priceOf(scene, key)));
      const last = statements.slice(-1);
      const found: unknown[] = [await codesOf(scene, write(scene), last)];
      await give(scene, "trial", { grace_ends_at: "now()" });
      found.push(await codesOf(scene, write(scene), statements));
      const states = [
        "status = 'past_due'",
        "status = 'unpaid'",
        "status = 'incomplete'",
        "cancel_at_period_end = true",
      ];
      return [
        ...found,
        await findAfterEach(
          scene,
          states.map((state) => `update subscriptions set ${state}`),
          () => codesOf(scene, write(scene), last),
        ),
      ];
    },
  },
  {
    title: "app.change_subscription refuses a plan that has less than there is",
    expected: [
      ["members", 1, true],
      "done",
      ["members", 0, true],
      ["members", 1, true],
      ["teams", 1, 2],
      "done",
      ["teams", 0, 2],
      "done",
      "done",
    ],
    actual: async (scene) => {
      await withMore(scene);
      await give(scene, "trial");
      await scene.see("delete from teams");
      const add = (organizationId: string, count: number) =>
        scene.see(
          `insert into teams (organization_id, id, name) select '${organizationId}', gen_random_uuid(), 'Filled ' || n from generate_series(1, ${count}) n`,
        );
      await add(mine, 2);
      await add(theirs, 3);
      const count = await seats(scene);
      const statement = change(await priceOf(scene, "dear"));
      const outcome = async () => {
        await scene.see("savepoint tried");
        const found = await scene.ask(write(scene), statement).then(
          () => "done",
          ({ code, detail }: { code: string; detail?: string }) => {
            const { feature, limit, used } = JSON.parse(detail ?? "{}") as Record<string, unknown>;
            return code === "APSML" ? [feature, limit, feature === "members" ? used === count : used] : code;
          },
        );
        await scene.see("rollback to tried");
        return found;
      };
      const isDear = "plan_id = (select id from plans where key = 'dear')";
      const limitTo = (key: string, limit: string) =>
        `update plan_features set "limit" = ${limit} where feature_key = '${key}' and ${isDear}`;
      const drop = (key: string) => `delete from plan_features where feature_key = '${key}' and ${isDear}`;
      return (
        await findAfterEach(
          scene,
          [
            limitTo("members", "1"),
            limitTo("members", String(count)),
            drop("members"),
            `${limitTo("members", "1")}; ${limitTo("teams", "1")}`,
            limitTo("teams", "1"),
            limitTo("teams", "2"),
            drop("teams"),
            `${drop("teams")}; update features set archived_at = now() where key = 'teams'`,
            `select '${id(9899)}'`,
          ],
          outcome,
        )
      ).flat(0);
    },
  },
];
