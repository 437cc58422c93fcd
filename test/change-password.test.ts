import { describe, expect, it } from "vitest";
import { type Admission, admitStatement, readHandle } from "./support/admission.ts";
import { readMe, refresh, signIn, storedSessions, storedUser } from "./support/accounts.ts";
import { asOwner, asWorker } from "./support/database.ts";
import { mailsTo } from "./support/mailbox.ts";
import { giveResetToken } from "./support/one-time-tokens.ts";
import { expectProblem } from "./support/problems.ts";
import { goodPassword, openService, type Person, signInPerson, signUpPerson } from "./support/service.ts";

const service = openService();
const newPassword = "another harbour at dusk";

interface Change {
  currentPassword?: unknown;
  newPassword?: unknown;
}

const change = (token: string, body: Change = {}, by = service, headers: Record<string, string> = {}) =>
  by.call("POST", "/v1/auth/change-password", {
    body: { currentPassword: goodPassword, newPassword, ...body },
    token,
    headers,
  });

/** All that a change could touch. */
async function look({ id, email }: Person) {
  const [tokens] = await asOwner(["select id from one_time_tokens where user_id = $1 order by id", [id]]);
  return { user: await storedUser(email), sessions: await storedSessions(id), tokens, mails: await mailsTo(email) };
}

