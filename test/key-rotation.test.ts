import { createExecutionContext, createScheduledController, env, waitOnExecutionContext } from "cloudflare:test";
import { decodeProtectedHeader } from "jose";
import { describe, expect, it } from "vitest";
import worker from "../src/index.ts";
import { readMe, refresh, signIn } from "./support/accounts.ts";
import { asOwner } from "./support/database.ts";
import { failMail, lastMailTo, mailsTo, tokenOf } from "./support/mailbox.ts";
import { expectProblem } from "./support/problems.ts";
import { openService, type Person, type Service, type SettingsOverride, signUpPerson } from "./support/service.ts";
import { keySet, newSigningKey } from "./support/signing-keys.ts";

async function expectTaken({ id, token }: Pick<Person, "id" | "token">, ...services: Service[]): Promise<void> {
  for (const service of services) expect((await readMe(token, service)).body.id).toBe(id);
}

async function expectRefused({ token }: Pick<Person, "token">, service: Service): Promise<void> {
  await service.databaseRequests();
  expectProblem(await readMe(token, service), "unauthenticated");
  expect(await service.databaseRequests()).toEqual([]);
}

describe("JWT_SIGNING_KEYS", () => {
  const openWith = (...keys: object[]) => openService({ JWT_SIGNING_KEYS: keySet(...keys) });

  it("rotates without refusing any token: published, then signing, then retired", async () => {
    const [old, young] = [await newSigningKey(), await newSigningKey()];
    const [before, announced, rotated, after] = [
      openWith(old),
      openWith(old, young),
      openWith(young, old),
      openWith(young),
    ];
    const early = await signUpPerson(before);
    await expectTaken(early, before, announced, rotated);
    const late = await signUpPerson(rotated);
    expect(decodeProtectedHeader(late.token).kid).toBe(young.kid);
    // Isolates with the settings of before go on for a while.
    await expectTaken(late, announced, rotated, after);

    await expectRefused(early, after);
    await expectRefused(late, before);
  });

  it("outlives a session: it goes on with the new key at its next refresh", async () => {
    const [old, young] = [await newSigningKey(), await newSigningKey()];
    const ada = await signUpPerson(openWith(old));
    const { status, body } = await refresh(ada.refreshToken, openWith(young));
    expect(status).toBe(200);
    await expectTaken({ id: ada.id, token: body.accessToken }, openWith(young));
  });

  it("may be set while people are signed in: their tokens of JWT_SECRET are taken", async () => {
    const ada = await signUpPerson(openService());
    const after = openWith(await newSigningKey());
    await expectTaken(ada, after);
    expect((await refresh(ada.refreshToken, after)).status).toBe(200);
  });

  it("takes its tokens with it when it is unset", async () => {
    const ada = await signUpPerson(openWith(await newSigningKey()));
    await expectRefused(ada, openService());
    expect((await refresh(ada.refreshToken, openService())).status).toBe(200);
  });
});

/** Two secrets that no other test has, so that no other test's Cron Trigger sends the mails. */
function makeSecrets() {
  const [old, young] = ["old", "young"].map((name) => `${name}-secret-of-one-test-${crypto.randomUUID()}`);
  if (!old || !young) throw new Error("two secrets");
  return {
    before: { JWT_SECRET: old },
    announced: { JWT_SECRET: old, JWT_SECRET_PREVIOUS: young },
    rotated: { JWT_SECRET: young, JWT_SECRET_PREVIOUS: old },
    after: { JWT_SECRET: young },
  };
}

const forget = ({ email }: Person, by: Service) => by.call("POST", "/v1/auth/forgot-password", { body: { email } });

/** Sets the password with the token of the last mail. */
async function resetByMail({ email }: Person, by: Service) {
  const body = { token: tokenOf(await lastMailTo(email)), password: "another harbour at dusk" };
  return by.call("POST", "/v1/auth/reset-password", { body });
}

/** Has the Cron Trigger of a minute send what is queued for somebody. */
async function runMinute({ id }: Person, settings: SettingsOverride): Promise<void> {
  await asOwner(["update outbox set next_attempt_at = now() where user_id = $1", [id]]);
  const context = createExecutionContext();
  const controller = createScheduledController({ cron: "* * * * *", scheduledTime: new Date() });
  await worker.scheduled(controller, { ...env, ...settings } as never);
  await waitOnExecutionContext(context);
}

