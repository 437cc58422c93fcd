import { createHash } from "node:crypto";
import { escapeLiteral, type Client, type QueryResult } from "pg";

import { organizations, type People, type Person } from "./people.ts";
import { admission } from "./world.ts";

/** The people of the world in one transaction, for what a function promises. */
export interface Scene {
  person(name: string): Person;
  /** Rows of a statement that runs past the fence. */
  see(statement: string): Promise<unknown[][]>;
  /** Rows of a statement as app_user, on a connection where nobody has been let in. */
  askFirst(statement: string): Promise<unknown[][]>;
  /** Rows of the last statement, after the admission, as app_user. */
  ask(admission: string | null, ...statements: string[]): Promise<unknown[][]>;
}

/** What a function does for those who call it. `about`: tried only when this function is in question. */
export interface Commitment {
  title: string;
  about?: string;
  expected: unknown;
  actual: (scene: Scene) => Promise<unknown>;
}

/** @returns the titles of the broken ones, with what was found; the first only where `stop` is set */
export async function findBroken(
  client: Client,
  people: People,
  commitments: Commitment[],
  { stop = false, about = "" } = {},
): Promise<string[]> {
  const scene = makeScene(client, people);
  const broken: string[] = [];
  for (const { title, about: topic, expected, actual } of commitments) {
    if (topic && topic !== about) continue;
    await client.query("savepoint scene");
    const found = await actual(scene).catch((error: { code?: string; message: string }) => error.code ?? error.message);
    await client.query("rollback to scene");
    if (JSON.stringify(found) === JSON.stringify(expected)) continue;
    broken.push(`${title}: ${JSON.stringify(found)}`);
    if (stop) break;
  }
  return broken;
}

function makeScene(client: Client, people: People): Scene {
  const run = async (statements: string[]): Promise<unknown[][]> => {
    const answers: unknown = await client.query({ text: statements.join(";\n"), rowMode: "array" });
    const results = (Array.isArray(answers) ? answers : [answers]) as QueryResult<unknown[]>[];
    return results.findLast(({ command }) => command !== "SET")?.rows ?? [];
  };
  return {
    person: (name) => {
      const person = people[name];
      if (!person) throw new Error(`there is no ${name}`);
      return person;
    },
    see: (statement) => run([statement]),
    askFirst: (statement) => run(["set local role app_user", statement, "set local role none"]),
    ask: (admission, ...statements) =>
      run([
        "set local app.context = ''",
        "set local app.seal = ''",
        "set local role app_user",
        ...(admission === null ? [] : [admission]),
        ...statements,
        "set local role none",
      ]),
  };
}

/** Those of `mine`, let in with a permission that the role has. */
export function letIn(scene: Scene, name: string, permission = "organization:read"): string {
  return admission(scene.person(name), organizations.mine, permission);
}

/** Somebody let in as a person, of no organization. */
export const asPerson = (scene: Scene, name: string) => admission(scene.person(name));

export function text(value: string | null): string {
  return value === null ? "null" : escapeLiteral(value);
}

/** The outcome instead of the error. */
export function codeOf(attempt: Promise<unknown>): Promise<unknown> {
  return attempt.then(
    () => "done",
    (error: { code?: string; message: string }) => error.code ?? error.message,
  );
}

/** The outcome of some work, whose effects are taken back. */
export async function attempt(scene: Scene, work: () => Promise<unknown>): Promise<unknown> {
  await scene.see("savepoint tried");
  const outcome = await codeOf(work());
  await scene.see("rollback to tried");
  return outcome;
}

/** Outcomes of each, undone before the next. */
export async function codesOf(scene: Scene, admission: string | null, statements: string[]): Promise<unknown[]> {
  const codes: unknown[] = [];
  for (const statement of statements) codes.push(await attempt(scene, () => scene.ask(admission, statement)));
  return codes;
}

/** What is found after each of these changes, which is taken back before the next. */
export async function findAfterEach<T>(scene: Scene, changes: string[], find: () => Promise<T>): Promise<T[]> {
  const found: T[] = [];
  for (const change of changes) {
    await scene.see("savepoint changed");
    await scene.see(change);
    found.push(await find());
    await scene.see("rollback to changed");
  }
  return found;
}

/** Gives a member a role beside those they have. */
export const giveRole = (scene: Scene, name: string, role: string, organization = organizations.mine) =>
  scene.see(
    `insert into membership_roles (organization_id, user_id, role) values ('${organization}', '${scene.person(name).id}', '${role}')`,
  );

/** A member's roles, a row each, in alphabetical order. */
export const rolesOf = (scene: Scene, name: string, organization = organizations.mine) =>
  scene.see(
    `select role from membership_roles where organization_id = '${organization}' and user_id = '${scene.person(name).id}' order by role`,
  );

/** Who locked the account last: a transaction, or the savepoint of this scene. */
export async function lockerOf(scene: Scene, { id }: Person): Promise<string> {
  return String(await scene.see(`select xmax::text from users where id = '${id}'`));
}

export function sha256(...parts: (Buffer | string)[]): Buffer {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest();
}

/** One print of these rows, with their places. */
export async function printOf(scene: Scene, table: string, condition = "true"): Promise<string> {
  const rows = await scene.see(
    `select md5(string_agg(t.ctid || t::text, '|' order by t.ctid)) from ${table} t where ${condition}`,
  );
  return String(rows[0]?.[0]);
}

/** Of each of these, whether the work left its rows as they were. */
export async function staysSame(
  scene: Scene,
  tables: [table: string, condition?: string][],
  work: () => Promise<unknown>,
): Promise<boolean[]> {
  const look = async () => {
    const prints: string[] = [];
    for (const [table, condition] of tables) prints.push(await printOf(scene, table, condition));
    return prints;
  };
  const before = await look();
  await work();
  const after = await look();
  return before.map((print, index) => print === after[index]);
}

/**
 * What becomes of each statement for members without the permission, for people outside of the organization and for
 * nobody; and whether it locks the organization of whoever is let in.
 */
export async function refusalsAndLocks(scene: Scene, admitted: string, statements: string[]): Promise<unknown[]> {
  const refused = [letIn(scene, "member"), admission(scene.person("owner")), null];
  const found: unknown[] = [];
  for (const admission of refused) found.push(await codesOf(scene, admission, statements));
  const locker = async () =>
    String(await scene.see(`select xmax::text from organizations where id = '${organizations.mine}'`));
  const locks: boolean[] = [];
  for (const statement of statements) {
    // Anew for each: what was taken back has left its mark.
    const before = await locker();
    await scene.see("savepoint held");
    await scene.ask(admitted, statement);
    locks.push((await locker()) !== before);
    await scene.see("rollback to held");
  }
  return [...found, locks];
}

/** What it gives for members, outsiders and nobody, when all is as it should be. */
export const refusedAndLocked = (count: number): unknown[] =>
  ["AP403", "AP404", "AP400", true].map((outcome) => Array<unknown>(count).fill(outcome));

/** One clean-up, in the order of insertion: what is to be kept would take the place of what goes. */
export async function purgeInOrder(scene: Scene): Promise<unknown[][]> {
  await scene.see("discard plans; set local enable_indexscan = off; set local enable_bitmapscan = off");
  return scene.ask(null, "select app.purge_expired()");
}
