import { administer } from "./administering.ts";
import { mine, whose, withMeters, write, writeTheirs } from "./reserving.ts";
import { text, type Scene } from "./scene.ts";

/** Midnight of yesterday in UTC, from which minutes are counted here. */
const midnight = () => Math.floor(Date.now() / 86_400_000) * 86_400_000 - 86_400_000;
const minute = (column: string) => `(extract(epoch from ${column})::bigint - ${midnight() / 1000}) / 60`;

type Told = [id: string, meter: string, minute: number, value?: string, rest?: object];

/** Two of a quarter and one of the same day, one of the day before, one apart by its dimension, and one of the period before; of each other meter two. */
const events: Told[] = [
  ["a", "sum", 5, "1"],
  ["c", "sum", 120, "4"],
  ["d", "sum", -1380, "0.5"],
  ["e", "sum", 5, "0.25", { dimensions: { region: "eu" } }],
  ["f", "sum", -21_600, "8"],
  ["g", "count", 5],
  ["h", "count", 6],
  ["i", "unique", 5, "x"],
  ["j", "unique", 5, "y"],
  ["k", "last", 5, "1"],
  ["l", "last", 6, "2"],
  ["m", "max", 5, "3"],
  ["n", "max", 6, "9"],
];

const record = (told: Told[]) =>
  `select app.record_usage(${text(
    JSON.stringify(
      told.map(([id, type, minutes, value = null, rest]) => {
        const time = new Date(midnight() + minutes * 60_000).toISOString();
        return { source: "/s", id, type, time, value, ...rest };
      }),
    ),
  )}, '{}')`;

/** In both organizations; what is called `b` is of another meter in each, and by another source. */
export async function withEvents(scene: Scene): Promise<void> {
  await withMeters(scene);
  await scene.ask(write(scene), record([...events, ["b", "sum", 6, "2"], ["b", "other", 6, "1", { source: "/t" }]]));
  await scene.ask(writeTheirs(scene), record([...events, ["b", "max", 6, "2"], ["z", "last", 4, "2"]]));
}

/** All that is stored of usage, a line each. */
async function look(scene: Scene): Promise<string[]> {
  const number = (column: string) => `coalesce(trim_scale(${column})::text, '-')`;
  const rows = await scene.see(
    `select line from (
     select concat_ws(' ', ${whose()}, meter, size, ${minute("started_at")}, dimensions ->> 'region', unique_value || ':', events, ${number("sum")}, ${number("max")},
                      ${number("last")}, ${minute("last_at")}, last_name) as line from usage_rollups
      union all
     select concat_ws(' ', ${whose()}, meter, case when ends_at > now() then 'period' else 'earlier period' end, ${number("used")}) from usage_counters
      union all
     select concat_ws(' ', ${whose()}, source, source_id, ${number("value")}, ${number("corrected_value")}, case when is_void then 'void' end) from usage_events
      union all
     select concat_ws(' ', ${whose()}, 'correction of', source, source_id, coalesce(value, '-'), reason) from usage_corrections) l
      order by line collate "C"`,
  );
  return rows.map(([line]) => String(line));
}

/** Whatever is there after some work that was not there before, which is taken back. */
export async function changedBy(scene: Scene, work: () => Promise<unknown>): Promise<string[]> {
  await scene.see("savepoint looked");
  const before = new Set(await look(scene));
  await work();
  const after = await look(scene);
  await scene.see("rollback to looked");
  return after.filter((line) => !before.has(line));
}

export type Asked = [id: string, value: string | null, source?: string];
export const correct = (asked: Asked[], organizationId = mine, refusals = {}) =>
  `select app.correct_usage('${organizationId}', ${text(
    JSON.stringify(asked.map(([id, value, source = "/s"]) => ({ source, id, value }))),
  )}, 'Twice', ${text(JSON.stringify(refusals))})`;

export const correctedBy = (scene: Scene, ...asked: Asked[]) =>
  changedBy(scene, () => administer(scene, correct(asked)));