async function queuedFor({ id }: Person) {
  const [rows = []] = await asOwner(["select attempts from outbox where user_id = $1", [id]]);
  return rows;
}

describe("JWT_SECRET", () => {
  it("rotates without signing anybody out: JWT_SECRET_PREVIOUS is taken, and nothing signed with it", async () => {
    const { before, announced, rotated, after } = makeSecrets();
    const early = await signUpPerson(openService(before));
    await expectTaken(early, openService(before), openService(announced), openService(rotated));
    await expectRefused(early, openService(after));

    const refreshed = await refresh(early.refreshToken, openService(rotated));
    expect(refreshed.status).toBe(200);
    const late = { id: early.id, token: refreshed.body.accessToken };
    // Isolates with the settings of before go on for a while.
    await expectTaken(late, openService(announced), openService(rotated), openService(after));
    await expectRefused(late, openService(before));
    expect((await refresh(refreshed.body.refreshToken, openService(after))).status).toBe(200);
  });

  it("rotates beside JWT_SIGNING_KEYS", async () => {
    const { before, rotated, after } = makeSecrets();
    const ada = await signUpPerson(openService(before));
    const keys = { JWT_SIGNING_KEYS: keySet(await newSigningKey()) };
    await expectTaken(ada, openService({ ...rotated, ...keys }));
    await expectRefused(ada, openService({ ...after, ...keys }));
  });

  it("ends refresh tokens once it is gone altogether", async () => {
    const { before, after } = makeSecrets();
    const { refreshToken } = await signUpPerson(openService(before));
    const service = openService(after);
    expectProblem(await refresh(refreshToken, service), "unauthenticated");
    expect(await service.databaseRequests()).toEqual([]);
  });

  it("leaves links good that were mailed before", async () => {
    const { before, after } = makeSecrets();
    const ada = await signUpPerson(openService(before));
    await forget(ada, openService(before));
    expect((await resetByMail(ada, openService(after))).status).toBe(204);
    expect((await signIn(ada.email, "another harbour at dusk", openService(after))).status).toBe(200);
  });

  it("sends mails that were queued before, with good links", async () => {
    const { before, rotated } = makeSecrets();
    const ada = await signUpPerson(openService(before));
    await failMail({ to: ada.email, status: 500 });
    await forget(ada, openService(before));
    expect(await mailsTo(ada.email)).toEqual([]);

    await runMinute(ada, rotated);
    expect(await mailsTo(ada.email)).toHaveLength(1);
    expect(await queuedFor(ada)).toEqual([]);
    expect((await resetByMail(ada, openService(rotated))).status).toBe(204);
  });

  it("sends mails of both secrets together, and counts the failures of both", async () => {
    const { before, rotated } = makeSecrets();
    const ada = await signUpPerson(openService(before));
    await failMail({ to: ada.email, status: 500, times: 4 });
    await forget(ada, openService(before));
    await forget(ada, openService(rotated));
    await runMinute(ada, rotated);
    expect(await queuedFor(ada)).toEqual([{ attempts: 2 }, { attempts: 2 }]);
    await runMinute(ada, rotated);
    expect(await queuedFor(ada)).toEqual([]);
    const tokens = (await mailsTo(ada.email)).map(tokenOf);
    expect(new Set(tokens).size).toBe(2);
  });

  it("takes as many requests to the database while it rotates as ever", async () => {
    const { rotated } = makeSecrets();
    const ada = await signUpPerson(openService(rotated));
    const service = openService(rotated);
    await forget(ada, service);
    const [, claim, settle, ...more] = await service.allDatabaseRequests();
    expect(claim?.statements.filter(({ query }) => query.includes("claim_messages"))).toHaveLength(2);
    expect(settle?.statements.filter(({ query }) => query.includes("settle_message"))).toHaveLength(1);
    expect(more).toEqual([]);
  });

  it("leaves mails in the outbox that neither secret fits, and lets the right one send them", async () => {
    const { before, after } = makeSecrets();
    const ada = await signUpPerson(openService(before));
    await failMail({ to: ada.email, status: 500 });
    await forget(ada, openService(before));
    await runMinute(ada, after);
    expect([await queuedFor(ada), await mailsTo(ada.email)]).toEqual([[{ attempts: 1 }], []]);
    await runMinute(ada, before);
    expect(await mailsTo(ada.email)).toHaveLength(1);
  });
});
