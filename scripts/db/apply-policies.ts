import { runCommand } from "./command.ts";
import { describeUrl, findOwnerUrl } from "./connection.ts";
import { applyPolicies } from "./steps.ts";

await runCommand(async () => {
  const { url, source } = findOwnerUrl();
  console.log(`Applying the policies to ${describeUrl(url)} (from ${source})`);
  await applyPolicies(url);
  console.log("✓ Policies applied");
});
