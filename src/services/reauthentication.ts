import { sql } from "drizzle-orm";
import type { PersonDatabase } from "../db/index.ts";
import type { Settings } from "../env.ts";
import { AppError } from "../errors.ts";
import { attemptScope, refuseWhileWaiting } from "./attempts.ts";
import { hashPassword, isOutdated, type PasswordParameters, rehashPassword } from "./passwords/index.ts";

/** What the database needs to compare the signed-in person's password. */
export interface PasswordProof {
  /** bytea: where the attempts are counted. */
  scope: string;
  hash: string;
  parameters: PasswordParameters;
  account: { email: string; name: string };
}

/**
 * Hands the hash of the signed-in person's password to `compare`, which asks the database whether it is right.
 * Two requests to the database, since bcrypt runs between them. The first counts the attempt and commits: a
 * wrong password must stay counted although the second fails.
 *
 * @param compare false when the hash's parameters were replaced since they were read: they are read again.
 * @throws AppError `password_missing`; `too_many_attempts` after five wrong ones, each time for longer, 15 minutes at most.
 */
export async function provePassword(
  database: PersonDatabase,
  settings: Settings,
  password: string,
  compare: (proof: PasswordProof) => Promise<boolean>,
): Promise<void> {
  const scope = await attemptScope(settings, "reauthentication");
  for (let attempt = 1; attempt <= 3; attempt++) {
    const [begun] = await database.run((queries) => [
      queries.execute<{ wait_seconds: number; scheme: number; salt: string | null; email: string; name: string }>(
        sql`select wait_seconds, scheme, salt, email, name from app.begin_reauthentication(${scope}::bytea)`,
      ),
    ]);
    const row = begun.rows[0];
    if (!row) throw new AppError("unauthenticated");
    const { wait_seconds: seconds, scheme, salt, email, name } = row;
    refuseWhileWaiting(seconds);
    if (salt === null) throw new AppError("password_missing");
    const parameters = { scheme, salt };
    const hash = await rehashPassword(settings, parameters, password);
    if (await compare({ scope, hash, parameters, account: { email, name } })) return;
  }
  throw new AppError("unavailable", { headers: { "retry-after": "2" } });
}

/**
 * Counts this session, and no other, as freshly authenticated. Two requests to the database: see `provePassword`.
 *
 * @throws AppError `wrong_password`, `too_many_attempts`.
 */
export async function reauthenticate(database: PersonDatabase, settings: Settings, password: string): Promise<void> {
  await provePassword(database, settings, password, async ({ scope, hash, parameters }) => {
    const renewed = isOutdated(settings, parameters) ? await hashPassword(settings, password) : undefined;
    const [compared] = await database.run((queries) => [
      queries.execute<{ done: boolean }>(
        sql`select app.reauthenticate(${scope}::bytea, ${hash}, ${renewed?.scheme ?? null}::int, ${renewed?.salt ?? null}::text, ${renewed?.hash ?? null}::text) as done`,
      ),
    ]);
    return compared.rows[0]?.done === true;
  });
}
