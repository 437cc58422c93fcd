import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { Client } from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";

import { makeDirectUrl } from "../../scripts/db/connection.ts";
import { createNeonLikeDatabase } from "../../scripts/local/neon-like-database.ts";
import { startPostgres, type LocalPostgres } from "../../scripts/local/postgres.ts";
import { cloneProject, removeClone, Script } from "../local/process-support.ts";

let postgres: LocalPostgres;
let clone: string;
let ownerUrl: string;
let databases = 0;

beforeAll(async () => {
  postgres = await startPostgres({});
});
afterAll(() => postgres.stop());

beforeEach(async () => {
  clone = cloneProject();
  // Roles belong to all databases of the server, so an earlier test may have given it a password.
  await query(
    "do $$ begin alter role app_user nologin; exception when undefined_object then null; end $$",
    postgres.url(),
  );
  ({ ownerUrl } = await createNeonLikeDatabase(postgres, `app${databases++}`));
});
afterEach(() => removeClone(clone));

async function run(name: string, settings: Record<string, string> = {}, ...args: string[]) {
  const script = new Script([`scripts/db/${name}.ts`, ...args], clone, settings);
  return { code: await script.ended, output: script.output };
}

async function query(text: string, url = ownerUrl): Promise<Record<string, unknown>[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    // Of several statements, those of the last.
    const results = [await client.query(text)].flat();
    return results.at(-1)?.rows as Record<string, unknown>[];
  } finally {
    await client.end();
  }
}

const countPolicies = async () => (await query("select from pg_policies where schemaname = 'public'")).length;

/** Every constraint and index as Postgres would write it, and whether foreign keys wait for the commit. */
const findConstraints = () =>
  query(
    `select conrelid::regclass::text, conname, pg_get_constraintdef(oid) from pg_constraint
      where connamespace = 'public'::regnamespace
      union all select tablename, indexname, indexdef from pg_indexes where schemaname = 'public' order by 1, 2, 3`,
  );

function addMigration(text: string): void {
  const journalFile = path.join(clone, "drizzle/meta/_journal.json");
  const journal = JSON.parse(readFileSync(journalFile, "utf8")) as { entries: { idx: number; when: number }[] };
  const last = journal.entries.at(-1);
  const entry = { ...last, idx: journal.entries.length, when: (last?.when ?? 0) + 1, tag: "9999_added" };
  writeFileSync(journalFile, JSON.stringify({ ...journal, entries: [...journal.entries, entry] }));
  writeFileSync(path.join(clone, "drizzle/9999_added.sql"), text);
}

describe("npm run db:setup", () => {
  it("makes a database ready and gives the Worker a role of its own that passes the check", async () => {
    const { code, output } = await run("setup", { DATABASE_OWNER_URL: ownerUrl });
    expect([code, output]).toEqual([0, expect.stringContaining("✓ The fence stands")]);
    const workerUrl = /postgresql:\/\/app_user:\S+/.exec(output)?.[0] ?? "";
    expect(await query("select session_user as name", workerUrl)).toEqual([{ name: "app_user" }]);
    expect(await run("check", { DATABASE_URL: workerUrl })).toMatchObject({ code: 0 });
  });

  it("leaves a password that is in use alone until asked for a new one", async () => {
    const first = await run("setup", { DATABASE_OWNER_URL: ownerUrl }, "--new-password");
    const again = await run("setup", { DATABASE_OWNER_URL: ownerUrl });
    expect(again).toMatchObject({ code: 0, output: expect.stringContaining("has a password already") });
    expect(again.output).not.toContain("postgresql://");
    const other = await run("setup", { DATABASE_OWNER_URL: ownerUrl }, "--new-password");
    const urls = [first, other].map(({ output }) => /postgresql:\/\/app_user:\S+/.exec(output)?.[0] ?? "");
    await expect(query("select 1", urls[0])).rejects.toThrow("password authentication failed");
    await expect(query("select 1", urls[1])).resolves.toHaveLength(1);
  });

  it("says what it needs, and never repeats a password", async () => {
    expect(await run("setup")).toMatchObject({ code: 1, output: expect.stringContaining("DATABASE_OWNER_URL=") });
    const wrong = await run("setup", { DATABASE_OWNER_URL: ownerUrl.replace(/:[^:@]+@/, ":not-the-password@") });
    expect(wrong).toMatchObject({ code: 1, output: expect.stringContaining("password authentication failed") });
    expect(wrong.output).not.toContain("not-the-password");
    const malformed = await run("setup", { DATABASE_OWNER_URL: "postgres//owner:not-the-password@host/db" });
    expect(malformed).toMatchObject({ code: 1, output: expect.stringContaining("is not of the form") });
    expect(malformed.output).not.toContain("not-the-password");
  });
});

