import type { Client } from "pg";

import type { People } from "./people.ts";
import { findBroken, type Commitment } from "./scene.ts";

/** What each commitment makes run or touches: functions ("app.admit") and tables ("public.users"). */
export class Reach {
  private readonly reached: Map<Commitment, Set<string>>;
  private readonly breaks = new Map<string, number>();

  private constructor(reached: Map<Commitment, Set<string>>) {
    this.reached = reached;
  }

  /** Tries each of them once, in a transaction of the caller's, and asks Postgres what was called and read. */
  static async measure(client: Client, people: People, commitments: Commitment[]): Promise<Reach> {
    await client.query("set local track_functions = 'all'");
    const reached = new Map<Commitment, Set<string>>();
    let before = await readCounts(client);
    for (const commitment of commitments) {
      await findBroken(client, people, [commitment], { about: commitment.about ?? "" });
      const after = await readCounts(client);
      const touched = [...after].filter(([name, count]) => count !== before.get(name));
      reached.set(commitment, new Set(touched.map(([name]) => name)));
      before = after;
    }
    return new Reach(reached);
  }

  /** Those that run or touch it, the likeliest to be broken first: those that were before, then those that run little else. */
  listReaching(subject: string): Commitment[] {
    const rank = (commitment: Commitment) =>
      (this.breaks.get(subject + commitment.title) ?? 0) + 1 / this.sizeOf(commitment);
    return [...this.reached.keys()]
      .filter((commitment) => this.reached.get(commitment)?.has(subject))
      .toSorted((a, b) => rank(b) - rank(a));
  }

  /** The rest: what ends in an error counts nothing. First those that were broken before, then those that name the subject. */
  listOthers(subject: string): Commitment[] {
    const rank = ({ title }: Commitment) =>
      2 * (this.breaks.get(subject + title) ?? 0) + (title.includes(subject) ? 1 : 0);
    return [...this.reached.keys()]
      .filter((commitment) => !this.reached.get(commitment)?.has(subject))
      .toSorted((a, b) => rank(b) - rank(a));
  }

  /** @param broken a title, and what was found */
  remember(subject: string, broken: string): void {
    for (const { title } of this.reached.keys()) {
      if (broken.startsWith(`${title}: `))
        this.breaks.set(subject + title, (this.breaks.get(subject + title) ?? 0) + 1);
    }
  }

  private sizeOf(commitment: Commitment): number {
    return 1 + (this.reached.get(commitment)?.size ?? 0);
  }
}

/** Since the transaction began, in savepoints that were taken back too. */
async function readCounts(client: Client): Promise<Map<string, string>> {
  const { rows } = await client.query<{ name: string; count: string }>(`
    select funcid::regproc::text as name, calls as count from pg_stat_xact_user_functions
    union all
    select format('%I.%I', schemaname, relname),
           coalesce(seq_scan, 0) + coalesce(idx_scan, 0) + n_tup_ins + n_tup_upd + n_tup_del from pg_stat_xact_user_tables`);
  return new Map(rows.map(({ name, count }) => [name, count]));
}
