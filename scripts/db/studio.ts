import { runCommand } from "./command.ts";
import { describeUrl, findOwnerUrl } from "./connection.ts";
import { runDrizzleKit } from "./drizzle-kit.ts";

await runCommand(async () => {
  const { url, source } = findOwnerUrl();
  console.log(`Studio on ${describeUrl(url)} (from ${source})`);
  const { code } = await runDrizzleKit(["studio", ...process.argv.slice(2)], url);
  process.exitCode = code ?? 0;
});
