import {
  held,
  mine,
  reservation,
  reserve,
  reserved,
  theirs,
  usageOf,
  withMeters,
  withReservations,
  write,
} from "./reserving.ts";
import { attempt, codesOf, findAfterEach, text, type Commitment, type Scene } from "./scene.ts";
import { pick } from "./subscribing.ts";

/** The code, and what is said of the meter or the plans. */
async function refusalOf(scene: Scene, statement: string): Promise<unknown> {
  let said: unknown = "done";
  await attempt(scene, () =>
    scene.ask(write(scene), statement).catch(({ code, detail }: { code: string; detail?: string }) => {
      const { feature, meter, used, remaining } = JSON.parse(detail ?? "{}") as Record<string, string>;
      said = feature ? [code, feature] : meter ? [code, meter, used, remaining] : code;
    }),
  );
  return said;
}

/** Room that is kept of what a plan has. */
export const usageReservationCommitments: Commitment[] = [
  {
    title: "app.reserve_usage keeps room until it expires, and tells how much is left",
    expected: [
      [reservation, "sum", "5.5", true, true, "0", "7.5", "2.5"],
      [
        ["mine", "9901", "sum", "5.5"],
        ["mine", "9902", "sum", "2"],
        ["theirs", "9901", "sum", "7"],
      ],
      [["mine", "sum"]],
    ],
    actual: async (scene) => {
      await withReservations(scene);
      const rows = await scene.ask(write(scene), reserve("5.50"));
      const [createdAt, expiresAt] = pick(rows, "createdAt", "expiresAt").map((time) => Date.parse(String(time)));
      const [[now] = []] = await scene.see("select extract(epoch from now())::float8 * 1000");
      const [name, meter, value, ...usage] = pick(
        rows,
        "id",
        "meter",
        "value",
        "usage.used",
        "usage.reserved",
        "usage.remaining",
      );
      const isAbout = (time: number | undefined, expected: number) => Math.abs(Number(time) - expected) < 60_000;
      const times = [isAbout(createdAt, Number(now)), isAbout(expiresAt, Number(now) + 3_600_000)];
      return [[name, meter, value, ...times, ...usage], await reserved(scene), await held(scene)];
    },
  },
  {
    title:
      "app.reserve_usage refuses what there is no such meter of, what the plan does not have, and what is no amount",
    expected: [
      "AP404",
      ["APENT", "unsold"],
      ...Array(5).fill("APVAL"),
      ["APQUO", "sum", "0", "8"],
      "done",
      "done",
      "AP404",
    ],
    actual: async (scene) => {
      await withReservations(scene);
      const found: unknown[] = [];
      for (const statement of [
        reserve("5", { meter: "none" }),
        reserve("5", { meter: "unsold" }),
        reserve("x"),
        reserve("-1"),
        reserve("0"),
        reserve(null),
        reserve("5", { meter: "max" }),
        reserve("8.1"),
        reserve("8"),
        reserve("10", { meter: "other" }),
      ]) {
        found.push(await refusalOf(scene, statement));
      }
      await scene.see("update features set archived_at = now() where key = 'sum'");
      return [...found, await refusalOf(scene, reserve())];
    },
  },
  {
    title:
      "what is reserved is of its organization, its meter and the period that it was made in, and until it expires",
    expected: [
      ["0", "2", "8"],
      ["0", "3", "7"],
      ...Array.from({ length: 5 }, () => ["0", "2", "8"]),
      ["0", "7", "3"],
      [201, "full"],
    ],
    actual: async (scene) => {
      await withReservations(scene);
      const give = (organizationId: string, columns: Record<string, string> = {}) => {
        const row = { meter: "'sum'", created_at: "now()", expires_at: "now() + interval '1 day'", ...columns };
        return `insert into usage_reservations (organization_id, id, value, ${Object.keys(row).join()})
                values ('${organizationId}', uuidv7(), 1, ${Object.values(row).join()})`;
      };
      const found: unknown[] = await findAfterEach(
        scene,
        [
          "select 1",
          give(mine),
          give(theirs),
          give(mine, { meter: "'other'" }),
          give(mine, { expires_at: "now()" }),
          give(mine, { created_at: "now() - interval '11 days'" }),
          give(mine, { created_at: "now() + interval '1 month'" }),
        ],
        () => usageOf(scene),
      );
      const statuses: unknown[] = [];
      for (const value of ["8", "8.1"]) {
        await scene.see("savepoint told");
        const events = text(JSON.stringify([{ source: "/s", id: "a", type: "sum", value }]));
        const refusals = text(JSON.stringify({ APQUO: { status: "full" } }));
        const rows = await scene.ask(write(scene), `select app.record_usage(${events}, ${refusals})`);
        statuses.push(...pick(rows, "results.0.status"));
        await scene.see("rollback to told");
      }
      return [...found, await usageOf(scene, "sum", theirs), statuses];
    },
  },
  {
    title: "app.reserve_usage keeps 1,000 of a meter at a time, apart from those that have expired",
    expected: ["done", "APRSL", "done"],
    actual: async (scene) => {
      await withMeters(scene);
      const fill = (organizationId: string, count: number, meter = "sum", expires = "now() + interval '1 day'") =>
        scene.see(
          `insert into usage_reservations (organization_id, id, meter, value, expires_at)
           select '${organizationId}', uuidv7(), '${meter}', 0.001, ${expires} from generate_series(1, ${count})`,
        );
      await fill(mine, 999);
      await fill(mine, 9, "other");
      await fill(mine, 9, "sum", "now()");
      await fill(theirs, 9);
      const first = await codesOf(scene, write(scene), [reserve("1")]);
      await fill(mine, 1);
      return [...first, ...(await codesOf(scene, write(scene), [reserve("1"), reserve("1", { meter: "other" })]))];
    },
  },
];
