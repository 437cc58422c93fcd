import { keyHandle } from "./people.ts";
import { addPlan, asDefiner } from "./planning.ts";
import { attempt, codesOf, findAfterEach, letIn, type Commitment, type Scene } from "./scene.ts";
import { give, giveEnded, justNow, mine, pick, subscription, theirs, withPrices } from "./subscribing.ts";
import { create, write as fill } from "./teaming.ts";

const ask = "select app.entitlements()";

/** Let in where the plan has it. */
const withFeature = (scene: Scene, feature: string, permission = "organization:read") =>
  `select app.admit('${scene.person("viewer").handle}', '${mine}', '${permission}', false, false, false, null, null, '${feature}')`;
const keyWithFeature = (feature: string, permission = "organization:read") =>
  `select app.admit_key('${keyHandle("own")}', '${mine}', '${permission}', false, false, null, null, '${feature}')`;

/** What an admission comes to: the code, and what is said of the plans. */
async function refusalOf(scene: Scene, admission: string): Promise<unknown> {
  let said: unknown = "let in";
  await attempt(scene, () =>
    scene.ask(null, admission).catch(({ code, detail }: { code: string; detail?: string }) => {
      const { feature, plans } = JSON.parse(detail ?? "{}") as { feature?: string; plans?: { key: string }[] };
      said = [code, feature, plans?.map(({ key }) => key)];
    }),
  );
  return said;
}

const endedFor = (time: string) =>
  `update subscriptions set period_started_at = now() - interval '40 days', period_ends_at = now() - interval '${time}'`;

const features = (...given: [key: string, kind: string, limit?: number | null][]) => ({
  features: given.map(([key, kind, limit = null]) => ({ key, kind, ...(kind === "number" && { limit }) })),
});

/** Plans with more and less of each, the last of which is the default one. */
async function withPlans(scene: Scene): Promise<void> {
  const price = { prices: [{ currency: "xts", interval: "month", unitAmount: 5, perSeat: true }] };
  await withPrices(scene);
  await scene.see("update plans set archived_at = now() where archived_at is null and key not in ('trial', 'whole')");
  await scene.see("update plans set is_default = false, archived_at = now() where key = 'whole'");
  await asDefiner(
    scene,
    addPlan("five", { position: 9, ...price, ...features(["teams", "number", 5], ["members", "number", 0]) }),
    addPlan("any", { position: 8, ...features(["teams", "number"], ["sso", "boolean"]) }),
    addPlan("secret", { isPublic: false, ...features(["teams", "number", 9], ["sso", "boolean"]) }),
    addPlan("zero", { position: 1, ...features(["teams", "number", 0]) }),
    addPlan("base", { trialDays: 0, isDefault: true, position: 0, ...features(["teams", "number", 2]) }),
  );
}

