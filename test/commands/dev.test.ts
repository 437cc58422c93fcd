import { readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { createServer } from "node:net";
import path from "node:path";
import { parseEnv } from "node:util";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";

import { findFreePort } from "../../scripts/local/processes.ts";
import { cloneProject, findDescendants, findSurvivors, removeClone, Script } from "../local/process-support.ts";

let clone: string;
let wantedPort: number;
const scripts: Script[] = [];

beforeAll(async () => {
  clone = cloneProject();
  // Away from 8787, where whoever runs the tests may have a service of their own.
  wantedPort = await findFreePort(20_000 + Math.floor(Math.random() * 10_000));
});

afterEach(async () => {
  for (const script of scripts.splice(0)) {
    script.kill("SIGTERM");
    await script.ended;
  }
});

afterAll(() => removeClone(clone));

function run(...args: string[]): Script {
  const script = new Script(args, clone);
  scripts.push(script);
  return script;
}

interface Service {
  script: Script;
  url: string;
  mailboxUrl: string | undefined;
  demo?: { email: string; password: string };
}

async function startDev(): Promise<Service> {
  const script = run("scripts/dev.ts", "--port", String(wantedPort));
  await script.prints(/Ctrl-C stops/);
  const url = (await script.prints(/Service\s+(\S+)/))[1] ?? "";
  const [, email = "", password = ""] = /Sign in\s+(\S+) with (\S+)/.exec(script.output) ?? [];
  const mailboxUrl = /Mailbox\s+(\S+)/.exec(script.output)?.[1];
  return { script, url, mailboxUrl, ...(email ? { demo: { email, password } } : {}) };
}

async function signIn({ url, demo }: Service): Promise<{ authorization: string }> {
  const response = await fetch(`${url}/v1/auth/sign-in`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(demo),
  });
  expect(response.status).toBe(200);
  const { accessToken } = (await response.json()) as { accessToken: string };
  return { authorization: `Bearer ${accessToken}` };
}

async function listOrganizations(service: Service): Promise<string[]> {
  const response = await fetch(`${service.url}/v1/organizations`, {
    headers: await signIn(service),
  });
  const { data } = (await response.json()) as { data: { name: string }[] };
  return data.map(({ name }) => name).toSorted();
}

/** What fetch refuses to send, and curl does not. */
function getWithBody(url: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const message = request(url, { method: "GET", headers: { "content-length": 2 } }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    message.once("error", reject).end("{}");
  });
}

/** The Worker's settings, as the last start has written them. */
function readSettings(): NodeJS.Dict<string> {
  return parseEnv(readFileSync(path.join(clone, ".local/worker.env"), "utf8"));
}

/** Mails as the Worker does with these settings. */
async function sendMail({ RESEND_API_URL, RESEND_API_KEY, EMAIL_FROM }: NodeJS.Dict<string>): Promise<number> {
  const response = await fetch(`${RESEND_API_URL}/emails`, {
    method: "POST",
    headers: { authorization: `Bearer ${RESEND_API_KEY}` },
    body: JSON.stringify({ from: EMAIL_FROM, to: "ada@example.com", subject: "Hello from the test", text: "Hello" }),
  });
  return response.status;
}

