import type { TestProject } from "vitest/node";

import { applyMigrations, applyPolicies, setWorkerPassword } from "../../scripts/db/steps.ts";
import { startMailbox } from "../../scripts/local/mailbox.ts";
import { startNeonEndpoint } from "../../scripts/local/neon-endpoint.ts";
import { createNeonLikeDatabase } from "../../scripts/local/neon-like-database.ts";
import { startPostgres } from "../../scripts/local/postgres.ts";
import { startRangeServer } from "./range-server.ts";

/** A fresh Postgres with the fence, behind the local Neon endpoint, for one run of the tests. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  await import("../../scripts/build-docs.ts");
  const postgres = await startPostgres({});
  const { ownerUrl } = await createNeonLikeDatabase(postgres);
  await applyMigrations(ownerUrl);
  await applyPolicies(ownerUrl);
  const password = postgres.passwordOf("app_user");
  await setWorkerPassword(ownerUrl, password);
  const endpoint = await startNeonEndpoint({ postgres: { host: "127.0.0.1", port: postgres.port }, control: true });
  const mailboxKey = "re_a-key-for-tests-alone";
  // More than are sent while a test looks for its own, whatever runs beside it.
  const mailbox = await startMailbox({ control: true, apiKey: mailboxKey, maxMessages: 5_000 });
  const ranges = await startRangeServer();

  const owner = new URL(ownerUrl);
  project.provide("databaseUrl", `postgresql://app_user:${password}@localhost:${endpoint.port}/app`);
  project.provide("ownerUrl", `postgresql://${owner.username}:${owner.password}@localhost:${endpoint.port}/app`);
  project.provide("endpointUrl", `http://127.0.0.1:${endpoint.port}`);
  project.provide("mailboxUrl", mailbox.url);
  project.provide("mailboxKey", mailboxKey);
  project.provide("rangesUrl", ranges.url);
  return async () => {
    await ranges.close();
    await mailbox.close();
    await endpoint.close();
    await postgres.stop();
  };
}
