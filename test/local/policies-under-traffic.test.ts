import { randomUUID } from "node:crypto";
import { Client } from "pg";
import { afterAll, beforeAll, expect, it } from "vitest";

import { applyMigrations, applyPolicies, setWorkerPassword } from "../../scripts/db/steps.ts";
import { passGate } from "../../src/db/gate.ts";
import { createNeonLikeDatabase } from "../../scripts/local/neon-like-database.ts";
import { type LocalPostgres, startPostgres } from "../../scripts/local/postgres.ts";

let postgres: LocalPostgres;
let ownerUrl: string;

beforeAll(async () => {
  postgres = await startPostgres({});
  ({ ownerUrl } = await createNeonLikeDatabase(postgres));
  await applyMigrations(ownerUrl);
  await applyPolicies(ownerUrl);
  await setWorkerPassword(ownerUrl, postgres.passwordOf("app_user"));
});

afterAll(() => postgres.stop());

/** What the Worker sends for requests that lock the tables in different orders. */
async function makeRequests(isOver: () => boolean): Promise<{ requests: number; errors: string[] }> {
  const client = new Client({ connectionString: postgres.url("app_user", "app") });
  await client.connect();
  const errors: string[] = [];
  let requests = 0;
  const transaction = async (...statements: [string, unknown[]?][]): Promise<void> => {
    requests++;
    try {
      await client.query("begin");
      await client.query(`select ${passGate}`);
      for (const [text, values] of statements) await client.query(text, values);
      await client.query("commit");
    } catch (error) {
      errors.push(String(error));
      await client.query("rollback");
    }
  };
  const [email, salt, handle] = [`${randomUUID()}@example.com`, `$2b$10$${"a".repeat(22)}`, randomUUID()];
  await transaction(["select app.sign_up($1, $2, 'Ada', 1, $3, 'hash', null, null)", [randomUUID(), email, salt]]);
  const signIn = "select app.sign_in($1, 'hash', $2, sha256($3::bytea), interval '1 day', null, null)";
  await transaction([signIn, [email, randomUUID(), handle]]);
  const admit: [string, unknown[]] = ["select app.admit(sha256($1::bytea))", [handle]];
  while (!isOver()) {
    const key = randomUUID();
    await transaction(
      admit,
      ["select app.claim_idempotency_key(null, $1, 'x')", [key]],
      ["select app.create_organization($1, 'Acme', array[$2])", [randomUUID(), `a-${key}`]],
      ["select app.keep_response(null, $1, '{}')", [key]],
    );
    await transaction(admit, ["select * from app.my_organizations(null, 20)"], ["select id from sessions"]);
    await transaction(admit, ["update users set name = 'Ada King'"]);
  }
  await client.end();
  return { requests, errors };
}

it("npm run db:rls fails no request that runs meanwhile, and is failed by none", async () => {
  let over = false;
  const traffic = Array.from({ length: 8 }, () => makeRequests(() => over));
  try {
    for (let run = 0; run < 8; run++) await applyPolicies(ownerUrl);
  } finally {
    over = true;
  }
  const results = await Promise.all(traffic);
  expect(results.flatMap(({ errors }) => errors)).toEqual([]);
  expect(results.reduce((sum, { requests }) => sum + requests, 0)).toBeGreaterThan(100);
});