describe("npm run dev", () => {
  it("starts a service with a demo tenant from nothing, and Ctrl-C leaves no process", async () => {
    const service = await startDev();
    expect((await fetch(`${service.url}/docs`)).status).toBe(200);
    expect(await getWithBody(`${service.url}/openapi.json`)).toBe(200);
    expect(await listOrganizations(service)).toEqual(["Demo"]);
    const processes = findDescendants(service.script.pid);
    expect(processes.map(({ command }) => command).join()).toMatch(/postgres[^]*wrangler[^]*workerd/);
    service.script.kill("SIGINT");
    expect(await service.script.ended).toBe(0);
    expect(await findSurvivors(processes)).toEqual([]);
    await expect(fetch(service.mailboxUrl ?? "")).rejects.toThrow("fetch failed");
  });

  it("gives the Worker a mailbox, whose pages may call the service", async () => {
    const { url, mailboxUrl = "" } = await startDev();
    const settings = readSettings();
    expect(settings).toMatchObject({ EMAIL_PROVIDER: "resend", APP_URL: mailboxUrl, CORS_ORIGINS: mailboxUrl });
    expect(await sendMail(settings)).toBe(200);
    expect(await (await fetch(mailboxUrl)).text()).toContain("Hello from the test");
    expect(await (await fetch(`${mailboxUrl}/verify-email`)).text()).toContain(`data-api="${url}"`);
    const preflight = await fetch(`${url}/v1/auth/sign-in`, {
      method: "OPTIONS",
      headers: { origin: mailboxUrl, "access-control-request-method": "POST" },
    });
    expect(preflight.headers.get("access-control-allow-origin")).toBe(mailboxUrl);
  });

  it("leaves mail to the provider that .dev.vars names, and each setting that stands there", async () => {
    const file = path.join(clone, ".dev.vars");
    const given = "CORS_ORIGINS=http://localhost:3000\nAPP_URL=http://localhost:3000\nRESEND_API_KEY=re_own\n";
    try {
      writeFileSync(file, given);
      const first = await startDev();
      const settings = readSettings();
      expect(settings).toMatchObject({ APP_URL: "http://localhost:3000", RESEND_API_KEY: "re_own" });
      expect(settings["CORS_ORIGINS"]).toBe(`http://localhost:3000,${first.mailboxUrl}`);
      expect(await sendMail(settings)).toBe(200);
      first.script.kill("SIGTERM");
      await first.script.ended;
      writeFileSync(file, `${given}EMAIL_PROVIDER=resend\nEMAIL_FROM=demo@example.com\n`);
      expect((await startDev()).mailboxUrl).toBeUndefined();
      expect(readSettings()).not.toHaveProperty("RESEND_API_URL");
      expect(readSettings()["CORS_ORIGINS"]).toBe("http://localhost:3000");
    } finally {
      rmSync(file);
    }
  });

  it("runs the Worker's scheduled handler, as its Cron Trigger would", async () => {
    const configuration = path.join(clone, "wrangler.toml");
    const original = readFileSync(configuration, "utf8");
    writeFileSync(configuration, original.replace("src/index.ts", "src/told.ts"));
    writeFileSync(
      path.join(clone, "src/told.ts"),
      `import worker from "./index.ts";
       export * from "./index.ts";
       export default { ...worker, scheduled: ({ cron }: ScheduledController) => console.log("cron is", cron) };`,
    );
    try {
      const { script } = await startDev();
      expect((await script.prints(/cron is (.*)/))[1]).toBe("* * * * *");
    } finally {
      writeFileSync(configuration, original);
    }
  });

  it("answers by the source as it is now, after one that did not build too", async () => {
    const file = path.join(clone, "src/routes/operations.ts");
    const original = readFileSync(file, "utf8");
    try {
      const { script, url } = await startDev();
      const health = async () => (await fetch(`${url}/health`)).text();
      expect(await health()).toBe('{"status":"ok"}');
      writeFileSync(file, `${original}\nnot TypeScript`);
      await script.prints(/Expected ";" but found "TypeScript"/);
      writeFileSync(file, original.replace('{ status: "ok" as const }', '{ status: "changed" as "ok" }'));
      await expect.poll(health, { timeout: 20_000 }).toBe('{"status":"changed"}');
    } finally {
      writeFileSync(file, original);
    }
  });

  it("keeps secrets from other users of the machine", async () => {
    for (const file of ["secrets.json", "worker.env", "postgres/superuser-password"]) {
      expect(statSync(path.join(clone, ".local", file)).mode & 0o077, file).toBe(0);
    }
  });

  it("keeps the data, and makes the demo tenant once", async () => {
    const first = await startDev();
    await fetch(`${first.url}/v1/organizations`, {
      method: "POST",
      headers: { "content-type": "application/json", ...(await signIn(first)) },
      body: JSON.stringify({ name: "Kept", slug: "kept" }),
    });
    first.script.kill("SIGTERM");
    expect(await first.script.ended).toBe(0);
    const second = await startDev();
    expect(second.demo).toEqual(first.demo);
    expect(await listOrganizations(second)).toEqual(["Demo", "Kept"]);
  });

  it("gives its database to the db: scripts while it runs, and refuses to run twice", async () => {
    const { script, url } = await startDev();
    const second = run("scripts/dev.ts");
    expect(await second.ended).toBe(1);
    expect(second.output).toContain(`${url} (process ${script.pid})`);
    for (const name of ["migrate", "apply-policies", "check"]) {
      const command = run(`scripts/db/${name}.ts`);
      expect([await command.ended, command.output]).toEqual([0, expect.stringContaining("✓")]);
    }
    script.kill("SIGINT");
    await script.ended;
    const after = run("scripts/db/check.ts");
    expect(await after.ended).toBe(1);
    expect(after.output).toContain("start `npm run dev`");
  });

  it("takes the next port when its own is taken, and says so", async () => {
    const server = createServer().listen(wantedPort, "127.0.0.1");
    try {
      const { script, url } = await startDev();
      expect(script.output).toContain(`Port ${wantedPort} is taken`);
      expect(Number(new URL(url).port)).toBeGreaterThan(wantedPort);
    } finally {
      server.close();
    }
  });

  it("leaves no process even when it is killed, and starts again afterwards", async () => {
    const first = await startDev();
    const processes = findDescendants(first.script.pid);
    first.script.kill("SIGKILL");
    expect(await findSurvivors(processes)).toEqual([]);
    const second = await startDev();
    expect(second.url).toBe(first.url);
  });

  it("stops with the reason when Postgres ends", async () => {
    const { script } = await startDev();
    const processes = findDescendants(script.pid);
    const server = processes.find(({ command }) => command.includes("/bin/postgres "));
    process.kill(server?.pid ?? Number.NaN, "SIGQUIT");
    expect(await script.ended).toBe(1);
    expect(script.output).toContain("Postgres ended");
    expect(await findSurvivors(processes)).toEqual([]);
  });

  it("uses the database elsewhere that .dev.vars names, and starts none", async () => {
    const file = path.join(clone, ".dev.vars");
    writeFileSync(file, "DATABASE_URL='postgresql://app_user:pa$word@db.example.invalid/app'\n");
    try {
      const { script, url, demo } = await startDev();
      expect(script.output).toContain("database at db.example.invalid");
      expect(demo).toBeUndefined();
      expect((await fetch(`${url}/health`)).status).toBe(200);
      const commands = findDescendants(script.pid).map(({ command }) => command);
      expect(commands.filter((command) => command.includes("postgres"))).toEqual([]);
    } finally {
      rmSync(file);
    }
  });
});
