import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { type LocalPostgres } from "../../scripts/local/postgres.ts";
import { openStage, type Stage, startService } from "../crash/stage.ts";
import { cloneProject, removeClone, Script } from "../local/process-support.ts";

interface Sabotage {
  /** The owner unless said otherwise: what Postgres lets no owner do, a superuser still can. */
  by?: "superuser";
  act: string;
  undo: string;
  problem: string;
  object: string;
}

const sabotages: Record<string, Sabotage> = {
  "BYPASSRLS for the Worker's role": {
    act: "alter role app_user bypassrls",
    undo: "alter role app_user nobypassrls",
    problem: "role could rise above the fence",
    object: "app_user",
  },
  "a table of the Worker's own": {
    by: "superuser",
    act: "alter table idempotency_keys owner to app_user",
    undo: "alter table idempotency_keys owner to neondb_owner",
    problem: "app_user owns an object",
    object: "idempotency_keys",
  },
  "FORCE switched off": {
    act: "alter table users no force row level security",
    undo: "alter table users force row level security",
    problem: "row security is not enabled and forced",
    object: "users",
  },
  "a policy that is true": {
    act: 'alter policy "People read their own sessions" on sessions using (true)',
    undo: 'alter policy "People read their own sessions" on sessions using (user_id = (select app.user_id()))',
    problem: "policy restricts nothing",
    object: "sessions: People read their own sessions",
  },
  "a floor whose USING is NULL": {
    act: `drop policy "A membership is its organization's alone" on memberships;
      create policy "A membership is its organization's alone" on memberships as restrictive to app_user
        with check (organization_id = (select app.org_id()))`,
    undo: `drop policy "A membership is its organization's alone" on memberships;
      create policy "A membership is its organization's alone" on memberships as restrictive to app_user
        using (organization_id = (select app.org_id())) with check (organization_id = (select app.org_id()))`,
    problem: "table has no floor",
    object: "memberships",
  },
  "a view without security_invoker": {
    act: "create view everybody as select id, email from users; grant select on everybody to app_user",
    undo: "drop view everybody",
    problem: "view runs with its owner's rights",
    object: "everybody",
  },
  "a materialized view": {
    act: "create materialized view everybody as select id, email from users; grant select on everybody to app_user",
    undo: "drop materialized view everybody",
    problem: "readable past row security",
    object: "everybody",
  },
  "a definer function with an open search_path": {
    act: "set role app_definer; alter function app.user_id() reset search_path",
    undo: "set role app_definer; alter function app.user_id() set search_path = ''",
    problem: "definer function has an open search_path",
    object: "app.user_id()",
  },
  "grants by default": {
    act: "alter default privileges grant select on tables to app_user",
    undo: "alter default privileges revoke select on tables from app_user",
    problem: "default privilege reaches the Worker",
    object: "neondb_owner in every schema",
  },
  "every new function granted to everybody": {
    act: "alter default privileges grant execute on functions to public",
    undo: "alter default privileges revoke execute on functions from public",
    problem: "default privilege reaches the Worker",
    object: "neondb_owner in every schema",
  },
  "TRUNCATE granted": {
    act: "grant truncate on organizations to app_user",
    undo: "revoke truncate on organizations from app_user",
    problem: "dangerous table privilege",
    object: "organizations: TRUNCATE",
  },
  "TEMP granted": {
    act: "grant temporary on database app to app_user",
    undo: "revoke temporary on database app from app_user",
    problem: "app_user has a database privilege",
    object: "TEMP",
  },
  // The owner is a member of app_user, and Postgres refuses a circle, so that has to go first.
  "membership in the owner": {
    by: "superuser",
    act: "revoke app_user from neondb_owner cascade; grant neondb_owner to app_user",
    undo: `revoke neondb_owner from app_user;
      grant app_user to neondb_owner with admin true, inherit false, set false;
      grant app_user to neondb_owner with inherit false, set true granted by neondb_owner`,
    problem: "role is a member of another",
    object: "app_user of neondb_owner",
  },
  "the private schema opened to the Worker's role": {
    act: "grant usage on schema app_private to app_user",
    undo: "revoke usage on schema app_private from app_user",
    problem: "app_user can use a private schema",
    object: "app_private",
  },
  "the private schema opened to everybody": {
    act: "grant usage on schema app_private to public",
    undo: "revoke usage on schema app_private from public",
    problem: "app_user can use a private schema",
    object: "app_private",
  },
};

