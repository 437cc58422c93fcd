import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import path from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, it } from "vitest";

import { applyMigrations, findProblems, setWorkerPassword } from "../../scripts/db/steps.ts";
import { createNeonLikeDatabase } from "../../scripts/local/neon-like-database.ts";
import { type LocalPostgres, startPostgres } from "../../scripts/local/postgres.ts";
import { root } from "../local/process-support.ts";

let postgres: LocalPostgres;

beforeAll(async () => {
  postgres = await startPostgres({});
});

afterAll(() => postgres.stop());

it("psql $DATABASE_URL < src/db/rls-policies.sql works as it stands, and again", async () => {
  const { ownerUrl } = await createNeonLikeDatabase(postgres);
  await applyMigrations(ownerUrl);
  for (let run = 0; run < 2; run++) {
    const psql = promisify(execFile)("psql", ["--set=ON_ERROR_STOP=1", "--quiet", ownerUrl]);
    psql.child.stdin?.end(readFileSync(path.join(root, "src/db/rls-policies.sql")));
    expect((await psql).stderr).toBe("");
  }
  await setWorkerPassword(ownerUrl, postgres.passwordOf("app_user"));
  expect(await findProblems(postgres.url("app_user", "app"))).toEqual([]);
});
