import { runCommand } from "./command.ts";
import { describeUrl, findOwnerUrl } from "./connection.ts";
import { applyPlans, describeChanges } from "./plans.ts";

await runCommand(async () => {
  const { url, source } = findOwnerUrl();
  console.log(`Applying src/plans.ts to ${describeUrl(url)} (from ${source})`);
  console.log(describeChanges(await applyPlans(url)));
});
