import { runCommand } from "./command.ts";
import { describeUrl, findOwnerUrl } from "./connection.ts";
import { bringUpToDate } from "./steps.ts";

await runCommand(async () => {
  const { url, source } = findOwnerUrl();
  console.log(`Migrating ${describeUrl(url)} (from ${source})`);
  await bringUpToDate(url, console.log);
});
