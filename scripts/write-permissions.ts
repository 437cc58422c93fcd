import { parseArgs } from "node:util";

import { runCommand } from "./db/command.ts";
import { isUpToDate, writePolicies } from "./db/role-permissions.ts";

await runCommand(async () => {
  const { values } = parseArgs({ options: { check: { type: "boolean" } } });
  if (!values.check) return writePolicies();
  if (isUpToDate()) return;
  throw new Error(
    "src/db/rls-policies.sql has not the permissions of src/permissions.ts: `npm run fix` writes them there.",
  );
});
