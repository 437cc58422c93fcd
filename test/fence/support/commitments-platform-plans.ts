import { administer, outcomeOf } from "./administering.ts";
import { addPlan, asDefiner, newPlan, withFeatures } from "./planning.ts";
import { id } from "./people.ts";
import { findAfterEach, text, type Commitment, type Scene } from "./scene.ts";
import { told } from "./telling.ts";

const create = (...given: Parameters<typeof newPlan>) =>
  `select app.create_plan(${text(JSON.stringify(newPlan(...given)))})`;
const update = (planId: string, changes: object) =>
  `select app.update_plan('${planId}', ${text(JSON.stringify(changes))})`;
const archive = (planId: string) => `select app.archive_plan('${planId}')`;

const planId = async (scene: Scene, key: string, version = 1) => {
  const [[found] = []] = await scene.see(`select id from plans where key = '${key}' and version = ${version}`);
  return String(found);
};

const outcomes = async (scene: Scene, statements: string[]) => {
  const found: unknown[] = [];
  for (const statement of statements) found.push(await outcomeOf(scene, () => administer(scene, statement)));
  return found;
};

/** What is stored of the plans of these commitments. */
const stored = (scene: Scene) =>
  scene.see(
    `select key, version, name, description, is_public, position, is_default, managed_by, archived_at is null
       from plans where key ~ '^[abf]$' order by key, version`,
  );

/** One of src/plans.ts, and one of the administrators'. */
const begin = async (scene: Scene) => {
  await withFeatures(scene);
  await asDefiner(scene, addPlan("f"), addPlan("a"), "update plans set managed_by = 'file' where key = 'f'");
};

/** As what is metered was before there were meters. */
const unmetered = "unit = null, aggregation = null, dimensions = null, reset = null";

