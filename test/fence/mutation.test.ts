import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { startPostgres, type LocalPostgres } from "../../scripts/local/postgres.ts";
import { permissions } from "../../src/permissions.ts";
import { makeFunctionMutants, makeIdleMutants } from "./support/mutants-functions.ts";
import { makeGrantMutants } from "./support/mutants-grants.ts";
import { makePolicyMutants, type Mutant } from "./support/mutants-policies.ts";
import { commitments } from "./support/commitments.ts";
import { Bench, isOfRole, type Killer, type Verdict } from "./support/mutation.ts";
import { findBroken } from "./support/scene.ts";
import { unnoticed } from "./support/unnoticed.ts";
import { addTestRoles, inTransaction, openWorld, quietSettings, type World } from "./support/world.ts";

/** MUTANTS, a regular expression over their names, judges a part of them: while a table or a function is made. */
const chosen = new RegExp(process.env["MUTANTS"] ?? "", "u");
/** MUTATION_PART, "0/4" to "3/4", judges every fourth. */
const [part = 0, parts = 1] = (process.env["MUTATION_PART"] ?? "0/1").split("/").map(Number);

let postgres: LocalPostgres;
let worlds: [World, World];
let benches: Bench[];

beforeAll(async () => {
  postgres = await startPostgres(quietSettings);
  const first = await openWorld(postgres, "fence_1");
  const second = await openWorld(postgres, "fence_2");
  worlds = [first, second];
});

afterAll(async () => {
  for (const { client } of worlds ?? []) await client.end();
  await postgres?.stop();
});

/** In both databases at once. */
async function judgeAll(mutants: Mutant[]): Promise<Verdict[]> {
  const verdicts: Verdict[] = [];
  const roleChanges = mutants.filter(isOfRole);
  const others = mutants.filter((mutant) => !roleChanges.includes(mutant));
  const work = async (bench: Bench, own: Mutant[]) => {
    for (let next = own.shift() ?? others.shift(); next; next = own.shift() ?? others.shift()) {
      verdicts.push(await bench.judge(next));
    }
  };
  await Promise.all(benches.map((bench, index) => work(bench, index === 0 ? roleChanges : [])));
  return verdicts;
}

/** What is noticed although nothing was changed. */
async function noticeNothing(): Promise<unknown[]> {
  const { client } = worlds[0];
  const verdicts = await judgeAll(await makeIdleMutants(client));
  return verdicts.filter((verdict) => isNoticed(verdict)).map(({ mutant, killers }) => [mutant.name, ...killers]);
}

const isNoticed = ({ killers }: Verdict, ...ignored: Killer[]) =>
  [...killers.keys()].some((killer) => !ignored.includes(killer));

describe("The checks", () => {
  it("find every function as it promises", async () => {
    const { client, people } = worlds[0];
    const broken = await inTransaction(client, async () => {
      await addTestRoles(client);
      return findBroken(client, people, commitments, { about: "app.purge_expired" });
    });
    expect(broken).toEqual([]);
  });
});

describe("The fence with one thing changed", () => {
  // Not before the test above, which needs none and is often run by itself.
  beforeAll(async () => {
    benches = await Bench.openAll(worlds);
  }, 600_000);

  it("is noticed, or the change is known to change nothing", async () => {
    const { client } = worlds[0];
    const all = [
      ...(await makePolicyMutants(client, permissions)),
      ...(await makeGrantMutants(client)),
      ...(await makeFunctionMutants(client, permissions)),
    ];
    const mutants = all.filter(({ name }, index) => chosen.test(name) && index % parts === part);
    const judged = new Set(mutants.map(({ name }) => name));
    const known = new Set(all.map(({ name }) => name));
    const verdicts = await judgeAll(mutants);
    const living = verdicts.filter(({ stillborn }) => !stillborn);
    const missed = living.filter((verdict) => !isNoticed(verdict, "fingerprint"));
    report(living, missed, verdicts.length - living.length);
    expect(missed.map(({ mutant }) => mutant.name).toSorted()).toEqual(
      Object.keys(unnoticed)
        .filter((name) => judged.has(name) || !known.has(name))
        .toSorted(),
    );
    // A mutant that Postgres refuses tests nothing: a few in a thousand are the price of making them from text.
    expect(verdicts.length - living.length).toBeLessThanOrEqual(Math.ceil(verdicts.length * 0.003));
  });

  it("is noticed for that change alone: where there is none, now that all are taken back, nothing is", async () => {
    expect(await noticeNothing()).toEqual([]);
  });
});

function report(living: Verdict[], missed: Verdict[], stillborn: number): void {
  const count = (test: (verdict: Verdict) => boolean) => living.filter(test).length;
  // Past the console, which stays silent for a test that passes.
  process.stdout.write(
    `${[
      `part ${part} of ${parts}: killed ${living.length - missed.length} / total ${living.length} (equivalent ${missed.length})`,
      `by the guard's fingerprint alone: ${count((verdict) => isNoticed(verdict) && missed.includes(verdict))}, not counted as killed`,
      `by the guard without its fingerprint: ${count(({ killers }) => killers.has("guard"))}`,
      `by commitments: ${count(({ killers }) => killers.has("commitment"))}, by the matrix: ${count(({ killers }) => killers.has("matrix"))}, ` +
        `by the matrix with another layer off only: ${count(({ killers }) => killers.has("matrix with a layer off"))}`,
      `refused by Postgres itself: ${stillborn}`,
    ].join("\n")}\n`,
  );
}
