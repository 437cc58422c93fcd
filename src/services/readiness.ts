import { sql } from "drizzle-orm";
import type { SystemDatabase } from "../db/index.ts";
import type { Settings } from "../env.ts";
import { AppError } from "../errors.ts";

export interface Readiness {
  status: "ready";
  /** What is tolerated outside of production. */
  warnings: string[];
}

/**
 * Whether the database answers and its fence stands, by the same checks as `npm run db:check`.
 *
 * @throws AppError `not_ready`: for a weak fence everywhere, for a login above the fence in production.
 */
export async function checkReadiness(database: SystemDatabase, settings: Settings): Promise<Readiness> {
  const { default: guard } = await import("../db/rls-guard.sql");
  // The file is ours and takes no values, so nothing of a request can get into it.
  const [result] = await database
    .run((queries) => [queries.execute<{ problem: string; object: string }>(sql.raw(guard))])
    .catch((error: unknown) => {
      // The guard needs nothing of ours but the gate: what Postgres refuses here was never set up.
      const isRefused = error instanceof AppError && error.code === "internal";
      throw isRefused
        ? new AppError("not_ready", { detail: "The database is not set up. See npm run db:setup.", cause: error })
        : error;
    });
  const sentence = ({ problem, object }: { problem: string; object: string }) => `${problem} (${object})`;
  const [login, fence] = [true, false].map((isLogin) =>
    result.rows.filter(({ problem }) => problem.startsWith("login ") === isLogin),
  );
  const grave = [...(fence ?? []), ...(settings.ENVIRONMENT === "production" ? (login ?? []) : [])];
  if (grave.length > 0) {
    const problems = `The fence is not safe: ${grave.map(sentence).join("; ")}.`;
    // Which table stands open is for the log, and not for everybody who asks.
    const detail = settings.ENVIRONMENT === "production" ? "The fence is not safe." : problems;
    throw new AppError("not_ready", { detail: `${detail} See npm run db:check.`, cause: new Error(problems) });
  }
  const advice = "DATABASE_URL should be app_user's own, from npm run db:setup";
  return { status: "ready", warnings: (login ?? []).map((row) => `${sentence(row)}: ${advice}`) };
}
