import { runCommand } from "./command.ts";
import { describeUrl, findOwnerUrl } from "./connection.ts";
import { runDrizzleKit } from "./drizzle-kit.ts";
import { applyPlans, describeChanges } from "./plans.ts";
import { applyPolicies, findDatabaseProblems, printProblems } from "./steps.ts";

await runCommand(async () => {
  const { url, source } = findOwnerUrl();
  console.log(`Pushing src/db/schema.ts to ${describeUrl(url)} (from ${source})`);
  const { code, errors } = await runDrizzleKit(["push", ...process.argv.slice(2)], url);
  // It exits with 0 when a statement fails, too, and only prints the error.
  const hasFailed = code !== 0 || errors.trim() !== "";
  if (hasFailed) {
    console.error(
      "\ndrizzle-kit push failed (see above). It is not one transaction: what came before the " +
        "failed statement has been done.",
    );
    process.exitCode = 1;
  }
  // It drops every policy it does not know, even when it fails half-way; so they are put back.
  await applyPolicies(url);
  console.log("✓ Policies applied");
  if (!hasFailed) console.log(describeChanges(await applyPlans(url)));
  if (!printProblems(await findDatabaseProblems(url))) process.exitCode = 1;
});
