import { runCommand } from "./command.ts";
import { describeUrl, findWorkerUrl } from "./connection.ts";
import { findProblems, printProblems } from "./steps.ts";

await runCommand(async () => {
  const { url, source } = findWorkerUrl();
  console.log(`Checking ${describeUrl(url)} (from ${source})`);
  if (!printProblems(await findProblems(url))) process.exitCode = 1;
});