/** How administrators of the platform see and manage plans. */
export const platformPlanCommitments: Commitment[] = [
  {
    title: "app.platform_plans lists all versions, or those of a key, the newest first, a page of them",
    expected: [["a 2", "f 1"], ["a 2", "a 1"], ["a 1"], ["a 2"], true],
    actual: async (scene) => {
      await begin(scene);
      await scene.see(
        "delete from subscriptions; delete from stripe_customers; delete from plan_prices; delete from plan_features; delete from plans where key !~ '^[af]$'",
      );
      await scene.see(`update plans set id = case key when 'a' then '${id(9701)}'::uuid else '${id(9702)}'::uuid end`);
      await asDefiner(scene, addPlan("a"));
      const list = async (key: string, before: string, limit = 2) => {
        const rows = await administer(scene, `select plan from app.platform_plans(${key}, ${before}, ${limit})`);
        return rows.map(([plan]) => plan as { id: string; key: string; version: number });
      };
      const names = (plans: Awaited<ReturnType<typeof list>>) => plans.map(({ key, version }) => `${key} ${version}`);
      const [newest] = await list("'a'", "null");
      return [
        names(await list("null", "null")),
        names(await list("'a'", "null")),
        names(await list("'a'", `'${newest?.id}'`)),
        names(await list("'a'", "null", 1)),
        ["isPublic", "position", "managedBy", "createdAt", "archivedAt"].every((member) => member in (newest ?? {})),
      ];
    },
  },
  {
    title: "app.create_plan adds the next version, never the default, and returns it",
    expected: [
      [2, "platform", false],
      [
        ["a", 1, "Name of a", "About a", true, 5, false, "platform", false],
        ["a", 2, "Name of a", "About a", true, 5, false, "platform", true],
        ["f", 1, "Name of f", "About f", true, 5, false, "file", true],
      ],
      [["first", 3]],
      [["usd", 5]],
    ],
    actual: async (scene) => {
      await begin(scene);
      const [[plan] = []] = await administer(
        scene,
        create("a", {
          isDefault: true,
          features: [{ key: "first", kind: "number", limit: 3 }],
          prices: [{ currency: "usd", interval: "year", unitAmount: 5, perSeat: false }],
        }),
      );
      const { version, managedBy, isDefault, features, prices } = plan as Record<string, any>;
      return [
        [version, managedBy, isDefault],
        await stored(scene),
        features.map(({ key, limit }: { key: string; limit: number }) => [key, limit]),
        prices.map(({ currency, unitAmount }: { currency: string; unitAmount: number }) => [currency, unitAmount]),
      ];
    },
  },
  {
    title:
      "app.create_plan refuses a key of src/plans.ts while it is sold, and features that there are not, or for periods that their meter has not",
    expected: [
      "APPLF",
      "APFEA",
      "APFEA",
      "APFEA",
      ["done done done APFEA", "APFEA done APFEA APFEA", "APFEA APFEA APFEA done", "done done done APFEA"],
      [["made"]],
    ],
    actual: async (scene) => {
      await begin(scene);
      const found = await outcomes(scene, [
        create("f"),
        create("a", {
          features: [
            { key: "first", kind: "number", limit: 1 },
            { key: "none", kind: "boolean" },
          ],
        }),
        create("a", { features: [{ key: "first", kind: "boolean" }] }),
      ]);
      await scene.see("update features set archived_at = now() where key = 'first'");
      found.push(...(await outcomes(scene, [create("a", { features: [{ key: "first", kind: "number", limit: 1 }] })])));
      const periods = await findAfterEach(
        scene,
        ["reset = 'period'", "reset = 'month'", "reset = 'never'", unmetered].map(
          (change) => `update features set ${change} where key = 'middle'`,
        ),
        async () =>
          (
            await outcomes(
              scene,
              ["day", "month", "year", "lifetime"].map((per) =>
                create(per, { features: [{ key: "middle", kind: "metered", limit: "1", per }] }),
              ),
            )
          )
            .map((outcome) => (typeof outcome === "string" ? outcome : "done"))
            .join(" "),
      );
      found.push(periods);
      await scene.see("update plans set archived_at = now() where key = 'f'");
      const made = await administer(scene, create("f"));
      return [...found, made.map(() => ["made"])];
    },
  },
  {
    title: "app.update_plan shows one version otherwise, by what it is given",
    expected: [
      [
        ["a", 1, "New", "About a", true, 5, false, "platform", false],
        ["a", 2, "Name of a", "New", false, 9, false, "platform", true],
        ["f", 1, "Name of f", "About f", true, 5, false, "file", true],
      ],
      "New",
      ["APPLF", "AP404"],
    ],
    actual: async (scene) => {
      await begin(scene);
      await asDefiner(scene, addPlan("a"));
      const [[first] = []] = await administer(scene, update(await planId(scene, "a"), { name: "New" }));
      await administer(
        scene,
        update(await planId(scene, "a", 2), { description: "New", isPublic: false, position: 9 }),
      );
      const refused = [update(await planId(scene, "f"), { name: "New" }), update(id(9999), { name: "New" })];
      return [await stored(scene), (first as { name: string }).name, await outcomes(scene, refused)];
    },
  },
  {
    title: "app.archive_plan archives one version, and leaves one that is archived as it is",
    expected: [
      [
        ["a", 1, true],
        ["a", 2, true],
        ["b", 1, null],
      ],
      [true],
      ["APPLF", "AP404"],
    ],
    actual: async (scene) => {
      await begin(scene);
      await asDefiner(scene, addPlan("a"), addPlan("b"));
      await scene.see("update plans set archived_at = '2026-01-01Z' where key = 'a' and version = 1");
      await administer(scene, archive(await planId(scene, "a")));
      const [[plan] = []] = await administer(scene, archive(await planId(scene, "a", 2)));
      return [
        await scene.see(
          `select key, version, archived_at = case version when 1 then '2026-01-01Z' else now()::timestamptz(3) end
             from plans where key in ('a', 'b') order by key, version`,
        ),
        [(plan as { archivedAt: unknown }).archivedAt !== null],
        await outcomes(scene, [archive(await planId(scene, "f")), archive(id(9999))]),
      ];
    },
  },
  {
    title: "app.create_plan tells of the version that it replaces too",
    expected: [
      ["plan.archived", true],
      ["plan.created", true],
    ],
    actual: async (scene) => {
      await begin(scene);
      await asDefiner(scene, addPlan("a"));
      const sold = await planId(scene, "a", 2);
      const [[mark] = []] = await scene.see("select uuidv7()");
      await administer(scene, create("a"));
      return scene.see(
        `select action, (subject_id = '${sold}') = (action = 'plan.archived') from user_audit_events where id > '${String(mark)}' order by action`,
      );
    },
  },
  {
    title: "app.create_plan, app.update_plan and app.archive_plan have changes of plans wait for each other",
    expected: [true, true, true],
    actual: async (scene) => {
      await begin(scene);
      const found: unknown[] = [];
      for (const statement of [create("a"), update(await planId(scene, "a"), {}), archive(await planId(scene, "a"))]) {
        await scene.see("savepoint asked");
        await administer(scene, statement);
        // A key of 64 bits stands in two columns of 32.
        const [[isHeld] = []] = await scene.see(
          `select exists (select from pg_locks where locktype = 'advisory' and pid = pg_backend_pid() and objsubid = 1
              and ((classid::bigint << 32) | objid::bigint) = hashtextextended('plans', 0))`,
        );
        found.push(isHeld);
        await scene.see("rollback to asked");
      }
      return found;
    },
  },
  {
    title: "whatever is wrong with a function, no administrator changes a plan of src/plans.ts, or one that is sold",
    expected: ["done", "rows 0", "42501", "42501", "42501", "42501"],
    actual: async (scene) => {
      await begin(scene);
      await scene.see("update plans set created_at = now() - interval '1 second' where key = 'a'");
      const insertPlan = (managedBy: string, isDefault: boolean) =>
        `insert into plans (key, version, name, description, trial_days, is_default, is_public, position, managed_by)
         values ('n', 1, 'N', '', 0, ${isDefault}, true, 1, '${managedBy}')`;
      const insertPrice = (key: string) =>
        `insert into plan_prices (plan_id, currency, interval, unit_amount, per_seat) select id, 'chf', 'month', 1, true from plans where key = '${key}'`;
      const insertFeature = `insert into plan_features (plan_id, feature_key, kind) select id, 'last', 'boolean' from plans where key = 'f'`;
      const found: unknown[] = [];
      for (const statement of [
        insertPlan("platform", false),
        "update plans set name = 'Mine' where key = 'f' returning name",
        insertPlan("file", false),
        insertPrice("a"),
        insertPrice("f"),
        insertFeature,
      ]) {
        const work = () => administer(scene, "set local role none", "set local role app_platform", statement);
        const outcome = await outcomeOf(scene, work);
        found.push(
          Array.isArray(outcome) ? (statement.includes("returning") ? `rows ${outcome.length}` : "done") : outcome,
        );
      }
      return found;
    },
  },
  {
    title: "what is done to plans is told in the administrator's own trail, once, by what changed",
    expected: [
      [
        "plan.created",
        true,
        ["key", "name", "prices", "version", "features", "isPublic", "position", "trialDays", "description"].toSorted(),
      ],
      ["plan.updated", true, [{ name: "Name of b" }, { name: "New" }]],
      ["plan.archived", true, [null, null]],
    ],
    actual: async (scene) => {
      await begin(scene);
      const events = await told(scene, async () => {
        await administer(scene, create("b"));
        const b = await planId(scene, "b");
        await administer(scene, update(b, { name: "New", position: 5 }));
        await administer(scene, update(b, { name: "New" }));
        await administer(scene, archive(b));
        await administer(scene, archive(b));
      });
      return events.map((event) => {
        const [before, after] = event.slice(-2);
        const action = event[1];
        const isTheirs = event[2] === `platform_admin ${String(event[0])}`;
        return [
          action,
          isTheirs,
          action === "plan.created" ? Object.keys(after as object).toSorted() : [before, after],
        ];
      });
    },
  },
];