let stage: Stage;
let postgres: LocalPostgres;
let clone: string;
let url: string;

beforeAll(async () => {
  stage = await openStage();
  ({ clone, postgres } = stage);
  stage.stops.push(() => postgres.stop());
  ({ url } = await stage.startService());
});

afterAll(() => stage.stop());

function makeClone(): string {
  const folder = cloneProject();
  stage.stops.push(async () => removeClone(folder));
  return folder;
}

async function run(statements: string, by?: "superuser"): Promise<void> {
  const client = new Client({ connectionString: postgres.url(by ? "postgres" : "neondb_owner", "app") });
  await client.connect();
  try {
    await client.query(statements);
  } finally {
    await client.end();
  }
}

/** What `look` sees between a sabotage and its undoing. */
async function whileSabotaged<T>({ act, undo, by }: Sabotage, look: () => Promise<T>): Promise<T> {
  await run(act, by);
  try {
    return await look();
  } finally {
    await run(undo, by);
  }
}

/** `npm run db:check` with the Worker's own URL. */
async function check(): Promise<{ code: unknown; problems: string[]; output: string }> {
  const script = new Script(["scripts/db/check.ts"], clone, { DATABASE_URL: postgres.url("app_user", "app") });
  const code = await script.ended;
  const problems = [...script.output.matchAll(/^✗ (.*)$/gm)].map(([, problem]) => problem ?? "");
  return { code, problems, output: script.output };
}

async function askReady(service = url) {
  const response = await fetch(`${service}/ready`);
  const body = (await response.json()) as { code?: string; detail?: string };
  return { status: response.status, type: response.headers.get("content-type"), body };
}

const askBoth = async () => {
  const [checked, ready] = await Promise.all([check(), askReady()]);
  return { checked, ready };
};

async function expectAllWell(): Promise<void> {
  const { checked, ready } = await askBoth();
  expect(checked).toMatchObject({ code: 0, problems: [], output: expect.stringContaining("✓ The fence stands") });
  expect(ready).toMatchObject({ status: 200, body: { status: "ready", warnings: [] } });
}

describe("npm run db:check and GET /ready", () => {
  it("find nothing in a database that was just set up", expectAllWell);

  it.each(Object.entries(sabotages))("fail for %s, name it, and are well without it", async (_, sabotage) => {
    const { checked, ready } = await whileSabotaged(sabotage, askBoth);
    expect(checked.code).toBe(1);
    expect(checked.problems).toContain(`${sabotage.problem}: ${sabotage.object}`);
    expect(ready).toMatchObject({ status: 503, body: { code: "not_ready" } });
    expect(ready.type).toContain("application/problem+json");
    expect(ready.body.detail).toContain(`${sabotage.problem} (${sabotage.object})`);
    // Nor does one of them keep back what the other tells.
    const fence = checked.problems.filter((problem) => !problem.startsWith("login "));
    const sentences = fence.map((problem) => problem.replace(/: (.*)$/, " ($1)"));
    expect(ready.body.detail).toBe(`The fence is not safe: ${sentences.join("; ")}. See npm run db:check.`);
    await expectAllWell();
  });
});

describe("GET /ready in production", () => {
  it("tells its log which table stands open, and not everybody who asks", async () => {
    const production = await startService(makeClone(), postgres, stage.stops, { ENVIRONMENT: "production" });
    const sabotage = sabotages["FORCE switched off"] ?? expect.fail("no such sabotage");
    const ready = await whileSabotaged(sabotage, () => askReady(production.url));
    expect(ready).toMatchObject({ status: 503, body: { code: "not_ready" } });
    expect(ready.body.detail).toBe("The fence is not safe. See npm run db:check.");
    expect(JSON.stringify(ready.body)).not.toMatch(/users|row security/);
    await production.service.prints(/row security is not enabled and forced \(users\)/);
    expect((await askReady(production.url)).status).toBe(200);
  });
});
