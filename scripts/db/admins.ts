import type { Client } from "pg";

import { runCommand } from "./command.ts";
import { describeUrl, findOwnerUrl, withClient } from "./connection.ts";

const usage = `Who administers the platform:
  npm run db:admins                          lists them
  npm run db:admins -- add ada@example.com
  npm run db:admins -- remove ada@example.com   also ends what they do as other people`;

await runCommand(async () => {
  const [action = "list", address = "", ...rest] = process.argv.slice(2);
  const isKnown = action === "list" ? address === "" : ["add", "remove"].includes(action) && address !== "";
  if (!isKnown || rest.length > 0) throw new Error(usage);
  const { url, source } = findOwnerUrl();
  console.log(`Administrators of ${describeUrl(url)} (from ${source})`);
  await withClient(url, async (client) => {
    // The owner is held by row security too, where they are no superuser.
    await client.query("set role app_definer");
    if (action === "list") await list(client);
    else await change(client, action, address.toLowerCase());
  });
});

async function list(client: Client): Promise<void> {
  const { rows } = await client.query<{ email: string; since: string }>(
    "select u.email, a.created_at::date::text as since from platform_admins a join users u on u.id = a.user_id order by u.email",
  );
  for (const { email, since } of rows) console.log(`  ${email}, since ${since}`);
  if (rows.length === 0) console.log("  none");
}

async function change(client: Client, action: string, email: string): Promise<void> {
  const { rows } = await client.query<{ id: string; is_verified: boolean; has_factor: boolean }>(
    `select u.id, u.email_verified_at is not null as is_verified,
            exists (select from totp_factors f where f.user_id = u.id and f.activated_at is not null)
              or exists (select from passkeys p where p.user_id = u.id) as has_factor
       from users u where u.email = $1`,
    [email],
  );
  const [user] = rows;
  if (!user) throw new Error(`Nobody has the address ${email}: they sign up first.`);
  if (action === "remove") {
    const { rowCount } = await client.query("delete from platform_admins where user_id = $1", [user.id]);
    console.log(rowCount ? `✓ ${email} is no administrator any more` : `✓ ${email} was none`);
    return;
  }
  await client.query("insert into platform_admins (user_id) values ($1) on conflict do nothing", [user.id]);
  console.log(`✓ ${email} is an administrator`);
  if (!user.is_verified) console.log("  once their address is verified");
  if (!user.has_factor) console.log("  once they have a second factor, and have signed in with it");
}
