import { readFileSync } from "node:fs";
import type { Client } from "pg";

import { readRelations } from "./catalog.ts";
import { runTrial, type Cell, type Trial } from "./cells.ts";
import { planFunctionTrials, readCallable } from "./functions.ts";
import { applyLayer, type layers } from "./layers.ts";
import { chooseCells, shortenTrials, withoutLike } from "./matrix.ts";
import { commitments } from "./commitments.ts";
import type { Mutant } from "./mutants-policies.ts";
import { Reach } from "./reach.ts";
import { findBroken } from "./scene.ts";
import { planRelationTrials } from "./statements.ts";
import { unnoticed } from "./unnoticed.ts";
import { addTestRoles, inTransaction, type World } from "./world.ts";

/** What can notice a mutant. "fingerprint" notices any change of text, so it proves nothing of the rest. */
export type Killer = "commitment" | "matrix" | "matrix with a layer off" | "guard" | "fingerprint";

export interface Verdict {
  mutant: Mutant;
  /** Why Postgres does not even accept it. */
  stillborn?: string;
  killers: Map<Killer, string>;
}

type Layer = keyof typeof layers | "the whole fence";
const outerLayers = ["policies without the grants", "floors alone", "permissive policies alone"] as const;
const guard = readFileSync(new URL("../../../src/db/rls-guard.sql", import.meta.url), "utf8");
const fingerprintProblem = "the fence is not as rls-policies.sql left it";

/** A world, and what each cell of its matrix gives while nobody tampers with it. */
export class Bench {
  private readonly baselines: Map<string, string>;
  private readonly world: World;
  private judged = 0;
  private readonly relationTrials: Map<string, Trial>;
  private readonly outlyingTrials: Map<string, Trial>;
  private readonly functionTrials: Map<string, Trial>;
  private readonly reach: Reach;
  /** How often what an actor is tried with showed a change of an object. */
  private readonly differences = new Map<string, number>();

  private constructor(
    world: World,
    relationTrials: Map<string, Trial>,
    outlyingTrials: Map<string, Trial>,
    functionTrials: Map<string, Trial>,
    baselines: Map<string, string>,
    reach: Reach,
  ) {
    this.world = world;
    this.relationTrials = relationTrials;
    this.outlyingTrials = outlyingTrials;
    this.functionTrials = functionTrials;
    this.baselines = baselines;
    this.reach = reach;
  }

  /** One for each of some worlds in which every cell gives the same, so that they share the work of the baselines. */
  static async openAll(worlds: [World, ...World[]]): Promise<Bench[]> {
    const baselines = new Map<string, string>();
    const [{ client, people }] = worlds;
    const reach = await inTransaction(client, async () => {
      await addTestRoles(client);
      return Reach.measure(client, people, commitments);
    });
    const benches = await Promise.all(worlds.map((world) => Bench.plan(world, baselines, reach)));
    const left: Layer[] = ["the whole fence", ...outerLayers];
    const work = async (bench: Bench) => {
      for (let layer = left.shift(); layer; layer = left.shift()) {
        const next = layer;
        await inTransaction(bench.world.client, async () => bench.keepBaseline(next));
      }
    };
    await Promise.all(benches.map(work));
    return benches;
  }

  private static async plan(world: World, baselines: Map<string, string>, reach: Reach): Promise<Bench> {
    const relations = await readRelations(world.client);
    const trials = await planRelationTrials(world, relations);
    const refused = world.actors.flatMap(({ name, refused }) => (refused ? [name] : []));
    return new Bench(
      world,
      shortenTrials(trials, new Set(refused)),
      chooseCells(trials, ({ object }) => !object.startsWith("public.")),
      await planFunctionTrials(world, relations),
      baselines,
      reach,
    );
  }

  /** The functions that app_user may call: those of the snapshot, and no other. */
  private async listCallable(client: Client): Promise<string> {
    return (await readCallable(client)).map(({ signature }) => signature).join(", ");
  }

  private async keepBaseline(layer: Layer): Promise<void> {
    const { client } = this.world;
    this.baselines.set("callable", await this.listCallable(client));
    await addTestRoles(client);
    if (layer !== "the whole fence") await applyLayer(client, layer);
    const all = [this.relationTrials, this.outlyingTrials, this.functionTrials];
    for (const trials of layer === "the whole fence" ? all : [withoutLike(this.relationTrials, layer)]) {
      for (const [actor, trial] of trials) {
        const outcomes = await runTrial(client, trial);
        for (const [index, cell] of trial.cells.entries()) {
          this.baselines.set(nameOf(layer, actor, cell), outcomes[index]?.outcome ?? "");
        }
      }
    }
  }

  /** Tries a mutant on everything that could notice it, until something of the product's own does, and takes it back. */
  async judge(mutant: Mutant): Promise<Verdict> {
    const client = await this.world.connect();
    try {
      return await inTransaction(client, async () => this.judgeOn(client, mutant));
    } finally {
      await client.end();
      // What was rolled back lies around, and would slow down what follows.
      if (++this.judged % 10 === 0) await this.world.client.query("vacuum");
    }
  }

