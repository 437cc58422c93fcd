import { organizations } from "./people.ts";
import type { Commitment, Scene } from "./scene.ts";

const named = ["owner", "admin", "member", "viewer", "both", "founder", "helper", "outsider", "spare", "disabled"];

/**
 * What both trails are told of some work, in order: whose, what, by whom, of what, before and after, and the request and its
 * address where there is one. Ids are told by name, or by their number; of one that is another in every run, nothing.
 */
export async function told(scene: Scene, work: () => Promise<unknown>): Promise<unknown[][]> {
  const [[mark] = []] = await scene.see("select uuidv7()");
  await work();
  const rows = await scene.see(
    `select whose, action, concat_ws(' ', actor_type, actor_id), concat_ws(' ', subject_type, subject_id), before, after, request_id, ip_address
       from (select e.organization_id as whose, e.* from audit_events e union all select e.user_id, e.* from user_audit_events e) e
      where id > '${String(mark)}' order by id`,
  );
  return rows.map((row) => {
    const [request, address] = row.slice(6);
    return nameIds(scene, [...row.slice(0, 6), ...(request === null && address === null ? [] : [request, address])]);
  });
}

/** A table's changes by the owner of the tables, and what each is told as; nothing where no action stands beside it. */
export type Changes = [
  table: string,
  whose: string,
  subject: string,
  [statement: string, action?: string, before?: unknown, after?: unknown][],
];

export const changesTold = ([table, whose, subject, steps]: Changes): Commitment => ({
  title: `a change of ${table} is told by the names of the API, also when it is made in the database itself`,
  expected: steps.flatMap(([, action, before, after]) =>
    action ? [[whose, action, "system", subject, before, after]] : [],
  ),
  actual: (scene) => toldOf(scene, ...steps.map(([statement]) => statement)),
});

/** The statements one after the other, past the fence. */
export const toldOf = (scene: Scene, ...statements: string[]) =>
  told(scene, async () => {
    for (const statement of statements) await scene.see(statement);
  });

function nameIds<T>(scene: Scene, value: T): T {
  const names: [string, string][] = [
    ...Object.entries(organizations).map(([name, id]): [string, string] => [id, name]),
    ...named.flatMap((name): [string, string][] => [
      [scene.person(name).id, name],
      [scene.person(name).sessionId, `session of ${name}`],
    ]),
  ];
  let json = JSON.stringify(value);
  for (const [id, name] of names) json = json.replaceAll(id, name);
  return JSON.parse(
    json.replaceAll("019ab0de-0000-7000-8000-00000000", "").replaceAll(/[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}/g, "?"),
  );
}