describe("npm run db:migrate", () => {
  it("applies migrations once and policies every time", async () => {
    const settings = { DATABASE_OWNER_URL: ownerUrl };
    expect((await run("migrate", settings)).code).toBe(0);
    await query('drop policy if exists "gone" on users; alter table users disable row level security');
    const again = await run("migrate", settings);
    expect(again).toMatchObject({ code: 0, output: expect.stringContaining("Migrations applied: 0") });
    expect(await query("select relrowsecurity as on from pg_class where oid = 'users'::regclass")).toEqual([
      { on: true },
    ]);
  });

  it("says why a migration fails, and leaves nothing of it behind", async () => {
    addMigration("create table half_done ();--> statement-breakpoint\nselect 1/0;");
    const { code, output } = await run("migrate", { DATABASE_OWNER_URL: ownerUrl });
    expect(code).toBe(1);
    expect(output).toMatch(/division by zero \(SQLSTATE 22012\)[^]*select 1\/0/);
    expect(await query("select to_regclass('half_done') as it, to_regclass('users') as users")).toEqual([
      { it: null, users: null },
    ]);
  });

  it("applies each migration once when two run at the same time", async () => {
    const settings = { DATABASE_OWNER_URL: ownerUrl };
    const both = await Promise.all([run("migrate", settings), run("migrate", settings)]);
    expect(both.map(({ code }) => code)).toEqual([0, 0]);
  });
});

describe("npm run db:rls", () => {
  it("names the line of the file that Postgres refuses, and changes nothing", async () => {
    await run("migrate", { DATABASE_OWNER_URL: ownerUrl });
    const policies = await countPolicies();
    const file = path.join(clone, "src/db/rls-policies.sql");
    const text = readFileSync(file, "utf8");
    writeFileSync(file, text.replace(/commit;\s*$/, "select no_such_column;\ncommit;\n"));
    const line = text.replace(/commit;\s*$/, "").split("\n").length;
    const { code, output } = await run("apply-policies", { DATABASE_OWNER_URL: ownerUrl });
    expect([code, output]).toEqual([1, expect.stringContaining(`src/db/rls-policies.sql, line ${line}: column`)]);
    expect(await countPolicies()).toBe(policies);
  });

  it("brings a permission that is written in src/permissions.ts alone into the database", async () => {
    await run("migrate", { DATABASE_OWNER_URL: ownerUrl });
    const file = path.join(clone, "src/permissions.ts");
    const added = `$&\n  "projects:read": ["Read the projects", ["owner", "viewer"]],`;
    writeFileSync(file, readFileSync(file, "utf8").replace("export const permissionTable = {", added));
    expect(await run("apply-policies", { DATABASE_OWNER_URL: ownerUrl })).toMatchObject({ code: 0 });
    const having = await query(
      `begin; set local role app_definer;
       select role from unnest(array['owner', 'admin', 'member', 'viewer']) role
        where 'projects:read' = any (app_private.role_permissions(role))`,
    );
    expect(having).toEqual([{ role: "owner" }, { role: "viewer" }]);

    const script = (...args: string[]) => new Script(["scripts/write-permissions.ts", ...args], clone, {});
    const stale = script("--check");
    expect([await stale.ended, stale.output]).toEqual([1, expect.stringContaining("`npm run fix` writes them there")]);
    expect(await script().ended).toBe(0);
    expect(await script("--check").ended).toBe(0);
  });
});