  private async judgeOn(client: Client, mutant: Mutant): Promise<Verdict> {
    const killers = new Map<Killer, string>();
    try {
      for (const statement of mutant.statements) await client.query(statement);
    } catch (error) {
      return { mutant, killers, stillborn: (error as Error).message };
    }
    if (mutant.about) {
      // Most mutants of a function's text are noticed here: the guard, which reads the whole catalog, need not look at them.
      const broken = await this.findBrokenApart(client, mutant);
      if (broken) return { mutant, killers: killers.set("commitment", broken) };
    }
    for (const { problem, object } of await findProblems(client)) {
      killers.set(problem === fingerprintProblem ? "fingerprint" : "guard", `${problem}: ${object}`);
    }
    if (killers.has("guard")) return { mutant, killers };
    const callable = await this.listCallable(client);
    await addTestRoles(client);
    if (mutant.objects === null) {
      if (callable !== this.baselines.get("callable")) killers.set("matrix", "other functions can be called");
      // The matrix takes longest, and has nothing to say of what is known to change nothing.
      if (killers.size > (killers.has("fingerprint") ? 1 : 0) || mutant.name in unnoticed) return { mutant, killers };
      const broken = mutant.about ? null : await this.findBroken(client, mutant);
      if (broken) return { mutant, killers: killers.set("commitment", broken) };
    }
    const difference = await this.findDifference(client, "the whole fence", mutant.objects);
    if (difference) killers.set("matrix", difference);
    const isPolicy = mutant.objects?.every((object) => object.startsWith("public."));
    if (difference || !isPolicy || /: (grant|revoke) /.test(mutant.name)) return { mutant, killers };
    for (const layer of outerLayers) {
      await client.query("savepoint layer");
      await applyLayer(client, layer);
      const found = await this.findDifference(client, layer, mutant.objects);
      await client.query("rollback to layer");
      if (!found) continue;
      killers.set("matrix with a layer off", `${layer}: ${found}`);
      return { mutant, killers };
    }
    // What holds in a moment that the matrix does not have, such as between an admission and a deletion.
    const broken = await this.findBroken(client, mutant);
    if (broken) killers.set("commitment", broken);
    return { mutant, killers };
  }

  /** The same, with nothing left of the test's own roles, which are no part of the fence that the guard looks at. */
  private async findBrokenApart(client: Client, mutant: Mutant): Promise<string | null> {
    await client.query("savepoint promises");
    // What never ends, such as a recursion without its step, is noticed as well.
    await client.query("set local statement_timeout = '20s'");
    await addTestRoles(client);
    const broken = await this.findBroken(client, mutant);
    await client.query("rollback to promises");
    return broken;
  }

  /** The first commitment that is broken: of those that reach what was changed, and then, unless it is known to change nothing, of all. */
  private async findBroken(client: Client, { name, about }: Mutant): Promise<string | null> {
    const subject = about ?? /^public\.\w+|app\w*\.\w+(?=\()/.exec(name)?.[0] ?? "";
    const options = { stop: true, about: about ?? "" };
    const reaching = this.reach.listReaching(subject);
    const [broken] = await findBroken(client, this.world.people, reaching, options);
    if (broken) this.reach.remember(subject, broken);
    if (broken || (reaching.length > 0 && name in unnoticed)) return broken ?? null;
    const [other] = await findBroken(client, this.world.people, this.reach.listOthers(subject), options);
    if (other) this.reach.remember(subject, other);
    return other ?? null;
  }

  /** The first cell that leaks, or gives something else than it did. */
  private async findDifference(client: Client, layer: Layer, objects: string[] | null): Promise<string | null> {
    const wanted = objects && new Set(objects);
    const groups = wanted
      ? [withoutLike(this.relationTrials, layer), this.outlyingTrials].map((trials) =>
          chooseCells(trials, ({ object }) => wanted.has(object)),
        )
      : [this.functionTrials, this.relationTrials];
    const differencesOf = (actor: string) => this.differences.get([actor, layer, objects].join("|")) ?? 0;
    for (const trials of groups) {
      for (const [actor, trial] of [...trials].toSorted(([a], [b]) => differencesOf(b) - differencesOf(a))) {
        const outcomes = await runTrial(client, trial);
        for (const [index, cell] of trial.cells.entries()) {
          const { outcome, leak } = outcomes[index] ?? { outcome: "", leak: null };
          const before = this.baselines.get(nameOf(layer, actor, cell));
          if (!leak && outcome === before) continue;
          this.differences.set([actor, layer, objects].join("|"), differencesOf(actor) + 1);
          return `${actor}: ${cell.object}: ${cell.operation}: ${leak ?? `${outcome} instead of ${before}`}`;
        }
      }
    }
    return null;
  }
}

/** Whether it changes what a role may do: it stays in one of the databases, since they share the roles. */
export const isOfRole = ({ name }: Mutant): boolean => /^app_\w+: /.test(name);

function nameOf(layer: Layer, actor: string, { object, operation, detail }: Cell): string {
  return [layer, actor, object, operation, detail].join("|");
}

/** What the guard finds, besides that a superuser runs it here. */
async function findProblems(client: Client): Promise<{ problem: string; object: string }[]> {
  const { rows } = await client.query<{ problem: string; object: string }>(guard);
  return rows.filter(({ problem }) => !problem.startsWith("login "));
}
