import { runCommand } from "./command.ts";
import { describeUrl, findOwnerUrl } from "./connection.ts";
import { applyMigrations, applyPolicies } from "./steps.ts";

await runCommand(async () => {
  const { url, source } = findOwnerUrl();
  console.log(`Migrating ${describeUrl(url)} (from ${source})`);
  console.log(`✓ Migrations applied: ${await applyMigrations(url)}`);
  await applyPolicies(url);
  console.log("✓ Policies applied");
});