describe("npm run db:push", () => {
  it("puts the policies back that drizzle-kit drops, and leaves every key as the migrations made it", async () => {
    const settings = { DATABASE_OWNER_URL: ownerUrl };
    await run("migrate", settings);
    const policies = await countPolicies();
    const constraints = await findConstraints();
    const { code, output } = await run("push", settings);
    expect([code, output]).toEqual([0, expect.stringContaining("✓ The fence stands")]);
    expect(await countPolicies()).toBe(policies);
    expect(await findConstraints()).toEqual(constraints);
  });

  it("fails when a statement fails, which drizzle-kit itself calls a success", async () => {
    const settings = { DATABASE_OWNER_URL: ownerUrl };
    await run("migrate", settings);
    const policies = await countPolicies();
    appendFileSync(
      path.join(clone, "src/db/schema.ts"),
      `export const broken = pgTable("broken", { id: uuid("id").primaryKey().default(sql\`no_such_function()\`) }).enableRLS();\n`,
    );
    const { code, output } = await run("push", settings, "--force");
    expect(code).toBe(1);
    expect(output).toMatch(/no_such_function[^]*drizzle-kit push failed/);
    expect(await countPolicies()).toBe(policies);
  });
});

describe("npm run db:admins", () => {
  it("appoints, lists and dismisses who has an account, and says what they still lack", async () => {
    const settings = { DATABASE_OWNER_URL: ownerUrl };
    await run("migrate", settings);
    await query(
      `begin; set local role app_definer; insert into users (id, email, name) values (uuidv7(), 'ada@example.com', 'Ada'); commit`,
    );
    expect((await run("admins", settings)).output).toContain("none");
    const added = await run("admins", settings, "add", "Ada@Example.com");
    expect(added).toMatchObject({ code: 0, output: expect.stringContaining("✓ ada@example.com is an administrator") });
    expect(added.output).toMatch(/address is verified[^]*second factor/);
    expect(await run("admins", settings, "add", "ada@example.com")).toMatchObject({ code: 0 });
    expect((await run("admins", settings, "list")).output).toMatch(/ada@example\.com, since \d{4}-\d\d-\d\d\n/);
    const removed = await run("admins", settings, "remove", "ada@example.com");
    expect(removed).toMatchObject({ code: 0, output: expect.stringContaining("no administrator any more") });
    expect((await run("admins", settings)).output).toContain("none");
    const told = await query(
      `begin; set local role app_definer; select action, actor_type from user_audit_events where action like 'platform_admin.%' order by id`,
    );
    expect(told).toEqual([
      { action: "platform_admin.added", actor_type: "system" },
      { action: "platform_admin.removed", actor_type: "system" },
    ]);
  });

  it("refuses an address that nobody has, and what it does not know", async () => {
    const settings = { DATABASE_OWNER_URL: ownerUrl };
    await run("migrate", settings);
    const unknown = await run("admins", settings, "add", "nobody@example.com");
    expect(unknown).toMatchObject({ code: 1, output: expect.stringContaining("Nobody has the address") });
    for (const args of [["add"], ["list", "x"], ["promote", "ada@example.com"]]) {
      const answer = await run("admins", settings, ...args);
      expect(answer).toMatchObject({ code: 1, output: expect.stringContaining("npm run db:admins --") });
    }
  });
});

describe("npm run db:check", () => {
  it("fails for a role that row security does not hold", async () => {
    await run("migrate", { DATABASE_OWNER_URL: ownerUrl });
    const { code, output } = await run("check", { DATABASE_URL: ownerUrl });
    expect([code, output]).toEqual([1, expect.stringContaining("neondb_owner")]);
  });

  it("says what to do when there is no database, and prefers the environment to .dev.vars", async () => {
    const none = await run("check");
    expect(none).toMatchObject({ code: 1, output: expect.stringContaining("put DATABASE_URL into .dev.vars") });
    writeFileSync(path.join(clone, ".dev.vars"), "DATABASE_URL=postgresql://app_user:x@127.0.0.1:1/file\n");
    const kept = await run("check");
    expect(kept.output).toContain("file at 127.0.0.1:1 as app_user (from DATABASE_URL in .dev.vars)");
    const given = await run("check", { DATABASE_URL: "postgresql://app_user:x@127.0.0.1:1/given" });
    expect(given.output).toContain("given at 127.0.0.1:1");
  });
});

describe("makeDirectUrl", () => {
  it("goes past Neon's pooler and verifies its certificate", () => {
    const neon = "postgresql://u:p@ep-a-b-123-pooler.eu-central-1.aws.neon.tech/db";
    const direct = "postgresql://u:p@ep-a-b-123.eu-central-1.aws.neon.tech/db?sslmode=verify-full";
    expect([neon, `${neon}?sslmode=require`].map(makeDirectUrl)).toEqual([direct, direct]);
    expect(makeDirectUrl("postgresql://u:p@localhost:5432/db")).toBe("postgresql://u:p@localhost:5432/db");
  });
});
