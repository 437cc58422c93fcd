import { createExecutionContext, createScheduledController, env, waitOnExecutionContext } from "cloudflare:test";
import { describe, expect, it, vi } from "vitest";
import worker from "../src/index.ts";
import { asOwner, asWorker } from "./support/database.ts";
import { failMail, lastMailTo, mailAttemptsTo, mailsTo, tokenOf } from "./support/mailbox.ts";
import { goodPassword, openService, type Person, type Service, signUpPerson } from "./support/service.ts";

const service = openService();

const forget = ({ email }: Person, by: Service = service) =>
  by.call("POST", "/v1/auth/forgot-password", { body: { email } });

/** What the Cron Trigger of each minute does. */
async function runMinute(): Promise<void> {
  const context = createExecutionContext();
  await worker.scheduled(createScheduledController({ cron: "* * * * *", scheduledTime: new Date() }), env as never);
  await waitOnExecutionContext(context);
}

/** Moves the messages' clocks instead of waiting. */
const makeDue = ({ id }: Person) => asOwner(["update outbox set next_attempt_at = now() where user_id = $1", [id]]);

async function queuedFor({ id }: Person) {
  const [rows = []] = await asOwner(["select to_jsonb(o) as row from outbox o where user_id = $1", [id]]);
  return rows.map(({ row }) => row);
}

describe("A mail", () => {
  it("leaves after the answer and is forgotten once the provider has it", async () => {
    const ada = await signUpPerson(service);
    await forget(ada);
    expect(await mailsTo(ada.email)).toHaveLength(1);
    expect(await queuedFor(ada)).toEqual([]);
  });

  it("arrives once, with the same id and token, after a provider has failed for a while", async () => {
    const ada = await signUpPerson(service);
    await failMail({ to: ada.email, status: 500, times: 3 });
    expect((await forget(ada)).status).toBe(202);
    for (let attempt = 1; attempt <= 3; attempt++) {
      expect(await mailsTo(ada.email)).toEqual([]);
      const [queued] = await queuedFor(ada);
      expect(queued).toMatchObject({ attempts: attempt, last_error: expect.stringContaining("500"), dead_at: null });
      expect(JSON.stringify(queued)).not.toContain(tokenPattern);
      await makeDue(ada);
      await runMinute();
    }
    const [mail, ...others] = await mailsTo(ada.email);
    expect(others).toEqual([]);
    expect(await queuedFor(ada)).toEqual([]);
    const reset = { token: tokenOf(mail ?? expect.fail("no mail")), password: "another harbour at dusk" };
    expect((await service.call("POST", "/v1/auth/reset-password", { body: reset })).status).toBe(204);
  });

  it("waits twice as long after each failure, and six hours at most", async () => {
    const ada = await signUpPerson(service);
    await failMail({ to: ada.email, status: 503, times: 12 });
    await forget(ada);
    const waits: number[] = [];
    for (let attempt = 1; attempt <= 12; attempt++) {
      const [row] = await asOwner([
        "select round(extract(epoch from next_attempt_at - now()) / 60)::int as minutes from outbox where user_id = $1",
        [ada.id],
      ]);
      waits.push(row?.[0]?.["minutes"]);
      await makeDue(ada);
      await runMinute();
    }
    expect(waits).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 360, 360, 360]);
  });

  it("is sent again when only the provider's answer was lost, under the same idempotency key", async () => {
    const ada = await signUpPerson(service);
    await failMail({ to: ada.email, status: 500, afterStoring: true });
    await forget(ada);
    await makeDue(ada);
    await runMinute();
    expect(await mailAttemptsTo(ada.email)).toBe(2);
    expect(await mailsTo(ada.email)).toHaveLength(1);
    expect(await queuedFor(ada)).toEqual([]);
  });

  it("that the provider will never take is dead at once, and told in the log without its address", async () => {
    const ada = await signUpPerson(service);
    const logged = vi.spyOn(console, "error").mockImplementation(() => undefined);
    await failMail({ to: ada.email, status: 422 });
    await forget(ada);
    const lines = logged.mock.calls.flat().join("\n");
    logged.mockRestore();
    const [queued] = await queuedFor(ada);
    expect(queued?.dead_at).not.toBeNull();
    expect(lines).toContain(queued?.id);
    expect(lines).not.toContain(ada.email);
    await makeDue(ada);
    await runMinute();
    expect(await mailAttemptsTo(ada.email)).toBe(1);
  });

  it("that was committed by a Worker that died before sending it leaves with the next minute", async () => {
    const ada = await signUpPerson(service);
    // All that the request does, save its outbox: the endpoint refuses what comes after the answer.
    const dying = openService();
    await dying.injectFault({ fault: "delay", milliseconds: 0, times: 1 });
    await dying.injectFault({ fault: "refuse", times: 5 });
    expect((await forget(ada, dying)).status).toBe(202);
    expect(await mailsTo(ada.email)).toEqual([]);
    await runMinute();
    expect(await mailsTo(ada.email)).toHaveLength(1);
  });

  it("is reached behind any that no key fits any more, as after a change of JWT_SECRET", async () => {
    const ada = await signUpPerson(service);
    const lost = `${ada.id}@lost.example`;
    await asOwner([
      `insert into outbox (id, key_hash, recipient, template, data, next_attempt_at)
       select gen_random_uuid(), sha256(uuid_send(gen_random_uuid())), $1, 'reset_password', '{}', now() - interval '1 day'
         from generate_series(1, 100)`,
      [lost],
    ]);
    await failMail({ to: ada.email, status: 500 });
    await forget(ada);
    await asOwner(["update outbox set next_attempt_at = now() where user_id = $1", [ada.id]]);
    await runMinute();
    await asOwner(["delete from outbox where recipient = $1", [lost]]);
    expect(await mailsTo(ada.email)).toHaveLength(1);
  });

  it("of a request that was rolled back never exists", async () => {
    const ada = await signUpPerson(service);
    const failing = openService();
    await failing.injectFault({ fault: "drop-during", statement: 2 });
    expect((await forget(ada, failing)).status).toBe(503);
    await runMinute();
    expect([await queuedFor(ada), await mailsTo(ada.email)]).toEqual([[], []]);
  });

  it("of a request whose answer was lost after the commit arrives all the same", async () => {
    const ada = await signUpPerson(service);
    const losing = openService();
    await losing.injectFault({ fault: "drop-after" });
    expect((await forget(ada, losing)).status).toBe(503);
    expect(await mailsTo(ada.email)).toHaveLength(1);
  });

  it("is sent by one of 20 that find it due at once", async () => {
    const ada = await signUpPerson(service);
    await failMail({ to: ada.email, status: 500 });
    await forget(ada);
    await makeDue(ada);
    await Promise.all(Array.from({ length: 20 }, () => runMinute()));
    expect(await mailAttemptsTo(ada.email)).toBe(2);
    expect(await mailsTo(ada.email)).toHaveLength(1);
  });
});

