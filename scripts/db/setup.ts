import { parseArgs } from "node:util";

import { runCommand } from "./command.ts";
import { describeUrl, isLocalHost, isNeonHost, parseUrl } from "./connection.ts";
import {
  bringUpToDate,
  findDatabaseProblems,
  findProblems,
  hasLogin,
  newPassword,
  printProblems,
  setWorkerPassword,
} from "./steps.ts";

const usage = `npm run db:setup needs the URL of the database's owner, as Neon's console shows it:
  DATABASE_OWNER_URL='postgresql://neondb_owner:…@ep-….neon.tech/neondb?sslmode=require' npm run db:setup`;

await runCommand(async () => {
  const { values } = parseArgs({
    options: { "new-password": { type: "boolean", default: false } },
  });
  // Not as an argument, which every user of the machine could read.
  const ownerUrl = process.env["DATABASE_OWNER_URL"];
  if (!ownerUrl) throw new Error(usage);
  const owner = parseUrl(ownerUrl, "DATABASE_OWNER_URL");
  if (decodeURIComponent(owner.username) === "app_user") {
    throw new Error(`This is the Worker's own URL, not the owner's.\n${usage}`);
  }

  console.log(`Setting up ${describeUrl(ownerUrl)}`);
  await bringUpToDate(ownerUrl, console.log);

  if ((await hasLogin(ownerUrl)) && !values["new-password"]) {
    console.log(
      "✓ The Worker's role app_user has a password already, which is left as it is.\n" +
        "  To replace it (the running Worker then fails until it has the new URL):\n" +
        "  npm run db:setup -- --new-password",
    );
    if (!printProblems(await findDatabaseProblems(ownerUrl))) process.exitCode = 1;
    return;
  }

  const password = newPassword();
  await setWorkerPassword(ownerUrl, password);
  console.log("✓ The Worker's role app_user can sign in");
  const workerUrl = makeWorkerUrl(owner, password);
  printWorkerUrl(workerUrl);
  if (!printProblems(await findProblems(workerUrl))) process.exitCode = 1;
});

function makeWorkerUrl(owner: URL, password: string): string {
  const url = new URL(owner);
  url.username = "app_user";
  url.password = password;
  // Behind Neon's pooler a burst of requests cannot use up the database's connections.
  if (isNeonHost(url.hostname)) {
    url.hostname = url.hostname.replace(/^(ep-[^.]+?)(-pooler)?\./, "$1-pooler.");
  }
  return url.href;
}

function printWorkerUrl(url: string): void {
  const command = "npx wrangler secret put DATABASE_URL";
  console.log(`
The Worker's own DATABASE_URL. It is shown this once:

  ${url}

${
  isLocalHost(new URL(url).hostname)
    ? "Put it into .dev.vars, or wherever the Worker on this machine takes its settings from."
    : `Give it to the Worker (paste it when asked):\n  ${command}\nThe owner's URL must never be given to the Worker.`
}
`);
}
