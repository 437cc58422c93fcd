import { id, organizations } from "./people.ts";
import { addPlan, asDefiner } from "./planning.ts";
import { letIn, type Scene, text } from "./scene.ts";
import { admission } from "./world.ts";

export const { mine, theirs } = organizations;

/** Of `mine` and `theirs`, whose plan has 10 a month of each that sums. */
const meters = ["sum", "other", "max", "count", "last", "unique"] as const;

/** Whoever may record what was used, of each of the two. */
export const write = (scene: Scene) => letIn(scene, "owner", "usage:write");
export const writeTheirs = (scene: Scene) => admission(scene.person("founder"), theirs, "usage:write");

export const reservation = id(9901);

export const reserve = (value: string | null = "5", { meter = "sum", as = reservation, duration = "1 hour" } = {}) =>
  `select app.reserve_usage('${as}', '${meter}', ${text(value)}, '${duration}')`;
export const commit = (value: string | null = null, { meter = "sum", as = reservation } = {}) =>
  `select app.commit_usage('${as}', '${meter}', ${text(value)})`;
export const release = ({ meter = "sum", as = reservation } = {}) => `select app.release_usage('${as}', '${meter}')`;

/** Nothing was used of the meters, whose month began ten days ago; beside them one that no plan has. */
export async function withMeters(scene: Scene): Promise<void> {
  await scene.see(
    ["usage_events", "usage_counters", "usage_rollups", "usage_reservations", "subscriptions"]
      .map((table) => `delete from ${table}`)
      .join("; "),
  );
  await scene.see("update plans set is_default = false");
  await scene.see("update organizations set created_at = now() - interval '10 days'");
  await asDefiner(
    scene,
    ...[...meters, "unsold"].map(
      (key) =>
        `insert into features (key, kind, name, position, unit, aggregation, dimensions, reset)
         values ('${key}', 'metered', 'Name of ${key}', 901, 'piece', '${/^(other|unsold)$/.test(key) ? "sum" : key}', '{region}', 'period')`,
    ),
    addPlan("metered", {
      isDefault: true,
      features: meters.map((key) => ({
        key,
        kind: "metered",
        limit: /^(sum|other)$/.test(key) ? "10" : null,
        per: "month",
      })),
    }),
  );
}

/** Reserved past the fence: of whom, and what else is not as `reserve` has it. */
export const giveReservation = (scene: Scene, organizationId = mine, columns: Record<string, string> = {}) => {
  const row = {
    id: `'${reservation}'`,
    meter: "'sum'",
    value: "5",
    expires_at: "clock_timestamp() + interval '1 hour'",
    ...columns,
  };
  return scene.see(
    `insert into usage_reservations (organization_id, ${Object.keys(row).join()}) values ('${organizationId}', ${Object.values(row).join()})`,
  );
};

export const whose = (column = "organization_id") => `case ${column} when '${mine}' then 'mine' else 'theirs' end`;

/** Whose, its last digits, meter and value. */
export const reserved = (scene: Scene) =>
  scene.see(
    `select ${whose()}, right(id::text, 4), meter, trim_scale(value)::text from usage_reservations order by organization_id, id`,
  );

/** Whose, source, id, meter and value. */
export const recorded = (scene: Scene) =>
  scene.see(
    `select ${whose()}, source, right(source_id, 4), meter, trim_scale(value)::text from usage_events order by organization_id, source, source_id`,
  );

/** How much of a meter was used, is reserved and remains. */
export async function usageOf(scene: Scene, meter = "sum", organizationId = mine): Promise<unknown[]> {
  const [row = []] = await scene.see(
    `select u ->> 'used', u ->> 'reserved', u ->> 'remaining'
       from jsonb_array_elements(app_private.usage_json('${organizationId}', array['${meter}'])) u`,
  );
  return row;
}

/** The meters that this transaction holds. */
export const held = (scene: Scene) =>
  scene.see(
    `select ${whose("o.id")}, f.key from organizations o, features f
      where exists (select from pg_locks l where l.locktype = 'advisory' and l.pid = pg_backend_pid() and l.objsubid = 1
                       and (l.classid::bigint << 32 | l.objid::bigint) = hashtextextended('usage:' || o.id || ':' || f.key, 0))
      order by o.id, f.key`,
  );

/** One of `mine` beside it, and one of `theirs` with the same id. */
export async function withReservations(scene: Scene): Promise<void> {
  await withMeters(scene);
  await giveReservation(scene, theirs, { value: "7" });
  await giveReservation(scene, mine, { id: `'${id(9902)}'`, value: "2" });
}
