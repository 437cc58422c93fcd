import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { startPostgres, type LocalPostgres } from "../../scripts/local/postgres.ts";
import { readRelations, type Relation } from "./support/catalog.ts";
import type { Trial } from "./support/cells.ts";
import { planFunctionTrials, readCallable } from "./support/functions.ts";
import { layers } from "./support/layers.ts";
import {
  chooseCells,
  leaksOf,
  renderMatrix,
  runMatrix,
  shortenTrials,
  withoutLike,
  type Result,
} from "./support/matrix.ts";
import { planRelationTrials } from "./support/statements.ts";
import { addTestRoles, inTransaction, openWorld, quietSettings, type World } from "./support/world.ts";

let postgres: LocalPostgres;
let world: World;
let relations: Relation[];
let trials: Map<string, Trial>;
let shortTrials: Map<string, Trial>;

beforeAll(async () => {
  postgres = await startPostgres(quietSettings);
  world = await openWorld(postgres, "fence");
  relations = await readRelations(world.client);
  trials = await planRelationTrials(world, relations);
  const refused = world.actors.flatMap(({ name, refused }) => (refused ? [name] : []));
  shortTrials = shortenTrials(trials, new Set(refused));
});

afterAll(async () => {
  await world?.client.end();
  await postgres?.stop();
});

/** The matrix in a transaction that is rolled back, after these statements. */
async function run(tried: Map<string, Trial>, ...before: string[]): Promise<Result[]> {
  // What was rolled back before lies around, and slows down every look at the rows.
  await world.client.query("vacuum");
  return inTransaction(world.client, async () => {
    for (const statement of before) await world.client.query(statement);
    await addTestRoles(world.client);
    return runMatrix(world.client, tried);
  });
}

function only(name: string, planned: Map<string, Trial>): Map<string, Trial> {
  return chooseCells(planned, ({ object }) => object === name);
}

describe("The isolation matrix: every relation, every operation, every kind of person", () => {
  it("gives nobody a row of others, and everybody what the snapshot says", async () => {
    const results = await run(trials);
    expect(leaksOf(results)).toEqual([]);
    await expect(renderMatrix(results)).toMatchFileSnapshot("matrix.snapshot.txt");
    // Past the console, which stays silent for a test that passes.
    process.stdout.write(`${results.length} cells, ${leaksOf(results).length} leaks\n`);
  });

  it("holds for every function that app_user may call, with ids of strangers", async () => {
    const results = await run(await planFunctionTrials(world, relations));
    expect(leaksOf(results)).toEqual([]);
    const signatures = (await readCallable(world.client)).map(({ signature }) => signature);
    expect([...new Set(results.map(({ object }) => object))]).toEqual(signatures);
    await expect(renderMatrix(results)).toMatchFileSnapshot("functions.snapshot.txt");
  });

  it.each(["policies without the grants", "floors alone", "permissive policies alone"] as const)(
    "holds with %s",
    async (layer) => {
      const results = await run(withoutLike(shortTrials, layer), ...layers[layer]);
      expect(leaksOf(results)).toEqual([]);
    },
  );
});

describe("The matrix itself", () => {
  it("finds leaks in each table when nothing is left of the fence", async () => {
    const some = chooseCells(shortTrials, (_, actor) => ["owner", "outsider as a person"].includes(actor));
    const results = await run(some, ...layers.nothing);
    const leaking = new Set(results.flatMap(({ object, leak }) => (leak ? [object] : [])));
    const tables = relations.filter(({ name, kind }) => name.startsWith("public.") && kind === "r");
    expect([...leaking]).toEqual(tables.map(({ name }) => name));
  });

  it("tells of a table that was made without policies", async () => {
    const forgotten = [
      "create table notes (id uuid primary key, organization_id uuid references organizations, text text)",
      "insert into notes select gen_random_uuid(), id, 'note of ' || slug from organizations",
      "grant select on notes to app_user",
    ];
    const leaks = await inTransaction(world.client, async () => {
      for (const statement of forgotten) await world.client.query(statement);
      const planned = await planRelationTrials(world, await readRelations(world.client));
      await addTestRoles(world.client);
      return leaksOf(await runMatrix(world.client, only("public.notes", planned)));
    });
    expect(leaks).toContainEqual(expect.stringMatching(/^owner: public\.notes: select: rows 3: shows note of slug-/));
  });

  it("tells of a view that shows what its owner sees", async () => {
    const results = await inTransaction(world.client, async () => {
      await world.client.query(
        "create view everybody as select email from users; grant select on everybody to app_user",
      );
      const all = await readRelations(world.client);
      const planned = await planRelationTrials(world, all);
      await addTestRoles(world.client);
      return runMatrix(world.client, only("public.everybody", planned));
    });
    expect(leaksOf(results).length).toBeGreaterThan(0);
  });

  it("tells of a table without rows to look at", async () => {
    await inTransaction(world.client, async () => {
      await world.client.query("create table notes (id uuid primary key)");
      const planned = planRelationTrials(world, await readRelations(world.client));
      await expect(planned).rejects.toThrow("The fixture has no row in public.notes");
    });
  });
});
