import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { poll } from "../../scripts/local/processes.ts";
import { openStage as openMailbox, type Stage as MailStage } from "../local/mailbox-support.ts";
import { findDescendants, type Script } from "../local/process-support.ts";
import { openStage, type Stage } from "./stage.ts";

let stage: Stage;
let mailbox: MailStage;
let service: Script;
let url: string;

const startService = async (): Promise<void> => {
  ({ service, url } = await stage.startService({ MAILBOX_URL: mailbox.url }));
};

beforeAll(async () => {
  stage = await openStage();
  mailbox = await openMailbox({ apiKey: "re_local" });
  stage.stops.push(
    () => stage.postgres.stop(),
    () => mailbox.close(),
  );
  await startService();
});

afterAll(() => stage.stop());

async function query<T>(text: string, params: unknown[] = []): Promise<T[]> {
  const client = new Client({ connectionString: stage.postgres.url("postgres", "app") });
  await client.connect();
  try {
    return (await client.query(text, params)).rows as T[];
  } finally {
    await client.end();
  }
}

const newEmail = () => `${crypto.randomUUID()}@example.com`;

/** The status; undefined when there was no answer. */
const signUp = (email: string): Promise<number | undefined> =>
  fetch(`${url}/v1/auth/sign-up`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ email, password: "a quiet harbour at dawn", name: "Ada" }),
  }).then(
    ({ status }) => status,
    () => undefined,
  );

/** Kills the Worker's processes at the same moment, as the end of its machine would, and has another one start. */
async function killWorker(): Promise<void> {
  const processes = findDescendants(service.pid).filter(({ command }) => /wrangler|workerd/.test(command));
  expect(processes.map(({ command }) => command).join()).toContain("workerd");
  for (const { pid } of processes) process.kill(pid, "SIGKILL");
  await service.ended;
}

/** The next minutes, until nothing waits to be sent. */
async function passMinutes(): Promise<void> {
  for (let minute = 0; minute < 10; minute++) {
    await query("update outbox set next_attempt_at = now() where dead_at is null");
    const response = await fetch(`${url}/cdn-cgi/local/scheduled?cron=${encodeURIComponent("* * * * *")}`);
    expect(response.status).toBe(200);
    const [row] = await query<{ n: number }>("select count(*)::int as n from outbox");
    if (row?.n === 0) return;
  }
  expect.fail("the outbox does not become empty");
}

/** Mails of each address; one that is sent again under its id is the same to the provider. */
const countMails = async (emails: string[]) =>
  Promise.all(emails.map(async (email) => (await mailbox.messagesTo(email)).length));

async function storedOf(emails: string[]): Promise<Set<string>> {
  const rows = await query<{ email: string }>("select email from users where email = any ($1)", [emails]);
  return new Set(rows.map(({ email }) => email));
}

describe("Mails of a Worker that is killed with SIGKILL", () => {
  it("between the commit and the provider's answer all arrive, once another one runs", async () => {
    await mailbox.setFault({ hang: true, times: 1_000 });
    const emails = Array.from({ length: 20 }, newEmail);
    expect(new Set(await Promise.all(emails.map(signUp)))).toEqual(new Set([201]));
    const isTried = async () => (await mailbox.attemptsTo(emails[0] ?? "")) > 0;
    expect(await poll(10_000, isTried, 20)).toBe(true);
    await killWorker();
    expect(new Set(await countMails(emails))).toEqual(new Set([0]));
    await mailbox.control("DELETE", "faults");
    await startService();
    await passMinutes();
    expect(await countMails(emails)).toEqual(emails.map(() => 1));
  });

  it("amid its requests are exactly those of what was committed, in three rounds", async () => {
    for (let round = 0; round < 3; round++) {
      const emails = Array.from({ length: 60 }, newEmail);
      const statuses = new Map<string, number>();
      // Each twice: of two that sign up one address, one is rolled back.
      const requests = emails
        .flatMap((email) => [email, email])
        .map(async (email) => {
          const status = await signUp(email);
          if (status === 201) statuses.set(email, status);
        });
      expect(await poll(10_000, () => statuses.size >= 10, 1)).toBe(true);
      await killWorker();
      await Promise.all(requests);
      expect(statuses.size).toBeLessThan(emails.length);
      await startService();
      await passMinutes();
      const stored = await storedOf(emails);
      const lost = [...statuses.keys()].filter((email) => !stored.has(email));
      expect(lost).toEqual([]);
      expect(await countMails(emails)).toEqual(emails.map((email) => (stored.has(email) ? 1 : 0)));
      process.stdout.write(`acknowledged ${statuses.size}, committed ${stored.size}, mails ${stored.size}\n`);
    }
  });
});

describe("Mails while their provider answers 500", () => {
  it("all arrive once it is well again", async () => {
    const emails = Array.from({ length: 20 }, newEmail);
    await mailbox.setFault({ status: 500, times: 50 });
    expect(new Set(await Promise.all(emails.map(signUp)))).toEqual(new Set([201]));
    const waiting = async () => {
      const [row] = await query<{ n: number }>(
        "select count(*)::int as n from outbox where recipient = any ($1) and last_error is not null",
        [emails],
      );
      return row?.n === emails.length;
    };
    expect(await poll(10_000, waiting, 20)).toBe(true);
    expect(new Set(await countMails(emails))).toEqual(new Set([0]));
    await passMinutes();
    expect(await countMails(emails)).toEqual(emails.map(() => 1));
  });
});