/** The beginning of a link, which no row may hold. */
const tokenPattern = "#token=";

describe("The outbox", () => {
  it("shows a hostile statement ids, and neither addresses nor a way to stop a mail", async () => {
    const ada = await signUpPerson(service);
    await failMail({ to: ada.email, status: 500 });
    await forget(ada);
    await makeDue(ada);
    const [stored] = await queuedFor(ada);
    const asRole: [string] = ["select set_config('role', 'app_user', true)"];
    const guesses = ["\\x00", String(stored.key_hash), `\\x${"ff".repeat(32)}`];
    for (const key of guesses) {
      const [, claimed] = await asWorker(asRole, [
        "select * from app.claim_messages(array[$1::uuid], array[$2::bytea])",
        [stored.id, key],
      ]);
      expect(claimed).toEqual([]);
      await asWorker(asRole, ["select app.settle_message($1::uuid, $2::bytea)", [stored.id, key]]);
      await asWorker(asRole, ["select app.settle_message($1::uuid, $2::bytea, 'x', true)", [stored.id, key]]);
    }
    await expect(asWorker(asRole, ["select * from outbox"])).rejects.toMatchObject({ code: "42501" });
    await expect(asWorker(asRole, ["select * from one_time_tokens"])).rejects.toMatchObject({ code: "42501" });
    await runMinute();
    expect((await lastMailTo(ada.email)).subject).not.toBe("");
  });
});

describe("Cloudflare's send_email binding", () => {
  it("is handed the same mail", async () => {
    const sent: Record<string, unknown>[] = [];
    const EMAIL = { send: async (mail: Record<string, unknown>) => sent.push(mail) && { messageId: "1" } };
    // A binding is no string, unlike the settings that a service is opened with.
    const cloudflare = openService({ EMAIL_PROVIDER: "cloudflare", EMAIL: EMAIL as never });
    const ada = await signUpPerson(cloudflare);
    await forget(ada, cloudflare);
    expect(sent).toEqual([expect.objectContaining({ to: ada.email, text: expect.stringContaining(tokenPattern) })]);
    expect(
      (await service.call("POST", "/v1/auth/sign-in", { body: { email: ada.email, password: goodPassword } })).status,
    ).toBe(200);
  });
});