/** What plans let in, and how much of it. */
export const entitlementCommitments: Commitment[] = [
  {
    title:
      "an organization has what its subscription is for while that is on trial, paid for or in its grace, and else the default",
    expected: [
      "base",
      "trial",
      "trial",
      "trial",
      "base",
      "base",
      "base",
      "base",
      "trial",
      "base",
      "trial",
      "base",
      "base",
    ],
    actual: async (scene) => {
      await withPlans(scene);
      await give(scene, "trial", { grace_ends_at: "now() + interval '1 second'", trial_ends_at: "now()" });
      const changes = [
        `delete from subscriptions where organization_id = '${mine}'`,
        "update subscriptions set status = 'trialing'",
        "update subscriptions set status = 'active'",
        "update subscriptions set status = 'past_due'",
        `update subscriptions set status = 'past_due', grace_ends_at = ${justNow}`,
        "update subscriptions set status = 'unpaid'",
        "update subscriptions set status = 'incomplete'",
        "update subscriptions set status = 'canceled', ended_at = now(), due_at = null",
        // Should nothing move them when their period ends.
        ...["13 days", "15 days"].map(endedFor),
        ...["13 days", "15 days"].map((time) => `${endedFor(time)}; update subscriptions set status = 'trialing'`),
        `${endedFor("1 second")}; update subscriptions set cancel_at_period_end = true`,
      ];
      return (
        await findAfterEach(scene, changes, async () => pick(await scene.ask(letIn(scene, "viewer"), ask), "plan.key"))
      ).flat();
    },
  },
  {
    title:
      "app.entitlements tells members what their organization's plan has, and how many they use where they are limited",
    expected: [
      ["base", 1, "Name of base"],
      [{ key: "teams", kind: "number", name: "Teams", used: "its teams", limit: 2 }],
      ["AP403", "AP400"],
      [
        ["members", null],
        ["teams", "its teams"],
      ],
      [
        ["teams", null],
        ["sso", "not said"],
      ],
      ["its members", "its teams"],
    ],
    actual: async (scene) => {
      await withPlans(scene);
      // Of none as many as of another.
      await scene.see(
        `insert into teams (organization_id, id, name) select '${mine}', gen_random_uuid(), 'Team ' || n
           from generate_series(1, 100 + (select count(*) from memberships)) n`,
      );
      const [counts = []] = await scene.see(
        `select (select count(*)::int from teams where organization_id = '${mine}'),
                (select count(*)::int from memberships where organization_id = '${mine}')`,
      );
      const name = (used: unknown) =>
        typeof used === "number" ? ["its teams", "its members"][counts.indexOf(used)] : used;
      const read = async (person = "viewer") => {
        const answer = await scene.ask(letIn(scene, person), ask);
        return { answer, data: pick(answer, "data")[0] as { key: string; used?: unknown }[] };
      };
      const { answer, data } = await read();
      const codes = [
        ...(await codesOf(scene, letIn(scene, "only domains:read", "domains:read"), [ask])),
        ...(await codesOf(scene, null, [ask])),
      ];
      const used = await findAfterEach(
        scene,
        ["five", "any"].map(
          (key) =>
            `update plans set is_default = false; update plans set is_default = true where key = '${key}' and archived_at is null`,
        ),
        async () => (await read()).data.map(({ key, used: found = "not said" }) => [key, name(found)]),
      );
      await scene.see("update plans set is_default = false");
      await scene.see("update plans set is_default = true where key = 'five' and archived_at is null");
      const whole = (await read("member")).data.map((feature) => name(feature.used));
      return [
        pick(answer, "plan.key", "plan.version", "plan.name"),
        data.map((feature) => ({ ...feature, used: name(feature.used) })),
        codes,
        ...used,
        whole,
      ];
    },
  },
  {
    title:
      "app.entitlements says when what is metered is counted anew: from the beginning of the subscription that it is had by, or else of the organization; by the calendar, or never",
    expected: [
      ["month from the subscription", "year from the subscription", "day in UTC"],
      ["month from the organization", "year from the organization", "day in UTC"],
      ["month of the calendar", null],
    ],
    actual: async (scene) => {
      await withPlans(scene);
      await scene.see(
        `insert into plan_features (plan_id, feature_key, kind, "limit", per)
         select id, 'api-requests', 'metered', 1, 'month' from plans where key in ('trial', 'base')`,
      );
      await scene.see(`update organizations set created_at = now() - interval '50 days' where id = '${mine}'`);
      await give(scene, "trial", { anchor_at: "now() - interval '40 days'" });
      await giveEnded(scene);
      await scene.see(`update subscriptions set anchor_at = now() where organization_id <> '${mine}'`);
      const times = [
        ...["subscription", "organization"].flatMap((whose) =>
          ["month", "year"].map(
            (per) =>
              `select '${per} from the ${whose}', (select min(at) from (select (a.anchor at time zone 'UTC' + n * interval '1 ${per}') at time zone 'UTC' as at from generate_series(1, 3) n) t where at > now())
                 from (select ${whose === "subscription" ? `anchor_at from subscriptions where id = '${subscription}'` : "created_at from organizations where true"} and ${whose === "subscription" ? "organization_id" : "id"} = '${mine}') a (anchor)`,
          ),
        ),
        "select 'day in UTC', (date_trunc('day', now() at time zone 'UTC') + interval '1 day') at time zone 'UTC'",
        "select 'month of the calendar', (date_trunc('month', now() at time zone 'UTC') + interval '1 month') at time zone 'UTC'",
      ].join(" union all ");
      const name = async (resetsAt: unknown) =>
        (await scene.see(`select name from (${times}) t (name, at) where at::timestamptz(3) = '${String(resetsAt)}'`))
          .flat()
          .join();
      const find = async () => {
        const [[answer] = []] = await scene.ask(letIn(scene, "viewer"), ask);
        const { data } = answer as { data: { kind: string; resetsAt?: string | null }[] };
        const resetsAt = data.find(({ kind }) => kind === "metered")?.resetsAt;
        return resetsAt === null ? null : name(resetsAt);
      };
      const findAll = () =>
        findAfterEach(
          scene,
          ["month", "year", "day"].map((per) => `update plan_features set per = '${per}' where kind = 'metered'`),
          find,
        );
      const had = await findAll();
      await scene.see("update subscriptions set status = 'unpaid' where ended_at is null");
      const byMeter = await findAfterEach(
        scene,
        ["month", "never"].map(
          (reset) =>
            `update features set reset = '${reset}' where key = 'api-requests'; update plan_features set per = '${reset === "never" ? "lifetime" : reset}' where kind = 'metered'`,
        ),
        find,
      );
      return [had, await findAll(), byMeter];
    },
  },
  {
    title:
      "app.admit and app.admit_key let in where the plan has what is asked for, and else name the plans for everybody that have it",
    expected: [
      ["let in", ["APENT", "sso", ["trial", "any"]], ["APENT", "none", []], ["APENT", "members", []]],
      ["let in", ["APENT", "sso", ["trial", "any"]], ["APENT", "none", []], ["APENT", "members", []]],
      ["let in", "let in"],
      [["APENT", "members", []], 20],
      ["AP403", "AP403"],
      ["done", "done"],
    ],
    actual: async (scene) => {
      await withPlans(scene);
      const found: unknown[] = [];
      for (const by of [(feature: string) => withFeature(scene, feature), keyWithFeature]) {
        const said: unknown[] = [];
        for (const feature of ["teams", "sso", "none", "members"]) said.push(await refusalOf(scene, by(feature)));
        found.push(said);
      }
      await give(scene, "trial");
      found.push([await refusalOf(scene, withFeature(scene, "sso")), await refusalOf(scene, keyWithFeature("sso"))]);
      await scene.see("delete from subscriptions");
      await give(scene, "five");
      const zero = await refusalOf(scene, withFeature(scene, "members"));
      await asDefiner(
        scene,
        ...Array.from({ length: 21 }, (_, n) => addPlan(`more-${n}`, features(["sso", "boolean"]))),
      );
      const [, , offered] = (await refusalOf(scene, withFeature(scene, "sso"))) as [string, string, string[]];
      found.push([zero, offered.length]);
      await scene.see("delete from subscriptions");
      await give(scene, "trial");
      found.push([
        ...(await codesOf(scene, null, [withFeature(scene, "none", "members:write")])),
        ...(await codesOf(scene, null, [keyWithFeature("none", "members:write")])),
      ]);
      // Nothing of an organization is asked about outside of one.
      found.push([
        ...(await codesOf(scene, null, [
          `select app.admit('${scene.person("viewer").handle}', null, null, false, false, false, null, null, 'none')`,
        ])),
        ...(await codesOf(scene, null, [withFeature(scene, "sso")])),
      ]);
      return found;
    },
  },
  {
    title: "app.create_team makes as many as the plan has, and else names the plans for everybody that have more",
    expected: [
      ["done", ["APENT", "teams", ["any", "five"]]],
      [["APENT", "teams", ["any", "five"]]],
      ["done"],
      ["done"],
    ],
    actual: async (scene) => {
      await withPlans(scene);
      const outcome = async () => {
        let said: unknown = "done";
        await attempt(scene, () =>
          scene.ask(fill(scene, "admin"), create()).catch(({ code, detail }: { code: string; detail?: string }) => {
            const { feature, plans } = JSON.parse(detail ?? "{}") as { feature?: string; plans?: { key: string }[] };
            said = [code, feature, plans?.map(({ key }) => key)];
          }),
        );
        return said;
      };
      const add = (organizationId: string, count: number) =>
        scene.see(
          `insert into teams (organization_id, id, name) select '${organizationId}', gen_random_uuid(), 'Filled ' || uuidv7() from generate_series(1, ${count})`,
        );
      await scene.see("delete from teams");
      await add(theirs, 3);
      await add(mine, 1);
      const first = [await outcome()];
      await add(mine, 1);
      first.push(await outcome());
      const found: unknown[] = [first];
      // A plan that names none has none.
      await give(scene, "trial");
      await scene.see("delete from teams");
      found.push(
        [await outcome()].map((said) =>
          Array.isArray(said) ? [said[0], said[1], (said[2] as string[]).filter((key) => key !== "base")] : said,
        ),
      );
      await scene.see("update features set archived_at = now() where key = 'teams'");
      found.push([await outcome()]);
      await scene.see("update features set archived_at = null; delete from subscriptions");
      return [...found, [await outcome()]];
    },
  },
  {
    title: "nobody becomes a member beyond what the plan has, or the organization's own limit",
    expected: ["APMBL", "done", "APMBL", "done", "done"],
    actual: async (scene) => {
      await withPlans(scene);
      const { count } = { count: `(select count(*) from memberships where organization_id = '${mine}')` };
      const add = `select app_private.add_member('${mine}', '${scene.person("spare").id}', '{viewer}', 'invitation')`;
      await give(scene, "five");
      const found: unknown[] = [];
      for (const [plan, own] of [
        [count, "null"],
        [`${count} + 1`, "null"],
        [`${count} + 1`, count],
        [`${count} + 1`, `${count} + 1`],
      ]) {
        await scene.see(
          `update plan_features set "limit" = ${plan} where feature_key = 'members' and "limit" is not null`,
        );
        await scene.see(`update organizations set member_limit = ${own} where id = '${mine}'`);
        found.push(await attempt(scene, () => asDefiner(scene, add)));
      }
      await scene.see(`update plan_features set "limit" = 0 where feature_key = 'members' and "limit" is not null`);
      // Whoever makes an organization is in it.
      return [...found, await attempt(scene, () => asDefiner(scene, add.replace("invitation", "creation")))];
    },
  },
];