describe("POST /v1/auth/change-password", () => {
  it("sets the password that signs in from then on", async () => {
    const ada = await signUpPerson(service);
    const { status, body } = await change(ada.token);
    expect([status, body]).toEqual([204, undefined]);
    expectProblem(await signIn(ada.email, goodPassword), "invalid_credentials");
    expect((await signIn(ada.email, newPassword)).status).toBe(200);
  });

  it("revokes the other sessions and keeps this one, which counts as freshly authenticated", async () => {
    const ada = await signUpPerson(service);
    const others = [await signInPerson(service, ada.email), await signInPerson(service, ada.email)];
    await asOwner(["update sessions set authenticated_at = now() - interval '1 hour' where user_id = $1", [ada.id]]);
    expect((await change(ada.token)).status).toBe(204);
    for (const { token, refreshToken } of others) {
      expectProblem(await readMe(token), "unauthenticated");
      expectProblem(await refresh(refreshToken), "unauthenticated");
    }
    expect((await readMe(ada.token)).status).toBe(200);
    const handle = await readHandle(ada.token);
    const admission: Admission = { handle, organizationId: null, permission: null, fresh: true };
    await expect(asWorker(admitStatement(admission))).resolves.toHaveLength(1);
    expect((await refresh(ada.refreshToken)).status).toBe(200);
  });

  it("leaves everybody else's sessions, passwords and tokens alone", async () => {
    const [ada, grace] = [await signUpPerson(service), await signUpPerson(service)];
    await giveResetToken(grace.id);
    const before = await look(grace);
    expect((await change(ada.token)).status).toBe(204);
    expect(await look(grace)).toEqual(before);
  });

  it("ends links to a new password or another address, and leaves one that verifies the address", async () => {
    const ada = await signUpPerson(service);
    const token = await giveResetToken(ada.id);
    await asOwner([
      `insert into one_time_tokens (id, user_id, purpose, email, key_hash, expires_at)
       select gen_random_uuid(), $1::uuid, purpose, 'new@example.com', sha256(($1::text || purpose)::bytea), now() + interval '1 hour'
         from unnest(array['verify_email', 'change_email_old', 'change_email_new']) purpose`,
      [ada.id],
    ]);
    expect((await change(ada.token)).status).toBe(204);
    const reset = { token, password: "a third harbour at noon" };
    expectProblem(await service.call("POST", "/v1/auth/reset-password", { body: reset }), "invalid_token");
    const [left] = await asOwner([
      "select purpose from one_time_tokens where user_id = $1 and expires_at > now()",
      [ada.id],
    ]);
    expect(left).toEqual([{ purpose: "verify_email" }]);
  });

  it("mails a notice with the address it came from, whose link is of the configured origin and does nothing", async () => {
    const ada = await signUpPerson(service);
    const headers = { "cf-connecting-ip": "203.0.113.9", "x-forwarded-host": "evil.example" };
    await change(ada.token, {}, service, headers);
    const [mail = expect.fail("no mail"), ...others] = await mailsTo(ada.email);
    expect(others).toEqual([]);
    expect(mail.subject).toBe("Your password was changed");
    expect(mail.text).toContain("203.0.113.9");
    expect(mail.text.match(/https?:\S+/g)).toEqual(["https://app.acme.example/forgot-password"]);
    expect(JSON.stringify(mail)).not.toMatch(/#token=|evil\.example/);
  });

  it("works without a mail provider, and queues nothing", async () => {
    const without = openService({ EMAIL_PROVIDER: undefined });
    const ada = await signUpPerson(without);
    expect((await change(ada.token, {}, without)).status).toBe(204);
    const [queued] = await asOwner(["select id from outbox where user_id = $1", [ada.id]]);
    expect([queued, await mailsTo(ada.email)]).toEqual([[], []]);
  });

  it("hashes the new password under today's BCRYPT_WORK_FACTOR and PASSWORD_PEPPER", async () => {
    const ada = await signUpPerson(service);
    const changed = openService({ BCRYPT_WORK_FACTOR: "5", PASSWORD_PEPPER: "a-pepper-for-tests-alone-Hn4kR7sWp2cB" });
    expect((await change(ada.token, {}, changed)).status).toBe(204);
    const stored = await storedUser(ada.email);
    expect(stored).toMatchObject({ password_scheme: 2, password_salt: expect.stringMatching(/^\$2b\$05\$/) });
    expect((await signIn(ada.email, newPassword, changed)).status).toBe(200);
  });

  it("makes two requests to the database, and sends it neither password", async () => {
    const own = openService();
    const ada = await signUpPerson(own);
    await own.databaseRequests();
    await change(ada.token, {}, own);
    const requests = await own.databaseRequests();
    expect(requests).toHaveLength(2);
    for (const secret of [goodPassword, newPassword]) expect(JSON.stringify(requests)).not.toContain(secret);
  });
});

describe("A change of the password that is refused", () => {
  it("for a wrong current password, with 403, changes nothing and mails nothing", async () => {
    const ada = await signUpPerson(service);
    await signInPerson(service, ada.email);
    await giveResetToken(ada.id);
    const before = await look(ada);
    for (const currentPassword of ["not the password", "", goodPassword.toUpperCase(), `${goodPassword}!`])
      expectProblem(await change(ada.token, { currentPassword }), "wrong_password");
    expect(await look(ada)).toEqual(before);
  });

  it("for a weak new password, with its reason, changes nothing and asks no database", async () => {
    const own = openService();
    const ada = await signUpPerson(own);
    const before = await look(ada);
    await own.databaseRequests();
    for (const weak of ["short", "password123", "aaaaaaaaaa", "x".repeat(257)]) {
      const answer = await change(ada.token, { newPassword: weak }, own);
      expectProblem(answer, "invalid_request");
      expect(answer.body.errors[0].path).toBe("body.newPassword");
    }
    expect(await own.databaseRequests()).toEqual([]);
    expect(await look(ada)).toEqual(before);
  });

  it("for the account's own address or name, which the database knows, changes nothing", async () => {
    const ada = await signUpPerson(service, "Augusta Ada King");
    const before = await look(ada);
    for (const own of [ada.email, ada.email.split("@")[0], "AUGUSTA ADA KING"]) {
      const answer = await change(ada.token, { newPassword: own });
      expectProblem(answer, "invalid_request");
      expect(answer.body.errors).toEqual([{ path: "body.newPassword", message: expect.stringContaining("own name") }]);
    }
    expect(await look(ada)).toEqual(before);
  });

  it("for the current password again, in any Unicode spelling (NFKC), asks no database", async () => {
    const own = openService();
    const ada = await signUpPerson(own);
    await own.databaseRequests();
    for (const same of [goodPassword, goodPassword.replace("a", "\uff41")]) {
      const answer = await change(ada.token, { newPassword: same }, own);
      expectProblem(answer, "invalid_request");
      expect(answer.body.errors).toEqual([{ path: "body.newPassword", message: "is the current one" }]);
    }
    // Nobody learns by it whether a password is right.
    const wrong = { currentPassword: "not the password", newPassword: "not the password" };
    expectProblem(await change(ada.token, wrong, own), "invalid_request");
    expect(await own.databaseRequests()).toEqual([]);
  });

  it("for a session that was revoked", async () => {
    const ada = await signUpPerson(service);
    await service.call("DELETE", "/v1/auth/sessions?scope=all", ada);
    expectProblem(await change(ada.token), "unauthenticated");
    expect((await signIn(ada.email, goodPassword)).status).toBe(200);
  });

  it("because it was rolled back changes nothing and mails nothing", async () => {
    const ada = await signUpPerson(service);
    await signInPerson(service, ada.email);
    await giveResetToken(ada.id);
    const before = await look(ada);
    const failing = openService();
    await failing.injectFault({ fault: "delay", milliseconds: 0, times: 1 });
    await failing.injectFault({ fault: "drop-during", statement: 2 });
    expect((await change(ada.token, {}, failing)).status).toBe(503);
    expect(await look(ada)).toEqual(before);
    const [queued] = await asOwner(["select id from outbox where user_id = $1", [ada.id]]);
    expect(queued).toEqual([]);
  });
});

describe("An injected statement", () => {
  it("changes no password without knowing the current one", async () => {
    const ada = await signUpPerson(service);
    const admit = admitStatement({ handle: await readHandle(ada.token), organizationId: null, permission: null });
    const stored = await storedUser(ada.email);
    const forged = `$2b$04$${"n".repeat(22)}${"x".repeat(31)}`;
    const attempt = (hash: string) =>
      asWorker(admit, ["select app.change_password('\\x00', $1, 1, left($2, 29), $2, null)", [hash, forged]]);
    for (const hash of ["", String(stored?.["password_verifier"]), `${stored?.["password_salt"]}${"x".repeat(31)}`])
      await expect(attempt(hash)).rejects.toMatchObject({ code: "APPWD" });
    // Other parameters than the account's prove nothing either.
    expect((await attempt(forged)).at(-1)).toEqual([{ change_password: false }]);
    expect(await storedUser(ada.email)).toEqual(stored);
  });
});
